//! Writing to Kafka: idempotent, compressed, each message acknowledged by all in-sync replicas.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as NativeError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use crate::connection::ConnectionConfig;
use crate::error::{KafkaError, Result};
use crate::log::Logging;

/// How often [`Producer::send`] looks for space again while the queue is full.
const SPACE_EVERY: Duration = Duration::from_millis(2);

/// One message to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    pub topic: &'a str,
    /// `None`: by the key's hash (murmur2, as the Java client does it); without a key any.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    /// `None`: a tombstone.
    pub value: Option<&'a [u8]>,
    /// In order; names may repeat, values may be null.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Milliseconds since 1970; `None`: now.
    pub timestamp_ms: Option<i64>,
}

/// Called once, on the producer's own thread, when the brokers have the message or never will. Must not block.
pub type OnDelivered = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A message that was not taken; its [`OnDelivered`] comes back uncalled.
pub enum SendError {
    /// [`ProducerConfig::queue_messages`] or [`ProducerConfig::queue_kib`] is reached: later.
    Full(OnDelivered),
    /// Will not be taken ever: too large, or the producer is broken.
    Refused { reason: String, on_delivered: OnDelivered },
}

impl std::fmt::Debug for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SendError::Full(_) => write!(f, "Full"),
            SendError::Refused { reason, .. } => write!(f, "Refused({reason})"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct ProducerConfig {
    pub connection: ConnectionConfig,
    /// Messages that may wait for their acknowledgement.
    pub queue_messages: u32,
    /// Kibibytes of them.
    pub queue_kib: u32,
    /// A message that could not be delivered for so long has failed.
    pub delivery_timeout: Duration,
    /// How long a message waits for others to share a request with.
    pub linger: Duration,
    /// `none`, `lz4`, `zstd`, `gzip` or `snappy`.
    pub compression: &'static str,
}

impl ProducerConfig {
    pub fn new(connection: ConnectionConfig) -> Self {
        ProducerConfig {
            connection,
            queue_messages: 100_000,
            queue_kib: 32 << 10,
            delivery_timeout: Duration::from_secs(120),
            linger: Duration::from_millis(5),
            compression: "lz4",
        }
    }
}

/// Travels with a message. Its lock is never taken: it makes `Sync` what goes from thread to thread by value only.
struct Pending(Mutex<OnDelivered>);

impl Pending {
    fn take(self) -> OnDelivered {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Deliveries(Logging);

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: NativeError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Self::DeliveryOpaque) {
        let on_delivered = pending.take();
        on_delivered(match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.to_string()),
        });
    }
}

/// Writes messages from any thread. Dropping it waits half a second for what is in flight, then gives that up: [`flush`](Self::flush)
/// first.
pub struct Producer {
    native: ThreadedProducer<Deliveries>,
}

impl Producer {
    /// Returns at once, whether a broker can be reached or not.
    ///
    /// # Errors
    /// A property that librdkafka refuses.
    pub fn new(config: &ProducerConfig) -> Result<Self> {
        config.connection.validate()?;
        let client = config.connection.client([
            ("enable.idempotence", "true"),
            ("compression.type", config.compression),
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.messages", &config.queue_messages.to_string()),
            ("queue.buffering.max.kbytes", &config.queue_kib.to_string()),
            ("message.timeout.ms", &config.delivery_timeout.as_millis().to_string()),
            ("linger.ms", &config.linger.as_millis().to_string()),
            ("batch.num.messages", "10000"),
        ]);
        let native = client.create_with_context(Deliveries::default()).map_err(KafkaError::creation)?;
        Ok(Producer { native })
    }

    /// Puts a message in the queue; never blocks. Messages of one partition keep their order.
    ///
    /// # Errors
    /// The queue is full, or the message cannot be sent at all.
    pub fn try_send(&self, message: &Message<'_>, on_delivered: OnDelivered) -> Result<(), SendError> {
        let mut record =
            BaseRecord::<[u8], [u8], _>::with_opaque_to(message.topic, Box::new(Pending(Mutex::new(on_delivered))));
        record.key = message.key;
        record.payload = message.value;
        record.partition = message.partition;
        record.timestamp = message.timestamp_ms;
        if !message.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(message.headers.len());
            let add = |headers: OwnedHeaders, (key, value): &(&str, Option<&[u8]>)| {
                headers.insert(Header::<&[u8]> { key, value: *value })
            };
            record.headers = Some(message.headers.iter().fold(headers, add));
        }
        self.native.send(record).map_err(|(error, record)| match error {
            NativeError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                SendError::Full(record.delivery_opaque.take())
            }
            error => SendError::Refused { reason: error.to_string(), on_delivered: record.delivery_opaque.take() },
        })
    }

    /// Like [`Producer::try_send`], but waits up to `timeout` for space in the queue.
    ///
    /// # Errors
    /// The queue stayed full, or the message cannot be sent at all.
    pub fn send(&self, message: &Message<'_>, on_delivered: OnDelivered, timeout: Duration) -> Result<(), SendError> {
        let mut on_delivered = on_delivered;
        let mut deadline = None;
        loop {
            match self.try_send(message, on_delivered) {
                Err(SendError::Full(back)) => on_delivered = back,
                other => return other,
            }
            if Instant::now() >= *deadline.get_or_insert_with(|| Instant::now() + timeout) {
                return Err(SendError::Full(on_delivered));
            }
            std::thread::sleep(SPACE_EVERY);
        }
    }

    /// Messages that are not acknowledged yet.
    pub fn in_flight(&self) -> usize {
        self.native.in_flight_count().max(0) as usize
    }

    /// Waits until every message has been acknowledged or has failed.
    ///
    /// # Errors
    /// Some were still in flight after `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        self.native.flush(timeout).map_err(|_| KafkaError::TimedOut {
            action: format!("waiting for {} messages to be acknowledged", self.in_flight()),
            after: timeout,
        })
    }
}
