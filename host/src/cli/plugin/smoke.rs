//! Calls a plugin as a pipeline would, with made-up rows.

use std::fmt;

use wasmill_core::batch::{Batch, Column, Strings, Values};
use wasmill_core::plugin::{Aggregator, CallError, Fault, Firing, Results};
use wasmill_core::schema::{Field, Kind};
use wasmill_core::time::{MINUTE, Window};
use wasmill_wasm::{Plugin, World};

/// Rows of the made-up batch.
const ROWS: u32 = 16;
/// Slots that an aggregator folds them into.
const SLOTS: [u32; 2] = [0, 1];
const WINDOW: Window = Window { start: 0, end: MINUTE };

/// What came of the calls.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    rows_out: u32,
    rejected: u32,
    /// The plugin's first reason.
    reason: Option<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { rows_out, rejected, reason } = self;
        write!(f, "{ROWS} made-up rows in, {rows_out} out, {rejected} refused")?;
        match reason {
            Some(reason) => write!(f, " (the first: {reason})"),
            None => Ok(()),
        }
    }
}

/// # Errors
/// A call fails, or a state that was stored and restored does not emit the rows it did before.
pub fn call(plugin: &Plugin) -> Result<Found, CallError> {
    match plugin.release().world() {
        World::Transformer => transform(plugin),
        World::Aggregator => aggregate(plugin),
    }
}

fn transform(plugin: &Plugin) -> Result<Found, CallError> {
    let mut instance = plugin.transformer()?;
    let reads = &plugin.descriptor().reads;
    with_batch(reads, 0, |batch| instance.transform(batch))?;
    with_batch(reads, ROWS, |batch| instance.transform(batch)).map(|results| found(&results, &[]))
}

fn aggregate(plugin: &Plugin) -> Result<Found, CallError> {
    let mut instance = plugin.aggregator()?;
    let reads = &plugin.descriptor().reads;
    with_batch(reads, 0, |batch| instance.accumulate(batch, &[], &[]))?;
    let slots: Vec<u32> = (0..ROWS).map(|row| SLOTS[row as usize % SLOTS.len()]).collect();
    let rejects = with_batch(reads, ROWS, |batch| instance.accumulate(batch, &[], &slots))?;
    instance.merge(&SLOTS[..1], &SLOTS[1..])?;
    let before = emit(&mut *instance)?;
    let states = instance.snapshot(&SLOTS)?;
    let mut fresh = plugin.aggregator()?;
    fresh.restore(&SLOTS, instance.state_version(), &states)?;
    let after = emit(&mut *fresh)?;
    if before != after {
        let message =
            "the state that it stored and restored emits other rows than before: does `State` store all there is?";
        return Err(CallError {
            plugin: plugin.name().to_owned(),
            release: plugin.release().short().to_owned(),
            function: "restore",
            fault: Fault::Invalid,
            message: message.to_owned(),
        });
    }
    instance.forget(&SLOTS)?;
    Ok(found(&before, &rejects))
}

fn emit(instance: &mut dyn Aggregator) -> Result<Results, CallError> {
    let mut keys = Strings::default();
    SLOTS.iter().for_each(|slot| keys.push(format!("key {slot}").as_bytes()));
    let keys = Column::new(Values::Texts(keys));
    instance.emit(&SLOTS, &[WINDOW], &[&keys], Firing::OnTime)
}

fn found(results: &Results, rejects: &[wasmill_core::plugin::Reject]) -> Found {
    let mut rejects = results.rejects.iter().chain(rejects);
    let reason = rejects.clone().next().map(|reject| reject.reason.clone());
    let rejected = rejects.by_ref().count() as u32;
    Found { rows_out: results.outputs.iter().map(|output| output.count).sum(), rejected, reason }
}

fn with_batch<R>(reads: &[Field], rows: u32, call: impl FnOnce(Batch<'_>) -> R) -> R {
    let columns: Vec<Column> = reads.iter().map(|field| column(field, rows as usize)).collect();
    let columns: Vec<&Column> = columns.iter().collect();
    call(Batch { rows, columns: &columns })
}

/// Values of the field's kind; every fourth is null where that is allowed.
fn column(field: &Field, rows: usize) -> Column {
    if field.repeated {
        // Two elements a row.
        let ends = (1..=rows as u32).map(|row| row * 2).collect();
        return Column::new(Values::Lists {
            ends,
            elements: Box::new(Column::new(values(field.kind, rows * 2, |_| false))),
        });
    }
    let null = |row: usize| field.optional && row % 4 == 3;
    let valid = if field.optional { (0..rows).map(|row| u8::from(!null(row))).collect() } else { Vec::new() };
    Column { values: values(field.kind, rows, null), valid }
}

fn values(kind: Kind, rows: usize, null: impl Fn(usize) -> bool) -> Values {
    let number = |row: usize| if null(row) { 0 } else { row as i64 + 1 };
    let strings = |text: &dyn Fn(usize) -> String| {
        let mut strings = Strings::default();
        (0..rows).for_each(|row| strings.push(if null(row) { String::new() } else { text(row) }.as_bytes()));
        strings
    };
    match kind {
        Kind::Boolean => Values::Booleans((0..rows).map(|row| (number(row) % 2) as u8).collect()),
        Kind::Integer => Values::Integers((0..rows).map(number).collect()),
        Kind::Timestamp => Values::Integers((0..rows).map(|row| number(row) * MINUTE / 60).collect()),
        Kind::Float => Values::Floats((0..rows).map(|row| number(row) as f64 * 1.5).collect()),
        Kind::Text => Values::Texts(strings(&|row| format!("value {}", row % 5))),
        Kind::Json => Values::Texts(strings(&|row| format!("{{\"value\":{row}}}"))),
        Kind::Bytes => Values::Blobs(strings(&|row| format!("value {}", row % 5))),
    }
}
