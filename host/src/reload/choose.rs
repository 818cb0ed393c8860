//! Releases in place of files: what was sent, what was taken back, and the note of what ran when.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use wasmill_core::config::{Config, PluginPath};

use super::report::PluginChange;
use super::{Next, Reloader, Report, What};
use crate::clock;
use crate::releases::{Choice, Choices, Entry};

fn has_file(config: &Config, plugin: &str) -> bool {
    config.plugin(plugin).is_some_and(|plugin| matches!(plugin.path.value, PluginPath::File(_)))
}

impl Reloader {
    /// Notes what runs from the start, where that is not what ran last.
    pub(super) fn begin(&self) {
        let history = self.store.history();
        let new: Vec<PluginChange> = (self.running.plugins.iter())
            .filter(|handle| has_file(&self.running.config, handle.plugin.name()))
            .filter_map(|handle| {
                let plugin = handle.plugin.name().to_owned();
                let from = history.iter().rev().find(|entry| entry.plugin == plugin).map(|entry| entry.release.clone());
                let to = Some(handle.sha256.clone());
                (from != to).then_some(PluginChange { plugin, from, to })
            })
            .collect();
        if let Err(error) = self.store.note(&self.entries(&new, "start")) {
            tracing::warn!(
                "the history of releases cannot be written: {error}; set [server] state to a folder that can"
            );
        }
    }

    /// The choices that would hold if the request were granted.
    pub(super) fn choose(&self, what: &What) -> Result<Choices, String> {
        let mut choices = self.store.choices();
        let (plugin, release) = match what {
            What::Files => return Ok(choices),
            What::Release { plugin, bytes } => {
                self.changeable(plugin)?;
                let sha256 = format!("{:x}", Sha256::digest(bytes));
                self.store.keep(&sha256, bytes).map_err(|error| format!("the release cannot be kept: {error}"))?;
                (plugin, sha256)
            }
            What::Rollback { plugin } => {
                self.changeable(plugin)?;
                let now = self.running.plugins.iter().find(|handle| handle.plugin.name() == plugin);
                let previous = now.and_then(|now| self.store.previous(plugin, &now.sha256));
                let previous =
                    previous.ok_or_else(|| format!("plugin `{plugin}` has no earlier release that is kept"))?;
                (plugin, previous)
            }
        };
        let file = self.file_of(plugin)?;
        if file == release {
            choices.remove(plugin);
        } else {
            choices.insert(plugin.clone(), Choice { release, file });
        }
        Ok(choices)
    }

    /// Whether another release may run in place of the plugin's file.
    fn changeable(&self, plugin: &str) -> Result<(), String> {
        let config = &self.running.config;
        let Some(configured) = config.plugin(plugin) else {
            let names: Vec<&str> = config.plugins.iter().map(|plugin| plugin.name.value.as_str()).collect();
            return Err(format!("there is no plugin `{plugin}`; there are {}", names.join(", ")));
        };
        if let PluginPath::Builtin(_) = configured.path.value {
            return Err(format!("plugin `{plugin}` is built in: it changes with Wasmill"));
        }
        match &configured.sha256 {
            Some(_) => Err(format!("plugin `{plugin}` is pinned by `sha256` in the configuration: change it there")),
            None => Ok(()),
        }
    }

    /// The sha256 of the file at the plugin's path.
    fn file_of(&self, plugin: &str) -> Result<String, String> {
        let Some(PluginPath::File(path)) = self.running.config.plugin(plugin).map(|plugin| &plugin.path.value) else {
            return Err(format!("plugin `{plugin}` has no file"));
        };
        let path = self.folder.join(path);
        let bytes = std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(format!("{:x}", Sha256::digest(&bytes)))
    }

    /// Writes down what runs now.
    pub(super) fn keep(&self, next: &Next, report: &Report) -> Result<((), String), String> {
        let failed = |error: std::io::Error| {
            format!("the change is made, but not written down ({error}): after a restart what the files say runs")
        };
        let now = &next.built.checked;
        let runs = |plugin: &str, choice: &Choice| {
            now.plugins.iter().any(|handle| handle.plugin.name() == plugin && handle.sha256 == choice.release)
        };
        // A file that was written since has taken its place back.
        let choices: Choices =
            next.choices.iter().filter(|(p, c)| runs(p, c)).map(|(p, c)| (p.clone(), c.clone())).collect();
        self.store.choose(&choices).map_err(failed)?;
        let changes: Vec<PluginChange> =
            report.plugins.iter().filter(|change| has_file(&now.config, &change.plugin)).cloned().collect();
        self.store.note(&self.entries(&changes, &report.trigger)).map_err(failed)?;
        Ok(((), "kept for a rollback".to_owned()))
    }

    fn entries(&self, changes: &[PluginChange], trigger: &str) -> Vec<Entry> {
        let mut offsets = BTreeMap::new();
        for source in &self.figures.sources {
            for ((topic, partition), figures) in source.assigned() {
                offsets.insert(format!("{topic} [{partition}]"), figures.position.get());
            }
        }
        let changed = changes.iter().filter(|change| change.from != change.to);
        changed
            .filter_map(|change| {
                Some(Entry {
                    at: clock::rfc3339(clock::now()),
                    plugin: change.plugin.clone(),
                    release: change.to.clone()?,
                    previous: change.from.clone(),
                    trigger: trigger.to_owned(),
                    offsets: offsets.clone(),
                })
            })
            .collect()
    }
}
