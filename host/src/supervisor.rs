//! Starts a pipeline's parts in order, watches them, and stops them in the reverse order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use wasmill_core::config::{Config, SinkKind, Start};
use wasmill_core::plan::Plan;
use wasmill_core::time::MILLISECOND;
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_kafka::consumer::{self, ConsumerConfig};
use wasmill_kafka::dead_letter::DeadLetters;

use crate::assemble::{self, Counted, PluginHandle};
use crate::clock;
use crate::current::Current;
use crate::dead_letters;
use crate::figures::Figures;
use crate::http::store::SeriesStore;
use crate::http::{Server, Site, Token};
use crate::lane::{self, LaneMessage};
use crate::mirror;
use crate::plugin_log::Voices;
use crate::releases::Store;
use crate::reload::{self, LaneControl, Outs, SourceControl};
use crate::sink::{self, SinkHandle};
use crate::source::{self, Control, Ended, SourceConfig, SourceHandle, TakeBack};
use crate::status::health::{Health, Phase};

/// What was read may take so long to be handled, written and committed after SIGTERM; less than the ten seconds that a container's
/// runtime waits before it kills.
const DRAIN: Duration = Duration::from_secs(8);
/// How often the supervisor looks whether a source has ended.
const WATCH: Duration = Duration::from_millis(50);
/// How often a broker that does not answer is asked again to create topics.
const CREATE_TOPICS_EVERY: Duration = Duration::from_secs(2);

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
    pub on_listening: Box<dyn FnOnce(SocketAddr) + Send>,
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
    let (mut sources, mut source_controls) = (Vec::new(), Vec::new());
    let runtimes = assemble::runtimes(&checked.plan, &checked.plugins, &Counted::of(&figures), &figures);
    for (index, runtime) in runtimes.into_iter().enumerate() {
        let consumer = consumer_config(&checked.config, &runtime.plan.name, &settings.connection);
        let deployed = Arc::new(Current::new(outs.deploy(runtime).map_err(RunError::Misused)?));
        let source = SourceConfig {
            index,
            deployed: Arc::clone(&deployed),
            consumer,
            lanes: lanes.clone(),
            take_back: take_back(requests.0.clone(), settings.reload.is_some() && !settings.bounded),
            checkpoint_interval: checked.config.checkpoint.interval,
            bounded: settings.bounded,
        };
        let source = source::spawn(source).map_err(|error| RunError::Misused(error.to_string()))?;
        let (control, exchange) = (source.control.clone(), source.exchange.clone());
        source_controls.push(SourceControl { deployed, control, exchange });
        sources.push(source);
    }
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
    for sink in sinks {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
        if let Err(undrained) = runtime.block_on(sink.drain(left)) {
            problems.push(undrained.to_string());
        }
    }
    if let Some(mirror) = mirror {
        runtime.block_on(mirror.stop());
    }
    abandon.store(true, Ordering::Relaxed);
    let _ = letters_thread.join();
    let _ = shut_page.send(true);
    let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(3), page).await });
    Ok(Outcome { clean: problems.is_empty(), problems, figures })
}

type Letters = (mpsc::Sender<crate::delivery::DeadLetterDelivery>, std::thread::JoinHandle<()>);

fn start_dead_letters(
    config: &Config,
    connection: &ConnectionConfig,
    abandon: &Arc<AtomicBool>,
) -> Result<Letters, RunError> {
    let letters = DeadLetters::new(connection, config.kafka.dead_letter_prefix.clone())
        .map_err(|error| RunError::Misused(error.to_string()))?;
    let (sender, queue) = mpsc::channel(dead_letters::QUEUE_LETTERS);
    let abandon = Arc::clone(abandon);
    let thread = std::thread::Builder::new()
        .name("dead-letters".to_owned())
        .spawn(move || dead_letters::run(letters, queue, &abandon))
        .map_err(cannot_start_thread)?;
    Ok((sender, thread))
}

type Sinks = (Vec<SinkHandle>, Option<Arc<dyn SeriesStore>>);

fn start_sinks(
    config: &Config,
    settings: &Settings,
    figures: &Figures,
    letters: &mpsc::Sender<crate::delivery::DeadLetterDelivery>,
    runtime: &Runtime,
) -> Result<Sinks, RunError> {
    let mut handles = Vec::new();
    let mut store: Option<Arc<dyn SeriesStore>> = None;
    for (sink, figures) in config.sinks.iter().zip(figures.sinks.get().iter()) {
        let sink_config = sink::SinkConfig::from_config(&sink.kind, &settings.folder, &settings.connection);
        let handle = sink::start(&sink.name.value, sink_config, Arc::clone(figures), letters.clone(), runtime.handle())
            .map_err(|error| RunError::Misused(error.to_string()))?;
        if matches!(sink.kind, SinkKind::Local(_)) && store.is_none() {
            store = handle.store.clone().map(|store| Arc::new(store) as Arc<dyn SeriesStore>);
        }
        handles.push(handle);
    }
    Ok((handles, store))
}

fn site(
    checked: &Checked,
    figures: &Arc<Figures>,
    health: &Arc<Health>,
    store: Option<Arc<dyn SeriesStore>>,
    settings: &Settings,
    asking: Sender<reload::Request>,
) -> Arc<Site> {
    let (name, plan) = (settings.name.as_str(), Arc::clone(&checked.plan));
    let plugins = checked.plugins.iter().map(|handle| Arc::clone(&handle.plugin)).collect();
    let site = Site::new(name, plan, Arc::clone(figures), store, Arc::clone(health));
    let site = site.with_plugins(plugins, Arc::clone(&settings.voices));
    Arc::new(match &settings.reload {
        Some(reloading) if !settings.bounded => site.with_requests(asking, reloading.store.clone()),
        _ => site,
    })
}

fn start_page(
    server: Server,
    checked: &Checked,
    site: &Arc<Site>,
    runtime: &Runtime,
) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let site = Arc::clone(site);
    let token = checked.config.server.token.as_ref().map(|token| Token::new(token.expose()));
    let (shut, mut shutting) = watch::channel(false);
    let page = runtime.spawn(async move {
        let shutdown = async move {
            let _ = shutting.wait_for(|shut| *shut).await;
        };
        if let Err(error) = server.run(site, token, shutdown).await {
            tracing::error!("{error}");
        }
    });
    (shut, page)
}

type Lanes = (Vec<LaneControl>, Vec<std::thread::JoinHandle<()>>);

/// One lane a processor.
fn start_lanes(plan: &Plan) -> Result<Lanes, RunError> {
    let count = std::thread::available_parallelism().map_or(1, usize::from).max(1);
    tracing::debug!(lanes = count, sources = plan.sources.len(), "starting");
    let (mut lanes, mut threads) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (sender, queue) = crossbeam_channel::bounded(lane::QUEUE_MESSAGES);
        let (changes, changes_queue) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name(format!("lane-{number}"))
            .spawn(move || lane::run(&queue, &changes_queue))
            .map_err(cannot_start_thread)?;
        lanes.push(LaneControl { messages: sender, changes });
        threads.push(thread);
    }
    Ok((lanes, threads))
}

/// How a source asks for a release to be taken back; it never waits for it.
fn take_back(requests: Sender<reload::Request>, possible: bool) -> TakeBack {
    Arc::new(move |plugin, why| {
        let what = reload::What::Rollback { plugin: plugin.to_owned() };
        // Whatever the states are: replay rebuilds what the older release cannot read.
        let request = reload::Request { trigger: format!("failures: {why}"), what, reset_state: true, reply: None };
        possible && requests.try_send(request).is_ok()
    })
}

fn cannot_start_thread(error: std::io::Error) -> RunError {
    RunError::Failed(format!("cannot start a thread: {error}"))
}

/// Creates the topics that the configuration asks for; waits for the broker as long as it takes, saying so.
fn ensure_topics(
    config: &Config,
    connection: &ConnectionConfig,
    health: &Health,
    stop: &AtomicBool,
) -> Result<(), RunError> {
    let mut wanted = Vec::new();
    for source in &config.sources {
        wanted.extend(source.partitions.iter().flat_map(|n| source.topics.iter().map(|topic| (topic.clone(), *n))));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let admin = Admin::new(connection).map_err(|error| RunError::Misused(error.to_string()))?;
    for (topic, partitions) in wanted {
        loop {
            match admin.ensure_topic(&topic, partitions, None) {
                Ok(_) => break,
                Err(error) => {
                    if health.note.get().is_none() {
                        tracing::warn!("cannot create topic `{topic}`: {error}; trying on");
                    }
                    health.note.set(Some(format!("waiting for the broker to create topic `{topic}`: {error}")));
                }
            }
            if stop.load(Ordering::Relaxed) {
                return Err(RunError::Failed(format!("stopped while waiting to create topic `{topic}`")));
            }
            std::thread::sleep(CREATE_TOPICS_EVERY);
        }
    }
    health.note.set(None);
    Ok(())
}

fn consumer_config(config: &Config, source: &str, connection: &ConnectionConfig) -> ConsumerConfig {
    let (topics, group, start) = match config.source(source) {
        Some(source) => (source.topics.clone(), source.group.clone(), source.start),
        None => (Vec::new(), format!("wasmill-{source}"), Start::Latest),
    };
    let start = match start {
        Start::Latest => consumer::Start::Latest,
        Start::Earliest => consumer::Start::Earliest,
        Start::At(time) => consumer::Start::Timestamp(time / MILLISECOND),
        Start::Ago(length) => consumer::Start::Timestamp((clock::now() - length) / MILLISECOND),
    };
    // Dead letters carry the original headers, so they are always read.
    ConsumerConfig { start, headers: true, ..ConsumerConfig::new(connection.clone(), topics, group) }
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
