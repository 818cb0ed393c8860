//! Tests of plugins, run natively on the very code that a component runs.
//!
//! ```
//! # use wasmill_sdk::prelude::*;
//! # #[derive(Default, Serialize, Deserialize, State)]
//! # struct Total(f64);
//! # #[derive(Event)]
//! # struct Order { #[event(path = "data.amount")] amount: f64 }
//! # #[derive(Row)]
//! # struct Totalled { total: f64 }
//! # impl Aggregator for Total {
//! #     type Config = (); type Event<'a> = Order; type Output<'a> = Totalled;
//! #     fn empty(_: &()) -> Self { Total(0.0) }
//! #     fn add(&mut self, order: Order, _: &()) -> Result<(), Reject> { self.0 += order.amount; Ok(()) }
//! #     fn merge(&mut self, other: &Self) { self.0 += other.0 }
//! #     fn emit<'a>(&'a self, _: &Emission<'a>, _: &(), out: &mut Out<Totalled>) { out.push(Totalled { total: self.0 }) }
//! # }
//! let mut test = testing::aggregator::<Total>(json!({}));
//! test.add(json!({"data": {"amount": 3.0}})).add(json!({"data": {"amount": 4.5}}));
//! assert_eq!(test.emit(), [json!({"total": 7.5})]);
//! test.laws();
//! ```
//!
//! An event is the JSON of its payload; what belongs to the record (`@key`, `@headers.tenant`, `@time` in nanoseconds) stands in
//! it under that very name.

mod events;
mod laws;
mod rows;

use serde_json::Value;

use crate::columns::{Batch, Column};
use crate::schema::{About, Descriptor};
use crate::{
    Aggregator, AggregatorInstance, Emitted, Firing, Reject, Rejected, Transformer, TransformerInstance, Window,
};

const ABOUT: About = About { name: "test", version: "0.0.0", doc: "" };

/// What `configure` answers to a configuration.
pub fn configure_transformer<T: Transformer>(config: Value) -> Result<Descriptor, String> {
    TransformerInstance::<T>::new(&config.to_string(), ABOUT).map(|(_, descriptor)| descriptor)
}

/// What `configure` answers to a configuration.
pub fn configure_aggregator<A: Aggregator>(config: Value) -> Result<Descriptor, String> {
    AggregatorInstance::<A>::new(&config.to_string(), ABOUT).map(|(_, descriptor)| descriptor)
}

/// A transformer under test. Panics if it refuses the configuration.
pub fn transformer<T: Transformer>(config: Value) -> TransformerTest<T> {
    match TransformerInstance::new(&config.to_string(), ABOUT) {
        Ok((instance, descriptor)) => TransformerTest { instance, descriptor },
        Err(error) => panic!("the plugin refuses its configuration: {error}"),
    }
}

/// See [`transformer`].
pub struct TransformerTest<T> {
    instance: TransformerInstance<T>,
    descriptor: Descriptor,
}

impl<T: Transformer> TransformerTest<T> {
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The rows that one event becomes, as the next step sees them: with the event's own fields if the plugin extends. Several
    /// outputs are told apart by their name: `{"alerts": {..}}`. `Err`: the reason of the plugin, or of the host if the
    /// event lacks a required field.
    pub fn run(&self, event: Value) -> Result<Vec<Value>, Reject> {
        let columns = events::columns(&self.descriptor.reads, std::slice::from_ref(&event))?;
        let views: Vec<Column<'_>> = columns.iter().filter_map(crate::columns::OwnedColumn::view).collect();
        let results = self.instance.transform(&Batch { rows: 1, columns: &views });
        if let Some(Rejected { reason, .. }) = results.rejects.into_iter().next() {
            return Err(Reject(reason));
        }
        let several = self.descriptor.outputs.len() > 1;
        let mut all = Vec::new();
        for (output, emitted) in self.descriptor.outputs.iter().zip(&results.outputs) {
            for (_, written) in rows::rows(output, emitted) {
                let row = if output.extends { rows::extend(&event, written) } else { Value::Object(written) };
                all.push(if several { serde_json::json!({ &*output.name: row }) } else { row });
            }
        }
        Ok(all)
    }
}

/// An aggregator under test: one key in one window. Panics if it refuses the configuration.
pub fn aggregator<A: Aggregator>(config: Value) -> AggregatorTest<A> {
    let config = config.to_string();
    match AggregatorInstance::new(&config, ABOUT) {
        Ok((instance, descriptor)) => AggregatorTest { instance, descriptor, config, events: Vec::new() },
        Err(error) => panic!("the plugin refuses its configuration: {error}"),
    }
}

/// See [`aggregator`].
pub struct AggregatorTest<A: Aggregator> {
    instance: AggregatorInstance<A>,
    descriptor: Descriptor,
    config: String,
    events: Vec<Value>,
}

/// The slot that `add` folds into.
const SLOT: u32 = 0;

impl<A: Aggregator> AggregatorTest<A> {
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Folds one event. Panics if it is rejected, or lacks a required field.
    pub fn add(&mut self, event: Value) -> &mut Self {
        match self.try_add(event) {
            Ok(()) => self,
            Err(Reject(reason)) => panic!("rejected: {reason}"),
        }
    }

    /// Folds events one after the other. Panics as [`add`](AggregatorTest::add) does.
    pub fn add_all(&mut self, events: impl IntoIterator<Item = Value>) -> &mut Self {
        for event in events {
            self.add(event);
        }
        self
    }

    /// Folds one event. `Err`: the reason of the plugin, or of the host if the event lacks a required field.
    pub fn try_add(&mut self, event: Value) -> Result<(), Reject> {
        accumulate(&mut self.instance, &self.descriptor, &event, SLOT)?;
        self.events.push(event);
        Ok(())
    }

    /// The rows of the window's end.
    pub fn emit(&self) -> Vec<Value> {
        self.emit_as(Window { start: 0, end: 60_000_000_000 }, Firing::OnTime, &[])
    }

    /// The rows of a window, asked for as the host would. `key`: the key's values as text.
    pub fn emit_as(&self, window: Window, firing: Firing, key: &[&str]) -> Vec<Value> {
        emit(&self.instance, &self.descriptor, SLOT, window, firing, key)
    }

    /// Checks what the host relies on, over all events added so far: the empty state changes nothing, merging commutes,
    /// associates and leaves its operand as it was, however the events are split among states; a stored state is read back.
    /// Panics, naming the law and showing both results. Floats may differ by a billionth.
    pub fn laws(&self) {
        laws::check::<A>(&self.config, &self.events);
    }
}

fn accumulate<A: Aggregator>(
    instance: &mut AggregatorInstance<A>,
    descriptor: &Descriptor,
    event: &Value,
    slot: u32,
) -> Result<(), Reject> {
    let columns = events::columns(&descriptor.reads, std::slice::from_ref(event))?;
    let views: Vec<Column<'_>> = columns.iter().filter_map(crate::columns::OwnedColumn::view).collect();
    match instance.accumulate(&Batch { rows: 1, columns: &views }, &[], &[slot]).pop() {
        Some(Rejected { reason, .. }) => Err(Reject(reason)),
        None => Ok(()),
    }
}

fn emit<A: Aggregator>(
    instance: &AggregatorInstance<A>,
    descriptor: &Descriptor,
    slot: u32,
    window: Window,
    firing: Firing,
    key: &[&str],
) -> Vec<Value> {
    let keys = events::texts(key);
    let views: Vec<Column<'_>> = keys.iter().filter_map(crate::columns::OwnedColumn::view).collect();
    let results = instance.emit(&[slot], &[window], &views, firing);
    let several = descriptor.outputs.len() > 1;
    let named = |(output, emitted): (&crate::schema::Output, &Emitted)| {
        let wrap = |(_, row)| if several { serde_json::json!({ &*output.name: row }) } else { Value::Object(row) };
        rows::rows(output, emitted).into_iter().map(wrap).collect::<Vec<_>>()
    };
    descriptor.outputs.iter().zip(&results.outputs).flat_map(named).collect()
}
