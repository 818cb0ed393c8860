//! The configuration as plain types. Spans are kept where a later check may have to point at something.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::diagnostic::{Span, Spanned};
use super::secret::Secret;
use crate::decode_spec::{Format, TimeFormat};
use crate::plan::{At, OnInvalid, OnLate, WindowSpec};
use crate::time::Nanos;

/// What `path = "builtin:count"` and `aggregate = "builtin:count"` start with.
pub const BUILTIN: &str = "builtin:";

/// Parts stand in the order of the file.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: Server,
    pub kafka: Kafka,
    pub checkpoint: Checkpoint,
    pub sources: Vec<Source>,
    /// Also those that routes name straight away (`builtin:count`), under that name.
    pub plugins: Vec<Plugin>,
    pub sinks: Vec<Sink>,
    pub routes: Vec<Route>,
    pub tests: Vec<Test>,
}

impl Config {
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name.value == name)
    }

    pub fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.name.value == name)
    }

    pub fn sink(&self, name: &str) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.name.value == name)
    }

    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name.value == name)
    }
}

#[derive(Clone, Debug)]
pub struct Server {
    pub listen: SocketAddr,
    pub token: Option<Secret>,
    /// A folder, as written: relative paths start at the configuration's.
    pub state: String,
}

#[derive(Clone, Debug)]
pub struct Kafka {
    /// Separated by commas.
    pub brokers: String,
    /// For librdkafka, untouched. Any of them may be a password.
    pub properties: BTreeMap<String, Secret>,
    pub dead_letter_prefix: String,
}

impl Kafka {
    /// The topic of events from `source` that could not be used.
    pub fn dead_letter_topic(&self, source: &str) -> String {
        format!("{}.{source}.dead-letters", self.dead_letter_prefix)
    }
}

#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub interval: Nanos,
}

#[derive(Clone, Debug)]
pub struct Source {
    pub name: Spanned<String>,
    pub topics: Vec<String>,
    pub group: String,
    pub format: Format,
    /// The path of the event's time, `@timestamp` or `@now`.
    pub time: Spanned<String>,
    pub time_format: TimeFormat,
    pub out_of_orderness: Nanos,
    /// Zero: never.
    pub idle_after: Nanos,
    pub max_ahead: Nanos,
    pub start: Start,
    pub partitioned_by: Vec<Spanned<String>>,
    /// Create the topics with so many partitions if they are missing.
    pub partitions: Option<u32>,
    pub on_invalid: OnInvalid,
}

/// Where a group without committed offsets starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Latest,
    Earliest,
    /// The first event at or after this time, by Kafka's timestamps.
    At(Nanos),
    /// So long before now.
    Ago(Nanos),
}

#[derive(Clone, Debug)]
pub struct Plugin {
    pub name: Spanned<String>,
    /// Where errors about the file point.
    pub path: Spanned<PluginPath>,
    /// 64 hex digits, lower case.
    pub sha256: Option<Spanned<String>>,
    /// A JSON object.
    pub config: serde_json::Value,
    pub limits: Limits,
    pub grants: Grants,
    /// Its table; for a built-in that a route names straight away, where it does.
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginPath {
    /// As written: relative paths start at the configuration's folder.
    File(String),
    /// A first-party plugin inside the binary, without the `builtin:`.
    Builtin(String),
}

/// What a plugin may use beyond log and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    pub clock: bool,
    pub random: bool,
}

/// What one instance of a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: u64,
    pub call: Nanos,
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_bytes: 64 << 20, call: crate::time::SECOND, output_bytes: 8 << 20 }
    }
}

#[derive(Clone, Debug)]
pub struct Sink {
    pub name: Spanned<String>,
    pub kind: SinkKind,
}

#[derive(Clone, Debug)]
pub enum SinkKind {
    Influxdb(Influxdb),
    Local(Local),
    Kafka(KafkaSink),
    Stdout(Stdout),
    /// Takes rows and forgets them.
    Null,
}

impl SinkKind {
    /// As the configuration says it.
    pub fn name(&self) -> &'static str {
        match self {
            SinkKind::Influxdb(_) => "influxdb",
            SinkKind::Local(_) => "local",
            SinkKind::Kafka(_) => "kafka",
            SinkKind::Stdout(_) => "stdout",
            SinkKind::Null => "null",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Influxdb {
    pub url: String,
    pub org: String,
    pub bucket: String,
    pub token: Option<Secret>,
    pub create_bucket: bool,
    /// Lines in one request at most.
    pub batch_lines: usize,
    /// A batch that is not full is sent after so long.
    pub flush: Nanos,
    pub timeout: Nanos,
    /// Points of further series, counted since the start, are dead letters. `None`: no bound.
    pub max_series: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Local {
    /// As written: relative paths start at the configuration's folder.
    pub path: String,
    /// `None`: kept for ever.
    pub retention: Option<Nanos>,
    /// The oldest points go to keep the file below this. `None`: the store's own bound.
    pub max_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct KafkaSink {
    pub topic: String,
    /// Create the topic with so many partitions if it is missing.
    pub partitions: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Stdout {
    /// `None`: text on a terminal, line protocol elsewhere.
    pub format: Option<StdoutFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutFormat {
    /// For people.
    Text,
    /// Line protocol.
    Line,
    Json,
}

#[derive(Clone, Debug)]
pub struct Route {
    pub name: Spanned<String>,
    pub from: Spanned<String>,
    pub conditions: Vec<Where>,
    /// Names of plugins.
    pub transform: Vec<Spanned<String>>,
    /// Empty: one group for all.
    pub key: Vec<KeyField>,
    pub aggregate: Option<Aggregate>,
    pub to: Vec<To>,
}

impl Route {
    /// The names of all plugins it uses.
    pub fn plugins(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.transform.iter().chain(self.aggregate.iter().map(|aggregate| &aggregate.plugin))
    }
}

#[derive(Clone, Debug)]
pub struct Where {
    pub path: Spanned<String>,
    /// As text: a number as it is written, `true` or `false`.
    pub values: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct KeyField {
    pub path: Spanned<String>,
    /// The tag's name.
    pub name: String,
}

/// The part of a route that folds rows.
#[derive(Clone, Debug)]
pub struct Aggregate {
    pub plugin: Spanned<String>,
    pub windows: Spanned<WindowSpec>,
    pub lateness: Option<Spanned<Nanos>>,
    pub late: OnLate,
    pub early: Option<Nanos>,
    pub at: At,
}

/// One entry of a route's `to`.
#[derive(Clone, Debug)]
pub struct To {
    pub sink: Spanned<String>,
    pub measurement: String,
    pub tags: Option<Vec<Spanned<String>>>,
    pub fields: Option<Vec<Spanned<String>>>,
    pub key: Option<Vec<Spanned<String>>>,
}

/// A test of the whole pipeline; files are relative to the configuration's folder.
#[derive(Clone, Debug)]
pub struct Test {
    pub name: Spanned<String>,
    /// By source.
    pub input: Vec<(Spanned<String>, Spanned<String>)>,
    /// By sink.
    pub expect: Vec<(Spanned<String>, Spanned<String>)>,
}
