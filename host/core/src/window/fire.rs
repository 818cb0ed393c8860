//! Boundaries in their order: windows fire, late corrections follow, cells close, delayed rows join.

use super::error::EMIT_SLOTS;
use super::grid::Shape;
use super::interner::{Interner, KeyId, NONE};
use super::panes::{Level, Panes};
use super::slots::{SlotPool, SlotTable};
use super::{Emission, States};
use crate::plugin::Firing;
use crate::time::{END, Nanos, Window};

/// The results of one window while they are put together.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// Key id → its place in `found`.
    places: SlotTable,
    pub found: Vec<(KeyId, u32)>,
    /// Whether the slot in `found` was made for this firing.
    made: Vec<bool>,
    slots: Vec<u32>,
}

impl Gather {
    /// Merges the states of each key over the cells in `span` up to `level`; a state that is alone is taken as it is. `only`:
    /// these keys, else all.
    fn collect<S: States>(
        &mut self,
        levels: &[Level],
        span: Window,
        only: Option<&[KeyId]>,
        slots: &mut SlotPool,
        states: &mut S,
    ) -> Result<(), S::Error> {
        self.found.clear();
        self.made.clear();
        let mut tables: Vec<&SlotTable> = Vec::new();
        for level in levels {
            tables.extend(level.within(span).map(|cell| &cell.table).filter(|table| !table.is_empty()));
        }
        if let Some(keys) = only {
            for &key in keys {
                for slot in tables.iter().map(|table| table.get(key)).filter(|slot| *slot != NONE) {
                    self.add(key, slot, slots, states)?;
                }
            }
        } else if let [table] = tables.as_slice() {
            self.found.extend_from_slice(table.entries());
        } else {
            for &(key, slot) in tables.iter().flat_map(|table| table.entries()) {
                self.add(key, slot, slots, states)?;
            }
        }
        self.places.reset();
        slots.run_merges(states)
    }

    fn add<S: States>(&mut self, key: KeyId, slot: u32, slots: &mut SlotPool, states: &mut S) -> Result<(), S::Error> {
        let place = self.places.get(key);
        if place == NONE {
            self.places.insert(key, self.found.len() as u32);
            self.found.push((key, slot));
            self.made.push(false);
            return Ok(());
        }
        let (found, made) = (&mut self.found[place as usize].1, &mut self.made[place as usize]);
        if !*made {
            let own = slots.take();
            slots.merge(own, *found, states)?;
            (*found, *made) = (own, true);
        }
        slots.merge(*found, slot, states)
    }

    /// Emits what was found, and lets go of what was made for it.
    pub fn emit<S: States>(
        &mut self,
        about: (Window, Firing, Option<&str>),
        keys: &Interner,
        slots: &mut SlotPool,
        states: &mut S,
    ) -> Result<(), S::Error> {
        self.emit_found(about, keys, states)?;
        for ((_, slot), made) in self.found.iter().zip(&self.made) {
            if *made {
                slots.forget(*slot);
            }
        }
        Ok(())
    }

    /// As [`Gather::emit`], with slots that are all somebody else's.
    pub fn emit_found<S: States>(
        &mut self,
        (window, firing, size): (Window, Firing, Option<&str>),
        keys: &Interner,
        states: &mut S,
    ) -> Result<(), S::Error> {
        for chunk in self.found.chunks(EMIT_SLOTS) {
            self.slots.clear();
            self.slots.extend(chunk.iter().map(|(_, slot)| *slot));
            let columns = keys.columns(chunk.iter().map(|(key, _)| *key));
            states.emit(Emission { slots: &self.slots, windows: &[window], keys: &columns, firing, size })?;
        }
        Ok(())
    }
}

impl Panes {
    /// Fires and closes all that is due at or before `watermark`; corrections that are still to be made then are made.
    pub fn advance<S: States>(&mut self, watermark: Nanos, states: &mut S) -> Result<(), S::Error> {
        if watermark < self.due && self.changed.is_empty() {
            self.watermark = self.watermark.max(watermark);
            return Ok(());
        }
        self.due = self.next_boundary();
        while self.due <= watermark {
            self.watermark = self.due;
            self.fire_at(self.due, states)?;
            self.close_at(self.due, states)?;
            self.join_delayed(self.due, states)?;
            self.slots.settle_much(states)?;
            if self.is_empty() {
                break;
            }
            self.due = self.next_boundary();
        }
        if let (true, Some(stacks)) = (self.is_empty(), &mut self.stacks) {
            stacks.clear(&mut self.slots);
        }
        self.watermark = self.watermark.max(watermark);
        self.correct(END, states)?;
        self.due = self.next_boundary();
        self.marks.trim();
        self.slots.settle(states)
    }

    fn is_empty(&self) -> bool {
        self.delayed.is_empty() && self.levels.iter().all(|level| level.cells.is_empty())
    }

    /// The earliest firing, closing or joining that is still to come; [`END`] if there is none.
    pub fn next_boundary(&self) -> Nanos {
        let mut next = self.delayed.first_key_value().map_or(END, |((boundary, ..), _)| *boundary);
        let lateness = self.grid.lateness;
        match &self.grid.shape {
            Shape::Nested(_) => {
                for level in &self.levels {
                    let fired = level.cells.partition_point(|cell| cell.window.end <= self.watermark);
                    if let Some(cell) = level.cells.get(fired) {
                        next = next.min(cell.window.end);
                    }
                    if let Some(cell) = level.cells.front() {
                        next = next.min(cell.window.end.saturating_add(lateness));
                    }
                }
            }
            Shape::Sliding { ends, .. } => {
                let cells = &self.levels[0].cells;
                if let Some(cell) = cells.front() {
                    next = next.min(self.grid.closed_at(cell.window));
                }
                let spent = cells.partition_point(|cell| self.grid.last_end(cell.window) <= self.watermark);
                if let Some(cell) = cells.get(spent) {
                    let coming = ends.floor(self.watermark).saturating_add(ends.step);
                    next = next.min(coming.max(self.grid.first_end(cell.window)));
                }
                if let Some(((end, _), _)) = self.changed.first_key_value() {
                    next = next.min(end.saturating_add(lateness));
                }
            }
        }
        next
    }

    fn fire_at<S: States>(&mut self, boundary: Nanos, states: &mut S) -> Result<(), S::Error> {
        match self.grid.shape {
            Shape::Nested(_) => {
                // A finer level that closes here is folded into the next before that one fires, which saves it the merging.
                for level in 0..self.levels.len() {
                    let at = self.levels[level].cells.partition_point(|cell| cell.window.end < boundary);
                    let cell = self.levels[level].cells.get(at).filter(|cell| cell.window.end == boundary);
                    if let Some(window) = cell.map(|cell| cell.window) {
                        self.fire(level, window, None, Firing::OnTime, states)?;
                    }
                    self.close_level(level, boundary, states)?;
                }
                Ok(())
            }
            Shape::Sliding { size, ends, .. } => {
                if ends.floor(boundary) != boundary {
                    return Ok(());
                }
                let window = Window { start: boundary.saturating_sub(size), end: boundary };
                let Some(mut stacks) = self.stacks.take() else {
                    return self.fire(0, window, None, Firing::OnTime, states);
                };
                let fired = stacks.fire(window, ends.step, self, states);
                self.stacks = Some(stacks);
                fired
            }
        }
    }

    /// Emits `window` of `level`: `only` these keys (sorted, each once), else all it has.
    pub fn fire<S: States>(
        &mut self,
        level: usize,
        window: Window,
        only: Option<&[KeyId]>,
        firing: Firing,
        states: &mut S,
    ) -> Result<(), S::Error> {
        let Panes { gather, levels, slots, keys, labels, .. } = self;
        gather.collect(&levels[..=level], window, only, slots, states)?;
        gather.emit((window, firing, labels[level].as_deref()), keys, slots, states)
    }

    fn close_at<S: States>(&mut self, boundary: Nanos, states: &mut S) -> Result<(), S::Error> {
        if matches!(self.grid.shape, Shape::Nested(_)) {
            return Ok(());
        }
        self.correct(boundary, states)?;
        while let Some(cell) = self.levels[0].cells.front() {
            if self.grid.closed_at(cell.window) > boundary {
                break;
            }
            self.drop_front(0);
        }
        Ok(())
    }

    /// Closes the cells of `level` that no row can reach any more; what they hold goes into the next level.
    fn close_level<S: States>(&mut self, level: usize, boundary: Nanos, states: &mut S) -> Result<(), S::Error> {
        while let Some(cell) = self.levels[level].cells.front() {
            let window = cell.window;
            if window.end.saturating_add(self.grid.lateness) > boundary {
                break;
            }
            if let Some(ids) = self.changed.remove(&(window.end, level)) {
                self.correct_window(level, window, ids, states)?;
            }
            if level + 1 < self.levels.len() {
                self.fold_up(level, window, states)?;
            }
            self.drop_front(level);
        }
        Ok(())
    }

    /// Moves the states of the front cell of `level` into the cell above it.
    fn fold_up<S: States>(&mut self, level: usize, window: Window, states: &mut S) -> Result<(), S::Error> {
        let start = self.grid.cell(level + 1, window.start).start;
        let (lower, upper) = self.levels.split_at_mut(level + 1);
        let Some(from) = lower[level].cells.front_mut() else { return Ok(()) };
        let Ok(at) = upper[0].find(start) else { return Ok(()) };
        let to = &mut upper[0].cells[at];
        to.touched |= from.touched;
        for &(key, slot) in from.table.entries() {
            let place = to.table.get(key);
            if place == NONE {
                to.table.insert(key, slot);
            } else {
                self.slots.merge(place, slot, states)?;
                self.slots.forget(slot);
                self.keys.release(key);
            }
        }
        from.table.reset();
        Ok(())
    }

    fn drop_front(&mut self, level: usize) {
        if let Some(mut cell) = self.levels[level].cells.pop_front() {
            cell.table.clear(&mut self.keys, &mut self.slots);
            self.marks.release(cell.mark);
            self.recycle(cell.table);
        }
    }

    /// Emits the corrections of windows that close at or before `until`.
    fn correct<S: States>(&mut self, until: Nanos, states: &mut S) -> Result<(), S::Error> {
        while let Some(entry) = self.changed.first_entry() {
            let (end, level) = *entry.key();
            if end.saturating_add(self.grid.lateness) > until {
                break;
            }
            let ids = entry.remove();
            let start = match &self.grid.shape {
                Shape::Nested(_) => self.grid.cell(level, end - 1).start,
                Shape::Sliding { size, .. } => end - size,
            };
            self.correct_window(level, Window { start, end }, ids, states)?;
        }
        Ok(())
    }

    fn correct_window<S: States>(
        &mut self,
        level: usize,
        window: Window,
        mut ids: Vec<KeyId>,
        states: &mut S,
    ) -> Result<(), S::Error> {
        ids.sort_unstable();
        ids.dedup();
        self.fire(level, window, Some(&ids), Firing::Late, states)
    }

    /// Lets the rows that came after `boundary` into their cells.
    fn join_delayed<S: States>(&mut self, boundary: Nanos, states: &mut S) -> Result<(), S::Error> {
        while let Some(entry) = self.delayed.first_entry() {
            let (at, level, start) = *entry.key();
            if at > boundary {
                break;
            }
            let mut table = entry.remove();
            let cell = self.grid.cell(level, start);
            for &(key, slot) in table.entries() {
                self.join(level, cell, key, slot, states)?;
            }
            table.reset();
            self.recycle(table);
        }
        Ok(())
    }

    /// Puts a state (with its hold on the key) into a cell that is there.
    pub fn join<S: States>(
        &mut self,
        level: usize,
        cell: Window,
        key: KeyId,
        slot: u32,
        states: &mut S,
    ) -> Result<(), S::Error> {
        self.mark_changed(level, cell, key);
        let Ok(at) = self.levels[level].find(cell.start) else { return Ok(()) };
        let to = &mut self.levels[level].cells[at];
        to.touched = true;
        let place = to.table.get(key);
        if place == NONE {
            to.table.insert(key, slot);
            return Ok(());
        }
        self.slots.merge(place, slot, states)?;
        self.slots.forget(slot);
        self.keys.release(key);
        Ok(())
    }

    /// Emits every open window whose rows have changed since its last early firing. Changes nothing else.
    pub fn early<S: States>(&mut self, states: &mut S) -> Result<(), S::Error> {
        let mut windows: Vec<(Nanos, usize, Nanos)> = Vec::new();
        for level in 0..self.levels.len() {
            for at in 0..self.levels[level].cells.len() {
                let cell = &mut self.levels[level].cells[at];
                let window = cell.window;
                if !std::mem::take(&mut cell.touched) {
                    continue;
                }
                match &self.grid.shape {
                    Shape::Nested(levels) => {
                        windows.push((window.end, level, window.start));
                        if level + 1 < levels.len() {
                            let above = self.grid.cell(level + 1, window.start);
                            if let Ok(at) = self.levels[level + 1].find(above.start) {
                                self.levels[level + 1].cells[at].touched = true;
                            }
                        }
                    }
                    Shape::Sliding { size, ends, .. } => {
                        let last = self.grid.last_end(window);
                        let mut end = self.grid.first_end(window);
                        while end <= last {
                            windows.push((end, 0, end - size));
                            end += ends.step;
                        }
                    }
                }
            }
        }
        windows.sort_unstable();
        windows.dedup();
        for (end, level, start) in windows {
            if end > self.watermark {
                self.fire(level, Window { start, end }, None, Firing::Early, states)?;
            }
        }
        self.slots.settle(states)
    }
}
