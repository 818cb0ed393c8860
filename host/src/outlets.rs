//! Where a source's rows and dead letters go, with the tickets that hold back the commit until they are safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use wasmill_core::plan::SinkId;

use crate::delivery::{DeadLetterDelivery, Delivery, Epoch, SinkTarget};
use crate::mirror::Mirror;
use crate::task::{Outbox, Outgoing};

/// How long a sender that met a full queue waits before it looks again whether it should give up.
const FULL_QUEUE_WAIT: Duration = Duration::from_millis(2);

/// One entry of a route's `to`, resolved: a target for each of the route's outputs.
pub struct ResolvedTarget {
    pub sink: SinkId,
    pub by_output: Vec<Arc<SinkTarget>>,
}

/// Everything a source writes to.
pub struct Outlets {
    /// By [`SinkId`].
    pub sinks: Vec<mpsc::Sender<Delivery>>,
    pub dead_letters: mpsc::Sender<DeadLetterDelivery>,
    /// By route.
    pub targets: Vec<Vec<ResolvedTarget>>,
    /// For the page's charts.
    pub mirror: Option<Arc<Mirror>>,
    /// Set when the process gives up waiting for a full queue.
    pub abandon: Arc<AtomicBool>,
}

impl Outlets {
    /// Hands an outbox to the sinks; waits while a queue is full, which is how a slow sink slows its sources down. What cannot be
    /// handed over (the sink is gone, the wait was abandoned) fails the epoch, and replay repeats it.
    pub fn send(&self, outbox: Outbox, epoch: &Arc<Epoch>) {
        for item in outbox.items {
            match item {
                Outgoing::Rows { route, output, rows } => {
                    for target in &self.targets[route] {
                        let Some(resolved) = target.by_output.get(output) else { continue };
                        let delivery =
                            Delivery { rows: Arc::clone(&rows), target: Arc::clone(resolved), ticket: epoch.ticket() };
                        self.wait(&self.sinks[target.sink], delivery);
                        if let Some(mirror) = &self.mirror {
                            mirror.send(target, &rows, output);
                        }
                    }
                }
                Outgoing::DeadLetter(letter) => {
                    let delivery = DeadLetterDelivery { letter: *letter, ticket: epoch.ticket() };
                    self.wait(&self.dead_letters, delivery);
                }
            }
        }
    }

    fn wait<T>(&self, queue: &mpsc::Sender<T>, mut item: T) {
        loop {
            match queue.try_send(item) {
                Ok(()) => return,
                Err(TrySendError::Closed(_)) => return,
                Err(TrySendError::Full(back)) => item = back,
            }
            if self.abandon.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(FULL_QUEUE_WAIT);
        }
    }
}
