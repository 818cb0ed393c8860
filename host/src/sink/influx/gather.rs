//! Deliveries into batches.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashSet, FxHasher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use wasmill_core::line_protocol::{Encoded, LineEncoder};
use wasmill_core::rows::{RowSchema, Rows};

use super::InfluxConfig;
use super::batch::{Batch, Letters, Line, Part, Refusal};
use crate::delivery::{Delivery, SinkTarget};
use crate::figures::SinkFigures;
use crate::sink::UNREPRESENTABLE;
use crate::sink::inbox::Inbox;

/// A queue that stays empty for so long will not fill the batch soon: send what there is.
const LINGER: Duration = Duration::from_millis(50);
/// A batch of long lines is sent before it has all its lines. InfluxDB Cloud takes 50 MB, proxies often less.
const BATCH_BYTES: usize = 4 << 20;
/// Encoders are kept for so many pairs of schema and target; a reload makes new ones.
const CACHED_ENCODERS: usize = 256;

#[derive(Debug)]
pub struct Gatherer {
    config: InfluxConfig,
    figures: Arc<SinkFigures>,
    letters: Letters,
    encoders: Vec<Cached>,
    /// Hashes of the series keys written so far, if their number is limited.
    series: FxHashSet<u64>,
    batch: Batch,
}

/// An encoder, or why there is none. Holding the two `Arc`s keeps their addresses from being used again.
#[derive(Debug)]
struct Cached {
    schema: Arc<RowSchema>,
    target: Arc<SinkTarget>,
    encoder: Arc<Result<LineEncoder, String>>,
}

/// The writer has ended.
struct Gone;

impl Gatherer {
    pub fn new(config: InfluxConfig, figures: Arc<SinkFigures>, letters: Letters) -> Self {
        Gatherer {
            config,
            figures,
            letters,
            encoders: Vec::new(),
            series: FxHashSet::default(),
            batch: Batch::default(),
        }
    }

    pub async fn run(mut self, mut inbox: Inbox, batches: mpsc::Sender<Batch>) {
        while let Some(first) = inbox.recv().await {
            if self.gather(first, &mut inbox, &batches).await.is_err() {
                return;
            }
        }
    }

    /// Gathers from the first delivery on until the queue stays empty or the first line has waited long enough.
    async fn gather(&mut self, first: Delivery, inbox: &mut Inbox, batches: &mpsc::Sender<Batch>) -> Result<(), Gone> {
        let deadline = Instant::now() + self.config.flush_after;
        self.take(first, batches).await?;
        while let Ok(Some(next)) = timeout_at(deadline.min(Instant::now() + LINGER), inbox.recv()).await {
            self.take(next, batches).await?;
            if Instant::now() >= deadline {
                break;
            }
        }
        self.flush(batches).await
    }

    async fn flush(&mut self, batches: &mpsc::Sender<Batch>) -> Result<(), Gone> {
        if self.batch.parts.is_empty() {
            return Ok(());
        }
        batches.send(std::mem::take(&mut self.batch)).await.map_err(|_| Gone)
    }

    /// Appends a delivery's rows, sending batches as they fill. The delivery's own ticket goes with its last rows.
    async fn take(&mut self, delivery: Delivery, batches: &mpsc::Sender<Batch>) -> Result<(), Gone> {
        let Delivery { rows, target, ticket } = delivery;
        let encoder = self.encoder(&rows.schema, &target);
        let mut since = 0;
        for row in 0..rows.len() {
            if self.batch.lines.len() >= self.config.batch_lines || self.batch.body.len() >= BATCH_BYTES {
                self.batch.parts.push(Part { target: Arc::clone(&target), ticket: ticket.split(), rows: row - since });
                since = row;
                self.flush(batches).await?;
            }
            if let Some((code, reason, line)) = self.append(&encoder, &rows, row) {
                let refusal = Refusal { target: &target, code, reason, time: rows.times[row], line: &line };
                self.letters.send(refusal, &ticket).await;
            }
        }
        self.batch.parts.push(Part { target, ticket, rows: rows.len() - since });
        Ok(())
    }

    /// Appends one row to the batch; returns code, reason and line if the row cannot be sent.
    fn append(
        &mut self,
        encoder: &Result<LineEncoder, String>,
        rows: &Rows,
        row: usize,
    ) -> Option<(&'static str, String, Vec<u8>)> {
        let encoder = match encoder {
            Ok(encoder) => encoder,
            Err(why) => return Some((UNREPRESENTABLE, why.clone(), row_as_json(rows, row))),
        };
        let start = self.batch.body.len();
        match encoder.append(rows, row, &mut self.batch.body) {
            Encoded::Line { key_bytes, not_finite } => {
                self.figures.not_finite.add(not_finite as u64);
                if let Some(limit) = self.config.max_series
                    && !self.admit(start, key_bytes, limit)
                {
                    let reason =
                        format!("the sink has written its max_series = {limit} series, and this is another one");
                    return Some(("series-limit", reason, self.batch.body.split_off(start)));
                }
                let (end, part) = (self.batch.body.len(), self.batch.parts.len() as u32);
                self.batch.lines.push(Line { end, part, time: rows.times[row] });
                None
            }
            Encoded::Empty { not_finite } => {
                self.figures.not_finite.add(not_finite as u64);
                self.figures.empty.add(1);
                None
            }
            Encoded::Refused(why) => Some((UNREPRESENTABLE, why, self.batch.body.split_off(start))),
        }
    }

    fn admit(&mut self, start: usize, key_bytes: usize, limit: usize) -> bool {
        use std::hash::Hasher;
        let mut hasher = FxHasher::default();
        hasher.write(&self.batch.body[start..start + key_bytes]);
        let hash = hasher.finish();
        self.series.contains(&hash) || (self.series.len() < limit && self.series.insert(hash))
    }

    fn encoder(&mut self, schema: &Arc<RowSchema>, target: &Arc<SinkTarget>) -> Arc<Result<LineEncoder, String>> {
        let same = |c: &&Cached| Arc::ptr_eq(&c.schema, schema) && Arc::ptr_eq(&c.target, target);
        if let Some(cached) = self.encoders.iter().find(same) {
            return Arc::clone(&cached.encoder);
        }
        if self.encoders.len() >= CACHED_ENCODERS {
            self.encoders.clear();
        }
        let encoder = Arc::new(LineEncoder::new(schema, &target.measurement, &target.tags, &target.fields));
        let (schema, target) = (Arc::clone(schema), Arc::clone(target));
        self.encoders.push(Cached { schema, target, encoder: Arc::clone(&encoder) });
        encoder
    }
}

/// What a letter holds where there is no line to show.
fn row_as_json(rows: &Rows, row: usize) -> Vec<u8> {
    let mut json = Vec::new();
    let columns: Vec<usize> = (0..rows.columns.len()).collect();
    wasmill_core::row_json::append_row(rows, row, &columns, &mut json);
    json
}
