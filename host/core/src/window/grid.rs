//! Where the boundaries of panes and windows lie, and which windows a row is late for. Arithmetic only.

use super::error::{MAX_PANES_A_WINDOW, WindowError};
use super::zone::LocalDays;
use crate::time::{BEGINNING, DAY, Nanos, Window};

/// Equal steps, one of whose boundaries is `phase`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub step: Nanos,
    phase: Nanos,
}

impl Steps {
    fn new(step: Nanos, offset: Nanos) -> Self {
        Steps { step, phase: offset.rem_euclid(step) }
    }

    /// The last boundary at or before `time`; at the ends of time it saturates.
    #[inline]
    pub fn floor(&self, time: Nanos) -> Nanos {
        let into = time.rem_euclid(self.step) - self.phase;
        time.saturating_sub(if into < 0 { into + self.step } else { into })
    }

    #[inline]
    fn cell(&self, time: Nanos) -> Window {
        let start = self.floor(time);
        Window { start, end: start.saturating_add(self.step) }
    }
}

/// How one level of a rollup divides time.
#[derive(Debug)]
pub(super) enum Measure {
    Plain(Steps),
    Local(LocalDays),
    /// Steps that begin anew with each local day (or week), so that they nest in it whatever the zone does; the last may be
    /// shorter.
    Within {
        step: Nanos,
        days: LocalDays,
    },
}

impl Measure {
    #[inline]
    fn cell(&self, time: Nanos) -> Window {
        match self {
            Measure::Plain(steps) => steps.cell(time),
            Measure::Local(days) => days.cell(time),
            Measure::Within { step, days } => {
                let day = days.cell(time);
                let start = time - (time - day.start).rem_euclid(*step);
                Window { start, end: start.saturating_add(*step).min(day.end) }
            }
        }
    }
}

#[derive(Debug)]
pub(super) enum Shape {
    /// Tumbling (one level) and rollups: the cells of a level are its windows, and lie in those of the next.
    Nested(Vec<Measure>),
    /// Windows of `size` that end at the boundaries of `ends`, made of `panes`.
    Sliding { size: Nanos, ends: Steps, panes: Steps },
}

#[derive(Debug)]
pub(super) struct Grid {
    pub shape: Shape,
    pub lateness: Nanos,
}

/// Where a row belongs that is not late for all of its windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub level: usize,
    pub cell: Window,
    /// The latest firing or closing of one of its windows that lies behind the row; [`BEGINNING`] if none does. The row may
    /// count only in what happens after it.
    pub boundary: Nanos,
}

impl Grid {
    pub fn tumbling(
        sizes: &[Nanos],
        offset: Nanos,
        timezone: Option<&str>,
        lateness: Nanos,
    ) -> Result<Self, WindowError> {
        if sizes.is_empty() || sizes.iter().any(|size| *size <= 0) {
            return Err(WindowError::NotPositive { what: "tumbling" });
        }
        if let Some(pair) = sizes.windows(2).find(|pair| pair[0] >= pair[1] || pair[1] % pair[0] != 0) {
            return Err(WindowError::SizesDoNotNest { smaller: pair[0], larger: pair[1] });
        }
        let days_of = |size: Nanos| match size {
            DAY => Some(1),
            size if size == 7 * DAY => Some(7),
            _ => None,
        };
        let smallest = timezone.and_then(|zone| Some((zone, sizes.iter().find_map(|size| days_of(*size))?)));
        let Some((zone, smallest)) = smallest else {
            let levels = sizes.iter().map(|size| Measure::Plain(Steps::new(*size, offset))).collect();
            return Ok(Grid { shape: Shape::Nested(levels), lateness });
        };
        let mut levels = Vec::with_capacity(sizes.len());
        for &size in sizes {
            levels.push(match days_of(size) {
                Some(days) => Measure::Local(LocalDays::new(zone, days, offset)?),
                None if size < smallest as Nanos * DAY => {
                    Measure::Within { step: size, days: LocalDays::new(zone, smallest, offset)? }
                }
                None => {
                    let smaller = smallest as Nanos * DAY;
                    return Err(WindowError::DoesNotFollowTheZone { smaller, larger: size });
                }
            });
        }
        Ok(Grid { shape: Shape::Nested(levels), lateness })
    }

    pub fn sliding(size: Nanos, every: Nanos, offset: Nanos, lateness: Nanos) -> Result<Self, WindowError> {
        if size <= 0 || every <= 0 {
            return Err(WindowError::NotPositive { what: if size <= 0 { "sliding" } else { "every" } });
        }
        if every > size {
            return Err(WindowError::EveryAboveSize { size, every });
        }
        let pane = gcd(size, every);
        if size / pane > MAX_PANES_A_WINDOW {
            return Err(WindowError::TooManyPanesAWindow { size, every, panes: size / pane });
        }
        let ends = Steps::new(every, offset.rem_euclid(every) + size % every);
        Ok(Grid { shape: Shape::Sliding { size, ends, panes: Steps::new(pane, offset) }, lateness })
    }

    pub fn levels(&self) -> usize {
        match &self.shape {
            Shape::Nested(levels) => levels.len(),
            Shape::Sliding { .. } => 1,
        }
    }

    /// The cell of `level` that holds `time`. Level 0 is that of the panes.
    #[inline]
    pub fn cell(&self, level: usize, time: Nanos) -> Window {
        match &self.shape {
            Shape::Nested(levels) => levels[level].cell(time),
            Shape::Sliding { panes, .. } => panes.cell(time),
        }
    }

    /// The length of panes, if they all have the same.
    pub fn step(&self) -> Option<Nanos> {
        match &self.shape {
            Shape::Nested(levels) => match levels[0] {
                Measure::Plain(steps) => Some(steps.step),
                _ => None,
            },
            Shape::Sliding { panes, .. } => Some(panes.step),
        }
    }

    /// Rows at or after `start` have all their windows before them while the watermark is below `end`.
    pub fn untouched(&self, watermark: Nanos) -> Window {
        match &self.shape {
            Shape::Nested(levels) => levels[0].cell(watermark),
            Shape::Sliding { ends, .. } => ends.cell(watermark),
        }
    }

    /// The end of the first window that holds `pane`.
    pub fn first_end(&self, pane: Window) -> Nanos {
        match &self.shape {
            Shape::Nested(_) => pane.end,
            Shape::Sliding { ends, .. } => ends.floor(pane.end - 1).saturating_add(ends.step),
        }
    }

    /// The end of the last window that holds `pane`, for levels of a rollup that of the coarsest.
    pub fn last_end(&self, pane: Window) -> Nanos {
        match &self.shape {
            Shape::Nested(levels) => levels[levels.len() - 1].cell(pane.start).end,
            Shape::Sliding { size, ends, .. } => ends.floor(pane.start.saturating_add(*size)),
        }
    }

    /// When the last window that holds `pane` is closed for good.
    pub fn closed_at(&self, pane: Window) -> Nanos {
        self.last_end(pane).saturating_add(self.lateness)
    }

    /// Where a row of `time` goes that the partition had come to `watermark` before; `None` if it is late for all its windows.
    pub fn place(&self, time: Nanos, watermark: Nanos) -> Option<Place> {
        match &self.shape {
            Shape::Nested(levels) => self.place_nested(levels, time, watermark),
            Shape::Sliding { ends, .. } => {
                let cell = self.cell(0, time);
                let (first, last) = (self.first_end(cell), self.last_end(cell));
                if last.saturating_add(self.lateness) <= watermark {
                    return None;
                }
                let passed = |watermark: Nanos| Some(ends.floor(watermark).min(last)).filter(|end| *end >= first);
                let fired = passed(watermark).unwrap_or(BEGINNING);
                let closed = passed(watermark.saturating_sub(self.lateness)).map(|end| end + self.lateness);
                Some(Place { level: 0, cell, boundary: fired.max(closed.unwrap_or(BEGINNING)) })
            }
        }
    }

    fn place_nested(&self, levels: &[Measure], time: Nanos, watermark: Nanos) -> Option<Place> {
        let mut boundary = BEGINNING;
        let mut found = None;
        for (level, measure) in levels.iter().enumerate() {
            let cell = measure.cell(time);
            let closing = cell.end.saturating_add(self.lateness);
            for event in [cell.end, closing] {
                if event <= watermark {
                    boundary = boundary.max(event);
                }
            }
            if found.is_none() && closing > watermark {
                found = Some((level, cell));
            }
        }
        found.map(|(level, cell)| Place { level, cell, boundary })
    }
}

fn gcd(a: Nanos, b: Nanos) -> Nanos {
    if b == 0 { a } else { gcd(b, a % b) }
}
