//! Arrays: elements picked by index, and repeated fields.
//!
//! The scanner finds members of objects; what lies in an array is looked up in the array's own text afterwards.

use wasmill_core::batch::{Column, SLACK_BYTES, Strings, Values};
use wasmill_core::decode_spec::DecodeKind;
use wasmill_core::schema::Kind;

use crate::convert::{self, BLOCK_ROWS, Block, append_validity};
use crate::decoder::Mistyped;
use crate::slow;
use crate::time_format::TimeReader;
use crate::token::{Class, Token};
use wasmill_core::path::Segment;

/// What of a path the scanner leaves: `[0].id` of `items[0].id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// From the scanner's value to the value asked for or, in a repeated field, to the array.
    pub before: Vec<Segment>,
    /// From each element to its value; `None` if the field is not repeated.
    pub each: Option<Vec<Segment>>,
}

/// Looks up `path` in the value of `token`.
pub(crate) fn pick(token: Token, buffer: &[u8], path: &[Segment]) -> Token {
    if path.is_empty() || matches!(token.class(), Class::Missing | Class::Null | Class::Blocked) {
        return token;
    }
    let json = token.json(buffer);
    let quote = json.len().saturating_sub(token.len()) / 2;
    // Found values lie in documents that were checked to be UTF-8.
    let text = std::str::from_utf8(json).unwrap_or_default();
    slow::find(text, (token.start() - quote) as u32, path)
}

/// Appends one list a token. A mistyped element makes the whole list null.
pub(crate) fn append(
    kind: Kind,
    tail: &Tail,
    block: Block<'_>,
    times: &mut TimeReader,
    column: &mut Column,
    mistyped: &mut Vec<Mistyped>,
) {
    let rows_before = column.rows();
    let Values::Lists { ends, elements } = &mut column.values else { return };
    let each = tail.each.as_deref().unwrap_or_default();
    let mut nulls = 0;
    for (at, &token) in block.tokens.iter().enumerate() {
        let array = pick(token, block.buffer, &tail.before);
        let row = block.row + at as u32;
        let whole = Block { tokens: &[array], row, ..block };
        let filled = match array.class() {
            Class::Array => append_elements(kind, each, whole, times, elements, mistyped),
            Class::Missing | Class::Null => false,
            _ => {
                whole.report(0, if array.class() == Class::Blocked { "" } else { "not an array" }, mistyped);
                false
            }
        };
        nulls |= u64::from(!filled) << at;
        ends.push(elements.rows() as u32);
    }
    append_validity(&mut column.valid, rows_before, block.tokens.len(), nulls);
}

/// Appends the elements of the array that is the block's one token; false if one of them is mistyped.
fn append_elements(
    kind: Kind,
    each: &[Segment],
    array: Block<'_>,
    times: &mut TimeReader,
    to: &mut Column,
    mistyped: &mut Vec<Mistyped>,
) -> bool {
    let Some(&token) = array.tokens.first() else { return false };
    let text = std::str::from_utf8(token.json(array.buffer)).unwrap_or_default();
    let start = token.start() as u32;
    let tokens: Vec<Token> = slow::elements(text)
        .into_iter()
        .map(|element| slow::find(element, start + (element.as_ptr() as usize - text.as_ptr() as usize) as u32, each))
        .collect();
    let (rows_before, reports_before) = (to.rows(), mistyped.len());
    for (number, chunk) in tokens.chunks(BLOCK_ROWS).enumerate() {
        let row = array.row + (number * BLOCK_ROWS) as u32;
        convert::append(DecodeKind::Kind(kind), Block { tokens: chunk, row, ..array }, times, to, mistyped);
    }
    if mistyped.len() == reports_before {
        return true;
    }
    // One report a row, of the first such element; elements were numbered as rows from the array's own.
    mistyped.truncate(reports_before + 1);
    if let Some(report) = mistyped.last_mut() {
        report.found = format!("element {}: {}", report.row - array.row, report.found);
        report.row = array.row;
    }
    truncate(to, rows_before);
    false
}

fn truncate(column: &mut Column, rows: usize) {
    match &mut column.values {
        Values::Booleans(values) => values.truncate(rows),
        Values::Integers(values) => values.truncate(rows),
        Values::Floats(values) => values.truncate(rows),
        Values::Texts(values) | Values::Blobs(values) => truncate_strings(values, rows),
        // Lists of lists are refused when the decoder is made.
        Values::Lists { .. } => {}
    }
    column.valid.truncate(rows);
    if !column.valid.contains(&0) {
        column.valid.clear();
    }
}

fn truncate_strings(values: &mut Strings, rows: usize) {
    values.ends.truncate(rows);
    values.data.truncate(values.ends.last().map_or(0, |&end| end as usize));
    values.data.reserve(SLACK_BYTES);
}
