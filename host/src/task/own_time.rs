//! Routes whose plugin sets event time have a watermark of their own, which a replay must start with as it was. What it was is known
//! only at the starts of batches, so a few of those are remembered, and replay begins at one of them.

use wasmill_core::checkpoint::Checkpoint;
use wasmill_core::time::Nanos;
use wasmill_core::watermark::Watermark;

use super::fold::Fold;
use super::route::RouteTask;

/// Starts of batches that are remembered; when there are more, every other one is forgotten.
const MAX_SAMPLES: usize = 64;

/// What event time had reached before the batch that began at `offset`.
#[derive(Clone, Debug)]
pub struct Sample {
    pub offset: i64,
    pub running_max: Nanos,
    pub floor: Nanos,
    /// Of each route with event time of its own, in the plan's order.
    pub own: Vec<Nanos>,
}

#[derive(Debug, Default)]
pub struct OwnTimes {
    samples: Vec<Sample>,
}

fn own_watermarks(routes: &[RouteTask]) -> impl Iterator<Item = &Watermark> {
    routes.iter().filter_map(|route| route.fold.as_ref().and_then(Fold::own_watermark))
}

impl OwnTimes {
    pub fn sample(offset: i64, watermark: &Watermark, routes: &[RouteTask]) -> Sample {
        Sample {
            offset,
            running_max: watermark.running_max(),
            floor: watermark.floor(),
            own: own_watermarks(routes).map(Watermark::running_max).collect(),
        }
    }

    /// Remembers how things stand before the batch at `offset`; costs nothing where no route has a time of its own.
    pub fn note(&mut self, offset: i64, watermark: &Watermark, routes: &[RouteTask]) {
        if own_watermarks(routes).next().is_none() {
            return;
        }
        if self.samples.len() == MAX_SAMPLES {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.samples.push(Self::sample(offset, watermark, routes));
    }

    /// The latest sample at or before `offset`; older ones are forgotten. `None` where no route has a time of its own.
    pub fn before(&mut self, offset: i64, now: Sample) -> Option<Sample> {
        if now.own.is_empty() {
            return None;
        }
        if now.offset <= offset {
            self.samples.clear();
            return Some(now);
        }
        let later = self.samples.partition_point(|sample| sample.offset <= offset);
        self.samples.drain(..later.saturating_sub(1));
        Some(self.samples.first().cloned().unwrap_or(now))
    }

    /// Sets the routes' own watermarks to what they were at the checkpoint's low mark.
    pub fn restore(checkpoint: &Checkpoint, routes: &mut [RouteTask]) {
        let own = routes.iter_mut().filter_map(|route| route.fold.as_mut().and_then(Fold::own_watermark_mut));
        for (watermark, running_max) in own.zip(&checkpoint.own) {
            watermark.restore(*running_max, checkpoint.floor);
        }
    }
}
