//! Sessions of keys that are spread over partitions, the partitions' side: rows become *pieces*, which the exchange joins
//! (`session_joins.rs`).
//!
//! - A row is late if `time + lateness <= watermark` of the rows before it in its partition. That is all that decides: no session
//!   has to be open for it. So what comes out is a function of the rows that are not late, however partitions are interleaved; and
//!   `lateness` is how long sessions wait for rows behind the watermark.
//! - A piece is rows of one key with less than `gap` between neighbours, on one side of each line (see `sessions.rs`): whatever
//!   the other partitions hold, these rows are in one session.
//! - Up to `settled = watermark - lateness` every row that counts has come. Pieces that begin by then are handed over; rows that
//!   come later make new pieces, which begin after it.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{EMIT_SLOTS, MAX_SLOTS, WindowError};
use super::interner::{Interner, KeyId, NONE};
use super::marks::{MarkId, Marks};
use super::session_rule::Rule;
use super::slots::SlotPool;
use super::{Closed, Input, SessionPieces, States};
use crate::batch::{Column, Strings, Values};
use crate::time::{END, Nanos, Window};

/// How far event time is complete: no row at or before it counts any more.
pub(super) fn settled(watermark: Nanos, lateness: Nanos) -> Nanos {
    if watermark == END { END } else { watermark.saturating_sub(lateness) }
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    key: KeyId,
    first: Nanos,
    last: Nanos,
    slot: u32,
    /// The key's pieces before and after this one.
    earlier: u32,
    later: u32,
    /// The first batch with a row of it.
    mark: MarkId,
}

#[derive(Debug)]
pub(super) struct Pieces {
    rule: Rule,
    lateness: Nanos,
    keys: Interner,
    slots: SlotPool,
    pub marks: Marks,
    pieces: Vec<Piece>,
    vacant: Vec<u32>,
    /// Key id → its latest piece.
    heads: Vec<u32>,
    /// (first, piece).
    order: BTreeSet<(Nanos, u32)>,
    /// Marks of pieces that were handed over, with the latest `first` among those of each.
    handed: BTreeMap<MarkId, Nanos>,
    /// Buffers, reused.
    ids: Vec<KeyId>,
    rows: Vec<u32>,
    row_slots: Vec<u32>,
    /// Pairs to merge when the batch's rows have been folded.
    merges: Vec<(u32, u32)>,
}

impl Pieces {
    pub fn new(rule: Rule, lateness: Nanos, key_parts: usize) -> Self {
        Pieces {
            rule,
            lateness,
            keys: Interner::new(key_parts),
            slots: SlotPool::default(),
            marks: Marks::default(),
            pieces: Vec::new(),
            vacant: Vec::new(),
            heads: Vec::new(),
            order: BTreeSet::new(),
            handed: BTreeMap::new(),
            ids: Vec::new(),
            rows: Vec::new(),
            row_slots: Vec::new(),
            merges: Vec::new(),
        }
    }

    pub fn fold<S: States>(&mut self, input: &Input<'_>, states: &mut S, late: &mut Vec<u32>) -> Result<(), S::Error> {
        let mut ids = std::mem::take(&mut self.ids);
        self.keys.intern_rows(input.keys, input.rows, &mut ids);
        self.heads.resize(self.keys.ids().max(self.heads.len()), NONE);
        self.rows.clear();
        self.row_slots.clear();
        let mark = self.marks.open(input.mark());
        let mut walk = input.progress.walk();
        for (&row, &id) in input.rows.iter().zip(&ids) {
            let time = input.times[row as usize];
            if time.saturating_add(self.lateness) <= walk.at(input.source_row(row)) {
                late.push(row);
                continue;
            }
            let slot = self.place(time, id, mark);
            self.rows.push(row);
            self.row_slots.push(slot);
        }
        self.ids = ids;
        self.keys.sweep();
        self.marks.trim();
        if self.slots.used() > MAX_SLOTS {
            return Err(WindowError::TooManySlots { slots: self.slots.used() }.into());
        }
        if !self.rows.is_empty() {
            states.accumulate(&self.rows, &self.row_slots)?;
        }
        for at in 0..self.merges.len() {
            let (into, other) = self.merges[at];
            self.slots.merge(into, other, states)?;
            self.slots.forget(other);
        }
        self.merges.clear();
        self.slots.settle(states)
    }

    /// The slot of a row. A key's pieces are a list from the latest to the earliest, so rows in order look at the first only.
    fn place(&mut self, time: Nanos, key: KeyId, mark: MarkId) -> u32 {
        let (mut later, mut at) = (NONE, self.heads[key as usize]);
        while at != NONE {
            let piece = &self.pieces[at as usize];
            if self.belongs(piece, time) {
                return self.lengthen(at, time);
            }
            if piece.last < time {
                break;
            }
            (later, at) = (at, piece.earlier);
        }
        let slot = self.slots.take();
        self.open(Piece { key, first: time, last: time, slot, earlier: at, later, mark })
    }

    #[inline]
    fn belongs(&self, piece: &Piece, time: Nanos) -> bool {
        self.rule.touches(piece.first, piece.last, time) && self.rule.line(piece.first) == self.rule.line(time)
    }

    #[inline]
    fn lengthen(&mut self, at: u32, time: Nanos) -> u32 {
        let piece = &mut self.pieces[at as usize];
        piece.last = piece.last.max(time);
        let slot = piece.slot;
        if time < piece.first {
            let (before, earlier) = (std::mem::replace(&mut piece.first, time), piece.earlier);
            self.order.remove(&(before, at));
            self.order.insert((time, at));
            if earlier != NONE && self.belongs(&self.pieces[earlier as usize], time) {
                self.merge(at, earlier);
            }
        }
        slot
    }

    /// A row has closed the gap between a piece and the one before.
    fn merge(&mut self, at: u32, earlier: u32) {
        let gone = self.remove(earlier);
        let piece = &mut self.pieces[at as usize];
        self.merges.push((piece.slot, gone.slot));
        self.order.remove(&(piece.first, at));
        self.order.remove(&(gone.first, earlier));
        self.order.insert((gone.first, at));
        self.marks.release(piece.mark.max(gone.mark));
        (piece.first, piece.mark) = (gone.first, piece.mark.min(gone.mark));
    }

    fn open(&mut self, piece: Piece) -> u32 {
        self.keys.hold(piece.key);
        self.marks.hold(piece.mark);
        let at = match self.vacant.pop() {
            Some(at) => {
                self.pieces[at as usize] = piece;
                at
            }
            None => {
                self.pieces.push(piece);
                self.pieces.len() as u32 - 1
            }
        };
        self.link(piece.key, piece.later, at);
        if piece.earlier != NONE {
            self.pieces[piece.earlier as usize].later = at;
        }
        self.order.insert((piece.first, at));
        piece.slot
    }

    /// Takes a piece out of its key's list.
    fn remove(&mut self, at: u32) -> Piece {
        let piece = self.pieces[at as usize];
        self.link(piece.key, piece.later, piece.earlier);
        if piece.earlier != NONE {
            self.pieces[piece.earlier as usize].later = piece.later;
        }
        self.keys.release(piece.key);
        self.vacant.push(at);
        piece
    }

    /// `later` (none: the head) is followed by `at`.
    fn link(&mut self, key: KeyId, later: u32, at: u32) {
        match later {
            NONE => self.heads[key as usize] = at,
            later => self.pieces[later as usize].earlier = at,
        }
    }

    /// What must be sent before the receiver may advance to `watermark`. The rest would only wait there.
    pub fn drain<S: States>(&mut self, watermark: Nanos, states: &mut S) -> Result<Vec<SessionPieces>, S::Error> {
        let settled = settled(watermark, self.lateness);
        let mut due = Vec::new();
        while let Some(&(first, at)) = self.order.first().filter(|(first, _)| *first <= settled) {
            self.order.remove(&(first, at));
            due.push(at);
        }
        let mut deltas = Vec::new();
        for chunk in due.chunks(EMIT_SLOTS) {
            let pieces: Vec<Piece> = chunk.iter().map(|at| self.pieces[*at as usize]).collect();
            let slots: Vec<u32> = pieces.iter().map(|piece| piece.slot).collect();
            let columns = self.keys.columns(pieces.iter().map(|piece| piece.key));
            deltas.push(SessionPieces {
                spans: pieces.iter().map(|piece| Window { start: piece.first, end: piece.last }).collect(),
                keys: columns.into_iter().filter_map(texts).collect(),
                states: states.snapshot(&slots)?,
            });
        }
        for at in due {
            self.hand_over(at);
        }
        self.slots.settle(states)?;
        Ok(deltas)
    }

    /// Forgets a piece; its mark is kept until [`Pieces::release`].
    fn hand_over(&mut self, at: u32) {
        let piece = self.remove(at);
        self.slots.forget(piece.slot);
        match self.handed.get_mut(&piece.mark) {
            Some(first) => {
                *first = piece.first.max(*first);
                self.marks.release(piece.mark);
            }
            None => drop(self.handed.insert(piece.mark, piece.first)),
        }
    }

    /// Lets go of the marks of pieces whose sessions have been emitted.
    pub fn release(&mut self, closed: Closed) {
        let settled = settled(closed.watermark, self.lateness);
        let marks = &mut self.marks;
        self.handed.retain(|&mark, &mut first| {
            // What begins later may be on its way, unknown to the receiver.
            let done = first <= settled && first < closed.open_since;
            if done {
                marks.release(mark);
            }
            !done
        });
        marks.trim();
    }

    pub fn slots(&self) -> &SlotPool {
        &self.slots
    }

    #[cfg(test)]
    pub fn key_ids(&self) -> usize {
        self.keys.ids()
    }
}

fn texts(column: Column) -> Option<Strings> {
    match column.values {
        Values::Texts(strings) => Some(strings),
        _ => None,
    }
}
