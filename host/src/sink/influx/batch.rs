//! Lines on their way, with the promises that hang on them, and the letters for those that cannot go.

use std::ops::Range;
use std::sync::Arc;

use wasmill_core::dead_letter::{DeadLetter, Stage};
use wasmill_core::time::{MILLISECOND, Nanos};

use crate::delivery::{DeadLetterDelivery, SinkTarget, Ticket};
use crate::figures::SinkFigures;
use crate::sink::DeadLetterSender;

/// One line of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Where it ends in the body, its line break included.
    pub end: usize,
    /// Which of the batch's parts it came from.
    pub part: u32,
    pub time: Nanos,
}

/// The rows of one delivery that are in the batch.
#[derive(Debug)]
pub struct Part {
    pub target: Arc<SinkTarget>,
    pub ticket: Ticket,
    /// Rows that leave the queue with this part, also those that made no line.
    pub rows: usize,
}

/// What is written with one request, if all goes well.
#[derive(Debug, Default)]
pub struct Batch {
    pub body: Vec<u8>,
    pub lines: Vec<Line>,
    pub parts: Vec<Part>,
}

impl Batch {
    /// The bytes of some of the lines.
    pub fn bytes(&self, lines: &Range<usize>) -> Range<usize> {
        let start = if lines.start == 0 { 0 } else { self.lines[lines.start - 1].end };
        start..self.lines[lines.end - 1].end
    }
}

/// Dead letters of one sink.
#[derive(Clone, Debug)]
pub struct Letters {
    sender: DeadLetterSender,
    figures: Arc<SinkFigures>,
}

/// A point that is refused for ever.
#[derive(Debug)]
pub struct Refusal<'a> {
    pub target: &'a SinkTarget,
    /// `unrepresentable`, `series-limit`, `too-large`, `refused`.
    pub code: &'static str,
    pub reason: String,
    pub time: Nanos,
    pub line: &'a [u8],
}

impl Letters {
    pub fn new(sender: DeadLetterSender, figures: Arc<SinkFigures>) -> Self {
        Letters { sender, figures }
    }

    /// Sends the letter off under a ticket split from the delivery's. If nobody takes letters any more, that ticket is dropped, and
    /// the delivery is replayed.
    pub async fn send(&self, refusal: Refusal<'_>, ticket: &Ticket) {
        self.figures.refused.add(1);
        let letter = DeadLetter {
            source: refusal.target.source.clone(),
            topic: String::new(),
            partition: -1,
            offset: -1,
            timestamp_ms: refusal.time.div_euclid(MILLISECOND),
            stage: Stage::Sink,
            code: refusal.code,
            reason: refusal.reason,
            route: Some(refusal.target.route.clone()),
            plugin: None,
            release: None,
            key: None,
            value: Some(refusal.line.strip_suffix(b"\n").unwrap_or(refusal.line).to_vec()),
            headers: Vec::new(),
        };
        // The error holds the delivery; dropping it drops the ticket.
        let _ = self.sender.send(DeadLetterDelivery { letter, ticket: ticket.split() }).await;
    }
}
