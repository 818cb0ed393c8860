//! From a plan and its compiled plugins to what tasks share: figures by name, resolved targets, runtimes by source.

use std::sync::Arc;

use wasmill_core::config::Config;
use wasmill_core::plan::{Plan, SourcePlan, Tail};
use wasmill_core::planner;
use wasmill_core::plugin::Plugin;
use wasmill_core::rows::RowSchema;

use crate::delivery::SinkTarget;
use crate::figures::{Figures, PluginFigures, RouteFigures, SinkFigures, SourceFigures};
use crate::outlets::ResolvedTarget;
use crate::task::SourceRuntime;

/// A compiled plugin with its release's full name.
#[derive(Clone)]
pub struct PluginHandle {
    pub plugin: Arc<dyn Plugin>,
    /// 64 hex digits.
    pub sha256: String,
}

/// Figures for everything the plan names.
pub fn figures(config: &Config, plan: &Plan, plugins: &[PluginHandle]) -> Arc<Figures> {
    let sources = plan
        .sources
        .iter()
        .map(|source| {
            let configured = config.source(&source.name);
            Arc::new(SourceFigures {
                name: source.name.clone(),
                topics: configured.map(|c| c.topics.clone()).unwrap_or_default(),
                group: configured.map(|c| c.group.clone()).unwrap_or_default(),
                ..SourceFigures::default()
            })
        })
        .collect();
    let none = Figures::default();
    let Counted { routes, plugins } = counted(plan, plugins, &none);
    let sinks = config
        .sinks
        .iter()
        .map(|sink| {
            let (name, kind) = (sink.name.value.clone(), sink.kind.name().to_owned());
            Arc::new(SinkFigures { name, kind, ..SinkFigures::default() })
        })
        .collect();
    Arc::new(Figures::new(sources, routes, plugins, sinks))
}

/// The figures of what a reload changes.
pub struct Counted {
    pub routes: Vec<Arc<RouteFigures>>,
    /// By the plan's number.
    pub plugins: Vec<Arc<PluginFigures>>,
}

impl Counted {
    /// As `figures` has them.
    pub fn of(figures: &Figures) -> Self {
        Counted { routes: figures.routes.get().to_vec(), plugins: figures.plugins.get().to_vec() }
    }
}

/// Figures of a plan's routes and plugins: those that `known` has go on, a new release starts at 0.
pub fn counted(plan: &Plan, plugins: &[PluginHandle], known: &Figures) -> Counted {
    let (known_routes, known_plugins) = (known.routes.get(), known.plugins.get());
    let routes = plan
        .sources
        .iter()
        .flat_map(|source| source.routes.iter().map(move |route| (source, route)))
        .map(|(source, route)| {
            let (name, source) = (route.name.clone(), source.name.clone());
            let old = known_routes.iter().find(|old| old.name == name && old.source == source);
            old.map_or_else(|| Arc::new(RouteFigures { name, source, ..RouteFigures::default() }), Arc::clone)
        })
        .collect();
    let plugins = plan
        .plugins
        .iter()
        .zip(plugins)
        .map(|(used, handle)| {
            let (name, release) = (used.name.clone(), handle.sha256.clone());
            let old = known_plugins.iter().find(|old| old.name == name && old.release == release);
            old.map_or_else(|| Arc::new(PluginFigures { name, release, ..PluginFigures::default() }), Arc::clone)
        })
        .collect();
    Counted { routes, plugins }
}

/// One runtime a source, in the plan's order.
pub fn runtimes(
    plan: &Plan,
    plugins: &[PluginHandle],
    counted: &Counted,
    figures: &Arc<Figures>,
) -> Vec<Arc<SourceRuntime>> {
    plan.sources
        .iter()
        .enumerate()
        .map(|(index, source)| {
            let route_figures =
                source.routes.iter().filter_map(|r| counted.routes.iter().find(|f| f.name == r.name)).cloned();
            Arc::new(SourceRuntime {
                plan: source.clone(),
                plugins: plugins.iter().map(|handle| Arc::clone(&handle.plugin)).collect(),
                plugin_figures: counted.plugins.clone(),
                figures: Arc::clone(&figures.sources[index]),
                route_figures: route_figures.collect(),
                all_figures: Arc::clone(figures),
            })
        })
        .collect()
}

/// The schemas of a route's outputs.
fn schemas(source: &SourcePlan, route: usize) -> Vec<Arc<RowSchema>> {
    match &source.routes[route].tail {
        Tail::Nothing => Vec::new(),
        Tail::Rows { schema, .. } => vec![Arc::clone(schema)],
        Tail::Aggregate(plan) => plan.schemas.clone(),
    }
}

/// Every route's targets with column numbers instead of names.
///
/// # Errors
/// A target names a column that an output does not have.
pub fn targets(source: &SourcePlan) -> Result<Vec<Vec<ResolvedTarget>>, String> {
    (0..source.routes.len())
        .map(|route| {
            let schemas = schemas(source, route);
            source.routes[route].targets.iter().map(|target| resolve(source, route, target, &schemas)).collect()
        })
        .collect()
}

fn resolve(
    source: &SourcePlan,
    route: usize,
    target: &wasmill_core::plan::Target,
    schemas: &[Arc<RowSchema>],
) -> Result<ResolvedTarget, String> {
    let name = &source.routes[route].name;
    let by_output = schemas
        .iter()
        .enumerate()
        .map(|(output, schema)| {
            let columns = planner::resolve_target(target, schema).map_err(|e| format!("route `{name}`: {e}"))?;
            // Further outputs of an aggregator are measurements of their own.
            let suffix = schema.route.rsplit_once('.').map_or("", |(_, output)| output);
            let measurement = match output {
                0 => target.measurement.clone(),
                _ => format!("{}_{suffix}", target.measurement),
            };
            Ok(Arc::new(SinkTarget {
                source: source.name.clone(),
                route: name.clone(),
                measurement,
                tags: columns.tags,
                fields: columns.fields,
                key: columns.key,
            }))
        })
        .collect::<Result<_, String>>()?;
    Ok(ResolvedTarget { sink: target.sink, by_output })
}
