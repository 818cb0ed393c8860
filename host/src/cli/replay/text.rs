//! What came out, for people and for tools that read line protocol.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Replayed;
use crate::clock;
use crate::offline::points::{PointId, line};
use crate::offline::{Outcome, describe};
use crate::replay::diff::{Change, Counts, FieldChange, Group, compare};

/// Differences of one route and measurement that a screen is given.
const MAX_SHOWN: u64 = 20;

/// Lines, sorted by series and time; sinks apart, if there are several.
pub fn points(out: &mut dyn Write, replayed: &Replayed) -> io::Result<()> {
    let Some(outcome) = replayed.outcomes.first() else { return Ok(()) };
    let sink_of = |point: Option<(&PointId, _)>| point.map(|(id, _)| id.sink);
    let several = sink_of(outcome.points.iter().next()) != sink_of(outcome.points.iter().next_back());
    let mut last = None;
    for (id, point) in outcome.points.iter() {
        if several && last != Some(id.sink) {
            writeln!(out, "# sink {}", replayed.sinks[id.sink])?;
            last = Some(id.sink);
        }
        writeln!(out, "{}", line(id, point))?;
    }
    Ok(())
}

/// Differences, then a line for each route and measurement. `all`: however many there are. True if nothing differs.
pub fn diff(
    out: &mut dyn Write,
    replayed: &Replayed,
    before: &Outcome,
    after: &Outcome,
    all: bool,
) -> io::Result<bool> {
    let mut shown: BTreeMap<Group, u64> = BTreeMap::new();
    let mut result = Ok(());
    let counts = compare(&before.points, &after.points, &mut |group, id, point, change| {
        let shown = shown.entry(group.clone()).or_default();
        *shown += 1;
        if result.is_err() || (!all && *shown > MAX_SHOWN) {
            return;
        }
        let (sign, what) = match change {
            Change::Different(fields) => {
                ('~', fields.iter().map(FieldChange::to_string).collect::<Vec<_>>().join(", "))
            }
            Change::Missing => ('-', point.fields.to_string()),
            Change::Extra => ('+', point.fields.to_string()),
        };
        let (sink, time) = (&replayed.sinks[id.sink], clock::rfc3339(id.time));
        result = writeln!(out, "{sign} {} {time} ({sink}): {what}", id.series);
    });
    result?;
    let hidden: u64 = shown.values().map(|count| count.saturating_sub(MAX_SHOWN)).sum();
    if !all && hidden > 0 {
        writeln!(out, "… and {hidden} more: --out FILE writes all of them")?;
    }
    for (group, Counts { equal, different, missing, extra }) in &counts {
        let Group { route, sink, measurement } = group;
        let sink = &replayed.sinks[*sink];
        writeln!(
            out,
            "{route} → {sink}, {measurement}: {equal} equal, {different} different, {missing} missing, {extra} extra"
        )?;
    }
    let same_refused = before.refused == after.refused;
    if !same_refused {
        let (was, is) = (describe(&before.refused), describe(&after.refused));
        let only =
            |these: &[String], those: &[String]| these.iter().filter(|line| !those.contains(line)).cloned().collect();
        let (was, is): (Vec<String>, Vec<String>) = (only(&was, &is), only(&is, &was));
        was.iter().try_for_each(|line| writeln!(out, "- refused: {line}"))?;
        is.iter().try_for_each(|line| writeln!(out, "+ refused: {line}"))?;
    }
    Ok(same_refused && counts.values().all(Counts::is_equal))
}

/// What was read and what became of it, to standard error.
pub fn summary(replayed: &Replayed) {
    let Replayed { slice, events, outcomes, .. } = replayed;
    let points: Vec<String> = outcomes.iter().map(|outcome| outcome.points.len().to_string()).collect();
    eprintln!("{events} events of {} partitions, {} points", slice.partitions(), points.join(" and "));
    let Some(last) = outcomes.last() else { return };
    for refused in describe(&last.refused) {
        eprintln!("refused: {refused}");
    }
    if last.cut.at_start + last.cut.at_end > 0 {
        eprintln!(
            "note: of {} windows {} begin before the slice and {} end behind it: their points may lack what lies outside",
            last.cut.all, last.cut.at_start, last.cut.at_end
        );
    }
}
