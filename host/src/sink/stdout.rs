//! Rows on standard output, for people and for pipes.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmill_core::line_protocol::{Encoded, LineEncoder};
use wasmill_core::row_json;
use wasmill_core::rows::Rows;
use wasmill_core::schema::Kind;

use super::inbox::Inbox;
use crate::delivery::{Delivery, SinkTarget};
use crate::figures::SinkFigures;

/// How long output may wait for more of it.
const FLUSH_AFTER: Duration = Duration::from_millis(20);

/// What a row looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-01T00:00:05Z  revenue  currency=EUR  orders=3 total=42.5`
    #[default]
    Text,
    /// One object a line: `measurement`, `time` and the columns by name.
    Json,
    LineProtocol,
}

/// Writes each delivery to `output`, which is one write; returns when the inbox ends, or when nobody reads `output` any more
/// (then the queue closes, which the sender sees).
pub async fn run(mut inbox: Inbox, format: Format, output: impl Write + Send + 'static, figures: Arc<SinkFigures>) {
    let mut output = Some(output);
    while let Some(first) = inbox.recv().await {
        let mut deliveries = vec![first];
        let deadline = tokio::time::Instant::now() + FLUSH_AFTER;
        while deliveries.len() < super::QUEUE_DELIVERIES
            && let Ok(Some(next)) = tokio::time::timeout_at(deadline, inbox.recv()).await
        {
            deliveries.push(next);
        }
        let mut text = Vec::new();
        for delivery in &deliveries {
            append(delivery, format, &figures, &mut text);
        }
        let Some(mut taken) = output.take() else { return };
        let (started, bytes) = (Instant::now(), text.len());
        // A terminal or a pipe may make a writer wait as long as it likes.
        let written = tokio::task::spawn_blocking(move || {
            taken.write_all(&text)?;
            taken.flush()?;
            std::io::Result::Ok(taken)
        });
        match written.await {
            Ok(Ok(back)) => output = Some(back),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                return figures.fault.set(Some("nobody reads standard output any more".to_string()));
            }
            Ok(Err(error)) => return figures.fault.set(Some(format!("standard output cannot be written: {error}"))),
            Err(_) => return,
        }
        figures.write_seconds.record(started.elapsed());
        figures.bytes.add(bytes as u64);
        for delivery in deliveries {
            figures.rows.add(delivery.rows.len() as u64);
            figures.queued_rows.add(-(delivery.rows.len() as i64));
            delivery.ticket.acknowledge();
        }
    }
}

fn append(delivery: &Delivery, format: Format, figures: &SinkFigures, out: &mut Vec<u8>) {
    let Delivery { rows, target, .. } = delivery;
    match format {
        Format::Text => (0..rows.len()).for_each(|row| append_text(rows, row, target, out)),
        Format::Json => (0..rows.len()).for_each(|row| append_json(rows, row, target, out)),
        Format::LineProtocol => append_lines(rows, target, figures, out),
    }
}

fn append_text(rows: &Rows, row: usize, target: &SinkTarget, out: &mut Vec<u8>) {
    let time = jiff::Timestamp::from_nanosecond(i128::from(rows.times[row])).unwrap_or_default();
    // Writing to memory cannot fail.
    let _ = write!(out, "{time}  ");
    append_word(&target.measurement, out);
    for columns in [&target.tags, &target.fields] {
        out.push(b' ');
        for &index in columns.iter() {
            let column = &rows.schema.columns[index];
            if !rows.columns[index].is_valid(row) {
                continue;
            }
            out.push(b' ');
            append_word(&column.name, out);
            out.push(b'=');
            let mut value = Vec::new();
            row_json::append_value(&rows.columns[index], column.kind, row, &mut value);
            // A text is shown without its quotes if it needs none.
            match serde_json::from_slice::<String>(&value) {
                Ok(text) if column.kind == Kind::Text => append_word(&text, out),
                _ => out.extend_from_slice(&value),
            }
        }
    }
    out.push(b'\n');
}

/// As it is if it is a plain word, else as a JSON string: event data must not move the cursor of a terminal.
fn append_word(text: &str, out: &mut Vec<u8>) {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '"' && c != '=';
    if !text.is_empty() && text.chars().all(plain) {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut quoted = Vec::new();
    row_json::append_string(text, &mut quoted);
    for c in String::from_utf8_lossy(&quoted).chars() {
        let _ = if c.is_control() { write!(out, "\\u{:04x}", c as u32) } else { write!(out, "{c}") };
    }
}

fn append_json(rows: &Rows, row: usize, target: &SinkTarget, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"measurement\":");
    row_json::append_string(&target.measurement, out);
    out.push(b',');
    let columns: Vec<usize> = target.tags.iter().chain(&target.fields).copied().collect();
    let mut object = Vec::new();
    row_json::append_row(rows, row, &columns, &mut object);
    out.extend_from_slice(&object[1..]);
    out.push(b'\n');
}

fn append_lines(rows: &Rows, target: &SinkTarget, figures: &SinkFigures, out: &mut Vec<u8>) {
    match LineEncoder::new(&rows.schema, &target.measurement, &target.tags, &target.fields) {
        Ok(encoder) => {
            for row in 0..rows.len() {
                let start = out.len();
                match encoder.append(rows, row, out) {
                    Encoded::Line { not_finite, .. } => figures.not_finite.add(not_finite as u64),
                    Encoded::Empty { not_finite } => {
                        figures.not_finite.add(not_finite as u64);
                        figures.empty.add(1);
                    }
                    Encoded::Refused(why) => {
                        figures.refused.add(1);
                        let line = String::from_utf8_lossy(&out.split_off(start)).into_owned();
                        let _ = writeln!(out, "# {}: {}", why.escape_debug(), line.escape_debug());
                    }
                }
            }
        }
        Err(why) => {
            figures.refused.add(rows.len() as u64);
            let _ = writeln!(out, "# {} points that InfluxDB cannot hold: {}", rows.len(), why.escape_debug());
        }
    }
}
