//! The embedded broker does what its module says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Member, config, fill};
use wasmill_kafka::admin::Admin;
use wasmill_kafka::consumer::ConsumerConfig;
use wasmill_kafka::embedded::{Broker, RETENTION_BYTES};
use wasmill_kafka::producer::{Message, Producer, ProducerConfig};

#[test]
fn records_and_commits_with_metadata_survive_a_member_but_not_the_broker() {
    let broker = Broker::start().unwrap();
    broker.create_topic("events", 4).unwrap();
    let connection = broker.connection();
    assert_eq!(Admin::new(&connection).unwrap().partitions("events").unwrap(), Some(4));
    fill(&connection, "events", 4, "v", 4000);
    let config = ConsumerConfig { ..config(connection, "events") };
    let mut first = Member::start(config.clone());
    first.until("all records", |m| m.count() == 4000 && m.ends.len() == 4);
    let commits = (0..4).map(|partition| ("events", partition, 990, "low=500"));
    first.handle.commit(commits).unwrap();
    first.handle.stop();
    let mut second = Member::start(config);
    second.until("the rest", |m| m.count() == 40);
    assert_eq!(second.assigned[&2].committed, Some((990, "low=500".to_string())));
}

#[test]
fn at_its_cap_a_partition_drops_its_oldest_and_a_consumer_too_far_behind_goes_on_at_its_start() {
    let broker = Broker::start().unwrap();
    broker.create_topic("events", 1).unwrap();
    let connection = broker.connection();
    fill(&connection, "events", 1, "v", 100);
    // It stands at offset 100 while the broker drops what comes there.
    let mut behind =
        Member::start(ConsumerConfig { max_queue_bytes_per_partition: 1, ..config(connection.clone(), "events") });
    behind.until("the first", |m| m.count() == 100);

    let producer_config = ProducerConfig { compression: "none", ..ProducerConfig::new(connection.clone()) };
    let producer = Producer::new(&producer_config).unwrap();
    let value = vec![b'x'; 1000];
    const COUNT: usize = 20_000;
    for _ in 0..COUNT {
        let message = Message { topic: "events", value: Some(&value), ..Message::default() };
        producer.send(&message, Box::new(|result| assert_eq!(result, Ok(()))), common::PATIENCE).unwrap();
    }
    producer.flush(common::PATIENCE).unwrap();
    let (start, end) = Admin::new(&connection).unwrap().log_ends("events").unwrap()[0];
    assert_eq!(end, 100 + COUNT as i64);
    let kept = (end - start) as usize * value.len();
    assert!((RETENTION_BYTES / 2..=RETENTION_BYTES).contains(&kept), "{kept} bytes kept");

    behind.until("the end", |m| m.ends.get(&0) == Some(&end));
    let offsets: Vec<_> = behind.records[&0].iter().map(|r| r.0).collect();
    assert!(offsets.windows(2).all(|w| w[0] < w[1]), "in order, without repeats");
    assert!((start..end).all(|offset| offsets.binary_search(&offset).is_ok()), "all that was kept was read");
}
