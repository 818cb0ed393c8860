//! What the derives make: every type that a field may have crosses unchanged, rows of several outputs go where they belong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use wasmill_sdk::columns::{Batch, OwnedColumn, OwnedStrings, OwnedValues};
use wasmill_sdk::prelude::*;
use wasmill_sdk::schema::{About, Role};
use wasmill_sdk::{Rejected, TransformerInstance};

#[derive(Event)]
struct Everything<'a> {
    text: &'a str,
    owned: String,
    float: f64,
    integer: i64,
    #[event(path = "deep.\"odd.key\".flag")]
    flag: bool,
    bytes: &'a [u8],
    #[event(path = "@time")]
    time: Timestamp,
    json: Json<'a>,
    maybe: Option<&'a str>,
    numbers: List<'a, f64>,
    #[event(path = "items[*].name")]
    names: Option<List<'a, &'a str>>,
    r#type: Option<i64>,
}

/// A row with a field of every type.
#[derive(Row)]
struct Written<'a> {
    text: &'a str,
    owned: String,
    float: f64,
    integer: i64,
    flag: bool,
    bytes: &'a [u8],
    time: Timestamp,
    json: Json<'a>,
    maybe: Option<&'a str>,
    numbers: Vec<f64>,
    names: Option<Vec<&'a str>>,
    r#type: Option<i64>,
}

struct Echo;
impl Transformer for Echo {
    type Config = ();
    type Event<'a> = Everything<'a>;
    type Output<'a> = Written<'a>;
    const EXTENDS: bool = false;
    fn new(_: ()) -> Result<Self, String> {
        Ok(Echo)
    }
    fn transform<'a>(&self, e: Everything<'a>, out: &mut Out<Written<'a>>) -> Result<(), Reject> {
        out.push(Written {
            text: e.text,
            owned: e.owned,
            float: e.float,
            integer: e.integer,
            flag: e.flag,
            bytes: e.bytes,
            time: e.time,
            json: e.json,
            maybe: e.maybe,
            numbers: e.numbers.iter().collect(),
            names: e.names.map(|names| names.iter().collect()),
            r#type: e.r#type,
        });
        Ok(())
    }
}

#[test]
fn every_type_of_field_crosses_unchanged() {
    let echo = testing::transformer::<Echo>(json!({}));
    let event = json!({
        "text": "grün", "owned": "", "float": -0.5, "integer": i64::MIN, "deep": {"odd.key": {"flag": true}}, "bytes": "raw",
        "@time": 1_700_000_000_000_000_000i64, "json": {"a": [1, null]}, "maybe": "x", "numbers": [1.0, 2.5],
        "items": [{"name": "one"}, {"name": "two"}], "type": 7
    });
    let expected = json!({
        "text": "grün", "owned": "", "float": -0.5, "integer": i64::MIN, "flag": true, "bytes": "raw",
        "time": 1_700_000_000_000_000_000i64, "json": {"a": [1, null]}, "maybe": "x", "numbers": [1.0, 2.5],
        "names": ["one", "two"], "type": 7
    });
    assert_eq!(echo.run(event.clone()), Ok(vec![expected]));

    let mut without = event;
    for optional in ["maybe", "type"] {
        without[optional] = json!(null);
    }
    without["numbers"] = json!([]);
    let row = echo.run(without).unwrap().remove(0);
    assert_eq!((row.get("maybe"), row.get("type"), &row["numbers"]), (None, None, &json!([])));
    assert_eq!(echo.run(json!({})), Err("missing: text is required".into()));
}

#[test]
fn the_descriptor_says_paths_kinds_and_what_is_optional() {
    let descriptor = testing::configure_transformer::<Echo>(json!({})).unwrap();
    let reads: Vec<_> = descriptor
        .reads
        .iter()
        .map(|field| (&*field.name, &*field.path, field.kind, field.optional, field.repeated))
        .collect();
    assert_eq!(reads[4], ("flag", "deep.\"odd.key\".flag", Kind::Boolean, false, false));
    assert_eq!(reads[6], ("time", "@time", Kind::Timestamp, false, false));
    assert_eq!(reads[10], ("names", "items[*].name", Kind::Text, true, true));
    assert_eq!(reads[11], ("type", "type", Kind::Integer, true, false));
    let writes: Vec<_> =
        descriptor.outputs[0].fields.iter().map(|field| (&*field.name, field.kind, field.optional)).collect();
    assert_eq!(writes[8], ("maybe", Kind::Text, true));
    assert_eq!((&*descriptor.outputs[0].name, descriptor.outputs[0].extends), ("out", false));
}

#[derive(Event)]
struct Reading<'a> {
    sensor: &'a str,
    celsius: f64,
}

#[derive(Row)]
struct Sensor<'a> {
    /// Which one.
    /// As written on it.
    #[row(tag)]
    sensor: &'a str,
    #[row(unit = "K", name = "temperature")]
    kelvin: f64,
    #[row(time)]
    at: Timestamp,
}

#[derive(Row)]
struct Alarm {
    celsius: f64,
}

#[derive(Row)]
enum Sorted<'a> {
    Sensor(Sensor<'a>),
    #[row(name = "alarms")]
    TooHot(Alarm),
}

struct Sort;
impl Transformer for Sort {
    type Config = ();
    type Event<'a> = Reading<'a>;
    type Output<'a> = Sorted<'a>;
    fn new(_: ()) -> Result<Self, String> {
        Ok(Sort)
    }
    /// A reading, twice an alarm when it is hot, and a reject after rows have been written when it is impossible.
    fn transform<'a>(&self, e: Reading<'a>, out: &mut Out<Sorted<'a>>) -> Result<(), Reject> {
        out.push(Sorted::Sensor(Sensor { sensor: e.sensor, kelvin: e.celsius + 273.0, at: Timestamp(1) }));
        if e.celsius > 90.0 {
            out.push(Sorted::TooHot(Alarm { celsius: e.celsius }));
            out.push(Sorted::TooHot(Alarm { celsius: e.celsius }));
        }
        if e.celsius > 1000.0 { Err("a broken sensor".into()) } else { Ok(()) }
    }
}

#[test]
fn an_enum_of_rows_writes_several_outputs() {
    let sort = testing::transformer::<Sort>(json!({}));
    let outputs = &sort.descriptor().outputs;
    assert_eq!(outputs.iter().map(|output| &*output.name).collect::<Vec<_>>(), ["sensor", "alarms"]);
    assert_eq!(outputs[0].fields[0].role, Role::Tag);
    assert_eq!(outputs[0].fields[0].doc, "Which one. As written on it.");
    assert_eq!((&*outputs[0].fields[1].name, &*outputs[0].fields[1].unit), ("temperature", "K"));
    assert_eq!(outputs[0].fields[2].role, Role::Time);
    assert!(outputs.iter().all(|output| output.extends), "by default a row keeps its event's columns");

    let rows = sort.run(json!({"sensor": "s1", "celsius": 100.0, "site": "A"})).unwrap();
    assert_eq!(
        rows[0]["sensor"],
        json!({"sensor": "s1", "celsius": 100.0, "site": "A", "temperature": 373.0, "at": 1})
    );
    assert_eq!(rows[1..], [json!({"alarms": {"sensor": "s1", "celsius": 100.0, "site": "A"}}), rows[2].clone()]);
}

#[test]
fn what_a_rejected_row_has_written_is_dropped_and_the_rest_goes_on() {
    let about = About { name: "sort", version: "1.0.0", doc: "" };
    let (sort, _) = TransformerInstance::<Sort>::new("{}", about).unwrap();
    let mut sensors = OwnedStrings::default();
    ["a", "broken", "c"].iter().for_each(|name| sensors.push(name.as_bytes()));
    let columns = [OwnedValues::Texts(sensors), OwnedValues::Floats(vec![20.0, 2000.0, 95.0])]
        .map(|values| OwnedColumn { values, valid: vec![] });
    let views = columns.each_ref().map(|column| column.view().unwrap());
    let results = sort.transform(&Batch { rows: 3, columns: &views });
    assert_eq!(results.rejects, [Rejected { row: 1, reason: "a broken sensor".to_owned() }]);
    let [sensors, alarms] = &results.outputs[..] else { panic!("two outputs") };
    assert_eq!((sensors.count, &sensors.origins[..]), (2, &[0, 2][..]));
    assert_eq!((alarms.count, &alarms.origins[..]), (2, &[2, 2][..]));
    assert_eq!(alarms.columns[0].values, OwnedValues::Floats(vec![95.0, 95.0]));
    let OwnedValues::Texts(names) = &sensors.columns[0].values else { panic!("texts") };
    assert_eq!((&names.ends[..], &names.data[..]), (&[1, 2][..], &b"ac"[..]));
}

struct KeepAll;
impl Transformer for KeepAll {
    type Config = ();
    type Event<'a> = ();
    type Output<'a> = Keep;
    fn new(_: ()) -> Result<Self, String> {
        Ok(KeepAll)
    }
    fn transform<'a>(&self, _: (), out: &mut Out<Keep>) -> Result<(), Reject> {
        out.push(Keep);
        Ok(())
    }
}

#[test]
fn a_filter_that_keeps_all_sends_neither_columns_nor_origins() {
    let (keep, descriptor) =
        TransformerInstance::<KeepAll>::new("", About { name: "keep", version: "1.0.0", doc: "" }).unwrap();
    assert!(descriptor.reads.is_empty() && descriptor.outputs[0].fields.is_empty() && descriptor.outputs[0].extends);
    let kept = &keep.transform(&Batch { rows: 5, columns: &[] }).outputs[0];
    assert_eq!((kept.count, kept.origins.len(), kept.columns.len()), (5, 0, 0));
}
