//! InfluxDB away, slow, or shut: nothing is lost, order is kept, and the reason is said.

use std::time::{Duration, Instant};

use wasmill::sink::SinkConfig;
use wasmill::sink::influx::InfluxConfig;
use wasmill_core::batch::Values;
use wasmill_core::config::Secret;
use wasmill_core::schema::{Kind, Role};
use wasmill_testkit::influx::InfluxServer;

use crate::rows::{part, rows, texts};
use crate::sink::{Sink, influx, until};

const START: i64 = 1_700_000_000_000_000_000;
const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Writes `version` to the points of all keys at one time, again and again the same points.
async fn send_version(sink: &Sink, version: i64) {
    let parts = vec![
        texts("key", Kind::Text, Role::Tag, &KEYS),
        part("version", Kind::Integer, Role::Field, Values::Integers(vec![version; 5])),
    ];
    let (corrected, target) = rows("corrected", vec![START; 5], parts);
    sink.send(corrected, target).await;
    // And one point that no other touches.
    let parts = vec![part("value", Kind::Integer, Role::Field, Values::Integers(vec![version]))];
    let (once, target) = rows("once", vec![START + version], parts);
    sink.send(once, target).await;
}

async fn assert_all_there(server: &InfluxServer, versions: i64) {
    let corrected = server
        .query("from(bucket: \"events\") |> range(start: 0) |> filter(fn: (r) => r._measurement == \"corrected\")");
    let corrected = corrected.await;
    assert_eq!(corrected.len(), KEYS.len());
    let last = (versions - 1).to_string();
    assert!(corrected.iter().all(|row| row["_value"] == last), "an older version overtook {last}: {corrected:?}");
    let once = server.query(
        "from(bucket: \"events\") |> range(start: 0) |> filter(fn: (r) => r._measurement == \"once\") |> count()",
    );
    assert_eq!(once.await[0]["_value"], versions.to_string());
}

/// Sends versions while something happens to the server, until `done`; returns how many.
async fn send_during(sink: &Sink, done: impl Fn(i64) -> bool) -> i64 {
    let mut version = 0;
    while !done(version) {
        send_version(sink, version).await;
        version += 1;
        tokio::task::yield_now().await;
    }
    version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_influxdb_loses_nothing_and_keeps_order() {
    const AWAY: Duration = Duration::from_secs(20);
    let mut server = InfluxServer::start().await;
    let sink = Sink::start(SinkConfig::Influx(influx(&server)));
    let figures = sink.figures.clone();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let sender = tokio::spawn(async move {
        let versions = send_during(&sink, |_| *stopped.borrow()).await;
        (sink, versions)
    });
    until("points are written", || figures.rows.get() > 1_000).await;
    server.kill();
    let killed = Instant::now();
    until("the fault is said", || figures.fault.get().is_some()).await;
    assert!(figures.fault.get().unwrap().contains("cannot be reached"), "{:?}", figures.fault.get());
    let at_fault = figures.rows.get();
    tokio::time::sleep(AWAY.saturating_sub(killed.elapsed())).await;
    assert_eq!(figures.rows.get(), at_fault, "nothing counts as written while there is nobody");
    server.restart().await;
    until("it writes again", || figures.rows.get() > at_fault + 1_000).await;
    assert_eq!(figures.fault.get(), None);
    stop.send(true).unwrap();
    let (sink, versions) = sender.await.unwrap();
    assert!(sink.finish().await.is_empty());
    assert!(figures.retries.get() > 0);
    assert_all_there(&server, versions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_influxdb_that_hangs_is_asked_again_and_no_old_point_overtakes_a_new_one() {
    let server = InfluxServer::start().await;
    let config = InfluxConfig { timeout: Duration::from_secs(1), ..influx(&server) };
    let sink = Sink::start(SinkConfig::Influx(config));
    let figures = sink.figures.clone();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let sender = tokio::spawn(async move {
        let versions = send_during(&sink, |_| *stopped.borrow()).await;
        (sink, versions)
    });
    for _ in 0..2 {
        let before = figures.rows.get();
        until("points are written", || figures.rows.get() > before + 500).await;
        server.pause();
        until("the fault is said", || figures.fault.get().is_some()).await;
        assert!(figures.fault.get().unwrap().contains("did not answer within"), "{:?}", figures.fault.get());
        server.resume();
        until("it writes again", || figures.fault.get().is_none()).await;
    }
    stop.send(true).unwrap();
    let (sink, versions) = sender.await.unwrap();
    assert!(sink.finish().await.is_empty());
    assert_all_there(&server, versions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_pauses_the_sink_with_advice_until_it_is_valid_again() {
    let server = InfluxServer::start().await;
    let (id, token) = server.write_only_token("events").await;
    let sink = Sink::start(SinkConfig::Influx(InfluxConfig { token: Secret::new(&*token), ..influx(&server) }));
    send_version(&sink, 0).await;
    until("the first version is written", || sink.figures.rows.get() == 6).await;
    server.set_token_active(&id, false).await;
    send_version(&sink, 1).await;
    until("the fault is said", || sink.figures.fault.get().is_some()).await;
    let fault = sink.figures.fault.get().unwrap();
    assert!(fault.contains("40") && fault.contains("token"), "{fault}");
    assert!(!fault.contains(&token), "{fault}");
    assert_eq!(sink.figures.rows.get(), 6);
    server.set_token_active(&id, true).await;
    until("the second version is written", || sink.figures.rows.get() == 12).await;
    assert_eq!(sink.figures.fault.get(), None);
    assert!(sink.finish().await.is_empty());
    assert_all_there(&server, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_waited_for_or_created() {
    let server = InfluxServer::start().await;
    let config = InfluxConfig { bucket: "later".to_string(), ..influx(&server) };
    let reason = wasmill::sink::check("charts", &SinkConfig::Influx(config.clone())).await.unwrap_err().to_string();
    assert!(reason.contains("create the bucket \"later\""), "{reason}");
    let sink = Sink::start(SinkConfig::Influx(config));
    send_version(&sink, 0).await;
    until("the fault is said", || sink.figures.fault.get().is_some()).await;
    server.create_bucket("later", 0).await;
    until("points are written", || sink.figures.rows.get() == 6).await;
    assert!(sink.finish().await.is_empty());

    let config = InfluxConfig { bucket: "made".to_string(), create_bucket: true, ..influx(&server) };
    wasmill::sink::check("charts", &SinkConfig::Influx(config.clone())).await.unwrap();
    let sink = Sink::start(SinkConfig::Influx(config));
    send_version(&sink, 0).await;
    assert!(sink.finish().await.is_empty());
    assert_eq!(server.query("from(bucket: \"made\") |> range(start: 0)").await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_cannot_write_gives_up_at_the_deadline_and_fails_its_epoch() {
    let server = InfluxServer::start().await;
    let sink = Sink::start(SinkConfig::Influx(InfluxConfig { token: Secret::new("wrong"), ..influx(&server) }));
    send_version(&sink, 0).await;
    until("the rows are taken", || sink.figures.queued_rows.get() == 6).await;
    let error = sink.handle.drain(Duration::from_millis(200)).await.unwrap_err();
    assert!(error.to_string().contains("could not write 6 rows") && error.to_string().contains("token"), "{error}");
    until("the tickets are gone", || sink.epoch.settled()).await;
    assert!(sink.epoch.failed());
}
