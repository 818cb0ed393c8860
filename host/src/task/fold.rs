//! A route's windows in one task: the windower decides which slots, the aggregator computes, and what fires becomes rows.

use std::sync::Arc;

use wasmill_core::batch::{Batch, Column, Strings};
use wasmill_core::dead_letter::Stage;
use wasmill_core::plan::{AggregatePlan, OnLate, RouteId, Tail};
use wasmill_core::plugin::{Aggregator, CallError, Firing};
use wasmill_core::time::Nanos;
use wasmill_core::watermark::Watermark;
use wasmill_core::window::{Emission, Input, LowMark, Side, States, Windower};

use super::Halt;
use super::context::{Outbox, Outgoing, Refusal, SourceRuntime};
use super::culprit;
use super::emit::{Fired, invalid, rows_of};
use super::frame::Frame;
use super::route::BatchContext;
use crate::reached::Reached;

/// Below one row in this many, the chosen rows are gathered before they cross; above, the whole columns cross with a list of rows.
const GATHER_BELOW: usize = 2;

/// The aggregation of one route in one task.
pub struct Fold {
    pub(super) route: RouteId,
    pub(super) source: Arc<SourceRuntime>,
    pub(super) aggregator: Box<dyn Aggregator>,
    pub(super) windower: Windower,
    /// Of its own where a transformer of the route sets event time.
    watermark: Option<Watermark>,
    last_early: Nanos,
    slots: i64,
}

impl Fold {
    /// # Errors
    /// The plugin cannot be instantiated, or the windows reach a limit.
    pub fn new(source: &Arc<SourceRuntime>, route: RouteId) -> Result<Self, Halt> {
        let plan = aggregate(source, route);
        let aggregator = source.plugins[plan.plugin].aggregator().map_err(|error| Halt::rebuild(plan.plugin, error))?;
        let windower = match plan.exchanged {
            true => Windower::exchanged(&plan.windows, plan.lateness, plan.keys.len(), Side::Sender)?,
            false => Windower::new(&plan.windows, plan.lateness, plan.keys.len())?,
        };
        let watermark = source.plan.sets_event_time(route).then(|| Watermark::new(source.plan.out_of_orderness));
        Ok(Fold {
            route,
            source: Arc::clone(source),
            aggregator,
            windower,
            watermark,
            last_early: Nanos::MIN,
            slots: 0,
        })
    }

    /// Of its own, where a transformer of the route sets event time.
    pub fn own_watermark(&self) -> Option<&Watermark> {
        self.watermark.as_ref()
    }

    pub fn own_watermark_mut(&mut self) -> Option<&mut Watermark> {
        self.watermark.as_mut()
    }

    fn plan(&self) -> &AggregatePlan {
        aggregate(&self.source, self.route)
    }

    /// Folds a batch's rows into their windows and fires what the batch's watermark has closed.
    pub fn batch(&mut self, frame: &mut Frame<'_>, batch: &mut BatchContext<'_>) -> Result<(), Halt> {
        let source = Arc::clone(&self.source);
        let plan = aggregate(&source, self.route);
        let rows = frame.alive_rows();
        let keys: Vec<_> = plan.keys.iter().filter_map(|key| frame.key_texts(key.column)).collect();
        let keys: Vec<&Strings> = keys.iter().map(|k| &**k).collect();
        let own_progress = self.watermark.as_mut().map(|own| own.observe(&frame.times).marked_by(batch.progress));
        let progress = own_progress.as_ref().unwrap_or(batch.progress);
        let input = Input {
            rows: &rows,
            times: &frame.times,
            keys: &keys,
            source_rows: if own_progress.is_some() { None } else { frame.source_rows.as_ref().map(|r| r.as_slice()) },
            progress,
            first_offset: batch.first_offset,
        };
        let mut late = Vec::new();
        let mut states = Bound {
            source: &source,
            route: self.route,
            plan,
            aggregator: self.aggregator.as_mut(),
            folded: Some(Folded { frame, offset_of: batch.offset_of }),
            rejects: Vec::new(),
            live: batch.live,
            outbox: batch.outbox,
        };
        self.windower.fold(&input, &mut states, &mut late)?;
        if !plan.exchanged {
            self.windower.advance(progress.after(), &mut states)?;
        }
        let rejects = states.rejects;
        let (after, drop) = (progress.after(), plan.late == OnLate::Drop);
        if batch.live {
            let accepted = rows.len().saturating_sub(late.len() + rejects.len());
            source.route_figures[self.route].accepted.add(accepted as u64);
        }
        for row in late {
            let reason = format!("late: its windows had closed when it came (lateness {})", show(plan.lateness));
            batch.refusals.push(self.refusal(frame.source_row(row), Stage::Late, "late", reason, None, drop));
        }
        for (row, reason) in rejects {
            let plugin = Some(plan.plugin);
            batch.refusals.push(self.refusal(
                frame.source_row(row),
                Stage::Aggregate,
                "rejected",
                reason,
                plugin,
                false,
            ));
        }
        if plan.exchanged {
            self.hand_over(after, false, batch.outbox)?;
        }
        self.count_slots();
        Ok(())
    }

    fn refusal(
        &self,
        record: u32,
        stage: Stage,
        code: &'static str,
        reason: String,
        plugin: Option<usize>,
        drop: bool,
    ) -> Refusal {
        Refusal { record, stage, code, reason, route: Some(self.route), plugin, drop }
    }

    /// Fires what a watermark that moved without events has closed (an idle partition, the end of a bounded run).
    pub fn advance(&mut self, watermark: Nanos, live: bool, outbox: &mut Outbox) -> Result<(), Halt> {
        if self.plan().exchanged {
            return self.hand_over(watermark, false, outbox);
        }
        let watermark = match &mut self.watermark {
            Some(own) => {
                own.raise(watermark);
                own.current()
            }
            None => watermark,
        };
        self.with_states(live, outbox, |windower, states| windower.advance(watermark, states))?;
        self.count_slots();
        Ok(())
    }

    /// Rows of windows that still run, every so often by the clock.
    pub fn early(&mut self, now: Nanos, live: bool, watermark: Nanos, outbox: &mut Outbox) -> Result<(), Halt> {
        let Some(every) = self.plan().early else { return Ok(()) };
        if !live || now < self.last_early.saturating_add(every) {
            return Ok(());
        }
        self.last_early = now;
        if self.plan().exchanged {
            return self.hand_over(watermark, true, outbox);
        }
        self.with_states(live, outbox, |windower, states| windower.early(states))
    }

    /// Hands states to the exchange: those whose time is complete, or all that have changed.
    fn hand_over(&mut self, watermark: Nanos, everything: bool, outbox: &mut Outbox) -> Result<(), Halt> {
        let route = self.route;
        let mut deltas = Vec::new();
        self.with_states(true, outbox, |windower, states| {
            deltas = windower.drain(watermark, everything, states)?;
            Ok(())
        })?;
        outbox.deltas.extend(deltas.into_iter().map(|delta| (route, delta)));
        Ok(())
    }

    fn with_states(
        &mut self,
        live: bool,
        outbox: &mut Outbox,
        work: impl FnOnce(&mut Windower, &mut Bound<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let source = Arc::clone(&self.source);
        let plan = aggregate(&source, self.route);
        let mut states = Bound {
            source: &source,
            route: self.route,
            plan,
            aggregator: self.aggregator.as_mut(),
            folded: None,
            rejects: Vec::new(),
            live,
            outbox,
        };
        work(&mut self.windower, &mut states)
    }

    /// What replay must start from for this route's open windows.
    pub fn low_mark(&self) -> Option<LowMark> {
        self.windower.low_mark()
    }

    /// What the exchange has dealt with no longer holds the low mark.
    pub fn release(&mut self, exchange: &Reached) {
        if let Some(closed) = exchange.closed(&self.source.plan.routes[self.route].name) {
            self.windower.release(closed);
        }
    }

    fn count_slots(&mut self) {
        let slots = self.windower.slots() as i64;
        self.source.route_figures[self.route].slots.add(slots - self.slots);
        self.slots = slots;
    }
}

impl Drop for Fold {
    fn drop(&mut self) {
        self.source.route_figures[self.route].slots.add(-self.slots);
    }
}

/// The plan of a route that aggregates.
pub(super) fn aggregate(source: &SourceRuntime, route: RouteId) -> &AggregatePlan {
    match &source.plan.routes[route].tail {
        Tail::Aggregate(plan) => plan,
        _ => unreachable!("a fold is made only for a route that aggregates"),
    }
}

/// The batch whose rows are folded.
#[derive(Clone, Copy)]
pub struct Folded<'a> {
    frame: &'a Frame<'a>,
    /// Of a record of the batch.
    offset_of: &'a dyn Fn(u32) -> i64,
}

/// The aggregator as the windower sees it during one batch or firing.
pub struct Bound<'a> {
    pub source: &'a SourceRuntime,
    pub route: RouteId,
    pub plan: &'a AggregatePlan,
    pub aggregator: &'a mut dyn Aggregator,
    /// `None` where no rows are folded.
    pub folded: Option<Folded<'a>>,
    /// Frame rows the plugin refused, and why.
    pub rejects: Vec<(u32, String)>,
    pub live: bool,
    pub outbox: &'a mut Outbox,
}

impl Bound<'_> {
    fn call<T>(
        &mut self,
        rows: usize,
        call: impl FnOnce(&mut dyn Aggregator) -> Result<T, CallError>,
    ) -> Result<T, Halt> {
        let aggregator = &mut *self.aggregator;
        self.source
            .call(self.plan.plugin, rows, || call(aggregator))
            .map_err(|error| Halt::rebuild(self.plan.plugin, error))
    }

    /// Adds to a failed `accumulate` the event that causes it, if one alone does.
    fn name_culprit(&self, halt: Halt, folded: Folded<'_>, rows: &[u32], slots: &[u32]) -> Halt {
        let Halt::Rebuild(mut failure) = halt else { return halt };
        let plugin = &self.source.plugins[self.plan.plugin];
        let frame = folded.frame;
        let columns: Vec<Column> =
            self.plan.reads.iter().filter_map(|read| frame.column(read.column)).map(|c| c.gather(rows)).collect();
        let columns: Vec<&Column> = columns.iter().collect();
        failure.culprit = culprit::of_accumulate(plugin.as_ref(), &columns, slots).map(|(position, _)| {
            let record = frame.source_row(rows[position]);
            (self.source.plan.routes[self.route].name.clone(), (folded.offset_of)(record))
        });
        Halt::Rebuild(failure)
    }
}

impl States for Bound<'_> {
    type Error = Halt;

    fn accumulate(&mut self, rows: &[u32], slots: &[u32]) -> Result<(), Halt> {
        let Some(folded) = self.folded else { return Ok(()) };
        let frame = folded.frame;
        let columns: Vec<&Column> = self.plan.reads.iter().filter_map(|read| frame.column(read.column)).collect();
        let gather = !columns.is_empty() && rows.len() * GATHER_BELOW < frame.rows as usize;
        let result = if columns.is_empty() || gather {
            let gathered: Vec<Column> = columns.iter().map(|column| column.gather(rows)).collect();
            let columns: Vec<&Column> = gathered.iter().collect();
            let input = Batch { rows: slots.len() as u32, columns: &columns };
            let result = self.call(slots.len(), |aggregator| aggregator.accumulate(input, &[], slots));
            result.map(|rejects| rejects.into_iter().map(|r| (rows[r.row as usize], r.reason)).collect::<Vec<_>>())
        } else {
            let input = Batch { rows: frame.rows, columns: &columns };
            let result = self.call(slots.len(), |aggregator| aggregator.accumulate(input, rows, slots));
            result.map(|rejects| rejects.into_iter().map(|r| (r.row, r.reason)).collect())
        };
        match result {
            Ok(rejects) => {
                self.rejects.extend(rejects);
                Ok(())
            }
            Err(halt) => Err(self.name_culprit(halt, folded, rows, slots)),
        }
    }

    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), Halt> {
        self.call(into.len(), |aggregator| aggregator.merge(into, other))
    }

    fn emit(&mut self, emission: Emission<'_>) -> Result<(), Halt> {
        let figures = &self.source.route_figures[self.route];
        if !self.live || emission.slots.is_empty() {
            return Ok(());
        }
        match emission.firing {
            Firing::Early => figures.windows_early.add(emission.slots.len() as u64),
            Firing::OnTime => figures.windows_on_time.add(emission.slots.len() as u64),
            Firing::Late => figures.windows_late.add(emission.slots.len() as u64),
        }
        let keys: Vec<&Column> = emission.keys.iter().collect();
        let results = self.call(emission.slots.len(), |aggregator| {
            aggregator.emit(emission.slots, emission.windows, &keys, emission.firing)
        })?;
        let fired = Fired { windows: emission.windows, keys: emission.keys, size_label: emission.size };
        let plugin = &self.source.plugins[self.plan.plugin];
        let rows = rows_of(self.plan, &fired, results)
            .map_err(|message| Halt::rebuild(self.plan.plugin, invalid(plugin.as_ref(), message)))?;
        for (output, rows) in rows {
            figures.rows_out.add(rows.len() as u64);
            self.outbox.items.push(Outgoing::Rows { route: self.route, output, rows: Arc::new(rows) });
        }
        Ok(())
    }

    fn forget(&mut self, slots: &[u32]) -> Result<(), Halt> {
        self.call(slots.len(), |aggregator| aggregator.forget(slots))
    }

    fn snapshot(&mut self, slots: &[u32]) -> Result<Strings, Halt> {
        self.call(slots.len(), |aggregator| aggregator.snapshot(slots))
    }

    fn restore(&mut self, slots: &[u32], states: &Strings) -> Result<(), Halt> {
        let version = self.aggregator.state_version();
        self.call(slots.len(), |aggregator| aggregator.restore(slots, version, states))
    }
}

/// A length of time as a person writes it.
pub fn show(nanos: Nanos) -> String {
    format!("{:?}", std::time::Duration::from_nanos(nanos.max(0) as u64))
}
