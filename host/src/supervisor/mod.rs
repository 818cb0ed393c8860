//! Starts a pipeline's parts in order, watches them, and stops them in the reverse order.

mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use wasmill_core::config::Config;
use wasmill_core::plan::Plan;
use wasmill_kafka::ConnectionConfig;

use crate::assemble::{self, PluginHandle};
use crate::figures::Figures;
use crate::http::Server;
use crate::lane::LaneMessage;
use crate::mirror;
use crate::plugin_log::Voices;
use crate::releases::Store;
use crate::reload::{self, Outs};
use crate::sink::SinkHandle;
use crate::source::{Control, Ended, SourceHandle};
use crate::status::health::{Health, Phase};
use start::{
    cannot_start_thread, ensure_topics, site, start_dead_letters, start_lanes, start_page, start_sinks, start_sources,
};

/// What was read may take so long to be handled, written and committed after SIGTERM; less than the ten seconds that a container's
/// runtime waits before it kills.
const DRAIN: Duration = Duration::from_secs(8);
/// How often the supervisor looks whether a source has ended.
const WATCH: Duration = Duration::from_millis(50);
/// How to run a pipeline.
pub struct Settings {
    /// As people know it.
    pub name: String,
    /// Relative paths of sinks start here.
    pub folder: PathBuf,
    pub connection: ConnectionConfig,
    /// Create topics that the configuration gives a number of partitions.
    pub create_topics: bool,
    /// Read to the logs' ends as they are now, close every window, and be done.
    pub bounded: bool,
    pub listen: SocketAddr,
    /// Stop by itself after so long.
    pub stop_after: Option<Duration>,
    /// What can be reloaded while it runs, and how; `None`: nothing.
    pub reload: Option<Reloading>,
    /// What plugins say, for the page of metrics.
    pub voices: Arc<Voices>,
    /// Called with the address of the page, once it answers.
    pub on_listening: Box<dyn Fn(SocketAddr) + Send>,
}

/// What a running pipeline is built from again.
pub struct Reloading {
    /// The configuration as it was read.
    pub text: toml::Table,
    /// Where releases are kept.
    pub store: Store,
    /// Watched; a change of one asks for a reload.
    pub files: Vec<PathBuf>,
    pub build: reload::Build,
}

/// What cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Wrong use: a port in use, a configuration that a library refuses.
    #[error("{0}")]
    Misused(String),
    /// The machine or the network would not.
    #[error("{0}")]
    Failed(String),
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// Everything read was written and committed.
    pub clean: bool,
    /// What went wrong, a line each.
    pub problems: Vec<String>,
    pub figures: Arc<Figures>,
}

/// A pipeline that was checked: see [`crate::cli::pipeline`].
pub struct Checked {
    pub config: Config,
    pub plan: Arc<Plan>,
    /// By the plan's plugin number.
    pub plugins: Vec<PluginHandle>,
}

/// Runs a pipeline until SIGTERM, SIGINT, the end of a bounded run, or the time given.
///
/// # Errors
/// What could not be started; nothing was consumed then.
pub fn run(checked: Checked, settings: Settings) -> Result<Outcome, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| RunError::Failed(format!("cannot start the async runtime: {error}")))?;
    let figures = assemble::figures(&checked.config, &checked.plan, &checked.plugins);
    let health = Arc::new(Health::default());
    let abandon = Arc::new(AtomicBool::new(false));
    let stop = watch_signals(&runtime)?;

    // Whoever reads comes before whoever writes to it: page, dead letters, sinks, lanes, sources.
    let server =
        runtime.block_on(Server::bind(settings.listen)).map_err(|error| RunError::Misused(error.to_string()))?;
    settings.connection.validate().map_err(|error| RunError::Misused(format!("[kafka] {error}")))?;
    let (letters, letters_thread) = start_dead_letters(&checked.config, &settings.connection, &abandon)?;
    let (sinks, store) = start_sinks(&checked.config, &settings, &figures, &letters, &runtime)?;
    let mirror = mirror::start(&checked.config, &letters, runtime.handle());
    let store = store.or_else(|| mirror.as_ref().and_then(|mirror| mirror.store.clone()));
    let address = server.address;
    let requests = reload::queue();
    let site = site(&checked, &figures, &health, store, &settings, requests.0.clone());
    let (shut_page, page) = start_page(server, &checked, &site, &runtime);
    (settings.on_listening)(address);
    let (lane_controls, lane_threads) = start_lanes(&checked.plan)?;
    let lanes: Vec<_> = lane_controls.iter().map(|lane| lane.messages.clone()).collect();
    if settings.create_topics {
        ensure_topics(&checked.config, &settings.connection, &health, &stop)?;
    }
    let outs = Outs {
        sinks: sinks.iter().map(|sink| sink.sender.clone()).collect(),
        dead_letters: letters,
        mirror: mirror.as_ref().map(|running| Arc::clone(&running.mirror)),
        abandon: Arc::clone(&abandon),
    };
    let channels = (lanes.as_slice(), &requests.0);
    let (sources, source_controls) = start_sources(&checked, &settings, &figures, &outs, channels)?;
    health.set(Phase::Running);
    let reloader = match settings.reload {
        Some(reloading) if !settings.bounded => {
            let make = |build, text, store| reload::Reloader {
                build,
                text,
                store,
                folder: settings.folder.clone(),
                running: checked,
                lanes: lane_controls,
                sources: source_controls,
                outs,
                figures: Arc::clone(&figures),
                reloads: Arc::clone(site.reloads()),
                site: Arc::clone(&site),
                number: 0,
                stopping: Arc::default(),
            };
            let service = reload::start(reloading, requests, make, runtime.handle());
            Some(service.map_err(cannot_start_thread)?)
        }
        _ => {
            drop((lane_controls, source_controls, outs));
            None
        }
    };

    wait(&stop, &sources, &sinks, settings.bounded, settings.stop_after);

    health.set(Phase::Stopping);
    if let Some(reloader) = reloader {
        reloader.stop();
    }
    let deadline = Instant::now() + DRAIN;
    let mut problems = stop_sources(sources, deadline, &abandon);
    for lane in &lanes {
        let _ = lane.send(LaneMessage::Stop);
    }
    drop(lanes);
    for thread in lane_threads {
        let _ = thread.join();
    }
    problems.extend(drain_sinks(sinks, deadline, &runtime));
    if let Some(mirror) = mirror {
        runtime.block_on(mirror.stop());
    }
    abandon.store(true, Ordering::Relaxed);
    let _ = letters_thread.join();
    let _ = shut_page.send(true);
    let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(3), page).await });
    Ok(Outcome { clean: problems.is_empty(), problems, figures })
}

/// Waits for a reason to stop.
fn wait(
    stop: &AtomicBool,
    sources: &[SourceHandle],
    sinks: &[SinkHandle],
    bounded: bool,
    stop_after: Option<Duration>,
) {
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if stop_after.is_some_and(|after| started.elapsed() >= after) {
            return;
        }
        // Only a stdout sink ends by itself: nobody reads it any more.
        if sinks.iter().any(|sink| sink.sender.is_closed()) {
            return;
        }
        if bounded && sources.iter().all(|source| source.thread.is_finished()) {
            return;
        }
        std::thread::sleep(WATCH);
    }
}

fn drain_sinks(sinks: Vec<SinkHandle>, deadline: Instant, runtime: &Runtime) -> Vec<String> {
    let drain = |sink: SinkHandle| {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
        runtime.block_on(sink.drain(left)).err().map(|undrained| undrained.to_string())
    };
    sinks.into_iter().filter_map(drain).collect()
}

fn stop_sources(sources: Vec<SourceHandle>, deadline: Instant, abandon: &AtomicBool) -> Vec<String> {
    for source in &sources {
        let _ = source.control.try_send(Control::Stop { deadline });
    }
    while sources.iter().any(|source| !source.thread.is_finished()) && Instant::now() < deadline {
        std::thread::sleep(WATCH / 5);
    }
    // Whoever still waits for a full queue gives up: what it holds is read again by the next run.
    abandon.store(true, Ordering::Relaxed);
    let mut problems = Vec::new();
    for source in sources {
        match source.thread.join() {
            Ok(Ended::Clean | Ended::Finished) => {}
            Ok(Ended::Abandoned) => problems
                .push("not everything that was read could be written in time; the next run reads it again".to_owned()),
            Ok(Ended::Faulted(reason)) => problems.push(reason),
            Err(_) => problems.push("a source's thread panicked".to_owned()),
        }
    }
    problems
}

/// Set by SIGTERM and SIGINT. A second one ends the process at once.
fn watch_signals(runtime: &Runtime) -> Result<Arc<AtomicBool>, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let flag = Arc::new(AtomicBool::new(false));
    let _inside = runtime.enter();
    let cannot = |error| RunError::Failed(format!("cannot watch for signals: {error}"));
    let mut term = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let set = Arc::clone(&flag);
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            if set.swap(true, Ordering::Relaxed) {
                tracing::warn!("second signal: ending at once");
                std::process::exit(1);
            }
            tracing::info!("stopping: finishing what was read (again to end at once)");
        }
    });
    Ok(flag)
}
