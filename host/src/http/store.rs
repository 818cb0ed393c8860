//! What the API asks of a series store. The `local` sink is the one that ships; the browser test brings one in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast;
use wasmill_core::time::Nanos;

/// A value that can be drawn or shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// A point as it was written. The same measurement, tags and time again: it replaces the earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub measurement: String,
    pub tags: BTreeMap<String, String>,
    pub fields: BTreeMap<String, Value>,
    pub time: Nanos,
}

/// What a measurement holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measurement {
    pub name: String,
    pub fields: Vec<String>,
    pub tags: Vec<String>,
    /// Of its newest point.
    pub last: Option<Nanos>,
}

/// One field of one measurement over `from..to`, the mean of each `step` (0: every point as it is).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesQuery {
    pub measurement: String,
    pub field: String,
    /// All must match exactly.
    pub tags: BTreeMap<String, String>,
    pub from: Nanos,
    pub to: Nanos,
    pub step: Nanos,
    /// No more series than this: those with the highest last value.
    pub max_series: usize,
    /// No more points in all than this: the newest.
    pub max_points: usize,
}

/// The points of one tag set, times rising.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub tags: BTreeMap<String, String>,
    pub points: Vec<(Nanos, f64)>,
}

/// What a query found, and how many series there were before `max_series`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub series: Vec<Series>,
    pub series_total: usize,
    /// `max_points` cut something off.
    pub truncated: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the series store cannot be read: {0}")]
pub struct StoreError(pub String);

/// May block on the disk: called from threads that may.
pub trait SeriesStore: Send + Sync {
    fn measurements(&self) -> Result<Vec<Measurement>, StoreError>;
    fn query(&self, query: &SeriesQuery) -> Result<Found, StoreError>;
    /// Points from now on, in the batches that they were written in.
    fn subscribe(&self) -> broadcast::Receiver<Arc<Vec<Point>>>;
}
