//! What is no event: each becomes a dead letter with its reason, is counted, and the partition goes on.

use std::collections::BTreeMap;

use wasmill_kafka::ConnectionConfig;
use wasmill_testkit::influx::InfluxServer;
use wasmill_testkit::kafka::shared;
use wasmill_testkit::unique;

use crate::support::{Letter, Points, Running, T0_MS, Topic, expect_points, influx_sink, letters};

/// Beyond what the decoder takes.
const TOO_LARGE_BYTES: usize = (16 << 20) + 1;

/// One payload that is no event, and what its letter says.
struct Bad {
    payload: Vec<u8>,
    stage: &'static str,
    code: &'static str,
    reason: &'static str,
}

fn bad_payloads() -> Vec<Bad> {
    let bad = |payload: &[u8], stage, code, reason| Bad { payload: payload.to_vec(), stage, code, reason };
    let event = |rest: &str| format!(r#"{{"user":"u","ts":{T0_MS},{rest}}}"#).into_bytes();
    let deep = event(&format!(r#""value":1,"more":{}1{}"#, "[".repeat(100_000), "]".repeat(100_000)));
    let mut huge = event(r#""value":1"#);
    huge.resize(TOO_LARGE_BYTES, b' ');
    vec![
        bad(&event(r#""value":1"#)[..20], "decode", "malformed", ""),
        bad(b"{\"user\":\"\xff\xfe\"}", "decode", "not-utf8", "byte 10"),
        bad(b"[1,2,3]", "decode", "not-object", "array [1,2,3]"),
        bad(b"", "decode", "malformed", ""),
        bad(&deep, "decode", "too-deep", "127"),
        bad(&huge, "decode", "too-large", "16777217"),
        bad(&event(r#""value":"twelve""#), "aggregate", "type", "`value`"),
        bad(&event(r#""other":1"#), "aggregate", "missing", "`value`"),
        bad(&event(r#""value":null"#), "aggregate", "missing", "`value`"),
        bad(br#"{"user":"u","ts":"yesterday","value":1}"#, "time", "type", "`ts`"),
        bad(br#"{"user":"u","value":1}"#, "time", "missing", "`ts`"),
        bad(br#"{"user":"u","ts":"2099-01-01T00:00:00Z","value":1}"#, "time", "future", "2099"),
    ]
}

fn pipeline(connection: &ConnectionConfig, topic: &str, sink: &str) -> String {
    format!(
        r#"
[kafka]
brokers = "{}"
dead_letter_prefix = "{topic}"
[sources.events]
topic = "{topic}"
group = "{}"
time = "ts"
out_of_orderness = "1s"
idle_after = "0s"
start = "earliest"
{sink}
[plugins.total]
path = "builtin:stats"
config = {{ field = "value", outputs = ["sum"] }}
[routes.summed]
from = "events"
key = ["user"]
aggregate = "total"
window = {{ tumbling = "1s" }}
to = ["charts"]
"#,
        connection.brokers,
        unique("group")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_a_dead_letter_with_its_reason_and_the_partition_goes_on() {
    let server = InfluxServer::start().await;
    let mut connection = ConnectionConfig::new(shared().address());
    let plain = connection.clone();
    connection.properties.insert("message.max.bytes".into(), "20000000".into());
    let topic = Topic::create(&connection, "malformed", 1);
    let bad = bad_payloads();
    // A good event before each of them, so that bad ones stand in the middle of batches; then one that closes the windows.
    let good = |i: usize| format!(r#"{{"user":"u{}","ts":{},"value":1}}"#, i % 2, T0_MS + i as i64).into_bytes();
    let mixed = bad.iter().enumerate().flat_map(|(i, bad)| [good(i), bad.payload.clone()]);
    let closing = format!(r#"{{"user":"end","ts":{},"value":1}}"#, T0_MS + 60_000).into_bytes();
    topic.write(mixed.chain([closing]).map(|value| (0, value)));

    let running = Running::start(&pipeline(&plain, &topic.name, &influx_sink(&server))).await;
    running.until_committed("events", 2 * bad.len() as i64 + 1).await;
    let half = (bad.len() / 2).to_string();
    let expected: Points = ["u0", "u1"].map(|user| ((user.to_owned(), 0), half.clone())).into();
    expect_points(&running, &server, ("summed", "sum", "user"), &expected).await;

    let mut letters = letters(&connection, &topic.name, "events");
    letters.sort_by_key(|letter: &Letter| letter.says("offset").parse::<i64>().unwrap());
    assert_eq!(letters.len(), bad.len());
    let mut counted = BTreeMap::new();
    for (i, (bad, letter)) in bad.iter().zip(&letters).enumerate() {
        let says = (letter.says("topic"), letter.says("offset"), letter.says("stage"), letter.says("code"));
        let offset = (2 * i + 1).to_string();
        assert_eq!(says, (&*topic.name, &*offset, bad.stage, bad.code), "{:?}", letter.says);
        assert!(letter.says("reason").contains(bad.reason), "{:?}", letter.says);
        assert!(!letter.says("reason").is_empty());
        // What does not fit into a message is cut, and the letter says so; the event itself still lies where it lay.
        let whole = bad.payload.len() < 1_000_000;
        assert!(
            if whole { letter.value == bad.payload } else { bad.payload.starts_with(&letter.value) },
            "{:?}",
            letter.says
        );
        let length = bad.payload.len().to_string();
        assert_eq!(letter.says("value-bytes"), if whole { "" } else { &length });
        let route = if bad.stage == "aggregate" { "summed " } else { "" };
        *counted.entry(format!("{route}{} {}", bad.stage, bad.code)).or_insert(0) += 1;
    }
    assert_eq!(running.refusals().await, counted);
    let (status, log) = running.stop().await;
    assert!(status.success(), "{log}");
}
