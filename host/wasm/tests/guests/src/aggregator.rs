//! Sums an integer by slot, or answers with one mistake.

wit_bindgen::generate!({ world: "aggregator", path: "../../../../wit/v0.1" });

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use exports::wasmill::plugin::aggregate::{Firing, Guest as AggregateGuest};
use exports::wasmill::plugin::state::{Guest as StateGuest, StateVersions};
use wasmill::plugin::types::*;

use crate::{harm, mode, set_mode};

static SUMS: Mutex<BTreeMap<u32, i64>> = Mutex::new(BTreeMap::new());
/// Bytes of a state and of a result when the mode is "large": more than 8192 of them fit in one answer.
const LARGE: usize = 4096;

fn sums() -> MutexGuard<'static, BTreeMap<u32, i64>> {
    SUMS.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Sum;
export!(Sum);

impl AggregateGuest for Sum {
    fn configure(config: String) -> Result<Descriptor, String> {
        set_mode(&config);
        let read = Field {
            name: "amount".to_owned(),
            path: "amount".to_owned(),
            kind: Kind::Integer,
            optional: false,
            repeated: false,
            dictionary: false,
        };
        let field = |name: &str, kind| OutputField {
            name: name.to_owned(),
            kind,
            optional: false,
            repeated: false,
            role: Role::Field,
            unit: String::new(),
            doc: String::new(),
        };
        let fields = vec![field("sum", Kind::Integer), field("padding", Kind::Text), field("key", Kind::Integer)];
        Ok(Descriptor {
            name: "sum".to_owned(),
            version: "1.0.0".to_owned(),
            doc: String::new(),
            reads: vec![read],
            outputs: vec![Output { name: "out".to_owned(), fields, extends: mode() == "extends" }],
            options: vec![],
        })
    }

    /// 13 traps, 14 loops, 15 takes all memory, negative amounts are rejected.
    fn accumulate(input: Batch, rows: Vec<u32>, slots: Vec<u32>) -> Result<Vec<Reject>, String> {
        let Values::Integers(amounts) = &input.columns[0].values else { panic!("the amount is no integer") };
        if amounts.len() > 8192 || slots.len() > 8192 {
            return Err(format!("{} rows and {} pairs in one call", amounts.len(), slots.len()));
        }
        let mut rejects = vec![];
        for (i, &slot) in slots.iter().enumerate() {
            let row = rows.get(i).map_or(i as u32, |&row| row);
            match amounts[row as usize] {
                13 => harm::explode(),
                14 => harm::spin(),
                15 => harm::grow(),
                amount if amount < 0 => rejects.push(Reject { row, reason: "negative".to_owned() }),
                amount => *sums().entry(slot).or_default() += amount,
            }
        }
        if mode() == "reject-range" {
            rejects.push(Reject { row: input.rows, reason: String::new() });
        }
        Ok(rejects)
    }

    fn merge(into: Vec<u32>, other: Vec<u32>) -> Result<(), String> {
        if into.len() > 8192 {
            return Err(format!("{} pairs in one call", into.len()));
        }
        let mut sums = sums();
        for (into, other) in into.into_iter().zip(other) {
            let other = sums.get(&other).copied().unwrap_or_default();
            *sums.entry(into).or_default() += other;
        }
        Ok(())
    }

    /// Slots whose sum is odd have two rows, but in the mode "single". `key` is 0 where the first key is no integer.
    fn emit(slots: Vec<u32>, windows: Vec<Window>, keys: Vec<Column>, _: Firing) -> Result<Results, String> {
        if slots.len() > 8192 || (windows.len() != 1 && windows.len() != slots.len()) {
            return Err(format!("{} slots and {} windows in one call", slots.len(), windows.len()));
        }
        let (mut origins, mut values, mut numbers) = (vec![], vec![], vec![]);
        let mut padding = Strings { ends: vec![], data: vec![] };
        for (position, slot) in slots.iter().enumerate() {
            let sum = sums().get(slot).copied().unwrap_or_default();
            for _ in 0..if mode() == "single" { 1 } else { 1 + sum % 2 } {
                origins.push(position as u32);
                values.push(sum);
                numbers.push(match keys.first().map(|key| &key.values) {
                    Some(Values::Integers(keys)) => keys[position],
                    _ => 0,
                });
                padding.data.extend(std::iter::repeat_n(b'.', if mode() == "large" { LARGE } else { 0 }));
                padding.ends.push(padding.data.len() as u32);
            }
        }
        if mode() == "origins-range" {
            origins.iter_mut().for_each(|origin| *origin += 1);
        }
        let column = |values| Column { values, valid: vec![] };
        let columns =
            vec![column(Values::Integers(values)), column(Values::Texts(padding)), column(Values::Integers(numbers))];
        Ok(Results { outputs: vec![Emitted { count: origins.len() as u32, origins, columns }], rejects: vec![] })
    }
}

impl StateGuest for Sum {
    fn versions() -> StateVersions {
        StateVersions { writes: 2, restores: if mode() == "versions" { vec![1] } else { vec![1, 2] } }
    }

    fn snapshot(slots: Vec<u32>) -> Result<Strings, String> {
        let mut states = Strings { ends: vec![], data: vec![] };
        for slot in &slots {
            let sum = sums().get(slot).copied().unwrap_or_default();
            states.data.extend(sum.to_le_bytes());
            states.data.extend(std::iter::repeat_n(0, if mode() == "large" { LARGE } else { 0 }));
            states.ends.push(states.data.len() as u32);
        }
        if mode() == "states" {
            states.ends.pop();
        }
        Ok(states)
    }

    fn restore(slots: Vec<u32>, version: u32, states: Strings) -> Result<(), String> {
        if version != 2 || slots.len() > 8192 || (slots.len() > 1 && states.data.len() > 1 << 20) {
            return Err(format!("{} slots, {} bytes, version {version}", slots.len(), states.data.len()));
        }
        let starts = std::iter::once(0).chain(states.ends.iter().copied());
        for (slot, start) in slots.into_iter().zip(starts) {
            let mut sum = [0; 8];
            sum.copy_from_slice(&states.data[start as usize..start as usize + 8]);
            sums().insert(slot, i64::from_le_bytes(sum));
        }
        Ok(())
    }

    fn forget(slots: Vec<u32>) {
        for slot in slots {
            sums().remove(&slot);
        }
    }
}
