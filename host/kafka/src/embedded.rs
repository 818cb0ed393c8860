//! The broker that the demo carries inside itself: librdkafka's mock cluster, one broker on a port of loopback, its logs in memory.
//!
//! Real enough for a demo: real TCP, consumer groups with rebalances, commits with metadata, idempotent producers. Not real in what
//! matters for a promise: it fences no one, filters no aborted transactions, and forgets all when the process ends.
//!
//! What it keeps. A partition holds at most 5 MiB of record batches as they were sent (compressed, if they were), or 100,000
//! *batches*; when a new one comes, the oldest are dropped until that holds again, and the log's start moves up. So memory is bounded,
//! and a run may go on for ever. A consumer that is further behind than that finds its offset out of range and goes on at
//! the log's start: it has lost what was dropped, so a demo's generator must not be faster than its consumer for long. Topics are
//! created here ([`Broker::create_topic`]): it does not know the request that [`Admin::ensure_topic`](crate::admin::Admin) sends.

use std::ffi::{CStr, CString};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::types::{RDKafkaRespErr, RDKafkaType};

use crate::connection::ConnectionConfig;
use crate::error::{KafkaError, Result};
use crate::log::Logging;

/// Bytes of record batches that a partition keeps.
pub const RETENTION_BYTES: usize = 5 << 20;
/// How long a new group waits for more members before partitions are given out.
const GROUP_DELAY: Duration = Duration::from_millis(100);

/// A broker in this process. Dropping it ends it.
pub struct Broker {
    cluster: *mut sys::rd_kafka_mock_cluster_t,
    /// The cluster runs on this client's threads.
    _client: Client<Logging>,
}

// The cluster runs on threads of its own; calls put requests in its queue.
unsafe impl Send for Broker {}
unsafe impl Sync for Broker {}

impl Broker {
    /// # Errors
    /// No port of loopback can be had.
    pub fn start() -> Result<Self> {
        let config = ClientConfig::new();
        let native = config.create_native_config().map_err(KafkaError::creation)?;
        let client = Client::new(&config, native, RDKafkaType::RD_KAFKA_PRODUCER, Logging::default())
            .map_err(KafkaError::creation)?;
        let cluster = unsafe { sys::rd_kafka_mock_cluster_new(client.native_ptr(), 1) };
        if cluster.is_null() {
            return Err(KafkaError::request("starting the embedded broker", "no port of loopback can be had"));
        }
        let delay_ms = GROUP_DELAY.as_millis() as i32;
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, delay_ms) };
        Ok(Broker { cluster, _client: client })
    }

    /// How to reach it.
    pub fn connection(&self) -> ConnectionConfig {
        let addresses = unsafe { CStr::from_ptr(sys::rd_kafka_mock_cluster_bootstraps(self.cluster)) };
        ConnectionConfig::new(addresses.to_string_lossy())
    }

    /// # Errors
    /// There is such a topic already, or `partitions` is 0.
    pub fn create_topic(&self, topic: &str, partitions: u32) -> Result<()> {
        let action = || format!("creating the topic `{topic}` in the embedded broker");
        let name = CString::new(topic).map_err(|e| KafkaError::request(action(), e))?;
        let err = unsafe { sys::rd_kafka_mock_topic_create(self.cluster, name.as_ptr(), partitions as i32, 1) };
        if err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(KafkaError::request(action(), "it exists already, or has no partitions"));
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        unsafe { sys::rd_kafka_mock_cluster_destroy(self.cluster) };
    }
}
