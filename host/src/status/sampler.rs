//! The four figures of the page's head, sampled once a second, and their last minutes.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use wasmill_core::time::{BEGINNING, END, Nanos};

use crate::figures::Figures;

/// Samples kept: two minutes.
pub const RECENT_SAMPLES: usize = 120;
/// Between two samples.
pub const SAMPLE_SECONDS: u64 = 1;

/// How fast and how far behind, over the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    pub events_per_second: f64,
    /// Rows written to sinks.
    pub rows_per_second: f64,
    /// Events not yet handled, over all partitions.
    pub lag: i64,
    /// Of the partition furthest behind that is not idle; `None` before the first event.
    pub watermark_delay_seconds: Option<f64>,
}

/// Oldest first, all of one length.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Recent {
    pub step_seconds: u64,
    pub events_per_second: Vec<f64>,
    pub rows_per_second: Vec<f64>,
    pub lag: Vec<i64>,
    pub watermark_delay_seconds: Vec<Option<f64>>,
}

#[derive(Debug, Default)]
struct Samples {
    last: Option<(Instant, u64, u64)>,
    ring: VecDeque<Rates>,
}

/// Keeps what a page that opens later wants to draw.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<Samples>);

impl Sampler {
    /// Takes a sample; called once every [`SAMPLE_SECONDS`].
    pub fn sample(&self, figures: &Figures, now: Nanos) {
        let (events, rows) = totals(figures);
        let (lag, watermark_delay_seconds) = behind(figures, now);
        let at = Instant::now();
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = |before: u64, after: u64, seconds: f64| after.saturating_sub(before) as f64 / seconds;
        let (events_per_second, rows_per_second) = match samples.last {
            Some((then, e, r)) => {
                let seconds = at.duration_since(then).as_secs_f64().max(1e-3);
                (rate(e, events, seconds), rate(r, rows, seconds))
            }
            None => (0.0, 0.0),
        };
        let first = samples.last.replace((at, events, rows)).is_none();
        if first {
            return;
        }
        if samples.ring.len() == RECENT_SAMPLES {
            samples.ring.pop_front();
        }
        samples.ring.push_back(Rates { events_per_second, rows_per_second, lag, watermark_delay_seconds });
    }

    pub fn latest(&self) -> Rates {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ring.back().copied().unwrap_or_default()
    }

    pub fn recent(&self) -> Recent {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Recent {
            step_seconds: SAMPLE_SECONDS,
            events_per_second: samples.ring.iter().map(|r| r.events_per_second).collect(),
            rows_per_second: samples.ring.iter().map(|r| r.rows_per_second).collect(),
            lag: samples.ring.iter().map(|r| r.lag).collect(),
            watermark_delay_seconds: samples.ring.iter().map(|r| r.watermark_delay_seconds).collect(),
        }
    }
}

/// Events read and rows written since the start. A partition that is taken away takes its count along: the rate of that second is 0.
fn totals(figures: &Figures) -> (u64, u64) {
    let events = figures.sources.iter().flat_map(|s| s.assigned()).map(|(_, p)| p.events.get()).sum();
    let rows = figures.sinks.get().iter().map(|s| s.rows.get()).sum();
    (events, rows)
}

fn behind(figures: &Figures, now: Nanos) -> (i64, Option<f64>) {
    let mut lag = 0;
    let mut delay: Option<f64> = None;
    for (_, partition) in figures.sources.iter().flat_map(|s| s.assigned()) {
        lag += partition.lag().unwrap_or(0);
        let watermark = partition.watermark.get();
        if watermark != BEGINNING && watermark != END && !partition.idle.load(Relaxed) {
            let seconds = (now - watermark) as f64 / 1e9;
            delay = Some(delay.map_or(seconds, |d| d.max(seconds)));
        }
    }
    (lag, delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{PartitionFigures, SourceFigures};
    use std::sync::Arc;
    use wasmill_core::time::SECOND;

    #[test]
    fn the_delay_is_that_of_the_busy_partition_furthest_behind() {
        let source = Arc::new(SourceFigures::default());
        for (n, (watermark, idle)) in [(90, false), (70, false), (10, true)].into_iter().enumerate() {
            let partition = Arc::new(PartitionFigures::default());
            partition.watermark.set(watermark * SECOND);
            partition.end_offset.set(100);
            partition.position.set(95);
            partition.idle.store(idle, Relaxed);
            source.partitions.write().unwrap().insert(("t".into(), n as i32), partition);
        }
        let figures = Figures::new(vec![source], vec![], vec![], vec![]);
        assert_eq!(behind(&figures, 100 * SECOND), (15, Some(30.0)));
    }

    #[test]
    fn samples_are_bounded() {
        let sampler = Sampler::default();
        (0..RECENT_SAMPLES + 50).for_each(|_| sampler.sample(&Figures::default(), 0));
        assert_eq!(sampler.recent().lag.len(), RECENT_SAMPLES);
    }
}
