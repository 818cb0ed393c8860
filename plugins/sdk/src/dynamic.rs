//! Rows whose fields are known only from the configuration: how the plugins that ship are written.

use std::borrow::Cow;

use crate::columns::{Batch, Column, OwnedColumn, Values};
use crate::event::{Event, Timestamp};
use crate::into_column::IntoColumn;
use crate::row::{BlobBuilder, Builder, Columns, NullableBuilder, Row, Table, TextBuilder};
use crate::schema::{Field, Kind, Output, OutputField};

/// An event by column: number `i` is field `i` of what the plugin's `reads` gave (which holds no repeated field). A null, and a
/// column of another kind, is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Dynamic<'a> {
    pub(crate) columns: &'a [Column<'a>],
    pub(crate) row: usize,
}

impl<'a> Dynamic<'a> {
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    #[inline(always)]
    fn values(&self, column: usize) -> Option<Values<'a>> {
        let column = self.columns.get(column)?;
        column.is_valid(self.row).then_some(column.values)
    }

    pub fn is_null(&self, column: usize) -> bool {
        self.values(column).is_none()
    }

    #[inline(always)]
    pub fn float(&self, column: usize) -> Option<f64> {
        match self.values(column)? {
            Values::Floats(values) => Some(values[self.row]),
            _ => None,
        }
    }

    #[inline(always)]
    pub fn integer(&self, column: usize) -> Option<i64> {
        match self.values(column)? {
            Values::Integers(values) => Some(values[self.row]),
            _ => None,
        }
    }

    #[inline(always)]
    pub fn timestamp(&self, column: usize) -> Option<Timestamp> {
        self.integer(column).map(Timestamp)
    }

    #[inline(always)]
    pub fn boolean(&self, column: usize) -> Option<bool> {
        match self.values(column)? {
            Values::Booleans(values) => Some(values[self.row] != 0),
            _ => None,
        }
    }

    /// A text, or a subtree as JSON text.
    #[inline(always)]
    pub fn text(&self, column: usize) -> Option<&'a str> {
        match self.values(column)? {
            Values::Texts(values) => Some(values.get(self.row)),
            _ => None,
        }
    }

    #[inline(always)]
    pub fn bytes(&self, column: usize) -> Option<&'a [u8]> {
        match self.values(column)? {
            Values::Blobs(values) => Some(values.get(self.row)),
            _ => None,
        }
    }
}

impl<'a> Event<'a> for Dynamic<'a> {
    type Columns = &'a [Column<'a>];

    fn fields() -> Vec<Field> {
        Vec::new()
    }

    #[inline(always)]
    fn bind(batch: &Batch<'a>) -> Self::Columns {
        batch.columns
    }

    #[inline(always)]
    fn row(columns: &Self::Columns, row: usize) -> Self {
        Dynamic { columns, row }
    }
}

/// One value of a [`Cells`] row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Boolean(bool),
    /// Integers and timestamps (nanoseconds).
    Integer(i64),
    Float(f64),
    /// Texts and JSON.
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl From<f64> for Cell<'_> {
    fn from(value: f64) -> Self {
        Cell::Float(value)
    }
}

impl From<u64> for Cell<'_> {
    fn from(value: u64) -> Self {
        Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Cell::Integer(value)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Cell::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Cell<'_> {
    fn from(value: String) -> Self {
        Cell::Text(Cow::Owned(value))
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// A row by column: cell `i` goes to field `i` of the main output that the plugin's `writes` gave. Another number of cells or
/// another kind is a mistake of the plugin and traps.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells<'a>(pub Vec<Cell<'a>>);

impl<'a> FromIterator<Cell<'a>> for Cells<'a> {
    fn from_iter<I: IntoIterator<Item = Cell<'a>>>(cells: I) -> Self {
        Cells(cells.into_iter().collect())
    }
}

impl Row for Cells<'_> {
    type Tables = Table<Vec<CellBuilder>>;

    fn outputs() -> Vec<Output> {
        Vec::new()
    }

    fn push(self, table: &mut Self::Tables, origin: u32) {
        assert_eq!(self.0.len(), table.columns.len(), "cells in a row, and fields of the output");
        for (cell, column) in self.0.into_iter().zip(&mut table.columns) {
            column.push(cell);
        }
        table.origins.push(origin);
    }
}

/// A column whose kind is known at run time.
pub enum CellBuilder {
    Booleans(NullableBuilder<Vec<u8>>),
    Integers(NullableBuilder<Vec<i64>>),
    Floats(NullableBuilder<Vec<f64>>),
    Texts(NullableBuilder<TextBuilder>),
    Blobs(NullableBuilder<BlobBuilder>),
}

impl CellBuilder {
    fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Boolean => CellBuilder::Booleans(Builder::with_capacity(rows)),
            Kind::Integer | Kind::Timestamp => CellBuilder::Integers(Builder::with_capacity(rows)),
            Kind::Float => CellBuilder::Floats(Builder::with_capacity(rows)),
            Kind::Text | Kind::Json => CellBuilder::Texts(Builder::with_capacity(rows)),
            Kind::Bytes => CellBuilder::Blobs(Builder::with_capacity(rows)),
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (CellBuilder::Booleans(column), Cell::Boolean(value)) => Some(value).write(column),
            (CellBuilder::Booleans(column), Cell::Null) => None::<bool>.write(column),
            (CellBuilder::Integers(column), Cell::Integer(value)) => Some(value).write(column),
            (CellBuilder::Integers(column), Cell::Null) => None::<i64>.write(column),
            (CellBuilder::Floats(column), Cell::Float(value)) => Some(value).write(column),
            (CellBuilder::Floats(column), Cell::Null) => None::<f64>.write(column),
            (CellBuilder::Texts(column), Cell::Text(value)) => Some(value).write(column),
            (CellBuilder::Texts(column), Cell::Null) => None::<&str>.write(column),
            (CellBuilder::Blobs(column), Cell::Bytes(value)) => Some(&*value).write(column),
            (CellBuilder::Blobs(column), Cell::Null) => None::<&[u8]>.write(column),
            (_, cell) => panic!("the cell {cell:?} is of another kind than its field"),
        }
    }
}

impl Columns for Vec<CellBuilder> {
    fn new(fields: &[OutputField], rows: usize) -> Self {
        fields.iter().map(|field| CellBuilder::new(field.kind, rows)).collect()
    }

    fn truncate(&mut self, rows: usize) {
        for column in self {
            match column {
                CellBuilder::Booleans(column) => column.truncate(rows),
                CellBuilder::Integers(column) => column.truncate(rows),
                CellBuilder::Floats(column) => column.truncate(rows),
                CellBuilder::Texts(column) => column.truncate(rows),
                CellBuilder::Blobs(column) => column.truncate(rows),
            }
        }
    }

    fn finish(self, into: &mut Vec<OwnedColumn>) {
        for column in self {
            match column {
                CellBuilder::Booleans(column) => column.finish(into),
                CellBuilder::Integers(column) => column.finish(into),
                CellBuilder::Floats(column) => column.finish(into),
                CellBuilder::Texts(column) => column.finish(into),
                CellBuilder::Blobs(column) => column.finish(into),
            }
        }
    }
}
