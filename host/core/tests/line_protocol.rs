//! The encoder against an independent reader of line protocol: what it writes is read as what it was given.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use influxdb_line_protocol::{FieldValue, parse_lines};
use proptest::prelude::*;
use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::line_protocol::{Encoded, LineEncoder};
use wasmill_core::rows::{RowColumn, RowSchema, Rows};
use wasmill_core::schema::{Kind, Role};

/// No backslashes: this reader takes two of them for one, which InfluxDB itself does not. They are tested on InfluxDB.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        ",", " ", "=", "\"", "é", "🦀", "漢", "a", "1i", "#", "'", "\r", "t=1", "word", "and", "another",
    ]);
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// Names that differ whatever the texts are.
fn names(prefix: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 1..4)
        .prop_map(move |texts| texts.into_iter().enumerate().map(|(i, text)| format!("{prefix}{i}{text}")).collect())
}

fn strings(values: &[String]) -> Values {
    let mut strings = Strings::default();
    values.iter().for_each(|v| strings.push(v.as_bytes()));
    Values::Texts(strings)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_as_it_was(
        measurement in text().prop_map(|name| format!("m{name}")),
        tags in names("t"),
        fields in names("f"),
        tag_value in text(),
        string in prop_oneof![text(), Just("a\nb\\".to_string()), Just("\\\"\\\\".to_string()), Just(String::new())],
        integer in any::<i64>(),
        float in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        boolean in any::<bool>(),
        present in prop::collection::vec(any::<bool>(), 4),
        time in i64::MIN + 2..i64::MAX,
    ) {
        // Each tag has the same value; the fields are of four kinds, under names of their own.
        let mut columns = Vec::new();
        let mut add = |name: &str, kind, role, values| {
            columns.push((RowColumn { name: name.to_string(), kind, role, unit: String::new() }, Column::new(values)));
        };
        for tag in &tags {
            add(tag, Kind::Text, Role::Tag, strings(std::slice::from_ref(&tag_value)));
        }
        let name = |kind: &str| format!("{}{kind}", fields[0]);
        add(&name("s"), Kind::Text, Role::Field, strings(std::slice::from_ref(&string)));
        add(&name("i"), Kind::Integer, Role::Field, Values::Integers(vec![integer]));
        add(&name("f"), Kind::Float, Role::Field, Values::Floats(vec![float]));
        add(&name("b"), Kind::Boolean, Role::Field, Values::Booleans(vec![u8::from(boolean)]));
        let (schema, mut values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        for (column, present) in values[tags.len()..].iter_mut().zip(&present) {
            column.valid = vec![u8::from(*present)];
        }
        let schema = Arc::new(RowSchema { route: "r".to_string(), columns: schema });
        let tag_columns: Vec<usize> = (0..tags.len()).rev().collect();
        let field_columns: Vec<usize> = (tags.len()..tags.len() + 4).collect();
        let encoder = LineEncoder::new(&schema, &measurement, &tag_columns, &field_columns).unwrap();
        let rows = Rows { schema, times: vec![time], columns: values };
        let mut line = b"before x=1i 1\n".to_vec();
        let encoded = encoder.append(&rows, 0, &mut line);
        line.extend_from_slice(b"after x=1i 1\n");
        let line = String::from_utf8(line).unwrap();
        let parsed: Vec<_> = parse_lines(&line).map(|l| l.unwrap()).collect();
        if !present.contains(&true) {
            prop_assert_eq!(encoded, Encoded::Empty { not_finite: 0 });
            prop_assert_eq!(parsed.len(), 2);
            return Ok(());
        }
        let is_line = matches!(encoded, Encoded::Line { not_finite: 0, .. });
        prop_assert!(is_line, "{:?}", encoded);
        prop_assert_eq!(parsed.len(), 3);
        let point = &parsed[1];
        prop_assert_eq!(point.series.measurement.as_str(), &measurement);
        prop_assert_eq!(point.timestamp, Some(time));
        let read: Vec<_> = point.series.tag_set.iter().flatten().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let mut expected: Vec<_> = tags.iter().map(|name| (name.clone(), tag_value.clone())).collect();
        expected.sort();
        prop_assert_eq!(read, expected, "tags are sorted by key");
        let values = [
            FieldValue::String(string.as_str().into()), FieldValue::I64(integer), FieldValue::F64(float), FieldValue::Boolean(boolean),
        ];
        let expected: Vec<_> = (["s", "i", "f", "b"].iter().zip(values).zip(&present))
            .filter(|(_, present)| **present).map(|((kind, value), _)| (name(kind), value.to_string())).collect();
        let read: Vec<_> = point.field_set.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        prop_assert_eq!(read, expected);
    }
}

/// Prints the speed: `cargo test --release -p wasmill-core --test line_protocol -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn lines_a_second() {
    const ROWS: usize = 5_000;
    let texts = |prefix: &str| strings(&(0..ROWS).map(|i| format!("{prefix}-{}", i % 100)).collect::<Vec<_>>());
    let column = |name: &str, kind, role| RowColumn { name: name.to_string(), kind, role, unit: String::new() };
    let schema = Arc::new(RowSchema {
        route: "r".to_string(),
        columns: vec![
            column("country", Kind::Text, Role::Tag),
            column("currency", Kind::Text, Role::Tag),
            column("orders", Kind::Integer, Role::Field),
            column("total", Kind::Float, Role::Field),
            column("mean", Kind::Float, Role::Field),
        ],
    });
    let floats = |by: f64| Column::new(Values::Floats((0..ROWS).map(|i| i as f64 * by).collect()));
    let columns = vec![
        Column::new(texts("country")),
        Column::new(texts("currency")),
        Column::new(Values::Integers((0..ROWS as i64).collect())),
        floats(1.37),
        floats(0.001_234_5),
    ];
    let encoder = LineEncoder::new(&schema, "revenue", &[0, 1], &[2, 3, 4]).unwrap();
    let rows = Rows { schema, times: vec![1_700_000_000_000_000_000; ROWS], columns };
    let mut out = Vec::new();
    let started = std::time::Instant::now();
    let rounds = 200;
    for _ in 0..rounds {
        out.clear();
        (0..ROWS).for_each(|row| drop(encoder.append(&rows, row, &mut out)));
    }
    let each = started.elapsed().as_nanos() as f64 / (rounds * ROWS) as f64;
    eprintln!("{each:.0} ns a line of {} bytes: {:.1} M lines/s", out.len() / ROWS, 1e3 / each);
}
