//! Every tier, with and without vector instructions, gives what a plain program over serde_json gives: random documents, random
//! projections, random damage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod documents;
mod model;

use documents::{Random, Shape, Writer};
use model::Value;
use wasmill_core::batch::{Column, SLACK_BYTES, Values};
use wasmill_core::decode_spec::{DecodeField, DecodeKind, Format, TimeFormat};
use wasmill_core::records::{ABSENT, Record, Records, Span};
use wasmill_core::schema::Kind;
use wasmill_decode::{Decoded, Decoder, Tiers};

/// Batches a test; `WASMILL_ORACLE_BATCHES` and `WASMILL_ORACLE_SEED` make a longer search, elsewhere.
const BATCHES: u64 = 1_000;
const DOCUMENTS_A_BATCH: usize = 200;

const PATHS: &[&str] = &[
    "a",
    "b",
    "data",
    "items",
    "id",
    "\"x.y\"",
    "ü",
    "amount",
    "time",
    "data.a",
    "data.b",
    "data.data",
    "data.amount",
    "a.b",
    "a.b.id",
    "b.data.a",
    "items.id",
    "\"a key that is longer than thirty-two bytes, of which\"",
    "items[0]",
    "items[1].a",
    "data.items[0][0]",
    "a[2].b",
    "absent",
    "absent.b",
];

const KINDS: &[Kind] =
    &[Kind::Boolean, Kind::Integer, Kind::Float, Kind::Text, Kind::Bytes, Kind::Timestamp, Kind::Json];

fn projection(random: &mut Random) -> Vec<DecodeField> {
    (0..random.below(7))
        .map(|_| {
            let mut path = random.pick(PATHS).to_owned();
            let kind = match random.below(10) {
                0 | 1 => DecodeKind::Scalar,
                2 => {
                    let kind = KINDS[random.below(KINDS.len())];
                    if random.one_in(2) {
                        path.push_str(random.pick(&["[*]", "[*].a", "[*].b.a", "[*][0]"]));
                    }
                    DecodeKind::Repeated(kind)
                }
                _ => DecodeKind::Kind(KINDS[random.below(KINDS.len())]),
            };
            DecodeField { path, kind }
        })
        .collect()
}

/// A batch of documents of a few shapes, some odd, some damaged; behind each, bytes that would go on well.
fn batch(random: &mut Random) -> Records {
    let shapes: Vec<Shape> = (0..1 + random.below(3)).map(|_| documents::shape(random, 0)).collect();
    let spacing = random.below(3);
    let odd = [10_000, 200, 20][random.below(3)];
    let damaged = [1_000, 6, 2][random.below(3)];
    let mut records = Records { buffer: vec![b'"'; 32], records: Vec::new() };
    for offset in 0..DOCUMENTS_A_BATCH {
        let mut writer = Writer { random: &mut *random, out: String::new(), spacing, odd };
        let number = writer.random.below(shapes.len());
        writer.write(&shapes[number]);
        let mut document = writer.out.into_bytes();
        if random.one_in(damaged) {
            documents::damage(random, &mut document);
        }
        let value = Span { start: records.buffer.len() as u32, len: document.len() as u32 };
        records.records.push(Record { offset: offset as i64, timestamp_ms: 0, key: ABSENT, value, headers: ABSENT });
        records.buffer.extend_from_slice(&document);
        let behind = b"\",\"a\":1}0123456789";
        records.buffer.extend_from_slice(&behind[random.below(behind.len())..]);
    }
    records.buffer.extend([b'"'; SLACK_BYTES]);
    records
}

fn value(column: &Column, row: usize) -> Value {
    if !column.is_valid(row) {
        return Value::Null;
    }
    match &column.values {
        Values::Booleans(values) => Value::Boolean(values[row] == 1),
        Values::Integers(values) => Value::Integer(values[row]),
        Values::Floats(values) => Value::Float(values[row].to_bits()),
        Values::Texts(values) => {
            std::str::from_utf8(values.get(row)).unwrap();
            Value::Bytes(values.get(row).to_vec())
        }
        Values::Blobs(values) => Value::Bytes(values.get(row).to_vec()),
        Values::Lists { ends, elements } => {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            Value::List((start..ends[row]).map(|element| value(elements, element as usize)).collect())
        }
    }
}

/// The form that consumers rely on: as many values as rows, no validity without a null, nothing in null rows, room behind texts.
fn check_form(column: &Column, rows: usize) {
    assert_eq!(column.rows(), rows);
    assert!(column.valid.is_empty() || column.valid.len() == rows && column.valid.contains(&0));
    for row in (0..rows).filter(|&row| !column.is_valid(row)) {
        match &column.values {
            Values::Booleans(values) => assert_eq!(values[row], 0),
            Values::Integers(values) => assert_eq!(values[row], 0),
            Values::Floats(values) => assert_eq!(values[row], 0.0),
            Values::Texts(values) | Values::Blobs(values) => assert!(values.get(row).is_empty()),
            Values::Lists { ends, .. } => assert_eq!(ends[row], if row == 0 { 0 } else { ends[row - 1] }),
        }
    }
    match &column.values {
        Values::Texts(values) | Values::Blobs(values) => {
            assert!(values.data.capacity() >= values.data.len() + SLACK_BYTES);
        }
        Values::Lists { ends, elements } => check_form(elements, ends.last().map_or(0, |&end| end as usize)),
        _ => {}
    }
}

fn check(records: &Records, first: usize, fields: &[DecodeField], out: &Decoded) -> usize {
    assert!(out.tombstones.is_empty());
    out.columns.iter().for_each(|column| check_form(column, out.rows as usize));
    assert!(out.mistyped.is_sorted_by_key(|m| (m.row, m.field)));
    let mut accepted = 0;
    for row in 0..out.rows as usize {
        let payload = records.bytes(records.records[first + row].value).unwrap();
        let shown = String::from_utf8_lossy(payload);
        let refused = out.refused.iter().find(|refused| refused.row as usize == row).map(|refused| refused.code);
        let tree = model::parse(payload);
        assert_eq!(refused, tree.as_ref().err().copied(), "{shown}");
        accepted += usize::from(tree.is_ok());
        for (field, (spec, column)) in fields.iter().zip(&out.columns).enumerate() {
            let expected = tree.as_ref().map_or(Value::Null, |tree| tree.field(&spec.path, spec.kind));
            let mistyped = out.mistyped.iter().any(|m| m.row as usize == row && m.field == field);
            let found = match value(column, row) {
                Value::Null if mistyped => Value::Mistyped,
                found => found,
            };
            assert!(
                expected == Value::Unknown || found == expected,
                "{spec:?}: {found:?}, not {expected:?}, of {shown}"
            );
        }
    }
    accepted
}

fn agree_with_the_model(seed: u64, portable: bool) {
    let asked = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let batches = asked("WASMILL_ORACLE_BATCHES").unwrap_or(BATCHES);
    let mut random = Random(seed ^ asked("WASMILL_ORACLE_SEED").unwrap_or(0));
    let (mut tiers, mut accepted) = (Tiers::default(), 0);
    let mut out = Decoded::default();
    for _ in 0..batches {
        let fields = projection(&mut random);
        let records = batch(&mut random);
        let mut decoder = Decoder::new(&Format::Json, &fields, &TimeFormat::Auto).unwrap();
        if portable {
            decoder = decoder.portable();
        }
        let cut = random.below(DOCUMENTS_A_BATCH);
        for range in [0..cut, cut..DOCUMENTS_A_BATCH] {
            let first = range.start;
            decoder.decode(&records, range, "topic", 0, &mut out);
            accepted += check(&records, first, &fields, &out);
        }
        let of_batch = decoder.tiers();
        tiers.known_shape += of_batch.known_shape;
        tiers.scanned += of_batch.scanned;
        tiers.slow += of_batch.slow;
    }
    println!("{} documents, {accepted} accepted, {tiers:?}", batches * DOCUMENTS_A_BATCH as u64);
    // Each tier must have had its share, or the agreement says little.
    assert!(tiers.known_shape > 20_000 && tiers.scanned > 20_000 && tiers.slow > 20_000, "{tiers:?}");
}

#[test]
fn all_tiers_agree_with_serde_json() {
    agree_with_the_model(0x9e37_79b9_7f4a_7c15, false);
}

#[test]
fn all_tiers_agree_with_serde_json_without_vector_instructions() {
    agree_with_the_model(0xd1b5_4a32_d192_ed03, true);
}
