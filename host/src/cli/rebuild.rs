//! How `wasmill run` builds its pipeline again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmill_core::config::{Config, PluginPath};

use super::pipeline::{self, Pipeline};
use super::render::render;
use super::run::checked;
use crate::plugin_log::{self, Voices};
use crate::plugins::Shelf;
use crate::reload::{Build, Built};
use crate::supervisor::Reloading;

/// The files of a pipeline, and how it is built from them again.
pub fn reloading(file: &Path, pipeline: &Pipeline, voices: &Arc<Voices>) -> Reloading {
    let (path, engine, voices) = (file.to_owned(), pipeline.engine.clone(), Arc::clone(voices));
    let build: Build = Box::new(move |choices| {
        let shelf =
            |config: &Config, folder: &Path| Shelf { choices: choices.clone(), ..pipeline::shelf(config, folder) };
        let log = plugin_log::shared(&voices);
        let found = pipeline::check_with(engine.clone(), &path, &log, &shelf).map_err(|(error, _)| error)?;
        let text = table(&path)?;
        match found.pipeline {
            Some(pipeline) => Ok(Built { checked: checked(pipeline), text }),
            None => Err(render(&found.source, &found.diagnostics, false)),
        }
    });
    let store = pipeline::store(&pipeline.config, &pipeline.folder);
    Reloading { store, text: table(file).unwrap_or_default(), files: files(file, pipeline), build }
}

fn table(file: &Path) -> Result<toml::Table, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", file.display()))
}

fn files(file: &Path, pipeline: &Pipeline) -> Vec<PathBuf> {
    let plugins = pipeline.config.plugins.iter().filter_map(|plugin| match &plugin.path.value {
        PluginPath::File(path) => Some(pipeline.folder.join(path)),
        PluginPath::Builtin(_) => None,
    });
    std::iter::once(file.to_owned()).chain(plugins).collect()
}
