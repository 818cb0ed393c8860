//! What a guest sees of the host: its log, its metrics, its memory limit.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use wasmill_core::plugin::{CallError, Fault};

use crate::limits::{Limiter, Limits};
use crate::log::{Level, PluginLog, Voice};
use crate::strings::clean;
use crate::v0_1;
use crate::wasi::{Generator, Lines};

const MAX_PANIC_BYTES: usize = 1024;
/// Where the clock stands that stands still: Go takes 0 for a clock that is broken.
const STANDING_NANOS: u64 = 1;

/// What all instances of a plugin share.
pub(crate) struct Identity {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// The first 12 hex digits of the release.
    pub(crate) release: String,
    /// What its instances draw when they ask for randomness.
    pub(crate) random: Generator,
    pub(crate) limits: Limits,
    pub(crate) log: Arc<dyn PluginLog>,
    pub(crate) voice: Voice,
    /// Bytes of linear memory of all instances.
    pub(crate) memory_bytes: Arc<AtomicU64>,
}

impl Identity {
    pub(crate) fn error(&self, function: &'static str, fault: Fault, message: String) -> CallError {
        CallError { plugin: self.name.clone(), release: self.release.clone(), function, fault, message }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.voice.flush(self.log.as_ref(), &self.name);
    }
}

/// The data of one store.
pub(crate) struct Guest {
    pub(crate) identity: Arc<Identity>,
    pub(crate) limiter: Limiter,
    /// When the current call is interrupted.
    pub(crate) deadline: Instant,
    /// The last line logged as an error, or printed to standard error, during this call: there a guest says why it traps.
    pub(crate) last_error: Option<String>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
    pub(crate) random: Generator,
    /// What the clock shows that stands still.
    pub(crate) waited_nanos: u64,
    /// Streams and pollables that it holds.
    pub(crate) handles: u32,
}

impl Guest {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        let limiter = Limiter::new(identity.limits.memory_bytes, Arc::clone(&identity.memory_bytes));
        let deadline = Instant::now() + identity.limits.call;
        let random = identity.random;
        let (stdout, stderr) = (Lines::default(), Lines::default());
        Guest {
            identity,
            limiter,
            deadline,
            last_error: None,
            stdout,
            stderr,
            random,
            waited_nanos: STANDING_NANOS,
            handles: 0,
        }
    }

    /// Forgets what the last call left behind, and starts the time of the next one.
    pub(crate) fn begin_call(&mut self) {
        self.limiter.forget_denial();
        self.last_error = None;
        self.deadline = Instant::now() + self.identity.limits.call;
    }

    pub(crate) fn say(&self, level: Level, message: &str) {
        let identity = &self.identity;
        identity.voice.say(identity.log.as_ref(), &identity.name, level, message);
    }

    /// As the reason, should the call now fail.
    pub(crate) fn remember(&mut self, message: &str) {
        self.last_error = Some(clean(message, MAX_PANIC_BYTES));
    }
}

/// How generated code finds the host in a store's data.
pub(crate) struct Imports;

impl wasmtime::component::HasData for Imports {
    type Data<'a> = &'a mut Guest;
}

impl v0_1::TypesHost for Guest {}

impl v0_1::LogHost for Guest {
    fn log(&mut self, level: v0_1::Level, message: String) {
        let level = match level {
            v0_1::Level::Trace => Level::Trace,
            v0_1::Level::Debug => Level::Debug,
            v0_1::Level::Info => Level::Info,
            v0_1::Level::Warn => Level::Warn,
            v0_1::Level::Error => Level::Error,
        };
        if level == Level::Error {
            self.remember(&message);
        }
        self.say(level, &message);
    }
}

impl v0_1::MetricsHost for Guest {
    fn count(&mut self, name: String, add: u64) {
        let identity = &self.identity;
        if identity.voice.admits_metric(identity.log.as_ref(), &identity.name, &name) {
            identity.log.count(&identity.name, &name, add);
        }
    }

    fn gauge(&mut self, name: String, value: f64) {
        let identity = &self.identity;
        if identity.voice.admits_metric(identity.log.as_ref(), &identity.name, &name) {
            identity.log.gauge(&identity.name, &name, value);
        }
    }
}
