//! `wasmill replay`: a slice of the topics through a pipeline again, beside whatever runs.

mod json;
mod text;
mod when;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use wasmill_core::config::diagnostic::did_you_mean;
use wasmill_core::config::{BUILTIN, Config, Diagnostic, PluginPath, split_from};

use super::pipeline::{check_adapted, engine, silent};
use super::render::render;
use super::run::{checked, connection};
use super::{FAILED, MISUSED, logs};
use crate::clock;
use crate::offline::Outcome;
use crate::plugins::Shelf;
use crate::replay::{self, Side, Slice};
use crate::supervisor::Checked;
use when::When;

/// Run a slice of the topics through a pipeline again, and print its points
///
/// Writes to no sink, commits no offset, sends no dead letter: it runs beside the pipeline itself. The same slice and plugins give
/// the same points. Early rows (`emit`) are left out, and at the slice's end every window closes.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
WHEN is by Kafka's timestamps: a time (2026-01-31T08:00:00Z), so long ago (-1h), `earliest`, or
`end` (also `latest`), the log's end when the command starts. A slice begins with the first event
of its first time or later, and ends before the first of its second time or later.

With --diff, `~` marks a point that differs, `-` one that only the plugins of FILE make, `+` one
that only the replacements make; refused events are compared, too.

Examples:
  wasmill replay pipeline.toml --from -1h                   The last hour's points, as lines
  wasmill replay pipeline.toml --from -1h --route revenue   Those of one route
  wasmill replay pipeline.toml --from -1d --plugin revenue=new.wasm --diff
  wasmill replay pipeline.toml --from -2d --to -1d --out points.lp

Exit codes: 0 well, and nothing differs; 1 something differs, or it failed (`error: …`);
2 wrong use or configuration.")]
pub struct Args {
    /// The pipeline's TOML file
    file: PathBuf,
    /// Where the slice begins
    #[arg(long, value_name = "WHEN", value_parser = when::parse, allow_hyphen_values = true)]
    from: When,
    /// Where the slice ends
    #[arg(long, value_name = "WHEN", value_parser = when::parse, allow_hyphen_values = true, default_value = "end")]
    to: When,
    /// Another file for a plugin of the pipeline, with the same configuration (repeatable)
    #[arg(long = "plugin", value_name = "NAME=FILE", value_parser = parse_replacement)]
    plugins: Vec<Replacement>,
    /// Run with and without the replacements, and print how their points differ
    #[arg(long)]
    diff: bool,
    /// Only this route, with what it reads from
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Write to this file instead of standard output; with --diff, every difference
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// A plugin's other file.
#[derive(Clone, Debug)]
struct Replacement {
    plugin: String,
    path: PluginPath,
}

fn parse_replacement(text: &str) -> Result<Replacement, String> {
    // The name may be that of a built-in, the file's path may hold anything.
    let Some((plugin, file)) = text.split_once('=').filter(|(plugin, file)| !plugin.is_empty() && !file.is_empty())
    else {
        return Err("write NAME=FILE, such as revenue=new/revenue.wasm".to_owned());
    };
    let path = match file.strip_prefix(BUILTIN) {
        Some(builtin) => PluginPath::Builtin(builtin.to_owned()),
        // Relative to where the command runs, not to the configuration.
        None => PluginPath::File(std::path::absolute(file).map_err(|e| e.to_string())?.display().to_string()),
    };
    Ok(Replacement { plugin: plugin.to_owned(), path })
}

/// What was run, and what came out.
struct Replayed {
    slice: Slice,
    events: u64,
    /// One, or before and after.
    outcomes: Vec<Outcome>,
    /// Names, by number.
    sinks: Vec<String>,
}

pub fn run(args: &Args) -> ExitCode {
    let replayed = match replay(args) {
        Ok(replayed) => replayed,
        Err(code) => return code,
    };
    match write(args, &replayed) {
        Ok(equal) if equal => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(FAILED),
        // Whoever closed the pipe has seen enough.
        Err(error) if args.out.is_none() && error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let to = args.out.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string());
            fail(&format!("cannot write to {to}: {error}"), FAILED)
        }
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(code)
}

fn replay(args: &Args) -> Result<Replayed, ExitCode> {
    let now = clock::now();
    let (from, to) = when::edges(args.from, args.to, now).map_err(|message| fail(&message, MISUSED))?;
    let mut sides = vec![load(args, if args.diff { &[] } else { &args.plugins })?];
    if args.diff {
        sides.push(load(args, &args.plugins)?);
    }
    // A file that cannot be written is found before the work is done.
    if let Some(path) = &args.out {
        File::create(path).map_err(|error| fail(&format!("cannot write to {}: {error}", path.display()), MISUSED))?;
    }
    let connection = connection(&sides[0].config);
    connection.validate().map_err(|error| fail(&format!("[kafka] {error}"), MISUSED))?;
    let failed = |error: &dyn std::fmt::Display| fail(&error.to_string(), FAILED);
    let slice = replay::cut(&sides[0], &connection, from, to, now).map_err(|error| failed(&error))?;
    let (bar, events) = (progress_bar(slice.len()), Cell::new(0));
    let outcomes = replay::run(&sides, &slice, &|handled| {
        events.set(handled);
        bar.set_position(handled);
    });
    bar.finish_and_clear();
    let outcomes = outcomes.map_err(|error| failed(&error))?;
    let sinks = sides[0].config.sinks.iter().map(|sink| sink.name.value.clone()).collect();
    Ok(Replayed { slice, events: events.get(), outcomes, sinks })
}

/// The pipeline with other files for some plugins, and only the routes that are wanted. Mistakes are printed.
fn load(args: &Args, replacements: &[Replacement]) -> Result<Side, ExitCode> {
    let adapt = |config: &mut Config| {
        // Also those that are used on the other side alone: a misspelt name is found at once.
        replacements.iter().chain(&args.plugins).try_for_each(|replacement| known(config, replacement))?;
        replacements.iter().for_each(|replacement| replace(config, replacement));
        args.route.as_ref().map_or(Ok(()), |route| only(config, route))
    };
    // The files as they are, also where a running pipeline has gone back to what ran before.
    let found =
        engine().and_then(|engine| check_adapted(engine, &args.file, &silent, &|_, _| Shelf::default(), &adapt));
    let found = found.map_err(|(message, code)| fail(&message, code))?;
    let Some(pipeline) = found.pipeline else {
        let errors: Vec<Diagnostic> = found.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
        eprint!("{}", render(&found.source, &errors, logs::colours()));
        return Err(ExitCode::from(MISUSED));
    };
    let Checked { config, plan, plugins } = checked(pipeline);
    Ok(Side { config, plan, plugins })
}

fn known(config: &Config, replacement: &Replacement) -> Result<(), String> {
    if config.plugin(&replacement.plugin).is_some() {
        return Ok(());
    }
    let names = config.plugins.iter().map(|plugin| plugin.name.value.as_str());
    let help = did_you_mean(&replacement.plugin, names, "the pipeline's plugins are");
    Err(format!("--plugin: the pipeline has no plugin `{}`; {help}", replacement.plugin))
}

fn replace(config: &mut Config, replacement: &Replacement) {
    for plugin in config.plugins.iter_mut().filter(|plugin| plugin.name.value == replacement.plugin) {
        plugin.path.value = replacement.path.clone();
        plugin.sha256 = None;
    }
}

/// Leaves one route, and those it reads from, which write nowhere.
fn only(config: &mut Config, route: &str) -> Result<(), String> {
    if config.route(route).is_none() {
        let names = config.routes.iter().map(|route| route.name.value.as_str());
        return Err(format!(
            "--route: the pipeline has no route `{route}`; {}",
            did_you_mean(route, names, "its routes are")
        ));
    }
    let mut wanted = vec![route.to_owned()];
    while let Some(from) =
        config.route(&wanted[wanted.len() - 1]).map(|route| split_from(&route.from.value).0.to_owned())
    {
        wanted.push(from);
    }
    config.routes.retain(|route| wanted.contains(&route.name.value));
    for other in config.routes.iter_mut().filter(|other| other.name.value != route) {
        other.to.clear();
    }
    let used: Vec<String> = config.routes.iter().flat_map(|r| r.plugins()).map(|name| name.value.clone()).collect();
    config.plugins.retain(|plugin| used.contains(&plugin.name.value));
    Ok(())
}

fn progress_bar(events: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{spinner} {human_pos} of {human_len} events, {per_sec} {wide_bar} {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(events).with_style(style)
}

/// Writes what came out. False if there were two sides, and they differ.
fn write(args: &Args, replayed: &Replayed) -> io::Result<bool> {
    let mut out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let equal = match (replayed.outcomes.as_slice(), args.json) {
        ([before, after], true) => json::diff(&mut out, replayed, before, after)?,
        ([before, after], false) => text::diff(&mut out, replayed, before, after, args.out.is_some())?,
        (_, true) => json::points(&mut out, replayed).map(|()| true)?,
        (_, false) => text::points(&mut out, replayed).map(|()| true)?,
    };
    out.flush()?;
    if !args.json {
        text::summary(replayed);
    }
    Ok(equal)
}
