//! What the configurations of several plugins share.

use serde::Deserialize;

use crate::dynamic::Dynamic;
use crate::schema::{Field, Kind};

/// What becomes of rows that lack the field: `missing = "reject"` (the default) or `missing = "skip"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// They go to the dead letters: the host does that for every field that is not optional.
    #[default]
    Reject,
    /// They do not count.
    Skip,
}

impl Missing {
    /// The field as a plugin with this option reads it.
    pub fn field(self, path: &str, kind: Kind) -> Field {
        Field { optional: self == Missing::Skip, ..Field::required(path.to_owned(), kind) }
    }
}

/// A list of values of one kind, which is the kind that the field is read as.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a list of texts, of integers, of numbers or of booleans")]
pub enum Scalars {
    Texts(Vec<String>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Booleans(Vec<bool>),
}

impl Scalars {
    pub fn kind(&self) -> Kind {
        match self {
            Scalars::Texts(_) => Kind::Text,
            Scalars::Integers(_) => Kind::Integer,
            Scalars::Floats(_) => Kind::Float,
            Scalars::Booleans(_) => Kind::Boolean,
        }
    }

    /// Integers as floats, for a field that is compared with numbers of both kinds.
    pub fn into_floats(self) -> Self {
        match self {
            Scalars::Integers(values) => Scalars::Floats(values.into_iter().map(|value| value as f64).collect()),
            other => other,
        }
    }

    /// Whether the event's value in a column is one of these; a null is none.
    #[inline(always)]
    pub fn contains(&self, event: &Dynamic<'_>, column: usize) -> bool {
        match self {
            Scalars::Texts(values) => event.text(column).is_some_and(|found| values.iter().any(|value| value == found)),
            Scalars::Integers(values) => event.integer(column).is_some_and(|found| values.contains(&found)),
            Scalars::Floats(values) => event.float(column).is_some_and(|found| values.contains(&found)),
            Scalars::Booleans(values) => event.boolean(column).is_some_and(|found| values.contains(&found)),
        }
    }
}
