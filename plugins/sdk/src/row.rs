//! Writing: from rows with names to columns.

use crate::columns::{OwnedColumn, OwnedStrings, OwnedValues};
use crate::schema::{Output, OutputField};

/// Rows of one output, as the host takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    pub count: u32,
    /// Which row (or position in `slots`) each row came from, never falling; empty: one row for each, in order.
    pub origins: Vec<u32>,
    /// In the order of the output's fields; a list column is followed by its elements.
    pub columns: Vec<OwnedColumn>,
}

/// What a plugin writes: a struct (one output) or an enum of such structs (several). Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row",
    note = "derive `Row` for a struct (one output) or for an enum of such structs (several outputs); a filter writes `Keep`"
)]
pub trait Row: Sized {
    type Tables: Tables;
    /// Empty for rows whose fields the plugin takes from its configuration.
    fn outputs() -> Vec<Output>;
    fn push(self, tables: &mut Self::Tables, origin: u32);
}

/// Where the rows of one or several outputs lie until the call ends.
pub trait Tables {
    /// Takes one output for each table; makes room for `rows` rows.
    fn new(outputs: &mut std::slice::Iter<'_, Output>, rows: usize) -> Self;
    /// Drops the last rows that came from `origin`: it was rejected after it had written some.
    fn rewind(&mut self, origin: u32);
    /// `inputs`: how many rows (or slots) the call had.
    fn finish(self, inputs: usize, into: &mut Vec<Emitted>);
}

/// One output's rows.
pub struct Table<C> {
    pub columns: C,
    pub origins: Vec<u32>,
}

impl<C: Columns> Tables for Table<C> {
    fn new(outputs: &mut std::slice::Iter<'_, Output>, rows: usize) -> Self {
        let fields = outputs.next().map_or(&[][..], |output| &output.fields);
        Table { columns: C::new(fields, rows), origins: Vec::with_capacity(rows) }
    }

    fn rewind(&mut self, origin: u32) {
        let kept = self.origins.iter().rposition(|&from| from != origin).map_or(0, |last| last + 1);
        self.origins.truncate(kept);
        self.columns.truncate(kept);
    }

    fn finish(self, inputs: usize, into: &mut Vec<Emitted>) {
        let count = self.origins.len() as u32;
        let one_each =
            self.origins.len() == inputs && self.origins.iter().enumerate().all(|(row, &from)| from == row as u32);
        let mut columns = Vec::new();
        self.columns.finish(&mut columns);
        into.push(Emitted { count, origins: if one_each { Vec::new() } else { self.origins }, columns });
    }
}

/// Several outputs: a list of tables, `(first, (second, ()))`.
impl<H: Tables, T: Tables> Tables for (H, T) {
    fn new(outputs: &mut std::slice::Iter<'_, Output>, rows: usize) -> Self {
        (H::new(outputs, rows), T::new(outputs, rows))
    }

    fn rewind(&mut self, origin: u32) {
        self.0.rewind(origin);
        self.1.rewind(origin);
    }

    fn finish(self, inputs: usize, into: &mut Vec<Emitted>) {
        self.0.finish(inputs, into);
        self.1.finish(inputs, into);
    }
}

impl Tables for () {
    fn new(_: &mut std::slice::Iter<'_, Output>, _: usize) -> Self {}
    fn rewind(&mut self, _: u32) {}
    fn finish(self, _: usize, _: &mut Vec<Emitted>) {}
}

/// The columns of one table: a list of builders, `(first, (second, ()))`.
pub trait Columns {
    fn new(fields: &[OutputField], rows: usize) -> Self;
    fn truncate(&mut self, rows: usize);
    fn finish(self, into: &mut Vec<OwnedColumn>);
}

impl Columns for () {
    fn new(_: &[OutputField], _: usize) -> Self {}
    fn truncate(&mut self, _: usize) {}
    fn finish(self, _: &mut Vec<OwnedColumn>) {}
}

impl<H: Builder, T: Columns> Columns for (H, T) {
    fn new(fields: &[OutputField], rows: usize) -> Self {
        (H::with_capacity(rows), T::new(fields, rows))
    }

    fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
        self.1.truncate(rows);
    }

    fn finish(self, into: &mut Vec<OwnedColumn>) {
        self.0.finish(into);
        self.1.finish(into);
    }
}

/// One growing column.
pub trait Builder {
    fn with_capacity(rows: usize) -> Self;
    fn truncate(&mut self, rows: usize);
    fn finish(self, into: &mut Vec<OwnedColumn>);
}

macro_rules! vec_builder {
    ($element:ty, $layout:ident) => {
        impl Builder for Vec<$element> {
            fn with_capacity(rows: usize) -> Self {
                Vec::with_capacity(rows)
            }
            fn truncate(&mut self, rows: usize) {
                Vec::truncate(self, rows);
            }
            fn finish(self, into: &mut Vec<OwnedColumn>) {
                into.push(OwnedColumn { values: OwnedValues::$layout(self), valid: Vec::new() });
            }
        }
    };
}

vec_builder!(u8, Booleans);
vec_builder!(i64, Integers);
vec_builder!(f64, Floats);

/// Bytes to reserve for one text: most names, ids and codes are not longer.
const TEXT_BYTES: usize = 16;

macro_rules! strings_builder {
    ($(#[$doc:meta])* $name:ident, $layout:ident) => {
        $(#[$doc])*
        pub struct $name(pub(crate) OwnedStrings);

        impl Builder for $name {
            fn with_capacity(rows: usize) -> Self {
                let data = Vec::with_capacity(rows * TEXT_BYTES);
                $name(OwnedStrings { ends: Vec::with_capacity(rows), data })
            }
            fn truncate(&mut self, rows: usize) {
                self.0.truncate(rows);
            }
            fn finish(self, into: &mut Vec<OwnedColumn>) {
                into.push(OwnedColumn { values: OwnedValues::$layout(self.0), valid: Vec::new() });
            }
        }
    };
}

strings_builder!(
    /// Texts and JSON.
    TextBuilder,
    Texts
);
strings_builder!(
    /// Bytes.
    BlobBuilder,
    Blobs
);

/// A column that may hold nulls.
pub struct NullableBuilder<B> {
    pub(crate) inner: B,
    pub(crate) valid: Vec<u8>,
}

impl<B: Builder> Builder for NullableBuilder<B> {
    fn with_capacity(rows: usize) -> Self {
        NullableBuilder { inner: B::with_capacity(rows), valid: Vec::with_capacity(rows) }
    }

    fn truncate(&mut self, rows: usize) {
        self.inner.truncate(rows);
        self.valid.truncate(rows);
    }

    fn finish(self, into: &mut Vec<OwnedColumn>) {
        let first = into.len();
        self.inner.finish(into);
        if self.valid.contains(&0) {
            into[first].valid = self.valid;
        }
    }
}

/// A repeated column: its ends, then its elements.
pub struct ListBuilder<B> {
    pub(crate) ends: Vec<u32>,
    pub(crate) elements: B,
    pub(crate) length: u32,
}

impl<B: Builder> Builder for ListBuilder<B> {
    fn with_capacity(rows: usize) -> Self {
        ListBuilder { ends: Vec::with_capacity(rows), elements: B::with_capacity(rows), length: 0 }
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.length = self.ends.last().copied().unwrap_or(0);
        self.elements.truncate(self.length as usize);
    }

    fn finish(self, into: &mut Vec<OwnedColumn>) {
        into.push(OwnedColumn { values: OwnedValues::Lists(self.ends), valid: Vec::new() });
        self.elements.finish(into);
    }
}

/// Where a plugin puts its rows: 0..n for each call.
pub struct Out<T: Row> {
    tables: T::Tables,
    origin: u32,
}

impl<T: Row> Out<T> {
    pub(crate) fn new(outputs: &[Output], rows: usize) -> Self {
        Out { tables: T::Tables::new(&mut outputs.iter(), rows), origin: 0 }
    }

    /// Copies the row into columns at once, so it may borrow from the event.
    #[inline(always)]
    pub fn push(&mut self, row: T) {
        row.push(&mut self.tables, self.origin);
    }

    #[inline(always)]
    pub(crate) fn start(&mut self, origin: u32) {
        self.origin = origin;
    }

    pub(crate) fn rewind(&mut self) {
        self.tables.rewind(self.origin);
    }

    pub(crate) fn finish(self, inputs: usize) -> Vec<Emitted> {
        let mut outputs = Vec::new();
        self.tables.finish(inputs, &mut outputs);
        outputs
    }
}

/// The row of a pure filter: the event goes on as it is. No column crosses back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep;

impl Row for Keep {
    type Tables = Table<()>;

    fn outputs() -> Vec<Output> {
        vec![Output::main(Vec::new())]
    }

    #[inline(always)]
    fn push(self, table: &mut Self::Tables, origin: u32) {
        table.origins.push(origin);
    }
}
