//! What the data path asks of a plugin. `wasmill-wasm` answers with instances of components, the benchmark with native code,
//! the core's own tests with toys.

use crate::batch::{Batch, Column};
use crate::time::Window;

/// Rows of one output, checked: origins never fall and lie inside the call's rows (or slots), every column has `count` rows of
/// the declared kind, text is UTF-8.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Emitted {
    pub count: u32,
    /// Which row (or position in `slots`) each row came from; empty: one row for each, in order.
    pub origins: Vec<u32>,
    /// In the order of the output's fields in the descriptor.
    pub columns: Vec<Column>,
}

/// An input that the plugin refuses, with its own reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub row: u32,
    pub reason: String,
}

/// `outputs` in the descriptor's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    pub outputs: Vec<Emitted>,
    pub rejects: Vec<Reject>,
}

/// Why a result is asked for: the window still runs, its time is complete, or a late row changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Firing {
    Early,
    OnTime,
    Late,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The guest trapped (a panic, a division by zero, unreachable).
    Trap,
    /// It ran longer than `limits.call`.
    Deadline,
    /// It asked for more than `limits.memory`.
    Memory,
    /// It returned more than `limits.output`.
    Output,
    /// It answered `Err`.
    Refused,
    /// It returned what the contract forbids: wrong counts, ends that fall, broken UTF-8, origins out of range.
    Invalid,
}

impl Fault {
    /// As it stands in metrics, dead letters and the API.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Trap => "trap",
            Fault::Deadline => "deadline",
            Fault::Memory => "memory",
            Fault::Output => "output",
            Fault::Refused => "refused",
            Fault::Invalid => "invalid",
        }
    }
}

/// A call that failed. After every fault but `Refused` the instance is spent: make a fresh one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("plugin {plugin} ({release}) failed in {function}: {message}")]
pub struct CallError {
    /// Its name in the configuration.
    pub plugin: String,
    /// The first 12 hex digits of the release's sha256.
    pub release: String,
    pub function: &'static str,
    pub fault: Fault,
    /// What happened, with the limit that was reached and, for a trap, the guest's backtrace.
    pub message: String,
}

/// A stateless plugin: a row becomes 0..n rows in each output.
pub trait Transformer: Send {
    fn transform(&mut self, input: Batch<'_>) -> Result<Results, CallError>;
}

/// A plugin that folds rows into states by slot. The guest's memory is a cache of what replay rebuilds.
pub trait Aggregator: Send {
    /// Pair `i` folds row `rows[i]` into slot `slots[i]`; empty `rows` means row `i` into `slots[i]`.
    fn accumulate(&mut self, input: Batch<'_>, rows: &[u32], slots: &[u32]) -> Result<Vec<Reject>, CallError>;
    /// Folds slot `other[i]` into slot `into[i]`, pair after pair; `other` stays as it is.
    fn merge(&mut self, into: &[u32], other: &[u32]) -> Result<(), CallError>;
    /// Results of `slots`, which keep their state. `windows`: one a slot, or a single one for all. `keys`: the key's columns in
    /// the route's order, one row a slot.
    fn emit(
        &mut self,
        slots: &[u32],
        windows: &[Window],
        keys: &[&Column],
        firing: Firing,
    ) -> Result<Results, CallError>;
    fn forget(&mut self, slots: &[u32]) -> Result<(), CallError>;
    /// The version that `snapshot` writes.
    fn state_version(&self) -> u32;
    /// States in the order of `slots`, unchanged by the call.
    fn snapshot(&mut self, slots: &[u32]) -> Result<crate::batch::Strings, CallError>;
    fn restore(&mut self, slots: &[u32], version: u32, states: &crate::batch::Strings) -> Result<(), CallError>;
}

/// A configured plugin: makes instances. One instance belongs to one task; a spent one is replaced by a fresh one.
pub trait Plugin: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &str;
    /// The first 12 hex digits of the release's sha256.
    fn release(&self) -> &str;
    fn transformer(&self) -> Result<Box<dyn Transformer>, CallError>;
    fn aggregator(&self) -> Result<Box<dyn Aggregator>, CallError>;
    /// The version that its aggregators' `snapshot` writes; `None`: it keeps no state, or nobody asks.
    fn state_version(&self) -> Option<u32> {
        None
    }
    /// Whether its aggregators read states that were stored with this version.
    fn restores(&self, version: u32) -> bool {
        let _ = version;
        true
    }
    /// Memory of all living instances, in bytes; 0 where nobody counts it.
    fn memory_bytes(&self) -> u64 {
        0
    }
}
