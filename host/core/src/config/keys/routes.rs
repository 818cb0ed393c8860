//! The keys of routes.

use super::{Later, Section, Shape, TEXTS, key};

const SCALARS: Shape = Shape::List(&Shape::Scalar);

pub static ROUTE: Section = Section {
    title: "routes.NAME",
    doc: "The way of events from a source (or another route) through plugins and windows to sinks.",
    keys: &[
        key(
            "from",
            Shape::Text,
            "\"events\"",
            "a source, a route, or one output of a route's last transformer: `route.output`",
        )
        .required(),
        key(
            "where",
            Shape::Map(&Shape::Either(&[Shape::Scalar, SCALARS, Shape::Map(&Shape::Anything)])),
            "{ event_type = [\"purchase\"] }",
            "keeps only rows whose field has one of the values; all fields must match",
        ),
        key("transform", TEXTS, "[\"validate\"]", "transformer plugins, in order"),
        key(
            "key",
            Shape::List(&Shape::Either(&[Shape::Text, Shape::Table(&KEY)])),
            "[\"user_id\"]",
            "the fields that rows are grouped by; each becomes a tag named by the last part of \
             its path; empty = one group for all",
        )
        .or("[]"),
        key(
            "aggregate",
            Shape::Text,
            "\"builtin:count\"",
            "the aggregator plugin that folds the rows of a key in a window",
        ),
        key("window", Shape::Table(&WINDOW), "{ tumbling = \"10s\" }", WINDOW.doc),
        key(
            "lateness",
            Shape::Duration,
            "\"1m\"",
            "how long after its window closed an event still corrects it: the same point is \
             written again; of exchanged sessions, how long they wait for it",
        )
        .or("\"0s\""),
        key(
            "late",
            Shape::Choice { words: &["dead-letter", "drop"], later: &[] },
            "\"dead-letter\"",
            "what happens to events that are later than that",
        )
        .or("\"dead-letter\""),
        key("emit", Shape::Table(&EMIT), "{ every = \"1s\" }", EMIT.doc),
        key(
            "at",
            Shape::Choice { words: &["start", "end"], later: &[] },
            "\"start\"",
            "which end of its window a row's time is",
        )
        .or("\"start\""),
        key(
            "to",
            Shape::List(&Shape::Either(&[Shape::Text, Shape::Table(&TARGET)])),
            "[\"charts\"]",
            "the sinks that rows go to",
        ),
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
            "windows that follow one another; a list is a rollup: each size divides the next, \
                 and rows carry the tag `window`",
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
