//! Which windows have fired: seen from between the host and its aggregators, so that what runs is what always runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmill_core::batch::{Batch, Column, Strings};
use wasmill_core::plugin::{Aggregator, CallError, Firing, Plugin, Reject, Results, Transformer};
use wasmill_core::time::{Nanos, Window};

use crate::assemble::PluginHandle;

/// Different spans that are remembered; sessions may each have their own.
const MAX_SPANS: usize = 1_000_000;

/// The windows of a source that have fired, those of different keys apart.
#[derive(Debug, Default)]
pub struct Fired {
    /// How many of each span.
    spans: BTreeMap<Window, u64>,
    pub all: u64,
}

/// Windows that a slice cuts: they may lack events that lie outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    pub at_start: u64,
    pub at_end: u64,
    pub all: u64,
}

impl std::ops::AddAssign for Cut {
    fn add_assign(&mut self, other: Cut) {
        self.at_start += other.at_start;
        self.at_end += other.at_end;
        self.all += other.all;
    }
}

impl Fired {
    /// Those that begin before `start`, and those that end behind `end`, by event time.
    pub fn cut(&self, start: Nanos, end: Nanos) -> Cut {
        let count = |touches: &dyn Fn(&Window) -> bool| {
            self.spans.iter().filter(|(window, _)| touches(window)).map(|(_, count)| count).sum()
        };
        Cut {
            at_start: count(&|window| window.start < start),
            at_end: count(&|window| window.end > end),
            all: self.all,
        }
    }

    fn note(&mut self, window: Window, count: u64) {
        self.all += count;
        if self.spans.len() < MAX_SPANS || self.spans.contains_key(&window) {
            *self.spans.entry(window).or_default() += count;
        }
    }
}

pub type Shared = Arc<Mutex<Fired>>;

/// The same plugins; what their aggregators are asked to emit is noted in `fired`.
pub fn watched(plugins: &[PluginHandle], fired: &Shared) -> Vec<PluginHandle> {
    let watch = |handle: &PluginHandle| PluginHandle {
        plugin: Arc::new(Watched { plugin: Arc::clone(&handle.plugin), fired: Arc::clone(fired) }),
        sha256: handle.sha256.clone(),
    };
    plugins.iter().map(watch).collect()
}

struct Watched {
    plugin: Arc<dyn Plugin>,
    fired: Shared,
}

impl Plugin for Watched {
    fn name(&self) -> &str {
        self.plugin.name()
    }

    fn release(&self) -> &str {
        self.plugin.release()
    }

    fn transformer(&self) -> Result<Box<dyn Transformer>, CallError> {
        self.plugin.transformer()
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>, CallError> {
        Ok(Box::new(WatchedAggregator { aggregator: self.plugin.aggregator()?, fired: Arc::clone(&self.fired) }))
    }

    fn state_version(&self) -> Option<u32> {
        self.plugin.state_version()
    }

    fn restores(&self, version: u32) -> bool {
        self.plugin.restores(version)
    }

    fn memory_bytes(&self) -> u64 {
        self.plugin.memory_bytes()
    }
}

struct WatchedAggregator {
    aggregator: Box<dyn Aggregator>,
    fired: Shared,
}

impl Aggregator for WatchedAggregator {
    fn accumulate(&mut self, input: Batch<'_>, rows: &[u32], slots: &[u32]) -> Result<Vec<Reject>, CallError> {
        self.aggregator.accumulate(input, rows, slots)
    }

    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), CallError> {
        self.aggregator.merge(into, other)
    }

    fn emit(
        &mut self,
        slots: &[u32],
        windows: &[Window],
        keys: &[&Column],
        firing: Firing,
    ) -> Result<Results, CallError> {
        // A correction is of a window that was counted.
        if firing == Firing::OnTime {
            let mut fired = self.fired.lock().unwrap_or_else(PoisonError::into_inner);
            match windows {
                [all] => fired.note(*all, slots.len() as u64),
                each => each.iter().for_each(|window| fired.note(*window, 1)),
            }
        }
        self.aggregator.emit(slots, windows, keys, firing)
    }

    fn forget(&mut self, slots: &[u32]) -> Result<(), CallError> {
        self.aggregator.forget(slots)
    }

    fn state_version(&self) -> u32 {
        self.aggregator.state_version()
    }

    fn snapshot(&mut self, slots: &[u32]) -> Result<Strings, CallError> {
        self.aggregator.snapshot(slots)
    }

    fn restore(&mut self, slots: &[u32], version: u32, states: &Strings) -> Result<(), CallError> {
        self.aggregator.restore(slots, version, states)
    }
}
