//! Sinks against real parts: a real `influxd`, a file of SQLite; and against a server that gives the answers that a real one will not
//! give on demand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;
mod kafka;
mod local;
mod refusals;
mod round_trip;
mod rows;
mod sink;
