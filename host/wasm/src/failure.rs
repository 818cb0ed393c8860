//! How a call failed, in the words of the one who must mend it.

use std::fmt::Write;

use wasmill_core::plugin::Fault;
use wasmtime::{Trap, WasmBacktrace};

use crate::guest::Guest;
use crate::limits::size;
use crate::strings::clean;
use crate::wasi::Denied;

/// Frames and bytes of a guest's backtrace that an error carries.
const MAX_FRAMES: usize = 12;
const MAX_FRAME_BYTES: usize = 160;
const MAX_MESSAGE_BYTES: usize = 1024;
/// wasmtime's words when a guest returns more than the store's `hostcall_fuel`; the error's type is private.
const OUTPUT_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// The fault behind an error of the engine, and a message whose first line tells it whole.
pub(crate) fn explain(error: &wasmtime::Error, guest: &Guest) -> (Fault, String) {
    let limits = &guest.identity.limits;
    if let Some(wanted) = guest.limiter.denied_bytes() {
        let message =
            format!("it asked for {} of memory, limits.memory is {}", size(wanted), size(limits.memory_bytes));
        return (Fault::Memory, message);
    }
    if let Some(denied) = error.downcast_ref::<Denied>() {
        return (Fault::Trap, trap_message(&clean(&denied.to_string(), MAX_MESSAGE_BYTES), error));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            (Fault::Deadline, format!("it ran longer than limits.call, which is {:?}{}", limits.call, backtrace(error)))
        }
        Some(trap) => {
            let reason = guest.last_error.clone().unwrap_or_else(|| trap.to_string());
            (Fault::Trap, trap_message(&reason, error))
        }
        None if format!("{error:#}").contains(OUTPUT_EXHAUSTED) => {
            (Fault::Output, format!("it returned more than limits.output, which is {}", size(limits.output_bytes)))
        }
        None => (Fault::Invalid, clean(&format!("{}", error.root_cause()), MAX_MESSAGE_BYTES)),
    }
}

/// What a guest gave as its reason, in one bounded line.
pub(crate) fn refusal(reason: &str) -> String {
    clean(reason, MAX_MESSAGE_BYTES)
}

fn trap_message(reason: &str, error: &wasmtime::Error) -> String {
    let mut message = reason.to_owned();
    let names = frames(error);
    if let Some(author) = names.iter().find(|name| !is_runtime(name)) {
        let _ = write!(message, " (in {author})");
    }
    message + &lines(&names)
}

fn backtrace(error: &wasmtime::Error) -> String {
    lines(&frames(error))
}

fn lines(names: &[String]) -> String {
    names.iter().fold(String::new(), |text, name| text + "\n  at " + name)
}

/// Names of the guest's functions, innermost first. Empty if it was built without names.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let names = backtrace.frames().iter().filter_map(|frame| frame.func_name());
    names
        .take(MAX_FRAMES)
        .map(|name| clean(&format!("{:#}", rustc_demangle::demangle(name)), MAX_FRAME_BYTES))
        .collect()
}

/// The language's own functions, which say that it failed but not where.
fn is_runtime(name: &str) -> bool {
    ["std::", "core::", "alloc::", "<core::", "<alloc::", "<std::", "rust_", "__rust", "__rg_", "abort"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
