//! The commerce example over disorder, late events and bad ones: what InfluxDB, the output topic, the dead letters and the figures
//! hold in the end is what the oracle computes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{PATIENCE, Run, Site};
use crate::oracle::{self, Counts, Expected, Refused};
use crate::points::{self, Fields, PointId, Points};
use crate::topics::{self, Handmade, Message};

/// Short enough for sessions to be cut.
pub const SESSION_MAX: &str = "2h";
pub const SESSION_MAX_NANOS: i64 = 7_200_000_000_000;

/// The example; only the longest session is shorter.
pub fn site(partitions: u32) -> Site {
    let site = Site::commerce(partitions);
    let mut pipeline = site.pipeline();
    pipeline["routes"]["sessions"]["window"]["max"] = SESSION_MAX.into();
    site.write(&pipeline);
    site
}

/// Three hours and a half of event time hold many sessions and lines between them. Events come further out of order than the
/// source allows, so that it counts at each window's end which row came first.
pub fn disorder<'a>(start: &'a str, seed: &'a str) -> [&'a str; 14] {
    [
        "--start",
        start,
        "--seed",
        seed,
        "--step",
        "60ms",
        "--disorder",
        "4s",
        "--late",
        "0.01",
        "--late-by",
        "2m",
        "--malformed",
        "0.002",
    ]
}

pub fn expected(site: &Site) -> Expected {
    oracle::expect(&site.messages(), &oracle::routes::commerce(SESSION_MAX_NANOS))
}

#[test]
fn everything_that_comes_out_of_200_000_events_is_what_a_plain_program_computes() {
    let site = site(4);
    site.produce(100_000, &disorder("2026-01-01T01:30:00Z", "1"));
    write_odd_events(&site);
    site.produce(100_000, &disorder("2026-01-01T03:10:00Z", "2"));
    let expected = expected(&site);
    assert!(expected.points.len() > 10_000 && expected.sessions.len() > 4_000, "the events are too tame");

    let mut run = site.run(&[]);
    run.wait_until_committed();
    check_figures(&run, &expected);
    run.stop();
    let ended = site.run(&["--until", "end"]).wait(PATIENCE);
    assert!(ended.success(), "--until end: {ended}");

    points::assert_same(&points::of_bucket(&site.bucket), &expected.points);
    points::assert_same(&sessions(&site), &expected.sessions);
    check_dead_letters(&site, &expected);
}

/// What no generator makes: each kind of event that some route must refuse, and some must not.
pub fn write_odd_events(site: &Site) {
    let event = |rest: &str| format!(r#"{{"timestamp":"2026-01-01T03:10:00.5Z","version":"1.0",{rest}}}"#);
    let purchase =
        |user: &str, data: &str| event(&format!(r#""event_type":"purchase","user_id":"{user}","data":{{{data}}}"#));
    let values = [
        purchase("odd-1", r#""product_id":"p","amount":-5,"currency":"EUR""#),
        purchase("odd-2", r#""product_id":"p","amount":"12.5","currency":"EUR""#),
        purchase("odd-3", r#""product_id":"p","amount":12.5"#),
        purchase("odd-4", r#""product_id":7,"amount":12.5,"currency":null"#),
        purchase("odd-5", r#""product_id":"p","amount":1,"amount":2,"currency":"EUR""#),
        purchase("odd-6", r#""product_id":"\u00e9, =\"\\ \ud83d\ude00","amount":1e2,"currency":"E U,R=\\a\u20ac""#),
        event(r#""event_type":"page_view","user_id":null,"data":{"page":"/"}"#),
        event(r#""event_type":"page_view","user_id":"odd-7","data":{"page":7}"#),
        event(r#""event_type":3,"user_id":"odd-8","data":null"#),
        event(r#""user_id":"odd-9","data":[]"#),
        r#"{"timestamp":"2099-01-01T00:00:00Z","event_type":"login","user_id":"odd-10"}"#.to_owned(),
        r#"{"timestamp":"yesterday","event_type":"login","user_id":"odd-11"}"#.to_owned(),
        r#"{"timestamp":true,"event_type":"login","user_id":"odd-12"}"#.to_owned(),
        format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        String::new(),
    ];
    let headers: &[(&str, Option<&[u8]>)] = &[("tenant", Some(b"acme")), ("empty", None)];
    let mut events: Vec<Handmade<'_>> = values
        .iter()
        .map(|value| Handmade { key: "odd", value: Some(value.as_bytes()), headers, ..Handmade::default() })
        .collect();
    events.push(Handmade { key: "odd", ..Handmade::default() });
    topics::write(&site.connection(), &site.topic, &events);
}

/// In = out + rejected + late + filtered, for each route as the oracle counts it.
fn check_figures(run: &Run<'_>, expected: &Expected) {
    let status = run.status().unwrap();
    let count = |value: &Value| value.as_u64().unwrap();
    let mut found = BTreeMap::new();
    for route in status["routes"].as_array().unwrap() {
        let figures = &route["figures"];
        let counts = Counts {
            rows_in: count(&figures["rows_in"]),
            filtered: count(&figures["filtered"]),
            rejected: count(&figures["rejected"]),
            late: count(&figures["late"]),
            accepted: count(&figures["accepted"]),
        };
        assert_eq!(counts.rows_in, counts.filtered + counts.rejected + counts.late + counts.accepted);
        found.insert(route["name"].as_str().unwrap().to_owned(), counts);
    }
    let expected_counts: BTreeMap<String, Counts> =
        expected.routes.iter().map(|(name, counts)| ((*name).to_owned(), counts.clone())).collect();
    assert_eq!(found, expected_counts);
    let source = &status["sources"][0];
    assert_eq!((count(&source["invalid"]), count(&source["tombstones"])), (expected.invalid, expected.tombstones));
    let letters: u64 = status["refusals"].as_array().unwrap().iter().map(|refusal| count(&refusal["count"])).sum();
    assert_eq!(letters, expected.refused.len() as u64);
}

/// The sessions in the output topic; of one that was written twice, the last.
pub fn sessions(site: &Site) -> Points {
    let mut sessions = Points::new();
    for message in topics::read(&site.connection(), &site.analytics) {
        let mut fields: Fields = serde_json::from_slice(message.value.as_deref().unwrap()).unwrap();
        let Some(Value::String(user)) = fields.remove("user_id") else { continue };
        assert_eq!(message.key.as_deref(), Some(user.as_bytes()), "rows are keyed by their user");
        let time = points::nanoseconds(fields.remove("time").unwrap().as_str().unwrap());
        fields.retain(|_, value| !value.is_null());
        let tags = BTreeMap::from([("user_id".to_owned(), user)]);
        sessions.insert(PointId { measurement: "sessions".to_owned(), tags, time }, fields);
    }
    sessions
}

/// Each refused event lies in the dead letters once for each refusal, as it was, with headers that say where it came from.
pub fn check_dead_letters(site: &Site, expected: &Expected) {
    let originals: BTreeMap<(i32, i64), Message> =
        site.messages().into_iter().map(|message| ((message.partition, message.offset), message)).collect();
    let letters = topics::read(&site.connection(), &site.dead_letters);
    let found = refused(&letters);
    let missing: Vec<_> = expected.refused.difference(&found).take(5).collect();
    let extra: Vec<_> = found.difference(&expected.refused).take(5).collect();
    assert!(missing.is_empty() && extra.is_empty(), "dead letters: missing {missing:?}, too many {extra:?}");
    assert_eq!(letters.len(), found.len(), "a dead letter was written twice");
    for letter in &letters {
        let (partition, offset) = origin(letter);
        let original = &originals[&(partition, offset)];
        assert_eq!((&letter.key, &letter.value), (&original.key, &original.value));
        assert_eq!(letter.header("wasmill.topic"), Some(site.topic.as_str()));
        assert!(letter.header("wasmill.reason").is_some_and(|reason| !reason.is_empty()));
        let kept: Vec<_> = letter.headers.iter().filter(|(name, _)| !name.starts_with("wasmill.")).collect();
        assert_eq!(kept, original.headers.iter().collect::<Vec<_>>());
    }
}

fn origin(letter: &Message) -> (i32, i64) {
    let number = |name| letter.header(name).unwrap_or_default().parse::<i64>().unwrap();
    (number("wasmill.partition") as i32, number("wasmill.offset"))
}

/// What the dead letters of a site say was refused.
pub fn dead_letters(site: &Site) -> BTreeSet<Refused> {
    refused(&topics::read(&site.connection(), &site.dead_letters))
}

fn refused(letters: &[Message]) -> BTreeSet<Refused> {
    let text = |letter: &Message, name| letter.header(name).unwrap_or_default().to_owned();
    letters
        .iter()
        .map(|letter| {
            let (partition, offset) = origin(letter);
            Refused { partition, offset, route: text(letter, "wasmill.route"), stage: text(letter, "wasmill.stage") }
        })
        .collect()
}
