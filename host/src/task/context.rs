//! What a batch carries along besides its rows: what was refused, what goes out, whose figures are counted.

use std::sync::Arc;
use std::time::Instant;

use wasmill_core::dead_letter::{DeadLetter, Stage};
use wasmill_core::plan::{PluginId, RouteId, SourcePlan};
use wasmill_core::plugin::{CallError, Plugin};
use wasmill_core::records::Records;
use wasmill_core::rows::Rows;
use wasmill_core::window::Delta;

use crate::figures::{Figures, PluginFigures, RefusalKey, RouteFigures, SourceFigures};

/// One source of the plan with what its tasks share.
pub struct SourceRuntime {
    pub plan: SourcePlan,
    /// By [`PluginId`], as are `plugin_figures`.
    pub plugins: Vec<Arc<dyn Plugin>>,
    pub plugin_figures: Vec<Arc<PluginFigures>>,
    pub figures: Arc<SourceFigures>,
    /// By [`RouteId`].
    pub route_figures: Vec<Arc<RouteFigures>>,
    pub all_figures: Arc<Figures>,
}

/// One row that some step refused. Kept with its row number until the batch is through: only then are payloads copied.
#[derive(Debug)]
pub struct Refusal {
    /// Which record of the batch.
    pub record: u32,
    pub stage: Stage,
    pub code: &'static str,
    pub reason: String,
    pub route: Option<RouteId>,
    pub plugin: Option<PluginId>,
    /// The configuration says to count it and forget it.
    pub drop: bool,
}

/// What leaves a task, in order.
#[derive(Debug)]
pub enum Outgoing {
    Rows { route: RouteId, output: usize, rows: Arc<Rows> },
    DeadLetter(Box<DeadLetter>),
}

/// Everything one batch (or one firing by the clock) sends on. Handed over only when the whole batch came through, so that a
/// failure half-way leaves nothing behind.
#[derive(Debug, Default)]
pub struct Outbox {
    pub items: Vec<Outgoing>,
    /// Panes and pieces of sessions, for the exchange.
    pub deltas: Vec<(RouteId, Delta)>,
    /// The transformers that failed, once for each row found to make them fail.
    pub culprits: Vec<PluginId>,
}

/// A plugin call failed in a way that spoils a state: the task must be rebuilt by replay.
#[derive(Debug)]
pub struct Failure {
    pub plugin: PluginId,
    pub error: CallError,
    /// The event that causes it, if bisecting found one: the rebuilt task steers around it on this route.
    pub culprit: Option<(String, i64)>,
}

impl SourceRuntime {
    /// Runs a plugin call and counts it.
    pub fn call<T>(
        &self,
        plugin: PluginId,
        rows: usize,
        call: impl FnOnce() -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let figures = &self.plugin_figures[plugin];
        let started = Instant::now();
        let result = call();
        figures.call_seconds.record(started.elapsed());
        figures.calls.add(1);
        figures.rows.add(rows as u64);
        if result.is_err() {
            figures.traps.add(1);
        }
        result
    }

    /// Counts refusals and turns them into dead letters with their events' own key, value and headers.
    pub fn dead_letters(
        &self,
        refusals: Vec<Refusal>,
        records: &Records,
        first: usize,
        topic: &str,
        partition: i32,
        outbox: &mut Outbox,
    ) {
        for refusal in refusals {
            self.count(&refusal);
            if refusal.drop {
                continue;
            }
            let record = &records.records[first + refusal.record as usize];
            let plugin = refusal.plugin.map(|id| &self.plugins[id]);
            outbox.items.push(Outgoing::DeadLetter(Box::new(DeadLetter {
                source: self.plan.name.clone(),
                topic: topic.to_owned(),
                partition,
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                stage: refusal.stage,
                code: refusal.code,
                reason: refusal.reason,
                route: refusal.route.map(|id| self.plan.routes[id].name.clone()),
                plugin: plugin.map(|p| p.name().to_owned()),
                release: plugin.map(|p| p.release().to_owned()),
                key: records.bytes(record.key).map(<[u8]>::to_vec),
                value: records.bytes(record.value).map(<[u8]>::to_vec),
                headers: records.headers(record).map(|(n, v)| (n.to_owned(), v.map(<[u8]>::to_vec))).collect(),
            })));
        }
    }

    fn count(&self, refusal: &Refusal) {
        match refusal.route {
            None => self.figures.invalid.add(1),
            Some(route) if refusal.stage == Stage::Late => self.route_figures[route].late.add(1),
            Some(route) => self.route_figures[route].rejected.add(1),
        }
        if let (Some(plugin), "rejected") = (refusal.plugin, refusal.code) {
            self.plugin_figures[plugin].rejects.add(1);
        }
        let key = RefusalKey {
            source: self.plan.name.clone(),
            route: refusal.route.map(|id| self.plan.routes[id].name.clone()).unwrap_or_default(),
            stage: refusal.stage,
            code: refusal.code.to_owned(),
            dropped: refusal.drop,
        };
        self.all_figures.refuse(key, 1);
    }
}
