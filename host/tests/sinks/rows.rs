//! Rows made by hand.

use std::sync::Arc;

use wasmill::delivery::SinkTarget;
use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::rows::{RowColumn, RowSchema, Rows};
use wasmill_core::schema::{Kind, Role};
use wasmill_core::time::Nanos;

/// A column by name and kind.
pub struct Part {
    pub column: RowColumn,
    pub values: Column,
}

pub fn texts(name: &str, kind: Kind, role: Role, values: &[&str]) -> Part {
    let mut strings = Strings::default();
    values.iter().for_each(|v| strings.push(v.as_bytes()));
    part(name, kind, role, Values::Texts(strings))
}

pub fn part(name: &str, kind: Kind, role: Role, values: Values) -> Part {
    let column = RowColumn { name: name.to_string(), kind, role, unit: String::new() };
    Part { column, values: Column::new(values) }
}

/// Rows and their target: tags and fields as the roles say.
pub fn rows(measurement: &str, times: Vec<Nanos>, parts: Vec<Part>) -> (Rows, SinkTarget) {
    let with_role = |role| parts.iter().enumerate().filter(|(_, p)| p.column.role == role).map(|(i, _)| i).collect();
    let target = SinkTarget {
        source: "events".to_string(),
        route: "route".to_string(),
        measurement: measurement.to_string(),
        tags: with_role(Role::Tag),
        fields: with_role(Role::Field),
        key: Vec::new(),
    };
    let (columns, values): (Vec<_>, Vec<_>) = parts.into_iter().map(|p| (p.column, p.values)).unzip();
    let schema = Arc::new(RowSchema { route: "route".to_string(), columns });
    (Rows { schema, times, columns: values }, target)
}
