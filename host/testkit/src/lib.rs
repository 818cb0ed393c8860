//! Real services for tests: started on free ports of loopback, with their data in a temporary folder, and gone when the test is,
//! however it ends. It panics where a service cannot be had: there is no test without it.

pub mod influx;
pub mod kafka;
mod service;

pub use service::{Service, free_port, unique};
