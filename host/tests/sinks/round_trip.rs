//! What was written reads back as it was.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wasmill::sink::SinkConfig;
use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::schema::{Kind, Role};
use wasmill_testkit::influx::InfluxServer;

use crate::rows::{Part, part, rows, texts};
use crate::sink::{Sink, influx};

const START: i64 = 1_700_000_000_000_000_000;

/// Texts of characters that mean something to a reader of line protocol, or to somebody on the way.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec!["\\", ",", " ", "=", "\"", "\\\\", "\\,", "\\ ", "\\=", "\\\"", "#", "'", "$"]),
        8 => prop::sample::select(vec!["a", "b", "0", "1i", "time", "é", "漢", "🦀", "e\u{301}"]),
        1 => prop::sample::select(vec!["\n", "\r", "\t", "\0", "\u{1b}", "\u{7f}", "\u{2028}", "\u{fffd}", "\u{200d}"]),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
struct Case {
    measurement: String,
    tag: String,
    field: String,
    /// Tag value and field value of each row.
    rows: Vec<(String, String)>,
}

fn case() -> impl Strategy<Value = Case> {
    (hostile(), hostile(), hostile(), prop::collection::vec((hostile(), hostile()), 1..12))
        .prop_map(|(measurement, tag, field, rows)| Case { measurement, tag, field, rows })
}

/// Measurement, field, tags and value.
type Point = (String, String, BTreeMap<String, String>, String);
/// Points of one field, by time.
type Seen = BTreeMap<i64, Point>;

fn add(seen: &mut Seen, time: i64, point: Point) {
    let twin = seen.insert(time, point);
    assert!(twin.is_none(), "two points at {time}: {twin:?} and {:?}", seen[&time]);
}

/// Everything in the bucket, through InfluxQL, whose JSON keeps every character.
async fn read_exactly(server: &InfluxServer) -> Seen {
    let mut seen = Seen::new();
    for series in server.influxql("SELECT * FROM /.*/ GROUP BY *").await {
        // Every series has every tag and field of the bucket: those of other measurements are empty or null.
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
        let tags = series["tags"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), text(v)));
        let tags: BTreeMap<_, _> = tags.filter(|(_, v)| !v.is_empty()).collect();
        let columns = series["columns"].as_array().unwrap();
        for row in series["values"].as_array().unwrap() {
            let cells = columns.iter().zip(row.as_array().unwrap()).skip(1);
            for (field, value) in cells.filter(|(_, value)| !value.is_null()) {
                let point = (text(&series["name"]), text(field), tags.clone(), text(value));
                add(&mut seen, row[0].as_i64().unwrap(), point);
            }
        }
    }
    seen
}

async fn read_with_flux(server: &InfluxServer) -> Seen {
    let mut seen = Seen::new();
    for row in server.query("from(bucket: \"events\") |> range(start: 0)").await {
        let time = row["_time"].parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64;
        let tags = row.iter().filter(|(name, _)| !name.starts_with('_')).map(|(k, v)| (k.clone(), v.clone())).collect();
        add(&mut seen, time, (row["_measurement"].clone(), row["_field"].clone(), tags, row["_value"].clone()));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_values_read_back_as_they_were_or_are_dead_letters() {
    const CASES: usize = 400;
    let server = InfluxServer::start().await;
    let mut sink = Sink::start(SinkConfig::Influx(influx(&server)));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut expected, mut time) = (Seen::new(), START);
    let mut sent = 0;
    for number in 0..CASES {
        let mut case = case().new_tree(&mut runner).unwrap().current();
        // One kind a field, so two cases must not meet in one measurement.
        case.measurement.push_str(&format!("m{number}"));
        if case.field == case.tag {
            // InfluxQL could not tell them apart.
            case.field.push('f');
        }
        if number % 4 != 0 {
            // Most cases have names that can be held, so that values are reached.
            (case.tag, case.field) = (format!("t,a g=é{number}"), format!("f,i e=\"l{number}"));
            case.measurement = format!("m e\\a,s={number}");
        }
        let times: Vec<i64> = (0..case.rows.len() as i64).map(|i| time + i * 1_000).collect();
        for (time, (tag, value)) in times.iter().zip(&case.rows) {
            let tags = BTreeMap::from([(case.tag.clone(), tag.clone())]);
            expected.insert(*time, (case.measurement.clone(), case.field.clone(), tags, value.clone()));
        }
        time += case.rows.len() as i64 * 1_000;
        sent += case.rows.len();
        let tag_values: Vec<&str> = case.rows.iter().map(|(tag, _)| tag.as_str()).collect();
        let values: Vec<&str> = case.rows.iter().map(|(_, value)| value.as_str()).collect();
        let parts = vec![
            texts(&case.tag, Kind::Text, Role::Tag, &tag_values),
            texts(&case.field, Kind::Text, Role::Field, &values),
        ];
        let (rows, target) = rows(&case.measurement, times, parts);
        sink.send(rows, target).await;
    }
    sink.take_letters();
    let figures = sink.figures.clone();
    let letters = sink.finish().await;
    eprintln!("{sent} points sent, {} written, {} dead letters", figures.rows.get(), figures.refused.get());

    let seen = read_exactly(&server).await;
    assert_eq!(seen.len() as u64, figures.rows.get());
    assert_eq!(seen.len() as u64 + figures.refused.get(), sent as u64);
    for (time, point) in &seen {
        assert_eq!(point, &expected[time]);
    }
    // Flux gives its results as CSV, which leaves carriage returns out of texts.
    let without_returns = |seen: &Seen| -> Seen {
        let strip = |text: &String| text.replace('\r', "");
        let point = |(m, f, tags, v): &Point| {
            let tags = tags.iter().map(|(k, v)| (strip(k), strip(v))).collect();
            (strip(m), strip(f), tags, strip(v))
        };
        seen.iter().map(|(time, p)| (*time, point(p))).collect()
    };
    assert_eq!(without_returns(&read_with_flux(&server).await), without_returns(&seen));
    // InfluxDB itself found nothing to refuse: what it cannot hold was known before it was sent.
    let by_influx: Vec<_> = letters.iter().filter(|l| l.code != "unrepresentable").collect();
    assert!(by_influx.is_empty(), "{by_influx:#?}");
    assert!(seen.len() > sent / 4, "too few points could be held: {} of {sent}", seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_value_reads_back_with_its_type() {
    let server = InfluxServer::start().await;
    let sink = Sink::start(SinkConfig::Influx(influx(&server)));
    let floats = [0.1, -0.0, f64::MAX, 5e-324, 1e16, f64::NAN];
    let integers = [0, -1, i64::MAX, i64::MIN, 1 << 53, 7];
    let mut blobs = Strings::default();
    (0..6).for_each(|i| blobs.push(&[0xff, i]));
    let json = ["{\"n\":{\"x\":1}}", "{\"n\":{\"x\":2.5}}", "3", "\"word\"", "null", "[1,2]"];
    let parts = vec![
        texts("row", Kind::Text, Role::Tag, &["0", "1", "2", "3", "4", "5"]),
        part("float", Kind::Float, Role::Field, Values::Floats(floats.to_vec())),
        part("integer", Kind::Integer, Role::Field, Values::Integers(integers.to_vec())),
        part("boolean", Kind::Boolean, Role::Field, Values::Booleans(vec![1, 0, 1, 0, 1, 0])),
        part("bytes", Kind::Bytes, Role::Field, Values::Blobs(blobs)),
        Part {
            values: Column { values: Values::Integers(vec![1; 6]), valid: vec![1, 0, 0, 0, 0, 0] },
            ..part("sometimes", Kind::Integer, Role::Field, Values::Integers(vec![]))
        },
        texts("json", Kind::Json, Role::Field, &json[..]),
    ];
    let (rows, target) = rows("kinds", vec![START; 6], parts);
    // Rows 3 and 5 have a text where row 2 has a number, under one name, which InfluxDB refuses.
    let figures = sink.figures.clone();
    sink.send(rows, target).await;
    let letters = sink.finish().await;
    assert_eq!(figures.not_finite.get(), 1);

    let read = server.query("from(bucket: \"events\") |> range(start: 0) |> toString()").await;
    let value = |row: usize, field: &str| {
        let found = read.iter().find(|r| r["row"] == row.to_string() && r["_field"] == field);
        found.map(|r| r["_value"].clone())
    };
    for row in 0..6 {
        let float = value(row, "float").map(|v| v.parse::<f64>().unwrap().to_bits());
        if row == 3 || row == 5 {
            // A refused line is refused whole.
            assert_eq!(float, None);
            continue;
        }
        assert_eq!(float, floats[row].is_finite().then(|| floats[row].to_bits()), "float of row {row}");
        assert_eq!(value(row, "integer").unwrap(), integers[row].to_string());
        assert_eq!(value(row, "boolean").unwrap(), if row % 2 == 0 { "true" } else { "false" });
        assert_eq!(value(row, "sometimes").is_some(), row == 0);
    }
    assert_eq!(value(0, "bytes").unwrap(), "/wA=");
    assert_eq!(value(0, "n_x").unwrap(), "1");
    assert_eq!(value(1, "n_x").unwrap(), "2.5");
    assert_eq!(letters.len(), 2, "{letters:#?}");
    assert!(letters.iter().all(|l| l.code == "refused" && l.reason.contains("field type conflict")));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rows_of_one_point_the_last_wins_also_within_one_batch() {
    let server = InfluxServer::start().await;
    let sink = Sink::start(SinkConfig::Influx(influx(&server)));
    for value in 0..50 {
        let parts = vec![
            texts("key", Kind::Text, Role::Tag, &["a", "a"]),
            part("value", Kind::Integer, Role::Field, Values::Integers(vec![value * 2, value * 2 + 1])),
        ];
        let (rows, target) = rows("corrected", vec![START; 2], parts);
        sink.send(rows, target).await;
    }
    assert!(sink.finish().await.is_empty());
    let read = server.query("from(bucket: \"events\") |> range(start: 0)").await;
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["_value"], "99");
}
