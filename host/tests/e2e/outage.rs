//! InfluxDB and Kafka go away and come back; one point among thousands is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wasmill_kafka::ConnectionConfig;
use wasmill_testkit::influx::InfluxServer;
use wasmill_testkit::kafka::{Kafka, Options, shared};
use wasmill_testkit::unique;

use crate::support::{Points, Running, T0_MS, Topic, expect_points, influx_sink, letters, points, until};

const PARTITIONS: u32 = 2;
const USERS: usize = 20;
/// Events a tick of the flow, and how often it ticks.
const EVENTS_PER_TICK: usize = 50;
const TICK: Duration = Duration::from_millis(100);
/// Event time from one event to the next: the flow's own pace.
const STEP_MS: i64 = 2;
/// How long InfluxDB stays away, in ticks of the flow.
const OUTAGE_TICKS: usize = 200;

/// Counts by user, partition by partition, and a sum of all, across partitions.
fn pipeline(brokers: &str, topic: &str, sink: &str) -> String {
    format!(
        r#"
[kafka]
brokers = "{brokers}"
dead_letter_prefix = "{topic}"
[checkpoint]
interval = "500ms"
[sources.events]
topic = "{topic}"
group = "{topic}"
partitioned_by = ["user"]
time = "ts"
out_of_orderness = "1s"
idle_after = "0s"
start = "earliest"
{sink}
[plugins.total]
path = "builtin:stats"
config = {{ field = "value", outputs = ["sum"] }}
[routes.per_user]
from = "events"
key = ["user"]
aggregate = "builtin:count"
window = {{ tumbling = "1s" }}
to = ["charts"]
[routes.all]
from = "events"
aggregate = "total"
window = {{ tumbling = "1s" }}
to = ["charts"]
"#
    )
}

fn event(i: usize) -> (i32, String) {
    let (user, ts) = (i % USERS, T0_MS + i as i64 * STEP_MS);
    ((user as u32 % PARTITIONS) as i32, format!(r#"{{"user":"u{user}","ts":{ts},"value":{}}}"#, i % 1000))
}

/// Far behind all others: closes their windows, and stays in one that is not closed.
fn closing_events() -> impl Iterator<Item = (i32, String)> {
    let ts = T0_MS + 3_600_000;
    (0..PARTITIONS as i32).map(move |partition| (partition, format!(r#"{{"user":"end","ts":{ts},"value":0}}"#)))
}

/// What a dozen straightforward lines make of `count` events.
fn expected(count: usize) -> (Points, Points) {
    let (mut per_user, mut all) = (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
    for i in 0..count {
        let second = i as i64 * STEP_MS / 1000;
        *per_user.entry((format!("u{}", i % USERS), second)).or_insert(0u64) += 1;
        *all.entry((String::new(), second)).or_insert(0u64) += (i % 1000) as u64;
    }
    let as_text = |points: std::collections::BTreeMap<_, u64>| points.into_iter().map(|(k, v)| (k, v.to_string()));
    (as_text(per_user).collect(), as_text(all).collect())
}

async fn expect_all(running: &Running, server: &InfluxServer, count: usize) {
    let (per_user, all) = expected(count);
    expect_points(running, server, ("per_user", "count", "user"), &per_user).await;
    expect_points(running, server, ("all", "sum", ""), &all).await;
}

/// Writes at a steady pace. `written` counts events.
fn flow(topic: &Arc<Topic>, ticks: usize, written: &Arc<AtomicUsize>) -> std::thread::JoinHandle<()> {
    let (topic, written) = (Arc::clone(topic), Arc::clone(written));
    std::thread::spawn(move || {
        for _ in 0..ticks {
            let first = written.load(Ordering::SeqCst);
            topic.write((first..first + EVENTS_PER_TICK).map(event));
            written.store(first + EVENTS_PER_TICK, Ordering::SeqCst);
            std::thread::sleep(TICK);
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn influxdb_gone_for_twenty_seconds_while_events_flow_costs_no_point() {
    let mut server = InfluxServer::start().await;
    let connection = ConnectionConfig::new(shared().address());
    let topic = Arc::new(Topic::create(&connection, "influx-outage", PARTITIONS));
    let running = Running::start(&pipeline(&connection.brokers, &topic.name, &influx_sink(&server))).await;
    running.until_ready().await;

    let written = Arc::new(AtomicUsize::new(0));
    let producing = flow(&topic, OUTAGE_TICKS + 60, &written);
    until("points are written", || async { (running.committed("events").await > 500).then_some(()) }).await;

    server.kill();
    let stopped_at = written.load(Ordering::SeqCst);
    running.until_waiting(&["sink charts", "refused"]).await;
    let committed = running.committed("events").await;
    let enough = stopped_at + OUTAGE_TICKS * EVENTS_PER_TICK;
    until("20 s of events flowed", || async { (written.load(Ordering::SeqCst) >= enough).then_some(()) }).await;
    assert_eq!(running.readiness().await.0, 503);
    assert_eq!(running.committed("events").await, committed, "nothing is committed that was not written");

    server.restart().await;
    running.until_ready().await;
    producing.join().unwrap();
    let count = written.load(Ordering::SeqCst);
    topic.write(closing_events());
    expect_all(&running, &server, count).await;
    running.until_committed("events", (count + PARTITIONS as usize) as i64).await;
    assert!(running.refusals().await.is_empty(), "{:?}", running.refusals().await);

    let (status, log) = running.stop().await;
    assert!(status.success(), "{log}");
    assert_eq!(log.matches("writing again").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_is_waited_for_and_said_once() {
    let server = InfluxServer::start().await;
    let mut kafka = Kafka::start(Options::default());
    let connection = ConnectionConfig::new(kafka.address());
    let topic = Topic::create(&connection, "broker-outage", PARTITIONS);
    topic.write((0..2_000).map(event));
    let running = Running::start(&pipeline(&connection.brokers, &topic.name, &influx_sink(&server))).await;
    running.until_committed("events", 2_000).await;

    kafka.kill();
    running.until_waiting(&["source events", "broker cannot be reached"]).await;
    kafka.restart();
    running.until_ready().await;
    topic.write((2_000..4_000).map(event));
    topic.write(closing_events());
    expect_all(&running, &server, 4_000).await;
    running.until_committed("events", 4_000 + i64::from(PARTITIONS)).await;

    let (status, log) = running.stop().await;
    assert!(status.success(), "{log}");
    // Once each change; a broker that starts may refuse a connection after it took one.
    let (lost, found) =
        (log.matches("the broker cannot be reached").count(), log.matches("the broker is reachable").count());
    assert!((1..=3).contains(&lost) && found == lost + 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_absent_at_the_start_are_waited_for() {
    let mut server = InfluxServer::start().await;
    let mut kafka = Kafka::start(Options::default());
    let connection = ConnectionConfig::new(kafka.address());
    let topic = Topic::create(&connection, "late-services", PARTITIONS);
    topic.write((0..2_000).map(event).chain(closing_events()));
    server.kill();
    kafka.stop();
    let running = Running::start(&pipeline(&connection.brokers, &topic.name, &influx_sink(&server))).await;
    running.until_waiting(&["source events", "broker cannot be reached"]).await;
    running.until_waiting(&["sink charts", "refused"]).await;
    kafka.restart();
    server.restart().await;
    running.until_ready().await;
    expect_all(&running, &server, 2_000).await;
    let (status, log) = running.stop().await;
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_influxdb_cannot_hold_are_dead_letters_and_the_rest_is_written() {
    let server = InfluxServer::start().await;
    // From now on the field is an integer in this bucket.
    let line = format!("raw note=1i {}", T0_MS * 1_000_000);
    let url = format!("{}/api/v2/write?org={}&bucket={}", server.url(), server.org, server.bucket);
    let request = reqwest::Client::new().post(url).header("Authorization", format!("Token {}", server.token));
    request.body(line).send().await.unwrap().error_for_status().unwrap();

    let connection = ConnectionConfig::new(shared().address());
    let topic = Topic::create(&connection, "bad-points", 1);
    let (conflicting, unholdable) = (1_234, 3_777);
    topic.write((0..5_000).map(|i| {
        let note = if i == conflicting { r#","note":"no integer""# } else { "" };
        let id = if i == unholdable { r"ends with a backslash\\".to_owned() } else { format!("id {i}") };
        (0, format!(r#"{{"id":"{id}","ts":{},"value":{i}{note}}}"#, T0_MS + i * 1000))
    }));
    let toml = format!(
        r#"
[kafka]
brokers = "{}"
dead_letter_prefix = "{topic}"
[sources.events]
topic = "{topic}"
group = "{group}"
time = "ts"
start = "earliest"
{sink}
[routes.raw]
from = "events"
to = [{{ sink = "charts", tags = ["id"], fields = ["value", "note"] }}]
"#,
        connection.brokers,
        topic = topic.name,
        group = unique("group"),
        sink = influx_sink(&server)
    );
    let running = Running::start(&toml).await;
    running.until_committed("events", 5_000).await;

    let written = points(&server, "raw", "value", "id").await;
    let good = (0..5_000).filter(|i| ![conflicting, unholdable].contains(i));
    assert_eq!(written.len(), 4_998);
    assert!(good.into_iter().all(|i| written.contains_key(&(format!("id {i}"), i))));
    let mut refused = letters(&connection, &topic.name, "events");
    refused.sort_by_key(|letter| letter.says("code").to_owned());
    let codes: Vec<_> = refused.iter().map(|l| (l.says("stage"), l.says("code"), l.says("route"))).collect();
    assert_eq!(codes, [("sink", "refused", "raw"), ("sink", "unrepresentable", "raw")]);
    assert!(refused[0].says("reason").contains("field type conflict"), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused[0].value).starts_with(r"raw,id=id\ 1234 "), "{refused:?}");
    assert!(refused[1].says("reason").contains("backslash"), "{refused:?}");
    assert_eq!(running.readiness().await, (200, vec![]));
    let (status, log) = running.stop().await;
    assert!(status.success(), "{log}");
}
