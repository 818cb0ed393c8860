//! The two plugins of the benchmark as native code behind the host's own seam, and a plugin around another that takes its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasmill_core::batch::{Batch, Column, Strings, Values};
use wasmill_core::plugin::{Aggregator, CallError, Emitted, Fault, Firing, Plugin, Reject, Results, Transformer};
use wasmill_core::time::Window;
use wasmill_sdk::columns;
use wasmill_sdk::schema::About;

use crate::process::thread_cpu;

/// `builtin:filter` or `builtin:count`, compiled for this machine.
pub struct Native {
    /// In the configuration.
    pub name: String,
    /// JSON.
    pub config: String,
}

const ABOUT: About = About { name: "native", version: "0", doc: "" };

fn error(function: &'static str, message: String) -> CallError {
    CallError { plugin: "native".to_owned(), release: "native".to_owned(), function, fault: Fault::Refused, message }
}

impl Plugin for Native {
    fn name(&self) -> &str {
        &self.name
    }

    fn release(&self) -> &str {
        "native"
    }

    fn transformer(&self) -> Result<Box<dyn Transformer>, CallError> {
        let instance = wasmill_sdk::TransformerInstance::new(&self.config, ABOUT);
        Ok(Box::new(NativeFilter(instance.map_err(|message| error("configure", message))?.0)))
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>, CallError> {
        let instance = wasmill_sdk::AggregatorInstance::new(&self.config, ABOUT);
        Ok(Box::new(NativeCount(instance.map_err(|message| error("configure", message))?.0)))
    }
}

struct NativeFilter(wasmill_sdk::TransformerInstance<filter::Filter>);
struct NativeCount(wasmill_sdk::AggregatorInstance<count::Count>);

impl Transformer for NativeFilter {
    fn transform(&mut self, input: Batch<'_>) -> Result<Results, CallError> {
        let columns = views(input.columns);
        results(self.0.transform(&columns::Batch { rows: input.rows, columns: &columns }))
    }
}

impl Aggregator for NativeCount {
    fn accumulate(&mut self, input: Batch<'_>, rows: &[u32], slots: &[u32]) -> Result<Vec<Reject>, CallError> {
        let columns = views(input.columns);
        Ok(rejects(self.0.accumulate(&columns::Batch { rows: input.rows, columns: &columns }, rows, slots)))
    }

    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), CallError> {
        self.0.merge(into, other);
        Ok(())
    }

    fn emit(
        &mut self,
        slots: &[u32],
        windows: &[Window],
        keys: &[&Column],
        firing: Firing,
    ) -> Result<Results, CallError> {
        let windows: Vec<_> =
            windows.iter().map(|window| wasmill_sdk::Window { start: window.start, end: window.end }).collect();
        let firing = match firing {
            Firing::Early => wasmill_sdk::Firing::Early,
            Firing::OnTime => wasmill_sdk::Firing::OnTime,
            Firing::Late => wasmill_sdk::Firing::Late,
        };
        results(self.0.emit(slots, &windows, &views(keys), firing))
    }

    fn forget(&mut self, slots: &[u32]) -> Result<(), CallError> {
        self.0.forget(slots);
        Ok(())
    }

    fn state_version(&self) -> u32 {
        1
    }

    fn snapshot(&mut self, slots: &[u32]) -> Result<Strings, CallError> {
        let states = self.0.snapshot(slots).map_err(|message| error("snapshot", message))?;
        Ok(Strings { ends: states.ends, data: states.data })
    }

    fn restore(&mut self, slots: &[u32], version: u32, states: &Strings) -> Result<(), CallError> {
        let states = columns::Strings { ends: &states.ends, data: &states.data };
        self.0.restore(slots, version, states).map_err(|message| error("restore", message))
    }
}

/// Both plugins read scalars only: a list would have no view, and the plugin would say which field it misses.
fn views<'a>(columns: &[&'a Column]) -> Vec<columns::Column<'a>> {
    columns.iter().filter_map(|column| view(column)).collect()
}

fn view(column: &Column) -> Option<columns::Column<'_>> {
    let values = match &column.values {
        Values::Booleans(values) => columns::Values::Booleans(values),
        Values::Integers(values) => columns::Values::Integers(values),
        Values::Floats(values) => columns::Values::Floats(values),
        Values::Texts(texts) => {
            let strings = columns::Strings { ends: &texts.ends, data: &texts.data };
            // SAFETY: the decoder and the plugins' results are checked before they become columns.
            columns::Values::Texts(unsafe { columns::Texts::trusted(strings) })
        }
        Values::Blobs(blobs) => columns::Values::Blobs(columns::Strings { ends: &blobs.ends, data: &blobs.data }),
        Values::Lists { .. } => return None,
    };
    Some(columns::Column { values, valid: &column.valid })
}

fn results(results: wasmill_sdk::Results) -> Result<Results, CallError> {
    let owned = |column: columns::OwnedColumn| {
        let strings = |strings: columns::OwnedStrings| Strings { ends: strings.ends, data: strings.data };
        let values = match column.values {
            columns::OwnedValues::Booleans(values) => Values::Booleans(values),
            columns::OwnedValues::Integers(values) => Values::Integers(values),
            columns::OwnedValues::Floats(values) => Values::Floats(values),
            columns::OwnedValues::Texts(values) => Values::Texts(strings(values)),
            columns::OwnedValues::Blobs(values) => Values::Blobs(strings(values)),
            columns::OwnedValues::Lists(_) => return Err(error("lift", "neither plugin writes lists".to_owned())),
        };
        Ok(Column { values, valid: column.valid })
    };
    let emitted = |emitted: wasmill_sdk::Emitted| {
        let columns = emitted.columns.into_iter().map(owned).collect::<Result<_, _>>()?;
        Ok(Emitted { count: emitted.count, origins: emitted.origins, columns })
    };
    let outputs = results.outputs.into_iter().map(emitted).collect::<Result<_, _>>()?;
    Ok(Results { outputs, rejects: rejects(results.rejects) })
}

fn rejects(rejected: Vec<wasmill_sdk::Rejected>) -> Vec<Reject> {
    rejected.into_iter().map(|rejected| Reject { row: rejected.row, reason: rejected.reason }).collect()
}

/// CPU nanoseconds inside a plugin's calls.
#[derive(Debug, Default)]
pub struct Spent {
    pub transform: AtomicU64,
    pub accumulate: AtomicU64,
    /// Emit, merge, forget and the like: what firing windows costs.
    pub fire: AtomicU64,
}

/// Another plugin, timed.
pub struct Timed {
    pub inner: Arc<dyn Plugin>,
    pub spent: Arc<Spent>,
}

struct TimedInstance<T: ?Sized> {
    spent: Arc<Spent>,
    inner: Box<T>,
}

fn timed<T>(spent: &AtomicU64, call: impl FnOnce() -> T) -> T {
    let before = thread_cpu();
    let result = call();
    spent.fetch_add((thread_cpu() - before).as_nanos() as u64, Relaxed);
    result
}

impl Plugin for Timed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn release(&self) -> &str {
        self.inner.release()
    }

    fn transformer(&self) -> Result<Box<dyn Transformer>, CallError> {
        Ok(Box::new(TimedInstance { spent: Arc::clone(&self.spent), inner: self.inner.transformer()? }))
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>, CallError> {
        Ok(Box::new(TimedInstance { spent: Arc::clone(&self.spent), inner: self.inner.aggregator()? }))
    }
}

impl Transformer for TimedInstance<dyn Transformer> {
    fn transform(&mut self, input: Batch<'_>) -> Result<Results, CallError> {
        timed(&self.spent.transform, || self.inner.transform(input))
    }
}

impl Aggregator for TimedInstance<dyn Aggregator> {
    fn accumulate(&mut self, input: Batch<'_>, rows: &[u32], slots: &[u32]) -> Result<Vec<Reject>, CallError> {
        timed(&self.spent.accumulate, || self.inner.accumulate(input, rows, slots))
    }

    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), CallError> {
        timed(&self.spent.fire, || self.inner.merge(into, other))
    }

    fn emit(
        &mut self,
        slots: &[u32],
        windows: &[Window],
        keys: &[&Column],
        firing: Firing,
    ) -> Result<Results, CallError> {
        timed(&self.spent.fire, || self.inner.emit(slots, windows, keys, firing))
    }

    fn forget(&mut self, slots: &[u32]) -> Result<(), CallError> {
        timed(&self.spent.fire, || self.inner.forget(slots))
    }

    fn state_version(&self) -> u32 {
        self.inner.state_version()
    }

    fn snapshot(&mut self, slots: &[u32]) -> Result<Strings, CallError> {
        timed(&self.spent.fire, || self.inner.snapshot(slots))
    }

    fn restore(&mut self, slots: &[u32], version: u32, states: &Strings) -> Result<(), CallError> {
        timed(&self.spent.fire, || self.inner.restore(slots, version, states))
    }
}
