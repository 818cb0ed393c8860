//! What a source's decoder is asked for: the union of the fields that its routes read. Lives in the core so that the plan can
//! say it and `wasmill-decode` can do it.

use crate::schema::Kind;

/// How payloads are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    /// The payload is one text, read by the path `@value`; must be UTF-8.
    Text,
    /// Bytes as they are, read by the path `@value`.
    Raw,
}

/// How times are written in payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339 text, or a number in s, ms, µs or ns, told apart by its magnitude.
    Auto,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    Rfc3339,
    /// A `strftime` pattern; without a zone in it, UTC.
    Pattern(String),
}

/// What a column of decoded values holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecodeKind {
    /// As the plugin's field says.
    Kind(Kind),
    /// An array of `kind`.
    Repeated(Kind),
    /// Any scalar as text, for keys: a string's content, a number as it is written, `true` or `false`.
    Scalar,
}

/// One column to decode. `path` addresses the payload (`data.amount`, `items[*].price`, `"a.b".c`) or the record
/// (`@key`, `@value`, `@headers.tenant`, `@topic`, `@partition`, `@offset`, `@timestamp`). Never `@time`: the task makes that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecodeField {
    pub path: String,
    pub kind: DecodeKind,
}
