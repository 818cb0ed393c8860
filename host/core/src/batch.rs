//! Columns of many events: what crosses to plugins, what the decoder fills, what sinks write.

/// Bytes that may be read past the end of every text and of every payload: scanners and copies work 32 bytes at a time.
pub const SLACK_BYTES: usize = 128;

/// Many byte strings end to end: value `i` is `data[ends[i-1]..ends[i]]`, `ends[-1]` = 0. Ends never fall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    pub ends: Vec<u32>,
    pub data: Vec<u8>,
}

impl Strings {
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where value `row` lies in `data`.
    #[inline]
    pub fn span(&self, row: usize) -> (usize, usize) {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        (start, self.ends[row] as usize)
    }

    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let (start, end) = self.span(row);
        &self.data[start..end]
    }

    /// Value `row` as text; what is not UTF-8 (bytes columns only) is shown with replacement characters.
    pub fn text(&self, row: usize) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.get(row))
    }

    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.ends.push(self.data.len() as u32);
    }

    pub fn clear(&mut self) {
        self.ends.clear();
        self.data.clear();
    }
}

/// How a column lies in memory. The same layouts as the contract's `values`; timestamps are integers, JSON is text, and a
/// list column holds its elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One byte a row, 0 or 1.
    Booleans(Vec<u8>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    /// UTF-8, each end a character boundary.
    Texts(Strings),
    Blobs(Strings),
    /// Row `i` owns elements `ends[i-1]..ends[i]`.
    Lists {
        ends: Vec<u32>,
        elements: Box<Column>,
    },
}

/// `valid`: one byte a row, 1 = value, 0 = null; empty = no nulls. A null row holds 0 or the empty string.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub values: Values,
    pub valid: Vec<u8>,
}

impl Column {
    pub fn new(values: Values) -> Self {
        Column { values, valid: Vec::new() }
    }

    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Booleans(v) => v.len(),
            Values::Integers(v) => v.len(),
            Values::Floats(v) => v.len(),
            Values::Texts(v) | Values::Blobs(v) => v.len(),
            Values::Lists { ends, .. } => ends.len(),
        }
    }

    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.is_empty() || self.valid[row] != 0
    }

    /// A new column of the chosen rows, in the order given (rows may repeat).
    pub fn gather(&self, rows: &[u32]) -> Column {
        let valid =
            if self.valid.is_empty() { Vec::new() } else { rows.iter().map(|&r| self.valid[r as usize]).collect() };
        let values = match &self.values {
            Values::Booleans(v) => Values::Booleans(rows.iter().map(|&r| v[r as usize]).collect()),
            Values::Integers(v) => Values::Integers(rows.iter().map(|&r| v[r as usize]).collect()),
            Values::Floats(v) => Values::Floats(rows.iter().map(|&r| v[r as usize]).collect()),
            Values::Texts(v) => Values::Texts(gather_strings(v, rows)),
            Values::Blobs(v) => Values::Blobs(gather_strings(v, rows)),
            Values::Lists { ends, elements } => gather_lists(ends, elements, rows),
        };
        Column { values, valid }
    }
}

fn gather_strings(from: &Strings, rows: &[u32]) -> Strings {
    let mut to = Strings { ends: Vec::with_capacity(rows.len()), data: Vec::new() };
    to.data.reserve(rows.len() * 16 + SLACK_BYTES);
    for &row in rows {
        to.push(from.get(row as usize));
    }
    to
}

fn gather_lists(ends: &[u32], elements: &Column, rows: &[u32]) -> Values {
    let mut picked = Vec::new();
    let mut new_ends = Vec::with_capacity(rows.len());
    for &row in rows {
        let row = row as usize;
        let start = if row == 0 { 0 } else { ends[row - 1] };
        picked.extend(start..ends[row]);
        new_ends.push(picked.len() as u32);
    }
    Values::Lists { ends: new_ends, elements: Box::new(elements.gather(&picked)) }
}

/// A batch as a plugin is given it: its own columns in the order of its descriptor's `reads`, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub rows: u32,
    pub columns: &'a [&'a Column],
}
