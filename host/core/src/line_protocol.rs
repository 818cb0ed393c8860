//! Rows to InfluxDB line protocol, straight from columns.
//!
//! A point's identity is its measurement, its tags and its time. So a tag value that InfluxDB could not read back as it is must
//! never be repaired: a repaired value would be another point, perhaps one that exists. Such rows are refused instead.

mod escape;

use std::io::Write;

use crate::base64::append_base64;
use crate::batch::{Column, Values};
use crate::members::{Scalar, members};
use crate::row_json;
use crate::rows::{RowColumn, RowSchema, Rows};
use crate::schema::Kind;
use crate::time::Nanos;
pub use escape::{Part, check_name};
use escape::{TagValue, append_key, append_measurement, append_quoted, check_tag_value, reads_as_one_line};

/// The times that InfluxDB can hold: its storage keeps the outermost nanoseconds for itself.
const TIMES: std::ops::RangeInclusive<Nanos> = Nanos::MIN + 2..=Nanos::MAX - 1;
/// The longest key (measurement, tags and one field's name, escaped) that InfluxDB takes, with room for what it adds.
pub const MAX_KEY_BYTES: usize = 65_535 - 256;

/// What became of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Encoded {
    /// A line was appended.
    Line {
        /// The length of its series key: measurement and tags.
        key_bytes: usize,
        /// Values left out because they were NaN or infinite.
        not_finite: usize,
    },
    /// Every field was null or not finite: there is no such point, and nothing was appended.
    Empty { not_finite: usize },
    /// InfluxDB cannot hold the row. What was appended is the line for a person to read, not to be sent.
    Refused(String),
}

/// Encodes the rows of one schema for one measurement.
#[derive(Debug)]
pub struct LineEncoder {
    measurement: Vec<u8>,
    /// In the order of their escaped keys.
    tags: Vec<Item>,
    fields: Vec<Item>,
    /// A tag column holds JSON, whose members must be sorted among the others row by row.
    json_tags: bool,
}

/// A column as a part of the line.
#[derive(Debug)]
struct Item {
    /// With its separators: `,key=` for a tag, `key=` for a field.
    prefix: Vec<u8>,
    name: String,
    column: usize,
    kind: Kind,
}

impl LineEncoder {
    /// `tags` and `fields` are columns of `schema`.
    ///
    /// # Errors
    /// A sentence that says which name InfluxDB cannot hold, or which is used twice.
    pub fn new(schema: &RowSchema, measurement: &str, tags: &[usize], fields: &[usize]) -> Result<Self, String> {
        check_name(Part::Measurement, measurement)?;
        let mut escaped = Vec::new();
        append_measurement(measurement, &mut escaped);
        let mut tags = items(schema, tags, Part::TagKey)?;
        tags.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        let fields = items(schema, fields, Part::FieldKey)?;
        let json_tags = tags.iter().any(|tag| tag.kind == Kind::Json);
        Ok(LineEncoder { measurement: escaped, tags, fields, json_tags })
    }

    /// Appends row `row` to `out` as a line with its line break.
    pub fn append(&self, rows: &Rows, row: usize, out: &mut Vec<u8>) -> Encoded {
        let start = out.len();
        out.extend_from_slice(&self.measurement);
        let tags =
            if self.json_tags { self.append_json_tags(rows, row, out) } else { self.append_tags(rows, row, out) };
        let key_bytes = out.len() - start;
        out.push(b' ');
        let mut line = Fields::default();
        self.append_fields(rows, row, &mut line, out);
        if line.count == 0 {
            out.truncate(start);
            return Encoded::Empty { not_finite: line.not_finite };
        }
        let time = rows.times[row];
        out.push(b' ');
        out.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
        out.push(b'\n');

        if let Some(why) = line.refused {
            return Encoded::Refused(why);
        }
        match tags {
            Err(why) => return Encoded::Refused(why),
            Ok(TagValue::Doubtful) if !reads_as_one_line(&out[start..]) => {
                return Encoded::Refused(
                    "backslashes and quotes in the tag values hide the end of the line from InfluxDB".to_string(),
                );
            }
            Ok(_) => {}
        }
        if !TIMES.contains(&time) {
            return Encoded::Refused(format!("InfluxDB cannot hold the time {time} ns"));
        }
        if key_bytes + line.longest_name > MAX_KEY_BYTES {
            return Encoded::Refused(format!(
                "measurement and tags are {key_bytes} bytes long; at most {MAX_KEY_BYTES} fit"
            ));
        }
        Encoded::Line { key_bytes, not_finite: line.not_finite }
    }

    fn append_tags(&self, rows: &Rows, row: usize, out: &mut Vec<u8>) -> Result<TagValue, String> {
        let mut verdict = Ok(TagValue::Plain);
        let mut text = Vec::new();
        for tag in &self.tags {
            let column = &rows.columns[tag.column];
            if !column.is_valid(row) {
                continue;
            }
            out.extend_from_slice(&tag.prefix);
            let value = match &column.values {
                Values::Texts(texts) => texts.get(row),
                _ => {
                    text.clear();
                    append_plain(column, tag.kind, row, &mut text);
                    &text
                }
            };
            append_key(value, out);
            judge(&mut verdict, &tag.name, value);
        }
        verdict
    }

    /// The same with members of JSON objects among the tags: gathered, sorted, checked for names used twice.
    fn append_json_tags(&self, rows: &Rows, row: usize, out: &mut Vec<u8>) -> Result<TagValue, String> {
        let mut verdict = Ok(TagValue::Plain);
        let mut tags: Vec<(Vec<u8>, String, Vec<u8>)> = Vec::new();
        for tag in &self.tags {
            let column = &rows.columns[tag.column];
            match &column.values {
                _ if !column.is_valid(row) => {}
                Values::Texts(texts) if tag.kind == Kind::Json => {
                    for (name, value) in members(&tag.name, texts.get(row)) {
                        if let Err(why) = check_name(Part::TagKey, &name) {
                            verdict = Err(why);
                        }
                        tags.push((prefix(&name, Part::TagKey), name, value.into_text().into_bytes()));
                    }
                }
                _ => {
                    let mut value = Vec::new();
                    append_plain(column, tag.kind, row, &mut value);
                    tags.push((tag.prefix.clone(), tag.name.clone(), value));
                }
            }
        }
        tags.sort();
        for (prefix, name, value) in &tags {
            out.extend_from_slice(prefix);
            append_key(value, out);
            judge(&mut verdict, name, value);
        }
        if let Some(pair) = tags.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            verdict = Err(format!("the point has two tags of the name {:?}", pair[0].1));
        }
        verdict
    }

    fn append_fields(&self, rows: &Rows, row: usize, line: &mut Fields, out: &mut Vec<u8>) {
        let mut named: Vec<String> = Vec::new();
        for field in &self.fields {
            let column = &rows.columns[field.column];
            match &column.values {
                _ if !column.is_valid(row) => {}
                Values::Floats(values) if !values[row].is_finite() => line.not_finite += 1,
                Values::Texts(texts) if field.kind == Kind::Json => {
                    for (name, value) in members(&field.name, texts.get(row)) {
                        if let Err(why) = check_name(Part::FieldKey, &name) {
                            line.refused = Some(why);
                        }
                        if named.contains(&name) || self.fields.iter().any(|f| f.name == name && f.kind != Kind::Json) {
                            line.refused = Some(format!("the point has two fields of the name {name:?}"));
                        }
                        line.append_scalar(&prefix(&name, Part::FieldKey), &value, out);
                        named.push(name);
                    }
                }
                _ => {
                    line.begin(&field.prefix, out);
                    append_field_value(column, field.kind, row, out);
                }
            }
        }
    }
}

/// The fields of the line being written.
#[derive(Default)]
struct Fields {
    count: usize,
    not_finite: usize,
    longest_name: usize,
    refused: Option<String>,
}

impl Fields {
    fn begin(&mut self, prefix: &[u8], out: &mut Vec<u8>) {
        if self.count > 0 {
            out.push(b',');
        }
        out.extend_from_slice(prefix);
        self.count += 1;
        self.longest_name = self.longest_name.max(prefix.len());
    }

    fn append_scalar(&mut self, prefix: &[u8], value: &Scalar, out: &mut Vec<u8>) {
        match value {
            Scalar::Float(value) if !value.is_finite() => self.not_finite += 1,
            Scalar::Float(value) => {
                self.begin(prefix, out);
                append_float(*value, out);
            }
            Scalar::Boolean(value) => {
                self.begin(prefix, out);
                append_boolean(*value, out);
            }
            Scalar::Text(text) => {
                self.begin(prefix, out);
                append_quoted(text.as_bytes(), out);
            }
        }
    }
}

fn items(schema: &RowSchema, columns: &[usize], part: Part) -> Result<Vec<Item>, String> {
    let mut items: Vec<Item> = Vec::with_capacity(columns.len());
    for &column in columns {
        let RowColumn { name, kind, .. } = &schema.columns[column];
        // A JSON object's own name is not written; its members are checked as they come.
        if *kind != Kind::Json {
            check_name(part, name)?;
            if items.iter().any(|item| item.name == *name) {
                return Err(format!("the point has two parts of the name {name:?}"));
            }
        }
        items.push(Item { prefix: prefix(name, part), name: name.clone(), column, kind: *kind });
    }
    Ok(items)
}

fn prefix(name: &str, part: Part) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(name.len() + 2);
    if part == Part::TagKey {
        prefix.push(b',');
    }
    append_key(name.as_bytes(), &mut prefix);
    prefix.push(b'=');
    prefix
}

/// The first reason to refuse stays; a doubt stays unless there is one.
fn judge(verdict: &mut Result<TagValue, String>, name: &str, value: &[u8]) {
    match check_tag_value(value) {
        TagValue::Plain => {}
        TagValue::Doubtful => {
            if verdict.is_ok() {
                *verdict = Ok(TagValue::Doubtful);
            }
        }
        TagValue::Impossible(why) => {
            if verdict.is_ok() {
                *verdict = Err(format!("tag {name:?}: {why}"));
            }
        }
    }
}

/// A tag's value before it is escaped. Timestamps are nanoseconds, bytes are base64, arrays are JSON.
pub(crate) fn append_plain(column: &Column, kind: Kind, row: usize, out: &mut Vec<u8>) {
    match &column.values {
        Values::Booleans(v) => append_boolean(v[row] != 0, out),
        Values::Integers(v) => out.extend_from_slice(itoa::Buffer::new().format(v[row]).as_bytes()),
        Values::Floats(v) => {
            // Writing to memory cannot fail. `Display` shows 3.0 as `3`, as a person writes a tag.
            let _ = write!(out, "{}", v[row]);
        }
        Values::Texts(v) => out.extend_from_slice(v.get(row)),
        Values::Blobs(v) => append_base64(v.get(row), out),
        Values::Lists { .. } => row_json::append_value(column, kind, row, out),
    }
}

fn append_field_value(column: &Column, kind: Kind, row: usize, out: &mut Vec<u8>) {
    match &column.values {
        Values::Booleans(v) => append_boolean(v[row] != 0, out),
        Values::Integers(v) => {
            out.extend_from_slice(itoa::Buffer::new().format(v[row]).as_bytes());
            out.push(b'i');
        }
        Values::Floats(v) => append_float(v[row], out),
        Values::Texts(v) => append_quoted(v.get(row), out),
        Values::Blobs(_) | Values::Lists { .. } => {
            let mut text = Vec::new();
            append_plain(column, kind, row, &mut text);
            append_quoted(&text, out);
        }
    }
}

fn append_float(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
}

fn append_boolean(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}
