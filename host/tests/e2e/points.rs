//! Points: as they are read back from InfluxDB, and how two sets of them are compared.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::harness::{block_on, influx};

/// A series and a time: what InfluxDB tells points apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointId {
    pub measurement: String,
    pub tags: BTreeMap<String, String>,
    /// Nanoseconds.
    pub time: i64,
}

pub type Fields = BTreeMap<String, Value>;
pub type Points = BTreeMap<PointId, Fields>;

/// Floats agree if they differ by less than this share: sums over other orders round otherwise.
const RELATIVE: f64 = 1e-9;
/// How many differences are printed.
const SHOWN: usize = 12;

/// All points of a bucket of the shared InfluxDB. InfluxDB's CSV does not tell texts from numbers: values that read as a number are one.
pub fn of_bucket(bucket: &str) -> Points {
    of_bucket_in(influx(), bucket)
}

/// As [`of_bucket`], of another InfluxDB.
pub fn of_bucket_in(influx: &wasmill_testkit::influx::InfluxServer, bucket: &str) -> Points {
    let flux = format!(r#"from(bucket: "{bucket}") |> range(start: 2000-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)"#);
    let mut points = Points::new();
    for mut row in block_on(influx.query(&flux)) {
        let mut take = |column: &str| row.remove(column).unwrap_or_default();
        let (measurement, field, value) = (take("_measurement"), take("_field"), take("_value"));
        let time = nanoseconds(&take("_time"));
        let (_, _) = (take("_start"), take("_stop"));
        let before = points.entry(PointId { measurement, tags: row, time }).or_default().insert(field, parse(&value));
        assert!(before.is_none(), "a point has a field twice");
    }
    points
}

/// Of an RFC 3339 text.
pub fn nanoseconds(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().unwrap_or_else(|e| panic!("{text:?} is no time: {e}"));
    i64::try_from(time.as_nanosecond()).unwrap()
}

fn parse(text: &str) -> Value {
    if let Ok(integer) = text.parse::<i64>() {
        return integer.into();
    }
    match text.parse::<f64>().ok().and_then(Number::from_f64) {
        Some(float) => Value::Number(float),
        None => text.into(),
    }
}

/// Fails with the first differences if the sets are not the same.
pub fn assert_same(found: &Points, expected: &Points) {
    let mut differences = Vec::new();
    for (id, fields) in expected {
        match found.get(id) {
            None => differences.push(format!("missing  {id:?} {fields:?}")),
            Some(other) if !same_fields(other, fields) => {
                differences.push(format!("wrong    {id:?}\n  found    {other:?}\n  expected {fields:?}"));
            }
            Some(_) => {}
        }
    }
    differences.extend(
        found.iter().filter(|(id, _)| !expected.contains_key(id)).map(|(i, f)| format!("too many {i:?} {f:?}")),
    );
    let mut by_kind: BTreeMap<(String, String), u32> = BTreeMap::new();
    for difference in &differences {
        let measurement = difference.split('"').nth(1).unwrap_or_default();
        *by_kind.entry((measurement.to_owned(), difference[..8].to_owned())).or_default() += 1;
    }
    differences.sort_unstable();
    assert!(
        differences.is_empty(),
        "{} of {} points differ: {by_kind:?}\n{}",
        differences.len(),
        expected.len(),
        differences[..differences.len().min(SHOWN)].join("\n")
    );
}

fn same_fields(found: &Fields, expected: &Fields) -> bool {
    found.len() == expected.len()
        && expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| same(found, value)))
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        // A sum of fractions may be a whole number by one order of adding, and nearly one by another.
        (Some(_), Some(_)) if found.is_i64() && expected.is_i64() => found == expected,
        (Some(x), Some(y)) => (x - y).abs() <= RELATIVE * x.abs().max(y.abs()),
        _ => found == expected,
    }
}
