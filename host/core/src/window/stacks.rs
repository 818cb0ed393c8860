//! Sliding windows without merging all their panes each time: two stacks.
//!
//! Panes up to the *pivot* are the front: for each key and pane in it, the merge of that pane with all later ones up to the pivot
//! is kept. Panes after the pivot are the back: one running merge a key. A window is then at most one merge of the two. When the
//! front is used up, the back's panes become the new front. A key that late rows have changed is merged from its panes until then.

use rustc_hash::FxHashSet;

use super::States;
use super::grid::Shape;
use super::interner::{KeyId, NONE};
use super::panes::Panes;
use super::slots::{SlotPool, SlotTable};
use crate::plugin::Firing;
use crate::time::{BEGINNING, Nanos, Window};

/// Windows of fewer panes are merged from them each time.
const FEWEST_PANES: Nanos = 4;

/// The merge of one key's panes from `pane` up to the pivot.
#[derive(Clone, Copy, Debug)]
struct Suffix {
    pane: Nanos,
    slot: u32,
    /// Made here (else it is the pane's own).
    made: bool,
    /// The key's next shorter suffix.
    below: u32,
}

#[derive(Debug, Default)]
pub(super) struct Stacks {
    pivot: Nanos,
    /// Panes before this one are in a stack.
    until: Nanos,
    suffixes: Vec<Suffix>,
    /// Key id → its longest suffix still inside the window.
    top: Vec<u32>,
    back: SlotTable,
    /// Keys with a suffix or a place in the back.
    active: Vec<KeyId>,
    changed: FxHashSet<KeyId>,
}

impl Stacks {
    pub fn for_shape(shape: &Shape) -> Option<Self> {
        match shape {
            Shape::Sliding { size, panes, .. } if size / panes.step >= FEWEST_PANES => {
                Some(Stacks { pivot: BEGINNING, until: BEGINNING, ..Stacks::default() })
            }
            _ => None,
        }
    }

    /// A row has come into a pane after it was put on a stack.
    pub fn note_change(&mut self, pane: Window, key: KeyId) {
        if pane.start < self.until {
            self.changed.insert(key);
        }
    }

    /// Emits `window` on time; windows come in the order of their ends.
    pub fn fire<S: States>(
        &mut self,
        window: Window,
        every: Nanos,
        panes: &mut Panes,
        states: &mut S,
    ) -> Result<(), S::Error> {
        let mut gather = std::mem::take(&mut panes.gather);
        gather.found.clear();
        if window.start >= self.pivot {
            self.turn(window, panes, states)?;
        } else {
            self.push(window, panes, states)?;
        }
        self.results(window, every, &mut gather.found, &mut panes.slots, states)?;
        panes.slots.run_merges(states)?;
        gather.emit_found((window, Firing::OnTime, None), &panes.keys, states)?;
        panes.gather = gather;
        if !self.changed.is_empty() {
            let mut keys: Vec<KeyId> = self.changed.iter().copied().collect();
            keys.sort_unstable();
            panes.fire(0, window, Some(&keys), Firing::OnTime, states)?;
        }
        Ok(())
    }

    /// Makes all panes of `window` the front.
    fn turn<S: States>(&mut self, window: Window, panes: &mut Panes, states: &mut S) -> Result<(), S::Error> {
        let Panes { levels, slots, keys, .. } = panes;
        self.suffixes
            .iter()
            .filter(|suffix| suffix.made && suffix.pane != BEGINNING)
            .for_each(|s| slots.forget(s.slot));
        self.back.entries().iter().for_each(|&(_, slot)| slots.forget(slot));
        self.suffixes.clear();
        self.back.reset();
        self.top.clear();
        self.top.resize(keys.ids(), NONE);
        self.active.clear();
        self.changed.clear();
        (self.pivot, self.until) = (window.end, window.end);
        let cells: Vec<_> = levels[0].within(window).collect();
        for cell in cells.into_iter().rev() {
            for &(key, slot) in cell.table.entries() {
                let below = self.top[key as usize];
                let mut suffix = Suffix { pane: cell.window.start, slot, made: false, below };
                if below == NONE {
                    self.active.push(key);
                } else {
                    (suffix.slot, suffix.made) = (slots.take(), true);
                    slots.merge(suffix.slot, self.suffixes[below as usize].slot, states)?;
                    slots.merge(suffix.slot, slot, states)?;
                }
                self.top[key as usize] = self.suffixes.len() as u32;
                self.suffixes.push(suffix);
            }
        }
        Ok(())
    }

    /// Puts the panes that `window` has and the one before had not on the back.
    fn push<S: States>(&mut self, window: Window, panes: &mut Panes, states: &mut S) -> Result<(), S::Error> {
        let Panes { levels, slots, keys, .. } = panes;
        self.top.resize(keys.ids().max(self.top.len()), NONE);
        for cell in levels[0].within(Window { start: self.until, end: window.end }) {
            for &(key, slot) in cell.table.entries() {
                let mut own = self.back.get(key);
                if own == NONE {
                    own = slots.take();
                    self.back.insert(key, own);
                    if self.top[key as usize] == NONE {
                        self.active.push(key);
                    }
                }
                slots.merge(own, slot, states)?;
            }
        }
        self.until = window.end;
        Ok(())
    }

    /// The state of each unchanged key over `window`; suffixes that start before it are dropped.
    fn results<S: States>(
        &mut self,
        window: Window,
        every: Nanos,
        found: &mut Vec<(KeyId, u32)>,
        slots: &mut SlotPool,
        states: &mut S,
    ) -> Result<(), S::Error> {
        let next_start = window.start.saturating_add(every);
        let mut active = std::mem::take(&mut self.active);
        let mut kept = 0;
        for at in 0..active.len() {
            let key = active[at];
            let top = self.drop_before(key, window.start, slots);
            let back = self.back.get(key);
            if top == NONE && back == NONE {
                continue;
            }
            active[kept] = key;
            kept += 1;
            if self.changed.contains(&key) {
                continue;
            }
            if top == NONE {
                found.push((key, back));
                continue;
            }
            let suffix = self.suffixes[top as usize];
            if back == NONE {
                found.push((key, suffix.slot));
            } else if suffix.made && suffix.pane < next_start {
                // No later window wants this suffix: it may be spoilt.
                slots.merge(suffix.slot, back, states)?;
                found.push((key, suffix.slot));
            } else {
                let slot = slots.take();
                slots.merge(slot, suffix.slot, states)?;
                slots.merge(slot, back, states)?;
                slots.forget(slot);
                found.push((key, slot));
            }
        }
        active.truncate(kept);
        self.active = active;
        Ok(())
    }

    fn drop_before(&mut self, key: KeyId, start: Nanos, slots: &mut SlotPool) -> u32 {
        let mut top = self.top[key as usize];
        while top != NONE {
            let suffix = &mut self.suffixes[top as usize];
            if suffix.pane >= start {
                break;
            }
            if suffix.made {
                slots.forget(suffix.slot);
                suffix.pane = BEGINNING;
            }
            top = suffix.below;
        }
        self.top[key as usize] = top;
        top
    }

    /// Lets go of all when no pane is left.
    pub fn clear(&mut self, slots: &mut SlotPool) {
        self.suffixes
            .iter()
            .filter(|suffix| suffix.made && suffix.pane != BEGINNING)
            .for_each(|s| slots.forget(s.slot));
        self.back.entries().iter().for_each(|&(_, slot)| slots.forget(slot));
        *self = Stacks { pivot: BEGINNING, until: BEGINNING, ..Stacks::default() };
    }
}
