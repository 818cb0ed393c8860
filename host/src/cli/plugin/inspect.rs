//! `wasmill plugin inspect`: what a plugin is, reads and writes, without running an event.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use wasmill_core::config::BUILTIN;
use wasmill_core::schema::{Descriptor, Field, Output, OutputField, Role};
use wasmill_wasm::{CONTRACT_VERSION, Engine, Limits, LoadError, Need, NoLog, Plugin, Release, World};

use super::{Problem, engine, size};
use crate::cli::print;
use crate::plugins::builtins;

/// Show what a plugin is, reads and writes
///
/// The file is held against the contract as `wasmill run` would; one that it would refuse exits with 2 and says why.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill plugin inspect revenue/revenue.wasm
  wasmill plugin inspect builtin:stats --config '{\"field\": \"value\"}'
  wasmill plugin inspect --json revenue.wasm")]
pub struct Args {
    /// A plugin's file, or builtin:NAME
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What `config` in the pipeline would hold, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    config: String,
    /// Print it as JSON to standard output
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, Problem> {
    let result = inspect(args);
    if let (Err(problem), true) = (&result, args.json) {
        print(&format!("{:#}\n", json!({ "error": problem.to_string() })));
        return Ok(problem.code());
    }
    result
}

fn inspect(args: &Args) -> Result<ExitCode, Problem> {
    let config = parse_config(&args.config)?;
    let engine = engine()?;
    let release = Arc::new(compile(&engine, &args.file)?);
    if !args.json {
        print(&file_facts(&args.file, &release));
    }
    let plugin = configure(&engine, &name(&args.file), Arc::clone(&release), &config)?;
    let memory = memory_of_one(&plugin)?;
    if args.json {
        return Ok(print(&format!("{:#}\n", as_json(&args.file, &plugin, memory))));
    }
    Ok(print(&plugin_facts(&plugin, memory)))
}

/// As `config` must be: one JSON value.
pub fn parse_config(text: &str) -> Result<String, Problem> {
    match serde_json::from_str::<Value>(text) {
        Ok(config) => Ok(config.to_string()),
        Err(error) => Err(Problem::Misused(format!(
            "--config is not JSON: {error}; write for example --config '{{\"tax\": 0.19}}'"
        ))),
    }
}

fn name(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn compile(engine: &Engine, file: &Path) -> Result<Release, Problem> {
    let shown = file.display();
    let bytes: std::borrow::Cow<'static, [u8]> = match file.to_str().and_then(|file| file.strip_prefix(BUILTIN)) {
        Some(name) => match builtins().iter().find(|(known, _)| *known == name) {
            Some((_, bytes)) => (*bytes).into(),
            None => {
                let names: Vec<_> = builtins().iter().map(|(known, _)| *known).collect();
                let names = names.join(", ");
                return Err(Problem::Misused(format!("there is no built-in plugin `{name}`; there are {names}")));
            }
        },
        None => match std::fs::read(file) {
            Ok(bytes) => bytes.into(),
            Err(error) => {
                return Err(Problem::Misused(format!(
                    "cannot read {shown}: {error}; give the .wasm file that `wasmill plugin build` makes"
                )));
            }
        },
    };
    Release::compile(engine, &bytes).map_err(|error| Problem::Misused(format!("{shown} cannot be used: {error}")))
}

/// # Errors
/// The plugin refuses its configuration or describes itself wrongly.
pub fn configure(engine: &Engine, name: &str, release: Arc<Release>, config: &str) -> Result<Plugin, Problem> {
    Plugin::new(engine, name, release, config, Limits::default(), Arc::new(NoLog)).map_err(|error| {
        let help = match error {
            LoadError::Configuration { .. } => "; give what the pipeline would with --config JSON",
            _ => "",
        };
        Problem::Misused(format!("{error}{help}"))
    })
}

/// Linear memory of one configured instance, in bytes, before its first event.
fn memory_of_one(plugin: &Plugin) -> Result<u64, Problem> {
    let failed = |error: wasmill_core::plugin::CallError| Problem::Misused(error.to_string());
    match plugin.release().world() {
        World::Transformer => plugin.transformer().map(|_alive| plugin.memory_bytes()),
        World::Aggregator => plugin.aggregator().map(|_alive| plugin.memory_bytes()),
    }
    .map_err(failed)
}

fn file_facts(file: &Path, release: &Release) -> String {
    let (wasi, own): (Vec<_>, Vec<_>) = release.imports().iter().partition(|import| import.starts_with("wasi:"));
    let list = |imports: Vec<&String>| imports.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut imports = if own.is_empty() { "nothing of Wasmill".to_owned() } else { list(own) };
    if !wasi.is_empty() {
        let _ = write!(imports, "\n           and of WASI, for its language's runtime: {}", list(wasi));
    }
    let needs: String = release.needs().iter().map(grant_row).collect();
    let grants =
        if needs.is_empty() { "needs none\n".to_owned() } else { format!("by what it imports, it may need\n{needs}") };
    format!(
        "file       {}\nis         {}, contract {CONTRACT_VERSION}\nsize       {}\nsha256     {}\nimports    {imports}\ngrants     {grants}",
        file.display(),
        release.world().name(),
        size(release.bytes()),
        release.sha256(),
    )
}

fn grant_row(need: &Need) -> String {
    let Need { grant, import, without } = need;
    format!("             {grant:6}  for {import}; without it {without}\n")
}

fn plugin_facts(plugin: &Plugin, memory: u64) -> String {
    let Descriptor { name, version, doc, reads, outputs, options } = plugin.descriptor().as_ref();
    let limits = plugin.limits();
    let mut text = String::new();
    let _ = writeln!(text, "name       {name} {version}");
    if !doc.is_empty() {
        let _ = writeln!(text, "           {doc}");
    }
    let (memory, most) = (size(memory), size(limits.memory_bytes));
    let _ = writeln!(text, "memory     {memory} an instance before its first event, at most {most} (limits.memory)");
    let (call, output) = (limits.call.as_secs_f64(), size(limits.output_bytes));
    let _ = writeln!(text, "limits     a call {call} s (limits.call), what it returns {output} (limits.output)");
    if let Some(states) = plugin.states() {
        let restores: Vec<_> = states.restores.iter().map(u32::to_string).collect();
        let _ = writeln!(text, "state      writes version {}, restores {}", states.writes, restores.join(", "));
    }
    for (key, value) in options {
        let _ = writeln!(text, "option     {key} = {value}");
    }
    text.push_str(if reads.is_empty() { "\nreads nothing\n" } else { "\nreads\n" });
    let rows: Vec<_> = reads.iter().map(field_row).collect();
    table(&mut text, &rows);
    for output in outputs {
        let Output { name, fields, extends } = output;
        let how = match (extends, fields.is_empty()) {
            (true, true) => "the event as it is",
            (true, false) => "the event, and",
            (false, _) => "",
        };
        let _ = writeln!(text, "\nwrites {name}{}{how}", if how.is_empty() { "" } else { ": " });
        let rows: Vec<_> = fields.iter().map(output_row).collect();
        table(&mut text, &rows);
    }
    text
}

fn kind(name: &str, repeated: bool) -> String {
    if repeated { format!("list of {name}") } else { name.to_owned() }
}

fn field_row(field: &Field) -> [String; 4] {
    let need = if field.optional { "optional" } else { "required" };
    [field.path.clone(), kind(field.kind.name(), field.repeated), need.to_owned(), String::new()]
}

fn output_row(field: &OutputField) -> [String; 4] {
    let role = match field.role {
        Role::Field => "field",
        Role::Tag => "tag",
        Role::Time => "time",
    };
    let role = if field.optional { format!("{role}, optional") } else { role.to_owned() };
    let words = [field.unit.as_str(), field.doc.as_str()].into_iter().filter(|word| !word.is_empty());
    [field.name.clone(), kind(field.kind.name(), field.repeated), role, words.collect::<Vec<_>>().join(": ")]
}

fn table(text: &mut String, rows: &[[String; 4]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (first, second, third) = (width(0), width(1), width(2));
    for [a, b, c, d] in rows {
        let line = format!("  {a:first$}  {b:second$}  {c:third$}  {d}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn as_json(file: &Path, plugin: &Plugin, memory: u64) -> Value {
    let (release, limits) = (plugin.release(), plugin.limits());
    let state = plugin.states().map(|states| json!({ "writes": states.writes, "restores": states.restores }));
    json!({
        "file": file,
        "world": release.world().name(),
        "contract": CONTRACT_VERSION,
        "bytes": release.bytes(),
        "sha256": release.sha256(),
        "imports": release.imports(),
        "may_need": release.needs(),
        "memory_bytes": memory,
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "call_seconds": limits.call.as_secs_f64(),
            "output_bytes": limits.output_bytes,
        },
        "state": state,
        "descriptor": plugin.descriptor().as_ref(),
    })
}
