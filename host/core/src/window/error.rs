//! Windows that cannot be: specifications that make no sense, and limits that were reached.

use crate::time::Nanos;

/// Panes one sliding window may be made of: beyond it, firing costs more than the events.
pub const MAX_PANES_A_WINDOW: i64 = 20_000;
/// Panes (and rollup cells) open at once for one route in one partition.
pub const MAX_OPEN_PANES: usize = 200_000;
/// States of the aggregator (a key in a pane or a session) alive at once for one route in one partition.
pub const MAX_SLOTS: usize = 1 << 24;
/// Slots given to the aggregator in one `emit`.
pub const EMIT_SLOTS: usize = 4096;
/// Pairs given to the aggregator in one `merge`.
pub const MERGE_PAIRS: usize = 16_384;
/// Slots given to the aggregator in one `forget`.
pub const FORGET_SLOTS: usize = 65_536;

#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WindowError {
    #[error("window: {what} must be greater than zero")]
    NotPositive { what: &'static str },
    #[error(
        "window: sliding = {size} ns, every = {every} ns makes {panes} panes a window, more than {MAX_PANES_A_WINDOW}: choose \
         an `every` that divides `sliding` and is not so much smaller"
    )]
    TooManyPanesAWindow { size: Nanos, every: Nanos, panes: i64 },
    #[error(
        "window: every = {every} ns is longer than sliding = {size} ns, so events between two windows would be in none: make \
         `every` at most as long as `sliding`"
    )]
    EveryAboveSize { size: Nanos, every: Nanos },
    #[error(
        "window: rollup sizes must rise and each must divide the next, but {smaller} ns does not divide {larger} ns"
    )]
    SizesDoNotNest { smaller: Nanos, larger: Nanos },
    #[error(
        "window: with a timezone only days and weeks follow local midnight, so {larger} ns cannot be rolled up from \
         {smaller} ns: use 1d or 1w as the larger size, or leave `timezone` out"
    )]
    DoesNotFollowTheZone { smaller: Nanos, larger: Nanos },
    #[error(
        "window: unknown timezone {name:?}: {reason} (a name of the IANA database such as \"Europe/Berlin\" is needed)"
    )]
    UnknownTimezone { name: String, reason: String },
    #[error(
        "window: max = {max} ns must be at least twice session = {gap} ns: lengthen `max`, the longest that a session may last"
    )]
    MaxTooShort { gap: Nanos, max: Nanos },
    #[error(
        "window: one side of an exchange was asked for what the other does: a mistake in Wasmill, please report it"
    )]
    WrongSide,
    #[error(
        "window: {open} panes are open at once, more than {MAX_OPEN_PANES}: the events' times are spread too far for this \
         window; shorten `lateness` or lengthen the window's smallest size"
    )]
    TooManyOpenPanes { open: usize },
    #[error(
        "window: {slots} states (keys in panes) are alive at once, more than {MAX_SLOTS}: choose a key with fewer values, a \
         shorter window or a shorter `lateness`"
    )]
    TooManySlots { slots: usize },
}
