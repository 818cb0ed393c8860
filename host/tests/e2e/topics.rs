//! Topics as they lie in Kafka, read and written without the pipeline.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::bounded;
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_kafka::consumer::{self, ConsumerConfig, Event, Start};
use wasmill_kafka::producer::{self, Producer, ProducerConfig};

use crate::harness::PATIENCE;

/// One record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Message {
    /// The text of a header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// All that lies in a topic now: by partition, in the order of offsets. Empty if there is no such topic.
pub fn read(connection: &ConnectionConfig, topic: &str) -> Vec<Message> {
    let ends = Admin::new(connection).unwrap().log_ends(topic).unwrap();
    let mut missing: usize = ends.iter().filter(|(first, end)| first < end).count();
    if missing == 0 {
        return Vec::new();
    }
    let group = wasmill_testkit::unique("reader");
    let config = ConsumerConfig {
        start: Start::Earliest,
        headers: true,
        ..ConsumerConfig::new(connection.clone(), vec![topic.to_owned()], group)
    };
    let (sender, events) = bounded(64);
    let consumer = consumer::spawn(config, Box::new(|_, _, offset, _| offset), sender).unwrap();
    let mut messages = Vec::new();
    while missing > 0 {
        let event = events.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("`{topic}` is not read to its end"));
        let Event::Records { partition, records, .. } = event else { continue };
        for record in &records.records {
            let bytes = |span| records.bytes(span).map(<[u8]>::to_vec);
            messages.push(Message {
                partition,
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                key: bytes(record.key),
                value: bytes(record.value),
                headers: records.headers(record).map(|(n, v)| (n.to_owned(), v.map(<[u8]>::to_vec))).collect(),
            });
            missing -= usize::from(record.offset + 1 == ends[partition as usize].1);
        }
    }
    consumer.stop();
    messages.sort_by_key(|message| (message.partition, message.offset));
    messages
}

/// An event to be written by hand.
#[derive(Clone, Debug, Default)]
pub struct Handmade<'a> {
    /// Says which partition it goes to, if `partition` does not.
    pub key: &'a str,
    pub partition: Option<i32>,
    /// `None`: a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    pub timestamp_ms: Option<i64>,
}

/// Writes events and waits until they are durable.
pub fn write(connection: &ConnectionConfig, topic: &str, events: &[Handmade<'_>]) {
    let producer = Producer::new(&ProducerConfig::new(connection.clone())).unwrap();
    let delivered = Arc::new(AtomicUsize::new(0));
    for event in events {
        let message = producer::Message {
            topic,
            partition: event.partition,
            key: Some(event.key.as_bytes()),
            value: event.value,
            headers: event.headers,
            timestamp_ms: event.timestamp_ms,
        };
        let delivered = Arc::clone(&delivered);
        let count = Box::new(move |result: Result<(), String>| {
            delivered.fetch_add(usize::from(result.is_ok()), Ordering::SeqCst);
        });
        producer.send(&message, count, PATIENCE).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    assert_eq!(delivered.load(Ordering::SeqCst), events.len());
}
