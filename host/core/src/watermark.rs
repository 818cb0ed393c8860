//! How far event time has come in one partition: the running maximum of event times minus the disorder allowed, in offset
//! order, never backward.

use crate::time::{BEGINNING, Nanos};

/// One per source partition, and one more per route whose plugin sets event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    out_of_orderness: Nanos,
    running_max: Nanos,
    floor: Nanos,
}

impl Watermark {
    /// `out_of_orderness`: nanoseconds that an event may come behind the latest one before it counts as late.
    pub fn new(out_of_orderness: Nanos) -> Self {
        Watermark { out_of_orderness, running_max: BEGINNING, floor: BEGINNING }
    }

    /// No event at or before this time is expected any more; [`BEGINNING`] before the first event.
    #[inline]
    pub fn current(&self) -> Nanos {
        self.running_max.saturating_sub(self.out_of_orderness).max(self.floor)
    }

    /// The latest event time seen, [`BEGINNING`] before the first.
    pub fn running_max(&self) -> Nanos {
        self.running_max
    }

    /// What [`Watermark::raise`] has reached, [`BEGINNING`] if it was never called.
    pub fn floor(&self) -> Nanos {
        self.floor
    }

    /// Moves past a batch and tells how each of its rows saw the watermark. `times`: one for each source record, in offset
    /// order; [`BEGINNING`] marks a record that does not count (undecodable, too far in the future).
    pub fn observe<'a>(&mut self, times: &'a [Nanos]) -> Progress<'a> {
        let start = *self;
        let latest = times.iter().copied().max().unwrap_or(BEGINNING);
        self.running_max = self.running_max.max(latest);
        Progress { times, start, after: self.current(), mark: (start.running_max, start.floor) }
    }

    /// Lifts the watermark without an event: a quiet partition follows the clock, and the end of a bounded run is
    /// [`END`](crate::time::END). Lower values are ignored.
    pub fn raise(&mut self, floor: Nanos) {
        self.floor = self.floor.max(floor);
    }

    /// Continues where a [`LowMark`](crate::window::LowMark) was taken.
    pub fn restore(&mut self, running_max: Nanos, floor: Nanos) {
        self.running_max = running_max;
        self.floor = floor;
    }
}

/// The watermark as each row of one batch saw it.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    times: &'a [Nanos],
    start: Watermark,
    after: Nanos,
    /// What a low mark says of the watermark before the batch.
    mark: (Nanos, Nanos),
}

impl<'a> Progress<'a> {
    /// The watermark before the batch's first row.
    pub fn before(&self) -> Nanos {
        self.start.current()
    }

    /// The watermark after its last row.
    pub fn after(&self) -> Nanos {
        self.after
    }

    /// For a route with event time of its own: low marks keep what the source's watermark was, since it is the source that a
    /// replay repeats.
    pub fn marked_by(self, source: &Progress<'_>) -> Self {
        Progress { mark: source.mark, ..self }
    }

    /// The running maximum before the batch, as a [`LowMark`](crate::window::LowMark) keeps it.
    pub fn running_max_before(&self) -> Nanos {
        self.mark.0
    }

    /// The floor during the batch, as a [`LowMark`](crate::window::LowMark) keeps it.
    pub fn floor(&self) -> Nanos {
        self.mark.1
    }

    /// The watermark that judges source row `row`: that of all rows before it. Walks from the batch's start; for many rows use
    /// [`Progress::walk`].
    pub fn at(&self, row: usize) -> Nanos {
        self.walk().at(row)
    }

    pub fn walk(&self) -> Walk<'a> {
        Walk { rest: self.times.iter(), next: 0, state: self.start }
    }
}

/// Steps through a batch's watermarks in the order of its rows.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    rest: std::slice::Iter<'a, Nanos>,
    next: usize,
    state: Watermark,
}

impl Walk<'_> {
    /// As [`Progress::at`]; `row` must not fall from one call to the next.
    #[inline]
    pub fn at(&mut self, row: usize) -> Nanos {
        while self.next < row {
            let Some(&time) = self.rest.next() else { break };
            self.state.running_max = self.state.running_max.max(time);
            self.next += 1;
        }
        self.state.current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::END;

    #[test]
    fn a_row_sees_the_rows_before_it_but_not_itself() {
        let mut watermark = Watermark::new(5);
        let times = [10, BEGINNING, 30, 20];
        let progress = watermark.observe(&times);
        assert_eq!(progress.before(), BEGINNING);
        assert_eq!((0..5).map(|row| progress.at(row)).collect::<Vec<_>>(), [BEGINNING, 5, 5, 25, 25]);
        assert_eq!((progress.after(), watermark.current(), watermark.running_max()), (25, 25, 30));
    }

    #[test]
    fn a_route_with_its_own_time_is_judged_by_it_but_marked_by_its_source() {
        let (mut source, mut own) = (Watermark::new(5), Watermark::new(5));
        source.observe(&[100]);
        own.observe(&[1000]);
        source.raise(97);
        let progress = own.observe(&[1010]).marked_by(&source.observe(&[110]));
        assert_eq!((progress.before(), progress.after()), (995, 1005));
        assert_eq!((progress.running_max_before(), progress.floor()), (100, 97));
    }

    #[test]
    fn it_never_falls() {
        let mut watermark = Watermark::new(5);
        watermark.observe(&[100]);
        watermark.raise(120);
        watermark.raise(90);
        assert_eq!(watermark.observe(&[110]).after(), 120);
        watermark.raise(END);
        assert_eq!(watermark.current(), END);
    }
}
