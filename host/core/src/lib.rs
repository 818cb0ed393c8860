//! The pure core of Wasmill: what data is, what time means, how windows close. No sockets, no threads, no WebAssembly.
//!
//! Modules import downward only: `time` and `schema` know nothing of the others, `window` knows nothing of Kafka or of wasm.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod base64;
pub mod batch;
pub mod checkpoint;
pub mod config;
pub mod dead_letter;
pub mod decode_spec;
pub mod line_protocol;
mod members;
pub mod path;
pub mod plan;
pub mod planner;
pub mod plugin;
pub mod point;
pub mod records;
pub mod row_json;
pub mod rows;
pub mod schema;
pub mod time;
pub mod watermark;
pub mod window;
