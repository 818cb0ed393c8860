//! Plugins that fold rows into states.

use serde::de::DeserializeOwned;

use crate::columns::{Batch, Column, OwnedStrings, Strings};
use crate::dynamic::Dynamic;
use crate::event::Event;
use crate::reject::{Reject, Rejected, Results};
use crate::row::{Out, Row};
use crate::schema::{About, Descriptor, Field, Output};
use crate::state::State;

/// Half-open span of event time, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

/// Why a result is asked for: the window still runs, its time is complete, or a late row changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firing {
    Early,
    OnTime,
    Late,
}

/// What a result is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Emission<'a> {
    pub window: Window,
    pub firing: Firing,
    /// The key's values in the route's order: `at.key.text(0)`.
    pub key: Dynamic<'a>,
}

/// The rows of one key in one window, folded: the value itself is the state. Export it with
/// [`aggregator!`](crate::aggregator).
pub trait Aggregator: State {
    /// The plugin's `config` table; `()` for none. `#[serde(deny_unknown_fields)]` turns typing mistakes into errors.
    type Config: DeserializeOwned + 'static;
    type Event<'a>: Event<'a>;
    type Output<'a>: Row;

    /// What the types of a configuration cannot say. `Err`: it is refused; the text is shown to the user as it is.
    fn check(_config: &Self::Config) -> Result<(), String> {
        Ok(())
    }

    /// Override it (with [`Dynamic`] events) if the configuration says what is read.
    fn reads(_config: &Self::Config) -> Vec<Field> {
        <Self::Event<'static> as Event<'static>>::fields()
    }

    /// Override it (with [`Cells`](crate::Cells) rows) if the configuration says what is written.
    fn writes(_config: &Self::Config) -> Vec<Output> {
        <Self::Output<'static> as Row>::outputs()
    }

    /// The identity of [`merge`](Aggregator::merge).
    fn empty(config: &Self::Config) -> Self;

    /// `Err`: the row goes to the dead letters with this reason. Refuse before anything is changed.
    fn add(&mut self, event: Self::Event<'_>, config: &Self::Config) -> Result<(), Reject>;

    /// Must commute and associate: panes, partitions and sessions come in any order. `other` is used again.
    fn merge(&mut self, other: &Self);

    /// 0..n rows. The state is kept; it may be asked again. Several rows must differ in their tags.
    fn emit<'a>(&'a self, at: &Emission<'a>, config: &'a Self::Config, out: &mut Out<Self::Output<'a>>);
}

/// A configured aggregator with its states by slot: what stands behind the component's exports, and runs natively just as
/// well.
pub struct AggregatorInstance<A: Aggregator> {
    config: A::Config,
    outputs: Vec<Output>,
    slots: Vec<Option<A>>,
}

impl<A: Aggregator> AggregatorInstance<A> {
    /// `config` is JSON; empty means none.
    pub fn new(config: &str, about: About) -> Result<(Self, Descriptor), String> {
        let config: A::Config = crate::config::parse(config)?;
        A::check(&config)?;
        let outputs = A::writes(&config);
        let descriptor = Descriptor {
            name: about.name.to_owned(),
            version: about.version.to_owned(),
            doc: about.doc.to_owned(),
            reads: A::reads(&config),
            outputs: outputs.clone(),
        };
        Ok((AggregatorInstance { config, outputs, slots: Vec::new() }, descriptor))
    }

    /// Pair `i` folds row `rows[i]` into slot `slots[i]`; empty `rows` means row `i` into `slots[i]`.
    pub fn accumulate<'b>(&mut self, batch: &Batch<'b>, rows: &[u32], slots: &[u32]) -> Vec<Rejected> {
        self.make_room(slots);
        let columns = <A::Event<'b> as Event<'b>>::bind(batch);
        let states = &mut self.slots[..];
        let config = &self.config;
        let mut rejects = Vec::new();
        let mut fold = |row: usize, slot: u32| {
            let state = states[slot as usize].get_or_insert_with(|| A::empty(config));
            if let Err(Reject(reason)) = state.add(<A::Event<'b> as Event<'b>>::row(&columns, row), config) {
                rejects.push(Rejected { row: row as u32, reason });
            }
        };
        if rows.is_empty() {
            slots.iter().enumerate().for_each(|(row, &slot)| fold(row, slot));
        } else {
            rows.iter().zip(slots).for_each(|(&row, &slot)| fold(row as usize, slot));
        }
        rejects
    }

    /// Folds slot `other[i]` into slot `into[i]`, pair after pair; `other` stays as it is.
    pub fn merge(&mut self, into: &[u32], other: &[u32]) {
        self.make_room(into);
        self.make_room(other);
        for (&into, &other) in into.iter().zip(other) {
            if into == other {
                continue;
            }
            let Some(from) = self.slots[other as usize].take() else { continue };
            self.slots[into as usize].get_or_insert_with(|| A::empty(&self.config)).merge(&from);
            self.slots[other as usize] = Some(from);
        }
    }

    /// Results of `slots`, which keep their state. `windows`: one a slot, or a single one for all. `keys`: the key's columns,
    /// one row a slot.
    pub fn emit(&self, slots: &[u32], windows: &[Window], keys: &[Column<'_>], firing: Firing) -> Results {
        let empty = A::empty(&self.config);
        let mut out = Out::<A::Output<'_>>::new(&self.outputs, slots.len());
        for (position, &slot) in slots.iter().enumerate() {
            out.start(position as u32);
            let window = if windows.len() == 1 { windows[0] } else { windows[position] };
            let at = Emission { window, firing, key: Dynamic { columns: keys, row: position } };
            let state = self.slots.get(slot as usize).and_then(Option::as_ref).unwrap_or(&empty);
            state.emit(&at, &self.config, &mut out);
        }
        Results { outputs: out.finish(slots.len()), rejects: Vec::new() }
    }

    pub fn forget(&mut self, slots: &[u32]) {
        for &slot in slots {
            if let Some(state) = self.slots.get_mut(slot as usize) {
                *state = None;
            }
        }
    }

    /// States in the order of `slots`, unchanged.
    pub fn snapshot(&self, slots: &[u32]) -> Result<OwnedStrings, String> {
        let empty = A::empty(&self.config);
        let mut states = OwnedStrings::default();
        for &slot in slots {
            let state = self.slots.get(slot as usize).and_then(Option::as_ref).unwrap_or(&empty);
            states.data = state.encode(std::mem::take(&mut states.data))?;
            states.ends.push(states.data.len() as u32);
        }
        Ok(states)
    }

    /// Replaces the states of `slots` by those that `snapshot` of this version, or of one that it migrates, has written.
    pub fn restore(&mut self, slots: &[u32], version: u32, states: Strings<'_>) -> Result<(), String> {
        if slots.len() != states.ends.len() {
            return Err(format!("{} states for {} slots", states.ends.len(), slots.len()));
        }
        self.make_room(slots);
        for (position, &slot) in slots.iter().enumerate() {
            self.slots[slot as usize] = Some(A::decode(version, states.get(position))?);
        }
        Ok(())
    }

    /// One look for the greatest slot a call instead of a check a row.
    fn make_room(&mut self, slots: &[u32]) {
        let needed = slots.iter().copied().max().map_or(0, |greatest| greatest as usize + 1);
        if needed > self.slots.len() {
            self.slots.resize_with(needed, || None);
        }
    }
}
