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

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::connection::ConnectionConfig;
use crate::error::{KafkaError, Result};

/// Bytes of record batches that a partition keeps.
pub const RETENTION_BYTES: usize = 5 << 20;

/// A broker in this process. Dropping it ends it.
pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

// The cluster runs on librdkafka's own thread; the handle only puts requests in its queue.
unsafe impl Send for Broker {}
unsafe impl Sync for Broker {}

impl Broker {
    /// # Errors
    /// No port of loopback can be had.
    pub fn start() -> Result<Self> {
        let cluster = MockCluster::new(1).map_err(|e| KafkaError::request("starting the embedded broker", e))?;
        Ok(Broker { cluster })
    }

    /// How to reach it.
    pub fn connection(&self) -> ConnectionConfig {
        ConnectionConfig::new(self.cluster.bootstrap_servers())
    }

    /// # Errors
    /// There is such a topic already, or `partitions` is 0.
    pub fn create_topic(&self, topic: &str, partitions: u32) -> Result<()> {
        self.cluster
            .create_topic(topic, partitions as i32, 1)
            .map_err(|e| KafkaError::request(format!("creating the topic `{topic}` in the embedded broker"), e))
    }
}
