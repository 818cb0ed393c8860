//! A slice of the sources' topics through a pipeline, once more, and nothing else: no offset is committed, no sink written, no dead
//! letter sent.
//!
//! The slice's ends are offsets before anything is read, its batches are cut by the log alone, and partitions take turns by their
//! records' timestamps. So the same slice through the same plugins gives the same points, to the last digit.

pub mod diff;

use std::cell::Cell;
use std::sync::Arc;

use wasmill_core::config::Config;
use wasmill_core::plan::{Plan, TimeSource};
use wasmill_core::records::Records;
use wasmill_core::time::Nanos;
use wasmill_kafka::consumer::ConsumerConfig;
use wasmill_kafka::consumer::slice::{self, Edge, Range, Reader};
use wasmill_kafka::{ConnectionConfig, KafkaError};

use crate::assemble::PluginHandle;
use crate::offline::{Offline, Outcome, Partition, Stopped};
use crate::task::Poison;

/// Points that are kept, of each side of a comparison: some 300 bytes each.
pub const MAX_POINTS: usize = 2_000_000;
/// Events that spoil a state, before the plugin is given up; each costs reading the source's slice anew.
const MAX_POISON: usize = 10;

/// A pipeline that is to be run.
pub struct Side {
    pub config: Config,
    pub plan: Arc<Plan>,
    /// By the plan's plugin number.
    pub plugins: Vec<PluginHandle>,
}

/// What is read of one source.
pub struct SourceSlice {
    /// Its number in the plan.
    pub source: usize,
    pub name: String,
    pub ranges: Vec<Range>,
    consumer: ConsumerConfig,
}

/// What is read.
pub struct Slice {
    pub sources: Vec<SourceSlice>,
    /// The clock when it was cut.
    now: Nanos,
}

impl Slice {
    /// Offsets in it; events may be fewer.
    pub fn len(&self) -> u64 {
        self.sources.iter().flat_map(|source| &source.ranges).map(Range::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn partitions(&self) -> usize {
        self.sources.iter().map(|source| source.ranges.len()).sum()
    }
}

impl SourceSlice {
    fn stopped(&self, reason: String) -> ReplayError {
        ReplayError::Stopped { source_name: self.name.clone(), reason }
    }
}

/// Why a slice came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("source `{source_name}`: {reason}")]
    Stopped { source_name: String, reason: String },
}

/// Asks the brokers where the slice lies in every source that `side` reads.
///
/// # Errors
/// A broker that does not answer, a topic that does not exist.
pub fn cut(side: &Side, connection: &ConnectionConfig, from: Edge, to: Edge, now: Nanos) -> Result<Slice, KafkaError> {
    let mut sources = Vec::new();
    for (source, plan) in side.plan.sources.iter().enumerate() {
        let Some(config) = side.config.source(&plan.name) else { continue };
        // Never joined. Its name begins as the source's own, in case rights are given by prefix.
        let group = format!("{}-replay", config.group);
        let consumer =
            ConsumerConfig { headers: true, ..ConsumerConfig::new(connection.clone(), config.topics.clone(), group) };
        let ranges = slice::ranges(&consumer, from, to)?;
        sources.push(SourceSlice { source, name: plan.name.clone(), ranges, consumer });
    }
    Ok(Slice { sources, now })
}

/// Runs the slice through every side. Each batch is read once and goes through all of them. `progress`: how many events have been
/// handled.
///
/// # Errors
/// The brokers, or a plugin, or too many points; nothing of what came out is kept.
pub fn run(sides: &[Side], slice: &Slice, progress: &dyn Fn(u64)) -> Result<Vec<Outcome>, ReplayError> {
    let mut outcomes: Vec<Outcome> = sides.iter().map(|_| Outcome::empty(MAX_POINTS)).collect();
    let before = Cell::new(0);
    for source in &slice.sources {
        let last = Cell::new(0);
        let found = run_source(sides, slice, source, &|handled| {
            last.set(handled);
            progress(before.get() + handled);
        })?;
        before.set(before.get() + last.get());
        for (outcome, found) in outcomes.iter_mut().zip(found) {
            outcome.append(found).map_err(|error| source.stopped(error.to_string()))?;
        }
    }
    Ok(outcomes)
}

/// Why one reading of a source's slice came to nothing.
enum Broken {
    Kafka(KafkaError),
    Side { side: usize, stopped: Stopped },
}

impl From<KafkaError> for Broken {
    fn from(error: KafkaError) -> Self {
        Broken::Kafka(error)
    }
}

/// Reads a source's slice, and again from its beginning for each event that spoils a state: it is refused from then on.
fn run_source(
    sides: &[Side],
    slice: &Slice,
    source: &SourceSlice,
    progress: &dyn Fn(u64),
) -> Result<Vec<Outcome>, ReplayError> {
    let mut poison = vec![vec![Poison::new(); source.ranges.len()]; sides.len()];
    for _ in 0..=MAX_POISON {
        let (side, partition, failure) = match read_source(sides, slice, source, &poison, progress) {
            Ok(outcomes) => return Ok(outcomes),
            Err(Broken::Kafka(error)) => return Err(error.into()),
            Err(Broken::Side { stopped: Stopped::Failed(reason), .. }) => return Err(source.stopped(reason)),
            Err(Broken::Side { side, stopped: Stopped::Poisoned { partition, failure } }) => (side, partition, failure),
        };
        tracing::warn!(source = %source.name, "{}; reading again without the event", failure.error);
        if let Some(culprit) = failure.culprit {
            poison[side][partition].insert(culprit, failure.error.clone());
        }
    }
    Err(source.stopped(format!("plugins failed on more than {MAX_POISON} events")))
}

fn read_source(
    sides: &[Side],
    slice: &Slice,
    source: &SourceSlice,
    poison: &[Vec<Poison>],
    progress: &dyn Fn(u64),
) -> Result<Vec<Outcome>, Broken> {
    let mut runs = Vec::with_capacity(sides.len());
    for (side, poison) in sides.iter().zip(poison) {
        let run = begin(side, slice, source, poison);
        runs.push(run.map_err(|stopped| Broken::Side { side: runs.len(), stopped })?);
    }
    let each = |runs: &mut Vec<Offline>, work: &dyn Fn(&mut Offline) -> Result<(), Stopped>| {
        let failed = |(side, run)| work(run).map_err(|stopped| Broken::Side { side, stopped });
        runs.iter_mut().enumerate().try_for_each(failed)
    };
    let mut reader = Reader::open(&source.consumer, &source.ranges)?;
    let mut heads: Vec<Option<Records>> = Vec::with_capacity(source.ranges.len());
    let mut handled = 0;
    for partition in 0..source.ranges.len() {
        heads.push(reader.next(partition)?);
        if heads[partition].is_none() {
            each(&mut runs, &|run| run.end(partition))?;
        }
    }
    while let Some(partition) = next_partition(&heads) {
        let Some(records) = heads[partition].take() else { break };
        each(&mut runs, &|run| run.feed(partition, &records))?;
        handled += records.records.len() as u64;
        progress(handled);
        heads[partition] = reader.next(partition)?;
        if heads[partition].is_none() {
            each(&mut runs, &|run| run.end(partition))?;
        }
    }
    let finish = |(side, run): (usize, Offline)| run.finish().map_err(|stopped| Broken::Side { side, stopped });
    runs.into_iter().enumerate().map(finish).collect()
}

fn begin(side: &Side, slice: &Slice, source: &SourceSlice, poison: &[Poison]) -> Result<Offline, Stopped> {
    let partitions = source.ranges.iter().zip(poison).map(|(range, poison)| Partition {
        topic: Arc::clone(&range.topic),
        number: range.partition,
        from: range.from,
        cut: range.from > 0,
        poison: poison.clone(),
    });
    let mut plan = Plan::clone(&side.plan);
    let time = &mut plan.sources[source.source].time;
    if *time == TimeSource::Now {
        // When an event was handled is not known any more; when it was written is.
        *time = TimeSource::Record;
    }
    let parts = (&side.config, &plan, side.plugins.as_slice());
    Offline::new(parts, source.source, partitions.collect(), MAX_POINTS, slice.now)
}

/// The partition whose next batch begins earliest by Kafka's timestamp; of several, the first.
fn next_partition(heads: &[Option<Records>]) -> Option<usize> {
    let begins = |records: &Records| records.records.first().map(|record| record.timestamp_ms);
    let waiting = heads.iter().enumerate().filter_map(|(index, head)| Some((begins(head.as_ref()?)?, index)));
    waiting.min().map(|(_, index)| index)
}
