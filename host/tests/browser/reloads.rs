//! A reloader that only seems to reload: reports of the past, and answers that take their steps slowly enough to be seen.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use wasmill::clock;
use wasmill::figures::Figures;
use wasmill::http::Site;
use wasmill::releases::{Entry, Store};
use wasmill::reload::{Outcome, PluginChange, Reloads, Report, Request, Step, What, queue};
use wasmill_core::time::{MINUTE, SECOND};

use crate::synthetic::HOSTILE;

/// The page looks three times a second while a reload is under way.
const STEP: Duration = Duration::from_millis(400);
const BUILD: Duration = Duration::from_millis(1_200);
/// What ran before, of every plugin but the first, which is built in.
const BEFORE: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const PAST: u64 = 9;

/// As a compiler would say it, of a guest that means harm.
fn diagnostic() -> String {
    format!(
        "plugin `revenue` asks for what no plugin may have\n\n  ┌─ revenue.wasm\n  │\n  │ import wasi:sockets/tcp@0.2.0\n  │        \
         ^^^^^^^^^^^^^^^^^^^^^^ a socket, called {HOSTILE}\n  │\n  = help: take the import out of the plugin; it gets its events from the host"
    )
}

fn step(name: &'static str, seconds: f64, detail: &str) -> Step {
    Step { name, seconds, ok: true, detail: detail.to_owned() }
}

fn steps() -> [Step; 5] {
    [
        step("build", 0.812, "plugin `revenue` 0f1e2d3c4b5a → 4c1a77e0b2d9"),
        step("verify", 0.000_04, "all states are carried over"),
        step("assemble", 0.000_3, "1 sources"),
        step("swap", 0.0021, "4 tasks, 1203 states carried over, paused 1.4ms at most"),
        step("keep", 0.0063, "kept for a rollback"),
    ]
}

fn change() -> Vec<PluginChange> {
    let to = Some("4c1a77e0b2d9".repeat(6)[..64].to_owned());
    vec![PluginChange { plugin: "revenue".into(), from: Some(BEFORE.into()), to }]
}

fn report(number: u64, at: i64, trigger: &str, outcome: Outcome) -> Report {
    let (at, trigger) = (clock::rfc3339(at), trigger.to_owned());
    let (plugins, routes, steps) = (Vec::new(), Vec::new(), Vec::new());
    Report { number, at, trigger, outcome, reason: None, plugins, routes, steps, pause_seconds: 0.0 }
}

fn refuse(report: &mut Report) {
    let (name, detail) = ("build", diagnostic());
    report.steps = vec![Step { name, seconds: 0.43, ok: false, detail: detail.clone() }];
    (report.outcome, report.reason) = (Outcome::Refused, Some(detail));
}

fn past(reloads: &Reloads) {
    for number in 1..=PAST {
        let at = clock::now() - (PAST as i64 - number as i64 + 1) * 17 * MINUTE - SECOND;
        let mut report = report(number, at, "file revenue.wasm", Outcome::Changed);
        match number % 3 {
            0 => refuse(&mut report),
            1 => {
                (report.plugins, report.steps, report.pause_seconds) = (change(), steps().to_vec(), 0.0014);
                report.routes = vec!["changed `revenue`".to_owned(), "added `hourly`".to_owned()];
            }
            _ => {
                (report.trigger, report.outcome) = ("SIGHUP".to_owned(), Outcome::Unchanged);
                report.steps = vec![step("build", 0.006, "nothing has changed")];
            }
        }
        reloads.put(report);
    }
}

/// Two releases of every plugin but the first.
fn history(folder: &Path, figures: &Figures) -> Store {
    let store = Store::new(folder.to_owned());
    let plugins = figures.plugins.get();
    let entries = plugins.iter().skip(1).flat_map(|plugin| {
        let entry = |hours: i64, release: &str, previous: Option<&str>, trigger: &str| Entry {
            at: clock::rfc3339(clock::now() - hours * 60 * MINUTE),
            plugin: plugin.name.clone(),
            release: release.to_owned(),
            previous: previous.map(str::to_owned),
            trigger: trigger.to_owned(),
            offsets: BTreeMap::from([("user-events [0]".to_owned(), 4812)]),
        };
        [
            entry(50, BEFORE, None, "start"),
            entry(2, &plugin.release, Some(BEFORE), &format!("file {}.wasm", plugin.name)),
        ]
    });
    store.note(&entries.collect::<Vec<_>>()).unwrap();
    store
}

/// A site that takes requests; releases are refused, everything else is done. The thread ends with the site.
pub fn pretend(site: Site, folder: &Path, figures: &Figures) -> Site {
    let (asking, asked) = queue();
    let site = site.with_requests(asking, history(folder, figures));
    past(site.reloads());
    let reloads = std::sync::Arc::clone(site.reloads());
    std::thread::spawn(move || {
        for (number, request) in (PAST + 1..).zip(asked.iter()) {
            serve(&reloads, number, request);
        }
    });
    site
}

fn serve(reloads: &Reloads, number: u64, request: Request) {
    let mut report = report(number, clock::now(), &request.trigger, Outcome::Running);
    reloads.put(report.clone());
    std::thread::sleep(BUILD);
    if matches!(request.what, What::Release { .. }) {
        refuse(&mut report);
    } else {
        report.plugins = change();
        for step in steps() {
            report.steps.push(step);
            reloads.put(report.clone());
            std::thread::sleep(STEP);
        }
        (report.outcome, report.pause_seconds) = (Outcome::Changed, 0.0014);
    }
    reloads.put(report.clone());
    if let Some(reply) = request.reply {
        let _ = reply.send(report);
    }
}
