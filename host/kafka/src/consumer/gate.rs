//! How much of a partition is in memory. Librdkafka throws away what it has prefetched when a partition is paused, so pausing is
//! kept rare: at 100 % it pauses, and only at 25 % it resumes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};

use super::native::Native;

/// A paused partition resumes when no more than this share of its limit is left.
const RESUME_PERCENT: usize = 25;

/// The bytes of one partition that were handed out and not given back.
#[derive(Default)]
pub(super) struct Gate {
    pub limit_bytes: usize,
    queued_bytes: AtomicUsize,
    paused: AtomicBool,
    poll_thread: Weak<Native>,
}

impl Gate {
    pub fn new(limit_bytes: usize, native: &Arc<Native>) -> Arc<Self> {
        Arc::new(Gate { limit_bytes, poll_thread: Arc::downgrade(native), ..Gate::default() })
    }

    pub fn lease(self: &Arc<Self>, bytes: usize) -> Lease {
        self.queued_bytes.fetch_add(bytes, SeqCst);
        Lease { gate: Arc::clone(self), bytes }
    }

    pub fn full(&self) -> bool {
        self.queued_bytes.load(SeqCst) >= self.limit_bytes
    }

    pub fn drained(&self) -> bool {
        self.queued_bytes.load(SeqCst) <= self.limit_bytes / 100 * RESUME_PERCENT
    }

    pub fn paused(&self) -> bool {
        self.paused.load(SeqCst)
    }

    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, SeqCst);
    }

    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(SeqCst)
    }
}

/// A share of a partition's queue, held as long as its records are in memory. Dropping it gives the bytes back, and wakes a
/// partition that was paused for want of them.
pub struct Lease {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Lease {
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({} bytes)", self.bytes)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.gate.queued_bytes.fetch_sub(self.bytes, SeqCst);
        if self.gate.paused()
            && self.gate.drained()
            && let Some(native) = self.gate.poll_thread.upgrade()
        {
            native.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_fills_at_its_limit_and_drains_at_a_quarter_of_it() {
        let gate = Arc::new(Gate { limit_bytes: 1000, ..Gate::default() });
        let leases: Vec<_> = (0..4).map(|_| gate.lease(250)).collect();
        assert!(gate.full());
        let mut leases = leases.into_iter();
        drop(leases.next());
        assert!(!gate.full() && !gate.drained(), "between the marks it is neither");
        drop(leases.next());
        drop(leases.next());
        assert!(gate.drained());
        drop(leases);
        assert_eq!(gate.queued_bytes(), 0);
    }
}
