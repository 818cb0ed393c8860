//! What plugins say goes to the log, their own figures to `/metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmill_wasm::{Level, PluginLog};

use crate::http;

/// One for the whole process.
#[derive(Debug, Default)]
pub struct Voices(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    figures: Figures,
    /// Names and plugins of figures that cannot be shown, so that the log says so once.
    refused: BTreeSet<(String, String)>,
}

/// By name, then by plugin; a plugin's instances share theirs. All values of a name are of one type, for they share a family of
/// metrics.
pub type Figures = BTreeMap<String, BTreeMap<String, Value>>;

/// A figure of a plugin's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Count(u64),
    Gauge(f64),
}

impl Value {
    fn is_count(self) -> bool {
        matches!(self, Value::Count(_))
    }
}

impl Voices {
    pub fn read(&self) -> Figures {
        self.lock().figures.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, plugin: &str, name: &str, new: Value) {
        // A counter is shown with this ending, whether its author wrote it or not.
        let name = name.strip_suffix("_total").filter(|name| !name.is_empty()).unwrap_or(name);
        let mut said = self.lock();
        if let Some(value) = said.figures.get_mut(name).and_then(|plugins| plugins.get_mut(plugin)) {
            match (value, new) {
                (Value::Count(count), Value::Count(add)) => return *count = count.saturating_add(add),
                (Value::Gauge(gauge), Value::Gauge(new)) => return *gauge = new,
                _ => {}
            }
        }
        let why = if http::is_taken(name) {
            "Wasmill has a metric of that name"
        } else if said.figures.get(name).is_some_and(|all| all.values().any(|other| other.is_count() != new.is_count()))
        {
            "it is a count in one place and a gauge in another"
        } else {
            said.figures.entry(name.to_owned()).or_default().insert(plugin.to_owned(), new);
            return;
        };
        if said.refused.insert((name.to_owned(), plugin.to_owned())) {
            drop(said);
            tracing::warn!(plugin, "the plugin's figure `{name}` is not shown: {why}; choose another name");
        }
    }
}

impl PluginLog for Voices {
    fn line(&self, plugin: &str, level: Level, message: &str) {
        match level {
            Level::Trace => tracing::trace!(plugin, "{message}"),
            Level::Debug => tracing::debug!(plugin, "{message}"),
            Level::Info => tracing::info!(plugin, "{message}"),
            Level::Warn => tracing::warn!(plugin, "{message}"),
            Level::Error => tracing::error!(plugin, "{message}"),
        }
    }

    fn dropped(&self, plugin: &str, lines: u64) {
        tracing::warn!(plugin, "{lines} log lines of the plugin were dropped: it wrote too many a second");
    }

    fn count(&self, plugin: &str, name: &str, add: u64) {
        self.set(plugin, name, Value::Count(add));
    }

    fn gauge(&self, plugin: &str, name: &str, value: f64) {
        self.set(plugin, name, Value::Gauge(value));
    }
}

/// The same for every plugin.
pub fn shared(voices: &Arc<Voices>) -> impl Fn(&str) -> Arc<dyn PluginLog> + use<> {
    let voices = Arc::clone(voices);
    move |_plugin| Arc::clone(&voices) as Arc<dyn PluginLog>
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_instances_and_the_last_gauge_stands() {
        let voices = Voices::default();
        voices.count("a", "views", 2);
        voices.count("a", "views_total", 3);
        voices.count("b", "views", 1);
        voices.gauge("a", "longest", 4.0);
        voices.gauge("a", "longest", 2.5);
        let figures = voices.read();
        assert_eq!(figures["views"], [("a".into(), Value::Count(5)), ("b".into(), Value::Count(1))].into());
        assert_eq!(figures["longest"], [("a".into(), Value::Gauge(2.5))].into());
    }

    #[test]
    fn a_name_has_one_type_and_is_none_of_wasmills_own() {
        let voices = Voices::default();
        voices.count("a", "views", 1);
        voices.gauge("b", "views", 9.0);
        voices.gauge("a", "views_total", 9.0);
        for name in ["calls", "calls_total", "up", "call_seconds", "call_seconds_bucket", "memory_bytes"] {
            voices.count("a", name, 1);
        }
        assert_eq!(voices.read(), [("views".into(), [("a".into(), Value::Count(1))].into())].into());
    }
}
