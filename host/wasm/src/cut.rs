//! Calls that are too large for one crossing, as several: how to cut what goes in, how to join what comes out.

use wasmill_core::batch::{Batch, Column, Strings, Values};
use wasmill_core::plugin::{Emitted, Results};

use crate::lower::bytes;

/// Rows, slots or pairs in one call.
pub const MAX_BATCH_ROWS: u32 = 8192;
/// Bytes of columns or states in one call. A single larger row travels alone.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// Slots in the first call of a kind, before it is known how much a slot returns: at 8 MiB of output, 16 KiB each.
const FIRST_SLOTS: usize = 512;
/// The part of the output limit that a call is meant to fill, so that slots of unequal size stay below it.
const OUTPUT_SHARE: u64 = 4;

/// Columns of some rows of a batch.
pub(crate) struct Piece {
    pub(crate) rows: u32,
    columns: Vec<Column>,
}

impl Piece {
    /// The chosen rows of `columns`.
    pub(crate) fn gather(columns: &[&Column], rows: &[u32]) -> Self {
        Piece { rows: rows.len() as u32, columns: columns.iter().map(|column| column.gather(rows)).collect() }
    }

    pub(crate) fn columns(&self) -> Vec<&Column> {
        self.columns.iter().collect()
    }
}

/// Whether a batch may cross in one call.
pub(crate) fn fits(input: Batch<'_>) -> bool {
    let size: usize = input.columns.iter().map(|column| bytes(column)).sum();
    input.rows <= 1 || (input.rows <= MAX_BATCH_ROWS && size <= MAX_BATCH_BYTES)
}

/// The two halves of the rows `0..rows`.
pub(crate) fn halves(rows: u32) -> [Vec<u32>; 2] {
    let middle = rows / 2;
    [(0..middle).collect(), (middle..rows).collect()]
}

/// How many slots to ask for in one call, so that what they return stays below `limits.output`.
pub(crate) struct Pace {
    slots: usize,
    output_bytes: u64,
}

impl Pace {
    pub(crate) fn new(output_bytes: u64) -> Self {
        Pace { slots: FIRST_SLOTS, output_bytes }
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// `slots` returned `bytes` together.
    pub(crate) fn learn(&mut self, slots: usize, bytes: usize) {
        let each = (bytes / slots.max(1)).max(1) as u64;
        let fitting = self.output_bytes / OUTPUT_SHARE / each;
        self.slots = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, MAX_BATCH_ROWS as usize);
    }
}

/// Bytes of all columns of a result.
pub(crate) fn result_bytes(results: &Results) -> usize {
    results.outputs.iter().flat_map(|output| &output.columns).map(bytes).sum()
}

/// Adds the results of inputs `before..before + inputs` to those of `0..before`.
pub(crate) fn join(to: &mut Results, part: Results, before: u32, inputs: u32) {
    if before == 0 {
        *to = part;
        return;
    }
    for (to, part) in to.outputs.iter_mut().zip(part.outputs) {
        join_output(to, part, before, inputs);
    }
    to.rejects.extend(part.rejects.into_iter().map(|mut reject| {
        reject.row += before;
        reject
    }));
}

fn join_output(to: &mut Emitted, part: Emitted, before: u32, inputs: u32) {
    let one_each = |emitted: &Emitted, inputs| emitted.origins.is_empty() && emitted.count == inputs;
    if !(one_each(to, before) && one_each(&part, inputs)) {
        if to.origins.is_empty() {
            to.origins = (0..to.count).collect();
        }
        if part.origins.is_empty() {
            to.origins.extend(before..before + part.count);
        } else {
            to.origins.extend(part.origins.iter().map(|origin| origin + before));
        }
    }
    to.count += part.count;
    for (to, part) in to.columns.iter_mut().zip(part.columns) {
        append(to, part);
    }
}

/// Both columns have the same layout: that of their field.
fn append(to: &mut Column, part: Column) {
    if !(to.valid.is_empty() && part.valid.is_empty()) {
        let (before, added) = (to.rows(), part.rows());
        to.valid.resize(before, 1);
        to.valid.extend(&part.valid);
        to.valid.resize(before + added, 1);
    }
    match (&mut to.values, part.values) {
        (Values::Booleans(to), Values::Booleans(part)) => to.extend(part),
        (Values::Integers(to), Values::Integers(part)) => to.extend(part),
        (Values::Floats(to), Values::Floats(part)) => to.extend(part),
        (Values::Texts(to), Values::Texts(part)) | (Values::Blobs(to), Values::Blobs(part)) => {
            append_strings(to, &part);
        }
        (Values::Lists { ends, elements }, Values::Lists { ends: part_ends, elements: part_elements }) => {
            let base = elements.rows() as u32;
            ends.extend(part_ends.iter().map(|end| end + base));
            append(elements, *part_elements);
        }
        _ => debug_assert!(false, "the lift gives each field one layout"),
    }
}

pub(crate) fn append_strings(to: &mut Strings, part: &Strings) {
    let base = to.data.len() as u32;
    to.ends.extend(part.ends.iter().map(|end| end + base));
    to.data.extend_from_slice(&part.data);
}
