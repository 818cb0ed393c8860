//! Instances of aggregators.

use std::ops::Range;
use std::sync::Arc;

use wasmill_core::batch::{Batch, Column, Strings};
use wasmill_core::plugin::{Aggregator, CallError, Firing, Reject, Results};
use wasmill_core::schema::Descriptor;
use wasmill_core::time::Window;

use crate::cut::{self, MAX_BATCH_BYTES, MAX_BATCH_ROWS, Pace, Piece};
use crate::instance::Instance;
use crate::lift::{self, Inputs};
use crate::lower::{self, Encoded};
use crate::v0_1;

const MAX_SLOTS: usize = MAX_BATCH_ROWS as usize;

/// A configured instance.
pub(crate) struct AggregatorInstance {
    pub(crate) instance: Instance<v0_1::Aggregator>,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) state_version: u32,
    /// Results and states of a slot differ in size by orders of magnitude between plugins, and from each other.
    pub(crate) emit_pace: Pace,
    pub(crate) snapshot_pace: Pace,
}

impl AggregatorInstance {
    fn call_accumulate(&mut self, input: Batch<'_>, rows: &[u32], slots: &[u32]) -> Result<Vec<Reject>, CallError> {
        let encoded = Encoded::new(input.columns, &self.descriptor.reads);
        let columns = encoded.params(input.columns);
        let batch = v0_1::Batch { rows: input.rows, columns: &columns };
        self.instance.call(
            "accumulate",
            |world, store| world.wasmill_plugin_aggregate().call_accumulate(store, batch, rows, slots),
            |returned| lift::accumulated(returned, input.rows),
        )
    }

    fn call_emit(
        &mut self,
        slots: &[u32],
        windows: &[v0_1::Window],
        keys: &[&Column],
        firing: v0_1::Firing,
    ) -> Result<Results, CallError> {
        let keys = lower::params(keys);
        let inputs = Inputs { count: slots.len() as u32, noun: "slot" };
        let output_bytes = self.instance.identity().limits.output_bytes;
        self.instance.call(
            "emit",
            |world, store| world.wasmill_plugin_aggregate().call_emit(store, slots, windows, &keys, firing),
            |returned| lift::results(returned, &self.descriptor.outputs, inputs, output_bytes),
        )
    }

    /// Pairs `range` as a batch of just the rows they name.
    fn accumulate_some(
        &mut self,
        input: Batch<'_>,
        rows: &[u32],
        slots: &[u32],
        range: Range<usize>,
    ) -> Result<Vec<Reject>, CallError> {
        let chosen: Vec<u32> = if rows.is_empty() {
            (range.start as u32..range.end as u32).collect()
        } else {
            rows[range.clone()].to_vec()
        };
        let piece = Piece::gather(input.columns, &chosen);
        let input = Batch { rows: piece.rows, columns: &piece.columns() };
        let mut rejects = self.accumulate(input, &[], &slots[range])?;
        for reject in &mut rejects {
            reject.row = chosen[reject.row as usize];
        }
        Ok(rejects)
    }
}

impl Aggregator for AggregatorInstance {
    fn accumulate(&mut self, input: Batch<'_>, rows: &[u32], slots: &[u32]) -> Result<Vec<Reject>, CallError> {
        if slots.len() <= 1 || (cut::fits(input) && slots.len() <= MAX_SLOTS) {
            return self.call_accumulate(input, rows, slots);
        }
        let middle = slots.len() / 2;
        let mut rejects = self.accumulate_some(input, rows, slots, 0..middle)?;
        rejects.extend(self.accumulate_some(input, rows, slots, middle..slots.len())?);
        // A row of several pairs may stand in both halves.
        rejects.sort_by_key(|reject| reject.row);
        rejects.dedup_by_key(|reject| reject.row);
        Ok(rejects)
    }

    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), CallError> {
        for (into, other) in into.chunks(MAX_SLOTS).zip(other.chunks(MAX_SLOTS)) {
            self.instance.call(
                "merge",
                |world, store| world.wasmill_plugin_aggregate().call_merge(store, into, other),
                Ok,
            )?;
        }
        Ok(())
    }

    fn emit(
        &mut self,
        slots: &[u32],
        windows: &[Window],
        keys: &[&Column],
        firing: Firing,
    ) -> Result<Results, CallError> {
        let windows: Vec<v0_1::Window> =
            windows.iter().map(|window| v0_1::Window { start: window.start, end: window.end }).collect();
        let firing = match firing {
            Firing::Early => v0_1::Firing::Early,
            Firing::OnTime => v0_1::Firing::OnTime,
            Firing::Late => v0_1::Firing::Late,
        };
        let mut results = Results::default();
        let mut start = 0;
        while start < slots.len() {
            let range = start..slots.len().min(start + self.emit_pace.slots());
            let windows = if windows.len() == slots.len() { &windows[range.clone()] } else { &windows };
            let part = if range.len() == slots.len() {
                self.call_emit(slots, windows, keys, firing)?
            } else {
                let positions: Vec<u32> = (range.start as u32..range.end as u32).collect();
                let piece = Piece::gather(keys, &positions);
                self.call_emit(&slots[range.clone()], windows, &piece.columns(), firing)?
            };
            self.emit_pace.learn(range.len(), cut::result_bytes(&part));
            cut::join(&mut results, part, range.start as u32, range.len() as u32);
            start = range.end;
        }
        Ok(results)
    }

    fn forget(&mut self, slots: &[u32]) -> Result<(), CallError> {
        for slots in slots.chunks(MAX_SLOTS) {
            self.instance.call(
                "forget",
                |world, store| world.wasmill_plugin_state().call_forget(store, slots).map(Ok),
                Ok,
            )?;
        }
        Ok(())
    }

    fn state_version(&self) -> u32 {
        self.state_version
    }

    fn snapshot(&mut self, slots: &[u32]) -> Result<Strings, CallError> {
        let mut states = Strings::default();
        let mut rest = slots;
        while !rest.is_empty() {
            let (slots, later) = rest.split_at(rest.len().min(self.snapshot_pace.slots()));
            let part = self.instance.call(
                "snapshot",
                |world, store| world.wasmill_plugin_state().call_snapshot(store, slots),
                |returned| lift::states(returned, slots.len()),
            )?;
            self.snapshot_pace.learn(slots.len(), part.data.len());
            cut::append_strings(&mut states, &part);
            rest = later;
        }
        Ok(states)
    }

    fn restore(&mut self, slots: &[u32], version: u32, states: &Strings) -> Result<(), CallError> {
        let mut start = 0;
        while start < slots.len() {
            let end = restorable(states, start, slots.len());
            let base = states.span(start).0;
            let ends: Vec<u32> = states.ends[start..end].iter().map(|end| end - base as u32).collect();
            let data = &states.data[base..states.span(end - 1).1];
            let some = v0_1::StringsParam { ends: &ends, data };
            let slots = &slots[start..end];
            self.instance.call(
                "restore",
                |world, store| world.wasmill_plugin_state().call_restore(store, slots, version, some),
                Ok,
            )?;
            start = end;
        }
        Ok(())
    }
}

/// Where a call that restores from state `start` on must end; at least one state later.
fn restorable(states: &Strings, start: usize, len: usize) -> usize {
    let base = states.span(start).0;
    let most = len.min(start + MAX_SLOTS);
    let fitting = states.ends[start..most].partition_point(|&end| end as usize - base <= MAX_BATCH_BYTES);
    start + fitting.max(1)
}
