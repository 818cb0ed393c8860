//! Group keys as dense numbers: hashed once, compared as two words when short, numbers reused when nothing holds the key.

use std::hash::{BuildHasher, RandomState};

use crate::batch::{Column, Strings, Values};

/// The dense number of a key. Meaningful while something holds it.
pub(super) type KeyId = u32;
/// No key, no slot.
pub(super) const NONE: u32 = u32::MAX;

/// Up to this length a key's bytes are its two words; longer ones keep their bytes beside.
const SHORT: usize = 16;
const FIRST_TABLE: usize = 1024;

#[derive(Debug, Default)]
struct Entry {
    words: (u64, u64),
    len: u32,
    /// Low half of the hash: where in the table it wants to be.
    home: u32,
    long: Option<Box<[u8]>>,
}

/// Keys with one part are kept as they are, others with each part's length before it.
#[derive(Debug)]
pub(super) struct Interner {
    parts: usize,
    /// (high half of the hash, id), linear probing, at most half full.
    table: Vec<(u32, KeyId)>,
    entries: Vec<Entry>,
    /// How many panes and sessions hold each key.
    holders: Vec<u32>,
    free: Vec<KeyId>,
    /// Keys met in this batch for the first time: those that nothing has come to hold are dropped by [`Interner::sweep`].
    fresh: Vec<KeyId>,
    seeds: (u64, u64),
    composite: Vec<u8>,
}

impl Interner {
    pub fn new(parts: usize) -> Self {
        let random = RandomState::new();
        Interner {
            parts,
            table: vec![(0, NONE); FIRST_TABLE],
            entries: Vec::new(),
            holders: Vec::new(),
            free: Vec::new(),
            fresh: Vec::new(),
            seeds: (random.hash_one(1u8), random.hash_one(2u8)),
            composite: Vec::new(),
        }
    }

    /// One more than the largest id in use.
    pub fn ids(&self) -> usize {
        self.entries.len()
    }

    /// The ids of `rows`, in their order. `keys`: one a part.
    pub fn intern_rows(&mut self, keys: &[&Strings], rows: &[u32], ids: &mut Vec<KeyId>) {
        debug_assert_eq!(keys.len(), self.parts);
        ids.clear();
        match keys {
            [] => {
                if !rows.is_empty() {
                    let id = self.intern(&[]);
                    ids.resize(rows.len(), id);
                }
            }
            [key] => ids.extend(rows.iter().map(|&row| self.intern(key.get(row as usize)))),
            _ => {
                let mut composite = std::mem::take(&mut self.composite);
                ids.extend(rows.iter().map(|&row| {
                    composite.clear();
                    for key in keys {
                        let part = key.get(row as usize);
                        composite.extend_from_slice(&(part.len() as u32).to_le_bytes());
                        composite.extend_from_slice(part);
                    }
                    self.intern(&composite)
                }));
                self.composite = composite;
            }
        }
    }

    #[inline]
    fn intern(&mut self, key: &[u8]) -> KeyId {
        let words = words(key);
        let hash = self.hash(words, key);
        let (tag, mask) = ((hash >> 32) as u32, self.table.len() - 1);
        let mut at = hash as usize & mask;
        loop {
            let (found, id) = self.table[at];
            if id == NONE {
                return self.insert(key, words, hash, at);
            }
            if found == tag && self.is(id, words, key) {
                return id;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    fn is(&self, id: KeyId, words: (u64, u64), key: &[u8]) -> bool {
        let entry = &self.entries[id as usize];
        entry.words == words
            && entry.len as usize == key.len()
            && (key.len() <= SHORT || entry.long.as_deref() == Some(key))
    }

    #[inline]
    fn hash(&self, words: (u64, u64), key: &[u8]) -> u64 {
        let mut hash = fold(words.0 ^ self.seeds.0 ^ key.len() as u64, words.1 ^ self.seeds.1);
        if key.len() > SHORT {
            for chunk in key.chunks(SHORT) {
                let (a, b) = self::words(chunk);
                hash = fold(hash ^ a, b ^ self.seeds.1);
            }
        }
        hash
    }

    #[cold]
    fn insert(&mut self, key: &[u8], words: (u64, u64), hash: u64, at: usize) -> KeyId {
        let long = (key.len() > SHORT).then(|| key.into());
        let entry = Entry { words, len: key.len() as u32, home: hash as u32, long };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                self.holders.push(0);
                (self.entries.len() - 1) as KeyId
            }
        };
        self.table[at] = ((hash >> 32) as u32, id);
        self.fresh.push(id);
        if (self.entries.len() - self.free.len()) * 2 > self.table.len() {
            self.grow();
        }
        id
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        let old = std::mem::replace(&mut self.table, vec![(0, NONE); mask + 1]);
        for (tag, id) in old.into_iter().filter(|(_, id)| *id != NONE) {
            let mut at = self.entries[id as usize].home as usize & mask;
            while self.table[at].1 != NONE {
                at = (at + 1) & mask;
            }
            self.table[at] = (tag, id);
        }
    }

    #[inline]
    pub fn hold(&mut self, id: KeyId) {
        self.holders[id as usize] += 1;
    }

    /// The last release frees the id.
    #[inline]
    pub fn release(&mut self, id: KeyId) {
        let holders = &mut self.holders[id as usize];
        *holders -= 1;
        if *holders == 0 {
            self.remove(id);
        }
    }

    /// Drops the keys that were met since the last sweep and that nothing holds (all their rows were late).
    pub fn sweep(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        for id in fresh.drain(..) {
            if self.holders[id as usize] == 0 && self.entries[id as usize].len != NONE {
                self.remove(id);
            }
        }
        self.fresh = fresh;
    }

    /// Takes `id` out of the table and closes the hole it leaves in the probe sequences.
    fn remove(&mut self, id: KeyId) {
        let mask = self.table.len() - 1;
        let mut hole = self.entries[id as usize].home as usize & mask;
        while self.table[hole].1 != id {
            hole = (hole + 1) & mask;
        }
        let mut at = (hole + 1) & mask;
        while self.table[at].1 != NONE {
            let home = self.entries[self.table[at].1 as usize].home as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.table[hole] = self.table[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.table[hole] = (0, NONE);
        self.entries[id as usize] = Entry { len: NONE, ..Entry::default() };
        self.free.push(id);
    }

    /// The key columns of `ids`, one a part, one row an id.
    pub fn columns(&self, ids: impl Iterator<Item = KeyId> + Clone) -> Vec<Column> {
        let mut columns = vec![Strings::default(); self.parts];
        let mut short = [0; SHORT];
        for id in ids {
            let mut rest = self.bytes(id, &mut short);
            if let [only] = columns.as_mut_slice() {
                only.push(rest);
                continue;
            }
            for column in &mut columns {
                let Some((len, tail)) = rest.split_first_chunk::<4>() else { break };
                let (part, tail) = tail.split_at(u32::from_le_bytes(*len) as usize);
                column.push(part);
                rest = tail;
            }
        }
        columns.into_iter().map(|strings| Column::new(Values::Texts(strings))).collect()
    }

    fn bytes<'a>(&'a self, id: KeyId, short: &'a mut [u8; SHORT]) -> &'a [u8] {
        let entry = &self.entries[id as usize];
        match &entry.long {
            Some(long) => long,
            None => unpack(entry.words, entry.len as usize, short),
        }
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = (a ^ 0x9e37_79b9_7f4a_7c15) as u128 * (b ^ 0xe703_7ed1_a0b4_28db) as u128;
    product as u64 ^ (product >> 64) as u64
}

#[inline]
fn u64_at(key: &[u8], at: usize) -> u64 {
    key[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
fn u32_at(key: &[u8], at: usize) -> u64 {
    key[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as u64)
}

/// A key's bytes as two words: all of them up to [`SHORT`], the first and last eight beyond. Words of keys of one length are
/// equal only if these bytes are.
#[inline]
fn words(key: &[u8]) -> (u64, u64) {
    match key.len() {
        0 => (0, 0),
        n @ 1..=3 => (key[0] as u64 | (key[n / 2] as u64) << 8 | (key[n - 1] as u64) << 16, 0),
        n @ 4..=7 => (u32_at(key, 0) | u32_at(key, n - 4) << 32, 0),
        n => (u64_at(key, 0), u64_at(key, n - 8)),
    }
}

/// The inverse of [`words`] for a short key.
fn unpack((a, b): (u64, u64), len: usize, to: &mut [u8; SHORT]) -> &[u8] {
    let bytes = a.to_le_bytes();
    match len {
        0 => {}
        1..=3 => {
            to[0] = bytes[0];
            to[len / 2] = bytes[1];
            to[len - 1] = bytes[2];
        }
        4..=7 => {
            to[..4].copy_from_slice(&bytes[..4]);
            to[len - 4..len].copy_from_slice(&bytes[4..]);
        }
        _ => {
            to[..8].copy_from_slice(&bytes);
            to[len - 8..len].copy_from_slice(&b.to_le_bytes());
        }
    }
    &to[..len]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn texts(values: &[Vec<u8>]) -> Strings {
        let mut strings = Strings::default();
        values.iter().for_each(|value| strings.push(value));
        strings
    }

    proptest! {
        #[test]
        fn equal_keys_share_an_id_and_come_back_as_they_were(
            keys in prop::collection::vec(prop::collection::vec(0u8..3, 0..40), 1..200),
            others in prop::collection::vec(prop::collection::vec(0u8..2, 0..3), 200),
        ) {
            let (a, b) = (texts(&keys), texts(&others[..keys.len()]));
            let rows: Vec<u32> = (0..keys.len() as u32).collect();
            let mut interner = Interner::new(2);
            let mut ids = Vec::new();
            interner.intern_rows(&[&a, &b], &rows, &mut ids);
            let columns = interner.columns(ids.iter().copied());
            prop_assert_eq!(&columns[0].values, &Values::Texts(a));
            prop_assert_eq!(&columns[1].values, &Values::Texts(b));
            let mut seen = HashMap::new();
            for (pair, id) in keys.iter().zip(&others).zip(&ids) {
                prop_assert_eq!(seen.entry(pair).or_insert(*id), id);
            }
            prop_assert_eq!(seen.values().collect::<std::collections::HashSet<_>>().len(), seen.len());
        }

        #[test]
        fn ids_of_released_keys_are_reused_and_the_others_stay(rounds in prop::collection::vec(prop::collection::vec(0u32..3000, 1..300), 1..20)) {
            let mut interner = Interner::new(1);
            let mut held: HashMap<u32, KeyId> = HashMap::new();
            let mut most = 0;
            for round in rounds {
                let keys = texts(&round.iter().map(|k| k.to_string().into_bytes()).collect::<Vec<_>>());
                let rows: Vec<u32> = (0..round.len() as u32).collect();
                let mut ids = Vec::new();
                interner.intern_rows(&[&keys], &rows, &mut ids);
                most = most.max(held.len() + round.iter().collect::<std::collections::HashSet<_>>().len());
                for (key, id) in round.iter().zip(&ids) {
                    if let Some(known) = held.get(key) {
                        prop_assert_eq!(known, id);
                    } else if key % 3 != 0 {
                        interner.hold(*id);
                        held.insert(*key, *id);
                    }
                }
                interner.sweep();
                for key in round.iter().filter(|k| *k % 2 == 0) {
                    if let Some(id) = held.remove(key) {
                        interner.release(id);
                    }
                }
            }
            prop_assert!(interner.ids() <= most);
        }
    }
}
