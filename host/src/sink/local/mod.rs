//! The embedded series store: a file beside the pipeline that the page draws from.
//!
//! SQLite with a write-ahead log: one writer, readers that do not wait for it. A commit survives the death of the process (not, for
//! its last moments, a power cut); the points of a transaction are acknowledged after it.

mod query;
mod retain;
mod schema;
mod store;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmill_core::time::Nanos;

use super::backoff::Backoff;
use super::inbox::Inbox;
use crate::delivery::Delivery;
use crate::figures::SinkFigures;
pub use store::LocalStore;
pub(super) use write::Writer;

/// The file is kept below this, by dropping the oldest points, unless the configuration says otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;
/// Deliveries that come within so long share a transaction.
const GATHER: Duration = Duration::from_millis(20);

#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// Made if it is not there; its folder must be.
    pub path: PathBuf,
    /// Points this much older than the newest point are dropped. `None`: kept until the file is full.
    pub retention: Option<Nanos>,
    pub max_bytes: u64,
}

impl LocalConfig {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        LocalConfig { path: path.into(), retention: None, max_bytes: DEFAULT_MAX_BYTES }
    }
}

/// Opens the file once, making it if it is not there.
///
/// # Errors
/// What is wrong and what to do.
pub(super) async fn check(config: LocalConfig) -> Result<(), String> {
    let opened = tokio::task::spawn_blocking(move || Writer::new(config).write(&[]));
    match opened.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes deliveries in order, in transactions that are repeated until they succeed.
pub(super) async fn run(name: String, mut writer: Writer, mut inbox: Inbox, figures: Arc<SinkFigures>) {
    // The file is opened before the first rows, so that what stands in the way is known at start.
    let mut batch = Vec::new();
    loop {
        writer = match commit(&name, writer, batch, &figures).await {
            Some(writer) => writer,
            None => return,
        };
        let Some(first) = inbox.recv().await else { return };
        batch = vec![first];
        let deadline = tokio::time::Instant::now() + GATHER;
        while batch.len() < super::QUEUE_DELIVERIES
            && let Ok(Some(next)) = tokio::time::timeout_at(deadline, inbox.recv()).await
        {
            batch.push(next);
        }
    }
}

/// Gives the writer back when the batch is committed and acknowledged; `None` if the writer panicked.
async fn commit(name: &str, mut writer: Writer, batch: Vec<Delivery>, figures: &SinkFigures) -> Option<Writer> {
    let batch = Arc::new(batch);
    let mut backoff = Backoff::default();
    loop {
        let (started, rows) = (Instant::now(), Arc::clone(&batch));
        let task = tokio::task::spawn_blocking(move || {
            let written = writer.write(&rows);
            (writer, written)
        });
        let (back, written) = task.await.ok()?;
        writer = back;
        match written {
            Ok(counts) => {
                figures.write_seconds.record(started.elapsed());
                figures.not_finite.add(counts.not_finite);
                figures.empty.add(counts.empty);
                figures.bytes.add(counts.bytes);
                break;
            }
            Err(error) => {
                figures.retries.add(1);
                let reason = format!("the local store cannot be written: {error}");
                if figures.fault.get().as_deref() != Some(&reason) {
                    tracing::warn!(sink = name, "waiting: {reason}");
                    figures.fault.set(Some(reason));
                }
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
    if figures.fault.get().is_some() {
        tracing::info!(sink = name, "writing again");
        figures.fault.set(None);
    }
    for delivery in Arc::into_inner(batch)? {
        figures.rows.add(delivery.rows.len() as u64);
        figures.queued_rows.add(-(delivery.rows.len() as i64));
        delivery.ticket.acknowledge();
    }
    Some(writer)
}
