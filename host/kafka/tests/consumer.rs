//! The consumer against a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use common::{Member, PATIENCE, as_committed, config, connection, fill, new_topic};
use wasmill_core::batch::SLACK_BYTES;
use wasmill_core::records::ABSENT;
use wasmill_kafka::consumer::{ConsumerConfig, Event, Start, spawn};
use wasmill_kafka::producer::{Message, Producer, ProducerConfig};

#[test]
fn records_arrive_whole_and_in_order() {
    let topic = new_topic("whole", 1);
    let producer = Producer::new(&ProducerConfig::new(connection())).unwrap();
    let headers: &[(&str, Option<&[u8]>)] = &[("tenant", Some(b"acme")), ("tenant", Some(b"")), ("none", None)];
    for i in 0..1000i64 {
        let (key, value) = (format!("key-{i}"), format!("value-{i}"));
        let message = Message {
            topic: &topic,
            partition: Some(0),
            // Every third has no key, every fifth is a tombstone, every seventh has an empty value.
            key: (i % 3 != 0).then_some(key.as_bytes()),
            value: (i % 5 != 0).then_some(if i % 7 == 0 { b"" } else { value.as_bytes() }),
            headers: if i % 2 == 0 { headers } else { &[] },
            timestamp_ms: Some(1_600_000_000_000 + i),
        };
        producer.send(&message, Box::new(|result| assert_eq!(result, Ok(()))), PATIENCE).unwrap();
    }
    producer.flush(PATIENCE).unwrap();

    let (sender, events) = crossbeam_channel::bounded(64);
    let config = ConsumerConfig { headers: true, ..config(connection(), &topic) };
    let _handle = spawn(config, as_committed(), sender).unwrap();
    let mut i = 0;
    while i < 1000 {
        let Event::Records { records, .. } = events.recv_timeout(PATIENCE).unwrap() else { continue };
        let behind = records.buffer.len() - SLACK_BYTES;
        for record in &records.records {
            assert_eq!((record.offset, record.timestamp_ms), (i, 1_600_000_000_000 + i));
            let key = records.bytes(record.key);
            assert_eq!(key, (i % 3 != 0).then(|| format!("key-{i}")).as_ref().map(String::as_bytes));
            let value = if i % 7 == 0 { String::new() } else { format!("value-{i}") };
            assert_eq!(records.bytes(record.value), (i % 5 != 0).then_some(value.as_bytes()));
            let read: Vec<_> = records.headers(record).collect();
            assert_eq!(read, if i % 2 == 0 { headers } else { &[] });
            for span in [record.key, record.value].into_iter().filter(|span| *span != ABSENT) {
                assert!(span.start >= 32 && (span.start + span.len) as usize <= behind, "no room around {span:?}");
            }
            i += 1;
        }
    }
}

#[test]
fn a_restart_gets_the_commits_metadata_back_and_begins_where_resume_says() {
    let topic = new_topic("restart", 2);
    fill(&connection(), &topic, 2, "v", 20);
    let config = config(connection(), &topic);
    let mut first = Member::start(config.clone());
    first.until("all records", |m| m.count() == 20);
    let commits = [(topic.as_str(), 0, 8, "low=3"), (topic.as_str(), 1, 10, "low=10")];
    first.handle.commit(commits).unwrap();
    first.handle.stop();

    let resume = Box::new(|_: &str, _: i32, _: i64, metadata: &str| metadata[4..].parse().unwrap());
    let mut second = Member::start_with(config, resume);
    second.until("the rest", |m| m.count() == 7 && m.ends.len() == 2);
    assert_eq!(second.assigned[&0].committed, Some((8, "low=3".to_string())));
    assert_eq!((second.assigned[&0].resume_at, second.assigned[&1].resume_at), (3, 10));
    assert_eq!(second.records[&0].first().unwrap(), &(3, "v-6".to_string()));
    assert!(!second.records.contains_key(&1), "partition 1 was committed to its end");
}

#[test]
fn a_group_without_commits_starts_as_configured() {
    let topic = new_topic("start", 1);
    let producer = Producer::new(&ProducerConfig::new(connection())).unwrap();
    for i in 0..11 {
        let timestamp_ms = Some(1_600_000_000_000 + i * 1000);
        let message = Message { topic: &topic, value: Some(b"v"), timestamp_ms, ..Message::default() };
        producer.send(&message, Box::new(|result| assert_eq!(result, Ok(()))), PATIENCE).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    for (start, offset) in [
        (Start::Earliest, 0),
        (Start::Latest, 11),
        (Start::Timestamp(1_600_000_009_001), 10),
        (Start::Timestamp(1_600_000_010_001), 11),
    ] {
        let mut member = Member::start(ConsumerConfig { start, ..config(connection(), &topic) });
        member.until("the partition", |m| !m.assigned.is_empty());
        let assigned = &member.assigned[&0];
        assert_eq!((assigned.resume_at, assigned.log_start, assigned.log_end), (offset, 0, 11), "{start:?}");
    }
}

#[test]
fn after_a_seek_records_carry_its_generation_and_begin_at_its_offset() {
    let topic = new_topic("seek", 1);
    fill(&connection(), &topic, 1, "v", 5000);
    let mut member = Member::start(config(connection(), &topic));
    member.until("some records", |m| m.count() > 0);
    for offset in [4321, 0, 17] {
        member.seek(0, offset);
        let rest = 5000 - offset as usize;
        member.until("all from there", |m| m.count() == rest && m.ends.contains_key(&0));
        let expected: Vec<_> = (offset..5000).map(|o| (o, format!("v-{o}"))).collect();
        assert_eq!(member.records[&0], expected);
    }
}

#[test]
fn a_reader_that_stands_still_pauses_its_partition_and_loses_nothing() {
    let topic = new_topic("slow", 2);
    const LIMIT: usize = 256 << 10;
    const COUNT: usize = 60_000;
    let long = "x".repeat(100);
    fill(&connection(), &topic, 2, &long, COUNT);
    let config = ConsumerConfig { max_queue_bytes_per_partition: LIMIT, ..config(connection(), &topic) };
    let (sender, events) = crossbeam_channel::bounded(4);
    let handle = spawn(config, as_committed(), sender).unwrap();
    let mut next = [0; 2];
    let mut rounds = 0;
    while next[0] + next[1] < COUNT as i64 {
        // Nothing is taken until both partitions have filled up (or are nearly read), then all that there is.
        let full = || handle.partitions().iter().all(|p| p.paused);
        let deadline = std::time::Instant::now() + PATIENCE;
        let near_end = || next.iter().any(|n| *n > COUNT as i64 / 2 - 10_000);
        while !full() && !near_end() {
            assert!(std::time::Instant::now() < deadline, "never full: {:?}", handle.partitions());
            std::thread::yield_now();
        }
        for partition in handle.partitions() {
            assert!(partition.queued_bytes < LIMIT + (2 << 20), "{partition:?}");
        }
        rounds += 1;
        for event in std::iter::from_fn(|| events.recv_timeout(Duration::from_millis(200)).ok()).take(8) {
            let Event::Records { partition, records, lease, .. } = event else { continue };
            for record in &records.records {
                assert_eq!(record.offset, next[partition as usize], "partition {partition}");
                next[partition as usize] += 1;
            }
            drop(lease);
        }
    }
    assert!(rounds > 1, "{rounds} rounds: it was never full, or never filled up again");
}
