//! What the tests of the consumer share: writing records, and a receiver that keeps what it was told.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::{Admin, Ensured};
use wasmill_kafka::consumer::{Assigned, ConsumerConfig, Event, Handle, Resume, Start, spawn};
use wasmill_kafka::producer::{Message, Producer, ProducerConfig};

/// Nothing here takes longer, but on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn connection() -> ConnectionConfig {
    ConnectionConfig::new(wasmill_testkit::kafka::shared().address())
}

/// A new topic of the shared broker.
pub fn new_topic(name: &str, partitions: u32) -> String {
    let topic = wasmill_testkit::unique(name);
    let admin = Admin::new(&connection()).unwrap();
    assert_eq!(admin.partitions(&topic).unwrap(), None);
    assert_eq!(admin.ensure_topic(&topic, partitions, None).unwrap(), Ensured::Created);
    topic
}

pub fn config(connection: ConnectionConfig, topic: &str) -> ConsumerConfig {
    let group = wasmill_testkit::unique("group");
    ConsumerConfig { start: Start::Earliest, ..ConsumerConfig::new(connection, vec![topic.into()], group) }
}

/// Writes `count` records with values `PREFIX-0`…, spread over `partitions` in turn, and waits until they are durable.
pub fn fill(connection: &ConnectionConfig, topic: &str, partitions: i32, prefix: &str, count: usize) {
    let producer = Producer::new(&ProducerConfig::new(connection.clone())).unwrap();
    let delivered = Arc::new(AtomicU64::new(0));
    for i in 0..count {
        let value = format!("{prefix}-{i}");
        let message = Message {
            topic,
            partition: Some(i as i32 % partitions),
            value: Some(value.as_bytes()),
            ..Message::default()
        };
        let delivered = Arc::clone(&delivered);
        let count = Box::new(move |result: Result<(), String>| {
            delivered.fetch_add(u64::from(result.is_ok()), Ordering::SeqCst);
        });
        producer.send(&message, count, PATIENCE).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    assert_eq!(delivered.load(Ordering::SeqCst), count as u64);
}

pub fn as_committed() -> Resume {
    Box::new(|_, _, offset, _| offset)
}

/// A consumer and all that it has said.
pub struct Member {
    pub handle: Handle,
    pub events: Receiver<Event>,
    pub assigned: BTreeMap<i32, Assigned>,
    /// Offsets and values by partition, of the current generation.
    pub records: BTreeMap<i32, Vec<(i64, String)>>,
    pub ends: BTreeMap<i32, i64>,
    /// Of `Broker` events.
    pub reachable: Vec<(bool, String)>,
    pub problems: Vec<String>,
}

impl Member {
    pub fn start(config: ConsumerConfig) -> Self {
        Self::start_with(config, as_committed())
    }

    pub fn start_with(config: ConsumerConfig, resume: Resume) -> Self {
        let (sender, events) = bounded(64);
        let handle = spawn(config, resume, sender).unwrap();
        Member {
            handle,
            events,
            assigned: BTreeMap::new(),
            records: BTreeMap::new(),
            ends: BTreeMap::new(),
            reachable: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Takes events until `enough`.
    pub fn until(&mut self, what: &str, mut enough: impl FnMut(&Member) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(self) {
            let event = self.events.recv_deadline(deadline);
            self.on(event.unwrap_or_else(|_| panic!("waited in vain for {what}; problems: {:?}", self.problems)));
        }
    }

    /// Takes what there is within `wait`.
    pub fn pump(&mut self, wait: Duration) {
        if let Ok(event) = self.events.recv_timeout(wait) {
            self.on(event);
        }
    }

    pub fn on(&mut self, event: Event) {
        match event {
            Event::Assigned { partitions } => {
                for assigned in partitions {
                    // What was read before and not committed comes again.
                    if let Some(taken) = self.records.get_mut(&assigned.partition) {
                        taken.retain(|(offset, _)| *offset < assigned.resume_at);
                    }
                    let before = self.assigned.insert(assigned.partition, assigned);
                    assert!(before.is_none(), "a partition was assigned twice: {before:?}");
                }
            }
            Event::Revoked { partitions, done, .. } => {
                for (_, partition) in partitions {
                    self.assigned.remove(&partition).expect("only what was assigned is revoked");
                }
                drop(done);
            }
            Event::Records { partition, generation, records, .. } => {
                let assigned = self.assigned.get(&partition).expect("records come of assigned partitions only");
                if generation < assigned.generation {
                    return;
                }
                assert_eq!(generation, assigned.generation);
                let text = |record: &wasmill_core::records::Record| {
                    String::from_utf8(records.bytes(record.value).unwrap_or_default().to_vec()).unwrap()
                };
                let taken = self.records.entry(partition).or_default();
                taken.extend(records.records.iter().map(|record| (record.offset, text(record))));
            }
            Event::End { partition, offset, .. } => {
                self.ends.insert(partition, offset);
            }
            Event::Broker { reachable, reason } => self.reachable.push((reachable, reason)),
            Event::Problem { reason } => self.problems.push(reason),
            Event::Fatal { reason } => panic!("fatal: {reason}"),
        }
    }

    pub fn count(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }

    pub fn seek(&mut self, partition: i32, offset: i64) {
        let assigned = self.assigned.get_mut(&partition).unwrap();
        assigned.generation = self.handle.seek(&assigned.topic, partition, offset).unwrap();
        self.records.remove(&partition);
        self.ends.remove(&partition);
    }
}
