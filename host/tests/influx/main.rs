//! The InfluxDB sink against a real `influxd`, and against a server that gives the answers a real one will not give on demand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod round_trip;
mod sink;
