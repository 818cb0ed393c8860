//! Windows: which slot each row goes into, and when which slots are emitted, merged and forgotten. Neither rows nor states are
//! seen here; whoever holds the states implements [`States`].
//!
//! What is emitted last for each key and window is a function of the rows in the order of their offsets. How they are cut into
//! batches, how partitions are interleaved, and where a run was broken off and replayed change nothing of it:
//!
//! - A row is judged by the watermark of the rows before it in its partition. It is late for a window that had been
//!   closed by then, `end + lateness <= watermark`; it counts in all its other windows; it is late if none is left.
//! - A window fires on time when the watermark passes its end, in the order of the ends, with the rows that came before that. Rows
//!   that come until it closes change it: the key is fired again ([`Firing::Late`]).
//! - Tumbling windows are panes; sliding windows merge panes as long as the greatest common divisor of `sliding` and `every`. The
//!   cells of a rollup are merged into the next larger ones as they close; `lateness` counts from each size's own end.
//! - In a time zone, days and weeks (from Monday) go from local midnight to local midnight. Smaller sizes of a rollup then count from
//!   there, so that they nest in any zone; the day's last may be shorter.
//! - Sessions are described in `sessions.rs`; of keys that are spread over partitions, in `session_pieces.rs` and `session_joins.rs`.
//!
//! Early firings follow the clock and only look.

mod error;
mod exchange;
mod fire;
mod grid;
mod interner;
mod marks;
mod panes;
mod session_joins;
mod session_pieces;
mod session_rule;
mod sessions;
mod slots;
mod stacks;
#[cfg(test)]
mod tests;
mod zone;

pub use error::{EMIT_SLOTS, FORGET_SLOTS, MAX_OPEN_PANES, MAX_PANES_A_WINDOW, MAX_SLOTS, MERGE_PAIRS, WindowError};

use crate::batch::{Column, Strings};
use crate::plan::WindowSpec;
use crate::plugin::Firing;
use crate::time::{BEGINNING, DAY, END, HOUR, MICROSECOND, MILLISECOND, MINUTE, Nanos, SECOND, Window};
use crate::watermark::Progress;
use grid::Grid;
use panes::Panes;
use session_joins::Joins;
use session_pieces::Pieces;
use session_rule::Rule;
use sessions::Sessions;
use slots::SlotPool;

/// What holds the states: a slot never used, or used again after it was forgotten, holds the empty state. After an error both
/// this and the windower are spent; the task rebuilds them by replay.
pub trait States {
    type Error: From<WindowError>;

    /// Folds row `rows[i]` of the current batch's frame into `slots[i]`.
    fn accumulate(&mut self, rows: &[u32], slots: &[u32]) -> Result<(), Self::Error>;
    /// Folds slot `other[i]` into slot `into[i]`, pair after pair, at most [`MERGE_PAIRS`]; `other` stays as it is.
    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), Self::Error>;
    /// Takes the results of slots, which keep their states.
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), Self::Error>;
    /// At most [`FORGET_SLOTS`].
    fn forget(&mut self, slots: &[u32]) -> Result<(), Self::Error>;
    /// States in the order of `slots`, at most [`EMIT_SLOTS`]. Asked for by [`Windower::drain`] only.
    fn snapshot(&mut self, slots: &[u32]) -> Result<Strings, Self::Error>;
    /// Into slots that hold the empty state. Asked for by [`Windower::absorb`] only.
    fn restore(&mut self, slots: &[u32], states: &Strings) -> Result<(), Self::Error>;
}

/// Results that are due, at most [`EMIT_SLOTS`] slots.
#[derive(Clone, Copy, Debug)]
pub struct Emission<'a> {
    pub slots: &'a [u32],
    /// One a slot, or a single one for all. A session's window is `first..last + gap`.
    pub windows: &'a [Window],
    /// One text column for each part of the key, one row a slot.
    pub keys: &'a [Column],
    pub firing: Firing,
    /// In a rollup, the window's size as it is written in the configuration: "1m", "1h", "1d".
    pub size: Option<&'a str>,
}

/// A batch as a windower sees it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The frame's rows that reach the aggregation, rising.
    pub rows: &'a [u32],
    /// Event time of each frame row, nanoseconds.
    pub times: &'a [Nanos],
    /// One for each part of the key, by frame row.
    pub keys: &'a [&'a Strings],
    /// Frame row → source row, never falling; `None` where they are the same.
    pub source_rows: Option<&'a [u32]>,
    pub progress: &'a Progress<'a>,
    /// The offset from which a replay would repeat this batch.
    pub first_offset: i64,
}

impl Input<'_> {
    #[inline]
    fn source_row(&self, row: u32) -> usize {
        self.source_rows.map_or(row, |rows| rows[row as usize]) as usize
    }

    /// The earliest and the latest time; `None` without rows.
    fn span(&self) -> Option<(Nanos, Nanos)> {
        let start = self.times[*self.rows.first()? as usize];
        let span = |(first, last): (Nanos, Nanos), time: Nanos| (first.min(time), last.max(time));
        Some(if self.rows.len() == self.times.len() {
            self.times.iter().copied().fold((start, start), span)
        } else {
            self.rows.iter().map(|row| self.times[*row as usize]).fold((start, start), span)
        })
    }

    fn mark(&self) -> LowMark {
        LowMark {
            offset: self.first_offset,
            running_max: self.progress.running_max_before(),
            floor: self.progress.floor(),
        }
    }
}

/// Where a replay must start to rebuild all that is kept, and the watermark there (for [`Watermark::restore`]). The replay must
/// make a cut at the committed position and raise the watermark there to what it was. Sessions ask for more: where the watermark
/// was raised in between, the replay must raise it too, or a session that the clock had closed may go on.
///
/// [`Watermark::restore`]: crate::watermark::Watermark::restore
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowMark {
    pub offset: i64,
    /// Before `offset`.
    pub running_max: Nanos,
    pub floor: Nanos,
}

/// States of one pane on their way from a partition to the exchange, at most [`EMIT_SLOTS`].
#[derive(Clone, Debug, PartialEq)]
pub struct PaneDelta {
    /// In a rollup the size's place in the list, else 0.
    pub level: usize,
    pub pane: Window,
    /// The event time that the receiver must have dealt with before these states may join the pane;
    /// [`BEGINNING`](crate::time::BEGINNING) for rows that were behind nothing.
    pub boundary: Nanos,
    /// One for each part of the key, one row a state.
    pub keys: Vec<Strings>,
    pub states: Strings,
}

/// Rows of sessions on their way from a partition to the exchange, at most [`EMIT_SLOTS`] pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionPieces {
    /// One a piece: the times of its first and its last row, **both** inside.
    pub spans: Vec<Window>,
    /// One for each part of the key, one row a piece.
    pub keys: Vec<Strings>,
    /// One a piece.
    pub states: Strings,
}

/// What a partition gives to the exchange.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    Pane(PaneDelta),
    Sessions(SessionPieces),
}

/// How far a receiver has come: what its senders may let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Panes are closed for good up to here.
    pub watermark: Nanos,
    /// Sessions still kept need the pieces that begin at or after this; [`END`](crate::time::END) if none is.
    pub open_since: Nanos,
}

/// The two ends of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A partition: folds rows and is drained; never advanced.
    Sender,
    /// All partitions together: absorbs and is advanced; never folds rows.
    Receiver,
}

/// The windows of one route in one partition (or, behind an exchange, in all).
#[derive(Debug)]
pub struct Windower {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Panes(Box<Panes>),
    Sessions(Box<Sessions>),
    Pieces(Box<Pieces>),
    Joins(Box<Joins>),
}

impl Windower {
    /// For keys that lie in one partition. `lateness` in nanoseconds (such sessions have none: they are emitted once);
    /// `key_parts`: how many columns make the key, 0 for one group of all.
    pub fn new(spec: &WindowSpec, lateness: Nanos, key_parts: usize) -> Result<Self, WindowError> {
        let lateness = lateness.max(0);
        let (grid, labels) = match spec {
            WindowSpec::Tumbling { sizes, offset, timezone } => {
                let label = |size: &Nanos| (sizes.len() > 1).then(|| size_label(*size));
                let labels = sizes.iter().map(label).collect();
                (Grid::tumbling(sizes, *offset, timezone.as_deref(), lateness)?, labels)
            }
            WindowSpec::Sliding { size, every, offset } => {
                (Grid::sliding(*size, *every, *offset, lateness)?, vec![None])
            }
            WindowSpec::Session { gap, max } => {
                let sessions = Sessions::new(Rule::new(*gap, *max)?, key_parts);
                return Ok(Windower { kind: Kind::Sessions(Box::new(sessions)) });
            }
        };
        Ok(Windower { kind: Kind::Panes(Box::new(Panes::new(grid, labels, key_parts))) })
    }

    /// One side of an exchange, for keys that are spread over partitions. Both sides are given the same.
    pub fn exchanged(spec: &WindowSpec, lateness: Nanos, key_parts: usize, side: Side) -> Result<Self, WindowError> {
        let WindowSpec::Session { gap, max } = spec else { return Windower::new(spec, lateness, key_parts) };
        let (rule, lateness) = (Rule::new(*gap, *max)?, lateness.max(0));
        let kind = match side {
            Side::Sender => Kind::Pieces(Box::new(Pieces::new(rule, lateness, key_parts))),
            Side::Receiver => Kind::Joins(Box::new(Joins::new(rule, lateness, key_parts))),
        };
        Ok(Windower { kind })
    }

    /// Puts a batch's rows into their slots. Rows that are late for all their windows are added to `late`. Fires nothing: call
    /// [`Windower::advance`] after it.
    pub fn fold<S: States>(&mut self, input: &Input<'_>, states: &mut S, late: &mut Vec<u32>) -> Result<(), S::Error> {
        match &mut self.kind {
            Kind::Panes(panes) => panes.fold(input, states, late),
            Kind::Sessions(sessions) => sessions.fold(input, states, late),
            Kind::Pieces(pieces) => pieces.fold(input, states, late),
            Kind::Joins(_) => Err(WindowError::WrongSide.into()),
        }
    }

    /// Emits what is complete at `watermark`, then what late rows have corrected, and forgets what is closed for good.
    pub fn advance<S: States>(&mut self, watermark: Nanos, states: &mut S) -> Result<(), S::Error> {
        match &mut self.kind {
            Kind::Panes(panes) => panes.advance(watermark, states),
            Kind::Sessions(sessions) => sessions.advance(watermark, states),
            Kind::Joins(joins) => joins.advance(watermark, states),
            Kind::Pieces(_) => Err(WindowError::WrongSide.into()),
        }
    }

    /// Emits, as [`Firing::Early`], each window that runs and has changed since its last firing.
    pub fn early<S: States>(&mut self, states: &mut S) -> Result<(), S::Error> {
        match &mut self.kind {
            Kind::Panes(panes) => panes.early(states),
            Kind::Sessions(sessions) => sessions.early(states),
            Kind::Joins(joins) => joins.early(states),
            Kind::Pieces(_) => Err(WindowError::WrongSide.into()),
        }
    }

    /// `None` while nothing is kept.
    pub fn low_mark(&self) -> Option<LowMark> {
        match &self.kind {
            Kind::Panes(panes) => panes.marks.lowest(),
            Kind::Sessions(sessions) => sessions.low_mark(),
            Kind::Pieces(pieces) => pieces.marks.lowest(),
            Kind::Joins(_) => None,
        }
    }

    /// How many states are alive.
    pub fn slots(&self) -> usize {
        self.pool().used()
    }

    /// The slots that hold a state, rising: what must be carried over when an instance is replaced by another.
    pub fn slots_in_use(&self) -> Vec<u32> {
        self.pool().in_use()
    }

    fn pool(&self) -> &SlotPool {
        match &self.kind {
            Kind::Panes(panes) => &panes.slots,
            Kind::Sessions(sessions) => sessions.slots(),
            Kind::Pieces(pieces) => pieces.slots(),
            Kind::Joins(joins) => joins.slots(),
        }
    }

    /// Sender: takes the states that the exchange needs before it may advance to `watermark` (which this partition has
    /// reached); `everything`: also those of windows that still run, for early firings (of sessions there are none: a piece that
    /// begins later would only wait).
    pub fn drain<S: States>(
        &mut self,
        watermark: Nanos,
        everything: bool,
        states: &mut S,
    ) -> Result<Vec<Delta>, S::Error> {
        match &mut self.kind {
            Kind::Panes(panes) => {
                Ok(panes.drain(watermark, everything, states)?.into_iter().map(Delta::Pane).collect())
            }
            Kind::Pieces(pieces) => Ok(pieces.drain(watermark, states)?.into_iter().map(Delta::Sessions).collect()),
            Kind::Sessions(_) | Kind::Joins(_) => Err(WindowError::WrongSide.into()),
        }
    }

    /// Sender: the receiver has come so far. Until then what was drained holds its low mark.
    pub fn release(&mut self, closed: Closed) {
        match &mut self.kind {
            Kind::Panes(panes) => panes.release(closed.watermark),
            Kind::Pieces(pieces) => pieces.release(closed),
            Kind::Sessions(_) | Kind::Joins(_) => {}
        }
    }

    /// Receiver: what the senders may let go of.
    pub fn closed(&self) -> Closed {
        match &self.kind {
            Kind::Panes(panes) => Closed { watermark: panes.watermark, open_since: END },
            Kind::Joins(joins) => joins.closed(),
            Kind::Sessions(_) | Kind::Pieces(_) => Closed { watermark: BEGINNING, open_since: END },
        }
    }

    /// Receiver: how many states came when all their windows had closed, and were dropped. A replay brings such; else they are of
    /// a partition that [`Windower::advance`] had not waited for.
    pub fn lost(&self) -> u64 {
        match &self.kind {
            Kind::Panes(panes) => panes.lost,
            Kind::Joins(joins) => joins.lost,
            Kind::Sessions(_) | Kind::Pieces(_) => 0,
        }
    }

    /// Receiver: takes in what a partition has drained. Call [`Windower::advance`] after it even if the watermark stands still:
    /// it makes the corrections.
    pub fn absorb<S: States>(&mut self, delta: &Delta, states: &mut S) -> Result<(), S::Error> {
        match (&mut self.kind, delta) {
            (Kind::Panes(panes), Delta::Pane(delta)) => panes.absorb(delta, states),
            (Kind::Joins(joins), Delta::Sessions(delta)) => joins.absorb(delta, states),
            _ => Err(WindowError::WrongSide.into()),
        }
    }
}

/// A length as the configuration writes it, in its largest whole unit.
pub fn size_label(size: Nanos) -> String {
    let units = [
        (7 * DAY, "w"),
        (DAY, "d"),
        (HOUR, "h"),
        (MINUTE, "m"),
        (SECOND, "s"),
        (MILLISECOND, "ms"),
        (MICROSECOND, "us"),
    ];
    match units.iter().find(|(unit, _)| size % unit == 0) {
        Some((unit, name)) => format!("{}{name}", size / unit),
        None => format!("{size}ns"),
    }
}
