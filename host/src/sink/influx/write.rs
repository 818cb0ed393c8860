//! Batches into InfluxDB, one request at a time, until every line is written or refused for ever.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::batch::{Batch, Letters, Refusal};
use super::client::{Answer, Client, Problem};
use crate::figures::SinkFigures;
use crate::sink::backoff::Backoff;

/// After a request that was not heard of, its repetition is given so long before newer points follow: the server may have taken
/// both, and the first one may still be on its way to the disk.
const SETTLE: Duration = Duration::from_secs(1);
/// Of a refusal's reason so much is logged; the letter holds all of it.
const LOGGED_CHARACTERS: usize = 300;

#[derive(Debug)]
pub struct Writer {
    name: String,
    client: Client,
    figures: Arc<SinkFigures>,
    letters: Letters,
    backoff: Backoff,
    /// A request timed out or broke off since the last success.
    unheard: bool,
}

impl Writer {
    pub fn new(name: String, client: Client, figures: Arc<SinkFigures>, letters: Letters) -> Self {
        Writer { name, client, figures, letters, backoff: Backoff::default(), unheard: false }
    }

    pub async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        self.until_ready().await;
        self.recovered().await;
        while let Some(batch) = batches.recv().await {
            self.write(batch).await;
        }
    }

    /// Waits until InfluxDB is there, takes the token and has the bucket.
    async fn until_ready(&mut self) {
        while let Err(problem) = self.client.prepare().await {
            self.wait(problem).await;
        }
    }

    /// Writes all lines, in order. A request that holds a bad line is halved until the line stands alone: what InfluxDB wrote of
    /// the whole is then written once more, which changes nothing.
    async fn write(&mut self, batch: Batch) {
        let mut refused = 0;
        let mut pending = Vec::new();
        if !batch.lines.is_empty() {
            pending.push(0..batch.lines.len());
        }
        while let Some(lines) = pending.pop() {
            let (answer, code, all) = match self.send(&batch, &lines).await {
                Answer::Refused { message, dropped } => (message, "refused", dropped.is_some_and(|n| n >= lines.len())),
                Answer::TooLarge { message } => (message, "too-large", false),
                _ => continue,
            };
            if lines.len() == 1 || all {
                if refused == 0 {
                    self.log_refusal(&answer);
                }
                refused += lines.len();
                self.dead_letter(&batch, lines, code, &answer).await;
            } else {
                let middle = lines.start + lines.len() / 2;
                pending.push(middle..lines.end);
                pending.push(lines.start..middle);
            }
        }
        self.figures.rows.add((batch.lines.len() - refused) as u64);
        for part in batch.parts {
            self.figures.queued_rows.add(-(part.rows as i64));
            part.ticket.acknowledge();
        }
    }

    /// Sends some lines until there is an answer about them: never `Failed`.
    async fn send(&mut self, batch: &Batch, lines: &Range<usize>) -> Answer {
        let body = &batch.body[batch.bytes(lines)];
        loop {
            let started = Instant::now();
            match self.client.write(body).await {
                Answer::Failed(problem) => {
                    let needs_mending = problem.needs_mending;
                    self.wait(problem).await;
                    if needs_mending {
                        self.until_ready().await;
                    }
                }
                answer => {
                    self.figures.write_seconds.record(started.elapsed());
                    self.figures.bytes.add(body.len() as u64);
                    self.recovered().await;
                    return answer;
                }
            }
        }
    }

    /// Says the reason once, and waits as long as the server asked or the back-off says.
    async fn wait(&mut self, problem: Problem) {
        self.unheard |= problem.unheard;
        self.figures.retries.add(1);
        if self.figures.fault.get().as_deref() != Some(&problem.reason) {
            tracing::warn!(sink = self.name, "waiting: {}", problem.reason.escape_debug());
            self.figures.fault.set(Some(problem.reason));
        }
        let wait = self.backoff.next();
        sleep(problem.wait.unwrap_or(wait)).await;
    }

    async fn recovered(&mut self) {
        if std::mem::take(&mut self.unheard) {
            sleep(SETTLE).await;
        }
        self.backoff = Backoff::default();
        if self.figures.fault.get().is_some() {
            tracing::info!(sink = self.name, "writing again");
            self.figures.fault.set(None);
        }
    }

    async fn dead_letter(&self, batch: &Batch, lines: Range<usize>, code: &'static str, message: &str) {
        for line in lines {
            let part = &batch.parts[batch.lines[line].part as usize];
            let refusal = Refusal {
                target: &part.target,
                code,
                reason: format!("InfluxDB: {message}"),
                time: batch.lines[line].time,
                line: &batch.body[batch.bytes(&(line..line + 1))],
            };
            self.letters.send(refusal, &part.ticket).await;
        }
    }

    fn log_refusal(&self, message: &str) {
        let short: String = message.chars().take(LOGGED_CHARACTERS).collect();
        tracing::warn!(
            sink = self.name,
            "InfluxDB refuses points for ever (they become dead letters): {}",
            short.escape_debug()
        );
    }
}
