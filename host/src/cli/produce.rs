//! `wasmill produce`: synthetic events of the use cases, to Kafka, to a file or to standard output.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use wasmill_core::time::{MILLISECOND, Nanos};
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_kafka::producer::{Message, Producer, ProducerConfig};

use super::run::parse_duration;
use super::{FAILED, MISUSED};
use crate::clock;
use crate::produce::{self, Pace, Shape, UseCase};

/// How long the producer's queue may stay full before the command gives up.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill produce commerce --rate 2000                   Events that follow the clock, until Ctrl-C
  wasmill produce commerce --count 1000000 --partitions 4 --disorder 2s --late 0.01 --malformed 0.001
  wasmill produce activity --count 1000 --seed 7 --start 2026-01-01T00:00:00Z --out events.ndjson")]
pub struct Args {
    /// Whose events
    use_case: UseCase,
    /// Where Kafka is
    #[arg(long, env = "KAFKA_BROKERS", default_value = "localhost:9092", value_name = "HOST:PORT,…")]
    brokers: String,
    /// librdkafka's properties, such as `-X security.protocol=sasl_ssl`
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,
    /// The topic, if not the use case's own
    #[arg(long)]
    topic: Option<String>,
    /// Create the topic with so many partitions if it is missing
    #[arg(long)]
    partitions: Option<u32>,
    /// Write lines to this file instead (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How many events
    #[arg(long)]
    count: Option<u64>,
    /// Events a second; without it as many as Kafka takes
    #[arg(long)]
    rate: Option<f64>,
    /// Stop after so long (30s, 5m)
    #[arg(long, value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Events come up to so much out of order
    #[arg(long, value_parser = parse_duration, default_value = "0s")]
    disorder: Duration,
    /// Share of events that come late, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    late: f64,
    /// How much later than the disorder they come
    #[arg(long, value_parser = parse_duration, default_value = "1m")]
    late_by: Duration,
    /// Share of broken payloads, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    malformed: f64,
    /// The same seed gives the same events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Event time of the first event (RFC 3339); event times then rise by `--step`. Without it they follow the clock
    #[arg(long, value_name = "TIME")]
    start: Option<jiff::Timestamp>,
    /// Event time from one event to the next, with `--start`
    #[arg(long, value_parser = parse_duration, default_value = "1ms")]
    step: Duration,
    /// Say nothing but errors
    #[arg(long)]
    quiet: bool,
}

pub fn run(args: &Args) -> ExitCode {
    for (name, share) in [("--late", args.late), ("--malformed", args.malformed)] {
        if !(0.0..=1.0).contains(&share) {
            eprintln!("error: {name} {share} is no share: give a number from 0 to 1");
            return ExitCode::from(MISUSED);
        }
    }
    let started = Instant::now();
    let result = match &args.out {
        Some(path) => to_file(args, path),
        None => to_kafka(args),
    };
    match result {
        Ok(made) => {
            if !args.quiet {
                let seconds = started.elapsed().as_secs_f64();
                eprintln!("{made} events in {seconds:.1} s, {:.0} a second", made as f64 / seconds.max(1e-9));
            }
            ExitCode::SUCCESS
        }
        Err((message, code)) => {
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

impl Args {
    fn shape(&self) -> Shape {
        let nanos = |d: Duration| Nanos::try_from(d.as_nanos()).unwrap_or(Nanos::MAX);
        let start = self.start.map(|t| t.as_nanosecond().clamp(0, i128::from(Nanos::MAX)) as Nanos);
        Shape {
            use_case: self.use_case,
            seed: self.seed,
            start: start.unwrap_or_else(clock::now),
            step: nanos(self.step),
            disorder: nanos(self.disorder),
            late: self.late,
            late_by: nanos(self.late_by),
            malformed: self.malformed,
        }
    }

    fn pace(&self) -> Pace {
        Pace { count: self.count, rate: self.rate, duration: self.duration, live: self.start.is_none() }
    }
}

type Failed = (String, u8);

fn to_file(args: &Args, path: &std::path::Path) -> Result<u64, Failed> {
    let fail = |error: std::io::Error| (format!("cannot write {}: {error}", path.display()), FAILED);
    let mut out: Box<dyn Write> = if path.as_os_str() == "-" {
        Box::new(std::io::BufWriter::new(std::io::stdout().lock()))
    } else {
        Box::new(std::io::BufWriter::new(std::fs::File::create(path).map_err(fail)?))
    };
    let made = produce::to_lines(args.shape(), args.pace(), &mut out).map_err(fail)?;
    out.flush().map_err(fail)?;
    Ok(made)
}

fn to_kafka(args: &Args) -> Result<u64, Failed> {
    let misused = |error: wasmill_kafka::KafkaError| (error.to_string(), MISUSED);
    let failed = |error: wasmill_kafka::KafkaError| (error.to_string(), FAILED);
    let mut connection = ConnectionConfig::new(args.brokers.clone());
    for property in &args.properties {
        let Some((name, value)) = property.split_once('=') else {
            return Err((format!("-X {property}: give a property as NAME=VALUE"), MISUSED));
        };
        connection.properties.insert(name.to_owned(), value.to_owned());
    }
    connection.validate().map_err(misused)?;
    let topic = args.topic.clone().unwrap_or_else(|| args.use_case.topic().to_owned());
    if let Some(partitions) = args.partitions {
        Admin::new(&connection).map_err(misused)?.ensure_topic(&topic, partitions, None).map_err(failed)?;
    }
    let producer = Producer::new(&ProducerConfig::new(connection)).map_err(misused)?;
    let bar = progress_bar(args);
    let lost = Arc::new(AtomicU64::new(0));
    let made = produce::run(
        args.shape(),
        args.pace(),
        |event| send(&producer, &topic, event, &lost),
        |made| bar.set_position(made),
    )
    .map_err(|message| (message, FAILED))?;
    producer.flush(QUEUE_TIMEOUT).map_err(failed)?;
    bar.finish_and_clear();
    match lost.load(Ordering::Relaxed) {
        0 => Ok(made),
        lost => Err((format!("{lost} of {made} events could not be delivered to {}", args.brokers), FAILED)),
    }
}

/// Sends one event, keyed, with its event time as Kafka's timestamp.
pub fn send(producer: &Producer, topic: &str, event: &produce::Event, lost: &Arc<AtomicU64>) -> Result<bool, String> {
    let message = Message {
        topic,
        partition: None,
        key: Some(&event.key),
        value: Some(&event.value),
        headers: &[],
        timestamp_ms: Some(event.time / MILLISECOND),
    };
    let lost = Arc::clone(lost);
    let on_delivered = Box::new(move |result: Result<(), String>| {
        if result.is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    });
    producer
        .send(&message, on_delivered, QUEUE_TIMEOUT)
        .map(|()| true)
        .map_err(|error| format!("the event was not taken: {error:?}"))
}

fn progress_bar(args: &Args) -> ProgressBar {
    if args.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{spinner} {human_pos} events, {per_sec} {wide_bar} {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    match args.count {
        Some(count) => ProgressBar::new(count).with_style(style),
        None => ProgressBar::no_length().with_style(ProgressStyle::default_spinner()),
    }
}
