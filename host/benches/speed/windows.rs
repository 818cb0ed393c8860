//! Windows of several kinds and numbers of keys, from memory, on whole events: decode, filter and all.

use crate::Result;
use crate::events::Pass;
use crate::memory::{Runner, check, per_event};
use crate::pipeline::{Parts, Variant};
use crate::report::{Row, median, spread};

/// Passes of 10 s before anything is measured: the longest window is full then.
const WARM_UP: usize = 7;
/// Two minutes: two windows of 60 s close.
const MEASURED: usize = 12;
const TUMBLING: &str = r#"{ tumbling = "60s" }"#;
const SLIDING: &str = r#"{ sliding = "60s", every = "1s" }"#;
const SESSION: &str = r#"{ session = "2s" }"#;
/// Each kept event lies in so many sliding windows.
const PANES: u64 = 60;
const SESSION_KEYS: u64 = 10_000;
const SEED: u64 = 2;
const MANY_KEYS: [u64; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// Passes by number of keys; a window closes in each.
const KEY_PASSES: usize = 5;
const KEY_WARM_UP: usize = 2;

fn runner(window: &str) -> Result<Runner> {
    let parts = Parts::new(&Variant { window, ..Variant::W2 })?;
    Runner::new(&parts, &parts.wasm_plugins())
}

/// Prints the rows of this part.
///
/// # Errors
/// A wrong result.
pub fn measure() -> Result<()> {
    let mut pass = Pass::new()?;
    sliding(&mut pass)?;
    sessions(&mut pass)?;
    keys(&mut pass)
}

/// Interleaved pass by pass, so that both meet the same machine.
fn sliding(pass: &mut Pass) -> Result<()> {
    let (mut tumbling, mut sliding) = (runner(TUMBLING)?, runner(SLIDING)?);
    let (mut tumbling_ns, mut sliding_ns) = (0.0, 0.0);
    for round in 0..WARM_UP + MEASURED {
        let (t, s) = (per_event(tumbling.pass(pass)?), per_event(sliding.pass(pass)?));
        if round >= WARM_UP {
            tumbling_ns += t / MEASURED as f64;
            sliding_ns += s / MEASURED as f64;
        }
        pass.advance();
    }
    let events = pass.views * (WARM_UP + MEASURED) as u64;
    tumbling.finish()?;
    sliding.finish()?;
    check("tumbling windows", tumbling.counted, events)?;
    check("sliding windows", sliding.counted, events * PANES)?;
    let note = "1,000 keys, 100,000 events/s, whole events";
    Row::new("tumbling 60 s", tumbling_ns, "ns/event").note(note).print();
    Row::new("sliding 60 s every 1 s", sliding_ns, "ns/event").note(note).print();
    let note = format!("{} rows against {}", sliding.rows, tumbling.rows);
    Row::new("  sliding : tumbling", sliding_ns / tumbling_ns, "×").at_most(1.5).note(note).print();
    Ok(())
}

fn sessions(pass: &mut Pass) -> Result<()> {
    pass.set_keys(SESSION_KEYS, SEED);
    let mut sessions = runner(SESSION)?;
    let mut times = Vec::new();
    for round in 0..KEY_WARM_UP + KEY_PASSES {
        let cpu = sessions.pass(pass)?;
        if round >= KEY_WARM_UP {
            times.push(per_event(cpu));
        }
        pass.advance();
    }
    sessions.finish()?;
    check("sessions", sessions.counted, pass.views * (KEY_WARM_UP + KEY_PASSES) as u64)?;
    let note = format!("10,000 keys, {} sessions, {}", sessions.rows, spread(&times));
    Row::new("sessions with a gap of 2 s", median(&times), "ns/event").note(note).print();
    Ok(())
}

fn keys(pass: &mut Pass) -> Result<()> {
    for keys in MANY_KEYS {
        pass.set_keys(keys, SEED);
        let mut runner = runner(Variant::W2.window)?;
        let mut times = Vec::new();
        for round in 0..KEY_WARM_UP + KEY_PASSES {
            let cpu = runner.pass(pass)?;
            if round >= KEY_WARM_UP {
                times.push(per_event(cpu));
            }
            pass.advance();
        }
        runner.finish()?;
        check("tumbling windows", runner.counted, pass.views * (KEY_WARM_UP + KEY_PASSES) as u64)?;
        let events = (KEY_WARM_UP + KEY_PASSES) * crate::events::EVENTS;
        let note = format!("10 s windows, {:.3} rows an event, {}", runner.rows as f64 / events as f64, spread(&times));
        Row::new(format!("{keys} keys"), median(&times), "ns/event").note(note).print();
    }
    Ok(())
}
