//! Event time: nanoseconds since 1970-01-01 UTC, and the spans made of them.

/// Event time or a length of it, in nanoseconds.
pub type Nanos = i64;

pub const MICROSECOND: Nanos = 1_000;
pub const MILLISECOND: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000_000_000;
pub const MINUTE: Nanos = 60 * SECOND;
pub const HOUR: Nanos = 60 * MINUTE;
pub const DAY: Nanos = 24 * HOUR;

/// Before every event: the watermark of a partition that has shown none.
pub const BEGINNING: Nanos = i64::MIN;
/// After every event: the watermark at the end of a bounded run.
pub const END: Nanos = i64::MAX;

/// A half-open span of event time, `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    pub start: Nanos,
    pub end: Nanos,
}
