//! The pipeline, resolved: every name is an index, every edge type-checked. Built from the configuration and the plugins'
//! descriptors by the planner; the task runs it as it stands.
//!
//! A *frame* is the list of columns a row can have on its way through a source's routes. It starts with the source's decoded
//! fields (`SourcePlan::fields`, index for index), then holds one column for each thing a step writes. Indices never change, so a
//! plan addresses a column by one number.

use std::sync::Arc;

use crate::decode_spec::{DecodeField, Format, TimeFormat};
use crate::rows::RowSchema;
use crate::time::Nanos;

/// An index into a source's frame.
pub type ColumnId = usize;
/// An index into `Plan::plugins`.
pub type PluginId = usize;
/// An index into `Plan::sinks`.
pub type SinkId = usize;
/// An index into `SourcePlan::routes`.
pub type RouteId = usize;

#[derive(Clone, Debug)]
pub struct Plan {
    pub plugins: Vec<PluginUse>,
    /// Names, in the order of the configuration's sinks.
    pub sinks: Vec<String>,
    pub sources: Vec<SourcePlan>,
}

/// One configured plugin as some route uses it.
#[derive(Clone, Debug)]
pub struct PluginUse {
    pub name: String,
    pub descriptor: crate::schema::Descriptor,
}

#[derive(Clone, Debug)]
pub struct SourcePlan {
    pub name: String,
    pub format: Format,
    pub time_format: TimeFormat,
    /// What to decode; the first columns of the frame.
    pub fields: Vec<DecodeField>,
    pub time: TimeSource,
    pub out_of_orderness: Nanos,
    /// After so long at the log's end, a partition no longer holds windows open. Zero: never.
    pub idle_after: Nanos,
    /// Events further ahead of the clock than this are dead letters.
    pub max_ahead: Nanos,
    pub on_invalid: OnInvalid,
    /// How many columns the frame has in all.
    pub frame: usize,
    /// The frame's column of event time, if a plugin reads `@time`.
    pub time_column: Option<ColumnId>,
    /// Each route stands behind the route it reads from.
    pub routes: Vec<RoutePlan>,
}

impl SourcePlan {
    /// A plugin on the way to `route`'s end replaces event time: the route's watermark is its own, not the source's.
    pub fn sets_event_time(&self, route: RouteId) -> bool {
        let plan = &self.routes[route];
        let own = plan.transforms.iter().any(|t| t.outputs.first().is_some_and(|output| output.time.is_some()));
        own || match plan.from {
            From::Source => false,
            From::Route { route, output } => {
                let chosen = self.routes[route].transforms.last().and_then(|t| t.outputs.get(output));
                chosen.is_some_and(|output| output.time.is_some()) || self.sets_event_time(route)
            }
        }
    }
}

/// Where an event's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// A decoded timestamp column.
    Column(ColumnId),
    /// Kafka's timestamp.
    Record,
    /// The clock when the event is handled (`time = "@now"`).
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    DeadLetter,
    Drop,
    Stop,
}

#[derive(Clone, Debug)]
pub struct RoutePlan {
    pub name: String,
    pub from: From,
    /// All must hold.
    pub conditions: Vec<Condition>,
    pub transforms: Vec<TransformPlan>,
    pub tail: Tail,
    pub targets: Vec<Target>,
}

impl RoutePlan {
    /// The plugin that aggregates, if the route has one.
    pub fn aggregate_plugin(&self) -> Option<PluginId> {
        match &self.tail {
            Tail::Aggregate(plan) => Some(plan.plugin),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Source,
    /// Output `output` of the last transformer of a route that stands earlier.
    Route {
        route: RouteId,
        output: usize,
    },
}

/// `where = { field = [values] }`: the row's value is one of these.
#[derive(Clone, Debug)]
pub struct Condition {
    /// A column of [`DecodeKind::Scalar`](crate::decode_spec::DecodeKind), or a text, integer, float or boolean that a plugin wrote.
    pub column: ColumnId,
    /// As text: a number as it is written in the configuration, `true` or `false`.
    pub values: Vec<String>,
    /// For errors and `--explain`.
    pub path: String,
}

/// One field of a plugin's `reads`, bound to the frame.
#[derive(Clone, Debug)]
pub struct Read {
    pub column: ColumnId,
    pub optional: bool,
    /// For dead letters: the field's path.
    pub path: String,
}

#[derive(Clone, Debug)]
pub struct TransformPlan {
    pub plugin: PluginId,
    pub reads: Vec<Read>,
    /// In the descriptor's order. Only the last transformer of a route may have more than one.
    pub outputs: Vec<OutputPlan>,
}

#[derive(Clone, Debug)]
pub struct OutputPlan {
    pub name: String,
    /// Where each field of the output goes in the frame.
    pub writes: Vec<ColumnId>,
    /// Which of the output's fields replaces the row's event time.
    pub time: Option<usize>,
    /// Earlier columns that later steps read: carried along when this output makes new columns.
    pub keeps: Vec<ColumnId>,
}

/// What happens to the rows that came through the transformers.
#[derive(Clone, Debug)]
pub enum Tail {
    /// Only other routes read them.
    Nothing,
    /// They are written as they are: frame columns in the order of the schema's.
    Rows {
        schema: Arc<RowSchema>,
        columns: Vec<ColumnId>,
    },
    Aggregate(AggregatePlan),
}

#[derive(Clone, Debug)]
pub struct AggregatePlan {
    pub plugin: PluginId,
    pub reads: Vec<Read>,
    /// Empty: one group for all.
    pub keys: Vec<Key>,
    pub windows: WindowSpec,
    pub lateness: Nanos,
    pub late: OnLate,
    /// `emit = { every }`: rows of windows that still run, by the clock.
    pub early: Option<Nanos>,
    pub at: At,
    /// True: the key does not cover what the topic is partitioned by; the exchange merges the partitions' panes.
    pub exchanged: bool,
    /// One an output of the plugin: the keys (tags), for rollups the tag `window`, then the output's fields.
    pub schemas: Vec<Arc<RowSchema>>,
    /// One an output: which of its fields has the role `time`, if any.
    pub times: Vec<Option<usize>>,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub column: ColumnId,
    /// The tag's name.
    pub name: String,
    pub path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLate {
    DeadLetter,
    Drop,
}

/// Which end of its window a row's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Start,
    End,
}

/// Lengths in nanoseconds, all greater than zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowSpec {
    /// `sizes` rise and each divides the next; more than one is a rollup. A day or a week in a zone follows its local midnight.
    Tumbling {
        sizes: Vec<Nanos>,
        offset: Nanos,
        timezone: Option<String>,
    },
    Sliding {
        size: Nanos,
        every: Nanos,
        offset: Nanos,
    },
    Session {
        gap: Nanos,
        max: Nanos,
    },
}

/// One entry of a route's `to`.
#[derive(Clone, Debug)]
pub struct Target {
    pub sink: SinkId,
    /// The measurement (or, for other sinks, the name rows travel under). Further outputs of an aggregator append `_` and the
    /// output's name.
    pub measurement: String,
    /// Which columns are tags, by name; `None`: as the schema says.
    pub tags: Option<Vec<String>>,
    /// Which columns are fields, by name; `None`: all that are not tags.
    pub fields: Option<Vec<String>>,
    /// For a Kafka sink: the columns that make the message key.
    pub key: Vec<String>,
}
