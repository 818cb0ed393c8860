//! The exchange's pure part: panes in, rows out. It knows no thread, no queue, and the clock only where it is told.

use std::sync::Arc;

use wasmill_core::plan::{AggregatePlan, RouteId, Tail};
use wasmill_core::plugin::Aggregator;
use wasmill_core::time::Nanos;
use wasmill_core::window::{Closed, Delta, Side, Windower};

use crate::task::{Bound, Carried, Halt, Outbox, SourceRuntime, carry};

/// One exchanged route.
struct Merge {
    route: RouteId,
    name: Arc<str>,
    aggregator: Box<dyn Aggregator>,
    windower: Windower,
    last_early: Nanos,
}

/// A merge's number under another plan, and its states there if they were copied.
pub type Prepared = (RouteId, Option<Carried>);

/// The exchanged routes of a source.
pub struct Merges {
    runtime: Arc<SourceRuntime>,
    merges: Vec<Merge>,
}

impl Merges {
    /// Of no route: as long as there is nothing to exchange.
    pub fn none(runtime: &Arc<SourceRuntime>) -> Self {
        Merges { runtime: Arc::clone(runtime), merges: Vec::new() }
    }

    /// # Errors
    /// A plugin that cannot be instantiated, windows that reach a limit.
    pub fn new(runtime: &Arc<SourceRuntime>) -> Result<Self, Halt> {
        let merges = exchanged(runtime)
            .into_iter()
            .map(|(route, plan)| {
                let plugin = &runtime.plugins[plan.plugin];
                let aggregator = plugin.aggregator().map_err(|error| Halt::rebuild(plan.plugin, error))?;
                let windower = Windower::exchanged(&plan.windows, plan.lateness, plan.keys.len(), Side::Receiver)?;
                let name = runtime.plan.routes[route].name.as_str().into();
                Ok(Merge { route, name, aggregator, windower, last_early: Nanos::MIN })
            })
            .collect::<Result<_, Halt>>()?;
        Ok(Merges { runtime: Arc::clone(runtime), merges })
    }

    pub fn is_empty(&self) -> bool {
        self.merges.is_empty()
    }

    /// What of each route is closed for good, by its name.
    pub fn closed(&self) -> impl Iterator<Item = (Arc<str>, Closed)> {
        self.merges.iter().map(|merge| (Arc::clone(&merge.name), merge.windower.closed()))
    }

    /// Takes in panes (and pieces of sessions) of a partition. `live`: false while a replay brings again what was emitted long ago.
    ///
    /// # Errors
    /// A plugin failed, or the windows reach a limit; so with all that follow.
    pub fn absorb(&mut self, deltas: Vec<(RouteId, Delta)>, live: bool, outbox: &mut Outbox) -> Result<(), Halt> {
        for (route, delta) in deltas {
            let Some(merge) = self.merges.iter_mut().find(|merge| merge.route == route) else { continue };
            let before = merge.windower.lost();
            merge.with_states(&self.runtime, live, outbox, |windower, states| windower.absorb(&delta, states))?;
            // A replay brings again what was emitted long ago; anything else was not waited for.
            if live {
                self.runtime.route_figures[route].lost_states.add(merge.windower.lost() - before);
            }
        }
        Ok(())
    }

    /// Fires what the watermark (the least of the partitions') has closed. Also where it stands still: what was absorbed may correct
    /// windows that have fired.
    pub fn advance(&mut self, watermark: Nanos, live: bool, outbox: &mut Outbox) -> Result<(), Halt> {
        for merge in &mut self.merges {
            merge.with_states(&self.runtime, live, outbox, |windower, states| windower.advance(watermark, states))?;
        }
        Ok(())
    }

    /// Each merge's new number and, where the plugin changes, its states in an instance of the new one. The error: what cannot be
    /// carried over.
    pub fn prepare(&mut self, next: &Arc<SourceRuntime>) -> Result<Vec<Prepared>, String> {
        let old = Arc::clone(&self.runtime);
        let merges = self.merges.iter_mut().map(|merge| {
            let name = &old.plan.routes[merge.route].name;
            let route = next.plan.routes.iter().position(|route| route.name == *name);
            let route = route.ok_or_else(|| format!("route `{name}` is gone"))?;
            let carried = carry(&old, merge.route, next, route, merge.aggregator.as_mut(), &merge.windower)?;
            Ok((route, carried))
        });
        merges.collect()
    }

    /// Goes on as [`Merges::prepare`] found it possible.
    pub fn change(&mut self, next: &Arc<SourceRuntime>, prepared: Vec<Prepared>) {
        self.runtime = Arc::clone(next);
        for (merge, (route, carried)) in self.merges.iter_mut().zip(prepared) {
            merge.route = route;
            if let Some(carried) = carried {
                merge.aggregator = carried.aggregator;
            }
        }
    }

    /// Rows of windows that still run, of the routes for which they are due at `now`.
    pub fn early(&mut self, now: Nanos, outbox: &mut Outbox) -> Result<(), Halt> {
        for merge in &mut self.merges {
            let Some(every) = plan_of(&self.runtime, merge.route).and_then(|plan| plan.early) else { continue };
            if now >= merge.last_early.saturating_add(every) {
                merge.last_early = now;
                merge.with_states(&self.runtime, true, outbox, |windower, states| windower.early(states))?;
            }
        }
        Ok(())
    }
}

impl Merge {
    fn with_states(
        &mut self,
        runtime: &SourceRuntime,
        live: bool,
        outbox: &mut Outbox,
        work: impl FnOnce(&mut Windower, &mut Bound<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let Some(plan) = plan_of(runtime, self.route) else { return Ok(()) };
        let mut states = Bound {
            source: runtime,
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
}

fn plan_of(runtime: &SourceRuntime, route: RouteId) -> Option<&AggregatePlan> {
    match &runtime.plan.routes[route].tail {
        Tail::Aggregate(plan) => Some(plan),
        _ => None,
    }
}

/// The routes of a source that need the exchange.
pub fn exchanged(runtime: &SourceRuntime) -> Vec<(RouteId, &AggregatePlan)> {
    (0..runtime.plan.routes.len())
        .filter_map(|route| Some((route, plan_of(runtime, route)?)))
        .filter(|(_, plan)| plan.exchanged)
        .collect()
}
