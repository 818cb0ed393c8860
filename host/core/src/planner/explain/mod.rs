//! The plan in words, for people (`Display`) and programs (`Serialize`).

mod describe;
mod text;

use serde::Serialize;

use crate::schema::{Kind, Role};

pub use describe::explain;

/// The whole plan.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub sources: Vec<SourceExplanation>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourceExplanation {
    pub name: String,
    pub topics: Vec<String>,
    pub group: String,
    pub format: &'static str,
    pub partitioned_by: Vec<String>,
    pub time: String,
    pub out_of_orderness: String,
    pub idle_after: String,
    pub max_ahead: String,
    pub decoded: Vec<DecodedExplanation>,
    pub routes: Vec<RouteExplanation>,
}

/// One field that is decoded from each event, once for all who ask.
#[derive(Clone, Debug, Serialize)]
pub struct DecodedExplanation {
    pub path: String,
    pub kind: String,
    /// `plugin stats of per_event`, `key of per_event`, `event time`…
    pub asked_by: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RouteExplanation {
    pub name: String,
    /// The source, the route, or `route.output`.
    pub from: String,
    /// `event_type = purchase | refund`; all must hold.
    pub conditions: Vec<String>,
    pub steps: Vec<StepExplanation>,
    pub aggregate: Option<AggregateExplanation>,
    pub rows: Vec<RowsExplanation>,
    pub to: Vec<TargetExplanation>,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepExplanation {
    pub plugin: String,
    pub reads: Vec<String>,
    /// By output.
    pub writes: Vec<(String, Vec<String>)>,
    /// Columns of events that later steps read, carried along.
    pub keeps: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct AggregateExplanation {
    pub plugin: String,
    pub reads: Vec<String>,
    /// `data.currency as currency`
    pub key: Vec<String>,
    pub exchanged: bool,
    /// Why it is exchanged, or why not.
    pub partitions: String,
    pub window: String,
    pub panes: String,
    pub late: String,
    pub early: Option<String>,
    /// Which end of its window a row's time is.
    pub at: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct RowsExplanation {
    /// The route, or `route.output`.
    pub name: String,
    pub columns: Vec<ColumnExplanation>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ColumnExplanation {
    pub name: String,
    pub kind: Kind,
    pub role: Role,
    pub unit: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct TargetExplanation {
    pub sink: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub measurement: String,
    pub tags: Vec<String>,
    pub fields: Vec<String>,
    pub key: Vec<String>,
}
