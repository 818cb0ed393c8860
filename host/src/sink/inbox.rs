//! The receiving end of a sink's queue.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::delivery::Delivery;
use crate::figures::SinkFigures;

pub struct Inbox {
    receiver: mpsc::Receiver<Delivery>,
    draining: watch::Receiver<bool>,
    figures: Arc<SinkFigures>,
    closed: bool,
}

impl Inbox {
    pub fn new(receiver: mpsc::Receiver<Delivery>, draining: watch::Receiver<bool>, figures: Arc<SinkFigures>) -> Self {
        Inbox { receiver, draining, figures, closed: false }
    }

    /// The next delivery, or `None` when no more can come: all senders are gone, or the sink drains and the queue is empty. Its
    /// rows count as queued until the sink takes them off the figures. Cancel safe.
    pub async fn recv(&mut self) -> Option<Delivery> {
        loop {
            tokio::select! {
                biased;
                delivery = self.receiver.recv() => {
                    if let Some(delivery) = &delivery {
                        self.figures.queued_rows.add(delivery.rows.len() as i64);
                    }
                    return delivery;
                }
                // A drain switch that is gone counts as turned: nobody could turn it any more.
                _ = self.draining.changed(), if !self.closed => {
                    self.closed = true;
                    self.receiver.close();
                }
            }
        }
    }
}
