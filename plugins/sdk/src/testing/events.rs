//! From the JSON of events to the columns that a plugin reads, as the host would decode them.

use serde_json::Value;

use crate::Reject;
use crate::columns::{OwnedColumn, OwnedStrings, OwnedValues};
use crate::schema::{Field, Kind};

/// One column a field (two for a repeated one). `Err`: the first event that lacks a required field, or holds another type.
pub fn columns(reads: &[Field], events: &[Value]) -> Result<Vec<OwnedColumn>, Reject> {
    let mut columns = Vec::new();
    for field in reads {
        let mut values = Vec::with_capacity(events.len());
        for event in events {
            let value = find(event, &field.path).filter(|value| !value.is_null());
            if value.is_none() && !field.optional {
                return Err(format!("missing: {} is required", field.path).into());
            }
            values.push(value);
        }
        if field.repeated { repeated(field, &values, &mut columns)? } else { columns.push(column(field, &values)?) }
    }
    Ok(columns)
}

/// One text column of one row each.
pub fn texts(values: &[&str]) -> Vec<OwnedColumn> {
    let column = |value: &&str| {
        let mut strings = OwnedStrings::default();
        strings.push(value.as_bytes());
        OwnedColumn { values: OwnedValues::Texts(strings), valid: Vec::new() }
    };
    values.iter().map(column).collect()
}

/// What lies at a path: `data.amount`, `items[*].price`, `"a.b".c`, or the literal key of a record's field, `@time`.
fn find(event: &Value, path: &str) -> Option<Value> {
    if path.starts_with('@') {
        return event.get(path).cloned();
    }
    let mut found = vec![event.clone()];
    let mut many = false;
    for (key, each) in segments(path) {
        found = found.iter().filter_map(|value| value.get(&key).cloned()).collect();
        if each {
            many = true;
            found = found.into_iter().flat_map(|value| value.as_array().cloned().unwrap_or_default()).collect();
        }
    }
    if many { Some(Value::Array(found)) } else { found.into_iter().next() }
}

/// Keys with their `[*]`.
fn segments(path: &str) -> Vec<(String, bool)> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (key, after) = match rest.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
            Some((key, after)) => (key, after),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        let each = after.starts_with("[*]");
        let after = after.strip_prefix("[*]").unwrap_or(after);
        segments.push((key.to_owned(), each));
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    segments
}

fn repeated(field: &Field, values: &[Option<Value>], columns: &mut Vec<OwnedColumn>) -> Result<(), Reject> {
    let (mut ends, mut elements) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            Some(Value::Array(array)) => elements.extend(array.iter().cloned().map(Some)),
            Some(other) => return Err(mismatch(field, "array", other)),
            None => {}
        }
        ends.push(elements.len() as u32);
    }
    columns.push(OwnedColumn { values: OwnedValues::Lists(ends), valid: validity(values) });
    columns.push(column(field, &elements)?);
    Ok(())
}

fn column(field: &Field, values: &[Option<Value>]) -> Result<OwnedColumn, Reject> {
    let layout = match field.kind {
        Kind::Boolean => OwnedValues::Booleans(
            each(field, values, Value::as_bool)?.into_iter().map(|value| u8::from(value.unwrap_or(false))).collect(),
        ),
        Kind::Integer | Kind::Timestamp => OwnedValues::Integers(numbers(each(field, values, Value::as_i64)?)),
        Kind::Float => OwnedValues::Floats(numbers(each(field, values, Value::as_f64)?)),
        Kind::Text => OwnedValues::Texts(strings(each(field, values, |value| value.as_str().map(str::to_owned))?)),
        Kind::Bytes => OwnedValues::Blobs(strings(each(field, values, |value| value.as_str().map(str::to_owned))?)),
        Kind::Json => OwnedValues::Texts(strings(each(field, values, |value| Some(value.to_string()))?)),
    };
    Ok(OwnedColumn { values: layout, valid: validity(values) })
}

fn each<T>(
    field: &Field,
    values: &[Option<Value>],
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<Option<T>>, Reject> {
    let one = |value: &Option<Value>| match value {
        Some(value) => read(value).map(Some).ok_or_else(|| mismatch(field, field.kind.name(), value)),
        None => Ok(None),
    };
    values.iter().map(one).collect()
}

fn mismatch(field: &Field, expected: &str, found: &Value) -> Reject {
    format!("type: {} should be {expected}, is {found}", field.path).into()
}

fn numbers<T: Default>(values: Vec<Option<T>>) -> Vec<T> {
    values.into_iter().map(Option::unwrap_or_default).collect()
}

fn strings(values: Vec<Option<String>>) -> OwnedStrings {
    let mut strings = OwnedStrings::default();
    for value in values {
        strings.push(value.unwrap_or_default().as_bytes());
    }
    strings
}

fn validity(values: &[Option<Value>]) -> Vec<u8> {
    if values.iter().all(Option::is_some) {
        return Vec::new();
    }
    values.iter().map(|value| u8::from(value.is_some())).collect()
}
