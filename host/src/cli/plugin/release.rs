//! `wasmill plugin promote|rollback|history`: which release of a plugin a running pipeline uses.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use super::Problem;
use crate::cli::remote::Remote;

/// Run a release in place of the plugin's file, until the file is written anew
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  WASMILL_TOKEN=… wasmill plugin promote revenue target/plugins/revenue.wasm

Exit codes: 0 it runs, 1 refused (what ran runs on), 2 wrong use.")]
pub struct PromoteArgs {
    /// The plugin's name in the configuration
    name: String,
    /// The release
    file: PathBuf,
    #[command(flatten)]
    options: Options,
}

/// Go back to what a plugin ran before
#[derive(clap::Args, Debug)]
pub struct RollbackArgs {
    /// The plugin's name in the configuration
    name: String,
    #[command(flatten)]
    options: Options,
}

/// Show what a plugin ran, when, and who asked for it
#[derive(clap::Args, Debug)]
pub struct HistoryArgs {
    /// The plugin's name in the configuration
    name: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(clap::Args, Debug)]
struct Options {
    /// Rebuild from the topic the states that the release cannot read, instead of refusing it
    #[arg(long)]
    reset_state: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Options {
    fn change(&self, name: &str, what: &str, body: Vec<u8>) -> ExitCode {
        self.remote.change(&format!("/api/v1/plugins/{name}/{what}?reset_state={}", self.reset_state), body)
    }
}

pub fn promote(args: &PromoteArgs) -> Result<ExitCode, Problem> {
    let bytes = std::fs::read(&args.file)
        .map_err(|error| Problem::Misused(format!("cannot read {}: {error}", args.file.display())))?;
    Ok(args.options.change(&args.name, "releases", bytes))
}

pub fn rollback(args: &RollbackArgs) -> ExitCode {
    args.options.change(&args.name, "rollback", Vec::new())
}

pub fn history(args: &HistoryArgs) -> ExitCode {
    match args.remote.get(&format!("/api/v1/plugins/{}/releases", args.name)) {
        Ok(document) => args.remote.show(&document, table),
        Err(unanswered) => unanswered.tell(),
    }
}

/// The newest first, a line each.
fn table(document: &Value) -> String {
    let entries = document["history"].as_array().cloned().unwrap_or_default();
    if entries.is_empty() {
        return "nothing has run under that name\n".to_owned();
    }
    let mut text = format!("{:<32} {:<12} {:<12} {}\n", "since", "release", "before", "asked for by");
    for entry in entries.iter().rev() {
        let word = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
        let short = |key: &str| word(key).chars().take(12).collect::<String>();
        text.push_str(&format!(
            "{:<32} {:<12} {:<12} {}\n",
            word("at"),
            short("release"),
            short("previous"),
            word("trigger")
        ));
    }
    text
}
