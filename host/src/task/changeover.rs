//! From one release to the next without losing a state: new instances are made beside the old ones and given a copy of their states.
//! The windower, which knows the slots, stays as it is.

use std::sync::Arc;

use wasmill_core::plan::{AggregatePlan, PluginId, RouteId};
use wasmill_core::plugin::{Aggregator, CallError, Transformer};
use wasmill_core::window::Windower;
use wasmill_decode::{Decoded, Decoder};

use super::fold::{Fold, aggregate};
use super::route::RouteTask;
use super::{SourceRuntime, Task};

/// A route's, in the order in which rows pass them.
type Transformers = Vec<Box<dyn Transformer>>;

/// States that are carried at once: few enough to stay in the processor's cache between the two instances.
const SLOTS_A_CALL: usize = 8_192;

/// A task as it will be, if all others can change too.
pub struct Prepared {
    source: Arc<SourceRuntime>,
    decoder: Decoder,
    routes: Vec<PreparedRoute>,
    /// States that were carried over.
    pub slots: usize,
}

enum PreparedRoute {
    /// It goes on; what has changed is new.
    Kept { was: RouteId, transformers: Option<Transformers>, carried: Option<Carried> },
    /// It was not there before.
    New(Box<RouteTask>),
}

/// A new instance that holds the old one's states, in the same slots.
pub struct Carried {
    pub aggregator: Box<dyn Aggregator>,
    pub slots: usize,
}

/// What must not change for a route's states and windows to stay what they are.
pub fn same_state(old: &AggregatePlan, new: &AggregatePlan) -> bool {
    let paths = |plan: &AggregatePlan| plan.keys.iter().map(|key| key.path.clone()).collect::<Vec<_>>();
    (&old.windows, old.lateness, old.exchanged, paths(old)) == (&new.windows, new.lateness, new.exchanged, paths(new))
}

/// Whether both numbers mean one and the same configured release.
fn same_plugin(old: &SourceRuntime, was: PluginId, new: &SourceRuntime, id: PluginId) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(&old.plugins[was]), Arc::as_ptr(&new.plugins[id]))
}

/// The states of a route's aggregator in an instance of the plugin that takes over; `None` if that is the one it has.
///
/// # Errors
/// The new plugin does not start, does not read the old one's states, or the old one cannot give them.
pub fn carry(
    old: &SourceRuntime,
    was: RouteId,
    new: &SourceRuntime,
    route: RouteId,
    from: &mut dyn Aggregator,
    windower: &Windower,
) -> Result<Option<Carried>, String> {
    let (was, id) = (aggregate(old, was).plugin, aggregate(new, route).plugin);
    if same_plugin(old, was, new, id) {
        return Ok(None);
    }
    let plugin = &new.plugins[id];
    let name = &new.plan.routes[route].name;
    let fail = |error: CallError| format!("route `{name}`: {error}");
    let version = from.state_version();
    if !plugin.restores(version) {
        return Err(format!("route `{name}`: plugin `{}` does not read version {version} of the state", plugin.name()));
    }
    let mut aggregator = plugin.aggregator().map_err(fail)?;
    let slots = windower.slots_in_use();
    for slots in slots.chunks(SLOTS_A_CALL) {
        let states = from.snapshot(slots).map_err(fail)?;
        aggregator.restore(slots, version, &states).map_err(fail)?;
    }
    Ok(Some(Carried { aggregator, slots: slots.len() }))
}

impl Task {
    /// What this task would be with `next`. Changes nothing but that the old plugins are asked for their states.
    ///
    /// # Errors
    /// Why it cannot change: the route and the plugin, and what they said.
    pub fn prepare(&mut self, next: &Arc<SourceRuntime>) -> Result<Prepared, String> {
        let plan = &next.plan;
        let decoder = Decoder::new(&plan.format, &plan.fields, &plan.time_format)
            .map_err(|error| format!("source `{}`: {error}", plan.name))?;
        let mut routes = Vec::with_capacity(plan.routes.len());
        let mut slots = 0;
        for (id, route) in plan.routes.iter().enumerate() {
            let was = self.source.plan.routes.iter().position(|old| old.name == route.name);
            routes.push(match was {
                Some(was) => {
                    let (transformers, carried) = self.routes[was].prepare(next, id)?;
                    slots += carried.as_ref().map_or(0, |carried| carried.slots);
                    PreparedRoute::Kept { was, transformers, carried }
                }
                None => {
                    let new = RouteTask::new(next, id).map_err(|halt| halt.to_string())?;
                    PreparedRoute::New(Box::new(new))
                }
            });
        }
        Ok(Prepared { source: Arc::clone(next), decoder, routes, slots })
    }

    /// Becomes what was prepared. Nothing may have been processed in between.
    pub fn change_over(&mut self, prepared: Prepared) {
        let mut old: Vec<Option<RouteTask>> = self.routes.drain(..).map(Some).collect();
        for (id, route) in prepared.routes.into_iter().enumerate() {
            match route {
                PreparedRoute::New(route) => self.routes.push(*route),
                PreparedRoute::Kept { was, transformers, carried } => {
                    let Some(mut route) = old[was].take() else { continue };
                    route.change_over(Arc::clone(&prepared.source), id, transformers, carried);
                    self.routes.push(route);
                }
            }
        }
        self.source = prepared.source;
        self.decoder = prepared.decoder;
        self.decoded = Decoded::default();
    }
}

impl RouteTask {
    fn prepare(
        &mut self,
        next: &Arc<SourceRuntime>,
        id: RouteId,
    ) -> Result<(Option<Transformers>, Option<Carried>), String> {
        let old = Arc::clone(&self.source);
        let (before, after) = (&old.plan.routes[self.id].transforms, &next.plan.routes[id].transforms);
        let same = before.len() == after.len()
            && before.iter().zip(after).all(|(was, is)| same_plugin(&old, was.plugin, next, is.plugin));
        let transformers = match same {
            true => None,
            false => {
                let fresh = after.iter().map(|step| next.plugins[step.plugin].transformer());
                Some(fresh.collect::<Result<_, _>>().map_err(|error| error.to_string())?)
            }
        };
        let was = self.id;
        let carried = match &mut self.fold {
            Some(fold) => fold.carry(was, next, id)?,
            None => None,
        };
        Ok((transformers, carried))
    }

    fn change_over(
        &mut self,
        source: Arc<SourceRuntime>,
        id: RouteId,
        transformers: Option<Transformers>,
        carried: Option<Carried>,
    ) {
        if let Some(transformers) = transformers {
            self.transformers = transformers;
        }
        if let Some(fold) = &mut self.fold {
            fold.change_over(Arc::clone(&source), id, carried);
        }
        (self.source, self.id) = (source, id);
    }
}

impl Fold {
    fn carry(&mut self, was: RouteId, next: &SourceRuntime, id: RouteId) -> Result<Option<Carried>, String> {
        let old = Arc::clone(&self.source);
        carry(&old, was, next, id, self.aggregator.as_mut(), &self.windower)
    }

    fn change_over(&mut self, source: Arc<SourceRuntime>, route: RouteId, carried: Option<Carried>) {
        (self.source, self.route) = (source, route);
        if let Some(carried) = carried {
            self.aggregator = carried.aggregator;
        }
    }
}
