//! End to end: the real binary between a real Kafka and a real InfluxDB. What comes out is held against what [`oracle`] computes
//! from the very records that lie in the topic.
//!
//! A scenario has topics, a group and a bucket of its own, so that all run beside each other on the same services. See
//! [`harness`] for how to write one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commerce;
mod crash;
mod demo;
#[path = "../browser/driver.rs"]
mod driver;
mod guests;
mod harness;
mod hostile;
mod idle;
mod instances;
mod malformed;
mod oracle;
mod outage;
mod points;
mod refused;
mod reload;
mod replay;
mod sasl;
mod sessions;
mod stopping;
mod support;
mod topics;
