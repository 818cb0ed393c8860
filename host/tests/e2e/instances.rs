//! Several instances of one pipeline: routes whose key the topic is partitioned by are shared between them, others are refused.

use serde_json::Value;

use crate::commerce::{self, SESSION_MAX, SESSION_MAX_NANOS};
use crate::crash::{finish, handled};
use crate::harness::{PATIENCE, Run, Site};
use crate::oracle::{self, routes};
use crate::points;

const PARTITIONS: u32 = 4;
const EVENTS: u64 = 120_000;
const EVENTS_A_SECOND: &str = "3000";

/// All routes are keyed by the user, as the topic is.
fn by_user() -> Site {
    let pipeline = format!(
        r#"
        [sources.events]
        partitioned_by = ["user_id"]
        time = "timestamp"
        out_of_orderness = "3s"
        start = "earliest"

        [plugins.revenue]
        path = "plugins/revenue.wasm"

        [plugins.visit]
        path = "builtin:sessions"
        config = {{ page = "data.page" }}

        [sinks.charts]
        type = "influxdb"

        [sinks.analytics]
        type = "kafka"
        partitions = 2

        [routes.by_user]
        from = "events"
        key = ["user_id"]
        aggregate = "builtin:count"
        window = {{ tumbling = "10m" }}
        emit = {{ every = "1s" }}
        to = ["charts"]

        [routes.spent]
        from = "events"
        where = {{ event_type = ["purchase"] }}
        key = ["user_id"]
        aggregate = "revenue"
        window = {{ sliding = "30m", every = "10m" }}
        to = ["charts"]

        [routes.sessions]
        from = "events"
        key = ["user_id"]
        aggregate = "visit"
        window = {{ session = "15m", max = "{SESSION_MAX}" }}
        to = [{{ sink = "analytics", key = ["user_id"] }}]
        "#
    );
    Site::new(pipeline.parse().unwrap(), PARTITIONS)
}

fn partitions(status: &Value) -> usize {
    status["sources"][0]["partitions"].as_array().map_or(0, Vec::len)
}

fn wait_until_it_has_all(run: &mut Run<'_>) {
    run.wait_until("it has all partitions", |status| partitions(status) == PARTITIONS as usize);
}

#[test]
fn an_instance_that_joins_and_leaves_or_is_killed_changes_no_point() {
    let site = by_user();
    let mut arguments = commerce::disorder("2026-01-01T01:30:00Z", "6").to_vec();
    arguments.extend(["--rate", EVENTS_A_SECOND]);
    let producer = site.producer(EVENTS, &arguments).spawn().unwrap();

    let mut first = site.run(&[]);
    first.wait_until("events are handled", |status| handled(status) > 0);
    for killed in [false, true] {
        wait_until_it_has_all(&mut first);
        let mut second = site.run(&[]);
        second.wait_until("it has partitions and handles events", |status| handled(status) > 0);
        first.wait_until("it has let partitions go", |status| partitions(status) < PARTITIONS as usize);
        if killed { second.kill() } else { second.stop() }
    }
    wait_until_it_has_all(&mut first);
    finish(producer);
    first.wait_until_committed();
    first.stop();
    let ended = site.run(&["--until", "end"]).wait(PATIENCE);
    assert!(ended.success(), "--until end: {ended}");

    let expected = oracle::expect(&site.messages(), &routes::by_user(SESSION_MAX_NANOS));
    points::assert_same(&points::of_bucket(&site.bucket), &expected.points);
    points::assert_same(&commerce::sessions(&site), &expected.sessions);
}

#[test]
fn a_second_instance_of_routes_that_need_all_partitions_is_refused_and_the_first_goes_on() {
    let site = commerce::site(2);
    site.produce(20_000, &commerce::disorder("2026-01-01T01:30:00Z", "7"));
    let mut first = site.run(&[]);
    first.wait_until_committed();
    let mut second = site.run(&[]);
    second.wait_until("it says why it does not run", |status| {
        let fault = status["sources"][0]["fault"].as_str().unwrap_or_default();
        fault.starts_with("stopped") && fault.contains("Run one instance") && fault.contains("partitioned_by")
    });
    second.terminate();
    let ended = second.wait(PATIENCE);
    assert_eq!(ended.code(), Some(1), "an instance that was refused has failed");
    assert!(second.log().contains("`by_type`"), "the routes are named");

    site.produce(20_000, &commerce::disorder("2026-01-01T01:50:00Z", "8"));
    first.wait_until_committed();
    first.stop();
    let ended = site.run(&["--until", "end"]).wait(PATIENCE);
    assert!(ended.success(), "--until end: {ended}");
    let expected = commerce::expected(&site);
    points::assert_same(&points::of_bucket(&site.bucket), &expected.points);
    points::assert_same(&commerce::sessions(&site), &expected.sessions);
}
