//! Plugins that fail while they run: through the whole pipeline, whose other routes and sources must not notice.

use std::collections::BTreeMap;

use wasmill_kafka::ConnectionConfig;
use wasmill_testkit::influx::InfluxServer;
use wasmill_testkit::kafka::shared;
use wasmill_testkit::unique;

use crate::guests;
use crate::support::{Points, Running, T0_MS, Topic, expect_points, influx_sink, letters};

const EVENTS: usize = 40_000;
const USERS: usize = 20;
const STEP_MS: i64 = 5;
const WINDOW_S: i64 = 10;

/// Events that the transformer does not survive: what they say, and the code of their dead letters.
const BAD_TEXTS: [(usize, &str, &str); 5] = [
    (5_000, "trap", "trap"),
    (12_000, "loop", "deadline"),
    (19_000, "grow", "memory"),
    (26_000, "spoil-utf8", "invalid"),
    (33_000, "spoil-ends-long", "invalid"),
];
/// Amounts that the aggregator does not survive.
const BAD_AMOUNTS: [(usize, i64, &str); 3] = [(8_000, 13, "trap"), (22_000, 14, "deadline"), (35_000, 15, "memory")];

fn event(i: usize) -> (i32, String) {
    let user = i % USERS;
    let text = BAD_TEXTS.iter().find(|bad| bad.0 == i).map_or("view", |bad| bad.1);
    let ts = T0_MS + i as i64 * STEP_MS;
    (user as i32 % 2, format!(r#"{{"user":"u{user}","ts":{ts},"amount":{},"text":"{text}"}}"#, amount(i)))
}

fn amount(i: usize) -> i64 {
    BAD_AMOUNTS.iter().find(|bad| bad.0 == i).map_or(100 + i as i64 % 7, |bad| bad.1)
}

/// Where an event lies: the i-th event has a partition by its user, and there the offset of its turn.
fn offset(i: usize) -> String {
    let (partition, _) = event(i);
    let offset = (0..i).filter(|&before| (before % USERS) % 2 == partition as usize).count();
    format!("{partition}/{offset}")
}

fn closing_events() -> [(i32, String); 2] {
    let ts = T0_MS + 3_600_000;
    [0, 1].map(|partition| (partition, format!(r#"{{"user":"end","ts":{ts},"amount":0,"text":"view"}}"#)))
}

/// By user and window, the sum of what `value` makes of each event it takes.
fn expected(value: impl Fn(usize) -> Option<i64>) -> Points {
    let mut sums = BTreeMap::new();
    for (i, value) in (0..EVENTS).filter_map(|i| Some((i, value(i)?))) {
        let second = i as i64 * STEP_MS / 1000 / WINDOW_S * WINDOW_S;
        *sums.entry((format!("u{}", i % USERS), second)).or_insert(0) += value;
    }
    sums.into_iter().map(|(key, sum)| (key, sum.to_string())).collect()
}

/// Two plugins that fail on demand, within limits that are reached soon.
fn suspects() -> String {
    let folder = guests::folder().display();
    let limits = r#"{ call = "200ms", memory = "32 MiB" }"#;
    format!(
        r#"
[plugins.echo]
path = "{folder}/transformer.wasm"
limits = {limits}
[plugins.sum]
path = "{folder}/aggregator.wasm"
config = {{ mode = "single" }}
limits = {limits}
"#
    )
}

fn source(name: &str, topic: &Topic) -> String {
    format!(
        r#"
[sources.{name}]
topic = "{topic}"
group = "{group}"
partitioned_by = ["user"]
time = "ts"
out_of_orderness = "1s"
idle_after = "0s"
start = "earliest"
"#,
        topic = topic.name,
        group = unique("group")
    )
}

fn kafka(connection: &ConnectionConfig, prefix: &str) -> String {
    format!(
        "[kafka]\nbrokers = \"{}\"\ndead_letter_prefix = \"{prefix}\"\n[checkpoint]\ninterval = \"500ms\"\n",
        connection.brokers
    )
}

fn route(name: &str, from: &str, transform: &str, aggregate: &str) -> String {
    format!(
        r#"
[routes.{name}]
from = "{from}"
transform = [{transform}]
key = ["user"]
aggregate = "{aggregate}"
window = {{ tumbling = "{WINDOW_S}s" }}
to = ["charts"]
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_plugin_does_not_survive_is_a_dead_letter_and_every_other_row_counts() {
    let server = InfluxServer::start().await;
    let connection = ConnectionConfig::new(shared().address());
    let topic = Topic::create(&connection, "hostile", 2);
    topic.write((0..EVENTS).map(event).chain(closing_events()));
    let toml = [
        kafka(&connection, &topic.name),
        source("rows", &topic),
        source("states", &topic),
        suspects(),
        influx_sink(&server),
        route("clean", "rows", "", "builtin:count"),
        route("echoed", "rows", "\"echo\"", "builtin:count"),
        route("clean_too", "states", "", "builtin:count"),
        route("summed", "states", "", "sum"),
    ]
    .concat();
    let running = Running::start(&toml).await;
    for source in ["rows", "states"] {
        running.until_committed(source, EVENTS as i64 + 2).await;
    }
    assert_eq!(running.readiness().await, (200, vec![]), "it does its work");

    for measurement in ["clean", "clean_too"] {
        expect_points(&running, &server, (measurement, "count", "user"), &expected(|_| Some(1))).await;
    }
    let echoed = expected(|i| (!BAD_TEXTS.iter().any(|bad| bad.0 == i)).then_some(1));
    expect_points(&running, &server, ("echoed", "count", "user"), &echoed).await;
    let summed = expected(|i| (!BAD_AMOUNTS.iter().any(|bad| bad.0 == i)).then_some(amount(i)));
    expect_points(&running, &server, ("summed", "sum", "user"), &summed).await;

    // A rebuilt task may send a letter again, never another one.
    let pipeline = running.json("/api/v1/pipeline").await;
    let release = |plugin: &str| {
        let found = pipeline["plugins"].as_array().unwrap().iter().find(|p| p["name"] == plugin);
        found.unwrap()["release"].as_str().unwrap()[..12].to_owned()
    };
    let mut wanted: Vec<_> = BAD_TEXTS
        .iter()
        .map(|&(i, _, code)| (offset(i), "echoed", "transform", code, "echo", release("echo"), event(i).1))
        .chain(
            BAD_AMOUNTS
                .iter()
                .map(|&(i, _, code)| (offset(i), "summed", "aggregate", code, "sum", release("sum"), event(i).1)),
        )
        .collect();
    wanted.sort();
    let letters = ["rows", "states"].map(|source| letters(&connection, &topic.name, source)).concat();
    let mut found: Vec<_> = letters
        .iter()
        .map(|l| {
            let place = format!("{}/{}", l.says("partition"), l.says("offset"));
            let value = String::from_utf8(l.value.clone()).unwrap();
            (
                place,
                l.says("route"),
                l.says("stage"),
                l.says("code"),
                l.says("plugin"),
                l.says("release").to_owned(),
                value,
            )
        })
        .collect();
    found.sort();
    found.dedup();
    assert_eq!(found, wanted);
    assert!(letters.iter().all(|l| l.says("reason").contains(l.says("plugin"))), "{letters:?}");
    let (status, log) = running.stop().await;
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_too_often_stops_its_source_and_no_other() {
    let server = InfluxServer::start().await;
    let connection = ConnectionConfig::new(shared().address());
    let [trapping, spoiling, lying, good] =
        ["trapping", "spoiling", "lying", "good"].map(|name| Topic::create(&connection, name, 2));
    let few = |topic: &Topic, text: &str| {
        let event = |i: i64| format!(r#"{{"user":"u","ts":{},"amount":7,"text":"{text}"}}"#, T0_MS + i * 1000);
        topic.write((0..40).map(|i| (0, event(i))));
    };
    // Every row traps; every batch has ends that fall, and no single row has; every window fails to come out.
    few(&trapping, "trap");
    few(&spoiling, "spoil-ends-fall");
    few(&lying, "view");
    good.write((0..1_000).map(event));
    let folder = guests::folder().display();
    let more = format!(
        "[plugins.liar]\npath = \"{folder}/aggregator.wasm\"\nconfig = {{ mode = \"origins-range\" }}\n\
         [plugins.spoiler]\npath = \"{folder}/transformer.wasm\"\n"
    );
    let toml = [
        kafka(&connection, &good.name),
        source("trapping", &trapping),
        source("spoiling", &spoiling),
        source("lying", &lying),
        source("good", &good),
        suspects(),
        more,
        influx_sink(&server),
        route("echoed", "trapping", "\"echo\"", "builtin:count"),
        route("spoiled", "spoiling", "\"spoiler\"", "builtin:count"),
        route("lied", "lying", "", "liar"),
        route("counted", "good", "", "builtin:count"),
    ]
    .concat();
    let mut running = Running::start(&toml).await;

    for (source, plugin) in [("trapping", "echo"), ("spoiling", "spoiler"), ("lying", "liar")] {
        let more_than_ten = "more than 10 times within 60 s";
        running.until_waiting(&[&format!("source {source}"), "stopped", more_than_ten, plugin]).await;
        running.until_waiting(&[&format!("plugin {plugin}"), more_than_ten]).await;
        let described = running.json("/api/v1/pipeline").await;
        let faulty = described["plugins"].as_array().unwrap().iter().find(|p| p["name"] == plugin).unwrap();
        let fault = faulty["fault"].as_str().unwrap();
        assert!(fault.contains(&faulty["release"].as_str().unwrap()[..12]), "which release it is: {fault}");
        assert!(faulty["traps"].as_u64().unwrap() > 10, "{faulty}");
        let fault = running.source(source).await["fault"].as_str().unwrap().to_owned();
        assert!(fault.starts_with("stopped: ") && fault.contains(plugin), "whose fault it is: {fault}");
        assert_eq!(running.committed(source).await, 0, "nothing of it is lost");
    }
    // What comes later still goes through the fourth source.
    good.write((1_000..EVENTS).map(event).chain(closing_events()));
    expect_points(&running, &server, ("counted", "count", "user"), &expected(|_| Some(1))).await;
    running.until_committed("good", EVENTS as i64 + 2).await;
    assert!(running.is_alive());
    assert!(running.source("good").await["fault"].is_null());

    let (status, log) = running.stop().await;
    assert_eq!(status.code(), Some(1), "not everything was well: {log}");
    assert_eq!(log.matches("stopped: plugins failed").count(), 3, "each is said once: {log}");
}
