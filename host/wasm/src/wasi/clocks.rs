//! Clocks: without the grant the time of day fails the call, and the monotonic clock stands still.
//!
//! Runtimes read the monotonic clock on their own account (Go's scheduler at every call), so it cannot fail. Standing still it tells
//! nothing, and what a plugin computes stays a function of its input. Nobody waits: a wait is over at once, and moves the clock that
//! stands still by its length, so that whoever waits sees that the time has come. A clock that runs is asked again and again, until
//! `limits.call` ends it.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use super::stdio::Pollable;
use super::{Denied, handle};
use crate::guest::Guest;

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

const RESOLUTION_NANOS: u32 = 1;

pub(super) fn define(link: &mut LinkerInstance<'_, Guest>, interface: &str, function: &str) -> Result<bool> {
    match (interface, function) {
        ("wasi:clocks/monotonic-clock", "now") => link.func_wrap(function, |store, (): ()| Ok((monotonic(&store),)))?,
        ("wasi:clocks/monotonic-clock", "resolution") => {
            link.func_wrap(function, |_, (): ()| Ok((u64::from(RESOLUTION_NANOS),)))?;
        }
        ("wasi:clocks/monotonic-clock", "subscribe-duration") => {
            link.func_wrap(function, |mut store: StoreContextMut<'_, Guest>, (nanos,): (u64,)| {
                let guest = store.data_mut();
                guest.waited_nanos = guest.waited_nanos.saturating_add(nanos);
                Ok((handle::<Pollable>(&mut store, 0)?,))
            })?
        }
        ("wasi:clocks/monotonic-clock", "subscribe-instant") => {
            link.func_wrap(function, |mut store: StoreContextMut<'_, Guest>, (instant,): (u64,)| {
                let guest = store.data_mut();
                guest.waited_nanos = guest.waited_nanos.max(instant);
                Ok((handle::<Pollable>(&mut store, 0)?,))
            })?
        }
        ("wasi:clocks/wall-clock", "now") => link.func_wrap(function, |store, (): ()| Ok((wall(&store)?,)))?,
        ("wasi:clocks/wall-clock", "resolution") => {
            link.func_wrap(function, |_, (): ()| Ok((Datetime { seconds: 0, nanoseconds: RESOLUTION_NANOS },)))?
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Nanoseconds since this process first asked; without the grant those that the instance has waited.
fn monotonic(store: &StoreContextMut<'_, Guest>) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    if !store.data().identity.limits.grants.clock {
        return store.data().waited_nanos;
    }
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn wall(store: &StoreContextMut<'_, Guest>) -> Result<Datetime> {
    let identity = &store.data().identity;
    if !identity.limits.grants.clock {
        let why = format!(
            "it read the time of day, which needs the grant `clock`: grants = [\"clock\"] in [plugins.{}]; the event's own time is \
             the field @time",
            identity.name
        );
        return Err(Denied(why).into());
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() })
}
