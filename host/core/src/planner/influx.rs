//! Names that InfluxDB cannot hold are found before anything runs, not by the first point.

use std::ops::Range;
use std::slice;

use super::Planner;
use super::target::resolve_target;
use crate::config::{Diagnostic, Route, SinkKind, To};
use crate::line_protocol::{Part, check_name};
use crate::path::Path;
use crate::plan::{SourcePlan, Tail};
use crate::rows::RowSchema;

impl Planner<'_> {
    pub(super) fn check_influx_names(&mut self, source: &SourcePlan) {
        for plan in &source.routes {
            let Some(route) = self.config.route(&plan.name) else { continue };
            let schemas = match &plan.tail {
                Tail::Nothing => continue,
                Tail::Rows { schema, .. } => slice::from_ref(schema),
                Tail::Aggregate(aggregate) => &aggregate.schemas,
            };
            for (to, target) in route.to.iter().zip(&plan.targets) {
                if !matches!(self.config.sinks[target.sink].kind, SinkKind::Influxdb(_)) {
                    continue;
                }
                for schema in schemas {
                    let Ok(resolved) = resolve_target(target, schema) else { continue };
                    let column = |column: &usize| schema.columns[*column].name.as_str();
                    let measurement = (Part::Measurement, resolved.measurement.as_str());
                    let tags = resolved.tags.iter().map(|tag| (Part::TagKey, column(tag)));
                    let fields = resolved.fields.iter().map(|field| (Part::FieldKey, column(field)));
                    for (part, name) in [measurement].into_iter().chain(tags).chain(fields) {
                        self.check_influx_name(route, to, schema, part, name);
                    }
                }
            }
        }
    }

    fn check_influx_name(&mut self, route: &Route, to: &To, schema: &RowSchema, part: Part, name: &str) {
        let Err(why) = check_name(part, name) else { return };
        let help = match part {
            Part::Measurement => "give it another `measurement`",
            Part::TagKey if route.key.iter().any(|key| key.name == name) => {
                "name the tag otherwise: `key = [{ field = \"…\", as = \"…\" }]`"
            }
            _ => "let a transformer write it under another name, or leave it out with `tags` or `fields`",
        };
        let message = format!("sink `{}` cannot take rows of route `{}`: {why}", to.sink.value, schema.route);
        self.error(Diagnostic::error(&place(route, to, part, name), message, "this name").help(help));
    }
}

/// Where the configuration says the name: in `to`, or in the route's key; the sink if a plugin chose it.
fn place(route: &Route, to: &To, part: Part, name: &str) -> Range<usize> {
    let listed = match part {
        Part::Measurement => None,
        Part::TagKey => to.tags.as_ref(),
        Part::FieldKey => to.fields.as_ref(),
    };
    // A column of an event is called by the last part of its path.
    let called = |path: &str| path == name || Path::parse(path).is_ok_and(|path| path.last() == name);
    let listed = listed.into_iter().flatten().find(|path| called(&path.value));
    let key = || route.key.iter().find(|key| part == Part::TagKey && key.name == name).map(|key| &key.path);
    listed.or_else(key).unwrap_or(&to.sink).span.clone()
}
