//! Sessions: the rows of a key without a pause of `gap` between them.
//!
//! Rows are taken in the order of their offsets, each judged by the watermark of the rows before it:
//!
//! - A session from its `first` row to its `last` is open until the watermark reaches `last + gap`; then it is emitted, once. Its
//!   window is `first..last + gap`.
//! - A row touches an open session of its key if it lies less than `gap` before `first` or after `last`. It joins the
//!   nearest that it touches (the earlier of two as near), and then brings together with it the others that it touches.
//! - A row that joins none is late if its own session would have ended, `time + gap <= watermark`; else it opens one.
//! - `max`: no window is longer than `max`. Where sessions are cut, and why there, says [`Rule`].
//!
//! Sessions of keys that are spread over partitions follow a simpler rule: see `session_pieces.rs` and `session_joins.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::error::{EMIT_SLOTS, MAX_SLOTS, WindowError};
use super::interner::{Interner, KeyId, NONE};
use super::marks::{MarkId, Marks};
use super::session_rule::Rule;
use super::slots::SlotPool;
use super::{Emission, Input, LowMark, States};
use crate::plugin::Firing;
use crate::time::{BEGINNING, Nanos, Window};
use crate::watermark::Walk;

#[derive(Clone, Copy, Debug)]
struct Session {
    key: KeyId,
    first: Nanos,
    last: Nanos,
    /// [`NONE`]: it was merged into another one, and waits for its place in `ends` to come up.
    slot: u32,
    /// The key's next session.
    next: u32,
    /// The first batch with a row of it.
    own: MarkId,
    /// Also of its neighbours beyond a line, without which a replay would draw the line otherwise.
    needs: MarkId,
    /// Rows have come since the last early firing.
    touched: bool,
}

/// The batch at hand, while its rows are placed.
struct Course<'a> {
    walk: Walk<'a>,
    /// The watermark after the batch: what is open then was open for each of its rows.
    after: Nanos,
    mark: MarkId,
}

#[derive(Debug)]
pub(super) struct Sessions {
    rule: Rule,
    keys: Interner,
    slots: SlotPool,
    marks: Marks,
    sessions: Vec<Session>,
    vacant: Vec<u32>,
    /// Key id → its first session.
    heads: Vec<u32>,
    /// (end when it was put here, session): one entry for each session; it may have grown since.
    ends: BinaryHeap<Reverse<(Nanos, u32)>>,
    watermark: Nanos,
    /// Buffers, reused.
    ids: Vec<KeyId>,
    rows: Vec<u32>,
    row_slots: Vec<u32>,
    candidates: Vec<u32>,
    /// Pairs to merge when the batch's rows have been folded.
    merges: Vec<(u32, u32)>,
}

impl Sessions {
    pub fn new(rule: Rule, key_parts: usize) -> Self {
        Sessions {
            rule,
            keys: Interner::new(key_parts),
            slots: SlotPool::default(),
            marks: Marks::default(),
            sessions: Vec::new(),
            vacant: Vec::new(),
            heads: Vec::new(),
            ends: BinaryHeap::new(),
            watermark: BEGINNING,
            ids: Vec::new(),
            rows: Vec::new(),
            row_slots: Vec::new(),
            candidates: Vec::new(),
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
        let after = input.progress.after().max(self.watermark);
        let mut course = Course { walk: input.progress.walk(), after, mark };
        for (&row, &id) in input.rows.iter().zip(&ids) {
            let time = input.times[row as usize];
            let slot = match self.extend_only(time, id, after) {
                Some(slot) => slot,
                None => match self.place(time, id, input.source_row(row), &mut course) {
                    Some(slot) => slot,
                    None => {
                        late.push(row);
                        continue;
                    }
                },
            };
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

    /// The usual case: the key has one session, certainly open, and the row lengthens it.
    #[inline]
    fn extend_only(&mut self, time: Nanos, key: KeyId, after: Nanos) -> Option<u32> {
        let rule = self.rule;
        let session = self.sessions.get_mut(self.heads[key as usize] as usize)?;
        let (first, last) = (session.first.min(time), session.last.max(time));
        let open = rule.end(session.last) > after;
        if session.next != NONE
            || !open
            || !rule.touches(session.first, session.last, time)
            || !rule.may_span(first, last)
        {
            return None;
        }
        (session.first, session.last, session.touched) = (first, last, true);
        Some(session.slot)
    }

    /// The slot of a row by the whole rule; `None` if the row is late.
    fn place(&mut self, time: Nanos, key: KeyId, source_row: usize, course: &mut Course<'_>) -> Option<u32> {
        let watermark = course.walk.at(source_row).max(self.watermark).min(course.after);
        let mut candidates = std::mem::take(&mut self.candidates);
        self.touched_by(time, key, watermark, &mut candidates);
        let mut joined: Option<u32> = None;
        for &candidate in &candidates {
            let other = self.sessions[candidate as usize];
            let (first, last) = match joined {
                Some(at) => (self.sessions[at as usize].first, self.sessions[at as usize].last),
                None => (time, time),
            };
            let (first, last) = (first.min(other.first), last.max(other.last));
            if !self.rule.may_span(first, last) {
                continue;
            }
            match joined {
                None => joined = Some(candidate),
                Some(into) => self.merge(into, candidate),
            }
            let session = &mut self.sessions[joined.unwrap_or(candidate) as usize];
            (session.first, session.last, session.touched) = (first, last, true);
        }
        if joined.is_none() && self.rule.end(time) > watermark {
            joined = Some(self.open(time, key, course.mark));
        }
        if let Some(at) = joined {
            self.share_needs(at, &candidates);
        }
        self.candidates = candidates;
        joined.map(|at| self.sessions[at as usize].slot)
    }

    /// The open sessions of `key` that `time` touches, nearest first.
    fn touched_by(&self, time: Nanos, key: KeyId, watermark: Nanos, found: &mut Vec<u32>) {
        found.clear();
        let mut at = self.heads[key as usize];
        while at != NONE {
            let session = &self.sessions[at as usize];
            if self.rule.end(session.last) > watermark && self.rule.touches(session.first, session.last, time) {
                found.push(at);
            }
            at = session.next;
        }
        found.sort_unstable_by_key(|at| {
            let session = &self.sessions[*at as usize];
            (distance(session, time), session.first)
        });
    }

    fn open(&mut self, time: Nanos, key: KeyId, mark: MarkId) -> u32 {
        self.keys.hold(key);
        self.marks.hold(mark);
        self.marks.hold(mark);
        let next = self.heads[key as usize];
        let slot = self.slots.take();
        let session = Session { key, first: time, last: time, slot, next, own: mark, needs: mark, touched: true };
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
        self.ends.push(Reverse((self.rule.end(time), at)));
        at
    }

    fn merge(&mut self, into: u32, other: u32) {
        let gone = self.sessions[other as usize];
        self.unlink(other);
        self.sessions[other as usize].slot = NONE;
        self.keys.release(gone.key);
        let session = &mut self.sessions[into as usize];
        self.merges.push((session.slot, gone.slot));
        for (kept, gone) in [(&mut session.own, gone.own), (&mut session.needs, gone.needs)] {
            self.marks.release((*kept).max(gone));
            *kept = (*kept).min(gone);
        }
    }

    /// A session and those that a line keeps it from decide together where the line is drawn.
    fn share_needs(&mut self, at: u32, candidates: &[u32]) {
        let own = self.sessions[at as usize].own;
        for &candidate in candidates {
            let other = self.sessions[candidate as usize];
            if candidate != at && other.slot != NONE {
                self.need(at, other.own);
                self.need(candidate, own);
            }
        }
    }

    fn need(&mut self, at: u32, mark: MarkId) {
        let needs = &mut self.sessions[at as usize].needs;
        if mark < *needs {
            self.marks.hold(mark);
            self.marks.release(*needs);
            *needs = mark;
        }
    }

    /// Takes a session out of its key's list.
    fn unlink(&mut self, at: u32) {
        let Session { key, next, .. } = self.sessions[at as usize];
        let mut link = self.heads[key as usize];
        if link == at {
            self.heads[key as usize] = next;
            return;
        }
        while link != NONE {
            let session = &mut self.sessions[link as usize];
            if session.next == at {
                session.next = next;
                return;
            }
            link = session.next;
        }
    }

    pub fn advance<S: States>(&mut self, watermark: Nanos, states: &mut S) -> Result<(), S::Error> {
        self.watermark = self.watermark.max(watermark);
        let mut closed: Vec<Session> = Vec::new();
        while let Some(&Reverse((end, at))) = self.ends.peek() {
            if end > watermark {
                break;
            }
            self.ends.pop();
            let session = self.sessions[at as usize];
            let real = self.rule.end(session.last);
            if session.slot != NONE && real > end {
                self.ends.push(Reverse((real, at)));
                continue;
            }
            self.vacant.push(at);
            if session.slot != NONE {
                self.unlink(at);
                closed.push(session);
            }
        }
        self.emit(&closed, Firing::OnTime, states)?;
        for session in &closed {
            self.slots.forget(session.slot);
            self.keys.release(session.key);
            self.marks.release(session.own);
            self.marks.release(session.needs);
        }
        self.marks.trim();
        self.slots.settle(states)
    }

    /// Emits the open sessions that have changed. Their windows may still grow at both ends.
    pub fn early<S: States>(&mut self, states: &mut S) -> Result<(), S::Error> {
        let mut changed: Vec<Session> = Vec::new();
        for session in self.sessions.iter_mut().filter(|session| session.slot != NONE) {
            let open = self.rule.end(session.last) > self.watermark;
            if std::mem::take(&mut session.touched) && open {
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

    pub fn low_mark(&self) -> Option<LowMark> {
        self.marks.lowest()
    }

    pub fn slots(&self) -> &SlotPool {
        &self.slots
    }

    #[cfg(test)]
    pub fn key_ids(&self) -> usize {
        self.keys.ids()
    }
}

fn distance(session: &Session, time: Nanos) -> Nanos {
    (session.first.saturating_sub(time)).max(time.saturating_sub(session.last)).max(0)
}
