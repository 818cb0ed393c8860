//! Where assigned partitions begin.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::{Offset, TopicPartitionList};

use super::native::Native;
use super::{ANSWER_TIMEOUT, Assigned, ConsumerConfig, Resume, Start};
use crate::error::{KafkaError, Result};

/// Asks the group for its commits and the leaders for their logs' ends; answers where each partition begins. Blocks, with a bound a
/// request; the generation is left 0.
///
/// # Errors
/// A broker did not answer, or knows no leader: to be tried again.
pub(super) fn positions(
    native: &Native,
    config: &ConsumerConfig,
    resume: &Resume,
    partitions: &[(String, i32)],
) -> Result<Vec<Assigned>> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut committed = TopicPartitionList::new();
    for (topic, partition) in partitions {
        committed.add_partition(topic, *partition);
    }
    native.committed(&mut committed, ANSWER_TIMEOUT)?;
    let by_time = by_time(native, config.start, partitions)?;
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let mut assigned = Vec::with_capacity(partitions.len());
    for (index, element) in committed.elements().iter().enumerate() {
        let (topic, partition) = (element.topic(), element.partition());
        let (log_start, log_end) = native
            .client()
            .fetch_watermarks(topic, partition, deadline.saturating_duration_since(Instant::now()).max(MIN_TIMEOUT))
            .map_err(|e| KafkaError::request(format!("asking for the ends of {topic}/{partition}"), e))?;
        let commit = match element.offset() {
            Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
            _ => None,
        };
        let wanted = match &commit {
            Some((offset, metadata)) => resume(topic, partition, *offset, metadata),
            None => match config.start {
                Start::Earliest => log_start,
                Start::Latest => log_end,
                Start::Timestamp(_) => by_time.get(index).copied().flatten().unwrap_or(log_end),
            },
        };
        assigned.push(Assigned {
            topic: Arc::from(topic),
            partition,
            generation: 0,
            committed: commit,
            resume_at: inside(topic, partition, wanted, log_start, log_end),
            log_start,
            log_end,
        });
    }
    Ok(assigned)
}

/// So long a leader is given at least, however many partitions were asked about before.
const MIN_TIMEOUT: Duration = Duration::from_millis(500);

/// For a start by time: the offset of each partition's first record of that time or later, if there is one.
fn by_time(native: &Native, start: Start, partitions: &[(String, i32)]) -> Result<Vec<Option<i64>>> {
    let Start::Timestamp(timestamp_ms) = start else { return Ok(Vec::new()) };
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, Offset::Offset(timestamp_ms.max(0)))
            .map_err(|e| KafkaError::request("asking for offsets by time", e))?;
    }
    native.offsets_for_times(&mut list, ANSWER_TIMEOUT)?;
    Ok(list
        .elements()
        .iter()
        .map(|e| if let Offset::Offset(offset) = e.offset() { Some(offset) } else { None })
        .collect())
}

/// `wanted`, or the nearest offset that loses nothing that is still there.
fn inside(topic: &str, partition: i32, wanted: i64, log_start: i64, log_end: i64) -> i64 {
    if wanted < log_start {
        tracing::warn!(topic, partition, wanted, log_start, "records were deleted before they were read");
        return log_start;
    }
    if wanted > log_end {
        tracing::warn!(topic, partition, wanted, log_end, "the log is shorter than what was read of it: reading all");
        return log_start;
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_start_outside_the_log_moves_to_where_nothing_is_lost() {
        assert_eq!(inside("t", 0, 5, 0, 10), 5);
        assert_eq!(inside("t", 0, 10, 0, 10), 10);
        assert_eq!(inside("t", 0, 3, 7, 10), 7, "deleted by retention");
        assert_eq!(inside("t", 0, 11, 2, 10), 2, "the topic was made anew");
    }
}
