//! Guests that behave as their configuration says: well by default, else against one rule of the contract.

#![cfg(target_arch = "wasm32")]

#[cfg(feature = "aggregator")]
mod aggregator;
mod harm;
#[cfg(feature = "transformer")]
mod transformer;

#[cfg(feature = "wasi")]
mod wasi;

use std::sync::OnceLock;

static MODE: OnceLock<String> = OnceLock::new();

/// Keeps the configured mode of this instance: `"MODE"`, or `{"mode":"MODE"}` where a configuration must be a table.
fn set_mode(config: &str) {
    let _ = MODE.set(config.rsplit('"').nth(1).unwrap_or_default().to_owned());
}

fn mode() -> &'static str {
    MODE.get().map_or("", String::as_str)
}
