//! Every key of the configuration, once: the reader refuses what is not here, `wasmill schema` and the reference follow it.

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    /// A text that is never shown.
    Secret,
    /// "5s", "1m30s"
    Duration,
    /// "64 MiB"
    Size,
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    /// One of `words`; `later` are known words that this version does not have.
    Choice {
        words: &'static [&'static str],
        later: &'static [&'static str],
    },
    /// A string, a number or a boolean.
    Scalar,
    Anything,
    List(&'static Shape),
    Table(&'static Section),
    /// A table with free keys.
    Map(&'static Shape),
    /// A table whose type tells which other keys it has.
    Tagged(&'static [(&'static str, &'static Section)]),
    Either(&'static [Shape]),
}

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// As it would be written; empty where there is none or it depends.
    pub default: &'static str,
    /// A valid value, as it is written in TOML.
    pub example: &'static str,
    pub doc: &'static str,
}

/// A word that a later version will know.
#[derive(Clone, Copy, Debug)]
pub struct Later {
    pub name: &'static str,
    pub doc: &'static str,
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// As a heading: `sources.NAME`.
    pub title: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
    pub later: &'static [Later],
}

impl Section {
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// One line that shows what the table looks like.
    pub fn example(&self) -> String {
        let shown: Vec<String> = self
            .keys
            .iter()
            .filter(|key| key.required)
            .chain(self.keys.iter().filter(|key| !key.required))
            .take(2)
            .map(|key| format!("{} = {}", key.name, key.example))
            .collect();
        format!("write for example {{ {} }}", shown.join(", "))
    }
}

impl Key {
    /// Of an integer.
    pub fn range(&self) -> (i64, i64) {
        match self.shape {
            Shape::Integer { min, max } => (min, max),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// Of a choice: the words, and those of later versions.
    pub fn words(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.shape {
            Shape::Choice { words, later } => (words, later),
            _ => (&[], &[]),
        }
    }

    const fn required(mut self) -> Key {
        self.required = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Key {
        self.default = default;
        self
    }
}

/// What [`Section::key`] never returns: stands in where a reader asks for a key that is not listed.
pub(super) static NO_KEY: Key = key("", Shape::Anything, "", "");

const fn key(name: &'static str, shape: Shape, example: &'static str, doc: &'static str) -> Key {
    Key { name, shape, required: false, default: "", example, doc }
}

const fn later(name: &'static str, doc: &'static str) -> Later {
    Later { name, doc }
}

const TEXTS: Shape = Shape::List(&Shape::Text);
/// A batch of lines or rows for a sink.
const MAX_BATCH: i64 = 100_000;
const MAX_PARTITIONS: i64 = 10_000;

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
            "the bearer token that the API and the page ask for; without it they are open to all who reach the address",
        ),
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
        key("time", Shape::Text, "\"timestamp\"", "path of the event's time; `@timestamp` is Kafka's own, `@now` the clock (processing time)")
            .or("\"@timestamp\""),
        key("time_format", Shape::Text, "\"rfc3339\"", "`auto` (RFC 3339 text, or a number in s, ms, µs or ns by its magnitude), `s`, `ms`, `us`, `ns`, `rfc3339`, or a strftime pattern such as `%Y-%m-%d %H:%M:%S`")
            .or("\"auto\""),
        key("out_of_orderness", Shape::Duration, "\"5s\"", "how far behind the newest event of its partition an event may be and still be in time")
            .or("\"5s\""),
        key("idle_after", Shape::Duration, "\"10s\"", "after so long at its end, a partition no longer holds windows open; `0s` = never")
            .or("\"10s\""),
        key("max_ahead", Shape::Duration, "\"1m\"", "events further in the future than this go to the dead letters")
            .or("\"1m\""),
        key("start", Shape::Text, "\"earliest\"", "where a new group starts: `latest`, `earliest`, a time in RFC 3339, or a time ago such as `-1h`")
            .or("\"latest\""),
        key("partitioned_by", TEXTS, "[\"user_id\"]", "the fields that the producer partitions the topic by: routes whose key covers them need no exchange"),
        key("partitions", Shape::Integer { min: 1, max: MAX_PARTITIONS }, "12", "creates the topic with so many partitions if it is missing"),
        key("on_invalid", Shape::Choice { words: &["dead-letter", "drop", "stop"], later: &[] }, "\"dead-letter\"", "what happens to events that cannot be decoded")
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
        key("limits", Shape::Table(&LIMITS), "{ memory = \"64 MiB\" }", LIMITS.doc),
    ],
    later: &[later("grants", "granting plugins more than log and metrics comes with a later version")],
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
    ],
    later: &[
        later("retry", "requests are retried with back-off until they succeed; tuning it comes with a later version"),
        later("max_series", "a bound on series comes with a later version"),
    ],
};

pub static LOCAL: Section = Section {
    title: "sinks.NAME, type = \"local\"",
    doc: "The embedded series store (SQLite) that the dashboard charts.",
    keys: &[
        TYPE,
        key("path", Shape::Text, "\"wasmill.db\"", "the database file, relative to this one").or("\"wasmill.db\""),
        key("retention", Shape::Duration, "\"7d\"", "points older than this are removed").or("kept for ever"),
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
        key("format", Shape::Choice { words: &["line", "json"], later: &[] }, "\"json\"", "line protocol or JSON")
            .or("\"line\""),
    ],
    later: &[],
};

pub static NULL: Section = Section {
    title: "sinks.NAME, type = \"null\"",
    doc: "Takes rows and forgets them, to measure the rest.",
    keys: &[TYPE],
    later: &[],
};

const SCALARS: Shape = Shape::List(&Shape::Scalar);

pub static ROUTE: Section = Section {
    title: "routes.NAME",
    doc: "The way of events from a source (or another route) through plugins and windows to sinks.",
    keys: &[
        key("from", Shape::Text, "\"events\"", "a source, a route, or one output of a route's last transformer: `route.output`").required(),
        key("where", Shape::Map(&Shape::Either(&[Shape::Scalar, SCALARS])), "{ event_type = [\"purchase\"] }", "keeps only rows whose field has one of the values; all fields must match"),
        key("transform", TEXTS, "[\"validate\"]", "transformer plugins, in order"),
        key("key", Shape::List(&Shape::Either(&[Shape::Text, Shape::Table(&KEY)])), "[\"user_id\"]", "the fields that rows are grouped by; each becomes a tag named by the last part of its path; empty = one group for all").or("[]"),
        key("aggregate", Shape::Text, "\"builtin:count\"", "the aggregator plugin that folds the rows of a key in a window"),
        key("window", Shape::Table(&WINDOW), "{ tumbling = \"10s\" }", WINDOW.doc),
        key("lateness", Shape::Duration, "\"1m\"", "how long after its window closed an event still corrects it: the same point is written again").or("\"0s\""),
        key("late", Shape::Choice { words: &["dead-letter", "drop"], later: &[] }, "\"dead-letter\"", "what happens to events that are later than that").or("\"dead-letter\""),
        key("emit", Shape::Table(&EMIT), "{ every = \"1s\" }", EMIT.doc),
        key("at", Shape::Choice { words: &["start", "end"], later: &[] }, "\"start\"", "which end of its window a row's time is").or("\"start\""),
        key("to", Shape::List(&Shape::Either(&[Shape::Text, Shape::Table(&TARGET)])), "[\"charts\"]", "the sinks that rows go to"),
    ],
    later: &[
        Later { name: "operate", doc: "operators (keyed state with timers) come with a later version" },
        Later { name: "order", doc: "operators (keyed state with timers) come with a later version" },
        Later { name: "ttl", doc: "operators (keyed state with timers) come with a later version" },
        Later { name: "join", doc: "joining reference data comes with a later version" },
    ],
};

pub static KEY: Section = Section {
    title: "routes.NAME.key",
    doc: "A field of the key with another name for its tag.",
    keys: &[
        key("field", Shape::Text, "\"data.currency\"", "the path of the field").required(),
        key("as", Shape::Text, "\"currency\"", "the tag's name").or("the last part of the path"),
    ],
    later: &[],
};

pub static WINDOW: Section = Section {
    title: "routes.NAME.window",
    doc: "Which rows are folded together, by event time: exactly one of `tumbling`, `sliding`, `session`.",
    keys: &[
        key(
            "tumbling",
            Shape::Either(&[Shape::Duration, Shape::List(&Shape::Duration)]),
            "\"10s\"",
            "windows that follow one another; a list is a rollup: each size divides the next, and rows carry the tag `window`",
        ),
        key("sliding", Shape::Duration, "\"30s\"", "the length of windows that overlap; needs `every`"),
        key("every", Shape::Duration, "\"10s\"", "how far a sliding window moves"),
        key("session", Shape::Duration, "\"15m\"", "the gap without events that ends a session"),
        key("max", Shape::Duration, "\"6h\"", "the longest a session may last; needs `session`").or("\"24h\""),
        key("offset", Shape::Duration, "\"15m\"", "moves the windows' starts, of `tumbling` and `sliding`")
            .or("\"0s\""),
        key("timezone", Shape::Text, "\"Europe/Berlin\"", "days and weeks start at midnight there; of `tumbling`")
            .or("UTC"),
    ],
    later: &[],
};

pub static EMIT: Section = Section {
    title: "routes.NAME.emit",
    doc: "Rows of windows that still run.",
    keys: &[key("every", Shape::Duration, "\"1s\"", "how often rows of running windows are written, by the clock")
        .required()],
    later: &[],
};

pub static TARGET: Section = Section {
    title: "routes.NAME.to",
    doc: "A sink, and how rows are written there.",
    keys: &[
        key("sink", Shape::Text, "\"charts\"", "the sink's name").required(),
        key("measurement", Shape::Text, "\"revenue\"", "the measurement").or("the route's name"),
        key("tags", TEXTS, "[\"source\"]", "which columns are tags")
            .or("the route's key and what the plugin declares as tags"),
        key(
            "fields",
            TEXTS,
            "[\"amount\"]",
            "which columns are fields; without an aggregation also paths of the event",
        )
        .or("all columns that are not tags"),
        key("key", TEXTS, "[\"user_id\"]", "of a Kafka sink: the columns that make the message's key")
            .or("the route's key"),
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
