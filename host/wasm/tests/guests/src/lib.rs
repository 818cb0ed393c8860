//! Guests that behave as their configuration (a JSON string) says: well by default, else against one rule of the contract.

#![cfg(target_arch = "wasm32")]

#[cfg(feature = "aggregator")]
mod aggregator;
mod harm;
#[cfg(feature = "transformer")]
mod transformer;

use std::sync::OnceLock;

static MODE: OnceLock<String> = OnceLock::new();

/// Keeps the configured mode of this instance.
fn set_mode(config: &str) {
    let _ = MODE.set(config.trim_matches('"').to_owned());
}

fn mode() -> &'static str {
    MODE.get().map_or("", String::as_str)
}
