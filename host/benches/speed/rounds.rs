//! W2 on a real Kafka: whole processes, in rounds, so that all meet the same machine.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;

use crate::Result;
use crate::pipeline::Variant;
use crate::process::{self, Cost};
use crate::report::{Report, Row, median, spread};

const PARTITIONS: &str = "4";
const ROUNDS: usize = 3;
/// Start-up is what so much of the events takes, too.
const PART: u64 = 10;
const WHOLE_TOPIC: &str = "bench-ads";
const PART_TOPIC: &str = "bench-ads-part";
const TARGET_NS: f64 = 650.0;
const TARGET_NATIVE: f64 = 1.10;
const TARGET_MEMORY_MIB: f64 = 96.0;
const MILLISECOND: i64 = 1_000_000;

/// All rows of a run in a form that their order does not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    rows: u64,
    events: u64,
    hash: u64,
}

impl Sum {
    /// One row: the ad, its window's start in milliseconds, its count.
    pub fn add(&mut self, ad: &str, start: i64, count: u64) {
        let mut hasher = DefaultHasher::new();
        (ad, start, count).hash(&mut hasher);
        self.rows += 1;
        self.events += count;
        self.hash = self.hash.wrapping_add(hasher.finish());
    }

    /// Of a pipeline's line protocol.
    fn of_lines(text: &str) -> Result<Self> {
        let mut sum = Sum::default();
        for line in text.lines() {
            let row = line.strip_prefix("per_ad,ad_id=").and_then(|rest| rest.split_once(" count="));
            let row = row.and_then(|(ad, rest)| Some((ad, rest.split_once("i ")?)));
            let Some((ad, (count, time))) = row else { return Err(format!("no row: {line}").into()) };
            sum.add(ad, time.parse::<i64>()? / MILLISECOND, count.parse()?);
        }
        Ok(sum)
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} events, {:016x}", self.rows, self.events, self.hash)
    }
}

impl std::str::FromStr for Sum {
    type Err = crate::Failed;

    /// What [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self> {
        let fields =
            text.trim().split_once(" rows, ").and_then(|(rows, rest)| Some((rows, rest.split_once(" events, ")?)));
        let (rows, (events, hash)) = fields.ok_or_else(|| format!("no sum: {text}"))?;
        Ok(Sum { rows: rows.parse()?, events: events.parse()?, hash: u64::from_str_radix(hash, 16)? })
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Peer {
    Bare,
    Naive,
    Wasm,
    Native,
    Exchanged,
}

const PEERS: [Peer; 5] = [Peer::Bare, Peer::Naive, Peer::Wasm, Peer::Native, Peer::Exchanged];

/// One peer's figures, a value a round.
struct Series {
    peer: Peer,
    /// CPU without start-up, nanoseconds an event.
    steady: Vec<f64>,
    memory_mib: Vec<f64>,
    events_per_second: Vec<f64>,
}

/// `wasmill`, built with this benchmark.
pub fn wasmill() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wasmill"))
}

fn produce(brokers: &str, topic: &str, count: u64) -> Result<()> {
    eprintln!("producing {count} events");
    let mut command = wasmill();
    command.args(["produce", "ads", "--brokers", brokers, "--topic", topic, "--partitions", PARTITIONS, "--quiet"]);
    command.args(["--start", "2025-01-01T00:00:00Z", "--step", "10us", "-X", "compression.type=none"]);
    process::run(command.args(["--count", &count.to_string()]))?;
    Ok(())
}

fn run(peer: Peer, brokers: &str, topic: &str, count: u64, folder: &std::path::Path) -> Result<Cost> {
    let count = count.to_string();
    let group = wasmill_testkit::unique("bench");
    let variant = Variant { brokers, topic, group: &group, aligned: peer != Peer::Exchanged, ..Variant::W2 };
    let file = variant.write(folder)?;
    let file = file.display().to_string();
    let mut command = match peer {
        Peer::Bare => process::this(&["bare", brokers, topic, &count])?,
        Peer::Naive => process::this(&["naive", brokers, topic, &count])?,
        Peer::Native => process::this(&["native-plugins", &file])?,
        Peer::Wasm | Peer::Exchanged => wasmill(),
    };
    if matches!(peer, Peer::Wasm | Peer::Exchanged) {
        command.args(["run", &file, "--until", "end"]);
    }
    process::run(&mut command)
}

/// Adds this part's rows.
///
/// # Errors
/// A process that fails, or rows that are not the same everywhere.
pub fn measure(brokers: &str, events: u64, report: &mut Report) -> Result<()> {
    let part = events / PART;
    produce(brokers, WHOLE_TOPIC, events)?;
    produce(brokers, PART_TOPIC, part)?;
    let folder = tempfile::tempdir()?;
    let empty = |peer| Series { peer, steady: vec![], memory_mib: vec![], events_per_second: vec![] };
    let mut all: Vec<Series> = PEERS.into_iter().map(empty).collect();
    let mut expected: Option<Sum> = None;
    for round in 1..=ROUNDS {
        for series in &mut all {
            let short = run(series.peer, brokers, PART_TOPIC, part, folder.path())?;
            let whole = run(series.peer, brokers, WHOLE_TOPIC, events, folder.path())?;
            check(series.peer, &whole.output, &mut expected)?;
            let counted = (events - part) as f64;
            series.steady.push((whole.cpu.as_nanos() as f64 - short.cpu.as_nanos() as f64) / counted);
            series.memory_mib.push(whole.peak_memory_bytes as f64 / f64::from(1 << 20));
            series.events_per_second.push(counted / (whole.wall.as_secs_f64() - short.wall.as_secs_f64()));
            eprintln!("  round {round}, {:?}: {:.0} ns/event", series.peer, series.steady[round - 1]);
        }
    }
    tell(&all, report);
    Ok(())
}

/// The naive peer comes first and says what the rows must be.
fn check(peer: Peer, output: &str, expected: &mut Option<Sum>) -> Result<()> {
    if peer == Peer::Bare {
        return Ok(());
    }
    if peer == Peer::Naive {
        *expected = Some(output.parse()?);
        return Ok(());
    }
    let sum = Sum::of_lines(output)?;
    match expected {
        Some(expected) if *expected != sum => {
            Err(format!("{peer:?} gave {sum}; written by hand it gives {expected}").into())
        }
        _ => Ok(()),
    }
}

fn tell(all: &[Series], report: &mut Report) {
    let of = |peer: Peer| all.iter().find(|series| series.peer == peer);
    let (Some(bare), Some(naive), Some(wasm), Some(native), Some(exchanged)) =
        (of(Peer::Bare), of(Peer::Naive), of(Peer::Wasm), of(Peer::Native), of(Peer::Exchanged))
    else {
        return;
    };
    let row = |what: &str, series: &Series| {
        let millions = median(&series.events_per_second) / 1e6;
        let note = format!("{ROUNDS} rounds, {}; {millions:.2} M events/s", spread(&series.steady));
        Row::new(what, median(&series.steady), "ns/event").note(note)
    };
    let ratio = |what: &str, over: &Series, under: &Series| {
        let ratios: Vec<f64> = over.steady.iter().zip(&under.steady).map(|(over, under)| over / under).collect();
        Row::new(what, median(&ratios), "×").note("median of the rounds' ratios")
    };
    report.push(row("W2 on Kafka, filter and count in wasm", wasm).at_most(TARGET_NS));
    report.push(row("  bare librdkafka consumer", bare));
    report.push(row("  W2 by hand (serde_json, hash map)", naive));
    report.push(row("  W2 with native plugins", native));
    report.push(row("  W2 exchanged (key not the topic's)", exchanged));
    report.push(ratio("  wasm : bare consumer", wasm, bare));
    report.push(ratio("  wasm : by hand", wasm, naive));
    report.push(ratio("  wasm : native plugins", wasm, native).at_most(TARGET_NATIVE));
    let memory = Row::new("peak memory of W2", median(&wasm.memory_mib), "MiB").at_most(TARGET_MEMORY_MIB);
    report.push(memory.note(format!("resident, {}", spread(&wasm.memory_mib))));
    let memory = Row::new("  exchanged", median(&exchanged.memory_mib), "MiB").note(spread(&exchanged.memory_mib));
    report.push(memory);
    report.push(Row::new("  bare consumer", median(&bare.memory_mib), "MiB").note(spread(&bare.memory_mib)));
}
