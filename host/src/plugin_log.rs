//! What plugins say goes to the log, their own figures to `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmill_wasm::{Level, PluginLog};

/// One for the whole process.
#[derive(Debug, Default)]
pub struct Voices {
    /// By plugin and name; the plugin's instances share them.
    values: Mutex<BTreeMap<(String, String), Value>>,
}

/// A figure of a plugin's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Count(u64),
    Gauge(f64),
}

impl Voices {
    pub fn read(&self) -> BTreeMap<(String, String), Value> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, plugin: &str, name: &str, change: impl FnOnce(Option<Value>) -> Value) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (plugin.to_owned(), name.to_owned());
        let value = change(values.get(&key).copied());
        values.insert(key, value);
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
        self.set(plugin, name, |old| match old {
            Some(Value::Count(count)) => Value::Count(count.saturating_add(add)),
            _ => Value::Count(add),
        });
    }

    fn gauge(&self, plugin: &str, name: &str, value: f64) {
        self.set(plugin, name, |_| Value::Gauge(value));
    }
}

/// The same for every plugin.
pub fn shared(voices: &Arc<Voices>) -> impl Fn(&str) -> Arc<dyn PluginLog> + use<> {
    let voices = Arc::clone(voices);
    move |_plugin| Arc::clone(&voices) as Arc<dyn PluginLog>
}
