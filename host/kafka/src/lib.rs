//! Kafka, and the only user of librdkafka: a consumer that hands over buffers, a producer, topics, dead letters, and the broker
//! that the demo carries inside itself. Plain threads; nothing here needs an async runtime.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod admin;
pub mod connection;
pub mod consumer;
pub mod dead_letter;
pub mod embedded;
mod error;
mod log;
pub mod producer;

pub use connection::ConnectionConfig;
pub use error::KafkaError;
