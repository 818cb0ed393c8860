//! Values of rows as JSON text: for Kafka and stdout sinks, and for what a time series cannot hold otherwise (arrays).

use crate::base64::append_base64;
use crate::batch::{Column, Values};
use crate::rows::Rows;
use crate::schema::Kind;
use crate::time::Nanos;

/// Appends row `row` as one object: `time`, then each of `columns` under its name. Null values are written as `null`.
pub fn append_row(rows: &Rows, row: usize, columns: &[usize], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time\":");
    append_time(rows.times[row], out);
    for &index in columns {
        let column = &rows.schema.columns[index];
        out.push(b',');
        append_string(&column.name, out);
        out.push(b':');
        append_value(&rows.columns[index], column.kind, row, out);
    }
    out.push(b'}');
}

/// Appends the value of `column` at `row`. Timestamps are RFC 3339 with nanoseconds, bytes are base64, NaN and infinities are
/// `null`, and a `json` value that is not JSON is a string.
pub fn append_value(column: &Column, kind: Kind, row: usize, out: &mut Vec<u8>) {
    if !column.is_valid(row) {
        return out.extend_from_slice(b"null");
    }
    match &column.values {
        Values::Booleans(v) => out.extend_from_slice(if v[row] != 0 { b"true" } else { b"false" }),
        Values::Integers(v) if kind == Kind::Timestamp => append_time(v[row], out),
        Values::Integers(v) => out.extend_from_slice(itoa::Buffer::new().format(v[row]).as_bytes()),
        Values::Floats(v) if v[row].is_finite() => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(v[row]).as_bytes());
        }
        Values::Floats(_) => out.extend_from_slice(b"null"),
        Values::Texts(v) if kind == Kind::Json && is_json(v.get(row)) => out.extend_from_slice(v.get(row)),
        Values::Texts(v) => append_string(&v.text(row), out),
        Values::Blobs(v) => {
            out.push(b'"');
            append_base64(v.get(row), out);
            out.push(b'"');
        }
        Values::Lists { ends, elements } => {
            let start = if row == 0 { 0 } else { ends[row - 1] as usize };
            out.push(b'[');
            for element in start..ends[row] as usize {
                if element > start {
                    out.push(b',');
                }
                append_value(elements, kind, element, out);
            }
            out.push(b']');
        }
    }
}

/// Appends `text` as a JSON string.
pub fn append_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends a time as an RFC 3339 string with nine digits of the second, so that texts sort as times do.
pub fn append_time(time: Nanos, out: &mut Vec<u8>) {
    use std::io::Write;
    let time = jiff::Timestamp::from_nanosecond(i128::from(time)).unwrap_or_default();
    let _ = write!(out, "\"{time:.9}\"");
}

/// One line of JSON: a line break between tokens would end a line of output early.
fn is_json(text: &[u8]) -> bool {
    !text.contains(&b'\n')
        && !text.contains(&b'\r')
        && serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::batch::Strings;
    use crate::rows::{RowColumn, RowSchema};
    use crate::schema::Role;

    fn strings(values: &[&[u8]]) -> Strings {
        let mut strings = Strings::default();
        values.iter().for_each(|v| strings.push(v));
        strings
    }

    #[test]
    fn a_row_is_one_object_whatever_its_values_are() {
        let kinds =
            [Kind::Text, Kind::Integer, Kind::Float, Kind::Json, Kind::Json, Kind::Bytes, Kind::Timestamp, Kind::Text];
        let columns = vec![
            Column::new(Values::Texts(strings(&["a\"b\n\u{1}".as_bytes()]))),
            Column::new(Values::Integers(vec![i64::MIN])),
            Column::new(Values::Floats(vec![f64::NAN])),
            Column::new(Values::Texts(strings(&[br#"{"x":[1]}"#]))),
            Column::new(Values::Texts(strings(&[b"{broken"]))),
            Column::new(Values::Blobs(strings(&[b"fo"]))),
            Column::new(Values::Integers(vec![1])),
            Column::new(Values::Lists {
                ends: vec![2],
                elements: Box::new(Column { values: Values::Texts(strings(&[b"p", b""])), valid: vec![1, 0] }),
            }),
        ];
        let schema = RowSchema {
            route: "r".into(),
            columns: (kinds.iter().enumerate())
                .map(|(i, &kind)| RowColumn { name: format!("c{i}"), kind, role: Role::Field, unit: String::new() })
                .collect(),
        };
        let rows = Rows { schema: Arc::new(schema), times: vec![1_700_000_000_000_000_001], columns };
        let mut out = Vec::new();
        append_row(&rows, 0, &[0, 1, 2, 3, 4, 5, 6, 7], &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"time":"2023-11-14T22:13:20.000000001Z","c0":"a\"b\n\u0001","c1":-9223372036854775808,"c2":null,"c3":{"x":[1]},"#
                .to_string()
                + r#""c4":"{broken","c5":"Zm8=","c6":"1970-01-01T00:00:00.000000001Z","c7":["p",null]}"#
        );
    }
}
