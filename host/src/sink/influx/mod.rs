//! InfluxDB 2.
//!
//! Two halves run side by side: one gathers deliveries into batches of lines, the other writes one batch at a time. One write in
//! flight keeps the order of points, so that a correction is never overtaken; meanwhile the next batch is made.

mod batch;
mod client;
mod gather;
mod write;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wasmill_core::config::Secret;

use super::DeadLetterSender;
use super::inbox::Inbox;
use crate::figures::SinkFigures;
use batch::Letters;
use client::Client;
use gather::Gatherer;
use write::Writer;

#[derive(Clone, Debug)]
pub struct InfluxConfig {
    /// `http://host:8086`
    pub url: String,
    pub org: String,
    pub bucket: String,
    pub token: Secret,
    /// Creates the bucket (kept for ever) if it is not there.
    pub create_bucket: bool,
    /// At most so many lines a write.
    pub batch_lines: usize,
    /// No line waits longer for others before it is sent.
    pub flush_after: Duration,
    /// A request that takes longer has failed, and is sent again.
    pub timeout: Duration,
    /// Points of further series are refused. Counted since the start of the process.
    pub max_series: Option<usize>,
}

impl Default for InfluxConfig {
    fn default() -> Self {
        InfluxConfig {
            url: "http://127.0.0.1:8086".to_string(),
            org: String::new(),
            bucket: String::new(),
            token: Secret::default(),
            create_bucket: false,
            batch_lines: 5_000,
            flush_after: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            max_series: None,
        }
    }
}

/// The sink before it runs.
#[derive(Debug)]
pub struct InfluxSink {
    gatherer: Gatherer,
    writer: Writer,
}

impl InfluxSink {
    /// # Errors
    /// A sentence, if the URL is none or the token cannot be sent.
    pub fn new(
        name: &str,
        config: InfluxConfig,
        figures: Arc<SinkFigures>,
        dead_letters: DeadLetterSender,
    ) -> Result<Self, String> {
        let client = Client::new(&config)?;
        let letters = Letters::new(dead_letters, Arc::clone(&figures));
        let writer = Writer::new(name.to_string(), client, Arc::clone(&figures), letters.clone());
        Ok(InfluxSink { gatherer: Gatherer::new(config, figures, letters), writer })
    }

    pub(super) async fn run(self, inbox: Inbox) {
        // One batch is being written, one waits, one is being filled.
        let (sender, receiver) = mpsc::channel(1);
        tokio::join!(self.gatherer.run(inbox, sender), self.writer.run(receiver));
    }
}

/// Asks once whether points can be written now; creates the bucket if the configuration says so.
///
/// # Errors
/// What is wrong and what to do.
pub async fn check(config: &InfluxConfig) -> Result<(), String> {
    Client::new(config)?.prepare().await.map_err(|problem| problem.reason)
}
