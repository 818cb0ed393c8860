//! The poll thread.

use std::collections::{HashMap, VecDeque};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::building::Building;
use super::gate::Gate;
use super::native::{Messages, Native, Rebalance, describe};
use super::reachable::{Meaning, Reachable};
use super::{ANSWER_TIMEOUT, Assigned, Command, ConsumerConfig, Event, Owned, Resume, Shared, start};
use crate::error::{KafkaError, Result};
use crate::log::Repeats;

/// Commands that may wait for the poll thread.
pub(super) const COMMANDS: usize = 1024;
/// Messages taken from librdkafka in one call, and records handed over in one event at most.
const MAX_BATCH_RECORDS: usize = 4096;
/// As long as data flows, a partition's records are held back until there are so many…
const MIN_BATCH_RECORDS: usize = 1024;
/// …or so many bytes of them…
const MIN_BATCH_BYTES: usize = 512 << 10;
/// …or the first is so old. Also how long a call waits for more once something has come.
const MAX_HOLD: Duration = Duration::from_millis(5);
/// How long a call waits when nothing flows. Commands and given back leases wake it earlier.
const IDLE_WAIT: Duration = Duration::from_millis(100);
/// A rebalance or a seek that failed is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// librdkafka's properties for a consumer.
pub(super) fn client_config(config: &ConsumerConfig) -> ClientConfig {
    let mut client = config.connection.client([
        // Moves only the partitions that must move; the rest goes on.
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("isolation.level", "read_committed"),
        // A killed process is missed after 10 s, not 45.
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "2000"),
        // Starts are always given; this is for a position that retention overtook while it was read.
        ("auto.offset.reset", "earliest"),
        // With its default of 1000 any consumer that does work stalls.
        ("fetch.queue.backoff.ms", "5"),
        // How long a broker holds an empty answer: also how long a seek or a resumed partition can wait behind it.
        ("fetch.wait.max.ms", "50"),
        ("fetch.message.max.bytes", "1048576"),
        // What librdkafka prefetches: a message costs it some 300 bytes beside its own, so both are bounded.
        ("queued.min.messages", "20000"),
        ("queued.max.messages.kbytes", "8192"),
        ("topic.metadata.refresh.interval.ms", "30000"),
        ("allow.auto.create.topics", "false"),
        ("statistics.interval.ms", "0"),
    ]);
    client.set("group.id", &config.group);
    client.set("enable.auto.commit", "false");
    client.set("enable.auto.offset.store", "false");
    client.set("enable.partition.eof", "false");
    client
}

/// A partition that is ours.
struct Partition {
    topic: Arc<str>,
    number: i32,
    generation: u64,
    gate: Arc<Gate>,
    building: Building,
    /// The lowest offset that may come next; librdkafka may repeat after a pause.
    next_offset: i64,
    /// A seek that is not done yet: what comes until then is from the old position.
    seeking: Option<i64>,
    /// The log's end when it was assigned: the first fetch tells a newer one.
    log_end: i64,
    /// The end that the receiver was told last.
    said_end: Option<i64>,
}

pub(super) struct Poll {
    config: ConsumerConfig,
    resume: Resume,
    events: Sender<Event>,
    native: Arc<Native>,
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    partitions: Vec<Option<Partition>>,
    /// From librdkafka's topic handle and the partition to the index in `partitions`.
    known: HashMap<(usize, i32), Option<usize>>,
    /// What the channel did not take, in order.
    stash: VecDeque<Event>,
    rebalance: Option<Rebalance>,
    retry_at: Option<Instant>,
    reachable: Reachable,
    problems: Repeats,
    stopping: bool,
}

impl Poll {
    pub fn new(
        config: ConsumerConfig,
        resume: Resume,
        events: Sender<Event>,
        native: Arc<Native>,
        shared: Arc<Shared>,
        commands: Receiver<Command>,
    ) -> Self {
        let reachable = Reachable::new(&config.connection.brokers);
        Poll {
            config,
            resume,
            events,
            native,
            shared,
            commands,
            partitions: Vec::new(),
            known: HashMap::new(),
            stash: VecDeque::new(),
            rebalance: None,
            retry_at: None,
            reachable,
            problems: Repeats::default(),
            stopping: false,
        }
    }

    pub fn run(mut self) {
        let native = Arc::clone(&self.native);
        let mut slots = vec![ptr::null_mut(); MAX_BATCH_RECORDS];
        let mut flowing = false;
        while !self.stopping {
            // When nothing flows, the first message alone ends the wait: the ones behind it come with the next call.
            let (wait, most) = match flowing || !self.stash.is_empty() {
                true => (MAX_HOLD, MAX_BATCH_RECORDS),
                false => (IDLE_WAIT, 1),
            };
            let messages = native.batch(wait, &mut slots[..most]);
            let full = messages.len() == MAX_BATCH_RECORDS;
            flowing = messages.len() > 0;
            self.take(&messages);
            drop(messages);
            self.hand_over(!full && most > 1);
            if !full {
                self.ends();
            }
            self.errors();
            self.commands();
            self.retry();
            self.gates();
            self.send_stash();
        }
        self.leave();
    }

    /// Copies messages to their partitions' buffers.
    fn take(&mut self, messages: &Messages<'_>) {
        for message in messages.iter() {
            match message.err {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => self.take_record(message),
                _ => self.take_error(message),
            }
        }
        if messages.iter().any(|m| m.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR) {
            self.answered();
        }
    }

    fn take_record(&mut self, message: &sys::rd_kafka_message_t) {
        let Some(index) = self.find(message) else { return };
        let Some(partition) = &mut self.partitions[index] else { return };
        if partition.seeking.is_some() || message.offset < partition.next_offset {
            return;
        }
        partition.next_offset = message.offset + 1;
        partition.building.push(message, self.config.headers);
        if partition.building.len() >= MAX_BATCH_RECORDS || partition.building.bytes() >= MIN_BATCH_BYTES {
            self.flush(index);
        }
    }

    /// An error in place of a message. librdkafka counts it as consumed and, after its next pause, would leave out the record at
    /// its offset: so a partition that brings one is set back to where it stands.
    fn take_error(&mut self, message: &sys::rd_kafka_message_t) {
        if let Some(index) = self.find(message)
            && let Some(partition) = &mut self.partitions[index]
        {
            partition.seeking.get_or_insert(partition.next_offset);
        }
        let reason = message_reason(message).unwrap_or_else(|| describe(message.err));
        self.on_error(message.err, &reason);
    }

    /// Says of which partitions all has been handed over. librdkafka's own event for it is not used: it counts as a message of the
    /// offset at the end, with what [`Self::take_error`] says.
    fn ends(&mut self) {
        for index in 0..self.partitions.len() {
            let Some(partition) = &mut self.partitions[index] else { continue };
            if !partition.building.is_empty() || partition.seeking.is_some() {
                continue;
            }
            let log_end = self.native.cached_watermarks(&partition.topic, partition.number).map_or(0, |log| log.1);
            let log_end = log_end.max(partition.log_end);
            let ended = partition.next_offset >= log_end || {
                // What lies between is for no reader (the marks at the end of transactions), if librdkafka is past it.
                let position = self.native.position(&partition.topic, partition.number);
                partition.next_offset = partition.next_offset.max(position.unwrap_or(0));
                partition.next_offset >= log_end
            };
            if !ended || partition.said_end == Some(log_end) {
                continue;
            }
            partition.said_end = Some(log_end);
            let (topic, generation) = (Arc::clone(&partition.topic), partition.generation);
            let event = Event::End { topic, partition: partition.number, generation, offset: log_end };
            self.send(event);
        }
    }

    /// The index of a message's partition; `None` if it is not ours (any more).
    #[inline]
    fn find(&mut self, message: &sys::rd_kafka_message_t) -> Option<usize> {
        let key = (message.rkt as usize, message.partition);
        if let Some(index) = self.known.get(&key) {
            return *index;
        }
        let topic = unsafe { std::ffi::CStr::from_ptr(sys::rd_kafka_topic_name(message.rkt)) }.to_string_lossy();
        let index = self.index(&topic, message.partition);
        self.known.insert(key, index);
        index
    }

    fn index(&self, topic: &str, number: i32) -> Option<usize> {
        self.partitions.iter().position(|p| p.as_ref().is_some_and(|p| p.number == number && *p.topic == *topic))
    }

    /// Hands over what has been collected: everything if the flow has paused, else the batches that are large or old enough.
    fn hand_over(&mut self, everything: bool) {
        for index in 0..self.partitions.len() {
            let Some(partition) = &self.partitions[index] else { continue };
            let building = &partition.building;
            let ready = everything || building.len() >= MIN_BATCH_RECORDS || building.since.elapsed() >= MAX_HOLD;
            if !building.is_empty() && ready {
                self.flush(index);
            }
        }
    }

    fn flush(&mut self, index: usize) {
        let Some(partition) = &mut self.partitions[index] else { return };
        if partition.building.is_empty() {
            return;
        }
        let records = partition.building.take();
        let bytes = records.buffer.len() + size_of_val(records.records.as_slice());
        let event = Event::Records {
            topic: Arc::clone(&partition.topic),
            partition: partition.number,
            generation: partition.generation,
            records,
            lease: partition.gate.lease(bytes),
        };
        self.send(event);
    }

    /// Pauses the partitions that are full and resumes those that have drained.
    fn gates(&mut self) {
        let (mut pause, mut resume) = (TopicPartitionList::new(), TopicPartitionList::new());
        for partition in self.partitions.iter().flatten() {
            let gate = &partition.gate;
            if !gate.paused() && gate.full() {
                gate.set_paused(true);
                pause.add_partition(&partition.topic, partition.number);
            } else if gate.paused() && gate.drained() {
                gate.set_paused(false);
                resume.add_partition(&partition.topic, partition.number);
            }
        }
        let paused = if pause.count() > 0 { self.native.pause(&pause) } else { Ok(()) };
        let resumed = if resume.count() > 0 { self.native.resume(&resume) } else { Ok(()) };
        for error in [paused, resumed].into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "flow control");
        }
    }

    fn commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Stop => self.stopping = true,
                Command::Seek { topic, partition, offset, generation } => {
                    let Some(index) = self.index(&topic, partition) else { continue };
                    self.forget_queued(&[(topic, partition)]);
                    if let Some(partition) = &mut self.partitions[index] {
                        partition.generation = generation;
                        partition.seeking = Some(offset);
                        self.retry_at = None;
                    }
                }
            }
        }
    }

    /// Does what waits for a broker: rebalances and seeks, again and again until they succeed.
    fn retry(&mut self) {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.retry_at = None;
        if let Err(error) = self.rebalance().and_then(|()| self.seek()) {
            self.retry_at = Some(Instant::now() + RETRY_AFTER);
            self.problem(error.to_string());
        }
        if self.reachable.probe(&self.native) {
            self.answered();
        }
    }

    fn seek(&mut self) -> Result<()> {
        for partition in self.partitions.iter_mut().flatten() {
            let Some(offset) = partition.seeking else { continue };
            let list = single(&partition.topic, partition.number, offset)?;
            self.native.seek(&list, ANSWER_TIMEOUT)?;
            partition.seeking = None;
            partition.next_offset = offset;
            partition.said_end = None;
        }
        Ok(())
    }

    fn rebalance(&mut self) -> Result<()> {
        while let Some(rebalance) = self.rebalance.take().or_else(|| self.native.take_rebalance()) {
            self.known.clear();
            if !rebalance.assign {
                self.revoke(&rebalance.partitions)?;
            } else if let Err(error) = self.assign(&rebalance.partitions) {
                self.rebalance = Some(rebalance);
                return Err(error);
            }
        }
        Ok(())
    }

    fn assign(&mut self, partitions: &[(String, i32)]) -> Result<()> {
        let mut assigned = start::positions(&self.native, &self.config, &self.resume, partitions)?;
        let mut list = TopicPartitionList::new();
        for Assigned { topic, partition, resume_at, .. } in &assigned {
            list.add_partition_offset(topic, *partition, Offset::Offset(*resume_at))
                .map_err(|e| KafkaError::request("assigning", e))?;
        }
        self.native.assign(&list)?;
        for new in &mut assigned {
            new.generation = self.shared.next_generation();
            self.own(new);
        }
        self.publish_owned();
        self.answered();
        self.send(Event::Assigned { partitions: assigned });
        Ok(())
    }

    fn own(&mut self, new: &Assigned) {
        let partition = Partition {
            topic: Arc::clone(&new.topic),
            number: new.partition,
            generation: new.generation,
            gate: Gate::new(self.config.max_queue_bytes_per_partition, &self.native),
            building: Building::new(),
            next_offset: new.resume_at,
            seeking: None,
            log_end: new.log_end,
            said_end: None,
        };
        match self.partitions.iter_mut().find(|p| p.is_none()) {
            Some(free) => *free = Some(partition),
            None => self.partitions.push(Some(partition)),
        }
    }

    fn revoke(&mut self, partitions: &[(String, i32)]) -> Result<()> {
        let lost = self.native.assignment_lost();
        let mut list = TopicPartitionList::new();
        let mut revoked = Vec::new();
        for (topic, number) in partitions {
            list.add_partition(topic, *number);
            if let Some(partition) = self.index(topic, *number).and_then(|i| self.partitions[i].take()) {
                partition.gate.set_paused(false);
                revoked.push((partition.topic, *number));
            }
        }
        self.forget_queued(&revoked);
        self.publish_owned();
        if !revoked.is_empty() && !self.stopping {
            let (done, wait) = crossbeam_channel::bounded(1);
            self.stash.push_back(Event::Revoked { partitions: revoked, done, lost });
            self.wait_until_done(&wait);
        }
        self.native.unassign(&list)
    }

    /// Waits until the receiver has stopped with the revoked partitions, or the time for it is over.
    fn wait_until_done(&mut self, done: &Receiver<()>) {
        let deadline = Instant::now() + self.config.revoke_timeout;
        while let Some(event) = self.stash.pop_front() {
            let Err(refused) = self.events.send_deadline(event, deadline) else { continue };
            // The rest stays in order behind it; the receiver learns of the revocation late.
            self.stash.push_front(refused.into_inner());
            tracing::warn!("a rebalance went on without an answer: the queue of events stayed full");
            return;
        }
        if done.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(after = ?self.config.revoke_timeout, "a rebalance went on before the partitions were given up");
        }
    }

    /// Drops records of `partitions` that were not handed over.
    fn forget_queued(&mut self, partitions: &[(Arc<str>, i32)]) {
        let of = |topic: &Arc<str>, number: i32| partitions.iter().any(|(t, n)| *n == number && t == topic);
        self.stash.retain(|event| match event {
            Event::Records { topic, partition, .. } | Event::End { topic, partition, .. } => !of(topic, *partition),
            _ => true,
        });
        for partition in self.partitions.iter_mut().flatten().filter(|p| of(&p.topic, p.number)) {
            partition.building.clear();
        }
    }

    fn publish_owned(&self) {
        let owned =
            |p: &Partition| Owned { topic: Arc::clone(&p.topic), partition: p.number, gate: Arc::clone(&p.gate) };
        *self.shared.owned() = self.partitions.iter().flatten().map(owned).collect();
    }

    fn errors(&mut self) {
        for (err, reason) in self.native.take_errors() {
            self.on_error(err, &reason);
        }
    }

    fn on_error(&mut self, err: RDKafkaRespErr, reason: &str) {
        match self.reachable.on_error(err, reason) {
            Meaning::Unreachable(reason) => self.send(Event::Broker { reachable: false, reason }),
            Meaning::Problem(reason) => self.problem(reason),
            Meaning::Fatal(_) => {
                let reason = self.native.client().fatal_error().map_or_else(|| reason.to_owned(), |(_, reason)| reason);
                self.send(Event::Fatal { reason });
            }
            Meaning::Nothing => {}
        }
    }

    fn problem(&mut self, reason: String) {
        if self.problems.is_new(&reason) {
            self.send(Event::Problem { reason });
        }
    }

    fn answered(&mut self) {
        if self.reachable.answered() {
            self.send(Event::Broker { reachable: true, reason: String::new() });
        }
    }

    fn send(&mut self, event: Event) {
        self.stash.push_back(event);
        self.send_stash();
    }

    fn send_stash(&mut self) {
        while let Some(event) = self.stash.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.stash.push_front(event);
                    return;
                }
                // Nobody listens any more.
                Err(TrySendError::Disconnected(_)) => {
                    self.stash.clear();
                    self.stopping = true;
                    return;
                }
            }
        }
    }

    /// Leaves the group in good order, if that is possible in time.
    fn leave(mut self) {
        self.stash.clear();
        let deadline = Instant::now() + self.config.stop_timeout;
        let mut slots = vec![ptr::null_mut(); MAX_BATCH_RECORDS];
        let mut result = self.native.close();
        while result.is_ok() && !self.native.closed() && Instant::now() < deadline {
            drop(self.native.batch(MAX_HOLD, &mut slots));
            while let Some(rebalance) = self.rebalance.take().or_else(|| self.native.take_rebalance()) {
                result = match rebalance.assign {
                    true => self.native.assign(&TopicPartitionList::new()),
                    false => self.revoke(&rebalance.partitions),
                };
            }
        }
        if let Err(error) = result {
            tracing::warn!(%error, "the group was not left in good order");
        }
        self.shared.owned().clear();
    }
}

fn single(topic: &str, partition: i32, offset: i64) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))
        .map_err(|e| KafkaError::request("seeking", e))?;
    Ok(list)
}

/// What librdkafka says in place of a payload.
fn message_reason(message: &sys::rd_kafka_message_t) -> Option<String> {
    let reason = unsafe { sys::rd_kafka_message_errstr(message) };
    (!reason.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(reason) }.to_string_lossy().into_owned())
}
