//! From a file to a plan, as every command that takes a pipeline needs it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use wasmill_core::config::{self, Config, Diagnostic};
use wasmill_core::plan::Plan;
use wasmill_core::planner;
use wasmill_wasm::{Engine, NoLog, PluginLog, Settings};

use super::render::{Source, render};
use super::{FAILED, MISUSED, logs};
use crate::plugins::{self, Loaded, Shelf};
use crate::releases::Store;

/// A pipeline that was found well.
#[derive(Debug)]
pub struct Pipeline {
    pub config: Config,
    pub plan: Plan,
    /// In the configuration's order.
    pub plugins: Vec<Loaded>,
    /// The configuration's: relative paths start here.
    pub folder: PathBuf,
    pub engine: Engine,
}

/// What a check of a file finds.
#[derive(Debug)]
pub struct Checked {
    pub source: Source,
    /// Errors and warnings in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// `None` if there are errors.
    pub pipeline: Option<Pipeline>,
}

/// What a command line changes in a configuration before anything is loaded. The error: what was asked for wrongly.
pub type Adapt<'a> = &'a dyn Fn(&mut Config) -> Result<(), String>;

/// Reads, checks, loads and plans `file`. The error is of the machine, not of the configuration: what to print and the exit code.
pub fn check(file: &Path, log: plugins::LogFor<'_>) -> Result<Checked, (String, u8)> {
    check_with(engine()?, file, log, &|_, _| Shelf::default())
}

/// An engine of this process, with its cache of compiled code.
pub fn engine() -> Result<Engine, (String, u8)> {
    Engine::new(Settings { cache: cache_folder() }).map_err(|error| (error.to_string(), FAILED))
}

/// Given the configuration and its folder.
pub type ShelfFor<'a> = &'a dyn Fn(&Config, &Path) -> Shelf;

/// As [`check`], with an engine that is there, and with releases of plugins from elsewhere than their files.
pub fn check_with(
    engine: Engine,
    file: &Path,
    log: plugins::LogFor<'_>,
    shelf: ShelfFor<'_>,
) -> Result<Checked, (String, u8)> {
    check_adapted(engine, file, log, shelf, &|_| Ok(()))
}

/// As [`check_with`]; `adapt` has the last word on the configuration, unless that has errors of its own.
pub fn check_adapted(
    engine: Engine,
    file: &Path,
    log: plugins::LogFor<'_>,
    shelf: ShelfFor<'_>,
    adapt: Adapt<'_>,
) -> Result<Checked, (String, u8)> {
    let text = std::fs::read_to_string(file).map_err(|error| (unreadable(file, &error), MISUSED))?;
    let mut outcome = config::read(&text, &|name| std::env::var(name).ok());
    if !outcome.diagnostics.iter().any(Diagnostic::is_error) {
        adapt(&mut outcome.config).map_err(|message| (message, MISUSED))?;
    }
    let folder = file.parent().map(Path::to_owned).unwrap_or_default();
    let source = Source::new(file.display().to_string(), &text, &outcome.secrets);
    let mut diagnostics = outcome.diagnostics;
    let (loaded, failed) = plugins::load_all(&outcome.config, &folder, &engine, log, &shelf(&outcome.config, &folder));
    diagnostics.extend(failed);
    let planned = planner::plan(&outcome.config, &plugins::describe(&loaded));
    let plan = planned.map_err(|errors| diagnostics.extend(errors)).ok();
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    // Parts that had errors are not in the configuration: what uses them would seem to be missing.
    if !failed {
        diagnostics.extend(planner::warnings(&outcome.config));
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    let pipeline =
        plan.filter(|_| !failed).map(|plan| Pipeline { config: outcome.config, plan, plugins: loaded, folder, engine });
    Ok(Checked { source, diagnostics, pipeline })
}

/// As [`check`], printing to standard error what there is to say. The error is the exit code.
pub fn load(file: &Path, log: plugins::LogFor<'_>) -> Result<Pipeline, ExitCode> {
    said(check(file, log))
}

/// The releases that a pipeline keeps, and those that were chosen over its files.
pub fn shelf(config: &Config, folder: &Path) -> Shelf {
    let store = store(config, folder);
    let choices = store.choices();
    Shelf { store: Some(store), choices }
}

/// Where a pipeline's releases are.
pub fn store(config: &Config, folder: &Path) -> Store {
    Store::new(folder.join(&config.server.state))
}

/// As [`load`], for running it: with the releases that run.
pub fn load_to_run(file: &Path, log: plugins::LogFor<'_>) -> Result<Pipeline, ExitCode> {
    said(engine().and_then(|engine| check_with(engine, file, log, &shelf)))
}

/// Prints what there is to say.
fn said(found: Result<Checked, (String, u8)>) -> Result<Pipeline, ExitCode> {
    let checked = found.map_err(|(message, code)| {
        eprintln!("error: {message}");
        ExitCode::from(code)
    })?;
    if !checked.diagnostics.is_empty() {
        eprint!("{}", render(&checked.source, &checked.diagnostics, logs::colours()));
    }
    checked.pipeline.ok_or(ExitCode::from(MISUSED))
}

/// For commands that run no event.
pub fn silent(_plugin: &str) -> Arc<dyn PluginLog> {
    Arc::new(NoLog)
}

fn unreadable(file: &Path, error: &std::io::Error) -> String {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => "; give the path of a pipeline's TOML file",
        std::io::ErrorKind::InvalidData => "; TOML files are UTF-8",
        _ => "",
    };
    format!("cannot read {}: {error}{help}", file.display())
}

/// Where compiled plugins are kept between starts: `$WASMILL_CACHE`, or the user's folder for caches; `None` without either.
pub fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("WASMILL_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("wasmill")))
        .or_else(|| Some(set("HOME")?.join(".cache").join("wasmill")))
}
