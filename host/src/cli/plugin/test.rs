//! `wasmill plugin test`: a plugin's own tests natively, then the plugin itself in the host.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use wasmill_wasm::{Limits, LoadError, NoLog, Plugin, Release};

use super::cargo::Crate;
use super::foreign::Foreign;
use super::inspect::parse_config;
use super::{Problem, engine, sdk, smoke};
use crate::cli::print;

/// Run a plugin's own tests, then the plugin itself in the host
///
/// First `cargo test`, natively (for a crate). Then the plugin is compiled for WebAssembly, held against the contract, and called as a pipeline
/// would: an empty batch and a few made-up rows; an aggregator also merges, stores and restores its states, and must emit the same
/// rows afterwards. Rows that it refuses are no failure: made-up values may well be refused.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill plugin test                                 The crate in this folder
  wasmill plugin test add-tax --config '{\"tax\": 0.19}'  With what `config` in the pipeline would hold")]
pub struct Args {
    /// The folder of the plugin
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// What `config` in the pipeline would hold, as JSON
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
}

/// The plugin's name and file, after its own tests. Those of other languages are run by their own tools.
fn build(folder: &Path) -> Result<(String, PathBuf), Problem> {
    if let Some(plugin) = Foreign::find(folder)? {
        return Ok((plugin.name(), plugin.build()?));
    }
    sdk::restore(folder)?;
    let plugin = Crate::find(folder)?;
    plugin.test()?;
    let file = plugin.build()?;
    Ok((plugin.library, file))
}

pub fn run(args: &Args) -> Result<ExitCode, Problem> {
    let config = parse_config(args.config.as_deref().unwrap_or("{}"))?;
    let (name, file) = build(&args.folder)?;
    let bytes =
        std::fs::read(&file).map_err(|error| Problem::Failed(format!("cannot read {}: {error}", file.display())))?;
    let engine = engine()?;
    let unusable = |error: LoadError| Problem::Failed(format!("{name} was built and cannot be used: {error}"));
    let release = Arc::new(Release::compile(&engine, &bytes).map_err(unusable)?);
    let loaded = Plugin::new(&engine, &name, release, &config, Limits::default(), Arc::new(NoLog));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(LoadError::Configuration { message, .. }) if args.config.is_none() => {
            return Ok(print(&format!(
                "{name} loads in the host; it was not called, for it wants a configuration ({message}): give one with --config JSON\n"
            )));
        }
        Err(error) => return Err(unusable(error)),
    };
    let found = smoke::call(&loaded).map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(print(&format!("{name} works in the host: {found}\n")))
}
