//! WASI, as far as a language's runtime needs it to start and to print: small and synchronous.
//!
//! Components of other languages import 20 interfaces and call two of them. `wasmtime-wasi` would make every call into a guest
//! asynchronous, which costs six times as much, and would offer what a plugin must not have. So each function that a component
//! imports is either one of ours or fails the call by its name. Versions 0.2.x differ in what they add, never in what they have:
//! whatever a component imports of them is looked up by its name without the version.

mod clocks;
mod random;
mod stdio;
mod surface;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};
use wasmtime::{Result, StoreContextMut};

use crate::guest::Guest;

pub(crate) use random::Generator;
pub(crate) use stdio::Lines;
pub use surface::{Grants, Need};
pub(crate) use surface::{Offer, judge, needs};

/// Resources that one instance may hold: streams and pollables. Their table is the host's memory.
const MAX_HANDLES: u32 = 1024;

/// A call of WASI that is not granted, in words for whoever must mend it. It ends the call like a trap.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Denied(String);

/// Resources that no function of ours makes.
struct Absent;

/// Defines every function and resource of WASI that `component` imports.
pub(crate) fn link(linker: &mut Linker<Guest>, component: &Component) -> Result<()> {
    let engine = linker.engine().clone();
    for (name, item) in component.component_type().imports(&engine) {
        let (Offer::Wasi(interface), ComponentItem::ComponentInstance(instance)) = (judge(name), item.ty) else {
            continue;
        };
        let mut link = linker.instance(name)?;
        for (member, item) in instance.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(_) => link.resource(member, resource(member), |mut store, _| {
                    let guest = store.data_mut();
                    guest.handles = guest.handles.saturating_sub(1);
                    Ok(())
                })?,
                ComponentItem::ComponentFunc(_) => define(&mut link, interface, member)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<stdio::InputStream>(),
        "output-stream" => ResourceType::host::<stdio::OutputStream>(),
        "error" => ResourceType::host::<stdio::IoError>(),
        "pollable" => ResourceType::host::<stdio::Pollable>(),
        _ => ResourceType::host::<Absent>(),
    }
}

fn define(link: &mut LinkerInstance<'_, Guest>, interface: &str, function: &str) -> Result<()> {
    let known = match interface {
        "wasi:cli/environment" | "wasi:cli/exit" | "wasi:filesystem/preopens" => process(link, function)?,
        "wasi:clocks/monotonic-clock" | "wasi:clocks/wall-clock" => clocks::define(link, interface, function)?,
        "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => random::define(link, function)?,
        _ => stdio::define(link, function)?,
    };
    if known {
        return Ok(());
    }
    let call = format!("{interface}#{function}");
    let why = surface::absent(interface);
    link.func_new(function, move |_, _, _, _| Err(Denied(format!("it called {call}: {why}")).into()))
}

/// No environment, no arguments, no folders, no end.
fn process(link: &mut LinkerInstance<'_, Guest>, function: &str) -> Result<bool> {
    match function {
        "get-environment" => link.func_wrap(function, |_, (): ()| Ok((Vec::<(String, String)>::new(),)))?,
        "get-arguments" => link.func_wrap(function, |_, (): ()| Ok((Vec::<String>::new(),)))?,
        "initial-cwd" => link.func_wrap(function, |_, (): ()| Ok((None::<String>,)))?,
        "get-directories" => link.func_wrap(function, |_, (): ()| Ok((Vec::<(Handle<Absent>, String)>::new(),)))?,
        "exit" | "exit-with-code" => link.func_new(function, |store, _, _, _| {
            let guest: &Guest = store.data();
            let last = guest.last_error.as_ref().map(|line| format!(" after saying: {line}")).unwrap_or_default();
            Err(Denied(format!("it called exit{last}")).into())
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

type Handle<T> = wasmtime::component::Resource<T>;

/// A new handle, counted.
fn handle<T: 'static>(store: &mut StoreContextMut<'_, Guest>, number: u32) -> Result<Handle<T>> {
    let guest = store.data_mut();
    if guest.handles >= MAX_HANDLES {
        return Err(Denied(format!("it holds more than {MAX_HANDLES} streams and pollables")).into());
    }
    guest.handles += 1;
    Ok(Handle::new_own(number))
}
