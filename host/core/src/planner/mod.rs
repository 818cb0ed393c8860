//! Configuration + descriptors → [`Plan`]: names become indices, edges are type-checked, frames are laid out.
//!
//! All mistakes are collected. A route that cannot be planned is left out, with those that read from it, so that one mistake
//! is reported once and does not hide others.

mod aggregate;
mod bind;

mod explain;
mod frame;
mod influx;
mod keeps;
mod partitions;
mod route;
mod rows;
mod target;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};

pub use explain::{Explanation, explain};
pub use partitions::Alignment;
pub use target::{ResolvedTarget, resolve_target};
pub use warnings::warnings;

use crate::config::{Config, Diagnostic, Source};
use crate::decode_spec::{DecodeField, DecodeKind};
use crate::plan::{Plan, PluginId, PluginUse, SourcePlan, Tail, TimeSource};
use crate::schema::{Descriptor, Kind};
use frame::Frame;

/// What kind of plugin a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    Transformer,
    Aggregator,
}

/// A loaded plugin, as far as the planner needs it.
#[derive(Clone, Debug)]
pub struct Described {
    pub descriptor: Descriptor,
    pub world: World,
}

/// Plans the whole configuration. `described` is keyed by the plugins' names in it; a plugin that is absent had errors of its
/// own, and routes that use it are left out without another word.
pub fn plan(config: &Config, described: &BTreeMap<String, Described>) -> Result<Plan, Vec<Diagnostic>> {
    let mut planner =
        Planner { config, described, plugins: Vec::new(), diagnostics: Vec::new(), failed: BTreeSet::new() };
    let sources: Vec<SourcePlan> = config.sources.iter().filter_map(|source| planner.source(source)).collect();
    sources.iter().for_each(|source| planner.check_influx_names(source));
    if planner.diagnostics.iter().any(Diagnostic::is_error) {
        planner.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        return Err(planner.diagnostics);
    }
    Ok(Plan {
        plugins: planner.plugins,
        sinks: config.sinks.iter().map(|sink| sink.name.value.clone()).collect(),
        sources,
    })
}

struct Planner<'a> {
    config: &'a Config,
    described: &'a BTreeMap<String, Described>,
    plugins: Vec<PluginUse>,
    diagnostics: Vec<Diagnostic>,
    /// Routes that could not be planned.
    failed: BTreeSet<String>,
}

impl<'a> Planner<'a> {
    /// `None` where no route reads it: then it is not consumed either.
    fn source(&mut self, source: &'a Source) -> Option<SourcePlan> {
        let mut frame = Frame::new(source);
        let time = match source.time.value.as_str() {
            "@timestamp" => TimeSource::Record,
            "@now" => TimeSource::Now,
            path => TimeSource::Column(
                frame.decode(DecodeField { path: path.to_owned(), kind: DecodeKind::Kind(Kind::Timestamp) }),
            ),
        };
        let mut routes = self.routes(source, &mut frame);
        if routes.is_empty() {
            return None;
        }
        keeps::fill(&mut routes);
        let mut plan = SourcePlan {
            name: source.name.value.clone(),
            format: source.format,
            time_format: source.time_format.clone(),
            fields: Vec::new(),
            time,
            out_of_orderness: source.out_of_orderness,
            idle_after: source.idle_after,
            max_ahead: source.max_ahead,
            on_invalid: source.on_invalid,
            frame: 0,
            time_column: None,
            routes,
        };
        frame.finish(&mut plan);
        self.refuse_exchanged_event_time(&plan);
        Some(plan)
    }

    /// The exchange has one watermark a source; a route whose plugin sets event time has its own.
    fn refuse_exchanged_event_time(&mut self, plan: &SourcePlan) {
        for (id, route) in plan.routes.iter().enumerate() {
            let exchanged = matches!(&route.tail, Tail::Aggregate(aggregate) if aggregate.exchanged);
            let Some(configured) = self.config.route(&route.name).filter(|_| exchanged && plan.sets_event_time(id))
            else {
                continue;
            };
            let message = format!(
                "a plugin of route `{}` sets event time, and its key needs rows of all partitions: their times cannot be compared",
                route.name
            );
            let help = "key the route by what the topic is partitioned by (`partitioned_by`), or set event time in the source (`time`)";
            self.error(Diagnostic::error(&configured.name.span, message, "this route").help(help));
        }
    }

    /// The plugin's number in the plan.
    fn plugin(&mut self, name: &str, described: &Described) -> PluginId {
        if let Some(known) = self.plugins.iter().position(|known| known.name == name) {
            return known;
        }
        self.plugins.push(PluginUse { name: name.to_owned(), descriptor: described.descriptor.clone() });
        self.plugins.len() - 1
    }

    fn error(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}
