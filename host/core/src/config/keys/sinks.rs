//! The keys of sinks, by type.

use super::{Key, MAX_PARTITIONS, Section, Shape, key, later};

/// Lines in one request to a sink.
const MAX_BATCH: i64 = 100_000;
/// Series of a sink: the names of all are in memory, a few hundred bytes each.
const MAX_SERIES: i64 = 100_000_000;

const TYPE: Key = key(
    "type",
    Shape::Choice { words: &["influxdb", "local", "kafka", "stdout", "null"], later: &["http", "file"] },
    "\"influxdb\"",
    "what kind of sink this is",
)
.required();

/// Only `type`, which tells which of [`SINKS`] describes the rest.
pub static SINK_TYPE: Section = Section { title: "sinks.NAME", doc: "Where rows go.", keys: &[TYPE], later: &[] };

pub static SINKS: [(&str, &Section); 5] =
    [("influxdb", &INFLUXDB), ("local", &LOCAL), ("kafka", &KAFKA_SINK), ("stdout", &STDOUT), ("null", &NULL)];

pub static INFLUXDB: Section = Section {
    title: "sinks.NAME, type = \"influxdb\"",
    doc: "InfluxDB 2.",
    keys: &[
        TYPE,
        key("url", Shape::Text, "\"http://localhost:8086\"", "where InfluxDB is").or("\"http://localhost:8086\""),
        key("org", Shape::Text, "\"acme\"", "the organisation")
            .or("the environment variable INFLUX_ORG, or \"wasmill\""),
        key("bucket", Shape::Text, "\"events\"", "the bucket").required(),
        key("token", Shape::Secret, "\"${INFLUX_TOKEN}\"", "the API token").or("the environment variable INFLUX_TOKEN"),
        key("create_bucket", Shape::Boolean, "true", "create the bucket at start if it is missing").or("false"),
        key("batch", Shape::Integer { min: 1, max: MAX_BATCH }, "5000", "lines in one request at most").or("5000"),
        key("flush", Shape::Duration, "\"200ms\"", "a batch that is not full is sent after so long").or("\"200ms\""),
        key("timeout", Shape::Duration, "\"10s\"", "of one request").or("\"10s\""),
        key(
            "max_series",
            Shape::Integer { min: 1, max: MAX_SERIES },
            "100000",
            "series (measurements with their tags) written since the start at most; points of further ones are dead letters",
        )
        .or("no bound"),
    ],
    later: &[later("retry", "requests are retried with back-off until they succeed; tuning it comes with a later version")],
};

pub static LOCAL: Section = Section {
    title: "sinks.NAME, type = \"local\"",
    doc: "The embedded series store (SQLite) that the dashboard charts.",
    keys: &[
        TYPE,
        key("path", Shape::Text, "\"wasmill.db\"", "the database file, relative to this one").or("\"wasmill.db\""),
        key("retention", Shape::Duration, "\"7d\"", "points older than this are removed").or("kept for ever"),
        key("max_size", Shape::Size, "\"256 MiB\"", "the oldest points are removed to keep the file below this")
            .or("\"1 GiB\""),
    ],
    later: &[],
};

pub static KAFKA_SINK: Section = Section {
    title: "sinks.NAME, type = \"kafka\"",
    doc: "A Kafka topic; rows are JSON.",
    keys: &[
        TYPE,
        key("topic", Shape::Text, "\"event-analytics\"", "the topic").required(),
        key(
            "partitions",
            Shape::Integer { min: 1, max: MAX_PARTITIONS },
            "3",
            "creates the topic with so many partitions if it is missing",
        ),
    ],
    later: &[later("format", "other formats than JSON come with a later version")],
};

pub static STDOUT: Section = Section {
    title: "sinks.NAME, type = \"stdout\"",
    doc: "Standard output, one row a line.",
    keys: &[
        TYPE,
        key(
            "format",
            Shape::Choice { words: &["text", "line", "json"], later: &[] },
            "\"json\"",
            "text for people, line protocol or JSON",
        )
        .or("\"text\" on a terminal and \"line\" elsewhere"),
    ],
    later: &[],
};

pub static NULL: Section = Section {
    title: "sinks.NAME, type = \"null\"",
    doc: "Takes rows and forgets them, to measure the rest.",
    keys: &[TYPE],
    later: &[],
};
