//! Sessions of a key that is spread over partitions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::commerce;
use crate::crash::{finish, handled};
use crate::harness::{PATIENCE, Site};
use crate::points::{self, Fields, PointId, Points};

const EVENTS: u64 = 60_000;
/// So that events keep coming while it is killed and started again.
const EVENTS_A_SECOND: &str = "4000";

const SECOND: i64 = 1_000_000_000;
const OUT_OF_ORDERNESS: i64 = 3 * SECOND;
const LATENESS: i64 = 10 * SECOND;
const GAP: i64 = 120 * SECOND;
const MAX: i64 = 600 * SECOND;

/// The topic is keyed by user. Some products are bought every few seconds, so that their sessions are cut; others hardly ever.
const PIPELINE: &str = r#"
[sources.events]
partitioned_by = ["user_id"]
time = "timestamp"
out_of_orderness = "3s"
start = "earliest"

[sinks.charts]
type = "influxdb"

[routes.bought]
from = "events"
where = { event_type = ["purchase"] }
key = ["data.product_id"]
aggregate = "builtin:count"
window = { session = "2m", max = "10m" }
lateness = "10s"
to = ["charts"]
"#;

/// How many purchases each session has, and which events are late: the plain way, from what lies in the topic.
fn expected(site: &Site) -> (Points, BTreeSet<(i32, i64)>) {
    let (mut late, mut latest) = (BTreeSet::new(), BTreeMap::<i32, i64>::new());
    let mut bought: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for message in site.messages() {
        let event: Value = serde_json::from_slice(message.value.as_deref().unwrap()).unwrap();
        let time = points::nanoseconds(event["timestamp"].as_str().unwrap());
        let latest = latest.entry(message.partition).or_insert(i64::MIN / 2);
        let watermark = *latest - OUT_OF_ORDERNESS;
        *latest = time.max(*latest);
        if event["event_type"] != "purchase" {
            continue;
        }
        if time + LATENESS <= watermark {
            late.insert((message.partition, message.offset));
        } else {
            bought.entry(event["data"]["product_id"].as_str().unwrap().to_owned()).or_default().push(time);
        }
    }
    let mut points = Points::new();
    for (product, mut times) in bought {
        times.sort_unstable();
        let mut sessions: Vec<Vec<i64>> = Vec::new();
        for time in times {
            let line = time - time % (MAX / 2);
            match sessions.last_mut() {
                Some(session)
                    if time - session[session.len() - 1] < GAP
                        && (session[0] >= line || session[0] >= line - MAX / 2 + GAP) =>
                {
                    session.push(time);
                }
                _ => sessions.push(vec![time]),
            }
        }
        for session in sessions {
            let tags = BTreeMap::from([("product_id".to_owned(), product.clone())]);
            let id = PointId { measurement: "bought".to_owned(), tags, time: session[0] };
            points.insert(id, Fields::from([("count".to_owned(), session.len().into())]));
        }
    }
    (points, late)
}

#[test]
fn sessions_over_all_partitions_are_whole_after_kills_in_the_middle_of_them() {
    let site = Site::new(PIPELINE.parse().unwrap(), 3);
    let disorder = ["--start", "2026-01-01T01:30:00Z", "--seed", "11", "--step", "120ms", "--disorder", "8s"];
    let mut arguments = disorder.to_vec();
    arguments.extend(["--late", "0.01", "--late-by", "2m", "--rate", EVENTS_A_SECOND]);
    let producer = site.producer(EVENTS, &arguments).spawn().unwrap();
    let figure = |status: &Value, name: &str| status["routes"][0]["figures"][name].as_u64().unwrap_or_default();
    for _ in 0..2 {
        let mut run = site.run(&[]);
        run.wait_until("sessions end and are committed", |status| {
            figure(status, "rows_out") > 0 && handled(status) > 0 && status["sources"][0]["commits"] != 0
        });
        run.kill();
    }
    finish(producer);
    let mut run = site.run(&[]);
    run.wait_until_committed();
    let (_, metrics) = run.get("/metrics").unwrap();
    let lost = metrics.lines().find(|line| line.starts_with("wasmill_route_lost_states_total")).unwrap();
    assert!(lost.ends_with(" 0.0"), "{lost}");
    run.stop();
    let ended = site.run(&["--until", "end"]).wait(PATIENCE);
    assert!(ended.success(), "--until end: {ended}");

    let (expected, late) = expected(&site);
    assert!(expected.len() > 1_000 && late.len() > 10, "the events are too tame");
    points::assert_same(&points::of_bucket(&site.bucket), &expected);
    let letters: BTreeSet<_> =
        commerce::dead_letters(&site).iter().map(|letter| (letter.partition, letter.offset)).collect();
    assert_eq!(letters, late);
}
