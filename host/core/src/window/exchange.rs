//! The two sides of an exchange: a partition gives away what its panes hold, and one windower for all partitions takes it in.
//!
//! A row's boundary is found from its own partition's watermark and travels with it, so what the receiver emits does not depend
//! on how the partitions' deltas are interleaved. The receiver may advance to the minimum of the watermarks that the
//! partitions had reached when they were last drained, and no further.

use super::error::EMIT_SLOTS;
use super::grid::Place;
use super::interner::NONE;
use super::marks::NO_MARK;
use super::panes::Panes;
use super::slots::SlotTable;
use super::{PaneDelta, States};
use crate::batch::{Strings, Values};
use crate::time::{BEGINNING, Nanos, Window};

impl Panes {
    /// What must be sent before the receiver may advance to `watermark`; `everything`: also what may still wait.
    pub fn drain<S: States>(
        &mut self,
        watermark: Nanos,
        everything: bool,
        states: &mut S,
    ) -> Result<Vec<PaneDelta>, S::Error> {
        let mut deltas = Vec::new();
        for level in 0..self.levels.len() {
            let mut cells = std::mem::take(&mut self.levels[level].cells);
            let ready = match everything {
                true => cells.len(),
                false => cells.partition_point(|cell| self.grid.first_end(cell.window) <= watermark),
            };
            for mut cell in cells.drain(..ready) {
                self.take_delta((level, cell.window), BEGINNING, &mut cell.table, &mut deltas, states)?;
                self.drained.push((self.grid.closed_at(cell.window), cell.mark));
                self.recycle(cell.table);
            }
            self.levels[level].cells = cells;
        }
        while let Some(((boundary, level, start), mut table)) = self.delayed.pop_first() {
            let cell = self.grid.cell(level, start);
            self.take_delta((level, cell), boundary, &mut table, &mut deltas, states)?;
            self.recycle(table);
        }
        self.slots.settle(states)?;
        Ok(deltas)
    }

    fn take_delta<S: States>(
        &mut self,
        (level, cell): (usize, Window),
        boundary: Nanos,
        table: &mut SlotTable,
        deltas: &mut Vec<PaneDelta>,
        states: &mut S,
    ) -> Result<(), S::Error> {
        for chunk in table.entries().chunks(EMIT_SLOTS) {
            let slots: Vec<u32> = chunk.iter().map(|(_, slot)| *slot).collect();
            let columns = self.keys.columns(chunk.iter().map(|(key, _)| *key));
            let keys = columns.into_iter().filter_map(|column| match column.values {
                Values::Texts(strings) => Some(strings),
                _ => None,
            });
            let keys = keys.collect();
            deltas.push(PaneDelta { level, pane: cell, boundary, keys, states: states.snapshot(&slots)? });
        }
        table.clear(&mut self.keys, &mut self.slots);
        Ok(())
    }

    /// Lets go of what the exchange has closed for good.
    pub fn release(&mut self, exchange_watermark: Nanos) {
        let marks = &mut self.marks;
        self.drained.retain(|&(closed_at, mark)| {
            let open = closed_at > exchange_watermark;
            if !open {
                marks.release(mark);
            }
            open
        });
        marks.trim();
    }

    pub fn absorb<S: States>(&mut self, delta: &PaneDelta, states: &mut S) -> Result<(), S::Error> {
        let Some(place) = self.still_open(delta) else {
            self.lost += delta.states.len() as u64;
            return Ok(());
        };
        let slots: Vec<u32> = (0..delta.states.len()).map(|_| self.slots.take()).collect();
        states.restore(&slots, &delta.states)?;
        let keys: Vec<&Strings> = delta.keys.iter().collect();
        let rows: Vec<u32> = (0..slots.len() as u32).collect();
        let mut ids = Vec::new();
        self.keys.intern_rows(&keys, &rows, &mut ids);
        self.ensure(place.level, place.cell, NO_MARK);
        let mut table = SlotTable::default();
        if place.boundary > self.watermark {
            let key = (place.boundary, place.level, place.cell.start);
            table = self.delayed.remove(&key).unwrap_or_default();
        }
        for (&id, &slot) in ids.iter().zip(&slots) {
            self.keys.hold(id);
            if place.boundary <= self.watermark {
                self.join(place.level, place.cell, id, slot, states)?;
                continue;
            }
            let own = table.get(id);
            if own == NONE {
                table.insert(id, slot);
            } else {
                self.slots.merge(own, slot, states)?;
                self.slots.forget(slot);
                self.keys.release(id);
            }
        }
        if !table.is_empty() {
            self.delayed.insert((place.boundary, place.level, place.cell.start), table);
        }
        self.after_fold()?;
        self.slots.settle(states)
    }

    /// Where a delta goes. One for a cell that is closed (from a replay, or a partition that was not waited for) goes where that
    /// cell's states have gone, or nowhere if all its windows are closed.
    fn still_open(&self, delta: &PaneDelta) -> Option<Place> {
        let time = delta.pane.start;
        (delta.level..self.grid.levels()).find_map(|level| {
            let cell = self.grid.cell(level, time);
            let closing = match self.grid.levels() {
                1 => self.grid.closed_at(cell),
                _ => cell.end.saturating_add(self.grid.lateness),
            };
            (closing > self.watermark).then_some(Place { level, cell, boundary: delta.boundary })
        })
    }
}
