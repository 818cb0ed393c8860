//! The consumer: one thread polls librdkafka and hands records over by partition, in one buffer each, in order.
//!
//! The poll thread never waits for the receiver (but at [`Event::Revoked`], with a bound): what the channel does not take stays with
//! it, and a partition with too many bytes in memory is paused. So the group never takes this member for dead.

mod building;
mod gate;
mod native;
mod poll;
mod properties;
mod reachable;
mod rebalance;
pub mod slice;
mod start;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Sender;
use rdkafka::{Offset, TopicPartitionList};
use wasmill_core::records::Records;

pub use gate::Lease;
use native::Native;

use crate::connection::ConnectionConfig;
use crate::error::{KafkaError, Result};

/// How long a commit may take before it counts as failed.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the group coordinator or a leader may take to answer a question about the group or a topic.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a partition begins for which the group has committed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
    /// The first record of this time or later (Kafka's own timestamp), milliseconds since 1970.
    Timestamp(i64),
}

#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    pub connection: ConnectionConfig,
    pub topics: Vec<String>,
    pub group: String,
    pub start: Start,
    /// Hand over headers too. They cost a call for each record that has some.
    pub headers: bool,
    /// A partition with so many bytes handed over and not given back is paused.
    pub max_queue_bytes_per_partition: usize,
    /// How long [`Event::Revoked`] is waited for.
    pub revoke_timeout: Duration,
    /// How long [`Handle::stop`] waits to leave the group in good order.
    pub stop_timeout: Duration,
}

impl ConsumerConfig {
    pub fn new(connection: ConnectionConfig, topics: Vec<String>, group: impl Into<String>) -> Self {
        ConsumerConfig {
            connection,
            topics,
            group: group.into(),
            start: Start::Latest,
            headers: false,
            max_queue_bytes_per_partition: 4 << 20,
            revoke_timeout: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(5),
        }
    }
}

/// A partition that is ours from now on.
#[derive(Clone, Debug)]
pub struct Assigned {
    pub topic: Arc<str>,
    pub partition: i32,
    /// What its records will carry until a seek.
    pub generation: u64,
    /// Offset and metadata of the group's last commit.
    pub committed: Option<(i64, String)>,
    /// Where its records begin: what `resume` said of the commit, or the configured start, and always inside the log.
    pub resume_at: i64,
    /// The log's first offset, and the one behind its last (with `read_committed`: behind the last that is stable).
    pub log_start: i64,
    pub log_end: i64,
}

/// What the poll thread says, in order.
#[derive(Debug)]
pub enum Event {
    /// The group has given us `partitions` (none, if others hold them all), beside those we have.
    Assigned { partitions: Vec<Assigned> },
    /// The group takes `partitions` back. Nothing of them comes after this. The poll thread waits for `done` (sent or dropped) up to
    /// [`ConsumerConfig::revoke_timeout`], so that the receiver can stop and commit. `lost`: others may have them already, a
    /// commit will fail.
    Revoked { partitions: Vec<(Arc<str>, i32)>, done: Sender<()>, lost: bool },
    /// `generation` older than the receiver's last [`Handle::seek`] of this partition: to be dropped.
    Records { topic: Arc<str>, partition: i32, generation: u64, records: Records, lease: Lease },
    /// All up to the log's end as last heard of, `offset`, has been handed over. Said once for each end.
    End { topic: Arc<str>, partition: i32, generation: u64, offset: i64 },
    /// Said once each change. While no broker can be reached, librdkafka keeps trying.
    Broker { reachable: bool, reason: String },
    /// Something is wrong that may mend itself (a topic does not exist, no right to read it); consuming goes on where it can.
    Problem { reason: String },
    /// Consuming has ended and cannot go on.
    Fatal { reason: String },
}

/// From a committed offset and its metadata, where to begin: the lowest offset that is still needed.
pub type Resume = Box<dyn Fn(&str, i32, i64, &str) -> i64 + Send>;

pub(super) enum Command {
    Seek { topic: Arc<str>, partition: i32, offset: i64, generation: u64 },
    Stop,
}

/// What the poll thread and the handle both see.
#[derive(Default)]
struct Shared {
    generation: AtomicU64,
    owned: Mutex<Vec<Owned>>,
}

/// A partition that is ours, as the handle reports it.
#[derive(Clone)]
struct Owned {
    topic: Arc<str>,
    partition: i32,
    gate: Arc<gate::Gate>,
}

impl Shared {
    fn next_generation(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn owned(&self) -> MutexGuard<'_, Vec<Owned>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One partition as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    pub topic: Arc<str>,
    pub partition: i32,
    /// First offset of the log and the one behind its last; `None` before the first fetch.
    pub log: Option<(i64, i64)>,
    pub queued_bytes: usize,
    pub paused: bool,
}

/// A running consumer. Dropping it stops it.
pub struct Handle {
    native: Arc<Native>,
    shared: Arc<Shared>,
    commands: Sender<Command>,
    topics: Vec<String>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Starts a consumer: returns at once, whether a broker can be reached or not.
///
/// `events` is bounded; what it does not take is bounded by [`ConsumerConfig::max_queue_bytes_per_partition`].
///
/// # Errors
/// A property that librdkafka refuses.
pub fn spawn(config: ConsumerConfig, resume: Resume, events: Sender<Event>) -> Result<Handle> {
    config.connection.validate()?;
    let native = Native::new(&properties::client_config(&config))?;
    native.subscribe(&config.topics)?;
    let shared = Arc::new(Shared::default());
    let (commands, receiver) = crossbeam_channel::bounded(poll::COMMANDS);
    let topics = config.topics.clone();
    let poll = poll::Poll::new(config, resume, events, Arc::clone(&native), Arc::clone(&shared), receiver);
    let thread = std::thread::Builder::new()
        .name("kafka-poll".into())
        .spawn(move || poll.run())
        .map_err(|e| KafkaError::request("starting the poll thread", e))?;
    Ok(Handle { native, shared, commands, topics, thread: Mutex::new(Some(thread)) })
}

impl Handle {
    /// Goes on at `offset`. Returns the generation that records from there carry; those of an older one may still be on their way.
    ///
    /// # Errors
    /// The consumer has stopped.
    pub fn seek(&self, topic: &Arc<str>, partition: i32, offset: i64) -> Result<u64> {
        let generation = self.shared.next_generation();
        let command = Command::Seek { topic: Arc::clone(topic), partition, offset, generation };
        self.commands.send(command).map_err(|_| KafkaError::Stopped)?;
        self.native.wake();
        Ok(generation)
    }

    /// Commits positions (the next offset to read) with their metadata, all in one request, and waits for the answer on the
    /// caller's thread.
    ///
    /// # Errors
    /// The group has taken a partition away, the metadata is larger than the broker allows (4 KiB by default), no answer in time.
    pub fn commit<'a>(&self, offsets: impl IntoIterator<Item = (&'a str, i32, i64, &'a str)>) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset, metadata) in offsets {
            let mut element = list.add_partition(topic, partition);
            element.set_metadata(metadata);
            element.set_offset(Offset::Offset(offset)).map_err(|e| KafkaError::request("committing", e))?;
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.native.commit(&list, COMMIT_TIMEOUT)
    }

    /// The partitions that are ours, with their logs' ends and what waits in memory. Asks nobody: cheap.
    pub fn partitions(&self) -> Vec<PartitionState> {
        let owned = self.shared.owned().clone();
        let state = |owned: Owned| PartitionState {
            log: self.native.cached_watermarks(&owned.topic, owned.partition),
            queued_bytes: owned.gate.queued_bytes(),
            paused: owned.gate.paused(),
            topic: owned.topic,
            partition: owned.partition,
        };
        owned.into_iter().map(state).collect()
    }

    /// True if the topics have partitions that are not ours: other members hold them, or soon we shall.
    ///
    /// # Errors
    /// No broker answered.
    pub fn members_hold_other_partitions(&self) -> Result<bool> {
        let mut partitions = 0;
        for topic in &self.topics {
            let metadata = self
                .native
                .client()
                .fetch_metadata(Some(topic), ANSWER_TIMEOUT)
                .map_err(|e| KafkaError::request(format!("asking for the partitions of `{topic}`"), e))?;
            partitions += metadata.topics().iter().map(|t| t.partitions().len()).sum::<usize>();
        }
        Ok(self.shared.owned().len() < partitions)
    }

    /// Leaves the group and ends the poll thread; what was handed over and not committed will be read again. No
    /// [`Event::Revoked`] is sent: stop the receiver and commit first.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // The poll thread drains its commands at least every tenth of a second.
        let _ = self.commands.send(Command::Stop);
        self.native.wake();
        if thread.join().is_err() {
            tracing::error!("the poll thread panicked");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}
