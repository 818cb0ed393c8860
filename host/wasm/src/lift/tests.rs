//! Whatever a guest returns, what passes obeys the rules as a plain reading states them, and what obeys them passes.

use proptest::prelude::*;
use wasmill_core::batch::{Column, Values};
use wasmill_core::plugin::Results;
use wasmill_core::schema::{Kind, Output, OutputField, Role};

use super::{Inputs, results};
use crate::v0_1;

const ROWS: u32 = 3;

fn output() -> Output {
    let field = |name: &str, kind, optional, repeated| OutputField {
        name: name.into(),
        kind,
        optional,
        repeated,
        role: Role::Field,
        unit: String::new(),
        doc: String::new(),
    };
    let fields = vec![field("text", Kind::Text, true, false), field("flags", Kind::Boolean, false, true)];
    Output { name: "out".into(), fields, extends: false }
}

/// Mostly well-formed, so that both verdicts are reached.
fn returned() -> impl Strategy<Value = v0_1::Results> {
    let numbers = |most: u32, length| prop::collection::vec(0..=most, length);
    let sorted = |most: u32, length: std::ops::RangeInclusive<usize>| {
        numbers(most, length).prop_perturb(|mut numbers, mut random| {
            if random.random_ratio(4, 5) {
                numbers.sort_unstable();
            }
            numbers
        })
    };
    let data = prop_oneof![Just(b"abc".to_vec()), Just("aé".as_bytes().to_vec()), Just(vec![b'a', 0xff, b'b'])];
    let valid = prop_oneof![Just(vec![]), prop::collection::vec(0..=1u8, 2..=3), Just(vec![2; 3])];
    let flags = prop::collection::vec(prop_oneof![20 => 0..=1u8, 1 => Just(2)], 0..=3);
    (2..=3u32, sorted(ROWS, 0..=3), sorted(3, 2..=3), data, valid, sorted(3, 2..=3), flags).prop_map(
        |(count, origins, mut ends, data, valid, lists, flags)| {
            ends.iter_mut().last().into_iter().for_each(|last| *last = (*last).max(data.len() as u32));
            let column = |values, valid| v0_1::Column { values, valid };
            let columns = vec![
                column(v0_1::Values::Texts(v0_1::Strings { ends, data }), valid),
                column(v0_1::Values::Lists(lists), vec![]),
                column(v0_1::Values::Booleans(flags), vec![]),
            ];
            v0_1::Results { outputs: vec![v0_1::Emitted { count, origins, columns }], rejects: vec![] }
        },
    )
}

/// The rules, one row at a time.
fn obeys(returned: &v0_1::Results) -> bool {
    let emitted = &returned.outputs[0];
    let rows = emitted.count as usize;
    let [text, lists, flags] = &emitted.columns[..] else { return false };
    let (v0_1::Values::Texts(text_values), v0_1::Values::Lists(ends), v0_1::Values::Booleans(flags)) =
        (&text.values, &lists.values, &flags.values)
    else {
        return false;
    };
    let origins = &emitted.origins;
    let origins_fit = if origins.is_empty() {
        emitted.count == ROWS
    } else {
        origins.len() == rows && origins.is_sorted() && origins.iter().all(|&origin| origin < ROWS)
    };
    let valid_fits = text.valid.is_empty() || (text.valid.len() == rows && text.valid.iter().all(|&byte| byte <= 1));
    let spans = |ends: &[u32], length: usize| {
        ends.len() == rows && ends.is_sorted() && ends.last().is_some_and(|&end| end as usize == length)
    };
    let mut start = 0;
    let text_fits = spans(&text_values.ends, text_values.data.len())
        && text_values.ends.iter().all(|&end| {
            let value = &text_values.data[start..end as usize];
            start = end as usize;
            std::str::from_utf8(value).is_ok()
        });
    origins_fit && valid_fits && text_fits && spans(ends, flags.len()) && flags.iter().all(|&flag| flag <= 1)
}

fn lift(returned: v0_1::Results) -> Result<Results, String> {
    results(returned, &[output()], Inputs { count: ROWS, noun: "row" }, 1 << 20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_passes_obeys_the_rules_and_what_obeys_them_passes(returned in returned()) {
        let obeys = obeys(&returned);
        let lifted = lift(returned.clone());
        prop_assert_eq!(lifted.is_ok(), obeys, "{:?}", lifted);
        if let Ok(lifted) = lifted {
            let Values::Lists { ends, elements } = &lifted.outputs[0].columns[1].values else { panic!("{lifted:?}") };
            prop_assert_eq!(elements.rows(), ends.last().copied().unwrap_or_default() as usize);
            prop_assert!(lifted.outputs[0].columns.iter().all(|column: &Column| column.rows() == lifted.outputs[0].count as usize));
        }
    }
}
