//! `wasmill plugin`: make, build, look at and test plugins.

mod artefact;
mod build;
mod cargo;
mod foreign;
mod inspect;
mod new;
mod release;
mod sdk;
mod smoke;
mod test;

use std::fmt;
use std::process::ExitCode;

use clap::Subcommand;
use wasmill_wasm::{Engine, Settings};

use super::pipeline::cache_folder;
use super::{FAILED, MISUSED};

/// Make, build, look at and test plugins
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    New(new::Args),
    Build(build::Args),
    Inspect(inspect::Args),
    Test(test::Args),
    Promote(release::PromoteArgs),
    Rollback(release::RollbackArgs),
    History(release::HistoryArgs),
}

pub fn run(args: &Args) -> ExitCode {
    let result = match &args.command {
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Test(args) => test::run(args),
        Command::Promote(args) => release::promote(args),
        Command::Rollback(args) => Ok(release::rollback(args)),
        Command::History(args) => Ok(release::history(args)),
    };
    result.unwrap_or_else(|problem| {
        eprintln!("error: {problem}");
        problem.code()
    })
}

/// Why a command did not do what it was asked for: a line or two that say what, where and what to do.
#[derive(Debug)]
enum Problem {
    /// Wrong arguments, or a file that is no plugin.
    Misused(String),
    /// It was asked for properly and did not succeed.
    Failed(String),
}

impl Problem {
    fn code(&self) -> ExitCode {
        match self {
            Problem::Misused(_) => ExitCode::from(MISUSED),
            Problem::Failed(_) => ExitCode::from(FAILED),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Misused(message) | Problem::Failed(message) => f.write_str(message),
        }
    }
}

/// The engine that `wasmill run` uses, with its cache of compiled code.
fn engine() -> Result<Engine, Problem> {
    Engine::new(Settings { cache: cache_folder() }).map_err(|error| Problem::Failed(error.to_string()))
}

/// Bytes as people read them: `812 bytes`, `38.2 KiB`, `1.4 MiB`.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 2] = [("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}
