//! A Kafka topic: one message a row, a flat JSON object of `time` and the columns by name.
//!
//! One batch of messages is in flight at a time. If one of them fails, it and all that follow are sent again: a reader may see a
//! message twice, but never an older row of a key after a newer one that stays the last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use wasmill_core::dead_letter::{DeadLetter, Stage};
use wasmill_core::row_json;
use wasmill_core::rows::Rows;
use wasmill_core::schema::Kind;
use wasmill_core::time::MILLISECOND;
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_kafka::producer::{Message, OnDelivered, Producer, ProducerConfig, SendError};

use super::DeadLetterSender;
use super::backoff::Backoff;
use super::inbox::Inbox;
use crate::delivery::{DeadLetterDelivery, Delivery};
use crate::figures::SinkFigures;

/// Deliveries that come within so long are sent together.
const GATHER: Duration = Duration::from_millis(10);
/// How often a sender that waits for space in the producer's queue looks whether it should give up.
const SPACE_WAIT: Duration = Duration::from_millis(200);
/// A message that was not acknowledged for so long is sent again, with what followed it.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct KafkaSinkConfig {
    pub connection: ConnectionConfig,
    pub topic: String,
    /// Creates the topic with so many partitions if it is missing.
    pub partitions: Option<u32>,
}

pub(super) struct KafkaSink {
    name: String,
    config: KafkaSinkConfig,
    producer: Arc<Producer>,
    figures: Arc<SinkFigures>,
    dead_letters: DeadLetterSender,
    /// Set when the sink is dropped, for the thread that may wait for space.
    abandoned: Arc<AtomicBool>,
    backoff: Backoff,
}

impl Drop for KafkaSink {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

/// A row as it is sent.
struct Encoded {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    timestamp_ms: i64,
    /// Which of the deliveries it is of.
    delivery: usize,
}

/// What went wrong with a message; the first of a batch decides where sending starts again.
#[derive(Clone, Debug)]
struct Failure {
    message: usize,
    reason: String,
    /// Sending it again would fail again.
    for_ever: bool,
}

/// Collects failures of a batch; the last message to be heard of drops it, which reports.
struct Tally {
    failures: Mutex<Vec<Failure>>,
    done: Option<oneshot::Sender<Vec<Failure>>>,
}

impl Tally {
    fn fail(&self, failure: Failure) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let failures = std::mem::take(&mut *self.failures.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(done) = self.done.take() {
            // The sink may be gone.
            let _ = done.send(failures);
        }
    }
}

impl KafkaSink {
    pub fn new(
        name: &str,
        config: KafkaSinkConfig,
        figures: Arc<SinkFigures>,
        dead_letters: DeadLetterSender,
    ) -> Result<Self, String> {
        let producer =
            ProducerConfig { delivery_timeout: DELIVERY_TIMEOUT, ..ProducerConfig::new(config.connection.clone()) };
        let producer = Arc::new(Producer::new(&producer).map_err(|e| e.to_string())?);
        let (name, abandoned, backoff) = (name.to_string(), Arc::default(), Backoff::default());
        Ok(KafkaSink { name, config, producer, figures, dead_letters, abandoned, backoff })
    }

    pub async fn run(mut self, mut inbox: Inbox) {
        while let Err(reason) = check(&self.config).await {
            self.wait(reason).await;
        }
        self.recovered();
        while let Some(first) = inbox.recv().await {
            let mut batch = vec![first];
            let deadline = tokio::time::Instant::now() + GATHER;
            while batch.len() < super::QUEUE_DELIVERIES
                && let Ok(Some(next)) = tokio::time::timeout_at(deadline, inbox.recv()).await
            {
                batch.push(next);
            }
            self.write(batch).await;
        }
    }

    /// Sends until every message is acknowledged or a dead letter.
    async fn write(&mut self, batch: Vec<Delivery>) {
        let started = Instant::now();
        let messages: Arc<Vec<Encoded>> =
            Arc::new(batch.iter().enumerate().flat_map(|(i, delivery)| encode(i, delivery)).collect());
        let mut refused = std::collections::BTreeSet::new();
        let mut from = 0;
        while from < messages.len() {
            let mut failures = self.send(&messages, from, &refused).await;
            failures.sort_by_key(|failure| failure.message);
            for failure in failures.iter().filter(|failure| failure.for_ever) {
                if refused.insert(failure.message) {
                    let message = &messages[failure.message];
                    self.dead_letter(&batch[message.delivery], message, &failure.reason).await;
                }
            }
            match failures.into_iter().find(|failure| !failure.for_ever) {
                Some(failure) => {
                    from = failure.message;
                    self.wait(format!(
                        "Kafka does not take messages for the topic {:?}: {}",
                        self.config.topic, failure.reason
                    ))
                    .await;
                }
                None => break,
            }
        }
        self.recovered();
        self.figures.write_seconds.record(started.elapsed());
        self.figures.bytes.add(messages.iter().map(|m| m.value.len() as u64).sum());
        self.figures.rows.add((messages.len() - refused.len()) as u64);
        for delivery in batch {
            self.figures.queued_rows.add(-(delivery.rows.len() as i64));
            delivery.ticket.acknowledge();
        }
    }

    /// Sends all messages from `from` on but the refused ones, and waits until each was heard of.
    async fn send(
        &self,
        messages: &Arc<Vec<Encoded>>,
        from: usize,
        refused: &std::collections::BTreeSet<usize>,
    ) -> Vec<Failure> {
        let (done, failures) = oneshot::channel();
        let tally = Arc::new(Tally { failures: Mutex::default(), done: Some(done) });
        let (producer, messages, abandoned) =
            (Arc::clone(&self.producer), Arc::clone(messages), Arc::clone(&self.abandoned));
        let (topic, refused) = (self.config.topic.clone(), refused.clone());
        tokio::task::spawn_blocking(move || {
            for (number, message) in messages.iter().enumerate().skip(from) {
                if !refused.contains(&number) && !put(&producer, &topic, number, message, &tally, &abandoned) {
                    return;
                }
            }
        });
        failures.await.unwrap_or_default()
    }

    async fn dead_letter(&self, delivery: &Delivery, message: &Encoded, reason: &str) {
        self.figures.refused.add(1);
        let letter = DeadLetter {
            source: delivery.target.source.clone(),
            topic: String::new(),
            partition: -1,
            offset: -1,
            timestamp_ms: message.timestamp_ms,
            stage: Stage::Sink,
            code: "too-large",
            reason: format!("Kafka refuses the message for the topic {:?}: {reason}", self.config.topic),
            route: Some(delivery.target.route.clone()),
            plugin: None,
            release: None,
            key: message.key.clone(),
            value: Some(message.value.clone()),
            headers: Vec::new(),
        };
        // The error holds the delivery; dropping it drops the ticket.
        let _ = self.dead_letters.send(DeadLetterDelivery { letter, ticket: delivery.ticket.split() }).await;
    }

    async fn wait(&mut self, reason: String) {
        self.figures.retries.add(1);
        if self.figures.fault.get().as_deref() != Some(&reason) {
            tracing::warn!(sink = self.name, "waiting: {}", reason.escape_debug());
            self.figures.fault.set(Some(reason));
        }
        tokio::time::sleep(self.backoff.next()).await;
    }

    fn recovered(&mut self) {
        self.backoff = Backoff::default();
        if self.figures.fault.get().is_some() {
            tracing::info!(sink = self.name, "writing again");
            self.figures.fault.set(None);
        }
    }
}

/// Puts one message in the producer's queue, waiting for space. False: the sink is gone.
fn put(
    producer: &Producer,
    topic: &str,
    number: usize,
    message: &Encoded,
    tally: &Arc<Tally>,
    abandoned: &AtomicBool,
) -> bool {
    let heard = Arc::clone(tally);
    let mut on_delivered: OnDelivered = Box::new(move |result| {
        if let Err(reason) = result {
            heard.fail(Failure { message: number, for_ever: is_for_ever(&reason), reason });
        }
    });
    let key = message.key.as_deref();
    let timestamp_ms = (message.timestamp_ms >= 0).then_some(message.timestamp_ms);
    let message = Message { topic, key, value: Some(&message.value), timestamp_ms, ..Message::default() };
    loop {
        match producer.send(&message, on_delivered, SPACE_WAIT) {
            Ok(()) => return true,
            Err(SendError::Full(_)) if abandoned.load(Ordering::Relaxed) => return false,
            Err(SendError::Full(back)) => on_delivered = back,
            Err(SendError::Refused { reason, .. }) => {
                tally.fail(Failure { message: number, for_ever: is_for_ever(&reason), reason });
                return true;
            }
        }
    }
}

/// A message that is too large stays so; anything else may pass.
fn is_for_ever(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("too large") || reason.contains("MessageSizeTooLarge")
}

fn encode(number: usize, delivery: &Delivery) -> impl Iterator<Item = Encoded> {
    let Delivery { rows, target, .. } = delivery;
    let columns: Vec<usize> = target.tags.iter().chain(&target.fields).copied().collect();
    (0..rows.len()).map(move |row| {
        let mut value = Vec::new();
        row_json::append_row(rows, row, &columns, &mut value);
        let timestamp_ms = rows.times[row].div_euclid(MILLISECOND);
        Encoded { key: key(rows, row, &target.key), value, timestamp_ms, delivery: number }
    })
}

/// One column: its value, a text without quotes; null is no key. Several: a JSON array.
fn key(rows: &Rows, row: usize, columns: &[usize]) -> Option<Vec<u8>> {
    let append = |index: usize, out: &mut Vec<u8>| {
        row_json::append_value(&rows.columns[index], rows.schema.columns[index].kind, row, out);
    };
    let mut key = Vec::new();
    match columns {
        [] => return None,
        [one] if !rows.columns[*one].is_valid(row) => return None,
        [one] => {
            append(*one, &mut key);
            if rows.schema.columns[*one].kind == Kind::Text
                && let Ok(text) = serde_json::from_slice::<String>(&key)
            {
                key = text.into_bytes();
            }
        }
        several => {
            for (i, index) in several.iter().enumerate() {
                key.push(if i == 0 { b'[' } else { b',' });
                append(*index, &mut key);
            }
            key.push(b']');
        }
    }
    Some(key)
}

/// Asks the brokers once for the topic, creating it if the configuration says so.
///
/// # Errors
/// What is wrong and what to do.
pub(super) async fn check(config: &KafkaSinkConfig) -> Result<(), String> {
    let config = config.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let admin = Admin::new(&config.connection).map_err(|e| e.to_string())?;
        match config.partitions {
            Some(partitions) => {
                admin.ensure_topic(&config.topic, partitions, None).map(|_| ()).map_err(|e| e.to_string())
            }
            None => match admin.partitions(&config.topic).map_err(|e| e.to_string())? {
                Some(_) => Ok(()),
                None => Err(format!("there is no topic {:?}: create it, or set the sink's partitions", config.topic)),
            },
        }
    });
    asked.await.map_err(|e| e.to_string())?
}
