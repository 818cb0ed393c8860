//! `wasmill reload`: a running pipeline reads its files again.

use std::process::ExitCode;

use super::remote::Remote;

/// Let a running pipeline read its configuration and plugins again, without a restart
///
/// Everything is built and verified first; then all tasks change between two batches, or none does. SIGHUP and a saved file ask for
/// the same.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  WASMILL_TOKEN=… wasmill reload                What the files say now
  wasmill reload --reset-state                  Also if a plugin cannot read the states of its predecessor

Exit codes: 0 changed or nothing to change, 1 refused (what ran runs on), 2 wrong use.")]
pub struct Args {
    /// Rebuild from the topic the states that the new release cannot read, instead of refusing it
    #[arg(long)]
    reset_state: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> ExitCode {
    args.remote.change(&format!("/api/v1/reloads?reset_state={}", args.reset_state), Vec::new())
}
