//! What an aggregator's instance keeps: states by slot, against a simple model; and what `laws` finds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use wasmill_sdk::AggregatorInstance;
use wasmill_sdk::columns::{Batch, OwnedColumn, OwnedValues};
use wasmill_sdk::prelude::{Event, Row, *};
use wasmill_sdk::schema::About;

const ABOUT: About = About { name: "sum", version: "1.0.0", doc: "" };

#[derive(Event)]
struct Number {
    n: i64,
}

#[derive(Row)]
struct Summed {
    sum: i64,
}

/// Refuses negative numbers.
#[derive(Default, Serialize, Deserialize, State)]
struct Sum(i64);

impl Aggregator for Sum {
    type Config = ();
    type Event<'a> = Number;
    type Output<'a> = Summed;
    fn empty(_: &()) -> Self {
        Sum(0)
    }
    fn add(&mut self, number: Number, _: &()) -> Result<(), Reject> {
        if number.n < 0 {
            return Err(format!("{} is negative", number.n).into());
        }
        self.0 += number.n;
        Ok(())
    }
    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }
    fn emit<'a>(&'a self, _: &Emission<'a>, _: &(), out: &mut Out<Summed>) {
        if self.0 != 0 {
            out.push(Summed { sum: self.0 });
        }
    }
}

#[derive(Clone, Debug)]
enum Call {
    /// Numbers with their slots, sent as selected rows of a batch or compacted.
    Accumulate(Vec<(i64, u32)>, bool),
    Merge(Vec<(u32, u32)>),
    Forget(Vec<u32>),
    /// Snapshot into a fresh instance.
    Move,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (prop::collection::vec((-2..50i64, 0..8u32), 0..20), any::<bool>())
            .prop_map(|(rows, selected)| Call::Accumulate(rows, selected)),
        prop::collection::vec((0..8u32, 0..8u32), 0..4).prop_map(Call::Merge),
        prop::collection::vec(0..8u32, 0..3).prop_map(Call::Forget),
        Just(Call::Move),
    ]
}

proptest! {
    #[test]
    fn slots_hold_what_a_map_of_sums_holds(calls in prop::collection::vec(call(), 0..20)) {
        let all: Vec<u32> = (0..8).collect();
        let (mut instance, _) = AggregatorInstance::<Sum>::new("{}", ABOUT).unwrap();
        let mut model = BTreeMap::<u32, i64>::new();
        for call in calls {
            match call {
                Call::Accumulate(rows, selected) => {
                    // Selected: the batch lies in the reverse order of the pairs.
                    let order: Vec<u32> = if selected { (0..rows.len() as u32).rev().collect() } else { vec![] };
                    let mut numbers: Vec<i64> = rows.iter().map(|(n, _)| *n).collect();
                    if selected { numbers.reverse() }
                    let slots: Vec<u32> = rows.iter().map(|(_, slot)| *slot).collect();
                    let column = OwnedColumn { values: OwnedValues::Integers(numbers.clone()), valid: vec![] };
                    let views = [column.view().unwrap()];
                    let batch = Batch { rows: rows.len() as u32, columns: &views };
                    let rejects = instance.accumulate(&batch, &order, &slots);
                    prop_assert_eq!(rejects.len(), numbers.iter().filter(|n| **n < 0).count());
                    prop_assert!(rejects.iter().all(|reject| numbers[reject.row as usize] < 0));
                    for (n, slot) in rows { *model.entry(slot).or_default() += n.max(0) }
                }
                Call::Merge(pairs) => {
                    let pairs: Vec<_> = pairs.into_iter().filter(|(into, other)| into != other).collect();
                    let (into, other): (Vec<u32>, Vec<u32>) = pairs.iter().copied().unzip();
                    instance.merge(&into, &other);
                    for (into, other) in pairs {
                        let from = model.get(&other).copied().unwrap_or(0);
                        *model.entry(into).or_default() += from;
                    }
                }
                Call::Forget(slots) => {
                    instance.forget(&slots);
                    for slot in slots { model.remove(&slot); }
                }
                Call::Move => {
                    let states = instance.snapshot(&all).unwrap();
                    instance = AggregatorInstance::new("{}", ABOUT).unwrap().0;
                    instance.restore(&all, <Sum as State>::VERSION, states.view()).unwrap();
                }
            }
        }
        let window = Window { start: 0, end: 1 };
        let emitted = &instance.emit(&all, &[window], &[], Firing::OnTime).outputs[0];
        let OwnedValues::Integers(sums) = &emitted.columns[0].values else { panic!("integers") };
        let origins = if emitted.origins.is_empty() && emitted.count > 0 { all } else { emitted.origins.clone() };
        let found: Vec<_> = origins.into_iter().zip(sums.iter().copied()).collect();
        let expected: Vec<_> = model.into_iter().filter(|(_, sum)| *sum != 0).collect();
        prop_assert_eq!(found, expected);
    }
}

#[derive(Serialize, Deserialize, State)]
struct SumV1 {
    sum: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, State)]
#[state(version = 3, from = SumV1)]
struct SumV3 {
    sum: i64,
    rows: Option<u64>,
}

impl From<SumV1> for SumV3 {
    fn from(old: SumV1) -> Self {
        SumV3 { sum: old.sum.into(), rows: None }
    }
}

#[test]
fn a_state_is_read_from_its_own_version_and_from_those_it_migrates() {
    assert_eq!((SumV3::VERSION, SumV3::restores()), (3, vec![3, 1]));
    let old = SumV1 { sum: 7 }.encode(vec![]).unwrap();
    assert_eq!(SumV3::decode(1, &old), Ok(SumV3 { sum: 7, rows: None }));
    let new = SumV3 { sum: -1, rows: Some(2) };
    assert_eq!(SumV3::decode(3, &new.encode(vec![]).unwrap()).unwrap(), new);
    assert!(SumV3::decode(2, &old).unwrap_err().contains("version 2 is not known"));
    assert!(SumV3::decode(3, &[]).unwrap_err().contains("cannot be read"));
    assert!(SumV3::decode(1, &[7, 7]).unwrap_err().contains("1 bytes too many"));
}

/// The second text is the key, the window and the firing, as the plugin was told them.
#[derive(Default, Serialize, Deserialize, State)]
struct Asked;

#[derive(Row)]
struct Told {
    told: String,
}

impl Aggregator for Asked {
    type Config = ();
    type Event<'a> = ();
    type Output<'a> = Told;
    fn empty(_: &()) -> Self {
        Asked
    }
    fn add(&mut self, _: (), _: &()) -> Result<(), Reject> {
        Ok(())
    }
    fn merge(&mut self, _: &Self) {}
    fn emit<'a>(&'a self, at: &Emission<'a>, _: &(), out: &mut Out<Told>) {
        out.push(Told { told: format!("{:?} {:?} {}", at.key.text(1), at.firing, at.window.end - at.window.start) });
    }
}

#[test]
fn an_emission_knows_its_key_window_and_firing() {
    let test = testing::aggregator::<Asked>(json!({}));
    let rows = test.emit_as(Window { start: 10, end: 30 }, Firing::Late, &["web", "EUR"]);
    assert_eq!(rows, [json!({"told": "Some(\"EUR\") Late 20"})]);
}

/// Makes an aggregator over the numbers 1 to 5 that breaks a law, and the test that `laws` finds it.
macro_rules! breaks {
    ($test:ident, $law:literal, $state:ident { $(#[$serde:meta])* value = $empty:expr }, $add:expr, $merge:expr) => {
        #[derive(Serialize, Deserialize, State)]
        struct $state {
            $(#[$serde])*
            value: i64,
        }
        impl Aggregator for $state {
            type Config = ();
            type Event<'a> = Number;
            type Output<'a> = Summed;
            fn empty(_: &()) -> Self {
                $state { value: $empty }
            }
            fn add(&mut self, number: Number, _: &()) -> Result<(), Reject> {
                self.value = $add(self.value, number.n);
                Ok(())
            }
            fn merge(&mut self, other: &Self) {
                self.value = $merge(self.value, other.value);
            }
            fn emit<'a>(&'a self, _: &Emission<'a>, _: &(), out: &mut Out<Summed>) {
                out.push(Summed { sum: self.value });
            }
        }
        #[test]
        #[should_panic(expected = $law)]
        fn $test() {
            let mut test = testing::aggregator::<$state>(json!({}));
            test.add_all((1..=5).map(|n| json!({"n": n}))).laws();
        }
    };
}

fn plus(a: i64, b: i64) -> i64 {
    a + b
}
fn last(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { b }
}

breaks!(laws_find_an_empty_state_that_counts, "identity (empty", Biased { value = 1 }, plus, plus);
breaks!(laws_find_a_merge_that_forgets, "identity (the events", Forgetful { value = 0 }, plus, |_, other| other);
breaks!(laws_find_a_merge_that_is_not_what_add_does, "split invariance", Greatest { value = 0 }, plus, i64::max);
breaks!(laws_find_a_result_that_follows_the_order, "commutativity", Last { value = 0 }, last, last);
breaks!(laws_find_a_field_that_is_not_stored, "a snapshot read back", Unstored { #[serde(skip)] value = 0 }, plus, plus);

#[test]
fn laws_hold_for_a_sum() {
    testing::aggregator::<Sum>(json!({})).add_all((1..=100).map(|n| json!({"n": n}))).laws();
}
