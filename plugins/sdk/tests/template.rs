//! What `plugins/template` hands to a new author compiles, and its own tests pass.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../template/aggregator.rs"]
mod aggregator;
#[path = "../../template/transformer.rs"]
mod transformer;
