//! How a run ends: SIGTERM, and the end of a bounded one.

use crate::commerce;
use crate::crash::handled;
use crate::harness::{PATIENCE, Site};
use crate::points;

#[test]
fn sigterm_in_the_middle_of_work_commits_what_was_read_and_the_next_run_goes_on_from_there() {
    let site: Site = commerce::site(2);
    site.produce(150_000, &commerce::disorder("2026-01-01T01:30:00Z", "3"));
    let mut run = site.run(&[]);
    run.wait_until("some events were handled", |status| handled(status) > 0);
    run.stop();
    let ended = site.run(&["--until", "end"]).wait(PATIENCE);
    assert!(ended.success(), "--until end: {ended}");
    let expected = commerce::expected(&site);
    points::assert_same(&points::of_bucket(&site.bucket), &expected.points);
    commerce::check_dead_letters(&site, &expected);
}

#[test]
fn a_bounded_run_that_finds_more_events_later_corrects_the_windows_it_had_closed() {
    let site: Site = commerce::site(3);
    for (start, seed) in [("2026-01-01T01:30:00Z", "9"), ("2026-01-01T02:00:00Z", "10")] {
        site.produce(30_000, &commerce::disorder(start, seed));
        let ended = site.run(&["--until", "end"]).wait(PATIENCE);
        assert!(ended.success(), "--until end: {ended}");
    }
    points::assert_same(&points::of_bucket(&site.bucket), &commerce::expected(&site).points);
}
