//! One column of an output: its layout, its rows, its text.

use serde::de::IgnoredAny;
use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::schema::{Kind, OutputField};

use super::{falls_at, rising};
use crate::v0_1;

/// What is left of `limits.output` for the texts that dictionaries stand for: a short column of codes can name one long value
/// again and again.
pub(crate) struct Budget {
    pub(crate) bytes: u64,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.bytes.checked_sub(bytes as u64);
        self.bytes = left.ok_or("its dictionary expands to more than limits.output")?;
        Ok(())
    }
}

/// Takes the field's column (of a repeated field, the lists and their elements) from `columns`.
pub(super) fn lift(
    columns: &mut impl Iterator<Item = v0_1::Column>,
    field: &OutputField,
    rows: usize,
    budget: &mut Budget,
) -> Result<Column, String> {
    let mut next = || columns.next().ok_or_else(|| "it is missing".to_owned());
    if !field.repeated {
        return column(next()?, field.kind, field.optional, rows, budget);
    }
    let lists = next()?;
    let v0_1::Values::Lists(ends) = lists.values else {
        return Err(format!("a repeated field is a `lists` column, found {}", layout(&lists.values)));
    };
    validity(&lists.valid, field.optional, rows)?;
    let elements = next()?;
    check_ends(&ends, rows, "row")?;
    let count = ends.last().map_or(0, |&end| end as usize);
    let elements = column(elements, field.kind, true, count, budget).map_err(|rule| format!("its elements: {rule}"))?;
    Ok(Column { values: Values::Lists { ends, elements: Box::new(elements) }, valid: lists.valid })
}

fn column(
    column: v0_1::Column,
    kind: Kind,
    optional: bool,
    rows: usize,
    budget: &mut Budget,
) -> Result<Column, String> {
    validity(&column.valid, optional, rows)?;
    let values = match (kind, column.values) {
        (Kind::Boolean, v0_1::Values::Booleans(values)) => Values::Booleans(booleans(values, rows)?),
        (Kind::Integer | Kind::Timestamp, v0_1::Values::Integers(values)) => Values::Integers(sized(values, rows)?),
        (Kind::Float, v0_1::Values::Floats(values)) => Values::Floats(sized(values, rows)?),
        (Kind::Bytes, v0_1::Values::Blobs(values)) => Values::Blobs(strings(values, rows, "row")?),
        (Kind::Text | Kind::Json, v0_1::Values::Texts(values)) => Values::Texts(texts(values, rows)?),
        (Kind::Text | Kind::Json, v0_1::Values::Dictionary(values)) => {
            Values::Texts(dictionary(values, &column.valid, rows, budget)?)
        }
        (kind, values) => {
            return Err(format!("its kind is {}, it came as {}", kind.name(), layout(&values)));
        }
    };
    if let (Kind::Json, Values::Texts(texts)) = (kind, &values) {
        json(texts, &column.valid)?;
    }
    Ok(Column { values, valid: column.valid })
}

fn validity(valid: &[u8], optional: bool, rows: usize) -> Result<(), String> {
    if valid.is_empty() {
        return Ok(());
    }
    if valid.len() != rows {
        return Err(format!("`valid` has {} entries for {rows} rows", valid.len()));
    }
    if let Some(row) = position(valid, |byte| byte > 1) {
        return Err(format!("row {row}: `valid` is {}, 0 and 1 are allowed", valid[row]));
    }
    if !optional && let Some(row) = position(valid, |byte| byte == 0) {
        return Err(format!("row {row} is null, the field is not optional"));
    }
    Ok(())
}

fn booleans(values: Vec<u8>, rows: usize) -> Result<Vec<u8>, String> {
    let values = sized(values, rows)?;
    match position(&values, |byte| byte > 1) {
        Some(row) => Err(format!("row {row}: a boolean is {}, 0 and 1 are allowed", values[row])),
        None => Ok(values),
    }
}

/// The first byte that breaks a rule. All are looked at, without a branch, before one is looked for.
fn position(bytes: &[u8], breaks: impl Fn(u8) -> bool) -> Option<usize> {
    let broken = bytes.iter().fold(false, |broken, &byte| broken | breaks(byte));
    broken.then(|| bytes.iter().position(|&byte| breaks(byte))).flatten()
}

fn sized<T>(values: Vec<T>, rows: usize) -> Result<Vec<T>, String> {
    if values.len() == rows { Ok(values) } else { Err(format!("{} values for {rows} rows", values.len())) }
}

/// Ends of `rows` strings or lists that never fall.
fn check_ends(ends: &[u32], rows: usize, noun: &str) -> Result<(), String> {
    if ends.len() != rows {
        return Err(format!("{} ends for {rows} {noun}s", ends.len()));
    }
    if !rising(ends) {
        let row = falls_at(ends);
        return Err(format!("{noun} {row}: its end {} is below the one before; ends never fall", ends[row]));
    }
    Ok(())
}

pub(super) fn strings(returned: v0_1::Strings, rows: usize, noun: &str) -> Result<Strings, String> {
    check_ends(&returned.ends, rows, noun)?;
    let end = returned.ends.last().map_or(0, |&end| end as usize);
    if end != returned.data.len() {
        return Err(format!("the last end is {end}, the data has {} bytes", returned.data.len()));
    }
    Ok(Strings { ends: returned.ends, data: returned.data })
}

fn texts(returned: v0_1::Strings, rows: usize) -> Result<Strings, String> {
    let strings = strings(returned, rows, "row")?;
    if strings.data.is_ascii() {
        return Ok(strings);
    }
    let whole = match std::str::from_utf8(&strings.data) {
        Ok(whole) => whole,
        Err(error) => {
            let at = error.valid_up_to();
            let row = strings.ends.partition_point(|&end| end as usize <= at);
            return Err(format!("row {row}: its text is not UTF-8"));
        }
    };
    match strings.ends.iter().position(|&end| !whole.is_char_boundary(end as usize)) {
        Some(row) => Err(format!("row {row}: its end lies inside a character")),
        None => Ok(strings),
    }
}

/// Expanded: the core keeps texts.
fn dictionary(returned: v0_1::Dictionary, valid: &[u8], rows: usize, budget: &mut Budget) -> Result<Strings, String> {
    let codes = sized(returned.codes, rows)?;
    let distinct = returned.values.ends.len();
    let values = texts(returned.values, distinct).map_err(|rule| format!("the dictionary's values: {rule}"))?;
    let mut expanded = Strings { ends: Vec::with_capacity(rows), data: Vec::new() };
    for (row, &code) in codes.iter().enumerate() {
        if !valid.is_empty() && valid[row] == 0 {
            expanded.push(b"");
            continue;
        }
        if code as usize >= distinct {
            return Err(format!("row {row}: code {code} of a dictionary with {distinct} values"));
        }
        let value = values.get(code as usize);
        budget.spend(value.len())?;
        expanded.push(value);
    }
    Ok(expanded)
}

fn json(texts: &Strings, valid: &[u8]) -> Result<(), String> {
    for row in 0..texts.len() {
        let null = !valid.is_empty() && valid[row] == 0;
        if !null && let Err(error) = serde_json::from_slice::<IgnoredAny>(texts.get(row)) {
            return Err(format!("row {row} is not JSON: {error}"));
        }
    }
    Ok(())
}

fn layout(values: &v0_1::Values) -> &'static str {
    match values {
        v0_1::Values::Booleans(_) => "booleans",
        v0_1::Values::Integers(_) => "integers",
        v0_1::Values::Floats(_) => "floats",
        v0_1::Values::Texts(_) => "texts",
        v0_1::Values::Blobs(_) => "blobs",
        v0_1::Values::Dictionary(_) => "a dictionary",
        v0_1::Values::Lists(_) => "lists",
    }
}
