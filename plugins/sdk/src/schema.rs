//! What a plugin says of itself: the contract's `descriptor` (`wit/v0.1/types.wit`).

use std::borrow::Cow;

/// What a value means. `Timestamp`: nanoseconds since 1970-01-01 UTC. `Json`: a subtree as JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
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
    /// The contract's word for it.
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

/// A field the plugin reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The author's name for it, used in errors.
    pub name: Cow<'static, str>,
    /// Where it comes from: `data.amount`, `"a.b"`, or the record itself: `@key`, `@headers.tenant`, `@time`.
    pub path: Cow<'static, str>,
    pub kind: Kind,
    /// Null and missing are allowed. If false, the host dead-letters such rows before the plugin sees them.
    pub optional: bool,
    /// An array of `kind`.
    pub repeated: bool,
}

impl Field {
    /// A required field named by its path; for plugins whose configuration says what they read.
    pub fn required(path: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        let path = path.into();
        Field { name: path.clone(), path, kind, optional: false, repeated: false }
    }

    /// An optional field named by its path.
    pub fn optional(path: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Field { optional: true, ..Field::required(path, kind) }
    }
}

/// What an output column is for in a time series; other sinks ignore it. `Time` replaces the row's event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Field,
    Tag,
    Time,
}

/// A column the plugin writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputField {
    pub name: Cow<'static, str>,
    pub kind: Kind,
    pub optional: bool,
    pub repeated: bool,
    pub role: Role,
    /// For charts: "ms", "USD", "bytes"; empty if none.
    pub unit: Cow<'static, str>,
    pub doc: Cow<'static, str>,
}

impl OutputField {
    /// A field that always has a value, without unit or doc; for plugins whose configuration says what they write.
    pub fn new(name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        OutputField {
            name: name.into(),
            kind,
            optional: false,
            repeated: false,
            role: Role::Field,
            unit: Cow::Borrowed(""),
            doc: Cow::Borrowed(""),
        }
    }

    /// It may be null.
    pub fn optional(self) -> Self {
        OutputField { optional: true, ..self }
    }

    pub fn tag(self) -> Self {
        OutputField { role: Role::Tag, ..self }
    }

    pub fn unit(self, unit: impl Into<Cow<'static, str>>) -> Self {
        OutputField { unit: unit.into(), ..self }
    }

    pub fn doc(self, doc: impl Into<Cow<'static, str>>) -> Self {
        OutputField { doc: doc.into(), ..self }
    }
}

/// One stream of rows that a plugin writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// "out" for the only or main one.
    pub name: Cow<'static, str>,
    pub fields: Vec<OutputField>,
    /// True: a row keeps the columns of its origin and `fields` are added or replaced. Only transformers may extend.
    pub extends: bool,
}

impl Output {
    /// The only or main output.
    pub fn main(fields: Vec<OutputField>) -> Self {
        Output { name: Cow::Borrowed("out"), fields, extends: false }
    }
}

/// The whole of it, after `configure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub name: String,
    pub version: String,
    pub doc: String,
    pub reads: Vec<Field>,
    pub outputs: Vec<Output>,
}

/// Who a plugin is; [`transformer!`](crate::transformer) and [`aggregator!`](crate::aggregator) take it from Cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    pub name: &'static str,
    pub version: &'static str,
    pub doc: &'static str,
}
