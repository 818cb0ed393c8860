//! What plugins say: log lines and figures, bounded before they reach the host.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::strings::clean;

/// Log lines a second that a plugin may write, all instances together. The rest is counted.
pub const MAX_LINES_PER_SECOND: u32 = 1000;
/// Names of metrics that a plugin may use. Others are refused, once with a line in the log.
pub const MAX_METRIC_NAMES: usize = 64;
pub(crate) const MAX_LINE_BYTES: usize = 4096;
const MAX_METRIC_NAME_BYTES: usize = 64;
const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where a plugin's log lines and figures go. Called on the data path: it must not block.
pub trait PluginLog: Send + Sync {
    /// One line, without control characters, of at most 4 KiB.
    fn line(&self, plugin: &str, level: Level, message: &str);
    /// Lines beyond [`MAX_LINES_PER_SECOND`] that were dropped since the last report.
    fn dropped(&self, plugin: &str, lines: u64);
    /// Adds to a counter. `name` is lower case letters, digits and underscores.
    fn count(&self, plugin: &str, name: &str, add: u64);
    /// Sets a gauge.
    fn gauge(&self, plugin: &str, name: &str, value: f64);
}

/// For checks and tests: nothing is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl PluginLog for NoLog {
    fn line(&self, _plugin: &str, _level: Level, _message: &str) {}
    fn dropped(&self, _plugin: &str, _lines: u64) {}
    fn count(&self, _plugin: &str, _name: &str, _add: u64) {}
    fn gauge(&self, _plugin: &str, _name: &str, _value: f64) {}
}

/// Holds what one plugin says within its bounds. Shared by its instances.
#[derive(Default)]
pub(crate) struct Voice {
    lines: Mutex<Lines>,
    metrics: Mutex<Metrics>,
}

#[derive(Default)]
struct Lines {
    second: Option<Instant>,
    written: u32,
    dropped: u64,
}

#[derive(Default)]
struct Metrics {
    names: BTreeSet<String>,
    warned: bool,
}

impl Voice {
    /// Passes a line on, or counts it.
    pub(crate) fn say(&self, to: &dyn PluginLog, plugin: &str, level: Level, message: &str) {
        let dropped = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            match lines.admit(Instant::now()) {
                Some(dropped) => dropped,
                None => return,
            }
        };
        if dropped > 0 {
            to.dropped(plugin, dropped);
        }
        to.line(plugin, level, &clean(message, MAX_LINE_BYTES));
    }

    /// Whether a metric of that name may be written; says so once if not.
    pub(crate) fn admits_metric(&self, to: &dyn PluginLog, plugin: &str, name: &str) -> bool {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.names.contains(name) {
            return true;
        }
        if is_metric_name(name) && metrics.names.len() < MAX_METRIC_NAMES {
            return metrics.names.insert(name.to_owned());
        }
        if !std::mem::replace(&mut metrics.warned, true) {
            drop(metrics);
            let name = clean(name, MAX_METRIC_NAME_BYTES);
            let message = format!(
                "metric {name} is not recorded: a name is 1 to {MAX_METRIC_NAME_BYTES} lower case letters, digits and underscores, \
                 and a plugin has at most {MAX_METRIC_NAMES} of them"
            );
            self.say(to, plugin, Level::Warn, &message);
        }
        false
    }

    /// Lines dropped since the last report, which are now reported.
    pub(crate) fn flush(&self, to: &dyn PluginLog, plugin: &str) {
        let dropped = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut lines.dropped)
        };
        if dropped > 0 {
            to.dropped(plugin, dropped);
        }
    }
}

impl Lines {
    /// `None`: one line too many. `Some`: the lines dropped before this one, if a second ended since.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let fresh = self.second.is_none_or(|second| now.duration_since(second) >= SECOND);
        if fresh {
            self.second = Some(now);
            self.written = 0;
        }
        if self.written == MAX_LINES_PER_SECOND {
            self.dropped += 1;
            return None;
        }
        self.written += 1;
        Some(if fresh { std::mem::take(&mut self.dropped) } else { 0 })
    }
}

fn is_metric_name(name: &str) -> bool {
    name.len() <= MAX_METRIC_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_to_its_rate_and_the_rest_is_counted() {
        let start = Instant::now();
        let mut lines = Lines::default();
        let admitted = (0..5000).filter(|_| lines.admit(start).is_some()).count();
        assert_eq!(admitted, MAX_LINES_PER_SECOND as usize);
        assert_eq!(lines.admit(start + SECOND), Some(4000), "the next second reports what was dropped");
        assert_eq!(lines.admit(start + SECOND), Some(0));
    }

    #[test]
    fn the_number_and_the_form_of_metric_names_are_bounded() {
        let voice = Voice::default();
        for name in ["", "Upper", "with space", "9lives", "a\nb", &"x".repeat(65)] {
            assert!(!voice.admits_metric(&NoLog, "p", name), "{name:?}");
        }
        let admitted = (0..100).filter(|i| voice.admits_metric(&NoLog, "p", &format!("m{i}"))).count();
        assert_eq!(admitted, MAX_METRIC_NAMES);
        assert!(voice.admits_metric(&NoLog, "p", "m0"), "a known name stays");
    }
}
