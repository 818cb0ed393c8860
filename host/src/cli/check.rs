//! `wasmill check`: all the checks, no connection.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use wasmill_core::config::{Diagnostic, Severity};
use wasmill_core::planner::explain;

use super::pipeline::{Checked, check, silent};
use super::render::{Source, render};
use super::{MISUSED, logs, print};

/// Find all mistakes in a pipeline, without connecting to anything
///
/// Reads the file, loads and configures its plugins, and checks every name, field and window. Nothing is consumed or written.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill check pipeline.toml
  wasmill check --explain pipeline.toml   Also what would run, and why so
  wasmill check --json pipeline.toml      Mistakes and plan, for programs")]
pub struct Args {
    /// The pipeline
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Also print the plan: for each source what is decoded and for whom, for each route how it runs and why
    #[arg(long)]
    explain: bool,
    /// Print mistakes and plan as JSON to standard output
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let checked = match check(&args.file, &silent) {
        Ok(checked) => checked,
        Err((message, code)) => {
            if args.json {
                print(&format!("{:#}\n", json!({ "ok": false, "error": message })));
            } else {
                eprintln!("error: {message}");
            }
            return ExitCode::from(code);
        }
    };
    let printed = if args.json { print(&as_json(&checked)) } else { for_people(args, &checked) };
    if checked.pipeline.is_none() { ExitCode::from(MISUSED) } else { printed }
}

fn for_people(args: &Args, checked: &Checked) -> ExitCode {
    if !checked.diagnostics.is_empty() {
        eprint!("{}", render(&checked.source, &checked.diagnostics, logs::colours()));
    }
    let Some(pipeline) = &checked.pipeline else { return ExitCode::from(MISUSED) };
    if args.explain {
        return print(&explain(&pipeline.config, &pipeline.plan).to_string());
    }
    let routes: usize = pipeline.plan.sources.iter().map(|source| source.routes.len()).sum();
    let plural = if routes == 1 { "" } else { "s" };
    print(&format!("{} is well: {routes} route{plural}\n", checked.source.name))
}

fn as_json(checked: &Checked) -> String {
    let diagnostics: Vec<_> =
        checked.diagnostics.iter().map(|diagnostic| diagnostic_json(&checked.source, diagnostic)).collect();
    let plan = checked.pipeline.as_ref().map(|pipeline| explain(&pipeline.config, &pipeline.plan));
    let document = json!({ "ok": checked.pipeline.is_some(), "diagnostics": diagnostics, "plan": plan });
    format!("{document:#}\n")
}

fn diagnostic_json(source: &Source, diagnostic: &Diagnostic) -> serde_json::Value {
    let (line, column) = source.position(diagnostic.span.start);
    json!({
        "severity": match diagnostic.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": diagnostic.message,
        "file": source.name,
        "line": line,
        "column": column,
        "label": diagnostic.label,
        "help": diagnostic.help,
    })
}
