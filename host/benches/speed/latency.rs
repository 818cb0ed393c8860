//! How long it takes from an event to its point: from handing the event that closes a window to the producer until the window's row
//! stands on the sink's side.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_kafka::producer::{Message, Producer, ProducerConfig};

use crate::Result;
use crate::events::START;
use crate::pipeline::Variant;
use crate::report::{Report, Row};
use crate::rounds::wasmill;

const TOPIC: &str = "bench-latency";
const EVENTS: usize = 1_000;
/// The first ones meet a cold pipeline.
const WARM_UP: usize = 100;
const EVERY: Duration = Duration::from_millis(10);
/// Event time from one event to the next: each closes the window of the one before it.
const WINDOW_MS: i64 = 100;
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Adds this part's rows.
///
/// # Errors
/// A row that never comes.
pub fn measure(brokers: &str, report: &mut Report) -> Result<()> {
    let connection = ConnectionConfig::new(brokers);
    Admin::new(&connection)?.ensure_topic(TOPIC, 1, None)?;
    let folder = tempfile::tempdir()?;
    let group = wasmill_testkit::unique("bench-latency");
    let window = r#"{ tumbling = "100ms" }"#;
    let variant = Variant { brokers, topic: TOPIC, group: &group, window, out_of_orderness: "0s", ..Variant::W2 };
    let mut command = wasmill();
    command.arg("run").arg(variant.write(folder.path())?).env("RUST_LOG", "error");
    let mut child = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
    let output = child.0.stdout.take().ok_or("no standard output")?;
    let (seen_in, seen) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
            let time = line.rsplit(' ').next().and_then(|time| time.parse::<i64>().ok());
            if let Some(time) = time
                && seen_in.send((time, Instant::now())).is_err()
            {
                return;
            }
        }
    });
    let sent = produce(&connection)?;
    let mut latencies = Vec::new();
    while latencies.len() < EVENTS - 1 {
        let (time, at) = seen.recv_timeout(MAX_WAIT).map_err(|_| "a row did not come")?;
        if let Some(sent) = sent.get(&time) {
            latencies.push((time, (at - *sent).as_secs_f64() * 1e3));
        }
    }
    latencies.sort_by_key(|(time, _)| *time);
    let mut latencies: Vec<f64> = latencies.into_iter().skip(WARM_UP).map(|(_, latency)| latency).collect();
    latencies.sort_by(f64::total_cmp);
    let quantile = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize];
    let note = "from the event that closes a window, 100 events/s, to its row on standard output";
    report.push(Row::new("event to point, p50", quantile(0.5), "ms").note(note));
    report.push(Row::new("event to point, p99", quantile(0.99), "ms"));
    Ok(())
}

/// Sends one event a time. Returns when the event that closes it was sent, by the start of the window.
fn produce(connection: &ConnectionConfig) -> Result<HashMap<i64, Instant>> {
    let producer =
        Producer::new(&ProducerConfig { linger: Duration::ZERO, ..ProducerConfig::new(connection.clone()) })?;
    let mut sent = HashMap::new();
    let start_ms = START / 1_000_000;
    for number in 0..EVENTS as i64 {
        let time_ms = start_ms + number * WINDOW_MS;
        let value = format!(r#"{{"ad_id":"ad-001","event_type":"view","event_time":{time_ms}}}"#);
        let message = Message {
            topic: TOPIC,
            partition: Some(0),
            key: Some(b"ad-001"),
            value: Some(value.as_bytes()),
            headers: &[],
            timestamp_ms: Some(time_ms),
        };
        sent.insert((time_ms - WINDOW_MS) * 1_000_000, Instant::now());
        producer.send(&message, Box::new(|_| {}), MAX_WAIT).map_err(|error| format!("{error:?}"))?;
        std::thread::sleep(EVERY);
    }
    producer.flush(MAX_WAIT)?;
    Ok(sent)
}
