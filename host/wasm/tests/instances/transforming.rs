//! What a transformer may return, and what is refused.

use std::sync::Arc;

use wasmill_core::batch::{Batch, Values};
use wasmill_core::plugin::Fault;

use crate::guests::{Kept, assert_fault, load, texts, transform, transformer, transformer_release};

#[test]
fn every_layout_comes_back_as_it_was_written() {
    for mode in ["", "dictionary"] {
        let mut instance = transformer(mode).transformer().unwrap();
        let results = transform(&mut *instance, &["view", "", "drop", "é", "reject"]).unwrap();
        let output = &results.outputs[0];
        assert_eq!((output.count, &output.origins[..]), (3, &[0, 1, 3][..]));
        let [label, size, even, tags, doc] = &output.columns[..] else { panic!("{output:?}") };
        assert_eq!(label.valid, [1, 0, 1]);
        assert_eq!(size.values, Values::Integers(vec![4, 0, 2]));
        assert_eq!(even.values, Values::Booleans(vec![1, 1, 1]));
        let Values::Lists { ends, elements } = &tags.values else { panic!("{tags:?}") };
        let Values::Texts(elements) = &elements.values else { panic!("{elements:?}") };
        assert_eq!((&ends[..], elements.data.as_slice()), (&[2, 4, 6][..], "view!!é!".as_bytes()));
        let Values::Texts(docs) = &doc.values else { panic!("{doc:?}") };
        assert_eq!(docs.get(2), br#"{"length":2}"#);
        assert_eq!(results.rejects.len(), 1);
        assert_eq!((results.rejects[0].row, results.rejects[0].reason.as_str()), (4, "unwanted\\nhere"));
    }
}

/// Every way in which a guest's answer may break the contract, and the words that tell it.
const BROKEN: [(&str, &str); 32] = [
    ("outputs-0", "returned 0 outputs, its descriptor has 1"),
    ("outputs-3", "returned 3 outputs, its descriptor has 1"),
    ("count", "output out: 4 rows without origins from 3 rows"),
    ("count-flood", "output out: 2000000 rows in one call, at most 1048576"),
    ("columns", "output out: 5 columns, its 5 fields make 6"),
    ("layout", "column label: its kind is text, it came as integers"),
    ("lists-layout", "column tags: a repeated field is a `lists` column, found integers"),
    ("values", "column size: 2 values for 3 rows"),
    ("boolean", "column even: row 0: a boolean is 2"),
    ("valid-value", "column label: row 0: `valid` is 7"),
    ("valid-length", "column label: `valid` has 4 entries for 3 rows"),
    ("null", "column size: row 0 is null, the field is not optional"),
    ("origins-fall", "output out: row 1: its origin 1 is below"),
    ("origins-range", "output out: row 2: its origin is row 3 of 3"),
    ("origins-few", "output out: 1 origins for 3 rows"),
    ("lists-fall", "column tags: row 1: its end 1 is below"),
    ("lists-elements", "column tags: its elements: 6 ends for 1 rows"),
    ("json", "column doc: row 0 is not JSON"),
    ("reject-range", "it rejects row 3 of 3"),
    ("reject-twice", "row 0 is rejected twice"),
    ("dictionary-code", "column label: row 0: code 1 of a dictionary with 1 values"),
    ("dictionary-bomb", "expands to more than limits.output"),
    ("utf8", "column label: row 2: its text is not UTF-8"),
    ("character", "column label: row 0: its end lies inside a character"),
    ("ends-fall", "column label: row 1: its end 1 is below"),
    ("ends-short", "column label: the last end is 0, the data has 9 bytes"),
    ("ends-long", "column label: the last end is 10, the data has 5 bytes"),
    ("ends-count", "column label: 6 ends for 3 rows"),
    // The same again with more rows than a vector register holds, so that the fast pass is the one that sees it.
    ("valid-value", "`valid` is 7"),
    ("origins-range", "its origin is row"),
    ("utf8", "its text is not UTF-8"),
    ("ends-fall", "ends never fall"),
];

#[test]
fn an_answer_that_breaks_a_rule_is_refused_by_the_name_of_the_rule_and_a_fresh_instance_works() {
    for (i, (mode, rule)) in BROKEN.into_iter().enumerate() {
        let plugin = transformer(mode);
        let rows = if i < 28 { 3 } else { 300 };
        // The bomb is large only where many rows name its value.
        let rows = if mode == "dictionary-bomb" { 100 } else { rows };
        let error = transform(&mut *plugin.transformer().unwrap(), &vec!["abc"; rows]).unwrap_err();
        assert_fault(&error, "transform", Fault::Invalid, rule);
    }
    assert!(transform(&mut *transformer("").transformer().unwrap(), &["abc"]).is_ok());
}

#[test]
fn a_spent_instance_repeats_its_error_and_a_refusal_spends_none() {
    let plugin = transformer("");
    let mut instance = plugin.transformer().unwrap();
    let error = transform(&mut *instance, &["view", "refuse"]).unwrap_err();
    assert_fault(&error, "transform", Fault::Refused, "I will not\\ndo that");
    assert!(transform(&mut *instance, &["view"]).is_ok());
    let error = transform(&mut *instance, &["view", "trap"]).unwrap_err();
    assert_fault(&error, "transform", Fault::Trap, "unreachable");
    let again = transform(&mut *instance, &["view"]).unwrap_err();
    assert_eq!(again.message, error.message);
    assert!(transform(&mut *plugin.transformer().unwrap(), &["view"]).is_ok());
}

#[test]
fn a_trap_names_the_guests_function_and_the_reason_that_its_panic_hook_logs() {
    let error = transform(&mut *transformer("").transformer().unwrap(), &["trap"]).unwrap_err();
    assert_fault(&error, "transform", Fault::Trap, "(in guests::harm::explode)");
    assert!(error.message.contains("\n  at guests::harm::explode"), "{}", error.message);

    let kept = Arc::new(Kept::default());
    let plugin = load(transformer_release(), "panic-hook", kept.clone()).unwrap();
    let error = transform(&mut *plugin.transformer().unwrap(), &["trap"]).unwrap_err();
    assert_fault(&error, "transform", Fault::Trap, "the value says so");
    assert_eq!(kept.lines.lock().unwrap().len(), 1);
}

#[test]
fn a_batch_beyond_the_contracts_bounds_crosses_in_parts_and_comes_back_as_one() {
    let plugin = transformer("");
    let long = "x".repeat(600_000);
    let many: Vec<&str> = (0..20_001).map(|row| ["view", "drop", "reject", ""][row % 4]).collect();
    for values in [&many[..], &[&long, "drop", &long, "view", &long], &["view"; 9000], &["drop"; 9000]] {
        let results = transform(&mut *plugin.transformer().unwrap(), values).unwrap();
        let kept: Vec<u32> =
            (0..values.len() as u32).filter(|&row| !["drop", "reject"].contains(&values[row as usize])).collect();
        let output = &results.outputs[0];
        assert_eq!(output.count as usize, kept.len());
        if kept.len() < values.len() {
            assert_eq!(output.origins, kept);
        } else {
            assert!(output.origins.is_empty());
        }
        let expected: Vec<i64> = kept.iter().map(|&row| values[row as usize].len() as i64).collect();
        assert_eq!(output.columns[1].values, Values::Integers(expected));
        let Values::Texts(labels) = &output.columns[0].values else { panic!("{:?}", output.columns[0]) };
        let Values::Lists { ends, elements } = &output.columns[3].values else { panic!("{:?}", output.columns[3]) };
        assert_eq!(ends.last().copied().unwrap_or_default() as usize, elements.rows());
        for (row, &origin) in kept.iter().enumerate() {
            let value = values[origin as usize];
            assert_eq!(labels.get(row), value.as_bytes());
            assert_eq!(output.columns[0].is_valid(row), !value.is_empty());
        }
        let rejected: Vec<u32> = results.rejects.iter().map(|reject| reject.row).collect();
        assert!(rejected.iter().all(|&row| values[row as usize] == "reject"));
        assert_eq!(rejected.len(), values.iter().filter(|value| **value == "reject").count());
    }
}

#[test]
fn a_filter_answers_for_full_batches_and_for_empty_ones() {
    let mut instance = transformer("filter").transformer().unwrap();
    let column = texts(&["view", "click", "view"].repeat(1000));
    let results = instance.transform(Batch { rows: 3000, columns: &[&column] }).unwrap();
    assert_eq!(results.outputs[0].count, 2000);
    assert!(results.outputs[0].columns.is_empty());
    let nothing = texts(&[]);
    let results = instance.transform(Batch { rows: 0, columns: &[&nothing] }).unwrap();
    assert_eq!(results.outputs[0].count, 0);
}
