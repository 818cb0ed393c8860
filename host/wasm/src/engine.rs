//! The engine that all plugins of a process share, and the clock that interrupts them.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::cache::Cache;
use crate::compile::Overdue;
use crate::error::LoadError;

/// How often a running call looks at the clock.
pub const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where compiled code is kept between starts; `None`: compile at every start. It holds native code that this process runs, so
    /// nobody else may be able to write there: it is made with mode 0700, and one that others can write to is refused.
    pub cache: Option<PathBuf>,
}

/// Compiles plugins and interrupts those that run too long. Clones share one compiler and one clock.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    engine: wasmtime::Engine,
    cache: Option<Cache>,
    overdue: Overdue,
}

impl Engine {
    /// Starts the clock's thread, which ends with the last clone.
    ///
    /// # Errors
    /// The thread cannot be started, the machine is not one wasmtime compiles for, or the cache's directory cannot be used.
    pub fn new(settings: Settings) -> Result<Self, LoadError> {
        let mut config = wasmtime::Config::new();
        config.wasm_component_model(true).epoch_interruption(true);
        let engine = wasmtime::Engine::new(&config).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let cache = settings.cache.map(|directory| Cache::open(directory, &engine)).transpose()?;
        let shared = Arc::new(Shared { engine, cache, overdue: Overdue::default() });
        let clock = Arc::downgrade(&shared);
        std::thread::Builder::new()
            .name("wasm-clock".to_owned())
            .spawn(move || tick(&clock))
            .map_err(|error| LoadError::Engine(format!("cannot start the thread that interrupts plugins: {error}")))?;
        Ok(Engine { shared })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.shared.engine
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.shared.cache.as_ref()
    }

    pub(crate) fn overdue(&self) -> &Overdue {
        &self.shared.overdue
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.shared.cache).finish_non_exhaustive()
    }
}

fn tick(engine: &Weak<Shared>) {
    loop {
        std::thread::sleep(TICK);
        match engine.upgrade() {
            Some(shared) => shared.engine.increment_epoch(),
            None => return,
        }
    }
}
