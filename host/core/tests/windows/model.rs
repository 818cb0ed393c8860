//! What windows mean, in the plainest words: no panes, no slots, no batches.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use wasmill_core::plan::WindowSpec;
use wasmill_core::time::{BEGINNING, DAY, Nanos, Window};
use wasmill_core::window::size_label;

use super::scenario::{Event, Setup, watermarks};
use super::toy::{Point, Rows};

#[derive(Debug, Default, PartialEq)]
pub struct Expected {
    pub on_time: BTreeMap<Point, Rows>,
    /// The last emission of each point.
    pub last: BTreeMap<Point, Rows>,
    pub late: Rows,
}

/// Every window that holds `time`, with its rollup size.
pub fn windows(spec: &WindowSpec, time: Nanos) -> Vec<(Option<String>, Window)> {
    match spec {
        WindowSpec::Tumbling { sizes, offset, timezone: Some(zone) } => {
            let local =
                Timestamp::from_nanosecond((time - offset).into()).unwrap().to_zoned(TimeZone::get(zone).unwrap());
            let midnight = |day: Zoned| day.start_of_day().unwrap().timestamp().as_nanosecond() as Nanos + offset;
            let day = Window { start: midnight(local.clone()), end: midnight(local.tomorrow().unwrap()) };
            let cell = |size: &Nanos| {
                let start = time - (time - day.start) % size;
                Window { start, end: day.end.min(start + size) }
            };
            let cell = |size: &Nanos| if *size == DAY { day } else { cell(size) };
            sizes.iter().map(|size| ((sizes.len() > 1).then(|| size_label(*size)), cell(size))).collect()
        }
        WindowSpec::Tumbling { sizes, offset, timezone: None } => sizes
            .iter()
            .map(|size| {
                let start = (time - offset).div_euclid(*size) * size + offset;
                ((sizes.len() > 1).then(|| size_label(*size)), Window { start, end: start + size })
            })
            .collect(),
        WindowSpec::Sliding { size, every, offset } => {
            let last = (time - offset).div_euclid(*every) * every + offset;
            let starts = (0..).map(|back| last - back * every).take_while(|start| start + size > time);
            starts.map(|start| (None, Window { start, end: start + size })).collect()
        }
        WindowSpec::Session { .. } => unreachable!("sessions have their own model"),
    }
}

/// Adds one partition's rows. `base` is added to offsets to make the rows' ids.
pub fn expect(setup: &Setup, events: &[Event], base: u64, expected: &mut Expected) {
    for (offset, (event, watermark)) in events.iter().zip(watermarks(setup, events)).enumerate() {
        if event.invalid || event.filtered {
            continue;
        }
        let id = base + offset as u64;
        let mut counted = false;
        for (size, window) in windows(&setup.spec, event.time) {
            let point = (setup.key(event), window, size);
            if window.end > watermark || watermark == BEGINNING {
                expected.on_time.entry(point.clone()).or_default().push(id);
            }
            if window.end + setup.lateness > watermark {
                expected.last.entry(point).or_default().push(id);
                counted = true;
            }
        }
        if !counted {
            expected.late.push(id);
        }
    }
}
