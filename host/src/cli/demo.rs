//! `wasmill demo`: the commerce example on a broker and a store inside this process, with a generator: nothing to install.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use wasmill_core::config::{Local, SinkKind};
use wasmill_core::time::{HOUR, SECOND};
use wasmill_kafka::embedded::Broker;
use wasmill_kafka::producer::{Producer, ProducerConfig};

use super::produce::send;
use super::run::{checked, finish, parse_duration};
use super::{FAILED, pipeline};
use crate::clock;
use crate::plugin_log::{self, Voices};
use crate::produce::{self, Pace, Shape, UseCase};
use crate::supervisor::{self, Settings};

/// The example as its folder has it: what runs here is what a user would copy.
const PIPELINE: &str = include_str!("../../../examples/commerce/pipeline.toml");
/// Points older than this are forgotten, so that the demo can run for days.
const RETENTION: i64 = 6 * HOUR;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill demo                     Until Ctrl-C; prints the page's address
  wasmill demo --for 30s           Ends by itself; exits 0 only if points were written
  wasmill demo --rate 20000        More events a second")]
pub struct Args {
    /// Stop by itself after so long (30s, 5m)
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    stop_after: Option<Duration>,
    /// Events a second
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
    /// Where the page answers; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
}

pub fn run(args: &Args) -> ExitCode {
    match start(args) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(FAILED)
        }
    }
}

fn start(args: &Args) -> Result<ExitCode, String> {
    let folder = std::env::temp_dir().join(format!("wasmill-demo-{}", std::process::id()));
    let unpacked = unpack(&folder).map_err(|error| format!("cannot write to {}: {error}", folder.display()));
    let result = unpacked.and_then(|()| run_in(&folder, args));
    // The store is the demo's own; what is left behind would only fill the disk.
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn unpack(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join("plugins"))?;
    std::fs::write(folder.join("pipeline.toml"), PIPELINE)?;
    for (name, bytes) in crate::plugins::examples() {
        std::fs::write(folder.join("plugins").join(format!("{name}.wasm")), bytes)?;
    }
    Ok(())
}

fn run_in(folder: &Path, args: &Args) -> Result<ExitCode, String> {
    let voices = Arc::new(Voices::default());
    let mut pipeline = match pipeline::load(&folder.join("pipeline.toml"), &plugin_log::shared(&voices)) {
        Ok(pipeline) => pipeline,
        Err(code) => return Ok(code),
    };
    for sink in &mut pipeline.config.sinks {
        if matches!(sink.kind, SinkKind::Influxdb(_)) {
            let path = "demo.db".to_owned();
            sink.kind = SinkKind::Local(Local { path, retention: Some(RETENTION), max_bytes: None });
        }
    }
    let broker = Broker::start().map_err(|error| error.to_string())?;
    create_topics(&broker, &pipeline).map_err(|error| error.to_string())?;
    let connection = broker.connection();
    let stop = Arc::new(AtomicBool::new(false));
    let generator = generate(&connection, args.rate, &stop)?;
    let settings = Settings {
        name: "commerce demo".to_owned(),
        folder: folder.to_owned(),
        connection,
        create_topics: false,
        bounded: false,
        listen: args.listen,
        stop_after: args.stop_after,
        reload: None,
        voices,
        on_listening: Box::new(|address| {
            println!("The dashboard is at http://{address}/ (Ctrl-C ends the demo)");
        }),
    };
    let result = supervisor::run(checked(pipeline), settings);
    stop.store(true, Ordering::Relaxed);
    let _ = generator.join();
    let points = result.as_ref().map_or(0, |outcome| {
        outcome.figures.sinks.get().iter().filter(|sink| sink.kind == "local").map(|sink| sink.rows.get()).sum::<u64>()
    });
    let code = finish(result);
    println!("{points} points were written");
    if points == 0 {
        return Err("no point was written: see the log above".to_owned());
    }
    Ok(code)
}

fn create_topics(broker: &Broker, pipeline: &pipeline::Pipeline) -> Result<(), wasmill_kafka::KafkaError> {
    for source in &pipeline.config.sources {
        for topic in &source.topics {
            broker.create_topic(topic, source.partitions.unwrap_or(4))?;
        }
        broker.create_topic(&pipeline.config.kafka.dead_letter_topic(&source.name.value), 1)?;
    }
    for sink in &pipeline.config.sinks {
        if let SinkKind::Kafka(kafka) = &sink.kind {
            broker.create_topic(&kafka.topic, kafka.partitions.unwrap_or(1))?;
        }
    }
    Ok(())
}

/// The embedded broker looks through all batches of a partition for each fetch: with a batch an event it takes a whole processor.
const GENERATOR_LINGER: Duration = Duration::from_millis(100);

/// Events with some disorder, a few late and a few broken ones, for the page to show what becomes of them.
fn generate(
    connection: &wasmill_kafka::ConnectionConfig,
    rate: f64,
    stop: &Arc<AtomicBool>,
) -> Result<std::thread::JoinHandle<()>, String> {
    let config = ProducerConfig { linger: GENERATOR_LINGER, ..ProducerConfig::new(connection.clone()) };
    let producer = Producer::new(&config).map_err(|error| error.to_string())?;
    let stop = Arc::clone(stop);
    let shape = Shape {
        use_case: UseCase::Commerce,
        seed: 42,
        start: clock::now(),
        step: 0,
        disorder: 2 * SECOND,
        late: 0.0005,
        late_by: 120 * SECOND,
        malformed: 0.0005,
    };
    let pace = Pace { count: None, rate: Some(rate), duration: None, live: true };
    let lost = Arc::new(AtomicU64::new(0));
    let topic = UseCase::Commerce.topic();
    std::thread::Builder::new()
        .name("generator".to_owned())
        .spawn(move || {
            let each = |event: &produce::Event| match stop.load(Ordering::Relaxed) {
                true => Ok(false),
                false => send(&producer, topic, event, &lost),
            };
            if let Err(error) = produce::run(shape, pace, each, |_| {}) {
                tracing::error!("the generator ended: {error}");
            }
        })
        .map_err(|error| format!("cannot start the generator: {error}"))
}
