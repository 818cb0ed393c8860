//! The author's own figures, as `wasmill_plugin_<name>{plugin,route}`: at most 64 names a plugin. Natively they go to standard
//! error.

/// Adds to a counter.
pub fn count(name: &str, add: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::wasm::count(name, add);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("metric {name}: +{add}");
}

/// Sets a gauge.
pub fn gauge(name: &str, value: f64) {
    #[cfg(target_arch = "wasm32")]
    crate::wasm::gauge(name, value);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("metric {name}: {value}");
}
