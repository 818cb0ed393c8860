//! Routes without an aggregation write the rows themselves: which columns, and where they come from.

use std::sync::Arc;

use super::Planner;
use super::bind::check_reachable;
use super::frame::{Frame, Scope};
use crate::config::{Diagnostic, Route, Spanned};
use crate::decode_spec::{DecodeField, DecodeKind, Format};
use crate::path::{Path, RecordField};
use crate::plan::{ColumnId, Tail, Target};
use crate::rows::{RowColumn, RowSchema};
use crate::schema::{Kind, Role};

/// The columns of the rows, while the route's targets ask for them.
#[derive(Default)]
struct Columns {
    schema: Vec<RowColumn>,
    ids: Vec<ColumnId>,
    /// What each column was asked for as.
    paths: Vec<String>,
}

impl Columns {
    fn push(&mut self, path: &str, column: RowColumn, id: ColumnId) {
        self.schema.push(column);
        self.ids.push(id);
        self.paths.push(path.to_owned());
    }
}

impl Planner<'_> {
    pub(super) fn rows(&mut self, frame: &mut Frame, route: &Route, scope: &Scope) -> Option<(Tail, Vec<Target>)> {
        let errors = self.diagnostics.len();
        let mut columns = Columns::default();
        // A target that leaves something open takes all that plugins wrote.
        if route.to.iter().any(|to| to.fields.is_none() || to.tags.is_none()) {
            for written in scope.written.iter().filter(|written| written.role != Role::Time) {
                let (kind, unit) = (written.kind, written.unit.clone());
                let column = RowColumn { name: written.name.clone(), kind, role: written.role, unit };
                columns.push(&written.name, column, written.column);
            }
        }
        let mut targets = Vec::with_capacity(route.to.len());
        for to in &route.to {
            let mut names = |role: Role, paths: &Option<Vec<Spanned<String>>>| {
                let paths = paths.as_ref()?;
                Some(
                    paths
                        .iter()
                        .filter_map(|path| self.row_column(frame, route, scope, &mut columns, path, role))
                        .collect(),
                )
            };
            let tags = names(Role::Tag, &to.tags);
            let fields = names(Role::Field, &to.fields);
            let sink = self.config.sinks.iter().position(|sink| sink.name.value == to.sink.value)?;
            let key = to.key.iter().flatten().map(|key| key.value.clone()).collect();
            targets.push(Target { sink, measurement: to.measurement.clone(), tags, fields, key });
        }
        for (to, target) in route.to.iter().zip(&mut targets) {
            self.row_target(route, to, target, &columns);
        }
        let schema = Arc::new(RowSchema { route: route.name.value.clone(), columns: columns.schema });
        (self.diagnostics.len() == errors).then_some((Tail::Rows { schema, columns: columns.ids }, targets))
    }

    /// The name of the column for `path`: what a plugin wrote, or a field of the event decoded for this.
    fn row_column(
        &mut self,
        frame: &mut Frame,
        route: &Route,
        scope: &Scope,
        columns: &mut Columns,
        path: &Spanned<String>,
        role: Role,
    ) -> Option<String> {
        if let Some(known) = columns.paths.iter().position(|known| *known == path.value) {
            let name = columns.schema[known].name.clone();
            if columns.schema[known].role != role && scope.find(&path.value).is_none() {
                let message = format!("`{}` is a tag at one place and a field at another", path.value);
                let help = "let it be one of the two in all of the route's `to`, or use two routes";
                self.error(Diagnostic::error(&path.span, message, "the other of the two").help(help));
                return None;
            }
            return Some(name);
        }
        let (column, id) = if let Some(written) = scope.find(&path.value) {
            let (kind, unit) = (written.kind, written.unit.clone());
            (RowColumn { name: written.name.clone(), kind, role: written.role, unit }, written.column)
        } else {
            let parsed = Path::parse(&path.value).ok()?;
            let who = format!("`to` of route `{}` writes", route.name.value);
            let checked = check_reachable(frame, scope, &who, &parsed, &path.value, &path.span);
            let kind = checked.and_then(|()| decode_kind(&parsed, path, role, frame.format));
            let (decode, kind) = kind.map_err(|error| self.error(error)).ok()?;
            let id = frame.decode(DecodeField { path: path.value.clone(), kind: decode });
            (RowColumn { name: parsed.last().to_owned(), kind, role, unit: String::new() }, id)
        };
        if columns.schema.iter().any(|other| other.name == column.name) {
            let message = format!("two columns of route `{}` would be named `{}`", route.name.value, column.name);
            let help = "let a transformer write one of them under another name";
            self.error(Diagnostic::error(&path.span, message, "the second").help(help));
            return None;
        }
        let name = column.name.clone();
        columns.push(&path.value, column, id);
        Some(name)
    }

    fn row_target(&mut self, route: &Route, to: &crate::config::To, target: &mut Target, columns: &Columns) {
        self.check_key(to, target, &columns.schema, &columns.paths);
        let tags: Vec<&String> = target.tags.iter().flatten().collect();
        let has_fields = match &target.fields {
            Some(fields) => !fields.is_empty(),
            None => columns.schema.iter().any(|column| match target.tags {
                Some(_) => !tags.contains(&&column.name),
                None => column.role == Role::Field,
            }),
        };
        if !has_fields && to.fields.as_ref().is_none_or(Vec::is_empty) {
            let message = format!("route `{}` has nothing to write to `{}`", route.name.value, to.sink.value);
            let help = format!(
                "name fields of the event: `to = [{{ sink = \"{}\", tags = [\"…\"], fields = \
                     [\"…\"] }}]`, or aggregate",
                to.sink.value
            );
            self.error(Diagnostic::error(&to.sink.span, message, "no plugin of the route writes a field").help(help));
        }
    }
}

/// How an event's value is decoded for a row, and the kind of the column it makes.
fn decode_kind(
    path: &Path,
    text: &Spanned<String>,
    role: Role,
    format: Format,
) -> Result<(DecodeKind, Kind), Diagnostic> {
    if *path == Path::Record(RecordField::Time) {
        return Err(
            Diagnostic::error(&text.span, "`@time` is the time of the row already", "not needed").help("remove it")
        );
    }
    if role == Role::Tag {
        return Ok((DecodeKind::Scalar, Kind::Text));
    }
    let kind = match path {
        Path::Record(RecordField::Partition | RecordField::Offset) => Kind::Integer,
        Path::Record(RecordField::Timestamp) => Kind::Timestamp,
        Path::Record(RecordField::Value) if format == Format::Raw => Kind::Bytes,
        Path::Payload(_) => Kind::Json,
        _ => Kind::Text,
    };
    Ok((DecodeKind::Kind(kind), kind))
}
