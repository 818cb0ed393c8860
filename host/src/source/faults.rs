//! Whose fault it is, and when it is enough: a plugin that fails again and again stops its source, not the process.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wasmill_core::plan::PluginId;

use super::Coordinator;
use crate::lane::Place;
use crate::task::{Failure, Halt};

/// More failures of plugins than this …
const MAX_TRAPS: usize = 10;
/// … within this time stop the source.
const TRAP_WINDOW: Duration = Duration::from_secs(60);

/// A release that fails so soon after it took another's place is taken back instead.
const TRIAL: Duration = Duration::from_secs(600);

#[derive(Default)]
pub struct Faults {
    traps: VecDeque<Instant>,
    stopped: Option<String>,
}

impl Faults {
    /// Counts one failure; true if that was one too many.
    fn trap(&mut self, now: Instant) -> bool {
        self.traps.push_back(now);
        while self.traps.front().is_some_and(|first| now - *first > TRAP_WINDOW) {
            self.traps.pop_front();
        }
        self.traps.len() > MAX_TRAPS
    }

    pub fn stopped(&self) -> Option<String> {
        self.stopped.clone()
    }
}

impl Coordinator {
    pub fn stop_with_fault(&mut self, reason: String) {
        self.faults.stopped.get_or_insert(reason);
    }

    pub fn halted(&mut self, place: Place, generation: u64, halt: Halt) {
        let Some(owned) = self.owned.get_mut(&place).filter(|owned| owned.generation == generation) else { return };
        match halt {
            Halt::Stop(reason) => self.stop_with_fault(reason),
            Halt::Rebuild(failure) => {
                // Before the position it failed already when it was new, and is a dead letter: only this process does not know.
                let known = failure.culprit.as_ref().is_some_and(|(_, offset)| *offset < owned.position);
                if let Some(culprit) = &failure.culprit {
                    owned.poison.insert(culprit.clone(), failure.error.clone());
                }
                if known || self.tolerate(&failure) {
                    self.rebuild(&place);
                }
            }
        }
    }

    pub fn exchange_halted(&mut self, incarnation: u64, halt: Halt) {
        if self.exchange.as_ref().is_none_or(|exchange| exchange.incarnation != incarnation) {
            return;
        }
        match halt {
            Halt::Stop(reason) => self.stop_with_fault(reason),
            Halt::Rebuild(failure) => {
                if self.tolerate(&failure) {
                    self.rebuild_all();
                }
            }
        }
    }

    /// Rows made a transformer fail; they are dead letters, nothing needs rebuilding.
    pub fn trapped(&mut self, place: &Place, plugins: &[PluginId]) {
        for &plugin in plugins {
            let last = format!("last in {} [{}]: see the dead letters for the rows", place.topic, place.partition);
            if !self.tolerate_one(plugin, &last) {
                return;
            }
        }
    }

    fn tolerate(&mut self, failure: &Failure) -> bool {
        tracing::warn!(source = %self.name(), "{}; rebuilding by replay", failure.error);
        self.tolerate_one(failure.plugin, &format!("last: {}", failure.error))
    }

    /// False if this failure was one too many: then the source is stopped, and its status says whose fault it is.
    fn tolerate_one(&mut self, plugin: PluginId, last: &str) -> bool {
        if !self.faults.trap(Instant::now()) {
            return true;
        }
        let runtime = self.runtime();
        // A reload may have changed the numbers since the failure was reported.
        let (name, release) = runtime.plugins.get(plugin).map_or(("", ""), |plugin| (plugin.name(), plugin.release()));
        let reason = format!(
            "plugins failed more than {MAX_TRAPS} times within {} s, at last `{name}` ({release}); {last}",
            TRAP_WINDOW.as_secs(),
        );
        if let Some(figures) = runtime.plugin_figures.get(plugin) {
            if figures.end_trial(TRIAL) && (self.config.take_back)(name, &reason) {
                tracing::warn!(source = %self.name(), plugin = name, "{reason}; taking the new release back");
                self.faults.traps.clear();
                return true;
            }
            figures.fault.set(Some(reason.clone()));
        }
        self.stop_with_fault(reason);
        false
    }

    /// Throws one task away and replays it from its last commit; with an exchange, all of the source's tasks.
    fn rebuild(&mut self, place: &Place) {
        if self.exchange.is_some() {
            return self.rebuild_all();
        }
        self.figures.rebuilds.add(1);
        self.checkpoints.cancel();
        let epoch = self.checkpoints.epoch();
        self.assign_from_commit(place, &epoch);
    }

    /// Throws all tasks of the source away and replays them from their last commit, in a new epoch.
    pub fn rebuild_all(&mut self) {
        self.figures.rebuilds.add(1);
        self.drop_tasks();
        self.start_all_from_commit();
    }
}

impl Faults {
    /// Whether the source has not been stopped, for `ready`.
    pub fn note_ready(&self, ready: &std::sync::atomic::AtomicBool, assigned: bool) {
        ready.store(assigned && self.stopped.is_none(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_ten_traps_within_a_minute_are_too_many_and_old_ones_are_forgotten() {
        let mut faults = Faults::default();
        let start = Instant::now();
        assert!((0..10).all(|i| !faults.trap(start + Duration::from_secs(i))));
        assert!(faults.trap(start + Duration::from_secs(11)));
        let mut faults = Faults::default();
        assert!((0..100).all(|i| !faults.trap(start + Duration::from_secs(i * 7))));
    }
}
