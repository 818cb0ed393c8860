//! Sinks: where a route's rows become durable, and where the promise of a [`Ticket`](crate::delivery::Ticket) is kept.
//!
//! Each sink is one task (or thread) behind one bounded queue, so rows reach it in the order they were sent: a correction is never
//! overtaken by the point it corrects. A sink that cannot write keeps what it has and stops taking; the queue fills and
//! everything before it waits. It never gives up by itself.

mod backoff;
mod inbox;
pub mod influx;
pub mod kafka;
pub mod local;
mod null;
pub mod stdout;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use wasmill_core::config::{SinkKind, StdoutFormat};
use wasmill_core::time::Nanos;
use wasmill_kafka::ConnectionConfig;

use crate::delivery::{DeadLetterDelivery, Delivery};
use crate::figures::SinkFigures;
use inbox::Inbox;

/// How many deliveries wait in front of a sink. A delivery should hold at most 8,192 rows, as a batch does.
pub const QUEUE_DELIVERIES: usize = 32;

/// The code of a row that InfluxDB could not hold as a point.
pub const UNREPRESENTABLE: &str = "unrepresentable";

/// Where a sink puts points that are refused for ever. Whoever reads the other end acknowledges each letter's ticket when the
/// letter is durable.
pub type DeadLetterSender = mpsc::Sender<DeadLetterDelivery>;

/// What a sink is, out of the configuration.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    Influx(influx::InfluxConfig),
    Local(local::LocalConfig),
    Kafka(kafka::KafkaSinkConfig),
    Stdout(stdout::Format),
    /// Acknowledges everything and keeps nothing: for benchmarks.
    Null,
}

impl SinkConfig {
    /// The configuration's word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            SinkConfig::Influx(_) => "influxdb",
            SinkConfig::Local(_) => "local",
            SinkConfig::Kafka(_) => "kafka",
            SinkConfig::Stdout(_) => "stdout",
            SinkConfig::Null => "null",
        }
    }
}

impl SinkConfig {
    /// From the configuration's words. `directory`: that of the configuration file, where relative paths start; `kafka`: the cluster
    /// that Kafka sinks write to.
    pub fn from_config(kind: &SinkKind, directory: &Path, kafka: &ConnectionConfig) -> Self {
        let length = |nanos: Nanos| Duration::from_nanos(nanos.max(0) as u64);
        match kind {
            SinkKind::Influxdb(sink) => SinkConfig::Influx(influx::InfluxConfig {
                url: sink.url.clone(),
                org: sink.org.clone(),
                bucket: sink.bucket.clone(),
                token: sink.token.clone().unwrap_or_default(),
                create_bucket: sink.create_bucket,
                batch_lines: sink.batch_lines,
                flush_after: length(sink.flush),
                timeout: length(sink.timeout),
                max_series: sink.max_series,
            }),
            SinkKind::Local(sink) => SinkConfig::Local(local::LocalConfig {
                retention: sink.retention,
                max_bytes: sink.max_bytes.unwrap_or(local::DEFAULT_MAX_BYTES),
                path: directory.join(&sink.path),
            }),
            SinkKind::Kafka(sink) => SinkConfig::Kafka(kafka::KafkaSinkConfig {
                connection: kafka.clone(),
                topic: sink.topic.clone(),
                partitions: sink.partitions,
            }),
            SinkKind::Stdout(sink) => SinkConfig::Stdout(match sink.format {
                Some(StdoutFormat::Text) => stdout::Format::Text,
                Some(StdoutFormat::Line) => stdout::Format::LineProtocol,
                Some(StdoutFormat::Json) => stdout::Format::Json,
                None if std::io::stdout().is_terminal() => stdout::Format::Text,
                None => stdout::Format::LineProtocol,
            }),
            SinkKind::Null => SinkConfig::Null,
        }
    }
}

/// A configuration that no sink can be started with, or that a check at start refused.
#[derive(Debug, thiserror::Error)]
#[error("sink `{sink}`: {reason}")]
pub struct SinkError {
    pub sink: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// A running sink.
#[derive(Debug)]
pub struct SinkHandle {
    pub name: String,
    /// Lanes use `blocking_send`. `sender.closed()` resolves when the sink has ended: only [`SinkHandle::drain`] ends it, except
    /// that a stdout sink ends when nobody reads it any more.
    pub sender: mpsc::Sender<Delivery>,
    /// What a local sink keeps, for those who ask.
    pub store: Option<local::LocalStore>,
    figures: Arc<SinkFigures>,
    drain: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The sink still held rows at the deadline; their tickets were dropped, so a restart writes them again.
#[derive(Debug, thiserror::Error)]
#[error("sink `{sink}` could not write {rows} rows in time{}", fault.as_deref().map(|f| format!(": {f}")).unwrap_or_default())]
pub struct Undrained {
    pub sink: String,
    pub rows: i64,
    pub fault: Option<String>,
}

impl SinkHandle {
    /// Refuses new deliveries, writes what is queued and ends.
    ///
    /// # Errors
    /// [`Undrained`] if that took longer than `within`.
    pub async fn drain(self, within: Duration) -> Result<(), Undrained> {
        // Fails only if the sink has ended already.
        let _ = self.drain.send(true);
        // What the sink has not even taken yet; the figure counts what it has.
        let waiting = self.sender.max_capacity() - self.sender.capacity();
        drop(self.sender);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(within, self.task).await.is_ok() {
            return Ok(());
        }
        abort.abort();
        let rows = self.figures.queued_rows.get();
        if rows == 0 && waiting == 0 {
            // It was only waiting for its server, with nothing to write.
            return Ok(());
        }
        Err(Undrained { sink: self.name, rows, fault: self.figures.fault.get() })
    }
}

/// Starts a sink on `runtime`. It connects by itself and waits for what it needs: `figures.fault` says why, if it waits.
///
/// # Errors
/// Only for a configuration that cannot work (a URL that is none).
pub fn start(
    name: &str,
    config: SinkConfig,
    figures: Arc<SinkFigures>,
    dead_letters: DeadLetterSender,
    runtime: &Handle,
) -> Result<SinkHandle, SinkError> {
    let (sender, receiver) = mpsc::channel(QUEUE_DELIVERIES);
    let (drain, draining) = watch::channel(false);
    let inbox = Inbox::new(receiver, draining, Arc::clone(&figures));
    let refuse = |reason| SinkError { sink: name.to_string(), reason };
    let mut store = None;
    let task = match config {
        SinkConfig::Influx(config) => {
            let sink = influx::InfluxSink::new(name, config, Arc::clone(&figures), dead_letters).map_err(refuse)?;
            runtime.spawn(sink.run(inbox))
        }
        SinkConfig::Local(config) => {
            let writer = local::Writer::new(config);
            store = Some(writer.store());
            runtime.spawn(local::run(name.to_string(), writer, inbox, Arc::clone(&figures)))
        }
        SinkConfig::Kafka(config) => {
            let sink = kafka::KafkaSink::new(name, config, Arc::clone(&figures), dead_letters).map_err(refuse)?;
            runtime.spawn(sink.run(inbox))
        }
        SinkConfig::Stdout(format) => {
            let figures = Arc::clone(&figures);
            runtime.spawn(stdout::run(inbox, format, std::io::stdout(), figures))
        }
        SinkConfig::Null => runtime.spawn(null::run(inbox, Arc::clone(&figures))),
    };
    Ok(SinkHandle { name: name.to_string(), sender, store, figures, drain, task })
}

/// Asks once whether the sink can be written to now, creating what the configuration says to create.
///
/// # Errors
/// What is wrong and what to do.
pub async fn check(name: &str, config: &SinkConfig) -> Result<(), SinkError> {
    let refuse = |reason| SinkError { sink: name.to_string(), reason };
    match config {
        SinkConfig::Influx(config) => influx::check(config).await.map_err(refuse),
        SinkConfig::Local(config) => local::check(config.clone()).await.map_err(refuse),
        SinkConfig::Kafka(config) => kafka::check(config).await.map_err(refuse),
        SinkConfig::Stdout(_) | SinkConfig::Null => Ok(()),
    }
}
