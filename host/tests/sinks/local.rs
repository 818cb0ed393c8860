//! The local series store.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use proptest::prelude::*;
use wasmill::http::store::{Series, SeriesQuery, SeriesStore, Value};
use wasmill::sink::SinkConfig;
use wasmill::sink::local::{LocalConfig, LocalStore};
use wasmill_core::batch::Values;
use wasmill_core::schema::{Kind, Role};
use wasmill_core::time::{DAY, HOUR, SECOND};

use crate::rows::{part, rows, texts};
use crate::sink::{Sink, until};

const START: i64 = 1_700_000_000_000_000_000;

fn start(path: &Path) -> (Sink, LocalStore) {
    let sink = Sink::start(SinkConfig::Local(LocalConfig::new(path)));
    let store = sink.handle.store.clone().unwrap();
    (sink, store)
}

/// Key (`None`: no such tag), seconds after the start, value.
type Row = (Option<u8>, i64, f64);

async fn send(sink: &Sink, measurement: &str, points: &[Row]) {
    let keys: Vec<String> = points.iter().map(|p| p.0.map_or(String::new(), |k| format!("k{k}\""))).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut key = texts("key", Kind::Text, Role::Tag, &keys);
    key.values.valid = points.iter().map(|p| u8::from(p.0.is_some())).collect();
    let value = part("value", Kind::Float, Role::Field, Values::Floats(points.iter().map(|p| p.2).collect()));
    let (rows, target) = rows(measurement, points.iter().map(|p| START + p.1 * SECOND).collect(), vec![key, value]);
    sink.send(rows, target).await;
}

fn everything(measurement: &str) -> SeriesQuery {
    SeriesQuery {
        measurement: measurement.to_string(),
        field: "value".to_string(),
        tags: BTreeMap::new(),
        from: 0,
        to: i64::MAX,
        step: 0,
        max_series: 1_000,
        max_points: 100_000,
    }
}

/// What a query must give, from all rows in the order they were written.
fn model(written: &[Row], query: &SeriesQuery) -> Vec<Series> {
    let mut points: BTreeMap<Option<u8>, BTreeMap<i64, f64>> = BTreeMap::new();
    for (key, second, value) in written {
        points.entry(*key).or_default().insert(START + second * SECOND, *value);
    }
    let mut series = Vec::new();
    for (key, points) in points {
        let tags: BTreeMap<_, _> = key.map(|k| ("key".to_string(), format!("k{k}\""))).into_iter().collect();
        let mut steps: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        let in_range: Vec<_> = points.range(query.from..query.to).collect();
        for (time, value) in &in_range {
            let step = if query.step > 0 { *time - time.rem_euclid(query.step) } else { **time };
            steps.entry(step).or_default().push(**value);
        }
        if let Some((_, last)) = in_range.last()
            && query.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
        {
            let mean = |v: Vec<f64>| v.iter().sum::<f64>() / v.len() as f64;
            let points = steps.into_iter().map(|(time, values)| (time, mean(values))).collect();
            series.push((**last, Series { tags, points }));
        }
    }
    series.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.tags.cmp(&b.1.tags)));
    series.into_iter().map(|(_, series)| series).collect()
}

fn row() -> impl Strategy<Value = Row> {
    // Whole numbers, so that a mean does not depend on the order of its sum.
    (prop::option::of(0u8..4), 0i64..40, (-8i32..8).prop_map(f64::from))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_query_gives_what_a_simple_model_gives(
        batches in prop::collection::vec(prop::collection::vec(row(), 1..30), 1..6),
        (from, length) in (-5i64..40, 0i64..50),
        step in prop::sample::select(vec![0, 1, 3, 7, 100]),
        tag in prop::option::of(0u8..4),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (sink, store) = runtime.block_on(async { start(&directory.path().join("series.db")) });
        runtime.block_on(async {
            for batch in &batches {
                send(&sink, "m", batch).await;
            }
            sink.finish().await
        });
        let query = SeriesQuery {
            from: START + from * SECOND,
            to: START + (from + length) * SECOND,
            step: step * SECOND,
            tags: tag.map(|k| ("key".to_string(), format!("k{k}\""))).into_iter().collect(),
            ..everything("m")
        };
        let expected = model(&batches.concat(), &query);
        let found = store.query(&query).unwrap();
        prop_assert_eq!(&found.series, &expected);
        prop_assert_eq!((found.series_total, found.truncated), (expected.len(), false));
        // The limits keep the highest series and the newest points.
        let found = store.query(&SeriesQuery { max_series: 1, max_points: 2, ..query }).unwrap();
        let newest: Vec<_> = expected.iter().take(1).map(|s| s.points[s.points.len().saturating_sub(2)..].to_vec()).collect();
        prop_assert_eq!(found.series.into_iter().map(|s| s.points).collect::<Vec<_>>(), newest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart_and_the_catalog_knows_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("series.db");
    let (sink, store) = start(&path);
    send(&sink, "m", &[(Some(1), 0, 1.0), (None, 5, 2.0)]).await;
    assert!(sink.finish().await.is_empty());
    let before = (store.measurements().unwrap(), store.query(&everything("m")).unwrap());
    let (sink, store) = start(&path);
    until("the file is open", || !store.measurements().unwrap().is_empty()).await;
    assert_eq!((store.measurements().unwrap(), store.query(&everything("m")).unwrap()), before);
    let catalog = &before.0[0];
    assert_eq!((&catalog.fields[..], &catalog.tags[..]), (&["value".to_string()][..], &["key".to_string()][..]));
    assert_eq!(catalog.last, Some(START + 5 * SECOND));
    sink.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_older_than_the_retention_go_and_the_newest_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("series.db");
    let (sink, _) = start(&path);
    let hour = HOUR / SECOND;
    send(&sink, "m", &[(Some(1), 0, 1.0), (Some(1), 23 * hour, 2.0), (Some(2), 0, 3.0), (Some(1), 25 * hour, 4.0)])
        .await;
    sink.finish().await;
    let config = LocalConfig { retention: Some(DAY), ..LocalConfig::new(&path) };
    let sink = Sink::start(SinkConfig::Local(config));
    let store = sink.handle.store.clone().unwrap();
    sink.finish().await;
    let found = store.query(&everything("m")).unwrap();
    let points: Vec<_> = found.series.iter().map(|s| s.points.iter().map(|p| p.1).collect::<Vec<_>>()).collect();
    assert_eq!(points, [[2.0, 4.0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_drops_its_oldest_points_and_keeps_its_newest() {
    const MAX_BYTES: u64 = 256 << 10;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("series.db");
    let points: Vec<Row> = (0..30_000).map(|i| (Some((i % 3) as u8), i, i as f64)).collect();
    let (sink, _) = start(&path);
    for points in points.chunks(5_000) {
        send(&sink, "m", points).await;
    }
    sink.finish().await;
    assert!(std::fs::metadata(&path).unwrap().len() > MAX_BYTES);
    let mut counts = Vec::new();
    // Each start makes one pass, which drops a tenth.
    for _ in 0..40 {
        let sink = Sink::start(SinkConfig::Local(LocalConfig { max_bytes: MAX_BYTES, ..LocalConfig::new(&path) }));
        let store = sink.handle.store.clone().unwrap();
        sink.finish().await;
        let found = store.query(&everything("m")).unwrap();
        assert_eq!(found.series[0].points.last().unwrap().1, 29_999.0);
        counts.push(found.series.iter().map(|s| s.points.len()).sum::<usize>());
    }
    assert!(counts[0] < 30_000 && counts[39] > 1_000, "{counts:?}");
    assert_eq!(counts[38], counts[39], "it stops dropping when the rest fits: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_see_points_as_they_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let (sink, store) = start(&directory.path().join("series.db"));
    let mut points = store.subscribe();
    send(&sink, "m", &[(Some(1), 0, 1.5), (None, 1, f64::NAN)]).await;
    let seen = points.recv().await.unwrap();
    assert_eq!(seen.len(), 1, "a row without a value is no point");
    assert_eq!(seen[0].fields["value"], Value::Float(1.5));
    assert_eq!((seen[0].tags["key"].as_str(), seen[0].time), ("k1\"", START));
    let figures = sink.figures.clone();
    sink.finish().await;
    assert_eq!((figures.empty.get(), figures.not_finite.get()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("mounted later");
    let (sink, store) = start(&folder.join("series.db"));
    send(&sink, "m", &[(Some(1), 0, 1.0)]).await;
    until("the fault is said", || sink.figures.fault.get().is_some()).await;
    assert!(sink.figures.fault.get().unwrap().contains("mounted later"), "{:?}", sink.figures.fault.get());
    assert!(store.query(&everything("m")).is_err());
    std::fs::create_dir(&folder).unwrap();
    until("the row is written", || sink.figures.rows.get() == 1).await;
    assert_eq!(store.query(&everything("m")).unwrap().series_total, 1);
    sink.finish().await;
}

/// Prints speeds: `cargo test --release -p wasmill --test sinks -- --ignored --nocapture a_million`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_million_points_are_written_and_an_hour_of_them_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (sink, store) = start(&directory.path().join("series.db"));
    let started = Instant::now();
    for second in (0..20_000).step_by(100) {
        let points: Vec<Row> = (0..5_000).map(|i| (Some((i % 50) as u8), second + i / 50, i as f64)).collect();
        send(&sink, "m", &points).await;
    }
    sink.finish().await;
    eprintln!("{:.0} points/s", 1e6 / started.elapsed().as_secs_f64());
    for (name, hours, step) in [("an hour, as it is", 1, 0), ("an hour by 10 s", 1, 10), ("all by a minute", 10, 60)] {
        let to = START + 20_000 * SECOND;
        let query =
            SeriesQuery { from: to - hours * HOUR, to, step: step * SECOND, max_points: 20_000, ..everything("m") };
        let started = Instant::now();
        let found = store.query(&query).unwrap();
        let points: usize = found.series.iter().map(|s| s.points.len()).sum();
        eprintln!("{name}: {points} points of {} series in {:?}", found.series_total, started.elapsed());
    }
}
