//! What guests return, checked against the contract and their own descriptor before it becomes core types.
//!
//! Every rule has a fast pass over the whole column; the row that breaks it is looked for only when one does. Errors say output,
//! column, row and rule.

mod column;
#[cfg(test)]
mod tests;

use column::Budget;
use wasmill_core::batch::Strings;
use wasmill_core::plugin::{Emitted, Reject, Results};
use wasmill_core::schema::Output;

use crate::strings::clean;
use crate::v0_1;

/// Rows that one call may return in one output.
pub const MAX_ROWS_OUT: u32 = 1 << 20;
const MAX_REASON_BYTES: usize = 1024;

/// What origins and rejects of a call count.
#[derive(Clone, Copy)]
pub(crate) struct Inputs {
    pub(crate) count: u32,
    /// "row" or "slot".
    pub(crate) noun: &'static str,
}

/// Results of `transform` or `emit`. `outputs` are those of the descriptor; what dictionaries stand for may take `output_bytes`.
pub(crate) fn results(
    returned: v0_1::Results,
    outputs: &[Output],
    inputs: Inputs,
    output_bytes: u64,
) -> Result<Results, String> {
    if returned.outputs.len() != outputs.len() {
        return Err(format!(
            "it returned {} outputs, its descriptor has {}: return one for each, in the descriptor's order",
            returned.outputs.len(),
            outputs.len()
        ));
    }
    let mut budget = Budget { bytes: output_bytes };
    let checked: Result<Vec<Emitted>, String> = returned
        .outputs
        .into_iter()
        .zip(outputs)
        .map(|(returned, output)| {
            emitted(returned, output, inputs, &mut budget).map_err(|rule| format!("output {}: {rule}", output.name))
        })
        .collect();
    let rejects = rejects(returned.rejects, inputs)?;
    if let Some(pair) = rejects.windows(2).find(|pair| pair[0].row == pair[1].row) {
        return Err(format!("{} {} is rejected twice", inputs.noun, pair[0].row));
    }
    Ok(Results { outputs: checked?, rejects })
}

/// Rejects of `accumulate`, where a row that occurs in several pairs may be refused more than once: the first reason counts.
pub(crate) fn accumulated(returned: Vec<v0_1::Reject>, rows: u32) -> Result<Vec<Reject>, String> {
    let mut rejects = rejects(returned, Inputs { count: rows, noun: "row" })?;
    rejects.dedup_by_key(|reject| reject.row);
    Ok(rejects)
}

/// States of `slots` slots. Their bytes are the guest's own.
pub(crate) fn states(returned: v0_1::Strings, slots: usize) -> Result<Strings, String> {
    column::strings(returned, slots, "slot")
}

/// In order of their rows.
fn rejects(returned: Vec<v0_1::Reject>, inputs: Inputs) -> Result<Vec<Reject>, String> {
    if let Some(reject) = returned.iter().find(|reject| reject.row >= inputs.count) {
        return Err(format!("it rejects {} {} of {}: they count from 0", inputs.noun, reject.row, inputs.count));
    }
    let mut rejects: Vec<Reject> = returned
        .into_iter()
        .map(|reject| Reject { row: reject.row, reason: clean(&reject.reason, MAX_REASON_BYTES) })
        .collect();
    rejects.sort_by_key(|reject| reject.row);
    Ok(rejects)
}

fn emitted(returned: v0_1::Emitted, output: &Output, inputs: Inputs, budget: &mut Budget) -> Result<Emitted, String> {
    let count = returned.count;
    if count > MAX_ROWS_OUT {
        return Err(format!("{count} rows in one call, at most {MAX_ROWS_OUT} are allowed"));
    }
    origins(&returned.origins, count, inputs)?;
    let expected: usize = output.fields.iter().map(|field| if field.repeated { 2 } else { 1 }).sum();
    if returned.columns.len() != expected {
        let found = returned.columns.len();
        return Err(format!(
            "{found} columns, its {} fields make {expected} (a repeated field makes two)",
            output.fields.len()
        ));
    }
    let mut columns = returned.columns.into_iter();
    let mut checked = Vec::with_capacity(output.fields.len());
    for field in &output.fields {
        let column = column::lift(&mut columns, field, count as usize, budget)
            .map_err(|rule| format!("column {}: {rule}", field.name))?;
        checked.push(column);
    }
    Ok(Emitted { count, origins: returned.origins, columns: checked })
}

/// Empty: one row for each input, or none at all.
fn origins(origins: &[u32], count: u32, inputs: Inputs) -> Result<(), String> {
    let Inputs { count: inputs, noun } = inputs;
    if origins.is_empty() {
        if count == 0 || count == inputs {
            return Ok(());
        }
        return Err(format!("{count} rows without origins from {inputs} {noun}s: empty origins mean one row for each"));
    }
    if origins.len() != count as usize {
        return Err(format!("{} origins for {count} rows", origins.len()));
    }
    if !rising(origins) {
        let row = falls_at(origins);
        return Err(format!(
            "row {row}: its origin {} is below that of the row before; origins never fall",
            origins[row]
        ));
    }
    match origins.last() {
        Some(&last) if last >= inputs => {
            let row = origins.iter().position(|&origin| origin >= inputs).unwrap_or_default();
            Err(format!("row {row}: its origin is {noun} {} of {inputs}; they count from 0", origins[row]))
        }
        _ => Ok(()),
    }
}

/// Whether values never fall. Without a branch in the loop, so that it is vectorized.
fn rising(values: &[u32]) -> bool {
    let (Some(head), Some(tail)) = (values.get(..values.len().saturating_sub(1)), values.get(1..)) else { return true };
    head.iter().zip(tail).fold(true, |rising, (a, b)| rising & (a <= b))
}

/// The first position whose value is below the one before it; 0 if there is none.
fn falls_at(values: &[u32]) -> usize {
    values.windows(2).position(|pair| pair[0] > pair[1]).map_or(0, |before| before + 1)
}
