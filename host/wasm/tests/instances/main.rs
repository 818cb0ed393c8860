//! Real guests, in their own wasm, that keep or break each rule of the contract.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod aggregating;
mod cached;
mod compiling;
mod crossing;
mod guests;
mod limiting;
mod loading;
mod transforming;
mod wasi;
