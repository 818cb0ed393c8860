//! The figures of a running pipeline: written with relaxed atomics where the work is done, read by `/metrics`, the API and the page.
//! One struct a thing, made once from the plan; nothing here is locked on the data path.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use wasmill_core::dead_letter::Stage;

use crate::current::Current;

/// Only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A level.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    pub fn set(&self, value: i64) {
        self.0.store(value, Relaxed);
    }
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Upper bounds of the buckets of every duration, in seconds.
pub const BUCKETS_SECONDS: [f64; 14] =
    [0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// A histogram of durations.
#[derive(Debug, Default)]
pub struct Durations {
    /// Not cumulative; the last one is everything above the bounds.
    buckets: [AtomicU64; BUCKETS_SECONDS.len() + 1],
    sum_nanos: AtomicU64,
}

impl Durations {
    pub fn record(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let bucket = BUCKETS_SECONDS.iter().position(|b| seconds <= *b).unwrap_or(BUCKETS_SECONDS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_nanos.fetch_add(elapsed.as_nanos() as u64, Relaxed);
    }

    /// Counts a bucket (not cumulative), and the sum in seconds.
    pub fn read(&self) -> (Vec<u64>, f64) {
        (self.buckets.iter().map(|b| b.load(Relaxed)).collect(), self.sum_nanos.load(Relaxed) as f64 / 1e9)
    }

    /// Seconds; `None` before the first.
    pub fn mean(&self) -> Option<f64> {
        let (buckets, sum) = self.read();
        let count: u64 = buckets.iter().sum();
        (count > 0).then(|| sum / count as f64)
    }

    /// Seconds, linear inside the bucket that holds it (so never finer than the buckets); above the last bound: that bound.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let (buckets, _) = self.read();
        let rank = q * buckets.iter().sum::<u64>() as f64;
        let (mut below, mut lower) = (0.0, 0.0);
        for (count, upper) in buckets.iter().zip(BUCKETS_SECONDS) {
            let count = *count as f64;
            if count > 0.0 && below + count >= rank {
                return Some(lower + (upper - lower) * (rank - below) / count);
            }
            (below, lower) = (below + count, upper);
        }
        buckets.last().is_some_and(|above| *above > 0).then_some(lower)
    }
}

/// Words for people that change rarely: why a sink waits, what stopped a source.
#[derive(Debug, Default)]
pub struct Note(Mutex<Option<String>>);

impl Note {
    pub fn set(&self, text: Option<String>) {
        *lock(&self.0) = text;
    }
    pub fn get(&self) -> Option<String> {
        lock(&self.0).clone()
    }
}

#[derive(Debug, Default)]
pub struct PartitionFigures {
    pub events: Counter,
    pub bytes: Counter,
    /// The next offset to be handled.
    pub position: Gauge,
    /// What the group has committed; -1 before the first commit.
    pub committed: Gauge,
    /// The log's end as last heard of; -1 before.
    pub end_offset: Gauge,
    /// Nanoseconds; `i64::MIN` before the first event.
    pub watermark: Gauge,
    /// The highest event time seen, nanoseconds.
    pub max_event_time: Gauge,
    pub idle: AtomicBool,
    /// Rebuilding state from the low mark: nothing is emitted.
    pub replaying: AtomicBool,
    pub paused: AtomicBool,
    pub queued_bytes: Gauge,
}

impl PartitionFigures {
    /// Events between the position and the log's end; `None` until the end is known.
    pub fn lag(&self) -> Option<i64> {
        let end = self.end_offset.get();
        (end >= 0).then(|| (end - self.position.get()).max(0))
    }
}

#[derive(Debug, Default)]
pub struct SourceFigures {
    pub name: String,
    pub topics: Vec<String>,
    pub group: String,
    /// By (topic, partition); entries come and go with assignments.
    pub partitions: RwLock<BTreeMap<(String, i32), Arc<PartitionFigures>>>,
    pub tombstones: Counter,
    /// Refused before any route saw them: malformed, no time, too far in the future.
    pub invalid: Counter,
    pub commits: Counter,
    pub commit_failures: Counter,
    pub commit_seconds: Durations,
    pub rebuilds: Counter,
    /// Set while the source is stopped by a fault, or cannot reach its broker.
    pub fault: Note,
}

impl SourceFigures {
    /// The partitions that this instance holds now, in order.
    pub fn assigned(&self) -> Vec<((String, i32), Arc<PartitionFigures>)> {
        let partitions = self.partitions.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        partitions.iter().map(|(key, figures)| (key.clone(), Arc::clone(figures))).collect()
    }
}

#[derive(Debug, Default)]
pub struct RouteFigures {
    pub name: String,
    pub source: String,
    /// Rows that reached the route (from its source, or from the route before it).
    pub rows_in: Counter,
    /// `where` said no.
    pub filtered: Counter,
    pub rejected: Counter,
    pub late: Counter,
    /// Rows folded into windows, or passed through where there is no window.
    pub accepted: Counter,
    /// Rows written to sinks.
    pub rows_out: Counter,
    pub windows_on_time: Counter,
    pub windows_early: Counter,
    pub windows_late: Counter,
    /// States that reached the exchange when their windows had closed for good. Must stay 0.
    pub lost_states: Counter,
    /// Slots that hold a state now, over all partitions.
    pub slots: Gauge,
}

#[derive(Debug, Default)]
pub struct PluginFigures {
    /// Its name in the configuration.
    pub name: String,
    /// The full sha256 of the release, hexadecimal.
    pub release: String,
    pub calls: Counter,
    pub rows: Counter,
    pub rejects: Counter,
    pub traps: Counter,
    pub call_seconds: Durations,
    pub memory_bytes: Gauge,
    pub fault: Note,
    /// Since when the release is on trial: it took the place of another one, which it is taken back for if it fails.
    pub trial: Mutex<Option<Instant>>,
}

impl PluginFigures {
    /// Ends the trial; true if there was one that is not older than `most`.
    pub fn end_trial(&self, most: Duration) -> bool {
        lock(&self.trial).take().is_some_and(|since| since.elapsed() < most)
    }

    pub fn begin_trial(&self) {
        *lock(&self.trial) = Some(Instant::now());
    }
}

#[derive(Debug, Default)]
pub struct SinkFigures {
    pub name: String,
    /// `influxdb`, `local`, `kafka`, `stdout`.
    pub kind: String,
    pub rows: Counter,
    pub bytes: Counter,
    pub retries: Counter,
    /// Points the sink refused for ever; dead-lettered.
    pub refused: Counter,
    /// NaN and infinite values left out of points.
    pub not_finite: Counter,
    /// Rows without any value, of which no point was made.
    pub empty: Counter,
    /// Taken from the queue and not yet durable.
    pub queued_rows: Gauge,
    pub write_seconds: Durations,
    /// Set while it cannot write, with the reason.
    pub fault: Note,
}

/// What dead letters and drops are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusalKey {
    pub source: String,
    pub route: String,
    pub stage: Stage,
    pub code: String,
    /// Dropped by configuration instead of dead-lettered.
    pub dropped: bool,
}

/// Everything one pipeline counts.
#[derive(Debug, Default)]
pub struct Figures {
    pub sources: Vec<Arc<SourceFigures>>,
    /// In the plan's order, as are `plugins`; a reload replaces them.
    pub routes: Current<Vec<Arc<RouteFigures>>>,
    pub plugins: Current<Vec<Arc<PluginFigures>>>,
    pub sinks: Current<Vec<Arc<SinkFigures>>>,
    refusals: Mutex<BTreeMap<RefusalKey, u64>>,
}

impl Figures {
    pub fn new(
        sources: Vec<Arc<SourceFigures>>,
        routes: Vec<Arc<RouteFigures>>,
        plugins: Vec<Arc<PluginFigures>>,
        sinks: Vec<Arc<SinkFigures>>,
    ) -> Self {
        let (routes, plugins, sinks) = (Current::new(routes), Current::new(plugins), Current::new(sinks));
        Figures { sources, routes, plugins, sinks, refusals: Mutex::default() }
    }

    pub fn refuse(&self, key: RefusalKey, count: u64) {
        *lock(&self.refusals).entry(key).or_default() += count;
    }

    pub fn refusals(&self) -> BTreeMap<RefusalKey, u64> {
        lock(&self.refusals).clone()
    }
}

/// Figures stay readable after a panic elsewhere: a counter cannot be half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_the_bucket_that_holds_them() {
        let durations = Durations::default();
        assert_eq!((durations.mean(), durations.quantile(0.99)), (None, None));
        (0..98).for_each(|_| durations.record(Duration::from_micros(20)));
        (0..2).for_each(|_| durations.record(Duration::from_millis(50)));
        let (p50, p99) = (durations.quantile(0.5).unwrap(), durations.quantile(0.99).unwrap());
        assert!((0.00001..=0.00003).contains(&p50), "{p50}");
        assert!((0.03..=0.1).contains(&p99), "{p99}");
        let slow = Durations::default();
        slow.record(Duration::from_secs(99));
        assert_eq!(slow.quantile(0.99), Some(30.0));
    }
}
