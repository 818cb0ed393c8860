//! Days and weeks of a time zone, from local midnight to local midnight.

use std::cell::Cell;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::error::WindowError;
use crate::time::{DAY, Nanos, Window};

/// Days (or weeks, from Monday) of one zone. A day has 23 to 25 hours where the clock is changed.
#[derive(Debug)]
pub(super) struct LocalDays {
    zone: TimeZone,
    /// 1 or 7.
    days: i32,
    /// Moves every boundary.
    offset: Nanos,
    /// The span asked for last: nearly every question is about it.
    last: Cell<Window>,
}

impl LocalDays {
    pub fn new(name: &str, days: i32, offset: Nanos) -> Result<Self, WindowError> {
        let zone = TimeZone::get(name)
            .map_err(|error| WindowError::UnknownTimezone { name: name.to_owned(), reason: error.to_string() })?;
        Ok(LocalDays { zone, days, offset, last: Cell::new(Window { start: 0, end: 0 }) })
    }

    pub fn cell(&self, time: Nanos) -> Window {
        let last = self.last.get();
        if last.start <= time && time < last.end {
            return last;
        }
        let local = time.saturating_sub(self.offset);
        let window = self.find(local).unwrap_or_else(|| plain_day(local));
        let window =
            Window { start: window.start.saturating_add(self.offset), end: window.end.saturating_add(self.offset) };
        self.last.set(window);
        window
    }

    /// `None` outside the years that the calendar knows, which 64 bits of nanoseconds never leave.
    fn find(&self, time: Nanos) -> Option<Window> {
        let date = Timestamp::from_nanosecond(time.into()).ok()?.to_zoned(self.zone.clone()).date();
        let into_week = if self.days == 7 { date.weekday().to_monday_zero_offset() as i64 } else { 0 };
        let mut date = date.checked_sub(into_week.days()).ok()?;
        loop {
            let next = date.checked_add((self.days as i64).days()).ok()?;
            let end = self.midnight(next)?;
            // A clock turned back across midnight shows the old date again after the new day has begun.
            if time < end {
                return Some(Window { start: self.midnight(date)?, end });
            }
            date = next;
        }
    }

    fn midnight(&self, date: Date) -> Option<Nanos> {
        let start = date.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
        let nanos = start.timestamp().as_nanosecond();
        Some(nanos.clamp(Nanos::MIN.into(), Nanos::MAX.into()) as Nanos)
    }
}

fn plain_day(time: Nanos) -> Window {
    let start = time.saturating_sub(time.rem_euclid(DAY));
    Window { start, end: start.saturating_add(DAY) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR;
    use proptest::prelude::*;

    fn at(text: &str) -> Nanos {
        text.parse::<Timestamp>().unwrap().as_nanosecond() as Nanos
    }

    #[test]
    fn days_have_as_many_hours_as_the_zone_gives_them() {
        let berlin = LocalDays::new("Europe/Berlin", 1, 0).unwrap();
        let spring = berlin.cell(at("2026-03-29T12:00:00Z"));
        assert_eq!((spring.start, spring.end - spring.start), (at("2026-03-28T23:00:00Z"), 23 * HOUR));
        let week = LocalDays::new("Europe/Berlin", 7, 0).unwrap().cell(at("2026-10-25T12:00:00Z"));
        assert_eq!((week.start, week.end - week.start), (at("2026-10-18T22:00:00Z"), (7 * 24 + 1) * HOUR));
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = LocalDays::new("Europe/Atlantis", 1, 0).unwrap_err().to_string();
        assert!(error.contains("Europe/Atlantis"), "{error}");
    }

    proptest! {
        #[test]
        fn days_meet_without_gap_or_overlap(
            time in -2_000_000_000i64..4_000_000_000,
            zone in prop::sample::select(vec!["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"]),
            days in prop::sample::select(vec![1, 7]),
        ) {
            let days = LocalDays::new(zone, days, 0).unwrap();
            let time = time * 1_000_000_000;
            let cell = days.cell(time);
            prop_assert!(cell.start <= time && time < cell.end, "{cell:?} {time}");
            prop_assert_eq!(days.cell(cell.end).start, cell.end);
            prop_assert_eq!(days.cell(cell.end - 1).start, cell.start);
        }
    }
}
