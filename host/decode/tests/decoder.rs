//! What each kind accepts, what is refused, and what the record's own fields give.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wasmill_core::batch::{Column, SLACK_BYTES, Values};
use wasmill_core::decode_spec::{DecodeField, DecodeKind, Format, TimeFormat};
use wasmill_core::records::{ABSENT, Record, Records, Span, push_headers};
use wasmill_core::schema::Kind;
use wasmill_decode::{Decoded, Decoder, SpecError};

/// Records with the given payloads (`None`: a tombstone), laid out as a consumer would.
fn records(payloads: &[Option<&[u8]>]) -> Records {
    let mut records = Records { buffer: vec![b'"'; 32], records: Vec::new() };
    for (offset, payload) in payloads.iter().enumerate() {
        let value = payload.map_or(ABSENT, |payload| append(&mut records.buffer, payload));
        records.records.push(Record {
            offset: offset as i64,
            timestamp_ms: 1_700_000_000_000,
            key: ABSENT,
            value,
            headers: ABSENT,
        });
    }
    records.buffer.extend([b'"'; SLACK_BYTES]);
    records
}

fn append(buffer: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = buffer.len() as u32;
    buffer.extend_from_slice(bytes);
    Span { start, len: bytes.len() as u32 }
}

fn field(path: &str, kind: DecodeKind) -> DecodeField {
    DecodeField { path: path.to_owned(), kind }
}

fn decode(fields: &[DecodeField], records: &Records) -> Decoded {
    decode_as(Format::Json, fields, records)
}

fn decode_as(format: Format, fields: &[DecodeField], records: &Records) -> Decoded {
    let mut decoder = Decoder::new(&format, fields, &TimeFormat::Auto).unwrap();
    let mut out = Decoded::default();
    // Twice: the second time by the shapes learnt and into the buffers of the first.
    decoder.decode(records, 0..records.records.len(), "orders", 7, &mut out);
    decoder.decode(records, 0..records.records.len(), "orders", 7, &mut out);
    assert_eq!(out.rows as usize, records.records.len());
    out
}

/// Row `row` of a column, shown: `-` for null.
fn show(column: &Column, row: usize) -> String {
    if !column.is_valid(row) {
        return "-".to_owned();
    }
    match &column.values {
        Values::Booleans(values) => values[row].to_string(),
        Values::Integers(values) => values[row].to_string(),
        Values::Floats(values) => values[row].to_string(),
        Values::Texts(values) | Values::Blobs(values) => values.text(row).into_owned(),
        Values::Lists { ends, elements } => {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            let shown: Vec<_> = (start..ends[row]).map(|element| show(elements, element as usize)).collect();
            format!("[{}]", shown.join(","))
        }
    }
}

/// What the value `json` gives under `kind`, at the member `v`: the value, `-`, or `! found`.
fn value(kind: DecodeKind, json: &str) -> String {
    let payload = format!(r#"{{"before":1,"v":{json},"after":"x"}}"#);
    let out = decode(&[field("v", kind)], &records(&[Some(payload.as_bytes())]));
    assert!(out.refused.is_empty(), "{json}: {:?}", out.refused);
    match out.mistyped.first() {
        Some(mistyped) => {
            assert!(!out.columns[0].is_valid(0));
            format!("! {}", mistyped.found)
        }
        None => show(&out.columns[0], 0),
    }
}

#[test]
fn each_kind_accepts_what_it_says() {
    let table: &[(DecodeKind, &[(&str, &str)])] = &[
        (
            DecodeKind::Kind(Kind::Boolean),
            &[("true", "1"), ("false", "0"), ("null", "-"), ("1", "! number 1"), (r#""true""#, r#"! text "true""#)],
        ),
        (
            DecodeKind::Kind(Kind::Integer),
            &[
                ("0", "0"),
                ("-12", "-12"),
                ("9223372036854775807", "9223372036854775807"),
                ("9223372036854775808", "! number 9223372036854775808 (beyond 64 bits)"),
                ("12345678901234567890", "! number 12345678901234567890 (beyond 64 bits)"),
                ("-9223372036854775808", "-9223372036854775808"),
                ("3.0", "3"),
                ("1e3", "1000"),
                ("3.5", "! number 3.5 (not a whole number)"),
                (r#""3""#, r#"! text "3""#),
                ("null", "-"),
                ("[1]", "! array [1]"),
            ],
        ),
        (
            DecodeKind::Kind(Kind::Float),
            &[
                ("1", "1"),
                ("-0.5", "-0.5"),
                ("1e999", "! number 1e999 (beyond the range of floats)"),
                (r#""12.5""#, r#"! text "12.5""#),
                ("true", "! true"),
            ],
        ),
        (
            DecodeKind::Kind(Kind::Text),
            &[
                (r#""""#, ""),
                (r#""a\n\u00e9\ud83d\ude00""#, "a\né😀"),
                (r#""日本""#, "日本"),
                (r#""\ud800""#, r#"! text "\ud800" (half of a surrogate pair)"#),
                ("5", "! number 5"),
                (r#"{"a":1}"#, r#"! object {"a":1}"#),
            ],
        ),
        (DecodeKind::Kind(Kind::Bytes), &[(r#""aGk=""#, "aGk="), ("5", "! number 5")]),
        (
            DecodeKind::Kind(Kind::Json),
            &[
                (r#"{"a": [1, "x"]}"#, r#"{"a": [1, "x"]}"#),
                ("1.50", "1.50"),
                (r#""a\n""#, r#""a\n""#),
                ("null", "-"),
                ("true", "true"),
            ],
        ),
        (
            DecodeKind::Scalar,
            &[
                (r#""a\"b""#, r#"a"b"#),
                ("1.50", "1.50"),
                ("-1E+3", "-1E+3"),
                ("true", "true"),
                ("null", "-"),
                ("[]", "! array []"),
            ],
        ),
        (
            DecodeKind::Repeated(Kind::Integer),
            &[
                ("[1,null,3]", "[1,-,3]"),
                ("[]", "[]"),
                ("null", "-"),
                ("5", "! number 5 (not an array)"),
                (r#"[1,"x"]"#, r#"! element 1: text "x""#),
            ],
        ),
        (
            DecodeKind::Kind(Kind::Timestamp),
            &[
                (r#""2023-11-14T22:13:20Z""#, "1700000000000000000"),
                ("1700000000", "1700000000000000000"),
                ("1700000000.25", "1700000000250000000"),
                (r#""1700000000000""#, "1700000000000000000"),
                (r#""\u0032023-11-14T22:13:20Z""#, "1700000000000000000"),
                (r#""soon""#, r#"! text "soon" (neither an RFC 3339 time nor a number)"#),
                ("1e30", "! number 1e30 (beyond the years 1678 to 2261)"),
                ("false", "! false"),
            ],
        ),
    ];
    for (kind, values) in table {
        for (json, expected) in *values {
            assert_eq!(value(*kind, json), *expected, "{json} as {kind:?}");
        }
    }
}

#[test]
fn paths_reach_into_objects_and_arrays() {
    let payload = br#"{"a":{"b":{"c":1},"x.y":"q"},"items":[{"price":1.5,"tags":["s","t"]},{"price":2},{}],"n":null}"#;
    let cases = [
        ("a.b.c", DecodeKind::Kind(Kind::Integer), "1"),
        (r#"a."x.y""#, DecodeKind::Kind(Kind::Text), "q"),
        ("a.b", DecodeKind::Kind(Kind::Json), r#"{"c":1}"#),
        ("items[1].price", DecodeKind::Kind(Kind::Float), "2"),
        ("items[9].price", DecodeKind::Kind(Kind::Float), "-"),
        ("items[*].price", DecodeKind::Repeated(Kind::Float), "[1.5,2,-]"),
        ("items[0].tags", DecodeKind::Repeated(Kind::Text), "[s,t]"),
        ("items[*].tags[0]", DecodeKind::Repeated(Kind::Text), "[s,-,-]"),
        ("n.x", DecodeKind::Kind(Kind::Text), "-"),
        ("missing.x", DecodeKind::Kind(Kind::Text), "-"),
    ];
    let fields: Vec<_> = cases.iter().map(|(path, kind, _)| field(path, *kind)).collect();
    let out = decode(&fields, &records(&[Some(payload)]));
    assert_eq!((&out.refused[..], &out.mistyped[..]), (&[][..], &[][..]));
    for (column, (path, _, expected)) in out.columns.iter().zip(&cases) {
        assert_eq!(show(column, 0), *expected, "{path}");
    }
}

#[test]
fn long_lists_are_whole_and_a_wrong_element_is_named_by_its_number() {
    let numbers: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let good = format!(r#"{{"v":[{}]}}"#, numbers.join(","));
    let bad = good.replace(",150,", ",true,");
    let rows = [Some(good.as_bytes()), Some(bad.as_bytes()), Some(good.as_bytes())];
    let out = decode(&[field("v", DecodeKind::Repeated(Kind::Integer))], &records(&rows));
    assert_eq!(out.mistyped.iter().map(|m| (m.row, m.found.as_str())).collect::<Vec<_>>(), [(1, "element 150: true")]);
    let whole = format!("[{}]", numbers.join(","));
    assert_eq!([0, 1, 2].map(|row| show(&out.columns[0], row)), [whole.clone(), "-".to_owned(), whole]);
}

#[test]
fn a_path_through_a_value_that_has_no_inside_is_mistyped() {
    let fields = [field("a.b", DecodeKind::Kind(Kind::Integer)), field("a[0]", DecodeKind::Kind(Kind::Integer))];
    let out = decode(&fields, &records(&[Some(br#"{"a":5}"#)]));
    let found: Vec<_> = out.mistyped.iter().map(|m| (m.field, m.found.as_str())).collect();
    let expected = "number 5 on the way, which has nothing inside";
    assert_eq!(found, [(0, expected), (1, expected)]);
}

#[test]
fn unusable_payloads_and_tombstones_are_null_in_every_column_and_validity_is_absent_without_nulls() {
    let fields = [
        field("a", DecodeKind::Kind(Kind::Integer)),
        field("@offset", DecodeKind::Kind(Kind::Integer)),
        field("@value", DecodeKind::Kind(Kind::Text)),
    ];
    let ok: &[u8] = br#"{"a":1}"#;
    let out = decode(&fields, &records(&[Some(ok), Some(b"{\"a\":"), None, Some(b"\xff"), Some(ok)]));
    assert_eq!(out.tombstones, [2]);
    let refused: Vec<_> = out.refused.iter().map(|r| (r.row, r.code)).collect();
    assert_eq!(refused, [(1, "malformed"), (3, "not-utf8")]);
    for column in &out.columns {
        assert_eq!(column.valid, [1, 0, 0, 0, 1]);
        assert_eq!(column.rows(), 5);
    }
    assert_eq!(show(&out.columns[1], 4), "4");
    let out = decode(&fields, &records(&[Some(ok); 3]));
    assert!(out.columns.iter().all(|column| column.valid.is_empty()));
}

#[test]
fn the_records_own_fields_become_columns() {
    let mut records = records(&[Some(br#"{}"#)]);
    let mut headers = Vec::new();
    push_headers(&mut headers, "tenant", Some(b"first"));
    push_headers(&mut headers, "tenant", Some(b"acme"));
    push_headers(&mut headers, "null", None);
    records.records[0].key = append(&mut records.buffer, b"k\xff");
    records.records[0].headers = append(&mut records.buffer, &headers);
    records.buffer.extend([0; SLACK_BYTES]);
    let cases = [
        ("@key", DecodeKind::Kind(Kind::Bytes), "k\u{fffd}"),
        ("@key", DecodeKind::Kind(Kind::Text), "-"),
        ("@headers.tenant", DecodeKind::Kind(Kind::Text), "acme"),
        ("@headers.null", DecodeKind::Kind(Kind::Text), "-"),
        ("@headers.none", DecodeKind::Scalar, "-"),
        ("@topic", DecodeKind::Kind(Kind::Text), "orders"),
        ("@partition", DecodeKind::Scalar, "7"),
        ("@partition", DecodeKind::Kind(Kind::Integer), "7"),
        ("@timestamp", DecodeKind::Kind(Kind::Timestamp), "1700000000000000000"),
        ("@timestamp", DecodeKind::Kind(Kind::Integer), "1700000000000"),
        ("@value", DecodeKind::Kind(Kind::Json), "{}"),
    ];
    let fields: Vec<_> = cases.iter().map(|(path, kind, _)| field(path, *kind)).collect();
    let out = decode(&fields, &records);
    for (column, (path, _, expected)) in out.columns.iter().zip(&cases) {
        assert_eq!(show(column, 0), *expected, "{path}");
    }
    let mistyped: Vec<_> = out.mistyped.iter().map(|m| (m.field, m.found.as_str())).collect();
    assert_eq!(mistyped, [(1, "bytes that are not UTF-8")]);
}

#[test]
fn text_and_raw_payloads_are_read_whole() {
    let fields = [field("@value", DecodeKind::Kind(Kind::Bytes))];
    let records = records(&[Some(b"plain"), Some(b"\xff\x00"), Some(b"")]);
    let text = decode_as(Format::Text, &fields, &records);
    assert_eq!(text.refused.iter().map(|r| (r.row, r.code)).collect::<Vec<_>>(), [(1, "not-utf8")]);
    let raw = decode_as(Format::Raw, &fields, &records);
    assert!(raw.refused.is_empty() && raw.columns[0].valid.is_empty());
}

#[test]
fn records_without_slack_or_with_spans_outside_are_decoded_all_the_same() {
    let payload = br#"{"a":"0123456789"}"#;
    let mut tight = Records::default();
    let value = append(&mut tight.buffer, payload);
    let record = Record { offset: 0, timestamp_ms: -1, key: ABSENT, value, headers: ABSENT };
    tight.records.push(record);
    tight.records.push(Record { value: Span { start: 5, len: 5000 }, key: Span { start: 9999, len: 1 }, ..record });
    let fields = [
        field("a", DecodeKind::Kind(Kind::Text)),
        field("@timestamp", DecodeKind::Kind(Kind::Timestamp)),
        field("@key", DecodeKind::Scalar),
    ];
    let out = decode(&fields, &tight);
    assert_eq!(show(&out.columns[0], 0), "0123456789");
    assert_eq!(show(&out.columns[1], 0), "-");
    assert_eq!(out.tombstones, [1]);
}

#[test]
fn a_shape_learned_never_changes_what_another_document_means() {
    let text = |content: &[u8]| [&b"{\"a\":\""[..], content, b"\",\"b\":1}"].concat();
    let long = text(b"0123456789abcdef0123456789abcdef0123");
    let short = text(b"0123");
    let number = |digits: &str| format!(r#"{{"a":{digits},"b":1}}"#).into_bytes();
    let pairs = [
        // A quote where the guess is, but an earlier one too.
        (long.clone(), text(br#"abcd","zzzzzzzzzzzzzzzzzz":"wwwwwwww"#)),
        (short.clone(), text(br#"","":""#)),
        // Not UTF-8, in the first 32 bytes and beyond; the length is the guessed one.
        (short.clone(), text(b"01\xff3")),
        (long.clone(), text(b"0123456789abcdef0123456789abcdef01\xff3")),
        (short.clone(), text(b"01\\n")),
        (short, text(b"01\n3")),
        (long, text(b"0123456789abcdef0123456789abcdef01\n3")),
        (number("1234"), number("0123")),
        (number("1234"), number("12.5")),
        (number("1234"), number("-123")),
        (number("1234"), number("12e3")),
        (number("1234"), number("true")),
        (number("1234"), b"{\"a\":1234".to_vec()),
        (number("[1]"), number("[1,]")),
        (number("true"), number("trux")),
    ];
    let fields =
        [field("a", DecodeKind::Scalar), field("a", DecodeKind::Kind(Kind::Json)), field("b", DecodeKind::Scalar)];
    for (taught, document) in &pairs {
        let alone = decode(&fields, &records(&[Some(document)]));
        let after = decode(&fields, &records(&[Some(taught), Some(document)]));
        let shown = String::from_utf8_lossy(document);
        assert_eq!(after.refused.first().map(|r| r.code), alone.refused.first().map(|r| r.code), "{shown}");
        let mistyped = after.mistyped.iter().filter(|m| m.row == 1).count();
        assert_eq!(mistyped, alone.mistyped.len(), "{shown}");
        for (after, alone) in after.columns.iter().zip(&alone.columns) {
            assert_eq!(show(after, 1), show(alone, 0), "{shown}");
        }
    }
}

#[test]
fn events_whose_unwanted_objects_never_repeat_are_still_decoded_by_known_shapes() {
    let documents: Vec<String> = (0..2000)
        .map(|n| format!(r#"{{"id":{n},"labels":{{"key-{n}":true,"other-{n}":"x"}},"last":"v{n}"}}"#))
        .collect();
    let payloads: Vec<_> = documents.iter().map(|document| Some(document.as_bytes())).collect();
    let fields = [field("id", DecodeKind::Kind(Kind::Integer)), field("last", DecodeKind::Kind(Kind::Text))];
    let mut decoder = Decoder::new(&Format::Json, &fields, &TimeFormat::Auto).unwrap();
    let mut out = Decoded::default();
    decoder.decode(&records(&payloads), 0..documents.len(), "t", 0, &mut out);
    assert!(out.refused.is_empty() && out.mistyped.is_empty());
    for row in 0..documents.len() {
        assert_eq!((show(&out.columns[0], row), show(&out.columns[1], row)), (row.to_string(), format!("v{row}")));
    }
    let tiers = decoder.tiers();
    assert!(tiers.scanned < 300 && tiers.slow == 0, "{tiers:?}");
}

#[test]
fn what_no_decoder_can_serve_is_refused_by_name() {
    let json = |path: &str, kind| Decoder::new(&Format::Json, &[field(path, kind)], &TimeFormat::Auto).unwrap_err();
    for (path, kind, part) in [
        ("a..b", DecodeKind::Scalar, "name is missing"),
        ("items[*].x", DecodeKind::Scalar, "`[*]`"),
        ("@offset", DecodeKind::Kind(Kind::Text), "only as integer, scalar"),
        ("@time", DecodeKind::Kind(Kind::Timestamp), "the task computes it"),
    ] {
        let error = json(path, kind);
        assert!(error.to_string().contains(part), "{error}");
    }
    let text = Decoder::new(&Format::Text, &[field("a", DecodeKind::Scalar)], &TimeFormat::Auto).unwrap_err();
    assert!(text.to_string().contains("@value"), "{text}");
    let pattern = TimeFormat::Pattern("%H:%M".to_owned());
    assert!(matches!(Decoder::new(&Format::Json, &[], &pattern), Err(SpecError::TimeFormat(_))));
}
