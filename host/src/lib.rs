//! Wasmill: Kafka through WebAssembly plugins and event-time windows to time series.
//!
//! The binary is thin; everything it does is here, so that tests and the benchmark use the same code.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod delivery;
pub mod figures;
pub mod http;
pub mod status;
