//! Panes, and how a batch's rows find their slots in them.
//!
//! A row goes into the pane (in a rollup: the finest cell still open) that holds its time. If some of that pane's windows have
//! fired or closed between the last advance and the row, the row must not be seen by them: it waits in a *delayed* table
//! of that boundary, which joins the pane when the advance has passed the boundary.

use std::collections::{BTreeMap, VecDeque};

use super::error::{MAX_OPEN_PANES, MAX_SLOTS, WindowError};
use super::fire::Gather;
use super::grid::{Grid, Place, Shape};
use super::interner::{Interner, KeyId};
use super::marks::{MarkId, Marks};
use super::slots::{SlotPool, SlotTable};
use super::stacks::Stacks;
use super::{Input, States};
use crate::time::{BEGINNING, END, Nanos, Window};

/// Emptied tables kept for the next panes.
const SPARE_TABLES: usize = 8;

/// With at least so many rows for each pane of its span, a batch opens all these panes at once.
const ROWS_A_PANE: Nanos = 8;

/// A pane, or a larger cell of a rollup.
#[derive(Debug)]
pub(super) struct Cell {
    pub window: Window,
    pub mark: MarkId,
    pub table: SlotTable,
    /// Rows have come since the last early firing.
    pub touched: bool,
}

/// The cells of one size that hold something, by time.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub cells: VecDeque<Cell>,
}

impl Level {
    /// The place of the cell that starts at `start`, or where it would have to be.
    #[inline]
    pub fn find(&self, start: Nanos) -> Result<usize, usize> {
        match self.cells.back() {
            Some(last) if last.window.start == start => Ok(self.cells.len() - 1),
            Some(last) if last.window.start > start => {
                self.cells.binary_search_by_key(&start, |cell| cell.window.start)
            }
            _ => Err(self.cells.len()),
        }
    }

    /// The cells inside `span`.
    pub fn within(&self, span: Window) -> impl Iterator<Item = &Cell> {
        let from = self.cells.partition_point(|cell| cell.window.start < span.start);
        self.cells.range(from..).take_while(move |cell| cell.window.end <= span.end)
    }
}

/// Buffers of one batch, reused.
#[derive(Debug, Default)]
struct Assignment {
    ids: Vec<KeyId>,
    rows: Vec<u32>,
    slots: Vec<u32>,
}

/// Where delayed rows wait: (boundary, level, start of the cell).
pub(super) type DelayedKey = (Nanos, usize, Nanos);

/// Tumbling, rollup and sliding windows of one route.
#[derive(Debug)]
pub(super) struct Panes {
    pub grid: Grid,
    /// One a level: the rollup's name for it.
    pub labels: Vec<Option<String>>,
    pub keys: Interner,
    pub slots: SlotPool,
    pub marks: Marks,
    /// Finest first.
    pub levels: Vec<Level>,
    pub delayed: BTreeMap<DelayedKey, SlotTable>,
    /// Windows that fired and were changed by late rows since: (end, level) and the keys, possibly repeated.
    pub changed: BTreeMap<(Nanos, usize), Vec<KeyId>>,
    pub stacks: Option<Stacks>,
    /// How far [`Panes::advance`] has come.
    pub watermark: Nanos,
    /// The next boundary at which there is something to do.
    pub due: Nanos,
    /// Marks of panes that were drained into the exchange, and when it closes them.
    pub drained: Vec<(Nanos, MarkId)>,
    /// States that came through the exchange after all their windows had closed.
    pub lost: u64,
    pub gather: Gather,
    spare: Vec<SlotTable>,
    assignment: Assignment,
}

impl Panes {
    pub fn new(grid: Grid, labels: Vec<Option<String>>, key_parts: usize) -> Self {
        Panes {
            levels: (0..grid.levels()).map(|_| Level::default()).collect(),
            stacks: Stacks::for_shape(&grid.shape),
            grid,
            labels,
            keys: Interner::new(key_parts),
            slots: SlotPool::default(),
            marks: Marks::default(),
            delayed: BTreeMap::new(),
            changed: BTreeMap::new(),
            watermark: BEGINNING,
            due: END,
            drained: Vec::new(),
            lost: 0,
            gather: Gather::default(),
            spare: Vec::new(),
            assignment: Assignment::default(),
        }
    }

    pub fn fold<S: States>(&mut self, input: &Input<'_>, states: &mut S, late: &mut Vec<u32>) -> Result<(), S::Error> {
        let Some((first, last)) = input.span() else { return Ok(()) };
        let mut batch = std::mem::take(&mut self.assignment);
        self.keys.intern_rows(input.keys, input.rows, &mut batch.ids);
        batch.slots.clear();
        batch.rows.clear();
        let mark = self.marks.open(input.mark());
        let untouched = self.grid.untouched(input.progress.after().max(self.watermark)).start;
        let rows = if first >= untouched {
            self.place_all(input, (first, last), mark, &mut batch);
            input.rows
        } else {
            self.place_each(input, mark, &mut batch, late);
            &batch.rows
        };
        self.after_fold()?;
        if !rows.is_empty() {
            states.accumulate(rows, &batch.slots)?;
        }
        self.assignment = batch;
        Ok(())
    }

    pub fn after_fold(&mut self) -> Result<(), WindowError> {
        self.keys.sweep();
        self.marks.trim();
        self.due = self.next_boundary();
        let open = self.levels.iter().map(|level| level.cells.len()).sum::<usize>() + self.delayed.len();
        if open > MAX_OPEN_PANES {
            return Err(WindowError::TooManyOpenPanes { open });
        }
        if self.slots.used() > MAX_SLOTS {
            return Err(WindowError::TooManySlots { slots: self.slots.used() });
        }
        Ok(())
    }

    /// The usual case: no row is behind any boundary.
    fn place_all(&mut self, input: &Input<'_>, (first, last): (Nanos, Nanos), mark: MarkId, batch: &mut Assignment) {
        let mut pane = self.grid.cell(0, first);
        let mut at = self.ensure(0, pane, mark);
        batch.slots.reserve(batch.ids.len());
        if last < pane.end {
            let Panes { levels, keys, slots, .. } = self;
            let cell = &mut levels[0].cells[at];
            cell.touched = true;
            batch.slots.extend(batch.ids.iter().map(|&id| cell.table.slot(id, keys, slots)));
            return;
        }
        if let Some(step) = self.grid.step().filter(|step| is_dense((pane.start, last), *step, batch.ids.len())) {
            return self.place_spread(input, (pane.start, last), step, mark, batch);
        }
        for (&row, &id) in input.rows.iter().zip(&batch.ids) {
            let time = input.times[row as usize];
            if time < pane.start || time >= pane.end {
                pane = self.grid.cell(0, time);
                at = self.ensure(0, pane, mark);
            }
            batch.slots.push(self.slot_in(0, at, id));
        }
    }

    /// Rows spread over neighbouring panes: each finds its own by arithmetic.
    fn place_spread(
        &mut self,
        input: &Input<'_>,
        (base, last): (Nanos, Nanos),
        step: Nanos,
        mark: MarkId,
        batch: &mut Assignment,
    ) {
        let mut start = base;
        while start <= last {
            self.ensure(0, Window { start, end: start + step }, mark);
            start += step;
        }
        let Ok(base_at) = self.levels[0].find(base) else { return };
        let a_step = 1.0 / step as f64;
        for (&row, &id) in input.rows.iter().zip(&batch.ids) {
            let into = input.times[row as usize] - base;
            // A product is several times as fast as a division; its rounding is mended.
            let mut number = (into as f64 * a_step) as Nanos;
            number += Nanos::from(into >= (number + 1) * step) - Nanos::from(into < number * step);
            batch.slots.push(self.slot_in(0, base_at + number as usize, id));
        }
    }

    /// Judges each row by the watermark that it saw.
    fn place_each(&mut self, input: &Input<'_>, mark: MarkId, batch: &mut Assignment, late: &mut Vec<u32>) {
        let mut walk = input.progress.walk();
        let mut untouched = self.grid.untouched(BEGINNING);
        let mut current: Option<(Window, usize)> = None;
        for (&row, &id) in input.rows.iter().zip(&batch.ids) {
            let watermark = walk.at(input.source_row(row)).max(self.watermark);
            if watermark >= untouched.end {
                untouched = self.grid.untouched(watermark);
            }
            let time = input.times[row as usize];
            if time < untouched.start {
                let Some(place) = self.grid.place(time, watermark) else {
                    late.push(row);
                    continue;
                };
                batch.slots.push(self.slot_at(place, id, mark));
                current = None;
            } else {
                let at = match current {
                    Some((pane, at)) if pane.start <= time && time < pane.end => at,
                    _ => {
                        let pane = self.grid.cell(0, time);
                        let at = self.ensure(0, pane, mark);
                        current = Some((pane, at));
                        at
                    }
                };
                batch.slots.push(self.slot_in(0, at, id));
            }
            batch.rows.push(row);
        }
    }

    #[inline]
    fn slot_in(&mut self, level: usize, at: usize, id: KeyId) -> u32 {
        let Panes { levels, keys, slots, .. } = self;
        let cell = &mut levels[level].cells[at];
        cell.touched = true;
        cell.table.slot(id, keys, slots)
    }

    /// The slot for a row behind a boundary: in its cell if the boundary has been dealt with, else in the delayed table.
    pub fn slot_at(&mut self, place: Place, id: KeyId, mark: MarkId) -> u32 {
        let at = self.ensure(place.level, place.cell, mark);
        if place.boundary <= self.watermark {
            self.mark_changed(place.level, place.cell, id);
            return self.slot_in(place.level, at, id);
        }
        let Panes { delayed, keys, slots, spare, .. } = self;
        let table = delayed
            .entry((place.boundary, place.level, place.cell.start))
            .or_insert_with(|| spare.pop().unwrap_or_default());
        table.slot(id, keys, slots)
    }

    /// The place of the cell, made if it is not there, with the larger cells that hold it.
    pub fn ensure(&mut self, level: usize, window: Window, mark: MarkId) -> usize {
        let at = match self.levels[level].find(window.start) {
            Ok(at) => return at,
            Err(at) => at,
        };
        let table = self.spare.pop().unwrap_or_default();
        self.marks.hold(mark);
        self.levels[level].cells.insert(at, Cell { window, mark, table, touched: false });
        if level + 1 < self.levels.len() {
            let parent = self.grid.cell(level + 1, window.start);
            self.ensure(level + 1, parent, mark);
        }
        at
    }

    /// Notes for correction the windows with this cell that have fired and are not closed.
    pub fn mark_changed(&mut self, level: usize, cell: Window, id: KeyId) {
        let (now, lateness) = (self.watermark, self.grid.lateness);
        match &self.grid.shape {
            Shape::Nested(levels) => {
                for above in level..levels.len() {
                    let end = self.grid.cell(above, cell.start).end;
                    if end <= now && end.saturating_add(lateness) > now {
                        self.changed.entry((end, above)).or_default().push(id);
                    }
                }
            }
            Shape::Sliding { ends, .. } => {
                if let Some(stacks) = &mut self.stacks {
                    stacks.note_change(cell, id);
                }
                let open = ends.floor(now.saturating_sub(lateness)).saturating_add(ends.step);
                let mut end = self.grid.first_end(cell).max(open);
                let last = self.grid.last_end(cell).min(now);
                while end <= last {
                    self.changed.entry((end, 0)).or_default().push(id);
                    end += ends.step;
                }
            }
        }
    }

    /// Takes an emptied table back for reuse.
    pub fn recycle(&mut self, table: SlotTable) {
        if self.spare.len() < SPARE_TABLES {
            self.spare.push(table);
        }
    }
}

/// Whether so many rows are worth opening each pane from `base` to `last`.
fn is_dense((base, last): (Nanos, Nanos), step: Nanos, rows: usize) -> bool {
    let span = last.checked_sub(base).filter(|_| last.checked_add(step).is_some());
    span.is_some_and(|span| span / step < rows as Nanos / ROWS_A_PANE)
}
