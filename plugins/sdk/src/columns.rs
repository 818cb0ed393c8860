//! Columns of a batch, borrowed: what the contract's `batch` is in memory, whoever owns it (a component's arguments, a test, a
//! native host).

/// Many byte strings end to end: value `i` is `data[ends[i-1]..ends[i]]`, `ends[-1]` = 0.
#[derive(Clone, Copy, Debug)]
pub struct Strings<'b> {
    pub ends: &'b [u32],
    pub data: &'b [u8],
}

impl<'b> Strings<'b> {
    /// Panics if `row` is not a row or the ends fall; the host checks both before a batch crosses.
    #[inline(always)]
    pub fn get(&self, row: usize) -> &'b [u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.data[start..self.ends[row] as usize]
    }
}

/// [`Strings`] known to be UTF-8, with every end at a character boundary.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'b>(Strings<'b>);

impl<'b> Texts<'b> {
    /// `None` if a value is not UTF-8, an end lies outside of the data or an end falls.
    pub fn checked(strings: Strings<'b>) -> Option<Self> {
        let mut start = 0;
        for &end in strings.ends {
            std::str::from_utf8(strings.data.get(start..end as usize)?).ok()?;
            start = end as usize;
        }
        Some(Texts(strings))
    }

    /// # Safety
    /// Every value `data[ends[i-1]..ends[i]]` is UTF-8. The contract promises it of what a host sends.
    pub unsafe fn trusted(strings: Strings<'b>) -> Self {
        Texts(strings)
    }

    /// Panics if `row` is not a row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> &'b str {
        // SAFETY: both constructors ask for values that are UTF-8.
        unsafe { std::str::from_utf8_unchecked(self.0.get(row)) }
    }
}

/// How a column lies in memory. Timestamps are integers (nanoseconds), JSON is text.
#[derive(Clone, Copy, Debug)]
pub enum Values<'b> {
    /// One byte a row, 0 or 1.
    Booleans(&'b [u8]),
    Integers(&'b [i64]),
    Floats(&'b [f64]),
    Texts(Texts<'b>),
    Blobs(Strings<'b>),
    /// Row `i` owns elements `ends[i-1]..ends[i]` of the next column.
    Lists(&'b [u32]),
}

/// `valid`: one byte a row, 1 = value, 0 = null; empty = no nulls. A null row holds 0 or the empty string.
#[derive(Clone, Copy, Debug)]
pub struct Column<'b> {
    pub values: Values<'b>,
    pub valid: &'b [u8],
}

impl Column<'_> {
    #[inline(always)]
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.is_empty() || self.valid[row] != 0
    }
}

/// Columns stand in the order of the fields a plugin reads; a list column is followed by its elements.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'b> {
    pub rows: u32,
    pub columns: &'b [Column<'b>],
}

/// A column that a plugin wrote (or a test made). The same layouts as [`Values`], owned.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValues {
    Booleans(Vec<u8>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    /// Always UTF-8: made from `str` alone.
    Texts(OwnedStrings),
    Blobs(OwnedStrings),
    Lists(Vec<u32>),
}

/// See [`Strings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedStrings {
    pub ends: Vec<u32>,
    pub data: Vec<u8>,
}

impl OwnedStrings {
    #[inline(always)]
    pub fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.ends.push(self.data.len() as u32);
    }

    pub fn view(&self) -> Strings<'_> {
        Strings { ends: &self.ends, data: &self.data }
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.data.truncate(self.ends.last().copied().unwrap_or(0) as usize);
    }
}

/// See [`Column`].
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedColumn {
    pub values: OwnedValues,
    pub valid: Vec<u8>,
}

impl OwnedColumn {
    /// `None` if a text column is not UTF-8.
    pub fn view(&self) -> Option<Column<'_>> {
        let values = match &self.values {
            OwnedValues::Booleans(values) => Values::Booleans(values),
            OwnedValues::Integers(values) => Values::Integers(values),
            OwnedValues::Floats(values) => Values::Floats(values),
            OwnedValues::Texts(values) => Values::Texts(Texts::checked(values.view())?),
            OwnedValues::Blobs(values) => Values::Blobs(values.view()),
            OwnedValues::Lists(ends) => Values::Lists(ends),
        };
        Some(Column { values, valid: &self.valid })
    }
}
