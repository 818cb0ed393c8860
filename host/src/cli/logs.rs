//! Logs go to standard error: for people on a terminal, as JSON otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is logged unless asked for otherwise. librdkafka's own lines are for debugging it.
const DEFAULT_FILTER: &str = "info,librdkafka=warn,rdkafka=warn,hyper=warn,reqwest=warn";

/// `filter`: as `RUST_LOG`; empty or `None` for the default. The error says what is wrong with it.
pub fn start(filter: Option<&str>) -> Result<(), String> {
    let filter = filter.filter(|filter| !filter.is_empty()).unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        format!("`{filter}` is not a log filter ({error}); write for example --log info,wasmill=debug")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.with_ansi(colours()).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    started.map_err(|error| format!("logs cannot be set up: {error}"))
}

/// Standard error shows colours: it is a terminal and nobody asked for none (`NO_COLOR`).
pub fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
