//! One route in one task: condition, transformers, then windows or rows as they are.

use std::sync::Arc;

use wasmill_core::batch::{Batch, Column};
use wasmill_core::dead_letter::Stage;
use wasmill_core::plan::{Condition, From, Read, RouteId, RoutePlan, Tail, TransformPlan};
use wasmill_core::plugin::{CallError, Results, Transformer};
use wasmill_core::rows::Rows;
use wasmill_core::watermark::Progress;
use wasmill_decode::Decoded;

use super::context::{Outbox, Outgoing, Refusal, SourceRuntime};
use super::culprit;
use super::fold::Fold;
use super::frame::{Frame, scalar_text};
use super::{Halt, Poison};

/// Rows that fail a transformer in one batch before the batch is given up as a whole.
const MAX_CULPRITS_PER_BATCH: usize = 16;

/// What the batch is, for all routes.
pub struct BatchContext<'a> {
    pub decoded: &'a Decoded,
    pub progress: &'a Progress<'a>,
    /// The batch's first offset.
    pub first_offset: i64,
    pub offset_of: &'a dyn Fn(u32) -> i64,
    /// False while replay rebuilds what was emitted before.
    pub live: bool,
    /// Events that spoiled a state, by route: steered around.
    pub poison: &'a Poison,
    pub refusals: Vec<Refusal>,
    pub outbox: &'a mut Outbox,
}

/// One route of one task.
pub struct RouteTask {
    pub id: RouteId,
    pub(super) source: Arc<SourceRuntime>,
    pub(super) transformers: Vec<Box<dyn Transformer>>,
    pub fold: Option<Fold>,
}

impl RouteTask {
    pub fn new(source: &Arc<SourceRuntime>, id: RouteId) -> Result<Self, Halt> {
        let plan = &source.plan.routes[id];
        let transformers = plan
            .transforms
            .iter()
            .map(|t| source.plugins[t.plugin].transformer().map_err(|e| Halt::rebuild(t.plugin, e)))
            .collect::<Result<_, _>>()?;
        let fold = match &plan.tail {
            Tail::Aggregate(_) => Some(Fold::new(source, id)?),
            _ => None,
        };
        Ok(RouteTask { id, source: Arc::clone(source), transformers, fold })
    }

    fn plan(&self) -> &RoutePlan {
        &self.source.plan.routes[self.id]
    }

    pub fn from(&self) -> From {
        self.plan().from
    }

    /// Runs the route on a batch. Returns a frame for each output of its last transformer (or the only frame), for the routes
    /// that read from it.
    pub fn run<'a>(&mut self, mut frame: Frame<'a>, batch: &mut BatchContext<'_>) -> Result<Vec<Frame<'a>>, Halt> {
        let source = Arc::clone(&self.source);
        let plan = &source.plan.routes[self.id];
        let figures = &source.route_figures[self.id];
        let live = batch.live;
        let count = |counter: &crate::figures::Counter, rows: usize| {
            if live {
                counter.add(rows as u64);
            }
        };
        let before = frame.alive_count();
        count(&figures.rows_in, before);
        for condition in &plan.conditions {
            keep_matching(&mut frame, condition);
        }
        count(&figures.filtered, before - frame.alive_count());
        self.steer_around_poison(&mut frame, batch);

        let mut frames = vec![frame];
        for (step, transform) in plan.transforms.iter().enumerate() {
            let mut frame = frames.swap_remove(0);
            self.demand(&mut frame, &transform.reads, Stage::Transform, transform.plugin, batch);
            let results = self.transform(step, transform, &mut frame, batch)?;
            frames = transform
                .outputs
                .iter()
                .zip(results.outputs)
                .map(|(output, emitted)| frame.follow(output, emitted))
                .collect();
        }
        match &plan.tail {
            Tail::Nothing => {}
            Tail::Rows { schema, columns } => {
                let frame = &frames[0];
                let rows = frame.alive_rows();
                let times = rows.iter().map(|&row| frame.times[row as usize]).collect::<Vec<_>>();
                count(&figures.accepted, times.len());
                if batch.live && !times.is_empty() {
                    let columns = columns.iter().filter_map(|&c| frame.passed_one(c)).map(|c| c.into_owned()).collect();
                    let rows = Arc::new(Rows { schema: Arc::clone(schema), times, columns });
                    batch.outbox.items.push(Outgoing::Rows { route: self.id, output: 0, rows });
                }
            }
            Tail::Aggregate(aggregate) => {
                let frame = &mut frames[0];
                self.demand(frame, &aggregate.reads, Stage::Aggregate, aggregate.plugin, batch);
                for key in &aggregate.keys {
                    let read = Read { column: key.column, optional: false, path: key.path.clone() };
                    self.demand(frame, std::slice::from_ref(&read), Stage::Key, aggregate.plugin, batch);
                }
                if let Some(fold) = &mut self.fold {
                    fold.batch(frame, batch)?;
                }
            }
        }
        Ok(frames)
    }

    /// Rows that lack what a step requires, or hold another type there, go no further on this route.
    fn demand(&self, frame: &mut Frame<'_>, reads: &[Read], stage: Stage, plugin: usize, batch: &mut BatchContext<'_>) {
        for read in reads {
            let Some(column) = frame.column(read.column) else { continue };
            if column.valid.is_empty() {
                continue;
            }
            let mistyped = |record: u32| {
                batch
                    .decoded
                    .mistyped
                    .iter()
                    .find(|m| m.row == record && m.field == read.column)
                    .map(|m| m.found.clone())
            };
            let mut refused = Vec::new();
            for (position, &row) in frame.alive_rows().iter().enumerate() {
                if column.is_valid(row as usize) {
                    continue;
                }
                let record = frame.source_row(row);
                let (code, reason) = match mistyped(record) {
                    Some(found) => ("type", format!("field `{}` holds {found}", read.path)),
                    None if read.optional => continue,
                    None => ("missing", format!("field `{}` is missing or null", read.path)),
                };
                refused.push((position as u32, record, code, reason));
            }
            let positions: Vec<u32> = refused.iter().map(|r| r.0).collect();
            for (_, record, code, reason) in refused {
                let plugin = (stage != Stage::Key).then_some(plugin);
                batch.refusals.push(Refusal { record, stage, code, reason, route: Some(self.id), plugin, drop: false });
            }
            if !positions.is_empty() {
                frame.drop_positions(&positions);
            }
        }
    }

    /// Calls one transformer; rows that make it fail are found, dead-lettered and left out, and the call repeated.
    fn transform(
        &mut self,
        step: usize,
        plan: &TransformPlan,
        frame: &mut Frame<'_>,
        batch: &mut BatchContext<'_>,
    ) -> Result<Results, Halt> {
        for _ in 0..=MAX_CULPRITS_PER_BATCH {
            let rows = frame.alive_count();
            if rows == 0 {
                let outputs = plan.outputs.iter().map(|_| Default::default()).collect();
                return Ok(Results { outputs, rejects: Vec::new() });
            }
            let columns = frame.passed(&plan.reads);
            let columns: Vec<&Column> = columns.iter().map(|c| &**c).collect();
            let input = Batch { rows: rows as u32, columns: &columns };
            let instance = &mut self.transformers[step];
            let error = match self.source.call(plan.plugin, rows, || instance.transform(input)) {
                Ok(results) => {
                    self.note_rejects(plan.plugin, &results, frame, batch);
                    return Ok(results);
                }
                Err(error) => error,
            };
            let plugin = &self.source.plugins[plan.plugin];
            let culprit = culprit::of_transform(plugin.as_ref(), &columns, rows);
            self.transformers[step] = plugin.transformer().map_err(|e| Halt::rebuild(plan.plugin, e))?;
            let Some((position, own_error)) = culprit else { return Err(Halt::rebuild(plan.plugin, error)) };
            let record = frame.source_row(frame.alive_rows()[position]);
            batch.refusals.push(self.culprit_refusal(record, Stage::Transform, plan.plugin, &own_error));
            frame.drop_positions(&[position as u32]);
            if batch.live {
                batch.outbox.culprits.push(plan.plugin);
            }
        }
        let plugin = &self.source.plugins[plan.plugin];
        let error = CallError {
            plugin: plugin.name().to_owned(),
            release: plugin.release().to_owned(),
            function: "transform",
            fault: wasmill_core::plugin::Fault::Trap,
            message: format!("more than {MAX_CULPRITS_PER_BATCH} rows of one batch made it fail"),
        };
        Err(Halt::rebuild(plan.plugin, error))
    }

    fn note_rejects(&self, plugin: usize, results: &Results, frame: &Frame<'_>, batch: &mut BatchContext<'_>) {
        if results.rejects.is_empty() {
            return;
        }
        let alive = frame.alive_rows();
        for reject in &results.rejects {
            batch.refusals.push(Refusal {
                record: frame.source_row(alive[reject.row as usize]),
                stage: Stage::Transform,
                code: "rejected",
                reason: reject.reason.clone(),
                route: Some(self.id),
                plugin: Some(plugin),
                drop: false,
            });
        }
    }

    fn culprit_refusal(&self, record: u32, stage: Stage, plugin: usize, error: &CallError) -> Refusal {
        Refusal {
            record,
            stage,
            code: error.fault.name(),
            reason: error.to_string(),
            route: Some(self.id),
            plugin: Some(plugin),
            drop: false,
        }
    }

    /// An event that spoiled this route's state before is a dead letter, not a row.
    fn steer_around_poison(&self, frame: &mut Frame<'_>, batch: &mut BatchContext<'_>) {
        let Some(plugin) = self.plan().aggregate_plugin() else { return };
        let name = &self.plan().name;
        if !batch.poison.keys().any(|(route, _)| route == name) {
            return;
        }
        let mut poisoned = Vec::new();
        for (position, &row) in frame.alive_rows().iter().enumerate() {
            let record = frame.source_row(row);
            let offset = (batch.offset_of)(record);
            if let Some(error) = batch.poison.get(&(name.clone(), offset)) {
                poisoned.push(position as u32);
                batch.refusals.push(self.culprit_refusal(record, Stage::Aggregate, plugin, error));
            }
        }
        if !poisoned.is_empty() {
            frame.drop_positions(&poisoned);
        }
    }
}

fn keep_matching(frame: &mut Frame<'_>, condition: &Condition) {
    let Some(column) = frame.column(condition.column).cloned() else { return };
    frame.retain(|row| {
        scalar_text(&column, row as usize).is_some_and(|text| condition.values.iter().any(|value| *value == text))
    });
}
