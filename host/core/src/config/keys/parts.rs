//! The keys of everything but sinks and routes.

use super::{MAX_PARTITIONS, ROUTE, SINKS, Section, Shape, TEXTS, key, later};

pub static ROOT: Section = Section {
    title: "",
    doc: "A pipeline: where events come from, which plugins run on them, and where the results go.",
    keys: &[
        key("server", Shape::Table(&SERVER), "{}", SERVER.doc),
        key("kafka", Shape::Table(&KAFKA), "{}", KAFKA.doc),
        key("checkpoint", Shape::Table(&CHECKPOINT), "{}", CHECKPOINT.doc),
        key("sources", Shape::Map(&Shape::Table(&SOURCE)), "{}", SOURCE.doc),
        key("plugins", Shape::Map(&Shape::Table(&PLUGIN)), "{}", PLUGIN.doc),
        key(
            "sinks",
            Shape::Map(&Shape::Tagged(&SINKS)),
            "{}",
            "Where rows go. `type` says which other keys there are.",
        ),
        key("routes", Shape::Map(&Shape::Table(&ROUTE)), "{}", ROUTE.doc),
        key("tests", Shape::List(&Shape::Table(&TEST)), "[]", TEST.doc),
    ],
    later: &[
        later("tables", "reference data for `join` comes with a later version"),
        later("alerts", "alerts come with a later version"),
    ],
};

pub static SERVER: Section = Section {
    title: "server",
    doc: "The HTTP server: dashboard, API, metrics, health.",
    keys: &[
        key("listen", Shape::Text, "\"127.0.0.1:8080\"", "address and port that the server listens on")
            .or("\"127.0.0.1:8080\""),
        key(
            "token",
            Shape::Secret,
            "\"${WASMILL_TOKEN}\"",
            "the bearer token that the API and the page ask for; without it they are open to \
                 all who reach the address, and nothing can be changed through them",
        ),
        key(
            "state",
            Shape::Text,
            "\".wasmill\"",
            "a folder, relative to this file, for the releases of plugins that ran and their history",
        )
        .or("the environment variable WASMILL_STATE, or \".wasmill\""),
    ],
    later: &[
        later("ingest", "taking events over HTTP comes with a later version"),
        later("kpi", "the KPI API comes with a later version"),
    ],
};

pub static KAFKA: Section = Section {
    title: "kafka",
    doc: "How Kafka is reached.",
    keys: &[
        key("brokers", Shape::Text, "\"localhost:9092\"", "brokers to start from, separated by commas")
            .or("the environment variable KAFKA_BROKERS, or \"localhost:9092\""),
        key(
            "properties",
            Shape::Map(&Shape::Scalar),
            "{ \"security.protocol\" = \"SASL_SSL\" }",
            "passed to librdkafka untouched, for consumers and producers; may hold passwords and is never shown",
        ),
        key(
            "dead_letter_prefix",
            Shape::Text,
            "\"wasmill\"",
            "events that cannot be used go to the topic `<prefix>.<source>.dead-letters`",
        )
        .or("\"wasmill\""),
    ],
    later: &[later("registry", "schema registries come with a later version")],
};

pub static CHECKPOINT: Section = Section {
    title: "checkpoint",
    doc: "How often the position reached is committed.",
    keys: &[key("interval", Shape::Duration, "\"1s\"", "the time between two commits of offsets").or("\"1s\"")],
    later: &[],
};

pub static SOURCE: Section = Section {
    title: "sources.NAME",
    doc: "A topic, or several, that are read together.",
    keys: &[
        key("topic", Shape::Text, "\"user-events\"", "the topic to read; or give `topics`"),
        key("topics", TEXTS, "[\"clicks\", \"views\"]", "the topics to read, instead of `topic`"),
        key("group", Shape::Text, "\"wasmill-events\"", "the consumer group").or("\"wasmill-\" and the source's name"),
        key(
            "format",
            Shape::Choice { words: &["json", "text", "raw"], later: &["avro", "protobuf", "csv"] },
            "\"json\"",
            "how payloads are written; with `text` and `raw` a plugin reads the payload as `@value`",
        )
        .or("\"json\""),
        key(
            "time",
            Shape::Text,
            "\"timestamp\"",
            "path of the event's time; `@timestamp` is Kafka's own, `@now` the clock (processing \
             time)",
        )
        .or("\"@timestamp\""),
        key(
            "time_format",
            Shape::Text,
            "\"rfc3339\"",
            "`auto` (RFC 3339 text, or a number in s, ms, µs or ns by its magnitude), `s`, `ms`, \
             `us`, `ns`, `rfc3339`, or a strftime pattern such as `%Y-%m-%d %H:%M:%S`",
        )
        .or("\"auto\""),
        key(
            "out_of_orderness",
            Shape::Duration,
            "\"5s\"",
            "how far behind the newest event of its partition an event may be and still be in \
             time",
        )
        .or("\"5s\""),
        key(
            "idle_after",
            Shape::Duration,
            "\"10s\"",
            "after so long at its end, a partition no longer holds windows open; `0s` = never",
        )
        .or("\"10s\""),
        key("max_ahead", Shape::Duration, "\"1m\"", "events further in the future than this go to the dead letters")
            .or("\"1m\""),
        key(
            "start",
            Shape::Text,
            "\"earliest\"",
            "where a new group starts: `latest`, `earliest`, a time in RFC 3339, or a time ago \
             such as `-1h`",
        )
        .or("\"latest\""),
        key(
            "partitioned_by",
            TEXTS,
            "[\"user_id\"]",
            "the fields that the producer partitions the topic by: routes whose key covers them \
             need no exchange",
        ),
        key(
            "partitions",
            Shape::Integer { min: 1, max: MAX_PARTITIONS },
            "12",
            "creates the topic with so many partitions if it is missing",
        ),
        key(
            "on_invalid",
            Shape::Choice { words: &["dead-letter", "drop", "stop"], later: &[] },
            "\"dead-letter\"",
            "what happens to events that cannot be decoded",
        )
        .or("\"dead-letter\""),
    ],
    later: &[
        later("registry", "schema registries come with a later version"),
        later("schema", "formats with schemas come with a later version"),
    ],
};

pub static PLUGIN: Section = Section {
    title: "plugins.NAME",
    doc: "A WebAssembly plugin. Built-in ones can be used in a route straight away, as `builtin:count`.",
    keys: &[
        key("path", Shape::Text, "\"plugins/revenue.wasm\"", "the file, relative to this one, or `builtin:NAME`")
            .required(),
        key(
            "sha256",
            Shape::Text,
            "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
            "refuse the file unless this is its SHA-256",
        ),
        key("config", Shape::Map(&Shape::Anything), "{ field = \"value\" }", "handed to the plugin as it is").or("{}"),
        key(
            "grants",
            Shape::List(&Shape::Choice { words: &["clock", "random"], later: &[] }),
            "[\"clock\"]",
            "what the plugin may use beyond log and metrics: `clock` reads the time, `random` draws numbers that nobody can \
             foretell; with either, reading events again may give other results",
        )
        .or("[]"),
        key("limits", Shape::Table(&LIMITS), "{ memory = \"64 MiB\" }", LIMITS.doc),
    ],
    later: &[],
};

pub static LIMITS: Section = Section {
    title: "plugins.NAME.limits",
    doc: "What one instance of the plugin may use. Reaching a limit fails the call, not the process.",
    keys: &[
        key("memory", Shape::Size, "\"64 MiB\"", "linear memory of an instance").or("\"64 MiB\""),
        key("call", Shape::Duration, "\"1s\"", "time of one call").or("\"1s\""),
        key("output", Shape::Size, "\"8 MiB\"", "what one call may return").or("\"8 MiB\""),
    ],
    later: &[],
};

pub static TEST: Section = Section {
    title: "tests",
    doc: "A test of the pipeline: `wasmill test` runs it without a broker, on a simulated clock.",
    keys: &[
        key("name", Shape::Text, "\"a late order corrects its hour\"", "what the test shows").required(),
        key(
            "input",
            Shape::Map(&Shape::Text),
            "{ events = \"tests/late.ndjson\" }",
            "for each source a file with its events",
        )
        .required(),
        key(
            "expect",
            Shape::Map(&Shape::Text),
            "{ charts = \"tests/late.lp\" }",
            "for each sink a file with the rows that it must get",
        )
        .required(),
    ],
    later: &[],
};
