//! How a run ends: SIGTERM, and the end of a bounded one.

use crate::commerce;
use crate::harness::{PATIENCE, Site};

#[test]
fn sigterm_in_the_middle_of_work_commits_what_was_read_and_the_next_run_goes_on_from_there() {
    let site: Site = commerce::site(2);
    site.produce(150_000, &commerce::disorder("2026-01-01T01:30:00Z", "3"));
    let mut run = site.run(&[]);
    let total = |status: &serde_json::Value| -> u64 {
        let partitions = status["sources"][0]["partitions"].as_array().cloned().unwrap_or_default();
        partitions.iter().map(|p| p["events"].as_u64().unwrap()).sum()
    };
    run.wait_until("some events were handled", |status| total(status) > 0);
    run.stop();
    let ended = site.run(&["--until", "end"]).wait(PATIENCE);
    assert!(ended.success(), "--until end: {ended}");
    let expected = commerce::expected(&site);
    crate::points::assert_same(&crate::points::of_bucket(&site.bucket), &expected.points);
    commerce::check_dead_letters(&site, &expected);
}
