//! What one instance of a plugin may use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::wasi::Grants;

/// Entries in all tables of one instance; a Rust guest has a few hundred (its function pointers).
const MAX_TABLE_ENTRIES: usize = 1 << 20;
/// Core instances, memories and tables in one store. `wit-component` makes a handful.
const MAX_PARTS: usize = 64;

/// What one instance may use and one call may take, as `limits = { memory, call, output }` and `grants` set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of an instance, in bytes, all memories together.
    pub memory_bytes: u64,
    /// Wall time of one call. Calls are interrupted within two ticks of it ([`TICK`](crate::TICK)).
    pub call: Duration,
    /// Bytes that one call may return.
    pub output_bytes: u64,
    /// What it may use beyond log and metrics; nothing by default.
    pub grants: Grants,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: 64 << 20,
            call: Duration::from_secs(1),
            output_bytes: 8 << 20,
            grants: Grants::default(),
        }
    }
}

/// Keeps one instance within its memory and remembers that it wanted more: a guest that is refused memory usually aborts, and
/// the user should read the reason, not the abort.
pub(crate) struct Limiter {
    memory_bytes: u64,
    used_bytes: u64,
    /// The growth last permitted, taken back if it then fails.
    granted_bytes: u64,
    /// The size an instance asked for in vain, since [`Limiter::forget_denial`].
    denied_bytes: Option<u64>,
    table_entries: usize,
    /// Memory of all instances of the plugin.
    total: Arc<AtomicU64>,
}

impl Limiter {
    pub(crate) fn new(memory_bytes: u64, total: Arc<AtomicU64>) -> Self {
        Limiter { memory_bytes, used_bytes: 0, granted_bytes: 0, denied_bytes: None, table_entries: 0, total }
    }

    pub(crate) fn forget_denial(&mut self) {
        self.denied_bytes = None;
    }

    pub(crate) fn denied_bytes(&self) -> Option<u64> {
        self.denied_bytes
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.total.fetch_sub(self.used_bytes, Ordering::Relaxed);
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        let wanted = self.used_bytes.saturating_add(growth);
        self.granted_bytes = 0;
        if wanted > self.memory_bytes {
            self.denied_bytes = Some(wanted);
            return Ok(false);
        }
        self.granted_bytes = growth;
        self.used_bytes = wanted;
        self.total.fetch_add(growth, Ordering::Relaxed);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.used_bytes -= self.granted_bytes;
        self.total.fetch_sub(self.granted_bytes, Ordering::Relaxed);
        self.granted_bytes = 0;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.table_entries.saturating_add(desired.saturating_sub(current));
        let granted = wanted <= MAX_TABLE_ENTRIES;
        if granted {
            self.table_entries = wanted;
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        MAX_PARTS
    }

    fn tables(&self) -> usize {
        MAX_PARTS
    }

    fn memories(&self) -> usize {
        MAX_PARTS
    }
}

/// A size as people write it: `64 MiB`, `1536 bytes`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 20 && b.is_multiple_of(1 << 20) => format!("{} MiB", b >> 20),
        b if b >= 1 << 20 => format!("{:.1} MiB", b as f64 / f64::from(1 << 20)),
        b if b >= 1 << 10 && b.is_multiple_of(1 << 10) => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}
