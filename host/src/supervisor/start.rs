//! The parts of a pipeline, each started by one function.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

use super::{Checked, RunError, Settings};
use crate::assemble::{self, Counted};
use crate::clock;
use crate::current::Current;
use crate::dead_letters;
use crate::figures::Figures;
use crate::http::store::SeriesStore;
use crate::http::{Server, Site, Token};
use crate::lane::{self, LaneMessage};
use crate::reload::{self, LaneControl, Outs, SourceControl};
use crate::sink::{self, SinkHandle};
use crate::source::{self, SourceConfig, SourceHandle, TakeBack};
use crate::status::health::Health;

/// How often a broker that does not answer is asked again to create topics.
const CREATE_TOPICS_EVERY: Duration = Duration::from_secs(2);

pub(super) type Letters = (mpsc::Sender<crate::delivery::DeadLetterDelivery>, std::thread::JoinHandle<()>);

pub(super) fn start_dead_letters(
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

pub(super) type Sinks = (Vec<SinkHandle>, Option<Arc<dyn SeriesStore>>);

pub(super) fn start_sinks(
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

pub(super) fn site(
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

pub(super) fn start_page(
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

pub(super) type Lanes = (Vec<LaneControl>, Vec<std::thread::JoinHandle<()>>);

/// One lane a processor.
pub(super) fn start_lanes(plan: &Plan) -> Result<Lanes, RunError> {
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
pub(super) fn take_back(requests: Sender<reload::Request>, possible: bool) -> TakeBack {
    Arc::new(move |plugin, why| {
        let what = reload::What::Rollback { plugin: plugin.to_owned() };
        // Whatever the states are: replay rebuilds what the older release cannot read.
        let request = reload::Request { trigger: format!("failures: {why}"), what, reset_state: true, reply: None };
        possible && requests.try_send(request).is_ok()
    })
}

pub(super) fn cannot_start_thread(error: std::io::Error) -> RunError {
    RunError::Failed(format!("cannot start a thread: {error}"))
}

/// Creates the topics that the configuration asks for; waits for the broker as long as it takes, saying so.
pub(super) fn ensure_topics(
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

pub(super) fn consumer_config(config: &Config, source: &str, connection: &ConnectionConfig) -> ConsumerConfig {
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

/// What people and tests hold of the sources, and what reloads hold of them.
pub(super) type Sources = (Vec<SourceHandle>, Vec<SourceControl>);

/// `lanes`: their queues; `requests`: where a release is asked to be taken back.
pub(super) fn start_sources(
    checked: &Checked,
    settings: &Settings,
    figures: &Arc<Figures>,
    outs: &Outs,
    (lanes, requests): (&[Sender<LaneMessage>], &Sender<reload::Request>),
) -> Result<Sources, RunError> {
    let (mut sources, mut controls) = (Vec::new(), Vec::new());
    let runtimes = assemble::runtimes(&checked.plan, &checked.plugins, &Counted::of(figures), figures);
    for (index, runtime) in runtimes.into_iter().enumerate() {
        let consumer = consumer_config(&checked.config, &runtime.plan.name, &settings.connection);
        let deployed = Arc::new(Current::new(outs.deploy(runtime).map_err(RunError::Misused)?));
        let source = SourceConfig {
            index,
            deployed: Arc::clone(&deployed),
            consumer,
            lanes: lanes.to_vec(),
            take_back: take_back(requests.clone(), settings.reload.is_some() && !settings.bounded),
            checkpoint_interval: checked.config.checkpoint.interval,
            bounded: settings.bounded,
        };
        let source = source::spawn(source).map_err(|error| RunError::Misused(error.to_string()))?;
        let (control, exchange) = (source.control.clone(), Arc::clone(&source.exchange));
        controls.push(SourceControl { deployed, control, exchange });
        sources.push(source);
    }
    Ok((sources, controls))
}
