//! A source's routes without broker, sinks, threads and clock: records in, points out. What the tests of a pipeline and `wasmill
//! replay` share.
//!
//! The tasks and the exchange are those of a running pipeline. Only time stands still: nobody is idle, nothing is emitted early, and at
//! the end every window closes.

pub mod points;
pub mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use wasmill_core::checkpoint::Checkpoint;
use wasmill_core::config::{Config, SinkKind};
use wasmill_core::plan::Plan;
use wasmill_core::records::Records;
use wasmill_core::time::{BEGINNING, Nanos};

use crate::assemble::{self, Counted, PluginHandle};
use crate::exchange::Merges;
use crate::figures::{PartitionFigures, RefusalKey};
use crate::reached;
use crate::task::{Failure, Halt, Outbox, Outgoing, Poison, SourceRuntime, Start, Task};
use points::{Collector, Points, TooMany};
use watch::Cut;

/// A partition as it is fed.
#[derive(Clone, Debug)]
pub struct Partition {
    pub topic: Arc<str>,
    pub number: i32,
    /// The offset of its first record, or a lower one.
    pub from: i64,
    /// There are, or were, records before that.
    pub cut: bool,
    /// Events that spoil a state: they are refused.
    pub poison: Poison,
}

/// Why a source cannot go on.
#[derive(Debug)]
pub enum Stopped {
    /// An event of this partition spoils a state. Without it (it belongs to the poison) another run comes further.
    Poisoned {
        partition: usize,
        failure: Box<Failure>,
    },
    Failed(String),
}

impl From<String> for Stopped {
    fn from(reason: String) -> Self {
        Stopped::Failed(reason)
    }
}

struct Fed {
    task: Task,
    figures: Arc<PartitionFigures>,
    cut: bool,
    /// Event time of its first event, once there was one.
    first: Option<Nanos>,
    /// Its watermark before the end, once all of it was fed.
    last: Option<Nanos>,
}

/// What came out of a source.
#[derive(Debug)]
pub struct Outcome {
    pub points: Points,
    pub refused: BTreeMap<RefusalKey, u64>,
    pub cut: Cut,
}

impl Outcome {
    /// Of no source. `max_points`: how many may be kept.
    pub fn empty(max_points: usize) -> Self {
        Outcome { points: Points::new(max_points), refused: BTreeMap::new(), cut: Cut::default() }
    }

    /// Takes in what came out of another source.
    ///
    /// # Errors
    /// Together their points are too many.
    pub fn append(&mut self, other: Outcome) -> Result<(), TooMany> {
        self.refused.extend(other.refused);
        self.cut += other.cut;
        self.points.append(other.points)
    }
}

/// One source of a pipeline, being fed.
pub struct Offline {
    runtime: Arc<SourceRuntime>,
    fed: Vec<Fed>,
    merges: Merges,
    collector: Collector,
    reached: reached::Shared,
    fired: watch::Shared,
    points: Points,
    /// The clock, for events that claim to be of the future; it stands still.
    now: Nanos,
}

impl Offline {
    /// `source`: its number in the plan. `max_points`: how many may be kept.
    ///
    /// # Errors
    /// A plugin that cannot be instantiated, a name that cannot be resolved.
    pub fn new(
        (config, plan, plugins): (&Config, &Plan, &[PluginHandle]),
        source: usize,
        partitions: Vec<Partition>,
        max_points: usize,
        now: Nanos,
    ) -> Result<Self, Stopped> {
        let fired = watch::Shared::default();
        let figures = assemble::figures(config, plan, plugins);
        let watched = watch::watched(plugins, &fired);
        let runtime = assemble::runtimes(plan, &watched, &Counted::of(&figures), &figures).swap_remove(source);
        let influx = config.sinks.iter().map(|sink| matches!(sink.kind, SinkKind::Influxdb(_))).collect();
        let collector = Collector::new(assemble::targets(&runtime.plan)?, influx);
        let fed = partitions.into_iter().map(|partition| begin(&runtime, partition, now)).collect::<Result<_, _>>()?;
        let merges = Merges::new(&runtime).map_err(|halt| Stopped::Failed(reason(halt)))?;
        let (reached, points) = (reached::Shared::default(), Points::new(max_points));
        Ok(Offline { runtime, fed, merges, collector, reached, fired, points, now })
    }

    /// Handles the next records of a partition (by its place in the list it was made with).
    ///
    /// # Errors
    /// See [`Stopped`]; a source that has stopped is of no use any more.
    pub fn feed(&mut self, partition: usize, records: &Records) -> Result<(), Stopped> {
        let mut next = 0;
        while let Some(mut range) = self.fed[partition].task.next_batch(records, next) {
            let fed = &mut self.fed[partition];
            if fed.first.is_none() {
                // Alone, so that it is known when it happened.
                range.end = range.start + 1;
            }
            next = range.end;
            let mut outbox = Outbox::default();
            fed.task.process(records, range, self.now, &mut outbox).map_err(|halt| stopped(partition, halt))?;
            let latest = fed.figures.max_event_time.get();
            fed.first = fed.first.or((latest != BEGINNING).then_some(latest));
            self.take(partition, outbox)?;
        }
        Ok(())
    }

    /// All of a partition has been fed: it closes its windows, and holds those of the exchange open no longer.
    ///
    /// # Errors
    /// As [`Offline::feed`].
    pub fn end(&mut self, partition: usize) -> Result<(), Stopped> {
        let fed = &mut self.fed[partition];
        fed.last = Some(fed.task.watermark());
        let outbox = fed.task.finish().map_err(|halt| stopped(partition, halt))?;
        self.take(partition, outbox)
    }

    fn take(&mut self, partition: usize, outbox: Outbox) -> Result<(), Stopped> {
        self.collect(outbox.items)?;
        if self.merges.is_empty() {
            return Ok(());
        }
        let reached = self.fed.iter().map(|fed| fed.task.watermark()).min().unwrap_or(BEGINNING);
        let mut fired = Outbox::default();
        self.merges
            .absorb(outbox.deltas, true, &mut fired)
            .and_then(|()| self.merges.advance(reached, true, &mut fired))
            .map_err(|halt| Stopped::Failed(reason(halt)))?;
        // Nothing is committed; but the task forgets what it has handed over.
        self.reached.write(0, reached, self.merges.closed());
        let _ = self.fed[partition].task.checkpoint(Some(&self.reached.read(0)));
        self.collect(fired.items)
    }

    fn collect(&mut self, items: Vec<Outgoing>) -> Result<(), Stopped> {
        for item in items {
            // Dead letters are counted where they arise, and go nowhere.
            let Outgoing::Rows { route, output, rows } = item else { continue };
            self.collector.take((route, output), &rows, &self.runtime.all_figures, &mut self.points)?;
        }
        Ok(())
    }

    /// Ends every partition that was not ended, and gives what came out.
    ///
    /// # Errors
    /// As [`Offline::feed`].
    pub fn finish(mut self) -> Result<Outcome, Stopped> {
        for partition in 0..self.fed.len() {
            if self.fed[partition].last.is_none() {
                self.end(partition)?;
            }
        }
        // What came before the first event kept of a partition was no later than the disorder that is allowed for.
        let first = self.fed.iter().filter(|fed| fed.cut).filter_map(|fed| fed.first).min();
        let start = first.map_or(BEGINNING, |first| first.saturating_add(self.runtime.plan.out_of_orderness));
        let end = self.fed.iter().filter_map(|fed| fed.last).max().unwrap_or(BEGINNING);
        let cut = self.fired.lock().unwrap_or_else(PoisonError::into_inner).cut(start, end);
        Ok(Outcome { points: self.points, refused: self.runtime.all_figures.refusals(), cut })
    }
}

fn begin(runtime: &Arc<SourceRuntime>, partition: Partition, now: Nanos) -> Result<Fed, Stopped> {
    let Partition { topic, number, from, cut, poison } = partition;
    let start = Start { position: from, checkpoint: Checkpoint::fresh(from), poison };
    let figures = Arc::new(PartitionFigures::default());
    let task = Task::new(Arc::clone(runtime), topic, number, start, Arc::clone(&figures), now)
        .map_err(|halt| Stopped::Failed(reason(halt)))?;
    Ok(Fed { task, figures, cut, first: None, last: None })
}

fn stopped(partition: usize, halt: Halt) -> Stopped {
    match halt {
        Halt::Rebuild(failure) if failure.culprit.is_some() => Stopped::Poisoned { partition, failure },
        halt => Stopped::Failed(reason(halt)),
    }
}

fn reason(halt: Halt) -> String {
    match halt {
        Halt::Stop(reason) => reason,
        Halt::Rebuild(failure) => failure.error.to_string(),
    }
}

/// What was refused, a line each: how many, why, where.
pub fn describe(refused: &BTreeMap<RefusalKey, u64>) -> Vec<String> {
    refused
        .iter()
        .map(|(key, count)| {
            let route = if key.route.is_empty() { "all routes".to_owned() } else { format!("route `{}`", key.route) };
            format!("{count} × {} ({}), {route}", key.code, key.stage.name())
        })
        .collect()
}
