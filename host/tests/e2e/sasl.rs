//! A broker that asks who is there.

use wasmill_kafka::ConnectionConfig;
use wasmill_testkit::influx::InfluxServer;
use wasmill_testkit::kafka::{Kafka, Options, PASSWORD, USER};

use crate::support::{Points, Running, T0_MS, Topic, expect_points, influx_sink, wasmill, write_pipeline};

const WRONG: &str = "opensesame-71c3";
/// Everything that the process answers.
const PAGES: [&str; 8] = [
    "/readyz",
    "/metrics",
    "/api/v1/pipeline",
    "/api/v1/measurements",
    "/api/v1/dead-letters",
    "/api/v1/openapi.json",
    "/livez",
    "/",
];

fn pipeline(brokers: &str, topic: &str, password: &str, sink: &str) -> String {
    format!(
        r#"
[kafka]
brokers = "{brokers}"
properties = {{ "security.protocol" = "SASL_PLAINTEXT", "sasl.mechanism" = "PLAIN", "sasl.username" = "{USER}", "sasl.password" = "{password}" }}
dead_letter_prefix = "{topic}"
[sources.events]
topic = "{topic}"
time = "ts"
start = "earliest"
{sink}
[routes.counted]
from = "events"
key = ["user"]
aggregate = "builtin:count"
window = {{ tumbling = "1s" }}
to = ["charts"]
"#
    )
}

/// Neither what it answers nor what it logs holds the password.
async fn assert_silent_about(running: &Running, secrets: &[&str]) {
    for page in PAGES {
        let text = running.text(page).await;
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{page} shows a secret: {text}");
    }
    let log = running.log();
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "the log shows a secret: {log}");
}

fn events() -> impl Iterator<Item = (i32, String)> {
    let event = |i: i64| format!(r#"{{"user":"u{}","ts":{}}}"#, i % 3, T0_MS + i * 10);
    // The last one closes the windows of the others.
    (0..3_000).map(event).chain([event(1_000_000)]).map(|event| (0, event))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_lets_a_pipeline_in_and_a_wrong_one_is_said_without_being_shown() {
    let server = InfluxServer::start().await;
    let kafka = Kafka::start(Options { sasl: true, ..Options::default() });
    let mut connection = ConnectionConfig::new(kafka.address());
    for (property, value) in [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", USER),
        ("sasl.password", PASSWORD),
    ] {
        connection.properties.insert(property.into(), value.into());
    }
    let topic = Topic::create(&connection, "sasl", 1);
    // The last event, of another shape, must reach the dead letters through the same door.
    topic.write(events().chain([(0, "no json".to_owned())]));

    let sink = influx_sink(&server);
    let secrets = [PASSWORD, WRONG, server.token.as_str()];
    let refused = Running::start(&pipeline(&connection.brokers, &topic.name, WRONG, &sink)).await;
    let reason = refused.until_waiting(&["source events", "uthentication"]).await;
    assert!(reason.contains(&connection.brokers), "{reason}");
    assert!(refused.log().contains("uthentication"), "{}", refused.log());
    assert_silent_about(&refused, &secrets).await;
    let (status, log) = refused.stop().await;
    assert!(status.success(), "nothing was read, so nothing is left undone: {status} {log}");
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");

    let admitted = Running::start(&pipeline(&connection.brokers, &topic.name, PASSWORD, &sink)).await;
    admitted.until_committed("events", 3_002).await;
    let user_second = |i: i64| (format!("u{}", i % 3), i / 100);
    let mut counts = std::collections::BTreeMap::new();
    (0..3_000).for_each(|i| *counts.entry(user_second(i)).or_insert(0) += 1);
    let expected: Points = counts.into_iter().map(|(key, count): (_, i32)| (key, count.to_string())).collect();
    expect_points(&admitted, &server, ("counted", "count", "user"), &expected).await;
    let letters = crate::support::letters(&connection, &topic.name, "events");
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_silent_about(&admitted, &secrets).await;
    let (status, log) = admitted.stop().await;
    assert!(status.success(), "{log}");
}

#[test]
fn a_check_that_finds_mistakes_shows_no_secret() {
    let toml = pipeline("localhost:9092", "t", WRONG, "[sinks.charts]\ntype = \"stdout\"\nsecret = 1\n");
    // On the password's own line a value of another type, and text that is not TOML at all.
    for instead in ["\"sasl.mechanism\" = []", "\"sasl.mechanism\" == \"PLAIN\""] {
        let (_folder, file) = write_pipeline(&toml.replace("\"sasl.mechanism\" = \"PLAIN\"", instead));
        for arguments in [&["check"][..], &["check", "--explain"], &["check", "--json"], &["run"]] {
            let mut command = wasmill(&[arguments, &[file.to_str().unwrap()]].concat());
            let output = command.stdout(std::process::Stdio::piped()).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            let said =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            assert!(!said.contains(WRONG), "{arguments:?} shows a secret: {said}");
        }
    }
}
