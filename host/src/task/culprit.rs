//! Which row of a failed call causes the failure: found by halving on fresh instances, so that the rest can go on.

use wasmill_core::batch::{Batch, Column};
use wasmill_core::plugin::{CallError, Plugin};

/// Calls on fresh instances that one search may cost.
const MAX_PROBES: usize = 64;

/// A row that fails alone, with its own error. `fails` runs the rows of a range on a fresh instance. `None`: no single row does
/// (the failure needs a state that fresh instances lack), or the search grew too long.
pub fn find(
    rows: usize,
    mut fails: impl FnMut(std::ops::Range<usize>) -> Option<CallError>,
) -> Option<(usize, CallError)> {
    let mut range = 0..rows;
    let mut found = None;
    for _ in 0..MAX_PROBES / 2 {
        if range.len() <= 1 {
            // A single row that was never tried alone is tried now.
            return found.or_else(|| fails(range.clone())).map(|error| (range.start, error));
        }
        let middle = range.start + range.len() / 2;
        if let Some(error) = fails(range.start..middle) {
            range = range.start..middle;
            found = Some(error);
        } else if let Some(error) = fails(middle..range.end) {
            range = middle..range.end;
            found = Some(error);
        } else {
            return None;
        }
    }
    None
}

/// The culprit of a failed `transform`, as a row of `columns`.
pub fn of_transform(plugin: &dyn Plugin, columns: &[&Column], rows: usize) -> Option<(usize, CallError)> {
    find(rows, |range| {
        let (rows, picked) = pick(columns, range);
        let picked: Vec<&Column> = picked.iter().collect();
        let mut instance = plugin.transformer().ok()?;
        instance.transform(Batch { rows, columns: &picked }).err()
    })
}

/// The culprit of a failed `accumulate`, as a row of `columns` (which holds just the rows that were folded).
pub fn of_accumulate(plugin: &dyn Plugin, columns: &[&Column], slots: &[u32]) -> Option<(usize, CallError)> {
    find(slots.len(), |range| {
        let slots = &slots[range.clone()];
        let (rows, picked) = pick(columns, range);
        let picked: Vec<&Column> = picked.iter().collect();
        let mut instance = plugin.aggregator().ok()?;
        instance.accumulate(Batch { rows, columns: &picked }, &[], slots).err()
    })
}

fn pick(columns: &[&Column], range: std::ops::Range<usize>) -> (u32, Vec<Column>) {
    let rows: Vec<u32> = (range.start as u32..range.end as u32).collect();
    (rows.len() as u32, columns.iter().map(|column| column.gather(&rows)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill_core::plugin::Fault;

    #[test]
    fn the_first_failing_row_is_found_wherever_it_stands_and_none_where_no_row_fails_alone() {
        let error = || CallError {
            plugin: "p".into(),
            release: "r".into(),
            function: "transform",
            fault: Fault::Trap,
            message: String::new(),
        };
        for rows in [1, 2, 3, 4096, 8192] {
            for culprit in [0, rows / 3, rows - 1] {
                let found = find(rows, |range| range.contains(&culprit).then(error));
                assert_eq!(found.map(|f| f.0), Some(culprit));
            }
            assert!(find(rows, |_| None).is_none());
        }
    }
}
