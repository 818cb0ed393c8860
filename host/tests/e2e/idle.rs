//! A partition that falls quiet and wakes again.

use serde_json::Value;

use crate::commerce;
use crate::harness::{PATIENCE, Site};
use crate::points;
use crate::topics::{self, Handmade};

const PIPELINE: &str = r#"
[sources.events]
time = "timestamp"
out_of_orderness = "1s"
idle_after = "500ms"
start = "earliest"

[sinks.charts]
type = "influxdb"

[routes.by_type]
from = "events"
key = ["event_type"]
aggregate = "builtin:count"
window = { tumbling = "10s" }
to = ["charts"]
"#;

fn write(site: &Site, partition: i32, seconds: &[u32]) {
    let values: Vec<String> = seconds
        .iter()
        .map(|second| {
            let time = format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
            format!(r#"{{"timestamp":"{time}","event_type":"login"}}"#)
        })
        .collect();
    let event = |value| Handmade { partition: Some(partition), value: Some(value), ..Handmade::default() };
    let events: Vec<Handmade<'_>> = values.iter().map(|value| event(value.as_bytes())).collect();
    topics::write(&site.connection(), &site.topic, &events);
}

#[test]
fn an_event_of_a_partition_that_was_idle_is_in_a_point_or_among_the_dead_letters() {
    let site = Site::new(PIPELINE.parse().unwrap(), 2);
    site.produce(0, &[]);
    write(&site, 0, &[0, 1]);
    write(&site, 1, &[0, 100]);
    let mut run = site.run(&[]);
    let figure = |status: &Value, name: &str| status["routes"][0]["figures"][name].as_u64().unwrap_or_default();
    run.wait_until("windows close without the idle partition", |status| figure(status, "rows_out") > 0);
    write(&site, 0, &[50]);
    run.wait_until_committed();
    run.stop();
    assert!(site.run(&["--until", "end"]).wait(PATIENCE).success());

    let found = points::of_bucket(&site.bucket);
    let counted: i64 = found.values().filter_map(|fields| fields["count"].as_i64()).sum();
    let letters = commerce::dead_letters(&site).len() as i64;
    assert_eq!(counted + letters, 5, "{counted} events are in points, {letters} are dead letters: {found:?}");
}
