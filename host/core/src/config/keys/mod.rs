//! Every key of the configuration, once: the reader refuses what is not here, `wasmill schema` and the reference follow it.

mod parts;
mod routes;
mod sinks;

pub use parts::{CHECKPOINT, KAFKA, LIMITS, PLUGIN, ROOT, SERVER, SOURCE, TEST};
pub use routes::{EMIT, KEY, ROUTE, TARGET, WINDOW};
pub use sinks::{SINK_TYPE, SINKS};

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    /// A text that is never shown.
    Secret,
    /// "5s", "1m30s"
    Duration,
    /// "64 MiB"
    Size,
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    /// One of `words`; `later` are known words that this version does not have.
    Choice {
        words: &'static [&'static str],
        later: &'static [&'static str],
    },
    /// A string, a number or a boolean.
    Scalar,
    Anything,
    List(&'static Shape),
    Table(&'static Section),
    /// A table with free keys.
    Map(&'static Shape),
    /// A table whose type tells which other keys it has.
    Tagged(&'static [(&'static str, &'static Section)]),
    Either(&'static [Shape]),
}

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// As it would be written; empty where there is none or it depends.
    pub default: &'static str,
    /// A valid value, as it is written in TOML.
    pub example: &'static str,
    pub doc: &'static str,
}

/// A word that a later version will know.
#[derive(Clone, Copy, Debug)]
pub struct Later {
    pub name: &'static str,
    pub doc: &'static str,
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// As a heading: `sources.NAME`.
    pub title: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
    pub later: &'static [Later],
}

impl Section {
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// One line that shows what the table looks like.
    pub fn example(&self) -> String {
        let required: Vec<&Key> = self.keys.iter().filter(|key| key.required).collect();
        let keys = if required.is_empty() { self.keys.iter().take(1).collect() } else { required };
        let shown: Vec<String> = keys.iter().map(|key| format!("{} = {}", key.name, key.example)).collect();
        format!("write for example `{{ {} }}`", shown.join(", "))
    }
}

impl Key {
    /// Of an integer.
    pub fn range(&self) -> (i64, i64) {
        match self.shape {
            Shape::Integer { min, max } => (min, max),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// Of a choice: the words, and those of later versions.
    pub fn words(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.shape {
            Shape::Choice { words, later } => (words, later),
            _ => (&[], &[]),
        }
    }

    const fn required(mut self) -> Key {
        self.required = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Key {
        self.default = default;
        self
    }
}

/// What [`Section::key`] never returns: stands in where a reader asks for a key that is not listed.
pub(super) static NO_KEY: Key = key("", Shape::Anything, "", "");

const fn key(name: &'static str, shape: Shape, example: &'static str, doc: &'static str) -> Key {
    Key { name, shape, required: false, default: "", example, doc }
}

const fn later(name: &'static str, doc: &'static str) -> Later {
    Later { name, doc }
}

const TEXTS: Shape = Shape::List(&Shape::Text);
const MAX_PARTITIONS: i64 = 10_000;
