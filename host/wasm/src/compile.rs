//! Compiling a file, on a thread of its own with a deadline: the compiler is large, and its input is hostile.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use wasmtime::component::Component;

use crate::contract::Layout;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::strings::clean;

/// How long compiling one file may take. A Python component took 23 s on two busy cores.
pub const MAX_COMPILE_TIME: Duration = Duration::from_secs(120);
/// The compiler recurses over what it reads.
const STACK_BYTES: usize = 16 << 20;
pub(crate) const MAX_MESSAGE_BYTES: usize = 2048;

pub(crate) fn compile(engine: &Engine, bytes: &[u8], layout: Layout) -> Result<Component, LoadError> {
    crate::budget::check(bytes)?;
    let (wasmtime, bytes) = (engine.wasmtime().clone(), bytes.to_vec());
    within(MAX_COMPILE_TIME, engine.overdue(), move || {
        let wrapped;
        let component = match layout {
            Layout::Component => &bytes,
            Layout::Module => {
                wrapped = wrap(&bytes)?;
                &wrapped
            }
        };
        Component::new(&wasmtime, component)
            .map_err(|error| LoadError::Compile(clean(&format!("{error:#}"), MAX_MESSAGE_BYTES)))
    })
}

/// Compilations that exceeded their time and still run: each holds the other end.
pub(crate) type Overdue = Mutex<Vec<Weak<()>>>;

/// Runs `job` on a thread and waits until `limit`. A job that is not done by then goes on, for it cannot be stopped, but no other one
/// begins until it ends: files that are slow to compile cannot pile up.
fn within<T: Send + 'static>(
    limit: Duration,
    overdue: &Overdue,
    job: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    {
        let mut overdue = overdue.lock().unwrap_or_else(PoisonError::into_inner);
        overdue.retain(|job| job.strong_count() > 0);
        if !overdue.is_empty() {
            return Err(LoadError::CompileBusy);
        }
    }
    let (send, done) = sync_channel(1);
    let running = Arc::new(());
    let still_running = Arc::downgrade(&running);
    std::thread::Builder::new()
        .name("wasm-compile".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let _running = running;
            // Who waited may be gone.
            let _ = send.send(job());
        })
        .map_err(|error| LoadError::Compile(format!("its thread cannot be started: {error}")))?;
    match done.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            overdue.lock().unwrap_or_else(PoisonError::into_inner).push(still_running);
            Err(LoadError::CompileTime { limit })
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(LoadError::Compile("the compiler failed on it: this is a bug of Wasmill or wasmtime".to_owned()))
        }
    }
}

/// A component around a core module. The module says in a custom section, which `wit-bindgen` writes, what its functions mean.
fn wrap(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    wit_component::ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| LoadError::Incompatible(clean(&format!("{error:#}"), MAX_MESSAGE_BYTES)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(60);

    #[test]
    fn a_compilation_that_takes_too_long_fails_and_no_other_begins_until_it_ends() {
        let overdue = Overdue::default();
        let (release, held) = channel::<()>();
        let slow = within(SOON, &overdue, move || {
            let _ = held.recv();
            Ok(())
        });
        let error = slow.unwrap_err();
        assert!(matches!(error, LoadError::CompileTime { .. }), "{error}");
        assert!(error.to_string().contains("20ms"), "{error}");
        let next = within(LATE, &overdue, || Ok(1));
        assert!(matches!(next, Err(LoadError::CompileBusy)), "{next:?}");
        drop(release);
        let until = std::time::Instant::now() + LATE;
        while overdue.lock().unwrap()[0].strong_count() > 0 && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(within(LATE, &overdue, || Ok(2)).unwrap(), 2);
    }

    #[test]
    fn a_compiler_that_panics_takes_nobody_along() {
        let overdue = Overdue::default();
        let failed: Result<(), _> = within(LATE, &overdue, || panic!("a bug of the compiler"));
        assert!(matches!(failed, Err(LoadError::Compile(_))), "{failed:?}");
        assert_eq!(within(LATE, &overdue, || Ok(1)).unwrap(), 1);
    }
}
