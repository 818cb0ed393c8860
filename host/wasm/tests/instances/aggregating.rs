//! Aggregators: calls beyond the contract's bounds, and answers that break it.

use std::collections::BTreeMap;

use wasmill_core::batch::{Batch, Values};
use wasmill_core::plugin::{Aggregator, CallError, Fault, Firing, Reject};
use wasmill_core::time::Window;

use crate::guests::{aggregator, assert_fault, integers};

const WINDOW: Window = Window { start: 0, end: 1 };

fn accumulate(instance: &mut dyn Aggregator, amounts: &[i64], slots: &[u32]) -> Result<Vec<Reject>, CallError> {
    let column = integers(amounts.iter().copied());
    instance.accumulate(Batch { rows: amounts.len() as u32, columns: &[&column] }, &[], slots)
}

/// Sums by slot, as they are emitted.
fn emitted(instance: &mut dyn Aggregator, slots: &[u32]) -> BTreeMap<u32, i64> {
    let keys = integers(slots.iter().map(|&slot| i64::from(slot)));
    let results = instance.emit(slots, &[WINDOW], &[&keys], Firing::OnTime).unwrap();
    let output = &results.outputs[0];
    let Values::Integers(sums) = &output.columns[0].values else { panic!("{output:?}") };
    let Values::Integers(keys) = &output.columns[2].values else { panic!("{output:?}") };
    let slot = |row: usize| output.origins.get(row).map_or(slots[row], |&position| slots[position as usize]);
    for (row, &key) in keys.iter().enumerate() {
        assert_eq!(key, i64::from(slot(row)), "each slot is given its own key");
    }
    (0..sums.len()).map(|row| (slot(row), sums[row])).collect()
}

#[test]
fn any_number_of_rows_and_slots_gives_the_sums_of_a_plain_loop() {
    for mode in ["", "large"] {
        let plugin = aggregator(mode);
        let mut instance = plugin.aggregator().unwrap();
        let amounts: Vec<i64> = (0..30_000).map(|i| i64::from(i % 7) * 20).collect();
        let slots: Vec<u32> = (0..30_000).map(|i| i * 31 % 9001).collect();
        let mut expected: BTreeMap<u32, i64> = (0..9001).map(|slot| (slot, 0)).collect();
        for (slot, amount) in slots.iter().zip(&amounts) {
            *expected.entry(*slot).or_default() += amount;
        }
        assert_eq!(accumulate(&mut *instance, &amounts, &slots).unwrap(), []);
        let all: Vec<u32> = (0..9001).collect();
        assert_eq!(emitted(&mut *instance, &all), expected);

        let states = instance.snapshot(&all).unwrap();
        assert_eq!((states.len(), instance.state_version()), (9001, 2));
        let mut second = plugin.aggregator().unwrap();
        second.restore(&all, 2, &states).unwrap();
        assert_eq!(emitted(&mut *second, &all), expected);

        let others: Vec<u32> = all.iter().map(|slot| 9000 - slot).collect();
        let shifted: Vec<u32> = all.iter().map(|slot| slot + 10_000).collect();
        second.merge(&shifted, &others).unwrap();
        second.forget(&all).unwrap();
        assert!(emitted(&mut *second, &all).values().all(|&sum| sum == 0));
        let merged: BTreeMap<u32, i64> = expected.iter().map(|(slot, sum)| (19_000 - slot, *sum)).collect();
        assert_eq!(emitted(&mut *second, &shifted), merged);
    }
}

#[test]
fn slots_with_several_rows_keep_their_origins_across_calls() {
    let mut instance = aggregator("").aggregator().unwrap();
    let slots: Vec<u32> = (0..9000).collect();
    let amounts: Vec<i64> = (0..9000).map(|i| if i % 3 == 0 { 1 } else { 2 }).collect();
    accumulate(&mut *instance, &amounts, &slots).unwrap();
    let keys = integers(0..9000);
    let windows = vec![WINDOW; 9000];
    let results = instance.emit(&slots, &windows, &[&keys], Firing::Late).unwrap();
    let expected: Vec<u32> = (0..9000).flat_map(|i| vec![i; if i % 3 == 0 { 2 } else { 1 }]).collect();
    assert_eq!(results.outputs[0].origins, expected);
    assert_eq!(results.outputs[0].count as usize, expected.len());
}

#[test]
fn rejects_name_rows_of_the_callers_batch_once_each() {
    let mut instance = aggregator("").aggregator().unwrap();
    let amounts = integers((0..9000).map(|i| if i % 4000 == 10 { -1 } else { 2 }));
    // Each row in two windows, backwards.
    let rows: Vec<u32> = (0..9000).rev().flat_map(|row| [row, row]).collect();
    let slots: Vec<u32> = rows.iter().enumerate().map(|(i, _)| i as u32 % 2).collect();
    let rejects = instance.accumulate(Batch { rows: 9000, columns: &[&amounts] }, &rows, &slots).unwrap();
    let rejected: Vec<u32> = rejects.iter().map(|reject| reject.row).collect();
    assert_eq!(rejected, [10, 4010, 8010]);
    assert_eq!(emitted(&mut *instance, &[0, 1]), BTreeMap::from([(0, 17_994), (1, 17_994)]));
}

#[test]
fn answers_that_break_a_rule_are_refused_and_spend_the_instance() {
    let error = accumulate(&mut *aggregator("reject-range").aggregator().unwrap(), &[1, 2], &[0, 0]).unwrap_err();
    assert_fault(&error, "accumulate", Fault::Invalid, "it rejects row 2 of 2");

    let mut instance = aggregator("origins-range").aggregator().unwrap();
    let error = instance.emit(&[5, 6], &[WINDOW], &[&integers([5, 6])], Firing::Early).unwrap_err();
    assert_fault(&error, "emit", Fault::Invalid, "output out: row 1: its origin is slot 2 of 2");
    assert_eq!(instance.forget(&[5]).unwrap_err().function, "emit", "a spent instance answers with what spent it");

    let error = aggregator("states").aggregator().unwrap().snapshot(&[1, 2, 3]).unwrap_err();
    assert_fault(&error, "snapshot", Fault::Invalid, "2 ends for 3 slots");
}

#[test]
fn the_row_that_fails_alone_fails_on_every_fresh_instance() {
    let plugin = aggregator("");
    for (culprit, fault) in [(13, Fault::Trap), (14, Fault::Deadline)] {
        let batch = [1, 2, culprit, 4];
        assert!(accumulate(&mut *plugin.aggregator().unwrap(), &batch, &[0, 1, 2, 3]).is_err());
        let alone = batch.map(|amount| accumulate(&mut *plugin.aggregator().unwrap(), &[amount], &[0]).err());
        let faults = alone.map(|error| error.map(|error| error.fault));
        assert_eq!(faults, [None, None, Some(fault), None]);
    }
}

#[test]
fn a_version_of_the_state_that_it_does_not_know_is_refused_by_the_guest() {
    let mut instance = aggregator("").aggregator().unwrap();
    let states = instance.snapshot(&[1]).unwrap();
    let error = instance.restore(&[1], 9, &states).unwrap_err();
    assert_fault(&error, "restore", Fault::Refused, "version 9");
}
