//! What plugins read and write: the host's own mirror of the contract's descriptor (`wit/v0.1/types.wit`), so that only
//! `wasmill-wasm` sees generated bindings.

use serde::Serialize;

/// What a value means. `Timestamp`: nanoseconds since 1970-01-01 UTC. `Json`: a subtree as JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Boolean,
    Integer,
    Float,
    Text,
    Bytes,
    Timestamp,
    Json,
}

impl Kind {
    /// The contract's word for it, as errors and the API show it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::Float => "float",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
            Kind::Timestamp => "timestamp",
            Kind::Json => "json",
        }
    }
}

/// A field a plugin reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The author's name for it, used in errors.
    pub name: String,
    /// Where it comes from: `data.amount`, `items[*].price`, or the record itself: `@key`, `@headers.tenant`, `@time`.
    pub path: String,
    pub kind: Kind,
    /// Null and missing are allowed. If false, the host dead-letters such rows before the plugin sees them.
    pub optional: bool,
    /// An array of `kind`.
    pub repeated: bool,
    /// The plugin takes this text column dictionary-encoded.
    pub dictionary: bool,
}

/// What an output column is for in a time series; other sinks ignore it. `Time` replaces the row's event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Field,
    Tag,
    Time,
}

/// A column a plugin writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputField {
    pub name: String,
    pub kind: Kind,
    pub optional: bool,
    pub repeated: bool,
    pub role: Role,
    /// For charts: "ms", "USD", "bytes"; empty if none.
    pub unit: String,
    pub doc: String,
}

/// One stream of rows that a plugin writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Output {
    /// "out" for the only or main one.
    pub name: String,
    pub fields: Vec<OutputField>,
    /// True: a row keeps the columns of its origin and `fields` are added or replaced. Only transformers may extend.
    pub extends: bool,
}

/// What a plugin says of itself, after `configure`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    pub name: String,
    pub version: String,
    pub doc: String,
    pub reads: Vec<Field>,
    pub outputs: Vec<Output>,
    pub options: Vec<(String, String)>,
}
