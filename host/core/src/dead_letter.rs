//! An event that could not be used, with all that is needed to understand and to re-drive it.

/// Where on its way the event was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Decode,
    Time,
    Where,
    Transform,
    Key,
    Late,
    Aggregate,
    Sink,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Time => "time",
            Stage::Where => "where",
            Stage::Transform => "transform",
            Stage::Key => "key",
            Stage::Late => "late",
            Stage::Aggregate => "aggregate",
            Stage::Sink => "sink",
        }
    }
}

/// One refused event (or, at `Stage::Sink`, one refused point: then `value` is its line and `offset` is -1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub source: String,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub stage: Stage,
    /// A short word for figures, of a bounded set a stage: `malformed`, `missing`, `type`, `future`, `late`, `rejected`, `trap`…
    pub code: &'static str,
    /// The whole story for a person.
    pub reason: String,
    pub route: Option<String>,
    /// Its name in the configuration.
    pub plugin: Option<String>,
    /// The first 12 hex digits of the release's sha256.
    pub release: Option<String>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}
