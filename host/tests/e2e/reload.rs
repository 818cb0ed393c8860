//! Plugins and routes that change while events come: no point is lost, doubled or wrong, and what does not fit changes nothing.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::Method;
use serde_json::Value;

use crate::commerce;
use crate::crash::{finish, handled};
use crate::guests;
use crate::harness::{PATIENCE, Run, Site, TOKEN, WASMILL, wait_for};
use crate::points;
use crate::topics::{self, Handmade};

const EVENTS: u64 = 200_000;
const RELOADS: u8 = 100;
const KILLS: u8 = 4;
/// Releases that differ in nothing but their sha256.
const RELEASES: u8 = 4;

/// The commerce example, which can be asked to reload.
fn site() -> Site {
    let site = commerce::site(4);
    let mut pipeline = site.pipeline();
    let server = pipeline.entry("server").or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap();
    server.insert("token".to_owned(), TOKEN.into());
    // However long a reload takes here, no partition falls idle meanwhile.
    let source = pipeline["sources"]["events"].as_table_mut().unwrap();
    source.insert("idle_after".to_owned(), "0s".into());
    site.write(&pipeline);
    site
}

fn revenue(site: &Site) -> PathBuf {
    site.folder.path().join("plugins/revenue.wasm")
}

/// The same code under another sha256: with a custom section behind it that nobody reads.
fn variant(wasm: &[u8], number: u8) -> Vec<u8> {
    let section = [0, 9, 7, b'v', b'a', b'r', b'i', b'a', b'n', b't', number];
    [wasm, &section].concat()
}

/// Written beside the file and moved over it, as compilers do.
fn replace(file: &PathBuf, bytes: &[u8]) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, bytes).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

fn reload(run: &Run<'_>, query: &str) -> (u16, Value) {
    let (code, text) = run.ask(Method::POST, &format!("/api/v1/reloads{query}")).unwrap();
    (code, serde_json::from_str(&text).unwrap())
}

/// The sha256 of a plugin that runs.
fn plugin_release(status: &Value, name: &str) -> Option<String> {
    let plugins = status["plugins"].as_array()?;
    plugins.iter().find(|p| p["name"] == name).and_then(|p| p["release"].as_str()).map(str::to_owned)
}

fn release_in(status: &Value) -> Option<String> {
    plugin_release(status, "revenue")
}

fn release(run: &Run<'_>) -> Option<String> {
    release_in(&run.status()?)
}

fn last_reload(run: &Run<'_>) -> Option<Value> {
    let (_, text) = run.get("/api/v1/reloads")?;
    let list: Value = serde_json::from_str(&text).ok()?;
    list["reloads"].as_array()?.last().cloned()
}

/// All that lies in the topic is in points, and the points are what a plain program computes.
fn check(site: &Site) {
    assert!(site.run(&["--until", "end"]).wait(PATIENCE).success());
    let expected = commerce::expected(site);
    points::assert_same(&points::of_bucket(&site.bucket), &expected.points);
    points::assert_same(&commerce::sessions(site), &expected.sessions);
}

#[test]
fn a_hundred_reloads_while_events_come_change_no_point() {
    let site = site();
    let original = std::fs::read(revenue(&site)).unwrap();
    site.produce(EVENTS, &commerce::disorder("2026-01-01T01:30:00Z", "21"));
    let mut arguments = commerce::disorder("2026-01-01T04:50:00Z", "22").to_vec();
    arguments.extend(["--rate", "20000"]);
    let producer = site.producer(EVENTS, &arguments).spawn().unwrap();
    let mut run = site.run(&[]);
    run.wait_until("events are handled", |status| handled(status) > 0);
    let mut pauses = Vec::new();
    for number in 0..RELOADS {
        replace(&revenue(&site), &variant(&original, number % RELEASES));
        let (code, report) = reload(&run, "");
        assert_eq!(code, 200, "{report:#}");
        // The watcher may have been faster.
        assert_ne!(report["outcome"], "refused", "{report:#}");
        pauses.push(report["pause_seconds"].as_f64().unwrap());
    }
    pauses.sort_by(f64::total_cmp);
    eprintln!("pauses of {RELOADS} reloads: median {:.2} ms, longest {:.2} ms", pauses[50] * 1e3, pauses[99] * 1e3);
    finish(producer);
    run.wait_until_committed();
    run.stop();
    check(&site);
}

#[test]
fn kills_in_the_middle_of_reloads_leave_no_point_missing_and_none_wrong() {
    let site = site();
    let original = std::fs::read(revenue(&site)).unwrap();
    let mut arguments = commerce::disorder("2026-01-01T01:30:00Z", "26").to_vec();
    arguments.extend(["--rate", "8000"]);
    let producer = site.producer(EVENTS / 2, &arguments).spawn().unwrap();
    let mut rng = Rng::with_seed(9);
    for number in 0..KILLS {
        let mut run = site.run(&[]);
        run.wait_until("events are handled", |status| handled(status) > 0);
        replace(&revenue(&site), &variant(&original, number));
        // The watcher waits 200 ms; then compiling, the vote and the writing down are under way.
        let moment = Instant::now() + Duration::from_millis(rng.u64(150..700));
        wait_for("the moment to kill", PATIENCE, || (Instant::now() >= moment).then_some(()));
        run.kill();
    }
    finish(producer);
    check(&site);
}

#[test]
fn a_saved_file_takes_over_by_itself_and_a_broken_one_changes_nothing() {
    let another_world = guests::wasm("transformer");
    let site = site();
    let original = std::fs::read(revenue(&site)).unwrap();
    site.produce(20_000, &commerce::disorder("2026-01-01T01:30:00Z", "23"));
    let mut run = site.run(&[]);
    run.wait_until("events are handled", |status| handled(status) > 0);
    let before = release(&run);

    replace(&revenue(&site), &variant(&original, 1));
    run.wait_until("the new release runs", |status| release_in(status) != before);
    let changed = release(&run);

    for broken in [&b"\0asm this is no plugin"[..], &another_world] {
        let number = last_reload(&run).unwrap()["number"].as_u64();
        replace(&revenue(&site), broken);
        let report = wait_for("the refusal", PATIENCE, || {
            last_reload(&run).filter(|report| report["number"].as_u64() > number && report["outcome"] != "running")
        });
        assert_eq!(report["outcome"], "refused", "{report:#}");
        assert!(report["reason"].as_str().unwrap().contains("revenue"), "{report:#}");
        assert_eq!(release(&run), changed);
    }

    replace(&revenue(&site), &variant(&original, 2));
    run.wait_until("the mended release runs", |status| release_in(status) != changed);
    site.produce(20_000, &commerce::disorder("2026-01-01T01:50:00Z", "24"));
    run.wait_until_committed();
    run.stop();
    check(&site);
}

#[test]
fn routes_come_go_and_change_without_a_restart_and_the_others_do_not_notice() {
    let site = site();
    let whole = site.pipeline();
    // Its last route is added while it runs.
    let name = whole["routes"].as_table().unwrap().keys().next_back().unwrap().clone();
    let mut without = whole.clone();
    without["routes"].as_table_mut().unwrap().remove(&name);
    site.write(&without);
    let mut run = site.run(&[]);
    run.wait_until("it runs", |status| status["state"] == "running");
    site.write(&whole);
    let (code, report) = reload(&run, "");
    assert_eq!(code, 200, "{report:#}");
    run.wait_until("the route is there", |status| {
        status["routes"].as_array().unwrap().iter().any(|route| route["name"] == name.as_str())
    });
    site.produce(50_000, &commerce::disorder("2026-01-01T01:30:00Z", "25"));
    run.wait_until_committed();

    // Another window: its states are rebuilt from the topic.
    let mut other = whole.clone();
    other["sources"]["events"]["out_of_orderness"] = "7s".into();
    site.write(&other);
    let (code, report) = reload(&run, "");
    assert_eq!((code, report["outcome"].as_str()), (409, Some("refused")), "{report:#}");
    assert!(report["reason"].as_str().unwrap().contains("[sources.events]"), "{report:#}");
    site.write(&whole);
    run.stop();
    check(&site);
}

#[test]
fn a_release_that_was_sent_outlives_a_restart_and_is_taken_back_by_one_command() {
    let site = site();
    let original = std::fs::read(revenue(&site)).unwrap();
    let mut run = site.run(&[]);
    run.wait_until("it runs", |status| status["state"] == "running");
    let other = site.folder.path().join("other.wasm");
    std::fs::write(&other, variant(&original, 7)).unwrap();
    let first = release(&run);
    let wasmill = |run: &Run<'_>, arguments: &[&str]| {
        let url = format!("http://{}", run.address);
        let command = ["plugin"].iter().chain(arguments).chain(&["--url", &url]).copied().collect::<Vec<_>>();
        Command::new(WASMILL).args(command).env("WASMILL_TOKEN", TOKEN).output().unwrap()
    };

    let done = wasmill(&run, &["promote", "revenue", other.to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
    let second = release(&run);
    assert_ne!(first, second);
    let unknown = wasmill(&run, &["promote", "revenu", other.to_str().unwrap()]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");

    run.stop();
    let mut run = site.run(&[]);
    run.wait_until("it runs again", |status| status["state"] == "running");
    assert_eq!(release(&run), second, "the choice outlives the process");

    let back = wasmill(&run, &["rollback", "revenue"]);
    assert!(back.status.success(), "{back:?}");
    assert_eq!(release(&run), first);
    let history = String::from_utf8(wasmill(&run, &["history", "revenue"]).stdout).unwrap();
    assert_eq!(history.lines().count(), 4, "{history}");
    assert!(history.contains("rollback") && history.contains("start"), "{history}");

    let refused = Command::new(WASMILL)
        .args(["reload", "--url", &format!("http://{}", run.address), "--token", "wrong"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    run.stop();
}

const SUMS: &str = r#"
[server]
token = "e2e"

[sources.events]
time = "ts"
start = "earliest"

[plugins.sum]
path = "plugins/sum.wasm"
config = { mode = "single" }

[sinks.charts]
type = "influxdb"

[routes.sums]
from = "events"
key = ["user"]
aggregate = "sum"
window = { tumbling = "10s" }
to = ["charts"]
"#;
/// More failures than a minute may have.
const TRAPS: i64 = 11;

#[test]
fn a_new_release_that_fails_again_and_again_is_taken_back_and_its_dead_letters_stay() {
    let aggregator = guests::wasm("aggregator");
    let site = Site::new(SUMS.parse().unwrap(), 1);
    let file = site.folder.path().join("plugins/sum.wasm");
    std::fs::write(&file, &aggregator).unwrap();
    let values = |amounts: &mut dyn Iterator<Item = i64>| -> Vec<String> {
        amounts.enumerate().map(|(i, a)| format!(r#"{{"ts":{},"user":"u","amount":{a}}}"#, T0_MS + i as i64)).collect()
    };
    let write = |values: &[String]| {
        let event = |value: &String| topics::write(&site.connection(), &site.topic, &[handmade(value)]);
        values.iter().for_each(event);
    };
    site.produce(0, &[]);
    let mut run = site.run(&[]);
    run.wait_until("it runs", |status| status["state"] == "running");
    let before = plugin_release(&run.status().unwrap(), "sum");
    replace(&file, &variant(&aggregator, 1));
    run.wait_until("the new release runs", |status| plugin_release(status, "sum") != before);
    // The guest traps at 13: once for each of these, so that the last is one too many.
    write(&values(&mut (0..2 * TRAPS).map(|i| if i % 2 == 0 { 13 } else { 100 })));
    run.wait_until("the old release runs again", |status| plugin_release(status, "sum") == before);
    run.wait_until_committed();
    run.stop();
    assert!(site.run(&["--until", "end"]).wait(PATIENCE).success());
    let found = points::of_bucket(&site.bucket);
    let sums: i64 = found.values().filter_map(|fields| fields["sum"].as_i64()).sum();
    assert_eq!(sums, 100 * TRAPS, "{found:?}");
    assert_eq!(commerce::dead_letters(&site).len() as i64, TRAPS);
}

/// 2026-01-01.
const T0_MS: i64 = 1_767_225_600_000;

fn handmade(value: &str) -> Handmade<'_> {
    Handmade { partition: Some(0), value: Some(value.as_bytes()), ..Handmade::default() }
}

#[test]
fn a_source_that_its_plugin_has_stopped_goes_on_when_that_is_mended() {
    let aggregator = guests::wasm("aggregator");
    let site = Site::new(SUMS.parse().unwrap(), 1);
    std::fs::write(site.folder.path().join("plugins/sum.wasm"), aggregator).unwrap();
    site.produce(0, &[]);
    let event =
        |i: i64, user: &str, amount: i64| format!(r#"{{"ts":{},"user":"{user}","amount":{amount}}}"#, T0_MS + i);
    for i in 0..TRAPS + 1 {
        topics::write(&site.connection(), &site.topic, &[handmade(&event(2 * i, "bad", 13))]);
        topics::write(&site.connection(), &site.topic, &[handmade(&event(2 * i + 1, "good", 100))]);
    }
    let mut run = site.run(&[]);
    run.wait_until("the source is stopped", |status| {
        status["sources"][0]["fault"].as_str().is_some_and(|fault| fault.contains("stopped") && fault.contains("sum"))
    });
    let mut mended = site.pipeline();
    let route = mended["routes"]["sums"].as_table_mut().unwrap();
    route.insert("where".to_owned(), toml::Table::from_iter([("user".to_owned(), vec!["good"].into())]).into());
    site.write(&mended);
    run.wait_until_committed();
    run.stop();
    assert!(site.run(&["--until", "end"]).wait(PATIENCE).success());
    let found = points::of_bucket(&site.bucket);
    let sums: i64 = found.values().filter_map(|fields| fields["sum"].as_i64()).sum();
    assert_eq!(sums, 100 * (TRAPS + 1), "{found:?}");
}
