//! The decoder: records in, columns out.

use std::borrow::Cow;
use std::ops::Range;

use wasmill_core::batch::{Column, SLACK_BYTES, Strings, Values};
use wasmill_core::decode_spec::{DecodeField, DecodeKind, Format, TimeFormat};
use wasmill_core::records::{ABSENT, Record, Records, Span};

use crate::convert::{self, BLOCK_ROWS, Block};
use crate::lists;
use crate::locate::{Locator, Tiers};
use crate::record_fields::{self, Origin, RecordBlock};
use crate::slow::{self, Refusal};
use crate::spec::{self, FieldPlan, Source, SpecError};
use crate::time_format::TimeReader;
use crate::token::Token;

/// Decodes the payloads of one source. Cheap to make; one a task, for it learns the shapes of that task's events.
#[derive(Clone, Debug)]
pub struct Decoder {
    format: Format,
    fields: Vec<FieldPlan>,
    locator: Locator,
    times: TimeReader,
    /// Of one block: `BLOCK_ROWS` for each slot of the locator.
    tokens: Vec<Token>,
    /// Of one block, by its rows; empty between blocks.
    refused: Vec<(usize, Refusal)>,
}

/// A batch of decoded rows, one a record. Made once and reused: buffers keep their room.
#[derive(Debug, Default)]
pub struct Decoded {
    pub rows: u32,
    /// In the order of the decoder's fields. Texts have [`SLACK_BYTES`] of room behind them.
    pub columns: Vec<Column>,
    /// Rows whose payload cannot be used at all, in order; null in every column.
    pub refused: Vec<Refused>,
    /// Values of another type than was asked for, by row, then field; null in that column.
    pub mistyped: Vec<Mistyped>,
    /// Rows without a payload, in order; null in every column.
    pub tombstones: Vec<u32>,
}

/// A payload that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub row: u32,
    /// `malformed`, `not-utf8`, `not-object`, `too-large` or `too-deep`.
    pub code: &'static str,
    /// For a person: what is wrong and where. Bounded in length.
    pub reason: String,
}

/// A value of another type than was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistyped {
    pub row: u32,
    /// The index of the decoder's field.
    pub field: usize,
    /// What is there, in a few words: `text "abc"`.
    pub found: String,
}

impl Decoder {
    /// A decoder of `fields`; fails on a path that does not parse or cannot give the kind that is asked for, and on a time
    /// format that cannot give times.
    pub fn new(format: &Format, fields: &[DecodeField], time_format: &TimeFormat) -> Result<Self, SpecError> {
        let (fields, slots) = spec::resolve(*format, fields)?;
        let times = TimeReader::new(time_format).map_err(SpecError::TimeFormat)?;
        let tokens = vec![Token::MISSING; slots.len() * BLOCK_ROWS];
        Ok(Decoder { format: *format, fields, locator: Locator::new(slots), times, tokens, refused: Vec::new() })
    }

    /// Lets the decoder do without the CPU's vector instructions: for tests, and to measure what they give.
    pub fn portable(mut self) -> Self {
        self.locator.portable = true;
        self
    }

    /// How many JSON documents each tier has located so far.
    pub fn tiers(&self) -> Tiers {
        self.locator.tiers
    }

    /// Decodes `records.records[range]`, one row a record. Never panics; a range beyond the records is cut.
    pub fn decode(&mut self, records: &Records, range: Range<usize>, topic: &str, partition: i32, out: &mut Decoded) {
        self.clear(out);
        let end = range.end.min(records.records.len());
        let records = with_slack(records, range.start.min(end)..end);
        let (records, range) = (records.0.as_ref(), records.1);
        let origin = Origin { topic, partition };
        for block in records.records.get(range).unwrap_or_default().chunks(BLOCK_ROWS) {
            self.decode_block(records, block, origin, out);
            out.rows += block.len() as u32;
        }
        out.mistyped.sort_by_key(|mistyped| (mistyped.row, mistyped.field));
        for column in &mut out.columns {
            reserve_slack(column);
        }
    }

    /// Empties `out`; makes its columns anew if they are another decoder's.
    fn clear(&self, out: &mut Decoded) {
        let empty = || self.fields.iter().map(|field| convert::empty_column(field.kind));
        if out.columns.len() != self.fields.len() || !out.columns.iter().zip(empty()).all(|(a, b)| same_layout(a, &b)) {
            out.columns = empty().collect();
        }
        out.columns.iter_mut().for_each(clear_column);
        out.rows = 0;
        out.refused.clear();
        out.mistyped.clear();
        out.tombstones.clear();
    }

    fn decode_block(&mut self, records: &Records, block: &[Record], origin: Origin<'_>, out: &mut Decoded) {
        let row = out.rows;
        let mut dead = 0u64;
        for (at, _) in block.iter().enumerate().filter(|(_, record)| record.value == ABSENT) {
            dead |= 1 << at;
            out.tombstones.push(row + at as u32);
        }
        let refused = &mut self.refused;
        match self.format {
            Format::Json => self.locator.locate(&records.buffer, block, &mut self.tokens, refused),
            Format::Text => check_payloads(records, block, slow::check_utf8, refused),
            Format::Raw => check_payloads(records, block, |_| Ok(""), refused),
        }
        for (at, Refusal { code, reason }) in refused.drain(..) {
            dead |= 1 << at;
            out.refused.push(Refused { row: row + at as u32, code, reason });
        }
        for (field, (plan, column)) in self.fields.iter().zip(&mut out.columns).enumerate() {
            match &plan.source {
                Source::Record(record) => {
                    let block = RecordBlock { records, block, dead, origin, field, row };
                    record_fields::append(record, plan.kind, block, column, &mut out.mistyped);
                }
                Source::Payload { slot, tail } => {
                    let first = slot * BLOCK_ROWS;
                    let tokens = self.tokens.get(first..first + block.len()).unwrap_or_default();
                    let block = Block { buffer: &records.buffer, tokens, field, row };
                    append_payload(plan.kind, tail, block, &mut self.times, column, &mut out.mistyped);
                }
            }
        }
    }
}

fn append_payload(
    kind: DecodeKind,
    tail: &lists::Tail,
    block: Block<'_>,
    times: &mut TimeReader,
    column: &mut Column,
    mistyped: &mut Vec<Mistyped>,
) {
    if let DecodeKind::Repeated(kind) = kind {
        lists::append(kind, tail, block, times, column, mistyped);
    } else if tail.before.is_empty() {
        convert::append(kind, block, times, column, mistyped);
    } else {
        let picked: Vec<Token> =
            block.tokens.iter().map(|&token| lists::pick(token, block.buffer, &tail.before)).collect();
        convert::append(kind, Block { tokens: &picked, ..block }, times, column, mistyped);
    }
}

/// Payloads that are one value: refuses those too large, and those that `check` refuses.
fn check_payloads<'a>(
    records: &'a Records,
    block: &[Record],
    check: impl Fn(&'a [u8]) -> Result<&'a str, Refusal>,
    refused: &mut Vec<(usize, Refusal)>,
) {
    for (at, record) in block.iter().enumerate() {
        let Some(payload) = records.bytes(record.value) else { continue };
        if let Err(refusal) = slow::check_size(payload).and_then(|()| check(payload)) {
            refused.push((at, refusal));
        }
    }
}

/// The records of `range`, with [`SLACK_BYTES`] behind every payload: as they are, or copied if a buffer has less than it should. Spans
/// outside of the buffer become absent.
fn with_slack(records: &Records, range: Range<usize>) -> (Cow<'_, Records>, Range<usize>) {
    let chosen = records.records.get(range.clone()).unwrap_or_default();
    let end = |span: Span| span.start as usize + span.len as usize;
    let last = chosen.iter().map(|record| if record.value == ABSENT { 0 } else { end(record.value) }).max();
    if last.unwrap_or(0) + SLACK_BYTES <= records.buffer.len() {
        return (Cow::Borrowed(records), range);
    }
    let valid = |span: Span| if end(span) <= records.buffer.len() { span } else { ABSENT };
    let mut copy = Records { buffer: records.buffer.clone(), records: Vec::with_capacity(chosen.len()) };
    copy.buffer.resize(records.buffer.len() + SLACK_BYTES, 0);
    copy.records.extend(chosen.iter().map(|record| Record {
        key: valid(record.key),
        value: valid(record.value),
        headers: valid(record.headers),
        ..*record
    }));
    let all = 0..copy.records.len();
    (Cow::Owned(copy), all)
}

fn same_layout(a: &Column, b: &Column) -> bool {
    match (&a.values, &b.values) {
        (Values::Lists { elements: a, .. }, Values::Lists { elements: b, .. }) => same_layout(a, b),
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

fn clear_column(column: &mut Column) {
    column.valid.clear();
    match &mut column.values {
        Values::Booleans(values) => values.clear(),
        Values::Integers(values) => values.clear(),
        Values::Floats(values) => values.clear(),
        Values::Texts(values) | Values::Blobs(values) => values.clear(),
        Values::Lists { ends, elements } => {
            ends.clear();
            clear_column(elements);
        }
    }
}

fn reserve_slack(column: &mut Column) {
    match &mut column.values {
        Values::Texts(Strings { data, .. }) | Values::Blobs(Strings { data, .. }) => data.reserve(SLACK_BYTES),
        Values::Lists { elements, .. } => reserve_slack(elements),
        Values::Booleans(_) | Values::Integers(_) | Values::Floats(_) => {}
    }
}
