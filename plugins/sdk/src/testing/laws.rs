//! What the host relies on when it keeps panes, merges partitions and restarts.

use serde_json::Value;

use super::{ABOUT, accumulate, emit};
use crate::schema::Descriptor;
use crate::{Aggregator, AggregatorInstance, Firing, Reject, Window};

/// Every cut of the first so many events is tried, so that long tests stay quick.
const CUTS: usize = 64;
/// How far floats may lie apart, relative to the greater: merging adds them up in another order.
const TOLERANCE: f64 = 1e-9;

pub fn check<A: Aggregator>(config: &str, events: &[Value]) {
    let (instance, descriptor) = match AggregatorInstance::<A>::new(config, ABOUT) {
        Ok(configured) => configured,
        Err(error) => panic!("the plugin refuses its configuration: {error}"),
    };
    let mut bench = Bench { instance, descriptor, next: 0 };
    bench.identity(events);
    for cut in 0..=events.len().min(CUTS) {
        let (left, right) = events.split_at(cut);
        bench.splits("the events before and after a cut", events, left, right);
    }
    let even: Vec<Value> = events.iter().step_by(2).cloned().collect();
    let odd: Vec<Value> = events.iter().skip(1).step_by(2).cloned().collect();
    bench.splits("every other event", events, &even, &odd);
    bench.associativity(events);
    bench.round_trip(events);
}

/// An instance whose slots are used up one after the other.
struct Bench<A: Aggregator> {
    instance: AggregatorInstance<A>,
    descriptor: Descriptor,
    next: u32,
}

impl<A: Aggregator> Bench<A> {
    /// A slot that holds these events.
    fn fold(&mut self, events: &[Value]) -> u32 {
        let slot = self.next;
        self.next += 1;
        for event in events {
            if let Err(Reject(reason)) = accumulate(&mut self.instance, &self.descriptor, event, slot) {
                panic!("an event that was added once is rejected later: {reason}");
            }
        }
        slot
    }

    fn rows(&self, slot: u32) -> Vec<Value> {
        emit(&self.instance, &self.descriptor, slot, Window { start: 0, end: 60_000_000_000 }, Firing::OnTime, &[])
    }

    fn same(&self, law: &str, expected: u32, found: u32) {
        let (expected, found) = (self.rows(expected), self.rows(found));
        if !alike(&Value::from(expected.clone()), &Value::from(found.clone())) {
            let show = |rows: Vec<Value>| serde_json::to_string_pretty(&rows).unwrap_or_default();
            panic!("{law} does not hold\nexpected {}\nfound {}", show(expected), show(found));
        }
    }

    fn identity(&mut self, events: &[Value]) {
        let whole = self.fold(events);
        let (left, right) = (self.fold(&[]), self.fold(events));
        // A merge with a slot that was never written is skipped, so the empty state is made to be one.
        self.store_and_load(left, left);
        self.instance.merge(&[left], &[whole]);
        self.same("identity (empty merged with the events)", whole, left);
        let empty = self.fold(&[]);
        self.store_and_load(empty, empty);
        self.instance.merge(&[right], &[empty]);
        self.same("identity (the events merged with empty)", whole, right);
    }

    fn splits(&mut self, how: &str, events: &[Value], left: &[Value], right: &[Value]) {
        let whole = self.fold(events);
        let (ab, b) = (self.fold(left), self.fold(right));
        let (ba, a) = (self.fold(right), self.fold(left));
        let untouched = self.fold(right);
        self.instance.merge(&[ab], &[b]);
        self.same("`merge` leaving its operand as it was", untouched, b);
        self.same(&format!("split invariance ({how})"), whole, ab);
        self.instance.merge(&[ba], &[a]);
        self.same(&format!("commutativity ({how})"), ab, ba);
    }

    fn associativity(&mut self, events: &[Value]) {
        let third = events.len() / 3;
        let (first, rest) = events.split_at(third);
        let (second, last) = rest.split_at(third.min(rest.len()));
        let (ab_c, b, c) = (self.fold(first), self.fold(second), self.fold(last));
        let (a_bc, bc) = (self.fold(first), self.fold(second));
        self.instance.merge(&[ab_c, ab_c], &[b, c]);
        self.instance.merge(&[bc, a_bc], &[c, bc]);
        self.same("associativity", ab_c, a_bc);
    }

    fn round_trip(&mut self, events: &[Value]) {
        let (whole, restored) = (self.fold(events), self.fold(&[]));
        self.store_and_load(whole, restored);
        self.same("a snapshot read back", whole, restored);
        let (first, second) = events.split_at(events.len() / 2);
        let half = self.fold(first);
        self.store_and_load(half, half);
        for event in second {
            if let Err(Reject(reason)) = accumulate(&mut self.instance, &self.descriptor, event, half) {
                panic!("a state read back rejects what it took before: {reason}");
            }
        }
        self.same("a snapshot read back and gone on with", whole, half);
    }

    fn store_and_load(&mut self, from: u32, into: u32) {
        let loaded = self
            .instance
            .snapshot(&[from])
            .and_then(|states| self.instance.restore(&[into], A::VERSION, states.view()));
        if let Err(error) = loaded {
            panic!("a snapshot cannot be read back: {error}");
        }
    }
}

fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| alike(value, other)))
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            match (one.as_f64(), other.as_f64()) {
                (Some(one), Some(other)) => {
                    (one - other).abs() <= TOLERANCE * one.abs().max(other.abs()).max(TOLERANCE)
                }
                _ => one == other,
            }
        }
        _ => one == other,
    }
}
