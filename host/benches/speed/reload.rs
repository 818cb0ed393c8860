//! What a hot reload costs: how long a task stands still while its states are carried over, and how long compiling takes.

use std::time::Instant;

use wasmill_wasm::{Engine, Release, Settings};

use crate::Result;
use crate::events::Pass;
use crate::memory::{Runner, check};
use crate::pipeline::{Parts, Variant};
use crate::report::{Row, median, spread};

/// Keys, passes that fill an hour's window with them, swaps, and how long one may take, in milliseconds.
const SIZES: [(u64, usize, usize, f64); 2] = [(1_000, 1, 200, 2.0), (1_200_000, 6, 15, 50.0)];
const WINDOW: &str = r#"{ tumbling = "1h" }"#;
const COMPILATIONS: usize = 9;

/// Prints the rows of this part.
///
/// # Errors
/// A wrong result.
pub fn measure() -> Result<()> {
    for (keys, passes, swaps, limit) in SIZES {
        swap(keys, passes, swaps, limit)?;
    }
    compile()
}

/// One task of one partition, from one instance of the release to another and back; events come in between.
fn swap(keys: u64, passes: usize, swaps: usize, limit: f64) -> Result<()> {
    let variant = Variant { window: WINDOW, ..Variant::W2 };
    // Two plugins of their own: what is the same is not swapped.
    let releases = [Parts::new(&variant)?, Parts::new(&variant)?];
    let mut runner = Runner::new(&releases[0], &releases[0].wasm_plugins())?;
    let mut pass = Pass::new()?;
    for seed in 0..passes {
        pass.set_keys(keys, seed as u64);
        runner.pass(&pass)?;
        pass.advance();
    }
    let (mut times, mut slots) = (Vec::new(), 0);
    for number in 0..swaps {
        let next = &releases[(number + 1) % 2];
        let runtime = next.runtime(&next.wasm_plugins())?;
        let (took, carried) = runner.swap(runtime)?;
        slots = carried;
        times.push(took.as_secs_f64() * 1e3);
    }
    runner.pass(&pass)?;
    runner.finish()?;
    check("windows over reloads", runner.counted, pass.views * (passes as u64 + 1))?;
    times.sort_by(f64::total_cmp);
    let p99 = times[(times.len() * 99).div_ceil(100) - 1];
    let note = format!("{swaps} swaps, median {:.2}, {}", median(&times), spread(&times));
    Row::new(format!("reload: pause with {slots} slots, p99"), p99, "ms").at_most(limit).note(note).print();
    Ok(())
}

fn compile() -> Result<()> {
    let (_, bytes) =
        wasmill::plugins::builtins().iter().find(|(name, _)| *name == "count").ok_or("no built-in count")?;
    let (mut cold, mut cached) = (Vec::new(), Vec::new());
    for _ in 0..COMPILATIONS {
        let folder = tempfile::tempdir()?;
        let engine = Engine::new(Settings { cache: Some(folder.path().join("cache")) })?;
        for times in [&mut cold, &mut cached] {
            let started = Instant::now();
            Release::compile(&engine, bytes)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    let note = format!("`count`, {} KiB, on both processors, {}", bytes.len() / 1024, spread(&cold));
    Row::new("reload: compile a plugin", median(&cold), "ms").note(note).print();
    Row::new("  from the cache", median(&cached), "ms").note(spread(&cached)).print();
    Ok(())
}
