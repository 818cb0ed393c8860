//! Sessions of keys that are spread over partitions, the exchange's side: the pieces that the partitions hand over
//! (`session_pieces.rs`) become sessions.
//!
//! - Pieces wait until all partitions have *settled* the time they begin at: then every piece that begins by then has come, and
//!   they are taken in the order of their beginnings. A piece joins the key's latest session if less than `gap` lies between, and
//!   no line does (see `sessions.rs`); else it opens one.
//! - When `last + gap` is settled, the session is emitted, once: a piece still to come begins too late to join it.
//! - What has not been emitted says from which time on the partitions must be able to repeat their pieces ([`Closed::open_since`]).
//!   A session that a line cut off asks for the one before it too: a part of that alone might reach over the line.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::error::{EMIT_SLOTS, MAX_SLOTS, WindowError};
use super::interner::{Interner, KeyId, NONE};
use super::session_pieces::settled;
use super::session_rule::Rule;
use super::slots::SlotPool;
use super::{Closed, Emission, SessionPieces, States};
use crate::batch::Strings;
use crate::plugin::Firing;
use crate::time::{BEGINNING, END, Nanos, Window};

/// In the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    first: Nanos,
    last: Nanos,
    key: KeyId,
    slot: u32,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    key: KeyId,
    first: Nanos,
    last: Nanos,
    slot: u32,
    /// Where the pieces begin without which a replay would make another session of it.
    since: Nanos,
    /// Pieces have come since the last early firing.
    touched: bool,
}

#[derive(Debug)]
pub(super) struct Joins {
    rule: Rule,
    lateness: Nanos,
    keys: Interner,
    slots: SlotPool,
    waiting: BinaryHeap<Reverse<Waiting>>,
    sessions: Vec<Session>,
    vacant: Vec<u32>,
    /// Key id → its latest session, the only one that pieces still join.
    heads: Vec<u32>,
    /// (end when it was put here, session): one entry for each session; it may have grown since.
    ends: BinaryHeap<Reverse<(Nanos, u32)>>,
    /// (since, session).
    since: BTreeSet<(Nanos, u32)>,
    watermark: Nanos,
    settled: Nanos,
    /// Pieces that came for time already settled.
    pub lost: u64,
}

impl Joins {
    pub fn new(rule: Rule, lateness: Nanos, key_parts: usize) -> Self {
        Joins {
            rule,
            lateness,
            keys: Interner::new(key_parts),
            slots: SlotPool::default(),
            waiting: BinaryHeap::new(),
            sessions: Vec::new(),
            vacant: Vec::new(),
            heads: Vec::new(),
            ends: BinaryHeap::new(),
            since: BTreeSet::new(),
            watermark: BEGINNING,
            settled: BEGINNING,
            lost: 0,
        }
    }

    pub fn absorb<S: States>(&mut self, delta: &SessionPieces, states: &mut S) -> Result<(), S::Error> {
        let rows: Vec<u32> = (0..delta.spans.len() as u32).collect();
        let (rows, lost): (Vec<u32>, Vec<u32>) =
            rows.into_iter().partition(|row| delta.spans[*row as usize].start > self.settled);
        self.lost += lost.len() as u64;
        if rows.is_empty() {
            return Ok(());
        }
        let slots: Vec<u32> = rows.iter().map(|_| self.slots.take()).collect();
        if lost.is_empty() {
            states.restore(&slots, &delta.states)?;
        } else {
            let mut kept = Strings::default();
            rows.iter().for_each(|row| kept.push(delta.states.get(*row as usize)));
            states.restore(&slots, &kept)?;
        }
        let keys: Vec<&Strings> = delta.keys.iter().collect();
        let mut ids = Vec::new();
        self.keys.intern_rows(&keys, &rows, &mut ids);
        self.heads.resize(self.keys.ids().max(self.heads.len()), NONE);
        for ((&row, &key), &slot) in rows.iter().zip(&ids).zip(&slots) {
            let Window { start: first, end: last } = delta.spans[row as usize];
            self.keys.hold(key);
            self.waiting.push(Reverse(Waiting { first, last, key, slot }));
        }
        self.keys.sweep();
        if self.slots.used() > MAX_SLOTS {
            return Err(WindowError::TooManySlots { slots: self.slots.used() }.into());
        }
        Ok(())
    }

    pub fn advance<S: States>(&mut self, watermark: Nanos, states: &mut S) -> Result<(), S::Error> {
        self.watermark = self.watermark.max(watermark);
        self.settled = settled(self.watermark, self.lateness);
        while let Some(&Reverse(piece)) = self.waiting.peek().filter(|Reverse(piece)| piece.first <= self.settled) {
            self.waiting.pop();
            self.take(piece, states)?;
        }
        self.slots.run_merges(states)?;
        let closed = self.close();
        self.emit(&closed, Firing::OnTime, states)?;
        for session in &closed {
            self.slots.forget(session.slot);
            self.keys.release(session.key);
        }
        self.slots.settle(states)
    }

    /// Puts a piece into its session.
    fn take<S: States>(&mut self, piece: Waiting, states: &mut S) -> Result<(), S::Error> {
        let mut since = piece.first;
        let head = self.heads[piece.key as usize];
        if head != NONE {
            let session = &mut self.sessions[head as usize];
            let near = self.rule.touches(session.first, session.last, piece.first);
            let last = session.last.max(piece.last);
            if near && self.rule.may_span(session.first, last) {
                (session.last, session.touched) = (last, true);
                let slot = session.slot;
                self.keys.release(piece.key);
                self.slots.merge(slot, piece.slot, states)?;
                self.slots.forget(piece.slot);
                return Ok(());
            }
            if near {
                since = session.first;
            }
        }
        let Waiting { first, last, key, slot } = piece;
        let session = Session { key, first, last, slot, since, touched: true };
        let at = match self.vacant.pop() {
            Some(at) => {
                self.sessions[at as usize] = session;
                at
            }
            None => {
                self.sessions.push(session);
                self.sessions.len() as u32 - 1
            }
        };
        self.heads[key as usize] = at;
        self.since.insert((since, at));
        self.ends.push(Reverse((self.rule.end(last), at)));
        Ok(())
    }

    /// Takes out the sessions whose end is settled, in the order of the ends.
    fn close(&mut self) -> Vec<Session> {
        let mut closed = Vec::new();
        while let Some(&Reverse((end, at))) = self.ends.peek().filter(|Reverse((end, _))| *end <= self.settled) {
            self.ends.pop();
            let session = self.sessions[at as usize];
            let real = self.rule.end(session.last);
            if real > end {
                self.ends.push(Reverse((real, at)));
                continue;
            }
            self.vacant.push(at);
            self.since.remove(&(session.since, at));
            let head = &mut self.heads[session.key as usize];
            if *head == at {
                *head = NONE;
            }
            closed.push(session);
        }
        closed
    }

    /// Emits the open sessions that have changed. They may still grow, but not begin earlier.
    pub fn early<S: States>(&mut self, states: &mut S) -> Result<(), S::Error> {
        let open: Vec<u32> = self.since.iter().map(|(_, at)| *at).collect();
        let mut changed = Vec::new();
        for at in open {
            let session = &mut self.sessions[at as usize];
            if std::mem::take(&mut session.touched) {
                changed.push(*session);
            }
        }
        self.emit(&changed, Firing::Early, states)
    }

    fn emit<S: States>(&self, sessions: &[Session], firing: Firing, states: &mut S) -> Result<(), S::Error> {
        for chunk in sessions.chunks(EMIT_SLOTS) {
            let slots: Vec<u32> = chunk.iter().map(|session| session.slot).collect();
            let windows: Vec<Window> =
                chunk.iter().map(|session| self.rule.window(session.first, session.last)).collect();
            let keys = self.keys.columns(chunk.iter().map(|session| session.key));
            states.emit(Emission { slots: &slots, windows: &windows, keys: &keys, firing, size: None })?;
        }
        Ok(())
    }

    pub fn closed(&self) -> Closed {
        let sessions = self.since.first().map_or(END, |(since, _)| *since);
        let waiting = self.waiting.peek().map_or(END, |Reverse(piece)| piece.first);
        Closed { watermark: self.watermark, open_since: sessions.min(waiting) }
    }

    pub fn slots(&self) -> &SlotPool {
        &self.slots
    }

    #[cfg(test)]
    pub fn key_ids(&self) -> usize {
        self.keys.ids()
    }
}
