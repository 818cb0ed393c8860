//! `[[tests]]` of a pipeline: lines of events in, points out, no broker and no clock but the events' own.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use wasmill_core::batch::SLACK_BYTES;
use wasmill_core::config::{Config, Test};
use wasmill_core::plan::Plan;
use wasmill_core::records::{ABSENT, Record, Records, Span};

use crate::assemble::PluginHandle;
use crate::clock;
use crate::offline::points::Points;
use crate::offline::{self, Offline, Outcome, Partition, Stopped};
use crate::task::Poison;

/// Lines of input that a test may have.
const MAX_LINES: usize = 1_000_000;
/// Points that may come of them.
const MAX_POINTS: usize = 2_000_000;

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

/// A pipeline as it was checked.
type Parts<'a> = (&'a Config, &'a Plan, &'a [PluginHandle]);

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
    let mut points = Points::new(MAX_POINTS);
    let mut refused = Vec::new();
    for (source, file) in &test.input {
        let Some(source) = plan.sources.iter().position(|planned| planned.name == source.value) else { continue };
        let records = read_lines(&folder.join(&file.value)).map_err(fail)?;
        let outcome = feed((config, plan, plugins), source, &records).map_err(fail)?;
        refused.extend(offline::describe(&outcome.refused));
        points.append(outcome.points).map_err(|error| fail(error.to_string()))?;
    }
    let mut differences = Vec::new();
    for (sink, file) in &test.expect {
        let sink_id = config.sinks.iter().position(|known| known.name.value == sink.value);
        let got: Vec<String> = sink_id.into_iter().flat_map(|sink| points.lines(sink)).collect();
        let path = folder.join(&file.value);
        if update {
            let text: String = got.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(&path, text).map_err(|e| fail(format!("cannot write {}: {e}", path.display())))?;
            continue;
        }
        let expected = read_expected(&path).map_err(fail)?;
        if let Some(difference) = compare(&sink.value, &file.value, &expected, &got) {
            differences.push(difference);
        }
    }
    Ok(Report { name: test.name.value.clone(), differences, refused })
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

/// What comes out of a source whose only partition holds `records`.
fn feed(parts: Parts<'_>, source: usize, records: &Records) -> Result<Outcome, String> {
    let (config, plan, _) = parts;
    let topics = config.source(&plan.sources[source].name).map(|source| source.topics.as_slice());
    let topic = topics.and_then(|topics| topics.first()).map_or("", |topic| topic);
    let partition = Partition { topic: Arc::from(topic), number: 0, from: 0, cut: false, poison: Poison::new() };
    let explain = |stopped| match stopped {
        Stopped::Failed(reason) => reason,
        Stopped::Poisoned { failure, .. } => failure.error.to_string(),
    };
    let mut offline = Offline::new(parts, source, vec![partition], MAX_POINTS, clock::now()).map_err(explain)?;
    offline.feed(0, records).map_err(explain)?;
    offline.finish().map_err(explain)
}

fn read_expected(path: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("cannot read {}: {error}; `wasmill test --update` writes what comes out", path.display())
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

fn compare(sink: &str, file: &str, expected: &[String], got: &[String]) -> Option<Difference> {
    let wanted: HashSet<&String> = expected.iter().collect();
    let there: HashSet<&String> = got.iter().collect();
    let missing: Vec<String> = expected.iter().filter(|line| !there.contains(line)).cloned().collect();
    let extra: Vec<String> = got.iter().filter(|line| !wanted.contains(line)).cloned().collect();
    let same = missing.is_empty() && extra.is_empty();
    (!same).then(|| Difference { sink: sink.to_owned(), file: file.to_owned(), missing, extra })
}
