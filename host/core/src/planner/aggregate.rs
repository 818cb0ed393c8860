//! The folding end of a route: key, windows, and the rows that come out.

use std::sync::Arc;

use super::frame::{Frame, Scope, Written};
use super::partitions::Alignment;
use super::{Planner, World, bind};
use crate::config::{Aggregate, Diagnostic, Route, Source};
use crate::plan::{AggregatePlan, Key, WindowSpec};
use crate::rows::{RowColumn, RowSchema};
use crate::schema::{Kind, Output, Role};

/// The tag that tells the sizes of a rollup apart.
pub const WINDOW_TAG: &str = "window";

impl Planner<'_> {
    pub(super) fn aggregate(
        &mut self,
        source: &Source,
        frame: &mut Frame,
        route: &Route,
        aggregate: &Aggregate,
        scope: &Scope,
    ) -> Option<AggregatePlan> {
        let keys = self.keys(frame, route, scope);
        let (plugin, described) = self.used(&aggregate.plugin, World::Aggregator)?;
        let reads = self.reads(frame, scope, &aggregate.plugin, described);
        let keys = keys?;
        let exchanged = self.exchanged(source, aggregate, &keys);
        let mut tags: Vec<RowColumn> = keys.iter().map(|(key, written)| key_column(key, written.as_ref())).collect();
        if matches!(&aggregate.windows.value, WindowSpec::Tumbling { sizes, .. } if sizes.len() > 1) {
            tags.push(RowColumn { name: WINDOW_TAG.into(), kind: Kind::Text, role: Role::Tag, unit: String::new() });
        }
        let outputs = &described.descriptor.outputs;
        let mut schemas = Vec::with_capacity(outputs.len());
        let mut times = Vec::with_capacity(outputs.len());
        for (i, output) in outputs.iter().enumerate() {
            times.push(self.time_role(&aggregate.plugin.value, &aggregate.plugin.span, output)?);
            self.check_names(route, aggregate, &tags, output);
            let name = &route.name.value;
            let name = if i == 0 { name.clone() } else { format!("{name}.{}", output.name) };
            let columns = tags.iter().cloned().chain(output_columns(output)).collect();
            schemas.push(Arc::new(RowSchema { route: name, columns }));
        }
        Some(AggregatePlan {
            plugin,
            reads: reads?,
            keys: keys.into_iter().map(|(key, _)| key).collect(),
            windows: aggregate.windows.value.clone(),
            lateness: aggregate.lateness.as_ref().map_or(0, |lateness| lateness.value),
            late: aggregate.late,
            early: aggregate.early,
            at: aggregate.at,
            exchanged,
            schemas,
            times,
        })
    }

    /// Each with the plugin's column that it is, if it is one.
    fn keys(&mut self, frame: &mut Frame, route: &Route, scope: &Scope) -> Option<Vec<(Key, Option<Written>)>> {
        const KINDS: [Kind; 3] = [Kind::Text, Kind::Integer, Kind::Boolean];
        let who = format!("the key of route `{}` is", route.name.value);
        let mut keys = Vec::with_capacity(route.key.len());
        for field in &route.key {
            match bind::scalar(frame, scope, &who, &field.path, &KINDS) {
                Ok((column, written)) => {
                    let key = Key { column, name: field.name.clone(), path: field.path.value.clone() };
                    keys.push((key, written));
                }
                Err(error) => self.error(error),
            }
        }
        (keys.len() == route.key.len()).then_some(keys)
    }

    fn exchanged(&mut self, source: &Source, aggregate: &Aggregate, keys: &[(Key, Option<Written>)]) -> bool {
        let decoded: Vec<&str> =
            keys.iter().filter(|(_, written)| written.is_none()).map(|(key, _)| key.path.as_str()).collect();
        let partitioned_by: Vec<&str> = source.partitioned_by.iter().map(|field| field.value.as_str()).collect();
        let alignment = Alignment::of(!keys.is_empty(), &decoded, &partitioned_by);
        if let (true, WindowSpec::Session { .. }) = (alignment.is_aligned(), &aggregate.windows.value) {
            self.check_lateness(aggregate);
        }
        !alignment.is_aligned()
    }

    /// Only an exchange makes sessions wait.
    fn check_lateness(&mut self, aggregate: &Aggregate) {
        if let Some(lateness) = aggregate.lateness.as_ref().filter(|lateness| lateness.value > 0) {
            let message = "sessions are written once, when they end: nothing corrects them later";
            self.error(
                Diagnostic::error(&lateness.span, message, "no lateness for sessions of one partition")
                    .related(&aggregate.windows.span, "a session")
                    .help("let the source wait longer for events: raise its `out_of_orderness`"),
            );
        }
    }

    /// A point's tags and fields have different names.
    fn check_names(&mut self, route: &Route, aggregate: &Aggregate, tags: &[RowColumn], output: &Output) {
        for (i, field) in output.fields.iter().enumerate() {
            let plugin = &aggregate.plugin.value;
            if output.fields[..i].iter().any(|other| other.name == field.name) {
                let message = format!("plugin `{plugin}` writes two columns named `{}`", field.name);
                self.error(
                    Diagnostic::error(&aggregate.plugin.span, message, "of this plugin").help("mend the plugin"),
                );
            }
            if tags.iter().all(|tag| tag.name != field.name) {
                continue;
            }
            let key = route.key.iter().find(|key| key.name == field.name);
            let span = key.map_or(&aggregate.windows.span, |key| &key.path.span);
            let message = format!("the tag `{}` has the name of a column that plugin `{plugin}` writes", field.name);
            let help = match key {
                Some(key) => format!("give the tag another name: `{{ field = \"{}\", as = \"…\" }}`", key.path.value),
                None => "the tag tells the sizes of a rollup apart; let the plugin use another name".to_owned(),
            };
            let error = Diagnostic::error(span, message, "this becomes a tag").help(help);
            self.error(error.related(&aggregate.plugin.span, "this plugin"));
        }
    }
}

fn key_column(key: &Key, written: Option<&Written>) -> RowColumn {
    let kind = written.map_or(Kind::Text, |written| written.kind);
    RowColumn { name: key.name.clone(), kind, role: Role::Tag, unit: String::new() }
}

/// Without the one that is the rows' time.
fn output_columns(output: &Output) -> impl Iterator<Item = RowColumn> + '_ {
    output.fields.iter().filter(|field| field.role != Role::Time).map(|field| RowColumn {
        name: field.name.clone(),
        kind: field.kind,
        role: field.role,
        unit: field.unit.clone(),
    })
}
