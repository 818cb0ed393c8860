//! A row as a point with names: for sinks that keep points themselves instead of sending lines.

use crate::batch::{Column, Values};
use crate::line_protocol::append_plain;
use crate::members::{Scalar, members};
use crate::rows::Rows;
use crate::schema::Kind;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    Boolean(bool),
    Integer(i64),
    /// Never NaN or infinite.
    Float(f64),
    Text(String),
}

/// The tags of a row by name, sorted; null ones are left out.
pub fn tags(rows: &Rows, row: usize, columns: &[usize]) -> Vec<(String, String)> {
    let mut tags = Vec::with_capacity(columns.len());
    for &index in columns {
        let (column, about) = (&rows.columns[index], &rows.schema.columns[index]);
        match &column.values {
            _ if !column.is_valid(row) => {}
            Values::Texts(texts) if about.kind == Kind::Json => {
                let found = members(&about.name, texts.get(row)).into_iter();
                tags.extend(found.map(|(name, value)| (name, value.into_text())));
            }
            _ => tags.push((about.name.clone(), text(column, about.kind, row))),
        }
    }
    tags.sort();
    tags
}

/// The fields of a row by name, and how many were left out because they were not finite; null ones are left out uncounted.
pub fn fields(rows: &Rows, row: usize, columns: &[usize]) -> (Vec<(String, FieldValue)>, usize) {
    let (mut fields, mut not_finite) = (Vec::with_capacity(columns.len()), 0);
    let mut push = |name: String, value: FieldValue| match value {
        FieldValue::Float(value) if !value.is_finite() => not_finite += 1,
        value => fields.push((name, value)),
    };
    for &index in columns {
        let (column, about) = (&rows.columns[index], &rows.schema.columns[index]);
        let name = &about.name;
        match &column.values {
            _ if !column.is_valid(row) => {}
            Values::Booleans(v) => push(name.clone(), FieldValue::Boolean(v[row] != 0)),
            Values::Integers(v) => push(name.clone(), FieldValue::Integer(v[row])),
            Values::Floats(v) => push(name.clone(), FieldValue::Float(v[row])),
            Values::Texts(texts) if about.kind == Kind::Json => {
                for (name, value) in members(name, texts.get(row)) {
                    push(
                        name,
                        match value {
                            Scalar::Float(value) => FieldValue::Float(value),
                            Scalar::Boolean(value) => FieldValue::Boolean(value),
                            Scalar::Text(text) => FieldValue::Text(text),
                        },
                    );
                }
            }
            _ => push(name.clone(), FieldValue::Text(text(column, about.kind, row))),
        }
    }
    (fields, not_finite)
}

fn text(column: &Column, kind: Kind, row: usize) -> String {
    let mut text = Vec::new();
    append_plain(column, kind, row, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
