//! `wasmill schema`: what a pipeline may look like, for editors.

use std::process::ExitCode;

use wasmill_core::config::schema::json_schema;

use super::print;

/// Print the JSON Schema of pipeline files, for editors
///
/// Editors that know TOML then complete keys, show what they mean, and mark mistakes while you type.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill schema > wasmill.schema.json

  # then, as the first line of a pipeline, for Taplo and Even Better TOML:
  #:schema ./wasmill.schema.json")]
pub struct Args {}

pub fn run(_: &Args) -> ExitCode {
    print(&format!("{:#}\n", json_schema()))
}
