//! Random partitions, and how they are run through a windower in random batches.

use proptest::prelude::*;
use wasmill_core::batch::Strings;
use wasmill_core::plan::WindowSpec;
use wasmill_core::time::{BEGINNING, END, Nanos};
use wasmill_core::watermark::Watermark;
use wasmill_core::window::{Input, Side, Windower};

use super::toy::Toy;

/// One source record.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub time: Nanos,
    pub key: u8,
    /// Its time does not count and it reaches no window.
    pub invalid: bool,
    /// A condition drops it before the window; its time counts.
    pub filtered: bool,
    /// Before it the partition was idle and its watermark followed the clock to this far behind the largest time so far.
    pub raise: Option<Nanos>,
}

#[derive(Clone, Debug)]
pub struct Setup {
    pub spec: WindowSpec,
    pub lateness: Nanos,
    pub out_of_orderness: Nanos,
    pub key_parts: usize,
}

impl Setup {
    pub fn windower(&self) -> Windower {
        Windower::new(&self.spec, self.lateness, self.key_parts).unwrap()
    }

    pub fn side(&self, side: Side) -> Windower {
        Windower::exchanged(&self.spec, self.lateness, self.key_parts, side).unwrap()
    }

    /// The key of `event` as the toy shows it.
    pub fn key(&self, event: &Event) -> String {
        match self.key_parts {
            0 => String::new(),
            1 => key_text(event.key),
            _ => format!("{}/{}", key_text(event.key / 2), key_text(event.key % 2)),
        }
    }
}

fn key_text(key: u8) -> String {
    "k".repeat(key as usize * 7)
}

pub fn events(most: usize, raises: bool) -> impl Strategy<Value = Vec<Event>> {
    let step = prop_oneof![6 => 0..3i64, 3 => -12..6i64, 1 => -40..0i64, 1 => 0..80i64];
    let raise = prop::option::weighted(0.03, -5..40i64).prop_map(move |raise| raise.filter(|_| raises));
    let one = (step, prop_oneof![0..1u8, 0..6u8], prop::bool::weighted(0.05), prop::bool::weighted(0.1), raise);
    prop::collection::vec(one, 1..most).prop_map(|steps| {
        let mut now: Nanos = 1000;
        let mut latest = now;
        let mut events = Vec::with_capacity(steps.len());
        for (step, key, invalid, filtered, raise) in steps {
            let time = now + step;
            now += step.max(0);
            latest = latest.max(time);
            events.push(Event { time, key, invalid, filtered, raise: raise.map(|raise| latest + raise) });
        }
        events
    })
}

/// The watermark that judges each event, by the definition.
pub fn watermarks(setup: &Setup, events: &[Event]) -> Vec<Nanos> {
    let (mut latest, mut floor) = (BEGINNING, BEGINNING);
    events
        .iter()
        .map(|event| {
            floor = floor.max(event.raise.unwrap_or(BEGINNING));
            let watermark = latest.saturating_sub(setup.out_of_orderness).max(floor);
            latest = if event.invalid { latest } else { latest.max(event.time) };
            watermark
        })
        .collect()
}

/// One partition being worked through.
pub struct Partition<'a> {
    pub setup: &'a Setup,
    pub events: &'a [Event],
    pub position: usize,
    pub watermark: Watermark,
    pub windower: Windower,
    pub states: Toy,
    pub late: Vec<u64>,
    /// Added to offsets to make the rows' ids.
    pub base: u64,
}

impl<'a> Partition<'a> {
    pub fn new(setup: &'a Setup, events: &'a [Event]) -> Self {
        Partition {
            setup,
            events,
            position: 0,
            watermark: Watermark::new(setup.out_of_orderness),
            windower: setup.windower(),
            states: Toy::default(),
            late: Vec::new(),
            base: 0,
        }
    }

    pub fn done(&self) -> bool {
        self.position == self.events.len()
    }

    /// Folds at most `most` events; a raise cuts the batch before its event.
    pub fn fold(&mut self, most: usize) {
        if let Some(raise) = self.events[self.position].raise {
            self.watermark.raise(raise);
            self.advance();
        }
        self.send(most);
    }

    /// As [`Partition::fold`], of a partition whose windower is never advanced.
    pub fn send(&mut self, most: usize) {
        let events = &self.events[self.position..];
        if let Some(raise) = events[0].raise {
            self.watermark.raise(raise);
        }
        let cut = events.iter().skip(1).position(|event| event.raise.is_some()).map_or(events.len(), |at| at + 1);
        let events = &events[..cut.min(most.max(1))];
        let source_times: Vec<Nanos> = events.iter().map(|e| if e.invalid { BEGINNING } else { e.time }).collect();
        let progress = self.watermark.observe(&source_times);
        // The frame has only the valid events, as after a transformer; of these the filtered ones are not alive.
        let frame: Vec<usize> = (0..events.len()).filter(|at| !events[*at].invalid).collect();
        let source_rows: Vec<u32> = frame.iter().map(|at| *at as u32).collect();
        let times: Vec<Nanos> = frame.iter().map(|at| events[*at].time).collect();
        let rows: Vec<u32> = (0..frame.len() as u32).filter(|row| !events[frame[*row as usize]].filtered).collect();
        let mut columns = vec![Strings::default(); self.setup.key_parts];
        for at in &frame {
            match columns.as_mut_slice() {
                [] => {}
                [key] => key.push(key_text(events[*at].key).as_bytes()),
                [first, second, ..] => {
                    first.push(key_text(events[*at].key / 2).as_bytes());
                    second.push(key_text(events[*at].key % 2).as_bytes());
                }
            }
        }
        let keys: Vec<&Strings> = columns.iter().collect();
        let offset = self.position as u64;
        self.states.ids = frame.iter().map(|at| self.base + offset + *at as u64).collect();
        let input = Input {
            rows: &rows,
            times: &times,
            keys: &keys,
            source_rows: Some(&source_rows),
            progress: &progress,
            first_offset: self.position as i64,
        };
        let mut late = Vec::new();
        self.windower.fold(&input, &mut self.states, &mut late).unwrap();
        if !self.states.muted {
            self.late.extend(late.iter().map(|row| self.states.ids[*row as usize]));
        }
        self.position += events.len();
    }

    pub fn advance(&mut self) {
        self.windower.advance(self.watermark.current(), &mut self.states).unwrap();
    }

    pub fn finish(&mut self) {
        self.watermark.raise(END);
        self.advance();
        assert_eq!((self.windower.slots(), self.states.left()), (0, 0), "states were not forgotten");
        assert_eq!(self.windower.low_mark(), None);
    }
}
