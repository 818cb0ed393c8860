//! What the pipeline is compared with: librdkafka's consumer that does nothing with its messages, and W2 written by hand on it.

use std::collections::HashMap;
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;
use serde::Deserialize;

use crate::Result;
use crate::rounds::Sum;

/// Messages a call, as Wasmill's consumer takes them.
const BATCH: usize = 4096;
const WAIT_MS: i32 = 50;
/// How long joining the group and the first message may take.
const MAX_FIRST_WAIT: Duration = Duration::from_secs(60);
/// Calls without a message before a peer gives up.
const MAX_IDLE_CALLS: u32 = 1200;
const WINDOW_MS: i64 = 10_000;

/// The properties that Wasmill's consumer sets.
const PROPERTIES: [(&str, &str); 10] = [
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("isolation.level", "read_committed"),
    ("auto.offset.reset", "earliest"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "50"),
    ("fetch.message.max.bytes", "1048576"),
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "8192"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
];

/// Gives each of `count` messages of `topic` to `take`.
fn consume(brokers: &str, topic: &str, count: &str, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut missing: u64 = count.parse()?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", format!("bench-peer-{}", std::process::id()));
    for (name, value) in PROPERTIES {
        config.set(name, value);
    }
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[topic])?;
    // SAFETY: the consumer, and with it its handle, outlives the queue.
    let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    // `BaseConsumer` asks for rebalances as events, which a batch call drops: they are answered by polling until the first message.
    let deadline = Instant::now() + MAX_FIRST_WAIT;
    let first = loop {
        if let Some(message) = consumer.poll(MAX_FIRST_WAIT) {
            break message?.detach();
        }
        // An event that is no message ends the wait as well.
        if Instant::now() > deadline {
            return Err(format!("nothing comes from {topic}").into());
        }
    };
    take(rdkafka::Message::payload(&first).unwrap_or_default())?;
    missing -= 1;
    let mut slots = vec![ptr::null_mut::<sys::rd_kafka_message_t>(); BATCH];
    let mut idle = 0;
    while missing > 0 {
        // SAFETY: the slots are as many as said, and each message that comes is destroyed once.
        let taken = unsafe { sys::rd_kafka_consume_batch_queue(queue, WAIT_MS, slots.as_mut_ptr(), BATCH) };
        idle = if taken > 0 { 0 } else { idle + 1 };
        if idle > MAX_IDLE_CALLS {
            return Err(format!("{missing} messages of {topic} are missing").into());
        }
        for &message in &slots[..taken.max(0) as usize] {
            // SAFETY: librdkafka has just handed it over, with its payload.
            unsafe {
                if (*message).err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    missing = missing.saturating_sub(1);
                    take(std::slice::from_raw_parts((*message).payload.cast::<u8>(), (*message).len))?;
                }
                sys::rd_kafka_message_destroy(message);
            }
        }
    }
    // SAFETY: it is not used any more.
    unsafe { sys::rd_kafka_queue_destroy(queue) };
    Ok(())
}

/// Consumes and does nothing.
///
/// # Errors
/// What librdkafka says.
pub fn bare(brokers: &str, topic: &str, count: &str) -> Result<()> {
    let mut bytes = 0u64;
    consume(brokers, topic, count, |payload| {
        bytes += payload.len() as u64;
        Ok(())
    })?;
    println!("{bytes} bytes");
    Ok(())
}

#[derive(Deserialize)]
struct Ad<'a> {
    ad_id: &'a str,
    event_type: &'a str,
    event_time: i64,
}

/// W2 as one would write it: serde_json and a hash map.
///
/// # Errors
/// What librdkafka says, or a payload that is no event.
pub fn naive(brokers: &str, topic: &str, count: &str) -> Result<()> {
    let mut windows: HashMap<i64, HashMap<String, u64>> = HashMap::new();
    consume(brokers, topic, count, |payload| {
        let ad: Ad<'_> = serde_json::from_slice(payload)?;
        if ad.event_type == "view" {
            let window = windows.entry(ad.event_time - ad.event_time.rem_euclid(WINDOW_MS)).or_default();
            match window.get_mut(ad.ad_id) {
                Some(count) => *count += 1,
                None => _ = window.insert(ad.ad_id.to_owned(), 1),
            }
        }
        Ok(())
    })?;
    let mut sum = Sum::default();
    for (start, ads) in &windows {
        ads.iter().for_each(|(ad, count)| sum.add(ad, *start, *count));
    }
    println!("{sum}");
    Ok(())
}
