//! Slots: which are free, which a pane's keys have, and the aggregator calls that are saved up to be made together.

use rustc_hash::FxHashMap;

use super::States;
use super::error::{FORGET_SLOTS, MERGE_PAIRS};
use super::interner::{Interner, KeyId, NONE};

/// Hands out slots and collects merges and forgets, so that each is one call for many slots.
#[derive(Debug, Default)]
pub(super) struct SlotPool {
    free: Vec<u32>,
    next: u32,
    into: Vec<u32>,
    other: Vec<u32>,
    forgotten: Vec<u32>,
}

impl SlotPool {
    /// A slot that holds the empty state.
    #[inline]
    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// The slots in use, rising.
    pub fn in_use(&self) -> Vec<u32> {
        let mut used = vec![true; self.next as usize];
        self.free.iter().for_each(|slot| used[*slot as usize] = false);
        (0..self.next).filter(|slot| used[*slot as usize]).collect()
    }

    /// How many slots are in use.
    pub fn used(&self) -> usize {
        self.next as usize - self.free.len()
    }

    /// Queues `into ← other`. Merges run in the order they were queued.
    #[inline]
    pub fn merge<S: States>(&mut self, into: u32, other: u32, states: &mut S) -> Result<(), S::Error> {
        self.into.push(into);
        self.other.push(other);
        if self.into.len() >= MERGE_PAIRS { self.run_merges(states) } else { Ok(()) }
    }

    /// Queues that `slot` is needed no more once the queued merges have run.
    #[inline]
    pub fn forget(&mut self, slot: u32) {
        self.forgotten.push(slot);
    }

    pub fn run_merges<S: States>(&mut self, states: &mut S) -> Result<(), S::Error> {
        if !self.into.is_empty() {
            states.merge(&self.into, &self.other)?;
            self.into.clear();
            self.other.clear();
        }
        Ok(())
    }

    /// Runs all that is queued once there is much to forget, so that a long way does not pile up slots.
    pub fn settle_much<S: States>(&mut self, states: &mut S) -> Result<(), S::Error> {
        if self.forgotten.len() >= FORGET_SLOTS { self.settle(states) } else { Ok(()) }
    }

    /// Runs all that is queued.
    pub fn settle<S: States>(&mut self, states: &mut S) -> Result<(), S::Error> {
        self.run_merges(states)?;
        for slots in self.forgotten.chunks(FORGET_SLOTS) {
            states.forget(slots)?;
        }
        self.free.append(&mut self.forgotten);
        Ok(())
    }
}

/// Below this many ids a table is always an array.
const ALWAYS_DENSE: usize = 4096;
/// A map becomes an array once it has one key in so many ids; an array becomes a map at half of that.
const SPARSENESS: usize = 8;

/// Key id → slot, for one pane: an array while its keys are many among all ids, a hash map when they are few.
#[derive(Debug, Default)]
pub(super) struct SlotTable {
    dense: Vec<u32>,
    sparse: FxHashMap<KeyId, u32>,
    is_sparse: bool,
    /// One more than the largest key that came while the table was sparse.
    keys: usize,
    entries: Vec<(KeyId, u32)>,
}

impl SlotTable {
    /// [`NONE`] where the key has no slot.
    #[inline]
    pub fn get(&self, key: KeyId) -> u32 {
        if self.is_sparse {
            self.sparse.get(&key).copied().unwrap_or(NONE)
        } else {
            self.dense.get(key as usize).copied().unwrap_or(NONE)
        }
    }

    /// The key must have none yet. The caller holds the key.
    #[inline(never)]
    pub fn insert(&mut self, key: KeyId, slot: u32) {
        self.entries.push((key, slot));
        if !self.is_sparse && key as usize >= self.dense.len() {
            self.widen(key);
        }
        if !self.is_sparse {
            self.dense[key as usize] = slot;
            return;
        }
        self.sparse.insert(key, slot);
        self.keys = self.keys.max(key as usize + 1);
        if self.keys <= SPARSENESS * self.entries.len() {
            self.fill_dense();
        }
    }

    fn fill_dense(&mut self) {
        self.is_sparse = false;
        self.sparse = FxHashMap::default();
        self.dense.clear();
        self.dense.resize(self.keys.next_power_of_two(), NONE);
        for &(key, slot) in &self.entries {
            self.dense[key as usize] = slot;
        }
    }

    fn widen(&mut self, key: KeyId) {
        let needed = (key as usize + 1).next_power_of_two().max(64);
        if needed > ALWAYS_DENSE && needed > 2 * SPARSENESS * self.entries.len() {
            self.is_sparse = true;
            self.dense = Vec::new();
            self.sparse = self.entries.iter().copied().filter(|(other, _)| *other != key).collect();
            self.keys = key as usize + 1;
        } else {
            self.dense.resize(needed, NONE);
        }
    }

    /// The slot of `key`, a fresh one if it has none.
    #[inline]
    pub fn slot(&mut self, key: KeyId, keys: &mut Interner, slots: &mut SlotPool) -> u32 {
        let found = self.get(key);
        if found != NONE {
            return found;
        }
        let slot = slots.take();
        keys.hold(key);
        self.insert(key, slot);
        slot
    }

    /// In the order in which the keys came.
    pub fn entries(&self) -> &[(KeyId, u32)] {
        &self.entries
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets every slot and lets go of every key; the table is empty and keeps its room.
    pub fn clear(&mut self, keys: &mut Interner, slots: &mut SlotPool) {
        for &(key, slot) in &self.entries {
            slots.forget(slot);
            keys.release(key);
        }
        self.reset();
    }

    /// Empties the table; slots and keys are somebody else's.
    pub fn reset(&mut self) {
        for &(key, _) in &self.entries {
            if let Some(place) = self.dense.get_mut(key as usize) {
                *place = NONE;
            }
        }
        self.sparse = FxHashMap::default();
        self.is_sparse = false;
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn a_table_is_a_map_whether_its_keys_are_few_or_many(
            rounds in prop::collection::vec((prop::collection::vec(0u32..60_000, 1..50), 0u32..20_000), 1..4),
        ) {
            let mut table = SlotTable::default();
            for (scattered, dense) in rounds {
                let mut model = HashMap::new();
                for key in scattered.into_iter().chain(0..dense) {
                    if !model.contains_key(&key) {
                        prop_assert_eq!(table.get(key), NONE);
                        let slot = model.len() as u32;
                        table.insert(key, slot);
                        model.insert(key, slot);
                    }
                }
                prop_assert!((0..60_000).all(|key| table.get(key) == model.get(&key).copied().unwrap_or(NONE)));
                prop_assert_eq!(table.entries().len(), model.len());
                table.reset();
            }
        }
    }
}
