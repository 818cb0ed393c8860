//! A series store in memory, small enough to be seen right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;
use wasmill::http::store::{Found, Measurement, Point, Series, SeriesQuery, SeriesStore, StoreError, Value};
use wasmill_core::time::Nanos;

/// A measurement's points by tags and time.
type Points = BTreeMap<(BTreeMap<String, String>, Nanos), BTreeMap<String, Value>>;

pub struct MemoryStore {
    points: Mutex<BTreeMap<String, Points>>,
    news: broadcast::Sender<Arc<Vec<Point>>>,
}

impl MemoryStore {
    pub fn new() -> Self {
        MemoryStore { points: Mutex::default(), news: broadcast::channel(64).0 }
    }

    pub fn write(&self, points: Vec<Point>) {
        let mut held = self.points.lock().unwrap();
        for point in &points {
            let of = held.entry(point.measurement.clone()).or_default();
            of.insert((point.tags.clone(), point.time), point.fields.clone());
        }
        let _ = self.news.send(Arc::new(points));
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(n) => Some(*n),
        _ => None,
    }
}

/// The mean of each step, at the step's start.
fn means(points: Vec<(Nanos, f64)>, step: Nanos) -> Vec<(Nanos, f64)> {
    if step == 0 {
        return points;
    }
    let mut steps: BTreeMap<Nanos, (f64, f64)> = BTreeMap::new();
    for (time, value) in points {
        let (sum, count) = steps.entry(time.div_euclid(step) * step).or_default();
        (*sum, *count) = (*sum + value, *count + 1.0);
    }
    steps.into_iter().map(|(time, (sum, count))| (time, sum / count)).collect()
}

impl SeriesStore for MemoryStore {
    fn measurements(&self) -> Result<Vec<Measurement>, StoreError> {
        let held = self.points.lock().unwrap();
        let describe = |(name, points): (&String, &Points)| Measurement {
            name: name.clone(),
            fields: points.values().flat_map(|f| f.keys().cloned()).collect::<BTreeSet<_>>().into_iter().collect(),
            tags: points
                .keys()
                .flat_map(|(tags, _)| tags.keys().cloned())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            last: points.keys().map(|(_, time)| *time).max(),
        };
        Ok(held.iter().map(describe).collect())
    }

    fn query(&self, query: &SeriesQuery) -> Result<Found, StoreError> {
        let held = self.points.lock().unwrap();
        let mut by_tags: BTreeMap<&BTreeMap<String, String>, Vec<(Nanos, f64)>> = BTreeMap::new();
        for ((tags, time), fields) in held.get(&query.measurement).into_iter().flatten() {
            let asked = query.tags.iter().all(|(name, value)| tags.get(name) == Some(value));
            if let (true, true, Some(value)) =
                (asked, (query.from..query.to).contains(time), fields.get(&query.field).and_then(number))
            {
                by_tags.entry(tags).or_default().push((*time, value));
            }
        }
        let series_total = by_tags.len();
        let mut series: Vec<Series> =
            by_tags.into_iter().map(|(tags, p)| Series { tags: tags.clone(), points: means(p, query.step) }).collect();
        series.sort_by(|a, b| b.points.last().unwrap().1.total_cmp(&a.points.last().unwrap().1));
        series.truncate(query.max_series);
        Ok(Found { series, series_total, truncated: false })
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Vec<Point>>> {
        self.news.subscribe()
    }
}
