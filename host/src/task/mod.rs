//! One partition of a source with all routes that read it: from records to rows, top to bottom.
//!
//! A task knows nothing of Kafka, of sinks or of threads. It is given records in the order of their offsets and gives back an
//! [`Outbox`]; what it emits is a function of those records alone, so it can be thrown away and rebuilt by replay.

mod changeover;
mod checkpoint;
mod context;
mod culprit;
mod emit;
mod event_time;
mod fold;
mod frame;
mod idleness;
mod own_time;
mod route;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use wasmill_core::checkpoint::Checkpoint;
use wasmill_core::plan::{From, OnInvalid, PluginId};
use wasmill_core::plugin::CallError;
use wasmill_core::records::Records;
use wasmill_core::time::{BEGINNING, END, Nanos};
use wasmill_core::watermark::Watermark;
use wasmill_core::window::WindowError;
use wasmill_decode::{Decoded, Decoder};

pub use changeover::{Carried, Prepared, carry, same_state};
pub use context::{Failure, Outbox, Outgoing, Refusal, SourceRuntime};
pub use fold::Bound;
pub use frame::scalar_text;

use crate::figures::PartitionFigures;
use frame::Frame;
use own_time::OwnTimes;
use route::{BatchContext, RouteTask};

/// Records a batch holds at the most: wide enough that a call's price vanishes, within the contract's 8192 rows.
pub const MAX_BATCH_ROWS: usize = 4096;
/// Payload bytes a batch holds at the most (a single larger event travels alone): the contract's 1 MiB.
pub const MAX_BATCH_BYTES: usize = 1 << 20;

/// Why a task cannot go on.
#[derive(Debug)]
pub enum Halt {
    /// A plugin spoiled its state: rebuild by replay.
    Rebuild(Box<Failure>),
    /// `on_invalid = "stop"` met an invalid event.
    Stop(String),
}

impl Halt {
    /// A call failed in a way that spoils a state.
    pub fn rebuild(plugin: PluginId, error: CallError) -> Self {
        Halt::Rebuild(Box::new(Failure { plugin, error, culprit: None }))
    }
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Halt::Rebuild(failure) => write!(f, "{}", failure.error),
            Halt::Stop(reason) => f.write_str(reason),
        }
    }
}

impl std::convert::From<WindowError> for Halt {
    fn from(error: WindowError) -> Self {
        Halt::Stop(error.to_string())
    }
}

/// Events that spoiled the state of a route, by its name and their offset, and how.
pub type Poison = HashMap<(String, i64), CallError>;

/// Where a task starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// What was emitted before this offset was acknowledged: up to it, replay emits nothing.
    pub position: i64,
    pub checkpoint: Checkpoint,
    /// They go to the dead letters.
    pub poison: Poison,
}

pub struct Task {
    source: Arc<SourceRuntime>,
    pub topic: Arc<str>,
    pub partition: i32,
    decoder: Decoder,
    decoded: Decoded,
    watermark: Watermark,
    routes: Vec<RouteTask>,
    /// The next offset to be handled.
    position: i64,
    /// Rows of events before this offset were emitted and acknowledged already.
    live_from: i64,
    poison: Poison,
    /// How idleness raised the watermark, by offset: repeated by replay, kept for the next checkpoint.
    raises: Vec<(i64, Nanos)>,
    raises_to_repeat: Vec<(i64, Nanos)>,
    /// Since when, by the clock, nothing has come.
    quiet_since: Nanos,
    at_end: bool,
    own_times: OwnTimes,
    figures: Arc<PartitionFigures>,
}

impl Task {
    /// # Errors
    /// A plugin that cannot be instantiated.
    pub fn new(
        source: Arc<SourceRuntime>,
        topic: Arc<str>,
        partition: i32,
        start: Start,
        figures: Arc<PartitionFigures>,
        now: Nanos,
    ) -> Result<Self, Halt> {
        let plan = &source.plan;
        let decoder = Decoder::new(&plan.format, &plan.fields, &plan.time_format)
            .map_err(|error| Halt::Stop(format!("source `{}`: {error}", plan.name)))?;
        let mut routes: Vec<RouteTask> =
            (0..plan.routes.len()).map(|id| RouteTask::new(&source, id)).collect::<Result<_, _>>()?;
        let checkpoint = start.checkpoint;
        OwnTimes::restore(&checkpoint, &mut routes);
        let mut watermark = Watermark::new(plan.out_of_orderness);
        watermark.restore(checkpoint.running_max, checkpoint.floor);
        let task = Task {
            decoder,
            decoded: Decoded::default(),
            watermark,
            routes,
            position: checkpoint.low_mark,
            live_from: start.position,
            poison: start.poison,
            raises: checkpoint.raises.clone(),
            raises_to_repeat: checkpoint.raises,
            quiet_since: now,
            at_end: false,
            own_times: OwnTimes::default(),
            figures,
            source,
            topic,
            partition,
        };
        task.show();
        Ok(task)
    }

    /// The next offset to be handled.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// False while replay rebuilds what was emitted before.
    pub fn live(&self) -> bool {
        self.position >= self.live_from
    }

    pub fn watermark(&self) -> Nanos {
        self.watermark.current()
    }

    /// The next batch of `records` from record `first` on: never across the offset from which rows are emitted, nor across one at
    /// which idleness had raised the watermark. Records handled before (a replayed fetch) are passed over. `None`: none is left.
    pub fn next_batch(&self, records: &Records, first: usize) -> Option<Range<usize>> {
        let records = &records.records;
        let start = first + records[first..].iter().position(|r| r.offset >= self.position)?;
        let from = records[start].offset;
        let mut cut = if from < self.live_from { self.live_from } else { i64::MAX };
        if let Some(&(offset, _)) = self.raises_to_repeat.iter().find(|(offset, _)| *offset > from) {
            cut = cut.min(offset);
        }
        let mut bytes = 0;
        let mut end = start;
        while end < records.len() && end - start < MAX_BATCH_ROWS && records[end].offset < cut {
            bytes += records[end].value.len as usize;
            if bytes > MAX_BATCH_BYTES && end > start {
                break;
            }
            end += 1;
        }
        Some(start..end)
    }

    /// Handles one batch. Either all of it came through and the outbox holds what it sends on, or nothing did.
    pub fn process(
        &mut self,
        records: &Records,
        range: Range<usize>,
        now: Nanos,
        outbox: &mut Outbox,
    ) -> Result<(), Halt> {
        let batch_records = &records.records[range.clone()];
        let Some(first) = batch_records.first() else { return Ok(()) };
        let source = Arc::clone(&self.source);
        let live = first.offset >= self.live_from;
        self.repeat_raises(first.offset, outbox)?;
        self.own_times.note(first.offset, &self.watermark, &self.routes);

        // Payloads become columns; what is no event ends here.
        self.decoder.decode(records, range.clone(), &self.topic, self.partition, &mut self.decoded);
        let mut refusals = self.undecodable();
        let mut times = self.event_times(records, &range, now, &mut refusals);
        if let (OnInvalid::Stop, Some(refusal)) = (source.plan.on_invalid, refusals.first()) {
            let offset = batch_records[refusal.record as usize].offset;
            return Err(Halt::Stop(format!(
                "{} [{}] offset {offset}: {} (the source has on_invalid = \"stop\")",
                self.topic, self.partition, refusal.reason
            )));
        }
        for refusal in &refusals {
            times[refusal.record as usize] = BEGINNING;
        }
        for &record in &self.decoded.tombstones {
            times[record as usize] = BEGINNING;
        }

        // Event time moves on, record by record; every row is judged by what it had reached before.
        let progress = self.watermark.observe(&times);

        // Each route, behind the one it reads from.
        let mut frame =
            Frame::new(source.plan.frame, &self.decoded.columns, Rc::new(times.clone()), source.plan.time_column);
        if !refusals.is_empty() || !self.decoded.tombstones.is_empty() {
            frame.retain(|row| times[row as usize] != BEGINNING);
        }
        let mut batch = BatchContext {
            decoded: &self.decoded,
            progress: &progress,
            first_offset: first.offset,
            offset_of: &|record| batch_records[record as usize].offset,
            live,
            poison: &self.poison,
            refusals,
            outbox,
        };
        let mut outputs: Vec<Vec<Frame<'_>>> = Vec::with_capacity(self.routes.len());
        for route in &mut self.routes {
            let input = match route.from() {
                From::Source => frame.clone(),
                From::Route { route, output } => outputs[route][output].clone(),
            };
            outputs.push(route.run(input, &mut batch)?);
        }
        drop((outputs, frame));

        // Refused events keep their own bytes; the position moves behind the batch.
        let refusals = batch.refusals;
        if live {
            source.dead_letters(refusals, records, range.start, &self.topic, self.partition, outbox);
        }
        self.note_progress(records, &range, now, live);
        self.repeat_raises(self.position, outbox)
    }

    fn note_progress(&mut self, records: &Records, range: &Range<usize>, now: Nanos, live: bool) {
        let batch = &records.records[range.clone()];
        if let Some(last) = batch.last() {
            self.position = last.offset + 1;
        }
        self.quiet_since = now;
        self.at_end = false;
        if live {
            self.figures.events.add(batch.len() as u64);
            self.figures.bytes.add(batch.iter().map(|r| u64::from(r.value.len) + u64::from(r.key.len)).sum());
            self.source.figures.tombstones.add(self.decoded.tombstones.len() as u64);
        }
        self.show();
    }

    fn show(&self) {
        self.figures.position.set(self.position);
        self.figures.watermark.set(self.watermark.current());
        self.figures.max_event_time.set(self.watermark.running_max());
        self.figures.replaying.store(!self.live(), Relaxed);
    }

    /// The log ends at `offset`; where nothing but markers of transactions lies between, the position moves there.
    pub fn reached_end(&mut self, offset: i64) -> Result<Outbox, Halt> {
        let mut outbox = Outbox::default();
        self.position = self.position.max(offset);
        self.at_end = true;
        self.repeat_raises(self.position, &mut outbox)?;
        self.show();
        Ok(outbox)
    }

    /// The end of a bounded run: every window closes.
    pub fn finish(&mut self) -> Result<Outbox, Halt> {
        let mut outbox = Outbox::default();
        self.advance_to(END, true, &mut outbox)?;
        Ok(outbox)
    }
}
