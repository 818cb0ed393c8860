//! `wasmill produce`: synthetic events of the use cases, to Kafka or to a file.

mod events;

use std::io::Write;
use std::time::{Duration, Instant};

pub use events::{Event, Events, Shape, UseCase};
use wasmill_core::time::Nanos;

use crate::clock;

/// How many and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub count: Option<u64>,
    /// Events a second; `None`: as fast as they go.
    pub rate: Option<f64>,
    pub duration: Option<Duration>,
    /// Event times follow the clock instead of rising by the shape's step.
    pub live: bool,
}

/// Sleeps shorter than this cost more than they give.
const MIN_SLEEP: Duration = Duration::from_millis(2);

/// Makes events at their pace and gives each to `send`; ends at the count, the duration, or when `send` says so. Returns how many
/// were made.
pub fn run<E>(
    shape: Shape,
    pace: Pace,
    mut send: impl FnMut(&Event) -> Result<bool, E>,
    mut progress: impl FnMut(u64),
) -> Result<u64, E> {
    let mut events = Events::new(shape);
    let started = Instant::now();
    let mut made = 0u64;
    loop {
        if pace.count.is_some_and(|count| made >= count) {
            break;
        }
        // The clock is looked at once in a while: it costs more than an event.
        if made.is_multiple_of(64) || pace.rate.is_some_and(|rate| rate < 10_000.0) {
            let elapsed = started.elapsed();
            if pace.duration.is_some_and(|duration| elapsed >= duration) {
                break;
            }
            if let Some(rate) = pace.rate {
                let due = Duration::from_secs_f64(made as f64 / rate);
                if due > elapsed + MIN_SLEEP {
                    std::thread::sleep(due - elapsed);
                }
            }
            progress(made);
        }
        let now: Option<Nanos> = pace.live.then(clock::now);
        if !send(&events.next(now))? {
            break;
        }
        made += 1;
    }
    progress(made);
    Ok(made)
}

/// Writes events as lines of NDJSON; broken payloads too, so a line may hold anything but a line break.
///
/// # Errors
/// What the file says.
pub fn to_lines(shape: Shape, pace: Pace, out: &mut impl Write) -> std::io::Result<u64> {
    run(
        shape,
        pace,
        |event| {
            out.write_all(&event.value)?;
            out.write_all(b"\n")?;
            Ok(true)
        },
        |_| {},
    )
}
