//! What makes rows a session: less than `gap` between neighbours, and no more than `max` in all.

use super::WindowError;
use crate::time::{Nanos, Window};

/// Multiples of `max / 2` since 1970 are *lines*; rows on both sides of a line are not brought into one session if that would begin
/// before `line - max / 2 + gap`, or reach over two lines. So what is shorter than `max / 2 - gap` is never cut, and a session
/// without end is cut at each line. A cut depends only on what is less than `max` old, never on when the session began: a replay
/// from a low mark finds the same cuts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub gap: Nanos,
    /// The distance of lines.
    half: Nanos,
}

impl Rule {
    pub fn new(gap: Nanos, max: Nanos) -> Result<Self, WindowError> {
        if gap <= 0 {
            return Err(WindowError::NotPositive { what: "session" });
        }
        if max / 2 < gap {
            return Err(WindowError::MaxTooShort { gap, max });
        }
        Ok(Rule { gap, half: max / 2 })
    }

    /// Whether a row at `time` is near enough to rows from `first` to `last`.
    #[inline]
    pub fn touches(&self, first: Nanos, last: Nanos, time: Nanos) -> bool {
        time.saturating_sub(last) < self.gap && first.saturating_sub(time) < self.gap
    }

    /// Whether one session may have these first and last rows.
    #[inline]
    pub fn may_span(&self, first: Nanos, last: Nanos) -> bool {
        let line = self.line(last);
        first >= line || first.saturating_sub(line.saturating_sub(self.half)) >= self.gap
    }

    /// The last line that is not after `time`.
    #[inline]
    pub fn line(&self, time: Nanos) -> Nanos {
        time.saturating_sub(time.rem_euclid(self.half))
    }

    /// Where a session whose last row is this one ends.
    #[inline]
    pub fn end(&self, last: Nanos) -> Nanos {
        last.saturating_add(self.gap)
    }

    pub fn window(&self, first: Nanos, last: Nanos) -> Window {
        Window { start: first, end: self.end(last) }
    }
}
