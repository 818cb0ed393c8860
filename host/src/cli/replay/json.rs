//! What came out, for programs: one document, whose long lists are written item by item.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Replayed;
use crate::clock;
use crate::figures::RefusalKey;
use crate::offline::Outcome;
use crate::offline::points::{PointId, line};
use crate::offline::watch::Cut;
use crate::replay::diff::{Change, FieldChange, compare};

/// `{"slice": […], "events": …, "windows": …, "refused": […], "points": [{"sink", "route", "line"}, …]}`
pub fn points(out: &mut dyn Write, replayed: &Replayed) -> io::Result<()> {
    let Some(outcome) = replayed.outcomes.first() else { return Ok(()) };
    head(out, replayed, outcome.cut)?;
    write!(out, "  \"refused\": {},\n  \"points\": [", refused(&outcome.refused))?;
    let mut list = List::default();
    for (id, point) in outcome.points.iter() {
        let point = json!({ "sink": replayed.sinks[id.sink], "route": point.target.route, "line": line(id, point) });
        list.item(out, &point)?;
    }
    writeln!(out, "\n  ]\n}}")
}

/// `{"slice", "events", "windows", "differences": […], "routes": [{"route", "sink", "measurement", "equal", …}], "refused":
/// {"before", "after"}, "equal": …}`. True if nothing differs.
pub fn diff(out: &mut dyn Write, replayed: &Replayed, before: &Outcome, after: &Outcome) -> io::Result<bool> {
    head(out, replayed, after.cut)?;
    write!(out, "  \"differences\": [")?;
    let (mut list, mut result) = (List::default(), Ok(()));
    let counts = compare(&before.points, &after.points, &mut |group, id, point, change| {
        if result.is_ok() {
            let mut difference = named(&replayed.sinks, &group.route, id);
            match change {
                Change::Different(fields) => {
                    difference["change"] = "different".into();
                    difference["fields"] = fields.iter().map(FieldChange::as_json).collect();
                }
                Change::Missing => difference["change"] = "missing".into(),
                Change::Extra => difference["change"] = "extra".into(),
            }
            if !matches!(change, Change::Different(_)) {
                difference["line"] = line(id, point).into();
            }
            result = list.item(out, &difference);
        }
    });
    result?;
    let routes: Vec<Value> = counts
        .iter()
        .map(|(group, counts)| {
            json!({
                "route": group.route, "sink": replayed.sinks[group.sink], "measurement": group.measurement,
                "equal": counts.equal, "different": counts.different, "missing": counts.missing, "extra": counts.extra,
            })
        })
        .collect();
    let equal = counts.values().all(|counts| counts.is_equal()) && before.refused == after.refused;
    let refused = json!({ "before": refused(&before.refused), "after": refused(&after.refused) });
    writeln!(out, "\n  ],\n  \"routes\": {},\n  \"refused\": {refused},\n  \"equal\": {equal}\n}}", json!(routes))?;
    Ok(equal)
}

/// Opens the document, with what was read.
fn head(out: &mut dyn Write, replayed: &Replayed, cut: Cut) -> io::Result<()> {
    let slice: Vec<Value> = replayed
        .slice
        .sources
        .iter()
        .flat_map(|source| source.ranges.iter().map(move |range| (&source.name, range)))
        .map(|(source, range)| {
            json!({ "source": source, "topic": &*range.topic, "partition": range.partition, "from": range.from, "to": range.to })
        })
        .collect();
    let windows = json!({ "all": cut.all, "cut_at_start": cut.at_start, "cut_at_end": cut.at_end });
    writeln!(out, "{{\n  \"slice\": {},", json!(slice))?;
    writeln!(out, "  \"events\": {},\n  \"windows\": {windows},", replayed.events)
}

fn named(sinks: &[String], route: &str, id: &PointId) -> Value {
    json!({ "sink": sinks[id.sink], "route": route, "series": &*id.series, "time": clock::rfc3339(id.time) })
}

fn refused(refused: &BTreeMap<RefusalKey, u64>) -> Value {
    refused
        .iter()
        .map(|(key, count)| {
            json!({
                "source": key.source, "route": key.route, "stage": key.stage.name(), "code": key.code,
                "dropped": key.dropped, "count": count,
            })
        })
        .collect()
}

/// An array being written, an item a line.
#[derive(Default)]
struct List {
    any: bool,
}

impl List {
    fn item(&mut self, out: &mut dyn Write, item: &Value) -> io::Result<()> {
        let comma = if std::mem::replace(&mut self.any, true) { "," } else { "" };
        write!(out, "{comma}\n    {item}")
    }
}
