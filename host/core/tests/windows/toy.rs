//! States that remember which rows they hold, so that a row lost, doubled or leaked shows.

use std::collections::BTreeMap;

use wasmill_core::batch::{Strings, Values};
use wasmill_core::plugin::Firing;
use wasmill_core::time::{Nanos, Window};
use wasmill_core::window::{Emission, States, WindowError};

pub type Rows = Vec<u64>;
/// (key, window, rollup size).
pub type Point = (String, Window, Option<String>);

#[derive(Clone, Debug)]
pub struct Emitted {
    pub point: Point,
    pub firing: Firing,
    /// Sorted.
    pub rows: Rows,
}

#[derive(Debug, Default)]
pub struct Toy {
    slots: Vec<Rows>,
    /// The id of each frame row of the batch at hand.
    pub ids: Vec<u64>,
    pub emitted: Vec<Emitted>,
    /// While set, emissions are thrown away, as in a replay.
    pub muted: bool,
    pub calls: usize,
}

impl Toy {
    fn slot(&mut self, slot: u32) -> &mut Rows {
        let slot = slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, Rows::new());
        }
        &mut self.slots[slot]
    }

    /// What is remembered in slots that were never forgotten.
    pub fn left(&self) -> usize {
        self.slots.iter().filter(|rows| !rows.is_empty()).count()
    }

    /// The last emission of each point that is not an early one.
    pub fn last(&self) -> BTreeMap<Point, Rows> {
        let finished = self.emitted.iter().filter(|emitted| emitted.firing != Firing::Early);
        finished.map(|emitted| (emitted.point.clone(), emitted.rows.clone())).collect()
    }

    /// What fired on time; panics if a point did so twice or the ends are out of order.
    pub fn on_time(&self) -> BTreeMap<Point, Rows> {
        let mut points = BTreeMap::new();
        let mut end = Nanos::MIN;
        for emitted in self.emitted.iter().filter(|emitted| emitted.firing == Firing::OnTime) {
            let before = points.insert(emitted.point.clone(), emitted.rows.clone());
            assert_eq!(before, None, "{:?} fired twice", emitted.point);
            assert!(emitted.point.1.end >= end, "{:?} fired after a window that ends later", emitted.point);
            end = emitted.point.1.end;
        }
        points
    }
}

impl States for Toy {
    type Error = WindowError;

    fn accumulate(&mut self, rows: &[u32], slots: &[u32]) -> Result<(), WindowError> {
        assert_eq!(rows.len(), slots.len());
        for (&row, &slot) in rows.iter().zip(slots) {
            let id = self.ids[row as usize];
            self.slot(slot).push(id);
        }
        self.calls += 1;
        Ok(())
    }

    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), WindowError> {
        for (&into, &other) in into.iter().zip(other) {
            let rows = self.slot(other).clone();
            self.slot(into).extend(rows);
        }
        self.calls += 1;
        Ok(())
    }

    fn emit(&mut self, emission: Emission<'_>) -> Result<(), WindowError> {
        self.calls += 1;
        for (at, &slot) in emission.slots.iter().enumerate() {
            let mut rows = self.slot(slot).clone();
            rows.sort_unstable();
            assert!(!rows.is_empty(), "an empty slot was emitted");
            let key: Vec<String> = emission
                .keys
                .iter()
                .map(|column| match &column.values {
                    Values::Texts(strings) => strings.text(at).into_owned(),
                    other => panic!("a key is text, not {other:?}"),
                })
                .collect();
            let window = emission.windows[if emission.windows.len() == 1 { 0 } else { at }];
            let point = (key.join("/"), window, emission.size.map(str::to_owned));
            if !self.muted {
                self.emitted.push(Emitted { point, firing: emission.firing, rows });
            }
        }
        Ok(())
    }

    fn forget(&mut self, slots: &[u32]) -> Result<(), WindowError> {
        slots.iter().for_each(|&slot| self.slot(slot).clear());
        self.calls += 1;
        Ok(())
    }

    fn snapshot(&mut self, slots: &[u32]) -> Result<Strings, WindowError> {
        let mut states = Strings::default();
        for &slot in slots {
            let bytes: Vec<u8> = self.slot(slot).iter().flat_map(|row| row.to_le_bytes()).collect();
            states.push(&bytes);
        }
        Ok(states)
    }

    fn restore(&mut self, slots: &[u32], states: &Strings) -> Result<(), WindowError> {
        for (at, &slot) in slots.iter().enumerate() {
            assert!(self.slot(slot).is_empty(), "restored into a slot in use");
            let rows = states.get(at).chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
            *self.slot(slot) = rows.collect();
        }
        Ok(())
    }
}
