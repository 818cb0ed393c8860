//! From `[plugins]` to plugins that can make instances: files and built-ins are read, checked, compiled and configured.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmill_core::config::diagnostic::did_you_mean;
use wasmill_core::config::{self, BUILTIN, Config, Diagnostic, PluginPath};
use wasmill_core::planner::{Described, World};
use wasmill_wasm::{Engine, LoadError, PluginLog, Release};

use crate::releases::{Choices, Store};

/// The first-party plugins, built with this binary.
mod builtin {
    include!(concat!(env!("OUT_DIR"), "/builtin.rs"));
}

/// A plugin of the configuration, ready to make instances.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// In the configuration; `builtin:NAME` where a route names it straight away.
    pub name: String,
    pub plugin: Arc<wasmill_wasm::Plugin>,
}

/// Names and files of the first-party plugins.
pub fn builtins() -> &'static [(&'static str, &'static [u8])] {
    builtin::FILES
}

/// Names and files of the plugins of the example that `wasmill demo` runs.
pub fn examples() -> &'static [(&'static str, &'static [u8])] {
    builtin::EXAMPLES
}

/// Makes what plugins say go somewhere: given the plugin's name in the configuration.
pub type LogFor<'a> = &'a dyn Fn(&str) -> Arc<dyn PluginLog>;

/// Where plugins' bytes come from and go to, besides the files that the configuration names.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// Releases are kept here.
    pub store: Option<Store>,
    /// They run in place of files that have not changed since.
    pub choices: Choices,
}

/// Loads every plugin of `config` that a route uses. Paths are relative to `folder`. Those that fail are diagnosed, all of them;
/// the others are returned all the same.
pub fn load_all(
    config: &Config,
    folder: &Path,
    engine: &Engine,
    log: LogFor<'_>,
    shelf: &Shelf,
) -> (Vec<Loaded>, Vec<Diagnostic>) {
    let mut loaded = Vec::new();
    let mut diagnostics = Vec::new();
    let mut releases: BTreeMap<String, Arc<Release>> = BTreeMap::new();
    for plugin in &config.plugins {
        match load(plugin, folder, engine, &mut releases, log, shelf) {
            Ok(plugin) => loaded.push(plugin),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    (loaded, diagnostics)
}

/// What the planner needs of them.
pub fn describe(loaded: &[Loaded]) -> BTreeMap<String, Described> {
    let described = |loaded: &Loaded| Described {
        descriptor: loaded.plugin.descriptor().as_ref().clone(),
        world: match loaded.plugin.release().world() {
            wasmill_wasm::World::Transformer => World::Transformer,
            wasmill_wasm::World::Aggregator => World::Aggregator,
        },
    };
    loaded.iter().map(|loaded| (loaded.name.clone(), described(loaded))).collect()
}

/// `releases`: compiled already, by sha256 or `builtin:NAME`, for several plugins may share a file.
fn load(
    plugin: &config::Plugin,
    folder: &Path,
    engine: &Engine,
    releases: &mut BTreeMap<String, Arc<Release>>,
    log: LogFor<'_>,
    shelf: &Shelf,
) -> Result<Loaded, Diagnostic> {
    let file = chosen(plugin, read(plugin, folder)?, shelf)?;
    let name = &plugin.name.value;
    let release = match releases.get(&file.id) {
        Some(release) => Arc::clone(release),
        None => {
            let release = Release::compile(engine, &file.bytes).map_err(|error| refused(plugin, &error))?;
            let release = Arc::new(release);
            if let (Some(store), false) = (&shelf.store, file.id.starts_with(BUILTIN))
                && let Err(error) = store.keep(release.sha256(), &file.bytes)
            {
                tracing::warn!(plugin = name, "its release cannot be kept, so there is no way back to it: {error}");
            }
            releases.insert(file.id, Arc::clone(&release));
            release
        }
    };
    check_sha256(plugin, release.sha256())?;
    let config = plugin.config.to_string();
    let ready = wasmill_wasm::Plugin::new(engine, name, release, &config, limits(plugin), log(name))
        .map_err(|error| refused(plugin, &error))?;
    Ok(Loaded { name: name.clone(), plugin: Arc::new(ready) })
}

struct File {
    /// The same for the same bytes, as far as is known without hashing them.
    id: String,
    bytes: std::borrow::Cow<'static, [u8]>,
}

fn read(plugin: &config::Plugin, folder: &Path) -> Result<File, Diagnostic> {
    let span = &plugin.path.span;
    match &plugin.path.value {
        PluginPath::Builtin(name) => match builtins().iter().find(|(known, _)| known == name) {
            Some((_, bytes)) => Ok(File { id: format!("{BUILTIN}{name}"), bytes: (*bytes).into() }),
            None => {
                let names = builtins().iter().map(|(known, _)| *known);
                Err(Diagnostic::error(span, format!("there is no built-in plugin `{name}`"), "not built in")
                    .help(did_you_mean(name, names, "the built-in plugins are")))
            }
        },
        PluginPath::File(path) => {
            let path = folder.join(path);
            let unreadable = |error: std::io::Error| unreadable(plugin, &path, &error);
            let length = std::fs::metadata(&path).map_err(unreadable)?.len();
            if length > wasmill_wasm::MAX_FILE_BYTES {
                let error = LoadError::TooLarge { bytes: length, limit: wasmill_wasm::MAX_FILE_BYTES };
                return Err(refused(plugin, &error));
            }
            let bytes = std::fs::read(&path).map_err(unreadable)?;
            Ok(File { id: path.display().to_string(), bytes: bytes.into() })
        }
    }
}

/// What was chosen in place of a file, if the file is still the one it was.
fn chosen(plugin: &config::Plugin, file: File, shelf: &Shelf) -> Result<File, Diagnostic> {
    let name = &plugin.name.value;
    let Some(choice) = shelf.choices.get(name).filter(|_| plugin.sha256.is_none()) else { return Ok(file) };
    if choice.file != format!("{:x}", Sha256::digest(&file.bytes)) {
        return Ok(file);
    }
    match shelf.store.as_ref().and_then(|store| store.read(&choice.release)) {
        Some(bytes) => Ok(File { id: choice.release.clone(), bytes: bytes.into() }),
        None => {
            let message =
                format!("release {} of plugin `{name}`, which was chosen over its file, is gone", choice.release);
            Err(Diagnostic::error(&plugin.path.span, message, "in place of this file")
                .help("write the file anew, or remove the plugin from `chosen.json` in the state folder"))
        }
    }
}

fn unreadable(plugin: &config::Plugin, path: &Path, error: &std::io::Error) -> Diagnostic {
    let name = &plugin.name.value;
    let message = format!("the file of plugin `{name}` cannot be read: {}: {error}", path.display());
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => {
            "paths are relative to the configuration; build it with `wasmill plugin build`, or with \
             `cargo build --release --target wasm32-unknown-unknown`"
        }
        _ => "name the .wasm file of the plugin",
    };
    Diagnostic::error(&plugin.path.span, message, "this file").help(help)
}

fn check_sha256(plugin: &config::Plugin, actual: &str) -> Result<(), Diagnostic> {
    match &plugin.sha256 {
        Some(expected) if expected.value != actual => {
            let message = format!("the file of plugin `{}` is not the one that `sha256` names", plugin.name.value);
            Err(Diagnostic::error(&expected.span, message, format!("the file has {actual}"))
                .help("restore the file, or set `sha256` to what the file has if you trust it")
                .related(&plugin.path.span, "this file"))
        }
        _ => Ok(()),
    }
}

/// The error says what to do itself, as far as that is known.
fn refused(plugin: &config::Plugin, error: &LoadError) -> Diagnostic {
    let message = format!("plugin `{}` cannot be used: {error}", plugin.name.value);
    let diagnostic = Diagnostic::error(&plugin.path.span, message, "this plugin");
    match error {
        LoadError::Configuration { .. } => diagnostic.help("mend the plugin's `config`"),
        _ => diagnostic,
    }
}

fn limits(plugin: &config::Plugin) -> wasmill_wasm::Limits {
    let (limits, grants) = (&plugin.limits, plugin.grants);
    wasmill_wasm::Limits {
        memory_bytes: limits.memory_bytes,
        call: Duration::from_nanos(limits.call.unsigned_abs()),
        output_bytes: limits.output_bytes,
        grants: wasmill_wasm::Grants { clock: grants.clock, random: grants.random },
    }
}
