//! Events that could not be used, written to a topic as they were, with headers that say what happened: they can be read, mended
//! and sent again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use wasmill_core::dead_letter::DeadLetter;

use crate::admin::Admin;
use crate::connection::ConnectionConfig;
use crate::error::Result;
use crate::producer::{Message, OnDelivered, Producer, ProducerConfig, SendError};

/// Partitions of a dead-letter topic that is created here.
const PARTITIONS: u32 = 1;
/// A reason longer than this is cut: headers count against the message's size.
const MAX_REASON_BYTES: usize = 4 << 10;
/// A longer value is cut, since Kafka takes messages of 1 MB unless told otherwise, and a letter that is never taken would hold
/// back every commit. The header `wasmill.value-bytes` then tells the whole length; the event itself is where topic, partition and
/// offset say.
pub const MAX_VALUE_BYTES: usize = 900_000;

/// `PREFIX.SOURCE.dead-letters`.
pub fn topic(prefix: &str, source: &str) -> String {
    format!("{prefix}.{source}.dead-letters")
}

/// The headers of a dead letter: the original ones, then ours (`wasmill.topic`, `wasmill.partition`, `wasmill.offset`,
/// `wasmill.stage`, `wasmill.code`, `wasmill.route`, `wasmill.plugin`, `wasmill.release`, `wasmill.value-bytes`, `wasmill.reason`; those that do not
/// apply are left out). An original header of such a name, from a letter that was sent again, gives way.
pub fn headers(letter: &DeadLetter) -> Vec<(&str, Option<Vec<u8>>)> {
    let original = letter.headers.iter().filter(|(name, _)| !name.starts_with("wasmill."));
    let mut headers: Vec<_> = original.map(|(name, value)| (name.as_str(), value.clone())).collect();
    let mut add = |name, value: &str| headers.push((name, Some(value.as_bytes().to_vec())));
    add("wasmill.topic", &letter.topic);
    add("wasmill.partition", &letter.partition.to_string());
    add("wasmill.offset", &letter.offset.to_string());
    add("wasmill.stage", letter.stage.name());
    add("wasmill.code", letter.code);
    let optional =
        [("wasmill.route", &letter.route), ("wasmill.plugin", &letter.plugin), ("wasmill.release", &letter.release)];
    for (name, value) in optional {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if let Some(value) = letter.value.as_ref().filter(|value| value.len() > MAX_VALUE_BYTES) {
        add("wasmill.value-bytes", &value.len().to_string());
    }
    add("wasmill.reason", &letter.reason[..letter.reason.floor_char_boundary(MAX_REASON_BYTES)]);
    headers
}

/// Writes dead letters, each to the topic of its source, which is created when the first one comes.
pub struct DeadLetters {
    prefix: String,
    admin: Admin,
    producer: Producer,
    /// Topics that are known to exist.
    topics: Mutex<HashSet<String>>,
}

impl DeadLetters {
    /// # Errors
    /// A property that librdkafka refuses.
    pub fn new(connection: &ConnectionConfig, prefix: impl Into<String>) -> Result<Self> {
        Ok(DeadLetters {
            prefix: prefix.into(),
            admin: Admin::new(connection)?,
            producer: Producer::new(&ProducerConfig::new(connection.clone()))?,
            topics: Mutex::default(),
        })
    }

    /// Creates the topic of `source` if it is missing. Called by [`DeadLetters::send`] too, where it blocks the first letter: call
    /// it at the start.
    ///
    /// # Errors
    /// No broker answers, or it refuses.
    pub fn prepare(&self, source: &str) -> Result<String> {
        let topic = topic(&self.prefix, source);
        let known = || self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().contains(&topic) {
            self.admin.ensure_topic(&topic, PARTITIONS, None)?;
            known().insert(topic.clone());
        }
        Ok(topic)
    }

    /// Puts a letter in the queue; `on_delivered` is called when it is durable, or cannot be written.
    ///
    /// # Errors
    /// As of [`Producer::try_send`]; [`SendError::Refused`] also if the topic cannot be created.
    pub fn try_send(&self, letter: &DeadLetter, on_delivered: OnDelivered) -> Result<(), SendError> {
        let topic = match self.prepare(&letter.source) {
            Ok(topic) => topic,
            Err(error) => return Err(SendError::Refused { reason: error.to_string(), on_delivered }),
        };
        let headers = headers(letter);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_deref())).collect();
        let message = Message {
            topic: &topic,
            partition: None,
            key: letter.key.as_deref(),
            value: letter.value.as_deref().map(|value| &value[..value.len().min(MAX_VALUE_BYTES)]),
            headers: &headers,
            timestamp_ms: (letter.timestamp_ms >= 0).then_some(letter.timestamp_ms),
        };
        self.producer.try_send(&message, on_delivered)
    }

    /// Letters that are not acknowledged yet.
    pub fn in_flight(&self) -> usize {
        self.producer.in_flight()
    }

    /// Waits until every letter is durable or has failed.
    ///
    /// # Errors
    /// Some were still in flight after `timeout`.
    pub fn flush(&self, timeout: std::time::Duration) -> Result<()> {
        self.producer.flush(timeout)
    }
}
