//! `wasmill test`: the `[[tests]]` of a pipeline.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use super::run::checked;
use super::{FAILED, pipeline};
use crate::pipeline_test::{self, Report};

/// Lines of a difference that are shown.
const MAX_SHOWN: usize = 40;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
A test feeds lines of events to a source, as one partition, and compares the points that reach a sink:
  [[tests]]
  name = \"late purchases correct their window\"
  input = { events = \"tests/late.ndjson\" }     # one payload a line
  expect = { charts = \"tests/late.lp\" }        # line protocol: the last point of each series and time

Examples:
  wasmill test pipeline.toml
  wasmill test pipeline.toml --only late     Tests whose names hold \"late\"
  wasmill test pipeline.toml --update        Write what comes out as what is expected; read the diff before you commit it")]
pub struct Args {
    /// The pipeline's TOML file
    file: PathBuf,
    /// Only tests whose names hold this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write what comes out to the files of expected points
    #[arg(long)]
    update: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let pipeline = match pipeline::load(&args.file, &pipeline::silent) {
        Ok(pipeline) => pipeline,
        Err(code) => return code,
    };
    let folder = pipeline.folder.clone();
    let checked = checked(pipeline);
    let wanted = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let (mut passed, mut failed) = (0, 0);
    for test in checked.config.tests.iter().filter(|test| wanted(&test.name.value)) {
        match pipeline_test::run(test, &checked.config, &checked.plan, &checked.plugins, &folder, args.update) {
            Ok(report) if report.differences.is_empty() => {
                println!("ok      {}", report.name);
                passed += 1;
            }
            Ok(report) => {
                show(&report);
                failed += 1;
            }
            Err(error) => {
                println!("FAILED  {error}");
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

fn show(report: &Report) {
    println!("FAILED  {}", report.name);
    let (red, green, plain) =
        if std::io::stdout().is_terminal() { ("\x1b[31m", "\x1b[32m", "\x1b[0m") } else { ("", "", "") };
    for difference in &report.differences {
        println!("  sink `{}` against {}:", difference.sink, difference.file);
        let missing = difference.missing.iter().map(|line| format!("{red}- {line}{plain}"));
        let extra = difference.extra.iter().map(|line| format!("{green}+ {line}{plain}"));
        let mut lines: Vec<String> = missing.chain(extra).collect();
        // The same point, expected and got, one below the other.
        lines.sort_by_key(|line| point_of(line));
        let more = lines.len().saturating_sub(MAX_SHOWN);
        lines.iter().take(MAX_SHOWN).for_each(|line| println!("    {line}"));
        if more > 0 {
            println!("    … and {more} more");
        }
    }
    for refused in &report.refused {
        println!("  refused: {refused}");
    }
}

/// Series and time of a line, without its sign and its fields.
fn point_of(line: &str) -> (String, String) {
    let line = line.trim_start_matches(['\x1b', '[', '0', '1', '2', '3', 'm', '-', '+', ' ']);
    let series = line.split(' ').next().unwrap_or_default();
    (series.to_owned(), line.rsplit(' ').next().unwrap_or_default().to_owned())
}
