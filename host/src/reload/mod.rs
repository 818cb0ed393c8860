//! Changing what runs while it runs: build off the data path, verify, swap in every task between two batches or in none, keep.

mod choose;
mod compare;
mod report;
mod service;
mod swap;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use tokio::sync::{mpsc, oneshot};

pub use report::{Outcome, PluginChange, Reloads, Report, Step};
pub use service::{Service, queue, start};

use crate::assemble;
use crate::changeover::{Changeover, Deployed};
use crate::clock;
use crate::current::Current;
use crate::delivery::{DeadLetterDelivery, Delivery};
use crate::figures::Figures;
use crate::http::Site;
use crate::lane::{ExchangeMessage, LaneMessage};
use crate::mirror::Mirror;
use crate::outlets::Outlets;
use crate::releases::{Choices, Store};
use crate::source::Control;
use crate::supervisor::Checked;
use compare::Change;

/// Requests that wait while another reload is under way; more are refused.
pub const QUEUE_REQUESTS: usize = 16;

/// A pipeline as it stands in its file now.
pub struct Built {
    pub checked: Checked,
    /// The file, for what a plan does not tell.
    pub text: toml::Table,
}

/// Reads, checks and compiles anew, with these releases in place of files; the error is what a person should read.
pub type Build = Box<dyn Fn(&Choices) -> Result<Built, String> + Send>;

/// What should run from now on.
#[derive(Debug)]
pub enum What {
    /// What the files say.
    Files,
    /// This release of a plugin, in place of its file.
    Release { plugin: String, bytes: Vec<u8> },
    /// What the plugin ran before.
    Rollback { plugin: String },
}

/// Somebody wants something else to run.
pub struct Request {
    /// Who or what: `SIGHUP`, `file plugins/revenue.wasm`, `POST /api/v1/reload`.
    pub trigger: String,
    pub what: What,
    /// States that cannot be carried over are rebuilt by replay instead of refusing the change.
    pub reset_state: bool,
    pub reply: Option<oneshot::Sender<Report>>,
}

/// One lane, as a reload reaches it.
pub struct LaneControl {
    pub messages: Sender<LaneMessage>,
    pub changes: Sender<Arc<Changeover>>,
}

/// One source, as a reload reaches it.
pub struct SourceControl {
    pub deployed: Arc<Current<Deployed>>,
    pub control: Sender<Control>,
    pub exchange: Arc<Current<Option<Sender<ExchangeMessage>>>>,
}

/// Where rows go; the same before and after.
#[derive(Clone)]
pub struct Outs {
    pub sinks: Vec<mpsc::Sender<Delivery>>,
    pub dead_letters: mpsc::Sender<DeadLetterDelivery>,
    pub mirror: Option<Arc<Mirror>>,
    pub abandon: Arc<AtomicBool>,
}

impl Outs {
    /// What a source of a plan runs and writes to.
    ///
    /// # Errors
    /// A route's target names a column that is not there.
    pub fn deploy(&self, runtime: Arc<crate::task::SourceRuntime>) -> Result<Deployed, String> {
        let targets = assemble::targets(&runtime.plan)?;
        let Outs { sinks, dead_letters, mirror, abandon } = self.clone();
        Ok(Deployed { runtime, outlets: Arc::new(Outlets { sinks, dead_letters, targets, mirror, abandon }) })
    }
}

/// What a reload changes and whom it tells.
pub struct Reloader {
    pub build: Build,
    pub running: Checked,
    pub text: toml::Table,
    pub store: Store,
    /// The configuration's: relative paths start here.
    pub folder: PathBuf,
    pub lanes: Vec<LaneControl>,
    /// In the plan's order.
    pub sources: Vec<SourceControl>,
    pub outs: Outs,
    pub figures: Arc<Figures>,
    pub site: Arc<Site>,
    pub reloads: Arc<Reloads>,
    pub number: u64,
    /// The process is about to end: nothing is swapped any more.
    pub stopping: Arc<AtomicBool>,
}

/// What was built and compared, ready to be swapped in.
struct Next {
    built: Built,
    choices: Choices,
    change: Change,
}

impl Reloader {
    fn reload(&mut self, request: &Request) -> Report {
        self.number += 1;
        let mut report = Report {
            number: self.number,
            at: clock::rfc3339(clock::now()),
            trigger: request.trigger.clone(),
            outcome: Outcome::Running,
            reason: None,
            plugins: Vec::new(),
            routes: Vec::new(),
            steps: Vec::new(),
            pause_seconds: 0.0,
        };
        self.reloads.put(report.clone());
        let started = Instant::now();
        (report.outcome, report.reason) = match self.steps(request, &mut report) {
            Ok(outcome) => (outcome, None),
            Err(reason) => (Outcome::Refused, Some(reason)),
        };
        if report.outcome == Outcome::Changed {
            self.reloads.seconds.record(started.elapsed());
        }
        tell(&report);
        self.reloads.put(report.clone());
        report
    }

    /// Every step, top to bottom. Whatever fails before the swap has changed nothing.
    fn steps(&mut self, request: &Request, report: &mut Report) -> Result<Outcome, String> {
        let next = report.step("build", |_| self.build(&request.what))?;
        (report.plugins, report.routes) = (next.change.plugins.clone(), next.change.routes.clone());
        if next.change.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        self.reloads.put(report.clone());
        let by_replay = report.step("verify", |_| self.verify(&next, request.reset_state))?;
        let deployed = report.step("assemble", |_| self.assemble(&next))?;
        self.reloads.put(report.clone());
        if self.stopping.load(Ordering::Acquire) {
            return Err("Wasmill is stopping".to_owned());
        }
        if by_replay {
            report.step("swap by replay", |_| self.swap_by_replay(&next, &deployed))?;
        } else {
            report.pause_seconds = report.step("swap", |_| self.swap(&next, &deployed))?;
        }
        if !matches!(request.what, What::Rollback { .. }) {
            self.begin_trials(report);
        }
        // Nothing that fails from here on takes the change back.
        let _ = report.step("keep", |report| self.keep(&next, report));
        self.running = next.built.checked;
        self.text = next.built.text;
        Ok(Outcome::Changed)
    }

    /// Reads and compiles what is written now. Nobody waits for it but the request.
    fn build(&self, what: &What) -> Result<(Next, String), String> {
        let choices = self.choose(what)?;
        let mut built = (self.build)(&choices)?;
        let fixed = compare::fixed_parts(&self.text, &built.text);
        if !fixed.is_empty() {
            return Err(format!(
                "{} cannot change while it runs: restart Wasmill, or take the change back; the rest of the file was not applied",
                fixed.join(", ")
            ));
        }
        let (old, new) = (&self.running, &mut built.checked);
        compare::keep_same(&old.plugins, &old.config, &mut new.plugins, &new.config);
        let change = compare::compare((&old.plan, &old.plugins), (&new.plan, &new.plugins));
        let detail = match change.is_empty() {
            true => "nothing has changed".to_owned(),
            false => describe(&change),
        };
        Ok((Next { built, choices, change }, detail))
    }

    /// Whether the change can be made with all states kept; true: only by a replay.
    fn verify(&self, next: &Next, reset_state: bool) -> Result<(bool, String), String> {
        let Next { built, change, .. } = next;
        if let Some(reason) = compare::impossible(&self.running.plan, &built.checked.plan) {
            return Err(format!("{reason}: restart Wasmill for it"));
        }
        if !change.unreadable.is_empty() && !reset_state {
            return Err(format!(
                "{}: let the plugin migrate it (in Rust: `#[state(version = …, from = …)]`), give the route another name, or \
                 reload with --reset-state, which rebuilds the open windows from the topic",
                change.unreadable.join("; ")
            ));
        }
        if change.rebuilt.is_empty() && change.unreadable.is_empty() {
            return Ok((false, "all states are carried over".to_owned()));
        }
        let mut rebuilt = change.rebuilt.clone();
        rebuilt.sort();
        rebuilt.dedup();
        Ok((true, format!("rebuilt from the topic: {}", rebuilt.join(", "))))
    }

    /// What each source will run.
    fn assemble(&self, next: &Next) -> Result<(Vec<Arc<Deployed>>, String), String> {
        let Checked { plan, plugins, .. } = &next.built.checked;
        let counted = assemble::counted(plan, plugins, &self.figures);
        let runtimes = assemble::runtimes(plan, plugins, &counted, &self.figures);
        let deployed: Vec<_> =
            runtimes.into_iter().map(|runtime| self.outs.deploy(runtime).map(Arc::new)).collect::<Result<_, _>>()?;
        let detail = match deployed.len() {
            1 => "one source".to_owned(),
            sources => format!("{sources} sources"),
        };
        Ok((deployed, detail))
    }

    /// From here on everybody sees what is new: tasks that start, the page, the metrics.
    fn publish(&self, next: &Next, deployed: &[Arc<Deployed>]) {
        let Checked { plan, plugins, .. } = &next.built.checked;
        for (source, deployed) in self.sources.iter().zip(deployed) {
            source.deployed.set(Arc::clone(deployed));
        }
        let routes = deployed.iter().flat_map(|d| d.runtime.route_figures.iter().cloned()).collect();
        self.figures.routes.set(Arc::new(routes));
        if let Some(first) = deployed.first() {
            self.figures.plugins.set(Arc::new(first.runtime.plugin_figures.clone()));
        }
        self.site.show(Arc::clone(plan), plugins.iter().map(|handle| Arc::clone(&handle.plugin)).collect());
    }
}

impl Reloader {
    /// Releases that took the place of others are taken back if they fail soon.
    fn begin_trials(&self, report: &Report) {
        for figures in self.figures.plugins.get().iter() {
            if report.plugins.iter().any(|c| c.plugin == figures.name && c.from.is_some() && c.from != c.to) {
                figures.begin_trial();
            }
        }
    }
}

fn describe(change: &Change) -> String {
    let short = |sha256: &Option<String>| sha256.as_deref().map_or("none", |s| s.get(..12).unwrap_or(s)).to_owned();
    let plugins = change.plugins.iter().map(|p| match p.from == p.to {
        true => format!("plugin `{}` has another configuration or other limits", p.plugin),
        false => format!("plugin `{}` {} → {}", p.plugin, short(&p.from), short(&p.to)),
    });
    let routes = change.routes.iter().map(|route| format!("route {route}"));
    plugins.chain(routes).collect::<Vec<_>>().join(", ")
}

fn tell(report: &Report) {
    let (number, trigger) = (report.number, report.trigger.as_str());
    let done: Vec<String> = report
        .steps
        .iter()
        .map(|step| format!("{} {:.0} ms ({})", step.name, step.seconds * 1e3, step.detail))
        .collect();
    let steps = done.join("; ");
    match report.outcome {
        Outcome::Refused => {
            let reason = report.reason.as_deref().unwrap_or_default();
            tracing::warn!(number, trigger, "reload refused, what ran runs on: {reason}");
        }
        Outcome::Unchanged => tracing::info!(number, trigger, "reload: nothing has changed"),
        _ => tracing::info!(number, trigger, pause_ms = report.pause_seconds * 1e3, "reloaded: {steps}"),
    }
}
