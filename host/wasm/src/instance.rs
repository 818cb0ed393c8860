//! One instance of a plugin: its store, its bounds, and what remains of it after a failure.

use std::sync::Arc;
use std::time::Instant;

use wasmill_core::plugin::{CallError, Fault};
use wasmtime::{Store, UpdateDeadline};

use crate::engine::Engine;
use crate::failure::{explain, refusal};
use crate::guest::{Guest, Identity};

/// An instance with the world `W`'s exports.
pub(crate) struct Instance<W> {
    store: Store<Guest>,
    exports: W,
    identity: Arc<Identity>,
    /// Why it may not be called again: what it holds after a failure is undefined.
    spent: Option<CallError>,
}

impl<W> Instance<W> {
    /// Runs the guest's start code, within the limits of a call.
    pub(crate) fn new(
        engine: &Engine,
        identity: &Arc<Identity>,
        instantiate: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<W>,
    ) -> Result<Self, CallError> {
        let mut store = Store::new(engine.wasmtime(), Guest::new(Arc::clone(identity)));
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(usize::try_from(identity.limits.output_bytes).unwrap_or(usize::MAX));
        // At each tick of the engine a running guest looks at the clock. Counting ticks instead would drift: on a busy machine they
        // come late.
        store.epoch_deadline_callback(|context| {
            let over = Instant::now() >= context.data().deadline;
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        store.set_epoch_deadline(1);
        match instantiate(&mut store) {
            Ok(exports) => Ok(Instance { store, exports, identity: Arc::clone(identity), spent: None }),
            Err(error) => {
                store.data_mut().flush();
                let (fault, message) = explain(&error, store.data());
                Err(identity.error("start", fault, message))
            }
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Calls the guest and checks what it returns. `check` answers with the rule that was broken.
    pub(crate) fn call<T, R>(
        &mut self,
        function: &'static str,
        run: impl FnOnce(&W, &mut Store<Guest>) -> wasmtime::Result<Result<T, String>>,
        check: impl FnOnce(T) -> Result<R, String>,
    ) -> Result<R, CallError> {
        if let Some(error) = &self.spent {
            return Err(error.clone());
        }
        self.store.data_mut().begin_call();
        let returned = run(&self.exports, &mut self.store);
        self.store.data_mut().flush();
        let (fault, message) = match returned {
            Ok(Ok(returned)) => match check(returned) {
                Ok(checked) => return Ok(checked),
                Err(rule) => (Fault::Invalid, rule),
            },
            Ok(Err(reason)) => (Fault::Refused, refusal(&reason)),
            Err(error) => explain(&error, self.store.data()),
        };
        let error = self.identity.error(function, fault, message);
        if fault != Fault::Refused {
            self.spent = Some(error.clone());
        }
        Err(error)
    }
}
