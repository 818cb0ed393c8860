//! Windows against a naive model: random events, random batches, crashes, partitions.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod exchange;
mod exchanged_sessions;
mod grids;
mod model;
mod scenario;
mod sessions;
mod toy;
