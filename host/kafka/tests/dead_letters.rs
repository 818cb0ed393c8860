//! Dead letters on a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{PATIENCE, as_committed, config, connection};
use wasmill_core::dead_letter::{DeadLetter, Stage};
use wasmill_kafka::consumer::{ConsumerConfig, Event, spawn};
use wasmill_kafka::dead_letter::{DeadLetters, topic};

#[test]
fn a_dead_letter_is_written_as_it_was_with_what_happened_in_headers() {
    let source = wasmill_testkit::unique("orders");
    let letter = DeadLetter {
        source: source.clone(),
        topic: "shop.orders".into(),
        partition: 3,
        offset: 4711,
        timestamp_ms: 1_600_000_000_123,
        stage: Stage::Transform,
        code: "rejected",
        reason: "amount is negative: -3 €".into(),
        route: Some("revenue".into()),
        plugin: None,
        release: Some("0123456789ab".into()),
        key: Some(b"customer-1".to_vec()),
        value: Some(vec![0xff, 0x00, b'{']),
        headers: vec![
            ("tenant".into(), Some(b"acme".to_vec())),
            ("null".into(), None),
            // From an earlier life.
            ("wasmill.reason".into(), Some(b"an older one".to_vec())),
        ],
    };
    let letters = DeadLetters::new(&connection(), "wasmill").unwrap();
    let (send, delivered) = crossbeam_channel::bounded(1);
    letters.try_send(&letter, Box::new(move |result| send.send(result).unwrap())).unwrap();
    assert_eq!(delivered.recv_timeout(PATIENCE).unwrap(), Ok(()));

    let topic = topic("wasmill", &source);
    assert_eq!(topic, format!("wasmill.{source}.dead-letters"));
    let (sender, events) = crossbeam_channel::bounded(64);
    let config = ConsumerConfig { headers: true, ..config(connection(), &topic) };
    let _handle = spawn(config, as_committed(), sender).unwrap();
    let records = loop {
        if let Event::Records { records, .. } = events.recv_timeout(PATIENCE).unwrap() {
            break records;
        }
    };
    let record = &records.records[0];
    assert_eq!(record.timestamp_ms, letter.timestamp_ms);
    assert_eq!(records.bytes(record.key), letter.key.as_deref());
    assert_eq!(records.bytes(record.value), letter.value.as_deref());
    let read: Vec<_> = records.headers(record).collect();
    let text = |name, value: &'static str| (name, Some(value.as_bytes()));
    assert_eq!(
        read,
        [
            text("tenant", "acme"),
            ("null", None),
            text("wasmill.topic", "shop.orders"),
            text("wasmill.partition", "3"),
            text("wasmill.offset", "4711"),
            text("wasmill.stage", "transform"),
            text("wasmill.code", "rejected"),
            text("wasmill.route", "revenue"),
            text("wasmill.release", "0123456789ab"),
            text("wasmill.reason", "amount is negative: -3 €"),
        ]
    );
}
