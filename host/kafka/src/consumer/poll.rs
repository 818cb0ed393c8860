//! The poll thread.

use std::collections::{HashMap, VecDeque};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::building::Building;
use super::gate::Gate;
use super::native::{Messages, Native, Rebalance, describe};
use super::reachable::{Meaning, Reachable};
use super::{ANSWER_TIMEOUT, Command, ConsumerConfig, Event, Resume, Shared};
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

/// A partition that is ours.
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
    pub(super) generation: u64,
    pub(super) gate: Arc<Gate>,
    pub(super) building: Building,
    /// The lowest offset that may come next; librdkafka may repeat after a pause.
    pub(super) next_offset: i64,
    /// A seek that is not done yet: what comes until then is from the old position.
    pub(super) seeking: Option<i64>,
    /// The log's end when it was assigned: the first fetch tells a newer one.
    pub(super) log_end: i64,
    /// The end that the receiver was told last.
    pub(super) said_end: Option<i64>,
}

pub(super) struct Poll {
    pub(super) config: ConsumerConfig,
    pub(super) resume: Resume,
    pub(super) events: Sender<Event>,
    pub(super) native: Arc<Native>,
    pub(super) shared: Arc<Shared>,
    pub(super) commands: Receiver<Command>,
    pub(super) partitions: Vec<Option<Partition>>,
    /// From librdkafka's topic handle and the partition to the index in `partitions`.
    pub(super) known: HashMap<(usize, i32), Option<usize>>,
    /// The one found last: messages come partition by partition.
    pub(super) last_known: Option<((usize, i32), Option<usize>)>,
    /// What the channel did not take, in order.
    pub(super) stash: VecDeque<Event>,
    pub(super) rebalance: Option<Rebalance>,
    pub(super) retry_at: Option<Instant>,
    pub(super) reachable: Reachable,
    pub(super) problems: Repeats,
    pub(super) stopping: bool,
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
            last_known: None,
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
        match self.last_known {
            Some((known, index)) if known == key => index,
            _ => {
                let index = self.look_up(key, message);
                self.last_known = Some((key, index));
                index
            }
        }
    }

    fn look_up(&mut self, key: (usize, i32), message: &sys::rd_kafka_message_t) -> Option<usize> {
        if let Some(index) = self.known.get(&key) {
            return *index;
        }
        let topic = unsafe { std::ffi::CStr::from_ptr(sys::rd_kafka_topic_name(message.rkt)) }.to_string_lossy();
        let index = self.index(&topic, message.partition);
        self.known.insert(key, index);
        index
    }

    pub(super) fn index(&self, topic: &str, number: i32) -> Option<usize> {
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
                tracing::debug!(topic = %partition.topic, partition = partition.number, "paused: its queue is full");
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

    pub(super) fn problem(&mut self, reason: String) {
        if self.problems.is_new(&reason) {
            self.send(Event::Problem { reason });
        }
    }

    pub(super) fn answered(&mut self) {
        if self.reachable.answered() {
            self.send(Event::Broker { reachable: true, reason: String::new() });
        }
    }

    pub(super) fn send(&mut self, event: Event) {
        self.stash.push_back(event);
        self.send_stash();
    }

    pub(super) fn send_stash(&mut self) {
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
