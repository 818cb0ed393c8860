//! When each event happened, and which events have no usable time.

use std::collections::HashSet;
use std::ops::Range;

use wasmill_core::batch::Values;
use wasmill_core::dead_letter::Stage;
use wasmill_core::plan::{OnInvalid, TimeSource};
use wasmill_core::records::Records;
use wasmill_core::time::{BEGINNING, MILLISECOND, Nanos};

use super::{Refusal, Task};

impl Task {
    pub(super) fn undecodable(&self) -> Vec<Refusal> {
        let drop = self.source.plan.on_invalid == OnInvalid::Drop;
        self.decoded
            .refused
            .iter()
            .map(|refused| Refusal {
                record: refused.row,
                stage: Stage::Decode,
                code: refused.code,
                reason: refused.reason.clone(),
                route: None,
                plugin: None,
                drop,
            })
            .collect()
    }

    /// Event time by record; a record without a usable one is refused and its entry means nothing.
    pub(super) fn event_times(
        &self,
        records: &Records,
        range: &Range<usize>,
        now: Nanos,
        refusals: &mut Vec<Refusal>,
    ) -> Vec<Nanos> {
        let plan = &self.source.plan;
        let batch = &records.records[range.clone()];
        let record_time = |record: &wasmill_core::records::Record| record.timestamp_ms.saturating_mul(MILLISECOND);
        let times = match plan.time {
            TimeSource::Now => return vec![now; batch.len()],
            TimeSource::Record => batch.iter().map(record_time).collect(),
            TimeSource::Column(column) => match &self.decoded.columns[column].values {
                Values::Integers(times) => times.clone(),
                _ => vec![BEGINNING; batch.len()],
            },
        };
        let mut invalid = vec![];
        let column = match plan.time {
            TimeSource::Column(column) => Some(column),
            _ => None,
        };
        for (row, (record, &time)) in batch.iter().zip(&times).enumerate() {
            let absent = column.is_some_and(|column| !self.decoded.columns[column].is_valid(row));
            // Kafka's own timestamp, where it is sane, is what "now" was when the event was written: judged by it, an event
            // meets the same fate on every replay.
            let written = if record.timestamp_ms < 0 { now } else { record_time(record).min(now) };
            if absent || (plan.time == TimeSource::Record && record.timestamp_ms < 0) {
                invalid.push((row as u32, None));
            } else if time > written.saturating_add(plan.max_ahead) {
                invalid.push((row as u32, Some(time)));
            }
        }
        if !invalid.is_empty() {
            self.refuse_times(&invalid, column, refusals);
        }
        times
    }

    fn refuse_times(&self, invalid: &[(u32, Option<Nanos>)], column: Option<usize>, refusals: &mut Vec<Refusal>) {
        let refused: HashSet<u32> =
            refusals.iter().map(|r| r.record).chain(self.decoded.tombstones.iter().copied()).collect();
        let path = column.map_or("@timestamp", |column| &self.source.plan.fields[column].path);
        for &(row, future) in invalid.iter().filter(|(row, _)| !refused.contains(row)) {
            let mistyped = self.decoded.mistyped.iter().find(|m| m.row == row && Some(m.field) == column);
            let (code, reason) = match (future, mistyped) {
                (Some(time), _) => (
                    "future",
                    format!("event time `{path}` = {} lies further ahead than max_ahead", crate::clock::rfc3339(time)),
                ),
                (None, Some(m)) => ("type", format!("event time `{path}` holds {}, which is no time", m.found)),
                (None, None) => ("missing", format!("event time `{path}` is missing or null")),
            };
            let drop = self.source.plan.on_invalid == OnInvalid::Drop;
            refusals.push(Refusal { record: row, stage: Stage::Time, code, reason, route: None, plugin: None, drop });
        }
    }
}
