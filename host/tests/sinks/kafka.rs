//! The Kafka sink against the embedded broker.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmill::sink::SinkConfig;
use wasmill::sink::kafka::KafkaSinkConfig;
use wasmill_core::batch::Values;
use wasmill_core::schema::{Kind, Role};
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::embedded::Broker;

use crate::rows::{part, rows, texts};
use crate::sink::{PATIENCE, Sink, until};

const START: i64 = 1_700_000_000_000_000_000;

fn config(connection: ConnectionConfig) -> SinkConfig {
    SinkConfig::Kafka(KafkaSinkConfig { connection, topic: "results".to_string(), partitions: Some(2) })
}

async fn send(sink: &Sink, version: i64) {
    let keys: Vec<String> = (0..100).map(|k| format!("k{k}")).collect();
    let parts = vec![
        texts("key", Kind::Text, Role::Tag, &keys.iter().map(String::as_str).collect::<Vec<_>>()),
        part("version", Kind::Integer, Role::Field, Values::Integers(vec![version; 100])),
    ];
    let (versions, mut target) = rows("versions", vec![START; 100], parts);
    target.key = vec![0];
    sink.send(versions, target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_keyed_messages_and_the_last_of_a_key_is_the_last_row() {
    let broker = Broker::start().unwrap();
    broker.create_topic("results", 2).unwrap();
    let sink = Sink::start(config(broker.connection()));
    for version in 0..20 {
        send(&sink, version).await;
    }
    let figures = sink.figures.clone();
    assert!(sink.finish().await.is_empty());
    assert_eq!(figures.rows.get(), 2_000);
    let connection = broker.connection();
    let last = tokio::task::spawn_blocking(move || read(connection, 2_000)).await.unwrap();
    assert_eq!(last.len(), 100);
    let expected =
        |key: &String| format!("{{\"time\":\"2023-11-14T22:13:20.000000000Z\",\"key\":\"{key}\",\"version\":19}}");
    assert!(last.iter().all(|(key, value)| *value == expected(key)), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_not_there_are_waited_for_and_said() {
    let nobody = ConnectionConfig::new("127.0.0.1:1");
    let sink = Sink::start(config(nobody));
    send(&sink, 0).await;
    until("the fault is said", || sink.figures.fault.get().is_some()).await;
    assert!(!sink.epoch.settled());
    assert!(sink.handle.drain(Duration::from_millis(100)).await.is_err());
    until("the tickets are gone", || sink.epoch.settled()).await;
    assert!(sink.epoch.failed());
}

/// The last value of each key, of so many messages.
fn read(connection: ConnectionConfig, count: usize) -> BTreeMap<String, String> {
    use wasmill_kafka::consumer::{ConsumerConfig, Event, Start, spawn};
    let (send, receive) = crossbeam_channel::bounded(1_000);
    let config = ConsumerConfig {
        start: Start::Earliest,
        ..ConsumerConfig::new(connection, vec!["results".to_string()], "reader")
    };
    let handle = spawn(config, Box::new(|_, _, offset, _| offset), send).unwrap();
    let (mut last, mut seen) = (BTreeMap::new(), 0);
    while seen < count {
        if let Event::Records { records, .. } = receive.recv_timeout(PATIENCE).unwrap() {
            for record in &records.records {
                let text = |span| String::from_utf8(records.bytes(span).unwrap().to_vec()).unwrap();
                last.insert(text(record.key), text(record.value));
                seen += 1;
            }
        }
    }
    handle.stop();
    last
}
