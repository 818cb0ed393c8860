//! The only user of wasmtime: plugin files become [`Release`]s, releases with a configuration become [`Plugin`]s, and plugins make
//! the instances that the data path calls through [`wasmill_core::plugin`].
//!
//! Guests are hostile. Before a file runs, its imports and exports are compared with the contract ([`LoadError`]); each call has a
//! bound on time, memory and output ([`Limits`]); all that a guest returns is checked before it becomes a core type.
//! Whatever goes wrong is a [`CallError`](wasmill_core::plugin::CallError) that names the plugin, the function and the rule.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod aggregator;
mod author;
mod budget;
mod cache;
mod compile;
mod contract;
mod cut;
mod descriptor;
mod engine;
mod error;
mod failure;
mod guest;
mod instance;
mod lift;
mod limits;
mod log;
mod lower;
mod plugin;
mod release;
mod strings;
mod transformer;
mod v0_1;
mod wasi;

pub use author::describe;
pub use budget::{MAX_CODE_BYTES, MAX_FUNCTION_BYTES, MAX_FUNCTIONS};
pub use compile::MAX_COMPILE_TIME;
pub use contract::{CONTRACT_VERSION, World};
pub use cut::{MAX_BATCH_BYTES, MAX_BATCH_ROWS};
pub use engine::{Engine, Settings, TICK};
pub use error::LoadError;
pub use lift::MAX_ROWS_OUT;
pub use limits::Limits;
pub use log::{Level, MAX_LINES_PER_SECOND, MAX_METRIC_NAMES, NoLog, PluginLog};
pub use plugin::{Plugin, StateVersions};
pub use release::{MAX_FILE_BYTES, Release};
pub use wasi::{Grants, Need};
