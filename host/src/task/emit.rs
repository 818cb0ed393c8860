//! From what an aggregator emits to rows for the sinks: key tags, the window's time, and the refusal of rows that would overwrite
//! each other.

use std::sync::Arc;

use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::plan::{AggregatePlan, At};
use wasmill_core::plugin::{CallError, Emitted, Fault, Results};
use wasmill_core::rows::{RowSchema, Rows};
use wasmill_core::schema::Role;
use wasmill_core::time::{Nanos, Window};

/// One firing: which windows (one a slot, or one for all), whose keys, and for a rollup the name of the window's size.
pub struct Fired<'a> {
    pub windows: &'a [Window],
    pub keys: &'a [Column],
    pub size_label: Option<&'a str>,
}

impl Fired<'_> {
    fn window(&self, position: usize) -> Window {
        if self.windows.len() == 1 { self.windows[0] } else { self.windows[position] }
    }
}

/// Rows of every output, in the descriptor's order; outputs without rows are left out.
///
/// # Errors
/// Two rows of one slot with the same tags and time would be one point: the plugin breaks the contract.
pub fn rows_of(plan: &AggregatePlan, fired: &Fired<'_>, results: Results) -> Result<Vec<(usize, Rows)>, String> {
    let mut all = Vec::new();
    for (output, emitted) in results.outputs.into_iter().enumerate() {
        if emitted.count > 0 {
            let rows = output_rows(plan, fired, output, emitted)?;
            all.push((output, rows));
        }
    }
    Ok(all)
}

fn output_rows(plan: &AggregatePlan, fired: &Fired<'_>, output: usize, emitted: Emitted) -> Result<Rows, String> {
    let schema: &Arc<RowSchema> = &plan.schemas[output];
    let positions: Vec<u32> =
        if emitted.origins.is_empty() { (0..emitted.count).collect() } else { emitted.origins.clone() };
    let own_time = plan.times.get(output).copied().flatten();
    let mut times: Vec<Nanos> = positions
        .iter()
        .map(|&position| {
            let window = fired.window(position as usize);
            if plan.at == At::Start { window.start } else { window.end }
        })
        .collect();
    let mut columns: Vec<Column> = fired.keys.iter().map(|key| key.gather(&positions)).collect();
    if let Some(label) = fired.size_label {
        columns.push(constant(label, positions.len()));
    }
    for (field, column) in emitted.columns.into_iter().enumerate() {
        match (&column.values, own_time == Some(field)) {
            (Values::Integers(own), true) => times.clone_from(own),
            _ => columns.push(column),
        }
    }
    let rows = Rows { schema: Arc::clone(schema), times, columns };
    check_distinct(&rows, &positions)?;
    Ok(rows)
}

fn constant(text: &str, rows: usize) -> Column {
    let mut strings = Strings::default();
    for _ in 0..rows {
        strings.push(text.as_bytes());
    }
    Column::new(Values::Texts(strings))
}

/// Several rows of one slot must differ in a tag or in time: otherwise they are one point, and all but the last are lost.
fn check_distinct(rows: &Rows, positions: &[u32]) -> Result<(), String> {
    let tags: Vec<&Column> =
        rows.schema.columns.iter().zip(&rows.columns).filter(|(c, _)| c.role == Role::Tag).map(|(_, c)| c).collect();
    let mut start = 0;
    while start < positions.len() {
        let mut end = start + 1;
        while end < positions.len() && positions[end] == positions[start] {
            end += 1;
        }
        if end - start > 1 {
            let mut seen = std::collections::HashSet::new();
            for row in start..end {
                let identity: Vec<_> = tags.iter().map(|tag| super::frame::scalar_text(tag, row)).collect();
                if !seen.insert((rows.times[row], identity)) {
                    return Err(format!(
                        "it emitted two rows with the same tags and time for one key and window of route `{}`: they would be \
                         one point. Give them a tag that differs, such as `rank`",
                        rows.schema.route
                    ));
                }
            }
        }
        start = end;
    }
    Ok(())
}

/// The contract was broken in `emit`.
pub fn invalid(plugin: &dyn wasmill_core::plugin::Plugin, message: String) -> CallError {
    CallError {
        plugin: plugin.name().to_owned(),
        release: plugin.release().to_owned(),
        function: "emit",
        fault: Fault::Invalid,
        message,
    }
}
