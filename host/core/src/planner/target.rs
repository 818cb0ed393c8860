//! Where rows go, and which of their columns are what there.

use super::Planner;
use crate::config::diagnostic::did_you_mean;
use crate::config::{Diagnostic, Route, SinkKind, Spanned, To};
use crate::plan::{AggregatePlan, Target};
use crate::rows::{RowColumn, RowSchema};
use crate::schema::Role;

/// A target against the schema of the rows that come: numbers of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedTarget {
    pub measurement: String,
    pub tags: Vec<usize>,
    pub fields: Vec<usize>,
    /// In the order of the configuration.
    pub key: Vec<usize>,
}

/// Resolves `target` for rows of `schema`. Names that this schema does not have are of another output of the same route. The
/// error: no field is left, so no point could be written.
pub fn resolve_target(target: &Target, schema: &RowSchema) -> Result<ResolvedTarget, String> {
    let number = |name: &String| schema.columns.iter().position(|column| column.name == *name);
    let all = 0..schema.columns.len();
    let is_tag = |column: &usize| schema.columns[*column].role == Role::Tag;
    let tags: Vec<usize> = match &target.tags {
        Some(names) => names.iter().filter_map(number).collect(),
        None => {
            all.clone().filter(|column| is_tag(column) && !named(&target.fields, &schema.columns[*column])).collect()
        }
    };
    let fields: Vec<usize> = match &target.fields {
        Some(names) => names.iter().filter_map(number).filter(|column| !tags.contains(column)).collect(),
        None => all.filter(|column| !tags.contains(column)).collect(),
    };
    if fields.is_empty() {
        return Err(format!("the rows of route `{}` have no field to write as `{}`", schema.route, target.measurement));
    }
    // Only the outputs behind the first have a dot: route names have none.
    let measurement = match schema.route.split_once('.') {
        Some((_, output)) => format!("{}_{output}", target.measurement),
        None => target.measurement.clone(),
    };
    Ok(ResolvedTarget { measurement, tags, fields, key: target.key.iter().filter_map(number).collect() })
}

fn named(names: &Option<Vec<String>>, column: &RowColumn) -> bool {
    names.as_ref().is_some_and(|names| names.contains(&column.name))
}

impl Planner<'_> {
    pub(super) fn aggregate_targets(&mut self, route: &Route, plan: &AggregatePlan) -> Vec<Target> {
        let mut columns: Vec<RowColumn> = Vec::new();
        for column in plan.schemas.iter().flat_map(|schema| &schema.columns) {
            if columns.iter().all(|known| known.name != column.name) {
                columns.push(column.clone());
            }
        }
        // A key's field may be named by its path or by its tag.
        let mut paths: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        for (path, key) in paths.iter_mut().zip(&plan.keys) {
            path.clone_from(&key.path);
        }
        let mut targets = Vec::with_capacity(route.to.len());
        for to in &route.to {
            let Some(sink) = self.config.sinks.iter().position(|sink| sink.name.value == to.sink.value) else {
                continue;
            };
            let errors = self.diagnostics.len();
            let mut names = |names: &Option<Vec<Spanned<String>>>| {
                let names = names.as_ref()?;
                Some(names.iter().filter_map(|name| self.column(name, &columns, &paths)).collect::<Vec<String>>())
            };
            let (tags, fields) = (names(&to.tags), names(&to.fields));
            let key = match &to.key {
                Some(key) => key.iter().map(|key| key.value.clone()).collect(),
                None if matches!(self.config.sinks[sink].kind, SinkKind::Kafka(_)) => {
                    plan.keys.iter().map(|key| key.name.clone()).collect()
                }
                None => Vec::new(),
            };
            let mut target = Target { sink, measurement: to.measurement.clone(), tags, fields, key };
            self.check_key(to, &mut target, &columns, &paths);
            // What was misspelt is missing from the lists: the row would seem to be without fields.
            if self.diagnostics.len() == errors
                && let Some(Err(why)) = plan.schemas.first().map(|schema| resolve_target(&target, schema))
            {
                let help = "leave out `tags` or `fields`, or let one column be a field";
                self.error(Diagnostic::error(&to.sink.span, why, "nothing to write").help(help));
            }
            targets.push(target);
        }
        targets
    }

    /// A Kafka key must be made of columns; the target's `key` then holds their names. Other sinks have no key.
    pub(super) fn check_key(&mut self, to: &To, target: &mut Target, columns: &[RowColumn], paths: &[String]) {
        let Some(key) = &to.key else { return };
        if !matches!(self.config.sinks[target.sink].kind, SinkKind::Kafka(_)) {
            if let Some(first) = key.first() {
                let message = format!("`key` has a meaning for Kafka sinks only; `{}` is none", to.sink.value);
                self.error(
                    Diagnostic::error(&first.span, message, "no key here")
                        .help("remove it; points are told apart by their tags"),
                );
            }
            return;
        }
        target.key = key.iter().filter_map(|name| self.column(name, columns, paths)).collect();
    }

    fn column(&mut self, name: &Spanned<String>, columns: &[RowColumn], paths: &[String]) -> Option<String> {
        let by_name = columns.iter().position(|column| column.name == name.value);
        let found = by_name.or_else(|| paths.iter().position(|path| *path == name.value));
        if found.is_none() {
            let names = columns.iter().map(|column| column.name.as_str());
            self.error(
                Diagnostic::error(&name.span, format!("the rows have no column `{}`", name.value), "not a column")
                    .help(did_you_mean(&name.value, names, "the columns are")),
            );
        }
        found.map(|found| columns[found].name.clone())
    }
}
