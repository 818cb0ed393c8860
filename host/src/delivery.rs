//! Rows on their way to a sink, and the promise that hangs on them: an offset is committed only when every row that came from
//! before it was acknowledged.
//!
//! A source's deliveries belong to *epochs*. At a checkpoint its tasks turn to a new epoch and note their positions; when the old one
//! has nothing outstanding and nothing failed, those positions may be committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmill_core::dead_letter::DeadLetter;
use wasmill_core::rows::Rows;

/// What is outstanding between two checkpoints of one source.
#[derive(Debug, Default)]
pub struct Epoch {
    pub number: u64,
    outstanding: AtomicU64,
    failed: AtomicBool,
}

impl Epoch {
    pub fn new(number: u64) -> Arc<Self> {
        Arc::new(Epoch { number, ..Epoch::default() })
    }

    /// Nothing is outstanding. Meaningful once no task issues tickets of this epoch any more.
    pub fn settled(&self) -> bool {
        self.outstanding.load(Ordering::Acquire) == 0
    }

    /// Something was dropped unacknowledged: nothing of this epoch or after it may be committed, the source must replay.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub fn ticket(self: &Arc<Self>) -> Ticket {
        self.outstanding.fetch_add(1, Ordering::AcqRel);
        Ticket { epoch: Arc::clone(self), kept: false }
    }
}

/// One delivery's part in its epoch. A sink calls [`Ticket::acknowledge`] when the rows are safe; a ticket dropped before that
/// fails its epoch, so that nothing is lost by a bug or a crash of a sink.
#[derive(Debug)]
pub struct Ticket {
    epoch: Arc<Epoch>,
    kept: bool,
}

impl Ticket {
    /// The rows are durable at the sink (or dead-lettered, durably).
    pub fn acknowledge(mut self) {
        self.kept = true;
    }

    /// A further ticket of the same epoch, for a part of the rows that becomes durable on its own (a dead letter, a later batch).
    pub fn split(&self) -> Ticket {
        self.epoch.ticket()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.kept {
            self.epoch.failed.store(true, Ordering::Release);
        }
        self.epoch.outstanding.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Rows for one sink, as one entry of a route's `to` wants them.
#[derive(Debug)]
pub struct Delivery {
    pub rows: Arc<Rows>,
    /// Resolved from [`wasmill_core::plan::Target`].
    pub target: Arc<SinkTarget>,
    pub ticket: Ticket,
}

/// How one route's rows look at one sink. Column numbers are those of the rows' schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkTarget {
    /// For dead letters and figures.
    pub source: String,
    pub route: String,
    pub measurement: String,
    pub tags: Vec<usize>,
    pub fields: Vec<usize>,
    /// For a Kafka sink: the columns that make the message key.
    pub key: Vec<usize>,
}

/// A dead letter and the promise that hangs on it: it is a delivery like any other.
#[derive(Debug)]
pub struct DeadLetterDelivery {
    pub letter: DeadLetter,
    pub ticket: Ticket,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_settled_when_every_ticket_is_gone_and_failed_if_one_was_dropped() {
        let epoch = Epoch::new(1);
        let (a, b) = (epoch.ticket(), epoch.ticket());
        assert!(!epoch.settled());
        a.acknowledge();
        assert!(!epoch.settled() && !epoch.failed());
        drop(b);
        assert!(epoch.settled() && epoch.failed());
    }

    #[test]
    fn an_epoch_waits_for_the_parts_that_a_ticket_was_split_into() {
        let epoch = Epoch::new(1);
        let whole = epoch.ticket();
        let part = whole.split();
        whole.acknowledge();
        assert!(!epoch.settled());
        part.acknowledge();
        assert!(epoch.settled() && !epoch.failed());
    }
}
