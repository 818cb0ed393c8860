//! Brokers that go away, and brokers that let nobody in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Member, config, fill};
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::{Admin, Ensured};
use wasmill_testkit::kafka::{Kafka, Options, PASSWORD, USER};

#[test]
fn a_broker_that_was_killed_is_missed_once_and_found_again() {
    let mut kafka = Kafka::start(Options::default());
    let connection = ConnectionConfig::new(kafka.address());
    Admin::new(&connection).unwrap().ensure_topic("events", 2, None).unwrap();
    fill(&connection, "events", 2, "before", 100);
    let mut member = Member::start(config(connection.clone(), "events"));
    member.until("the first records", |m| m.count() == 100);
    assert_eq!(member.reachable.len(), 1, "{:?}", member.reachable);
    assert!(member.reachable[0].0);

    kafka.kill();
    member.until("word of the broker", |m| m.reachable.len() == 2);
    assert!(!member.reachable[1].0 && member.reachable[1].1.contains("127.0.0.1"), "{:?}", member.reachable);
    assert!(member.handle.commit([("events", 0, 50, "")]).is_err(), "nobody is there to commit to");

    kafka.restart();
    fill(&connection, "events", 2, "after", 100);
    member.until("the records after", |m| m.count() == 200);
    let changes: Vec<_> = member.reachable.iter().map(|r| r.0).collect();
    assert_eq!(changes, [true, false, true], "{:?}", member.reachable);
    for (partition, records) in &member.records {
        let offsets: Vec<_> = records.iter().map(|r| r.0).collect();
        assert_eq!(offsets, (0..100).collect::<Vec<_>>(), "partition {partition}");
    }
    member.handle.commit([("events", 0, 100, "")]).unwrap();
}

fn login(kafka: &Kafka, password: &str) -> ConnectionConfig {
    let mut connection = ConnectionConfig::new(kafka.address());
    for (property, value) in [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", USER),
        ("sasl.password", password),
    ] {
        connection.properties.insert(property.into(), value.into());
    }
    connection
}

#[test]
fn sasl_plain_lets_in_who_knows_the_password_and_says_why_another_is_not() {
    let kafka = Kafka::start(Options { sasl: true, ..Options::default() });
    let right = login(&kafka, PASSWORD);
    let admin = Admin::new(&right).unwrap();
    assert_eq!(admin.ensure_topic("events", 3, None).unwrap(), Ensured::Created);
    assert_eq!(admin.ensure_topic("events", 5, None).unwrap(), Ensured::Existed { partitions: 3 });
    fill(&right, "events", 3, "v", 10);
    assert_eq!(admin.log_ends("events").unwrap(), [(0, 4), (0, 3), (0, 3)]);
    let mut member = Member::start(config(right, "events"));
    member.until("the records", |m| m.count() == 10);

    let mut stranger = Member::start(config(login(&kafka, "12345"), "events"));
    stranger.until("the refusal", |m| !m.reachable.is_empty());
    let (reachable, reason) = &stranger.reachable[0];
    assert!(!reachable && reason.contains("uthentication failed"), "{reason}");
    assert!(!reason.contains("12345"));
}
