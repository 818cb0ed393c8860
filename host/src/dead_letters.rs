//! The thread that makes dead letters durable: from every source and sink, to their topics in Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use wasmill_kafka::dead_letter::DeadLetters;
use wasmill_kafka::producer::{OnDelivered, SendError};

use crate::delivery::DeadLetterDelivery;

/// Letters that wait in front of the producer's own queue.
pub const QUEUE_LETTERS: usize = 1024;
/// How long to wait for room, or for a broker that refuses.
const RETRY_FULL: Duration = Duration::from_millis(5);
const RETRY_REFUSED: Duration = Duration::from_secs(1);
/// How long the last letters may take to be acknowledged when everything else has ended.
const FLUSH: Duration = Duration::from_secs(5);

/// Runs until every sender is gone, then waits for the last acknowledgements.
pub fn run(letters: DeadLetters, mut queue: mpsc::Receiver<DeadLetterDelivery>, abandon: &Arc<AtomicBool>) {
    while let Some(delivery) = queue.blocking_recv() {
        send(&letters, delivery, abandon);
    }
    if let Err(error) = letters.flush(FLUSH) {
        tracing::warn!("dead letters: {error}; their events will be read again");
    }
}

fn send(letters: &DeadLetters, delivery: DeadLetterDelivery, abandon: &AtomicBool) {
    let DeadLetterDelivery { letter, ticket } = delivery;
    // A letter that cannot be delivered drops its ticket, and its event is replayed.
    let mut on_delivered: OnDelivered = Box::new(move |result| match result {
        Ok(()) => ticket.acknowledge(),
        Err(reason) => tracing::warn!("a dead letter could not be written: {reason}"),
    });
    let mut said = false;
    loop {
        let wait = match letters.try_send(&letter, on_delivered) {
            Ok(()) => return,
            Err(SendError::Full(back)) => {
                on_delivered = back;
                RETRY_FULL
            }
            Err(SendError::Refused { reason, on_delivered: back }) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(source = %letter.source, "dead letters wait: {reason}");
                }
                on_delivered = back;
                RETRY_REFUSED
            }
        };
        if abandon.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(wait);
    }
}
