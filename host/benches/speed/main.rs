//! `make bench`: how much CPU an event costs, as ratios in one run, on a real Kafka. See `host/benches/README.md`.
//!
//! Everything measured runs in a process of its own (this binary again, with the part's name as its first argument, or `wasmill`),
//! so that its CPU time and its peak memory are the kernel's own figures and nothing of the harness is in them.

mod crossing;
mod events;
mod latency;
mod memory;
mod native;
mod peers;
mod pipeline;
mod process;
mod reload;
mod report;
mod rounds;
mod windows;

use std::process::ExitCode;

/// Whatever goes wrong ends the benchmark, with what it says.
type Failed = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failed>;

/// Events of the main topic, if not `N`.
const EVENTS: u64 = 10_000_000;
/// Fewer say nothing: start-up and the first batches weigh too much.
const MIN_EVENTS: u64 = 200_000;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] => benchmark(),
        ["bare", brokers, topic, count] => peers::bare(brokers, topic, count),
        ["naive", brokers, topic, count] => peers::naive(brokers, topic, count),
        ["native-plugins", file] => pipeline::run_with_native_plugins(file),
        ["memory"] => memory::measure(),
        ["crossing"] => crossing::measure(),
        ["windows"] => windows::measure(),
        ["reload"] => reload::measure(),
        _ => Err(format!("no part of the benchmark is called {words:?}; without arguments it runs whole").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All parts, one after the other; prints the report and writes it to `target/bench-report.md`.
fn benchmark() -> Result<()> {
    let events = match std::env::var("N") {
        Ok(text) => text.parse().map_err(|_| format!("N={text} is no number of events"))?,
        Err(_) => EVENTS,
    };
    if events < MIN_EVENTS {
        return Err(format!("N={events} is too few to measure anything: give {MIN_EVENTS} or more").into());
    }
    let mut report = report::Report::new(events);
    report.section(process::part(&["memory"])?)?;
    report.section(process::part(&["crossing"])?)?;
    report.section(process::part(&["windows"])?)?;
    report.section(process::part(&["reload"])?)?;
    let kafka = wasmill_testkit::kafka::Kafka::start(Default::default());
    rounds::measure(&kafka.address(), events, &mut report)?;
    latency::measure(&kafka.address(), &mut report)?;
    report.finish()
}
