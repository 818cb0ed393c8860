//! Topics: whether they are there, how many partitions they have, where their logs end.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use crate::connection::ConnectionConfig;
use crate::error::{KafkaError, Result};
use crate::log::Logging;

/// How long a broker may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What [`Admin::ensure_topic`] found or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    Created,
    /// It was there. `partitions`: how many it has, which may differ from what was asked for.
    Existed {
        partitions: u32,
    },
}

/// A client for questions about topics. Calls block, ten seconds at most.
pub struct Admin {
    client: AdminClient<Logging>,
}

impl Admin {
    /// Connects when the first question is asked.
    ///
    /// # Errors
    /// A property that librdkafka refuses.
    pub fn new(connection: &ConnectionConfig) -> Result<Self> {
        connection.validate()?;
        // A question about a topic must not create it, as librdkafka's producers (this is one of them) have it.
        let config = connection.client([("allow.auto.create.topics", "false")]);
        let client = config.create_with_context(Logging::default()).map_err(KafkaError::creation)?;
        Ok(Admin { client })
    }

    fn client(&self) -> &Client<Logging> {
        self.client.inner()
    }

    /// Creates `topic` if it is missing. `replication`: copies of each partition; `None`: as the broker is configured.
    ///
    /// # Errors
    /// No broker answers, or it refuses (too few brokers, no right to create).
    pub fn ensure_topic(&self, topic: &str, partitions: u32, replication: Option<u32>) -> Result<Ensured> {
        if let Some(partitions) = self.partitions(topic)? {
            return Ok(Ensured::Existed { partitions });
        }
        let replication = replication.map_or(-1, |copies| copies as i32);
        let new = NewTopic::new(topic, partitions as i32, TopicReplication::Fixed(replication));
        let options = AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT)).operation_timeout(Some(ANSWER_TIMEOUT));
        let action = format!("creating the topic `{topic}`");
        let answers = block_on(self.client.create_topics([&new], &options))
            .map_err(|e| KafkaError::request(action.as_str(), e))?;
        match answers.into_iter().next() {
            // Another process was faster.
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
                Ok(Ensured::Existed { partitions: self.partitions(topic)?.unwrap_or(partitions) })
            }
            Some(Err((_, code))) => Err(KafkaError::request(action, code)),
            Some(Ok(_)) | None => Ok(Ensured::Created),
        }
    }

    /// How many partitions `topic` has; `None` if there is no such topic.
    ///
    /// # Errors
    /// No broker answers, or it does not allow the question.
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>> {
        let action = || format!("asking for the partitions of `{topic}`");
        let metadata =
            self.client().fetch_metadata(Some(topic), ANSWER_TIMEOUT).map_err(|e| KafkaError::request(action(), e))?;
        let Some(topic) = metadata.topics().first() else { return Ok(None) };
        match topic.error() {
            None => Ok(Some(topic.partitions().len() as u32)),
            Some(
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            ) => Ok(None),
            Some(err) => Err(KafkaError::request(action(), RDKafkaErrorCode::from(err))),
        }
    }

    /// First offset and the one behind the last, of each partition in order; empty if there is no such topic.
    ///
    /// # Errors
    /// No broker answers.
    pub fn log_ends(&self, topic: &str) -> Result<Vec<(i64, i64)>> {
        let ends = |partition| {
            self.client()
                .fetch_watermarks(topic, partition as i32, ANSWER_TIMEOUT)
                .map_err(|e| KafkaError::request(format!("asking for the ends of {topic}/{partition}"), e))
        };
        (0..self.partitions(topic)?.unwrap_or(0)).map(ends).collect()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// librdkafka answers on a thread of its own; this one waits. The request's own timeout bounds it.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
