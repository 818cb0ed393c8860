//! Rows on their way through a source's routes: the columns a row can have, and which rows are still alive.

use std::borrow::Cow;
use std::rc::Rc;

use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::plan::{ColumnId, OutputPlan, Read};
use wasmill_core::plugin::Emitted;
use wasmill_core::time::Nanos;

/// A column of a frame: decoded ones are borrowed from the decoder, others shared by the routes behind the one that made them.
#[derive(Clone)]
enum Held<'a> {
    Borrowed(&'a Column),
    Shared(Rc<Column>),
}

impl Held<'_> {
    fn get(&self) -> &Column {
        match self {
            Held::Borrowed(column) => column,
            Held::Shared(column) => column,
        }
    }
}

/// Which rows of a frame go on.
#[derive(Clone)]
pub enum Alive {
    All,
    /// Rising, may repeat where a transformer made several rows of one.
    Some(Rc<Vec<u32>>),
}

/// A batch inside a route. `columns` is addressed by [`ColumnId`]; a column that no later step reads may be gone.
#[derive(Clone)]
pub struct Frame<'a> {
    pub rows: u32,
    columns: Vec<Option<Held<'a>>>,
    pub alive: Alive,
    /// Frame row → record of the batch; `None`: they are the same.
    pub source_rows: Option<Rc<Vec<u32>>>,
    /// Event time by frame row.
    pub times: Rc<Vec<Nanos>>,
    /// Where it stands as a column, if some plugin reads it.
    time_column: Option<ColumnId>,
}

impl<'a> Frame<'a> {
    /// The frame a source's routes start from: the decoded columns, and `@time` where somebody reads it.
    pub fn new(width: usize, decoded: &'a [Column], times: Rc<Vec<Nanos>>, time_column: Option<ColumnId>) -> Self {
        let mut columns: Vec<Option<Held<'a>>> = decoded.iter().map(|c| Some(Held::Borrowed(c))).collect();
        columns.resize_with(width, || None);
        let rows = times.len() as u32;
        let mut frame = Frame { rows, columns, alive: Alive::All, source_rows: None, times, time_column };
        frame.set_time_column();
        frame
    }

    fn set_time_column(&mut self) {
        if let Some(id) = self.time_column {
            self.columns[id] = Some(Held::Shared(Rc::new(Column::new(Values::Integers(self.times.to_vec())))));
        }
    }

    pub fn alive_count(&self) -> usize {
        match &self.alive {
            Alive::All => self.rows as usize,
            Alive::Some(rows) => rows.len(),
        }
    }

    /// The rows that go on, as a list.
    pub fn alive_rows(&self) -> Rc<Vec<u32>> {
        match &self.alive {
            Alive::All => Rc::new((0..self.rows).collect()),
            Alive::Some(rows) => Rc::clone(rows),
        }
    }

    /// The record a frame row came from.
    pub fn source_row(&self, row: u32) -> u32 {
        self.source_rows.as_ref().map_or(row, |rows| rows[row as usize])
    }

    /// The plan binds only columns that are there; a missing one is a defect of the planner, and reads as "no such rows".
    pub fn column(&self, id: ColumnId) -> Option<&Column> {
        self.columns.get(id)?.as_ref().map(Held::get)
    }

    /// Keeps the rows for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        let rows: Vec<u32> = match &self.alive {
            Alive::All => (0..self.rows).filter(|&row| keep(row)).collect(),
            Alive::Some(rows) => rows.iter().copied().filter(|&row| keep(row)).collect(),
        };
        if rows.len() < self.alive_count() {
            self.alive = Alive::Some(Rc::new(rows));
        }
    }

    /// Drops the alive rows at these positions (of the alive rows, not of the frame).
    pub fn drop_positions(&mut self, positions: &[u32]) {
        let mut dropped = vec![false; self.alive_count()];
        for &position in positions {
            dropped[position as usize] = true;
        }
        let mut position = 0;
        self.retain(|_| {
            position += 1;
            !dropped[position - 1]
        });
    }

    /// The columns of `reads` for the alive rows only, for a plugin call: borrowed where every row is alive.
    pub fn passed(&self, reads: &[Read]) -> Vec<Cow<'_, Column>> {
        reads.iter().filter_map(|read| self.passed_one(read.column)).collect()
    }

    pub fn passed_one(&self, id: ColumnId) -> Option<Cow<'_, Column>> {
        let column = self.column(id)?;
        Some(match &self.alive {
            Alive::All => Cow::Borrowed(column),
            Alive::Some(rows) => Cow::Owned(column.gather(rows)),
        })
    }

    /// The frame behind one output of a transformer, whose origins are positions among the alive rows.
    pub fn follow(&self, output: &OutputPlan, emitted: Emitted) -> Frame<'a> {
        let alive = self.alive_rows();
        let rows: Vec<u32> = if emitted.origins.is_empty() {
            // No origins: one row for each, in order (or no rows at all).
            alive.iter().copied().take(emitted.count as usize).collect()
        } else {
            emitted.origins.iter().map(|&position| alive[position as usize]).collect()
        };
        let unchanged = rows.len() == alive.len() && matches!(self.alive, Alive::All);
        if output.writes.is_empty() {
            let alive = if unchanged && rows == *alive { Alive::All } else { Alive::Some(Rc::new(rows)) };
            return Frame { alive, ..self.clone() };
        }
        let mut columns: Vec<Option<Held<'a>>> = vec![None; self.columns.len()];
        for &id in &output.keeps {
            columns[id] = self.column(id).map(|column| Held::Shared(Rc::new(column.gather(&rows))));
        }
        let mut times: Rc<Vec<Nanos>> = Rc::new(rows.iter().map(|&row| self.times[row as usize]).collect());
        for (position, (&id, column)) in output.writes.iter().zip(emitted.columns).enumerate() {
            if output.time == Some(position)
                && let Values::Integers(own) = &column.values
            {
                times = Rc::new(own.clone());
            }
            columns[id] = Some(Held::Shared(Rc::new(column)));
        }
        let source_rows = rows.iter().map(|&row| self.source_row(row)).collect();
        let mut frame = Frame {
            rows: times.len() as u32,
            columns,
            alive: Alive::All,
            source_rows: Some(Rc::new(source_rows)),
            times,
            time_column: self.time_column,
        };
        frame.set_time_column();
        frame
    }

    /// A text column of the alive frame, for keys: borrowed where it is text already, spelled out where a plugin wrote numbers.
    pub fn key_texts(&self, id: ColumnId) -> Option<Cow<'_, Strings>> {
        let column = self.column(id)?;
        Some(match &column.values {
            Values::Texts(strings) | Values::Blobs(strings) => Cow::Borrowed(strings),
            _ => Cow::Owned(spell(column)),
        })
    }
}

/// Scalars as text: numbers in their shortest form, `true` or `false`.
pub fn spell(column: &Column) -> Strings {
    let mut texts = Strings::default();
    for row in 0..column.rows() {
        match scalar_text(column, row) {
            Some(text) => texts.push(text.as_bytes()),
            None => texts.push(b""),
        }
    }
    texts
}

/// The scalar at `row` as text; `None` for null and for lists.
pub fn scalar_text(column: &Column, row: usize) -> Option<Cow<'_, str>> {
    if !column.is_valid(row) {
        return None;
    }
    Some(match &column.values {
        Values::Texts(strings) | Values::Blobs(strings) => strings.text(row),
        Values::Integers(values) => values[row].to_string().into(),
        Values::Floats(values) => values[row].to_string().into(),
        Values::Booleans(values) => (if values[row] != 0 { "true" } else { "false" }).into(),
        Values::Lists { .. } => return None,
    })
}
