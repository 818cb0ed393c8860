//! `kill -9` at any moment: in the end every point is there, and none is wrong.

use std::process::Child;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::commerce;
use crate::harness::{PATIENCE, Site, wait_for};
use crate::points;

const KILLS: u64 = 5;
const EVENTS: u64 = 200_000;
/// So that events keep coming while it is killed and started again.
const EVENTS_A_SECOND: &str = "4000";

/// Of all of a run's partitions.
pub fn handled(status: &serde_json::Value) -> u64 {
    let partitions = status["sources"][0]["partitions"].as_array().cloned().unwrap_or_default();
    partitions.iter().map(|partition| partition["events"].as_u64().unwrap_or_default()).sum()
}

pub fn finish(mut producer: Child) {
    let status = wait_for("the end of wasmill produce", PATIENCE, || producer.try_wait().unwrap());
    assert!(status.success(), "wasmill produce: {status}");
}

#[test]
fn five_kills_at_random_moments_leave_no_point_missing_and_none_wrong() {
    let site: Site = commerce::site(4);
    let mut arguments = commerce::disorder("2026-01-01T01:30:00Z", "4").to_vec();
    arguments.extend(["--rate", EVENTS_A_SECOND]);
    let producer = site.producer(EVENTS, &arguments).spawn().unwrap();
    let mut rng = Rng::with_seed(5);
    for _ in 0..KILLS {
        let mut run = site.run(&[]);
        run.wait_until("events are handled", |status| handled(status) > 0);
        // Anywhere between two checkpoints, in the middle of a replay too.
        let moment = Instant::now() + Duration::from_millis(rng.u64(0..2_500));
        wait_for("the moment to kill", PATIENCE, || (Instant::now() >= moment).then_some(()));
        run.kill();
    }
    finish(producer);
    let ended = site.run(&["--until", "end"]).wait(PATIENCE);
    assert!(ended.success(), "--until end: {ended}");

    let expected = commerce::expected(&site);
    points::assert_same(&points::of_bucket(&site.bucket), &expected.points);
    points::assert_same(&commerce::sessions(&site), &expected.sessions);
    let letters = commerce::dead_letters(&site);
    let missing: Vec<_> = expected.refused.difference(&letters).take(5).collect();
    assert!(missing.is_empty(), "{missing:?} are no dead letters");
    assert!(letters.is_subset(&expected.refused), "dead letters that should be none");
}
