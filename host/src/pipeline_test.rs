//! `[[tests]]` of a pipeline: lines of events in, points out, no broker and no clock but the events' own.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use wasmill_core::batch::SLACK_BYTES;
use wasmill_core::checkpoint::Checkpoint;
use wasmill_core::config::{Config, Test};
use wasmill_core::line_protocol::{Encoded, LineEncoder};
use wasmill_core::plan::{Plan, Tail};
use wasmill_core::records::{ABSENT, Record, Records, Span};

use crate::assemble::{self, Counted, PluginHandle};
use crate::clock;
use crate::figures::{Figures, PartitionFigures};
use crate::outlets::ResolvedTarget;
use crate::task::{Halt, Outbox, Outgoing, Poison, SourceRuntime, Start, Task};

/// Lines of input that a test may have.
const MAX_LINES: usize = 1_000_000;

/// What one test gave.
#[derive(Debug)]
pub struct Report {
    pub name: String,
    /// Sinks whose points are not the expected ones, each with a diff by lines.
    pub differences: Vec<Difference>,
    /// Refused events by stage and reason, for whoever wonders where a row went.
    pub refused: Vec<String>,
}

#[derive(Debug)]
pub struct Difference {
    pub sink: String,
    /// The file of expected points.
    pub file: String,
    /// Expected and not there.
    pub missing: Vec<String>,
    /// There and not expected.
    pub extra: Vec<String>,
}

/// Why a test cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("test `{test}`: {reason}")]
pub struct TestError {
    pub test: String,
    pub reason: String,
}

/// The last point of each series and time, in line protocol, by sink.
type Points = BTreeMap<String, BTreeMap<String, String>>;

/// Runs one test. `update`: writes what came out as what is expected from now on.
///
/// # Errors
/// A file that cannot be read, a plugin that fails.
pub fn run(
    test: &Test,
    config: &Config,
    plan: &Plan,
    plugins: &[PluginHandle],
    folder: &Path,
    update: bool,
) -> Result<Report, TestError> {
    let fail = |reason: String| TestError { test: test.name.value.clone(), reason };
    let plan = alone(plan);
    let figures = assemble::figures(config, &plan, plugins);
    let mut points = Points::new();
    for (source, file) in &test.input {
        let runtimes = assemble::runtimes(&plan, plugins, &Counted::of(&figures), &figures);
        let Some(runtime) = runtimes.iter().find(|runtime| runtime.plan.name == source.value) else { continue };
        let records = read_lines(&folder.join(&file.value)).map_err(fail)?;
        feed(runtime, config, &records, &mut points).map_err(fail)?;
    }
    let mut differences = Vec::new();
    for (sink, file) in &test.expect {
        let got = points.remove(&sink.value).unwrap_or_default();
        let path = folder.join(&file.value);
        if update {
            let text: String = got.values().map(|line| format!("{line}\n")).collect();
            std::fs::write(&path, text).map_err(|e| fail(format!("cannot write {}: {e}", path.display())))?;
            continue;
        }
        let expected = read_expected(&path).map_err(fail)?;
        if let Some(difference) = compare(&sink.value, &file.value, &expected, &got) {
            differences.push(difference);
        }
    }
    Ok(Report { name: test.name.value.clone(), differences, refused: refusals(&figures) })
}

/// The plan of one partition that has no others: its panes need no exchange.
fn alone(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for route in plan.sources.iter_mut().flat_map(|source| &mut source.routes) {
        if let Tail::Aggregate(aggregate) = &mut route.tail {
            aggregate.exchanged = false;
        }
    }
    plan
}

/// Each line is the payload of one event, in the order of the file.
fn read_lines(path: &Path) -> Result<Records, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut records = Records { buffer: vec![0; 32], records: Vec::new() };
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if records.records.len() == MAX_LINES {
            return Err(format!("{} has more than {MAX_LINES} lines: too many for a test", path.display()));
        }
        let value = Span { start: records.buffer.len() as u32, len: line.len() as u32 };
        records.buffer.extend_from_slice(line);
        let offset = records.records.len() as i64;
        records.records.push(Record { offset, timestamp_ms: -1, key: ABSENT, value, headers: ABSENT });
    }
    records.buffer.resize(records.buffer.len() + SLACK_BYTES, 0);
    Ok(records)
}

fn feed(runtime: &Arc<SourceRuntime>, config: &Config, records: &Records, points: &mut Points) -> Result<(), String> {
    let targets = assemble::targets(&runtime.plan)?;
    let start = Start { position: 0, checkpoint: Checkpoint::fresh(0), poison: Poison::new() };
    let explain = |halt: Halt| match halt {
        Halt::Stop(reason) => reason,
        Halt::Rebuild(failure) => failure.error.to_string(),
    };
    let figures = Arc::new(PartitionFigures::default());
    let topic = Arc::from(config.source(&runtime.plan.name).and_then(|s| s.topics.first()).map_or("", |t| t));
    let now = clock::now();
    let mut task = Task::new(Arc::clone(runtime), topic, 0, start, figures, now).map_err(explain)?;
    let mut first = 0;
    while let Some(range) = task.next_batch(records, first) {
        first = range.end;
        let mut outbox = Outbox::default();
        task.process(records, range, now, &mut outbox).map_err(explain)?;
        collect(outbox, config, &targets, points)?;
    }
    let outbox = task.finish().map_err(explain)?;
    collect(outbox, config, &targets, points)
}

fn collect(
    outbox: Outbox,
    config: &Config,
    targets: &[Vec<ResolvedTarget>],
    points: &mut Points,
) -> Result<(), String> {
    for item in outbox.items {
        let Outgoing::Rows { route, output, rows } = item else { continue };
        for target in &targets[route] {
            let Some(resolved) = target.by_output.get(output) else { continue };
            let encoder = LineEncoder::new(&rows.schema, &resolved.measurement, &resolved.tags, &resolved.fields)?;
            let sink = points.entry(config.sinks[target.sink].name.value.clone()).or_default();
            for row in 0..rows.len() {
                let mut line = Vec::new();
                let encoded = encoder.append(&rows, row, &mut line);
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if let Encoded::Line { key_bytes, .. } = encoded {
                    // A correction overwrites its point: series key and time name it.
                    let time = line.rsplit(' ').next().unwrap_or_default();
                    sink.insert(format!("{} {time:>20}", &line[..key_bytes]), line);
                }
            }
        }
    }
    Ok(())
}

fn read_expected(path: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("cannot read {}: {error}; `wasmill test --update` writes what comes out", path.display())
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

fn compare(sink: &str, file: &str, expected: &[String], got: &BTreeMap<String, String>) -> Option<Difference> {
    let wanted: HashSet<&String> = expected.iter().collect();
    let there: HashSet<&String> = got.values().collect();
    let missing: Vec<String> = expected.iter().filter(|line| !there.contains(line)).cloned().collect();
    let extra: Vec<String> = got.values().filter(|line| !wanted.contains(line)).cloned().collect();
    let same = missing.is_empty() && extra.is_empty();
    (!same).then(|| Difference { sink: sink.to_owned(), file: file.to_owned(), missing, extra })
}

fn refusals(figures: &Figures) -> Vec<String> {
    figures
        .refusals()
        .into_iter()
        .map(|(key, count)| {
            let route = if key.route.is_empty() { "all routes".to_owned() } else { format!("route `{}`", key.route) };
            format!("{count} × {} ({}), {route}", key.code, key.stage.name())
        })
        .collect()
}
