//! Wasmill: Kafka through WebAssembly plugins and event-time windows to time series.
//!
//! The binary is thin; everything it does is here, so that tests and the benchmark use the same code.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod assemble;
pub mod changeover;
pub mod cli;
pub mod clock;
pub mod current;
pub mod dead_letters;
pub mod delivery;
pub mod exchange;
pub mod figures;
pub mod http;
pub mod lane;
pub mod mirror;
pub mod offline;
pub mod outlets;
pub mod pipeline_test;
pub mod plugin_log;
pub mod plugins;
pub mod produce;
pub mod reached;
pub mod releases;
pub mod reload;
pub mod replay;
pub mod sink;
pub mod source;
pub mod status;
pub mod supervisor;
pub mod task;
