//! Tokens to columns: what each kind accepts.
//!
//! - boolean: `true`, `false`; text: text; integer: whole numbers of 64 bits, `3.0` too; float: any number in a double's range
//! - timestamp: see [`crate::time_format`]; bytes: the bytes of a text; json: any value, as it is written
//! - scalar: text, a number as it is written, `true`, `false`
//!
//! Null and missing give a null; anything else gives a null and an entry in [`Mistyped`].

use wasmill_core::batch::{Column, SLACK_BYTES, Strings, Values};
use wasmill_core::decode_spec::DecodeKind;
use wasmill_core::schema::Kind;

use crate::decoder::Mistyped;
use crate::number;
use crate::text;
use crate::time_format::TimeReader;
use crate::token::{Class, Token};

/// Why a row has no value in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    Null,
    /// A value that the kind does not accept; the note says why where the value alone does not.
    Mistyped(&'static str),
}

/// Rows that are decoded together; their tokens fit the first-level cache, and one bit a row fits a word.
pub(crate) const BLOCK_ROWS: usize = 64;

/// One field's tokens of up to [`BLOCK_ROWS`] rows.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub buffer: &'a [u8],
    pub tokens: &'a [Token],
    pub field: usize,
    /// The row of the first token, for reports.
    pub row: u32,
}

impl Block<'_> {
    pub(crate) fn report(&self, at: usize, note: &str, to: &mut Vec<Mistyped>) {
        let token = self.tokens.get(at).copied().unwrap_or(Token::MISSING);
        let value = text::describe(token.json(self.buffer));
        let found = match (token.class(), note) {
            (Class::Blocked, _) => format!("{value} on the way, which has nothing inside"),
            (_, "") => value,
            _ => format!("{value} ({note})"),
        };
        to.push(Mistyped { row: self.row + at as u32, field: self.field, found });
    }
}

/// The empty column that values of `kind` go to.
pub(crate) fn empty_column(kind: DecodeKind) -> Column {
    Column::new(match kind {
        DecodeKind::Kind(Kind::Boolean) => Values::Booleans(Vec::new()),
        DecodeKind::Kind(Kind::Integer | Kind::Timestamp) => Values::Integers(Vec::new()),
        DecodeKind::Kind(Kind::Float) => Values::Floats(Vec::new()),
        DecodeKind::Kind(Kind::Text | Kind::Json) | DecodeKind::Scalar => Values::Texts(Strings::default()),
        DecodeKind::Kind(Kind::Bytes) => Values::Blobs(Strings::default()),
        DecodeKind::Repeated(kind) => {
            Values::Lists { ends: Vec::new(), elements: Box::new(empty_column(DecodeKind::Kind(kind))) }
        }
    })
}

/// Appends one value a token to `column`, which must be an [`empty_column`] of `kind` or grown from one.
pub(crate) fn append(
    kind: DecodeKind,
    block: Block<'_>,
    times: &mut TimeReader,
    column: &mut Column,
    mistyped: &mut Vec<Mistyped>,
) {
    let rows_before = column.rows();
    let buffer = block.buffer;
    let nulls = match (&mut column.values, kind) {
        (Values::Booleans(to), _) => append_values(block, to, mistyped, boolean),
        (Values::Integers(to), DecodeKind::Kind(Kind::Timestamp)) => {
            append_values(block, to, mistyped, |token| timestamp(token, buffer, times))
        }
        (Values::Integers(to), _) => append_values(block, to, mistyped, |token| integer(token, buffer)),
        (Values::Floats(to), _) => append_values(block, to, mistyped, |token| float(token, buffer)),
        (Values::Texts(to), DecodeKind::Kind(Kind::Json)) => append_strings(block, to, mistyped, json),
        (Values::Texts(to), DecodeKind::Scalar) => append_strings(block, to, mistyped, scalar),
        (Values::Texts(to) | Values::Blobs(to), _) => append_strings(block, to, mistyped, plain_text),
        (Values::Lists { .. }, _) => 0,
    };
    append_validity(&mut column.valid, rows_before, block.tokens.len(), nulls);
}

/// Adds the validity of `rows` more rows, bit `i` of `nulls` for the `i`th; stays empty as long as there is no null.
pub(crate) fn append_validity(valid: &mut Vec<u8>, rows_before: usize, rows: usize, nulls: u64) {
    if nulls == 0 && valid.is_empty() {
        return;
    }
    valid.resize(rows_before, 1);
    valid.extend((0..rows).map(|at| u8::from(nulls >> at & 1 == 0)));
}

#[inline(always)]
fn append_values<T: Default>(
    block: Block<'_>,
    to: &mut Vec<T>,
    mistyped: &mut Vec<Mistyped>,
    mut convert: impl FnMut(Token) -> Result<T, Absent>,
) -> u64 {
    let mut nulls = 0;
    to.reserve(block.tokens.len());
    for (at, &token) in block.tokens.iter().enumerate() {
        match convert(token) {
            Ok(value) => to.push(value),
            Err(absent) => {
                to.push(T::default());
                nulls |= 1 << at;
                if let Absent::Mistyped(note) = absent {
                    block.report(at, note, mistyped);
                }
            }
        }
    }
    nulls
}

/// How the text of a token is to be taken.
enum Take {
    /// As it lies in the buffer.
    Content,
    /// With its escapes resolved.
    Unescaped,
    /// As JSON, with the quotes of a text.
    Json,
}

fn append_strings(
    block: Block<'_>,
    to: &mut Strings,
    mistyped: &mut Vec<Mistyped>,
    accept: impl Fn(Class) -> Result<Take, Absent>,
) -> u64 {
    let mut nulls = 0;
    // Content and JSON are never longer than the token and its quotes; unescaping only shortens.
    let bytes: usize = block.tokens.iter().map(|token| token.len() + 2).sum();
    to.data.reserve(bytes + SLACK_BYTES);
    to.ends.reserve(block.tokens.len());
    for (at, &token) in block.tokens.iter().enumerate() {
        let taken = accept(token.class()).and_then(|take| match take {
            Take::Content => {
                text::push(&mut to.data, block.buffer, token.start(), token.len());
                Ok(())
            }
            Take::Json => {
                to.data.extend_from_slice(token.json(block.buffer));
                Ok(())
            }
            Take::Unescaped => text::push_unescaped(&mut to.data, token.json(block.buffer)),
        });
        if let Err(absent) = taken {
            nulls |= 1 << at;
            if let Absent::Mistyped(note) = absent {
                block.report(at, note, mistyped);
            }
        }
        to.ends.push(to.data.len() as u32);
    }
    nulls
}

#[inline(always)]
fn refuse<T>(class: Class) -> Result<T, Absent> {
    Err(if matches!(class, Class::Missing | Class::Null) { Absent::Null } else { Absent::Mistyped("") })
}

fn boolean(token: Token) -> Result<u8, Absent> {
    match token.class() {
        Class::True => Ok(1),
        Class::False => Ok(0),
        other => refuse(other),
    }
}

#[inline(always)]
fn integer(token: Token, buffer: &[u8]) -> Result<i64, Absent> {
    match token.class() {
        Class::Digits => i64::try_from(number::digits(token.onward(buffer), token.len()))
            .map_err(|_| Absent::Mistyped("beyond 64 bits")),
        Class::Number => number::integer(token.bytes(buffer)),
        other => refuse(other),
    }
}

fn float(token: Token, buffer: &[u8]) -> Result<f64, Absent> {
    match token.class() {
        Class::Digits | Class::Number => number::float(token.bytes(buffer)),
        other => refuse(other),
    }
}

#[inline(always)]
fn timestamp(token: Token, buffer: &[u8], times: &mut TimeReader) -> Result<i64, Absent> {
    match token.class() {
        Class::Digits => times.digits(token.onward(buffer), token.len()),
        Class::Text => times.text(token.bytes(buffer)),
        Class::Number => times.number(token.bytes(buffer)),
        Class::Escaped => {
            let mut plain = Vec::new();
            text::push_unescaped(&mut plain, token.json(buffer))?;
            times.text(&plain)
        }
        other => refuse(other),
    }
}

#[inline(always)]
fn plain_text(class: Class) -> Result<Take, Absent> {
    match class {
        Class::Text => Ok(Take::Content),
        Class::Escaped => Ok(Take::Unescaped),
        other => refuse(other),
    }
}

#[inline(always)]
fn scalar(class: Class) -> Result<Take, Absent> {
    match class {
        Class::Text | Class::Digits | Class::Number | Class::True | Class::False => Ok(Take::Content),
        Class::Escaped => Ok(Take::Unescaped),
        other => refuse(other),
    }
}

#[inline(always)]
fn json(class: Class) -> Result<Take, Absent> {
    match class {
        Class::Missing | Class::Null => Err(Absent::Null),
        Class::Blocked => Err(Absent::Mistyped("")),
        _ => Ok(Take::Json),
    }
}
