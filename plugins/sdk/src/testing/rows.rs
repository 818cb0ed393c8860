//! From the columns that a plugin wrote to JSON.

use serde_json::{Map, Value};

use crate::Emitted;
use crate::columns::{Column, OwnedColumn, Values};
use crate::schema::{Kind, Output};

/// Rows with their origins. Nulls are left out, as in a point.
pub fn rows(output: &Output, emitted: &Emitted) -> Vec<(u32, Map<String, Value>)> {
    let columns: Vec<Column<'_>> = emitted.columns.iter().filter_map(OwnedColumn::view).collect();
    let row = |row: usize| {
        let mut object = Map::new();
        let mut columns = columns.iter();
        for field in &output.fields {
            let Some(column) = columns.next() else { break };
            let elements = if field.repeated { columns.next() } else { None };
            if column.is_valid(row) {
                object.insert(field.name.to_string(), value(field.kind, column, elements, row));
            }
        }
        (emitted.origins.get(row).copied().unwrap_or(row as u32), object)
    };
    (0..emitted.count as usize).map(row).collect()
}

/// The event with what was written added or replaced.
pub fn extend(event: &Value, written: Map<String, Value>) -> Value {
    let mut event = event.clone();
    if let Value::Object(fields) = &mut event {
        fields.extend(written);
    }
    event
}

fn value(kind: Kind, column: &Column<'_>, elements: Option<&Column<'_>>, row: usize) -> Value {
    match (&column.values, elements) {
        (Values::Lists(ends), Some(elements)) => {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            (start..ends[row]).map(|element| value(kind, elements, None, element as usize)).collect()
        }
        _ if !column.is_valid(row) => Value::Null,
        (Values::Booleans(values), _) => (values[row] != 0).into(),
        (Values::Integers(values), _) => values[row].into(),
        (Values::Floats(values), _) => values[row].into(),
        (Values::Texts(values), _) if kind == Kind::Json => {
            serde_json::from_str(values.get(row)).unwrap_or_else(|_| values.get(row).into())
        }
        (Values::Texts(values), _) => values.get(row).into(),
        (Values::Blobs(values), _) => String::from_utf8_lossy(values.get(row)).into(),
        (Values::Lists(_), None) => Value::Null,
    }
}
