//! Makes a guest do everything it can be asked, until it fails.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use wasmill_core::batch::{Batch, Column, Strings, Values};
use wasmill_core::plugin::{CallError, Fault, Firing};
use wasmill_core::time::Window;
use wasmill_wasm::{Engine, Limits, LoadError, NoLog, Plugin, PluginLog, Release, Settings, World};

pub const CALL: Duration = Duration::from_millis(60);
pub const MEMORY: u64 = 32 << 20;
/// A busy machine schedules late; on a quiet one it is one tick of 10 ms.
pub const LATE: Duration = Duration::from_millis(250);
pub const ROWS: u32 = 8;

pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(Settings::default()).unwrap())
}

pub fn limits() -> Limits {
    Limits { memory_bytes: MEMORY, call: CALL, ..Limits::default() }
}

pub struct Failed {
    pub error: CallError,
    /// How long the failed call took.
    pub took: Duration,
    /// Memory of the plugin's instances after it; 0 if it did not come so far as to have any.
    pub memory: u64,
    pub release: String,
}

/// The first call that fails, of all there are.
pub fn provoke(wasm: &[u8]) -> Option<Failed> {
    provoke_logged(wasm, Arc::new(NoLog))
}

pub fn provoke_logged(wasm: &[u8], log: Arc<dyn PluginLog>) -> Option<Failed> {
    let release = Arc::new(Release::compile(engine(), wasm).unwrap_or_else(|error| panic!("does not load: {error}")));
    let short = release.short().to_owned();
    let start = Instant::now();
    let plugin = match Plugin::new(engine(), "suspect", Arc::clone(&release), "{}", limits(), log) {
        Ok(plugin) => plugin,
        Err(LoadError::Start(error)) => {
            return Some(Failed { error, took: start.elapsed(), memory: 0, release: short });
        }
        Err(LoadError::Descriptor { message, .. }) => {
            let error = CallError {
                plugin: "suspect".to_owned(),
                release: short.clone(),
                function: "configure",
                fault: Fault::Invalid,
                message,
            };
            return Some(Failed { error, took: start.elapsed(), memory: 0, release: short });
        }
        Err(error) => panic!("{error}"),
    };
    let timed = |call: &mut dyn FnMut() -> Result<(), CallError>| {
        let start = Instant::now();
        let error = call().err()?;
        Some(Failed { error, took: start.elapsed(), memory: plugin.memory_bytes(), release: short.clone() })
    };
    let amounts = Column::new(Values::Integers((0..i64::from(ROWS)).collect()));
    let columns = [&amounts];
    let input = Batch { rows: ROWS, columns: &columns[..plugin.descriptor().reads.len()] };
    if release.world() == World::Transformer {
        let mut instance = plugin.transformer().unwrap();
        return timed(&mut || instance.transform(input).map(drop));
    }
    let mut instance = plugin.aggregator().unwrap();
    let slots: Vec<u32> = (0..ROWS).collect();
    let window = Window { start: 0, end: 1 };
    let mut states = Strings::default();
    timed(&mut || instance.accumulate(input, &[], &slots).map(drop))
        .or_else(|| timed(&mut || instance.merge(&[0], &[1])))
        .or_else(|| timed(&mut || instance.emit(&slots, &[window], &[], Firing::OnTime).map(drop)))
        .or_else(|| timed(&mut || instance.snapshot(&slots).map(|found| states = found)))
        .or_else(|| timed(&mut || instance.restore(&slots, 1, &states)))
        .or_else(|| timed(&mut || instance.forget(&slots)))
}

/// The call failed so, and its error says who, where and why, in bounded words without forged lines.
#[track_caller]
pub fn assert_failed(name: &str, failed: Option<Failed>, function: &str, fault: Fault, says: &str) -> Failed {
    let Some(failed) = failed else { panic!("{name}: nothing failed") };
    let text = failed.error.to_string();
    println!("{name}: {:?}, {} KiB: {}", failed.took, failed.memory >> 10, text.lines().next().unwrap());
    assert_eq!((failed.error.function, failed.error.fault), (function, fault), "{name}: {text}");
    assert_eq!(failed.release.len(), 12);
    let who = format!("plugin suspect ({}) failed in {function}: ", failed.release);
    assert!(text.starts_with(&who), "{name}: {text}");
    assert!(failed.error.message.contains(says), "{name}: no word of {says:?}: {text}");
    assert!(text.len() < 4096 && !text.lines().next().unwrap().chars().any(char::is_control), "{name}: {text:?}");
    assert!(failed.took < CALL + LATE, "{name}: {:?}", failed.took);
    assert!(failed.memory <= MEMORY + MEMORY * 15 / 100, "{name}: {} bytes", failed.memory);
    failed
}
