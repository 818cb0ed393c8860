//! Whether a route's key covers what its topic is partitioned by.

use crate::config::diagnostic::quoted;

/// Why a route needs an exchange between partitions, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Rows of one key are always in one partition.
    Aligned { by: Vec<String> },
    /// There is no key.
    OneGroup,
    /// The source does not say what it is partitioned by.
    Undeclared,
    /// The key lacks these fields, as the events have them.
    Missing(Vec<String>),
}

impl Alignment {
    /// `key`: the paths of the key's fields that are decoded from events, not written by plugins.
    pub fn of(grouped: bool, key: &[&str], partitioned_by: &[&str]) -> Alignment {
        if !grouped {
            return Alignment::OneGroup;
        }
        if partitioned_by.is_empty() {
            return Alignment::Undeclared;
        }
        let missing: Vec<String> =
            partitioned_by.iter().filter(|field| !key.contains(field)).map(|&field| field.to_owned()).collect();
        if missing.is_empty() {
            return Alignment::Aligned { by: partitioned_by.iter().map(|&field| field.to_owned()).collect() };
        }
        Alignment::Missing(missing)
    }

    pub fn is_aligned(&self) -> bool {
        matches!(self, Alignment::Aligned { .. })
    }
}

impl std::fmt::Display for Alignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |names: &[String]| quoted(names.iter().map(String::as_str));
        match self {
            Alignment::Aligned { by } => {
                write!(f, "aligned: the key covers {}, which the topic is partitioned by", list(by))
            }
            Alignment::OneGroup => write!(f, "exchanged: one group has rows in every partition"),
            Alignment::Undeclared => {
                write!(f, "exchanged: the source does not say what it is partitioned by (`partitioned_by`)")
            }
            Alignment::Missing(fields) => {
                write!(f, "exchanged: the topic is partitioned by {}, which the key does not have", list(fields))
            }
        }
    }
}
