//! What a running pipeline is and how it fares, as one serialisable document: the static plan joined with the figures.

pub mod describe;
pub mod health;
pub mod sampler;
pub mod words;

use serde::Serialize;
use wasmill_core::schema::Descriptor;

use crate::reload;
use health::{Reason, State};
use sampler::{Rates, Recent};

/// The whole document, `/api/v1/pipeline` and the `status` event. Times are RFC 3339 in UTC, to the nanosecond.
#[derive(Clone, Debug, Serialize)]
pub struct Pipeline {
    pub name: String,
    pub version: &'static str,
    pub started_at: String,
    pub now: String,
    pub state: State,
    pub reasons: Vec<Reason>,
    /// A token is configured: whoever has it can reload and choose releases.
    pub writable: bool,
    /// The latest reload; `None`: there was none. `/api/v1/reloads` says all of it.
    pub reloads: Option<LatestReload>,
    pub rates: Rates,
    /// The last minutes of `rates`, oldest first; left out of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent: Option<Recent>,
    pub sources: Vec<Source>,
    pub routes: Vec<Route>,
    pub plugins: Vec<Plugin>,
    pub sinks: Vec<Sink>,
    pub refusals: Vec<Refusal>,
}

/// Enough to see that there is something new to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LatestReload {
    pub number: u64,
    pub outcome: reload::Outcome,
}

#[derive(Clone, Debug, Serialize)]
pub struct Source {
    pub name: String,
    pub topics: Vec<String>,
    pub group: String,
    pub format: &'static str,
    pub out_of_orderness: String,
    pub idle_after: String,
    pub tombstones: u64,
    pub invalid: u64,
    pub commits: u64,
    pub commit_failures: u64,
    pub commit_mean_seconds: Option<f64>,
    pub rebuilds: u64,
    pub fault: Option<String>,
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    pub topic: String,
    pub partition: i32,
    pub events: u64,
    pub bytes: u64,
    /// The next offset to be handled.
    pub position: i64,
    pub committed: Option<i64>,
    pub end_offset: Option<i64>,
    /// Events between `position` and the log's end.
    pub lag: Option<i64>,
    pub watermark: Option<String>,
    /// The clock minus the watermark.
    pub watermark_delay_seconds: Option<f64>,
    /// A bounded run has closed every window here.
    pub complete: bool,
    pub idle: bool,
    pub replaying: bool,
    pub paused: bool,
    pub queued_bytes: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Route {
    pub name: String,
    pub source: String,
    pub from: Origin,
    /// `where`, one phrase a condition.
    pub conditions: Vec<String>,
    /// Plugins in order.
    pub transforms: Vec<String>,
    pub key: Vec<String>,
    pub aggregate: Option<String>,
    pub window: Option<String>,
    pub lateness: Option<String>,
    /// `aligned`: partitions are independent. `exchanged`: their panes are merged by key.
    pub partitioning: Option<&'static str>,
    pub sinks: Vec<RouteSink>,
    pub figures: RouteCounts,
}

/// What a route reads.
#[derive(Clone, Debug, Serialize)]
pub struct Origin {
    /// `source` or `route`.
    pub kind: &'static str,
    /// Of a further output: `parse.alerts`.
    pub name: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct RouteSink {
    pub sink: String,
    pub measurement: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct RouteCounts {
    pub rows_in: u64,
    pub filtered: u64,
    pub rejected: u64,
    pub late: u64,
    pub accepted: u64,
    pub rows_out: u64,
    pub windows_on_time: u64,
    pub windows_early: u64,
    pub windows_late: u64,
    pub slots: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Plugin {
    pub name: String,
    /// The full sha256 of the release.
    pub release: String,
    /// `transformer` or `aggregator`.
    pub kind: &'static str,
    pub used_by: Vec<String>,
    /// Left out of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Descriptor>,
    pub calls: u64,
    pub rows: u64,
    pub rejects: u64,
    pub traps: u64,
    pub call_mean_seconds: Option<f64>,
    /// Estimated from the histogram's buckets.
    pub call_p99_seconds: Option<f64>,
    pub memory_bytes: i64,
    pub fault: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Sink {
    pub name: String,
    pub kind: String,
    pub rows: u64,
    pub bytes: u64,
    pub retries: u64,
    pub refused: u64,
    pub not_finite: u64,
    pub queued_rows: i64,
    pub write_mean_seconds: Option<f64>,
    pub write_p99_seconds: Option<f64>,
    pub fault: Option<String>,
}

/// Events refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub source: String,
    pub route: String,
    pub stage: &'static str,
    pub code: String,
    /// `dead-letter` or `dropped`.
    pub outcome: &'static str,
    pub count: u64,
}
