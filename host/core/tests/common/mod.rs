//! Plugins that exist only as descriptors, for tests of the configuration and the planner.

use std::collections::BTreeMap;

use wasmill_core::planner::{Described, World};
use wasmill_core::schema::{Descriptor, Field, Kind, Output, OutputField, Role};

pub fn reads(path: &str, kind: Kind) -> Field {
    Field { name: path.to_owned(), path: path.to_owned(), kind, optional: false, repeated: false, dictionary: false }
}

pub fn writes(name: &str, kind: Kind) -> OutputField {
    OutputField {
        name: name.to_owned(),
        kind,
        optional: false,
        repeated: false,
        role: Role::Field,
        unit: String::new(),
        doc: String::new(),
    }
}

pub fn tag(name: &str) -> OutputField {
    OutputField { role: Role::Tag, ..writes(name, Kind::Text) }
}

pub fn with_unit(field: OutputField, unit: &str) -> OutputField {
    OutputField { unit: unit.to_owned(), ..field }
}

pub fn output(name: &str, fields: Vec<OutputField>, extends: bool) -> Output {
    Output { name: name.to_owned(), fields, extends }
}

pub fn described(world: World, reads: Vec<Field>, outputs: Vec<Output>) -> Described {
    let descriptor = Descriptor {
        name: "test".into(),
        version: "0.1.0".into(),
        doc: String::new(),
        reads,
        outputs,
        options: Vec::new(),
    };
    Described { descriptor, world }
}

pub fn transformer(reads: Vec<Field>, outputs: Vec<Output>) -> Described {
    described(World::Transformer, reads, outputs)
}

pub fn aggregator(reads: Vec<Field>, fields: Vec<OutputField>) -> Described {
    described(World::Aggregator, reads, vec![output("out", fields, false)])
}

/// A set of plugins that between them have every shape of descriptor.
pub fn plugins() -> BTreeMap<String, Described> {
    use Kind::{Bytes, Float, Integer, Json, Text, Timestamp};
    let count = || aggregator(vec![], vec![writes("count", Integer)]);
    let named = [
        ("count", count()),
        ("builtin:count", count()),
        (
            "validate",
            transformer(vec![reads("event_id", Json), reads("value", Json)], vec![output("out", vec![], true)]),
        ),
        ("builtin:filter", transformer(vec![reads("event_type", Text)], vec![output("out", vec![], true)])),
        ("stats", aggregator(vec![reads("value", Float)], vec![writes("count", Integer), writes("sum", Float)])),
        (
            "revenue",
            aggregator(
                vec![reads("data.amount", Float)],
                vec![
                    writes("orders", Integer),
                    with_unit(writes("total", Float), "USD"),
                    with_unit(writes("mean", Float), "USD"),
                ],
            ),
        ),
        (
            "visit",
            aggregator(
                vec![reads("event_type", Text), reads("@time", Timestamp)],
                vec![writes("events", Integer), with_unit(writes("duration", Integer), "ms")],
            ),
        ),
        (
            "top",
            aggregator(vec![reads("user_id", Text)], vec![tag("rank"), writes("item", Text), writes("count", Integer)]),
        ),
        (
            "split",
            transformer(
                vec![reads("type", Text), reads("user", Text)],
                vec![
                    output("page_view", vec![writes("page", Text), writes("user", Text)], false),
                    output("alerts", vec![writes("level", Integer)], false),
                ],
            ),
        ),
        (
            "parse",
            transformer(
                vec![reads("@value", Text)],
                vec![output(
                    "out",
                    vec![
                        OutputField { role: Role::Time, ..writes("at", Timestamp) },
                        tag("host"),
                        writes("amount", Text),
                        writes("blob", Bytes),
                    ],
                    false,
                )],
            ),
        ),
        ("enrich", transformer(vec![reads("user_id", Text)], vec![output("out", vec![tag("country")], true)])),
        ("total", aggregator(vec![reads("amount", Float)], vec![writes("total", Float)])),
        ("odd_path", aggregator(vec![reads("a..b", Float)], vec![writes("total", Float)])),
        ("offset_text", aggregator(vec![reads("@offset", Text)], vec![writes("last", Text)])),
        ("twice", aggregator(vec![], vec![writes("n", Integer), writes("n", Integer)])),
        (
            "bad_time",
            transformer(vec![], vec![output("out", vec![OutputField { role: Role::Time, ..writes("t", Text) }], true)]),
        ),
    ];
    named.into_iter().map(|(name, described)| (name.to_owned(), described)).collect()
}
