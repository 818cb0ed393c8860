//! A bounded slice of topics, read beside every group: partitions are assigned by hand, nothing is committed and no group is joined.
//!
//! Each partition has a queue of its own, so that the reader decides whose records come next, and records come in batches that the
//! log alone cuts: the same slice gives the same batches, however fast the broker answers.

use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use wasmill_core::records::Records;

use super::building::Building;
use super::native::{Native, PartitionQueue, describe};
use super::{ConsumerConfig, properties};
use crate::error::{KafkaError, Result};

/// A batch is full with so many records…
const BATCH_RECORDS: usize = 4096;
/// …or so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// How long one call waits for messages.
const WAIT: Duration = Duration::from_millis(200);
/// A partition that has not reached its end and brings nothing for so long is given up.
const GIVE_UP: Duration = Duration::from_secs(30);
/// How long a broker may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a slice begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The first record that is still there.
    Earliest,
    /// Behind the last record, as the log is now.
    Latest,
    /// Before the first record of this time or later (Kafka's own timestamp), milliseconds since 1970.
    Timestamp(i64),
}

/// What is read of one partition: the offsets `from..to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub topic: Arc<str>,
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}

impl Range {
    /// Offsets in it; records may be fewer.
    pub fn len(&self) -> u64 {
        (self.to - self.from).max(0) as u64
    }

    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }
}

/// Turns edges to offsets, for every partition of the topics in order. What is written later is not in it.
///
/// # Errors
/// A topic that does not exist, no answer, no right to ask.
pub fn ranges(config: &ConsumerConfig, from: Edge, to: Edge) -> Result<Vec<Range>> {
    let native = Native::new(&client_config(config)?)?;
    let mut ranges = Vec::new();
    for topic in &config.topics {
        for partition in partitions(&native, topic)? {
            let (start, end) = native
                .client()
                .fetch_watermarks(topic, partition, ANSWER_TIMEOUT)
                .map_err(|e| KafkaError::request(format!("asking for the ends of {topic}/{partition}"), e))?;
            ranges.push((Range { topic: Arc::from(topic.as_str()), partition, from: start, to: end }, (start, end)));
        }
    }
    let places: Vec<Range> = ranges.iter().map(|(range, _)| range.clone()).collect();
    let (froms, tos) = (offsets(&native, &places, from)?, offsets(&native, &places, to)?);
    let cut = |((mut range, (start, end)), (from, to)): ((Range, (i64, i64)), (Offset, Offset))| {
        let at = |offset| match offset {
            Offset::Beginning => start,
            Offset::Offset(offset) => offset.clamp(start, end),
            _ => end,
        };
        (range.from, range.to) = (at(from), at(to).max(at(from)));
        range
    };
    Ok(ranges.into_iter().zip(froms.into_iter().zip(tos)).map(cut).collect())
}

fn client_config(config: &ConsumerConfig) -> Result<rdkafka::ClientConfig> {
    config.connection.validate()?;
    let mut client = properties::client_config(config);
    // A record that retention takes away while it is read is an error, not a shorter slice.
    client.set("auto.offset.reset", "error");
    // Many partitions are prefetched side by side, each only a little.
    client.set("queued.max.messages.kbytes", "2048");
    Ok(client)
}

fn partitions(native: &Native, topic: &str) -> Result<Vec<i32>> {
    let action = || format!("asking for the partitions of `{topic}`");
    let metadata =
        native.client().fetch_metadata(Some(topic), ANSWER_TIMEOUT).map_err(|e| KafkaError::request(action(), e))?;
    let Some(found) = metadata.topics().first() else {
        return Err(KafkaError::request(action(), "there is no such topic"));
    };
    if let Some(err) = found.error() {
        return Err(KafkaError::request(action(), describe(err)));
    }
    let mut numbers: Vec<i32> = found.partitions().iter().map(|partition| partition.id()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where an edge lies in each partition; [`Offset::End`] where no record is so late.
fn offsets(native: &Native, places: &[Range], edge: Edge) -> Result<Vec<Offset>> {
    let timestamp_ms = match edge {
        Edge::Earliest => return Ok(vec![Offset::Beginning; places.len()]),
        Edge::Latest => return Ok(vec![Offset::End; places.len()]),
        Edge::Timestamp(timestamp_ms) => timestamp_ms.max(0),
    };
    let refused = |e: rdkafka::error::KafkaError| KafkaError::request("asking for offsets by time", e);
    let mut list = TopicPartitionList::new();
    for place in places {
        list.add_partition_offset(&place.topic, place.partition, Offset::Offset(timestamp_ms)).map_err(refused)?;
    }
    native.offsets_for_times(&mut list, ANSWER_TIMEOUT)?;
    list.elements()
        .iter()
        .map(|element| element.error().map_err(refused).map(|()| element.offset()))
        .map(|offset| offset.map(|offset| if let Offset::Offset(_) = offset { offset } else { Offset::End }))
        .collect()
}

struct Partition {
    range: Range,
    queue: PartitionQueue,
    building: Building,
    /// Full batches that nobody asked for yet: no more than one call brings.
    ready: VecDeque<Records>,
    /// The lowest offset that may come next.
    next: i64,
}

impl Partition {
    fn take(&mut self, message: &sys::rd_kafka_message_t, headers: bool) {
        if message.offset >= self.range.to {
            self.next = self.range.to;
        } else if message.offset >= self.next {
            self.next = message.offset + 1;
            self.building.push(message, headers);
        }
        if self.building.len() >= BATCH_RECORDS || self.building.bytes() >= BATCH_BYTES {
            self.ready.push_back(self.building.take());
        }
    }
}

/// Reads ranges. Calls block.
pub struct Reader {
    /// `None` where there is nothing to read. Queues go before the client they belong to.
    partitions: Vec<Option<Partition>>,
    native: Arc<Native>,
    headers: bool,
}

impl Reader {
    /// Begins to fetch. The group of `config` is not joined; brokers may want the right to read with it all the same.
    ///
    /// # Errors
    /// A property that librdkafka refuses.
    pub fn open(config: &ConsumerConfig, ranges: &[Range]) -> Result<Self> {
        let native = Native::new(&client_config(config)?)?;
        let mut assignment = TopicPartitionList::new();
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            assignment
                .add_partition_offset(&range.topic, range.partition, Offset::Offset(range.from))
                .map_err(|e| KafkaError::request("assigning", e))?;
        }
        native.assign(&assignment)?;
        let mut reader = Reader { partitions: Vec::with_capacity(ranges.len()), native, headers: config.headers };
        for range in ranges {
            if range.is_empty() {
                reader.partitions.push(None);
                continue;
            }
            let queue = reader.native.partition_queue(&range.topic, range.partition)?;
            let (range, building, next) = (range.clone(), Building::new(), range.from);
            reader.partitions.push(Some(Partition { range, queue, building, ready: VecDeque::new(), next }));
        }
        reader.take_unsplit()?;
        Ok(reader)
    }

    /// What was fetched before the partitions had queues of their own lies in the client's, in front of all that comes.
    fn take_unsplit(&mut self) -> Result<()> {
        let mut slots = vec![ptr::null_mut(); BATCH_RECORDS];
        loop {
            let messages = self.native.batch(Duration::ZERO, &mut slots);
            if messages.len() == 0 {
                return Ok(());
            }
            for message in messages.iter() {
                let topic = unsafe { std::ffi::CStr::from_ptr(sys::rd_kafka_topic_name(message.rkt)) };
                let (topic, number) = (topic.to_string_lossy(), message.partition);
                let mut partitions = self.partitions.iter_mut().flatten();
                let found = partitions.find(|p| *p.range.topic == *topic && p.range.partition == number);
                if let Some(partition) = found {
                    check(message, &partition.range)?;
                    partition.take(message, self.headers);
                }
            }
        }
    }

    /// The next batch of the range `index`; `None` behind its last.
    ///
    /// # Errors
    /// Records that are gone, a broker that brings nothing for half a minute.
    pub fn next(&mut self, index: usize) -> Result<Option<Records>> {
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else { return Ok(None) };
        let mut slots = vec![ptr::null_mut(); BATCH_RECORDS];
        let mut last_record = Instant::now();
        let mut trouble = None;
        loop {
            if let Some(records) = partition.ready.pop_front() {
                return Ok(Some(records));
            }
            if partition.next >= partition.range.to {
                return Ok((!partition.building.is_empty()).then(|| partition.building.take()));
            }
            // A call waits for as many as it is asked for: never for more than there are.
            let most = (partition.range.to - partition.next).clamp(1, BATCH_RECORDS as i64) as usize;
            let messages = partition.queue.batch(WAIT, &mut slots[..most]);
            for message in messages.iter() {
                check(message, &partition.range)?;
                partition.take(message, self.headers);
            }
            if messages.len() == most {
                last_record = Instant::now();
                continue;
            }
            if messages.len() > 0 {
                last_record = Instant::now();
            }
            drop(messages);
            // What lies between is for no reader (the marks at the end of transactions), if librdkafka is past it.
            let position = self.native.position(&partition.range.topic, partition.range.partition);
            partition.next = partition.next.max(position.unwrap_or(0));
            trouble = troubles(&self.native).or(trouble);
            if last_record.elapsed() >= GIVE_UP {
                return Err(stalled(partition, trouble));
            }
        }
    }
}

/// The last of the errors that came by the client's own queue.
fn troubles(native: &Native) -> Option<String> {
    let mut slots = [ptr::null_mut(); 16];
    let messages = native.batch(Duration::ZERO, &mut slots);
    let in_place_of_messages = messages.iter().last().map(|message| describe(message.err));
    native.take_errors().pop().map(|(_, reason)| reason).or(in_place_of_messages)
}

impl Drop for Reader {
    /// A client that still has an assignment would wait for an answer to its own revocation.
    fn drop(&mut self) {
        self.partitions.clear();
        if let Err(error) = self.native.unassign(&TopicPartitionList::new()) {
            tracing::debug!(%error, "the slice's partitions were not given back");
        }
    }
}

fn stalled(partition: &Partition, trouble: Option<String>) -> KafkaError {
    let Range { topic, partition: number, to, .. } = &partition.range;
    let action = format!("reading {topic}/{number} from offset {} to {to}", partition.next);
    match trouble {
        Some(reason) => KafkaError::request(action, reason),
        None => KafkaError::TimedOut { action, after: GIVE_UP },
    }
}

/// An error in place of a message.
fn check(message: &sys::rd_kafka_message_t, range: &Range) -> Result<()> {
    if message.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    let reason = match message.err {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET => "records were deleted while they were read".to_owned(),
        err => describe(err),
    };
    Err(KafkaError::request(format!("reading {}/{}", range.topic, range.partition), reason))
}
