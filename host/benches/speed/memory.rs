//! W2 without librdkafka: records from memory into a task.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use wasmill::assemble::PluginHandle;
use wasmill::clock;
use wasmill::figures::PartitionFigures;
use wasmill::task::{Halt, Outbox, Outgoing, SourceRuntime, Start, Task};
use wasmill_core::batch::Values;
use wasmill_core::checkpoint::Checkpoint;
use wasmill_decode::{Decoded, Decoder};

use crate::Result;
use crate::events::{EVENTS, Pass};
use crate::native::{Spent, Timed};
use crate::pipeline::{Parts, Variant};
use crate::process::thread_cpu;
use crate::report::{Row, median, spread};

const ROUNDS: usize = 15;

/// A task, and what it has counted so far.
pub struct Runner {
    task: Task,
    first_offset: i64,
    started: bool,
    runtime: Arc<SourceRuntime>,
    /// The sum of all counts in its rows.
    pub counted: u64,
    pub rows: u64,
}

fn failed(halt: Halt) -> String {
    match halt {
        Halt::Stop(reason) => reason,
        Halt::Rebuild(failure) => failure.error.to_string(),
    }
}

impl Runner {
    /// # Errors
    /// A plugin that cannot be instantiated.
    pub fn new(parts: &Parts, plugins: &[PluginHandle]) -> Result<Self> {
        let runtime = parts.runtime(plugins)?;
        let task = Self::task(&runtime, 0)?;
        Ok(Runner { task, first_offset: 0, started: false, runtime, counted: 0, rows: 0 })
    }

    fn task(runtime: &Arc<SourceRuntime>, offset: i64) -> Result<Task> {
        let start = Start { position: offset, checkpoint: Checkpoint::fresh(offset), poison: HashMap::new() };
        let figures = Arc::new(PartitionFigures::default());
        Ok(Task::new(Arc::clone(runtime), "ads".into(), 0, start, figures, clock::now()).map_err(failed)?)
    }

    /// Runs a pass through the task. Returns the thread's CPU time.
    ///
    /// # Errors
    /// What stops the task.
    pub fn pass(&mut self, pass: &Pass) -> Result<Duration> {
        if !self.started {
            self.first_offset = pass.pieces.first().map_or(0, |piece| piece.records[0].offset);
            self.task = Self::task(&self.runtime, self.first_offset)?;
            self.started = true;
        }
        let before = thread_cpu();
        for piece in &pass.pieces {
            let mut first = 0;
            while let Some(range) = self.task.next_batch(piece, first) {
                first = range.end;
                let mut outbox = Outbox::default();
                self.task.process(piece, range, clock::now(), &mut outbox).map_err(failed)?;
                self.count(outbox)?;
            }
        }
        Ok(thread_cpu() - before)
    }

    /// Changes the task over to another runtime. How long it stood still, and how many states it took along.
    ///
    /// # Errors
    /// What the task says.
    pub fn swap(&mut self, runtime: Arc<SourceRuntime>) -> Result<(Duration, usize)> {
        let started = Instant::now();
        let prepared = self.task.prepare(&runtime)?;
        let slots = prepared.slots;
        self.task.change_over(prepared);
        let took = started.elapsed();
        self.runtime = runtime;
        Ok((took, slots))
    }

    /// Closes every window.
    ///
    /// # Errors
    /// What stops the task.
    pub fn finish(&mut self) -> Result<()> {
        let outbox = self.task.finish().map_err(failed)?;
        self.count(outbox)
    }

    fn count(&mut self, outbox: Outbox) -> Result<()> {
        for item in outbox.items {
            let Outgoing::Rows { rows, .. } = item else { return Err("an event was refused".into()) };
            self.rows += rows.len() as u64;
            let column = rows.schema.columns.iter().position(|column| column.name == "count");
            let Some(Values::Integers(counts)) = column.map(|column| &rows.columns[column].values) else {
                return Err("rows without a count".into());
            };
            self.counted += counts.iter().sum::<i64>().unsigned_abs();
        }
        Ok(())
    }
}

/// Nanoseconds an event of a pass.
pub fn per_event(cpu: Duration) -> f64 {
    cpu.as_nanos() as f64 / EVENTS as f64
}

/// The right sum, or an error that says whose is wrong.
///
/// # Errors
/// They differ.
pub fn check(what: &str, counted: u64, expected: u64) -> Result<()> {
    match counted == expected {
        true => Ok(()),
        false => Err(format!("{what} counted {counted} events instead of {expected}").into()),
    }
}

/// The decoder alone, on what the pipeline's source decodes.
fn decode(runtime: &SourceRuntime, pass: &Pass) -> Result<Duration> {
    let plan = &runtime.plan;
    let mut decoder = Decoder::new(&plan.format, &plan.fields, &plan.time_format)?;
    let mut decoded = Decoded::default();
    let before = thread_cpu();
    for piece in &pass.pieces {
        decoder.decode(piece, 0..piece.records.len(), "ads", 0, &mut decoded);
        black_box(&decoded);
    }
    Ok(thread_cpu() - before)
}

/// Prints the rows of this part.
///
/// # Errors
/// A wrong result.
pub fn measure() -> Result<()> {
    let parts = Parts::new(&Variant::W2)?;
    let mut pass = Pass::new()?;
    let spent = Arc::new(Spent::default());
    let timed = |handle: PluginHandle| PluginHandle {
        plugin: Arc::new(Timed { inner: handle.plugin, spent: Arc::clone(&spent) }),
        sha256: handle.sha256,
    };
    let mut wasm = Runner::new(&parts, &parts.wasm_plugins())?;
    let mut native = Runner::new(&parts, &parts.native_plugins())?;
    let mut staged = Runner::new(&parts, &parts.wasm_plugins().into_iter().map(timed).collect::<Vec<_>>())?;
    let (mut wasm_ns, mut native_ns, mut decode_ns, mut staged_ns) = (vec![], vec![], vec![], vec![]);
    // The first round warms up.
    for round in 0..=ROUNDS {
        let decoded = decode(&staged.runtime, &pass)?;
        // Whoever comes second finds the records where the first has left them.
        let (w, n) = if round % 2 == 0 {
            let w = wasm.pass(&pass)?;
            (w, native.pass(&pass)?)
        } else {
            let n = native.pass(&pass)?;
            (wasm.pass(&pass)?, n)
        };
        if round == 0 {
            staged.pass(&pass)?;
            [&spent.transform, &spent.accumulate, &spent.fire].iter().for_each(|counter| counter.store(0, Relaxed));
        } else {
            decode_ns.push(per_event(decoded));
            wasm_ns.push(per_event(w));
            native_ns.push(per_event(n));
            staged_ns.push(per_event(staged.pass(&pass)?));
        }
        pass.advance();
    }
    let expected = pass.views * (ROUNDS as u64 + 1);
    for (what, runner) in [("W2 in wasm", &mut wasm), ("W2 native", &mut native), ("W2 by stage", &mut staged)] {
        runner.finish()?;
        check(what, runner.counted, expected)?;
    }
    let whole = median(&wasm_ns);
    let rounds = format!("CPU of the thread, 15 rounds of 1,000,000 events, {}", spread(&wasm_ns));
    Row::new("W2 without librdkafka", whole, "ns/event").at_most(200.0).note(rounds).print();
    Row::new("  the same, native plugins", median(&native_ns), "ns/event").note(spread(&native_ns)).print();
    let ratios: Vec<f64> = wasm_ns.iter().zip(&native_ns).map(|(w, n)| w / n).collect();
    Row::new("  wasm : native", median(&ratios), "×").note("median of the rounds' ratios").print();
    let stage = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed) as f64 / (EVENTS * ROUNDS) as f64;
    let (filter, accumulate, fire) = (stage(&spent.transform), stage(&spent.accumulate), stage(&spent.fire));
    let decode = median(&decode_ns);
    Row::new("  stage: decode", decode, "ns/event").note("three fields").print();
    Row::new("  stage: filter", filter, "ns/event").note("wasm, with the crossing").print();
    Row::new("  stage: accumulate", accumulate, "ns/event").note("wasm, a third of the events").print();
    Row::new("  stage: emit and forget", fire, "ns/event").note("1,000 ads, 10 s windows, 100,000 events/s").print();
    let rest = median(&staged_ns) - decode - filter - accumulate - fire;
    Row::new("  stage: all else", rest, "ns/event").note("times, watermark, keys, slots, rows").print();
    Ok(())
}
