//! `[sources.NAME]`.

use super::connections::check_topic;
use super::diagnostic::{Diagnostic, Spanned};
use super::keys;
use super::names::named;
use super::reader::{Context, Table, check_path, check_plain};
use super::tree::Entry;
use super::types::{Source, Start};
use super::units;
use crate::decode_spec::{Format, TimeFormat};
use crate::path::{Path, RecordField};
use crate::plan::OnInvalid;
use crate::time::{MINUTE, SECOND};

const DEFAULT_OUT_OF_ORDERNESS: i64 = 5 * SECOND;
const DEFAULT_IDLE_AFTER: i64 = 10 * SECOND;
const DEFAULT_MAX_AHEAD: i64 = MINUTE;

pub fn sources(cx: &mut Context<'_>, root: &Table<'_>) -> Vec<Source> {
    let entries = named(cx, root, "sources");
    entries.into_iter().filter_map(|entry| source(cx, entry)).collect()
}

fn source(cx: &mut Context<'_>, entry: &Entry) -> Option<Source> {
    let name = &entry.key.value;
    let table = Table::of(cx, &keys::SOURCE, format!("[sources.{name}]"), &entry.key.span, &entry.node)?;
    let format = match table.choice(cx, "format") {
        Some("text") => Format::Text,
        Some("raw") => Format::Raw,
        _ => Format::Json,
    };
    let duration = |cx: &mut Context<'_>, key: &str, default| table.duration(cx, key).map_or(default, |d| d.value);
    let group = table.text(cx, "group");
    Some(Source {
        name: entry.key.clone(),
        topics: topics(cx, &table),
        group: group.map_or_else(|| format!("wasmill-{name}"), |group| group.value),
        format,
        time: time(cx, &table, format),
        time_format: time_format(cx, &table),
        out_of_orderness: duration(cx, "out_of_orderness", DEFAULT_OUT_OF_ORDERNESS),
        idle_after: duration(cx, "idle_after", DEFAULT_IDLE_AFTER),
        max_ahead: duration(cx, "max_ahead", DEFAULT_MAX_AHEAD),
        start: start(cx, &table),
        partitioned_by: partitioned_by(cx, &table),
        partitions: table.integer(cx, "partitions").map(|partitions| partitions.value as u32),
        on_invalid: match table.choice(cx, "on_invalid") {
            Some("drop") => OnInvalid::Drop,
            Some("stop") => OnInvalid::Stop,
            _ => OnInvalid::DeadLetter,
        },
    })
}

fn partitioned_by(cx: &mut Context<'_>, table: &Table<'_>) -> Vec<Spanned<String>> {
    let paths = table.paths(cx, "partitioned_by").unwrap_or_default();
    paths.iter().for_each(|path| check_plain(cx, path, "what a topic is partitioned by"));
    paths
}

fn topics(cx: &mut Context<'_>, table: &Table<'_>) -> Vec<String> {
    let one = table.text(cx, "topic");
    let many = table.texts(cx, "topics");
    match (&one, &many, table.any("topic").or(table.any("topics"))) {
        (Some(one), Some(_), _) => cx.push(
            Diagnostic::error(
                &one.span,
                format!("{} has both `topic` and `topics`", table.title),
                "one of them is enough",
            )
            .help("move this topic into `topics`"),
        ),
        (None, Some(many), Some(node)) if many.is_empty() => cx.push(
            Diagnostic::error(&node.span, format!("`topics` in {} is empty", table.title), "nothing to read")
                .help("name at least one topic"),
        ),
        (None, None, None) => cx.push(
            Diagnostic::error(&table.span, format!("`topic` is missing in {}", table.title), "has to be given here")
                .help("write for example `topic = \"user-events\"`, or `topics = [\"clicks\", \"views\"]`"),
        ),
        _ => {}
    }
    let topics: Vec<Spanned<String>> = one.into_iter().chain(many.unwrap_or_default()).collect();
    for (i, topic) in topics.iter().enumerate() {
        check_topic(cx, topic);
        if let Some(first) = topics[..i].iter().find(|first| first.value == topic.value) {
            cx.push(
                Diagnostic::error(&topic.span, format!("the topic `{}` is named twice", topic.value), "again here")
                    .related(&first.span, "first here")
                    .help("remove one"),
            );
        }
    }
    topics.into_iter().map(|topic| topic.value).collect()
}

fn time(cx: &mut Context<'_>, table: &Table<'_>, format: Format) -> Spanned<String> {
    let Some(time) = table.text(cx, "time") else { return Spanned::new("@timestamp".to_owned(), table.span.clone()) };
    if time.value == "@now" || !check_path(cx, &time) {
        return time;
    }
    let help = "give the path of a field, `@timestamp` for Kafka's time, or `@now` for the clock";
    match Path::parse(&time.value) {
        Ok(Path::Record(RecordField::Time | RecordField::Topic | RecordField::Partition | RecordField::Offset)) => {
            let message = format!("`{}` cannot be an event's time", time.value);
            cx.push(Diagnostic::error(&time.span, message, "not a time").help(help));
        }
        Ok(path) if path.is_payload() && format != Format::Json => {
            let message = "payloads of this format have no fields to take the time from";
            cx.push(Diagnostic::error(&time.span, message, "needs `format = \"json\"`").help(help));
        }
        _ => {}
    }
    time
}

fn time_format(cx: &mut Context<'_>, table: &Table<'_>) -> TimeFormat {
    const WORDS: [&str; 6] = ["auto", "s", "ms", "us", "ns", "rfc3339"];
    let Some(format) = table.text(cx, "time_format") else { return TimeFormat::Auto };
    match format.value.as_str() {
        "auto" => TimeFormat::Auto,
        "s" => TimeFormat::Seconds,
        "ms" => TimeFormat::Milliseconds,
        "us" | "µs" => TimeFormat::Microseconds,
        "ns" => TimeFormat::Nanoseconds,
        "rfc3339" => TimeFormat::Rfc3339,
        pattern if pattern.contains('%') => {
            check_pattern(cx, &format);
            TimeFormat::Pattern(pattern.to_owned())
        }
        other => {
            cx.push(
                Diagnostic::error(
                    &format.span,
                    "`time_format` is neither a known word nor a strftime pattern",
                    "not known",
                )
                .help(super::diagnostic::did_you_mean(
                    other,
                    WORDS,
                    "write a pattern such as \"%Y-%m-%d %H:%M:%S\", or one of",
                )),
            );
            TimeFormat::Auto
        }
    }
}

/// A pattern that cannot print a time cannot read one either.
fn check_pattern(cx: &mut Context<'_>, pattern: &Spanned<String>) {
    let zoned = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    if let Err(error) = jiff::fmt::strtime::format(&pattern.value, &zoned) {
        cx.push(
            Diagnostic::error(&pattern.span, "this is not a strftime pattern", error.to_string())
                .help("for example \"%Y-%m-%d %H:%M:%S\" or \"%d/%b/%Y:%H:%M:%S %z\""),
        );
    }
}

fn start(cx: &mut Context<'_>, table: &Table<'_>) -> Start {
    let Some(start) = table.text(cx, "start") else { return Start::Latest };
    match start.value.as_str() {
        "latest" => return Start::Latest,
        "earliest" => return Start::Earliest,
        _ => {}
    }
    if let Some(ago) = start.value.strip_prefix('-').and_then(|ago| units::duration(ago).ok()) {
        return Start::Ago(ago);
    }
    match start.value.parse::<jiff::Timestamp>().ok().and_then(|time| i64::try_from(time.as_nanosecond()).ok()) {
        Some(nanos) => Start::At(nanos),
        None => {
            cx.push(
                Diagnostic::error(
                    &start.span,
                    format!("`start` in {} is not a place to start from", table.title),
                    "not known",
                )
                .help(
                    "write \"latest\", \"earliest\", a time such as \"2026-01-31T08:00:00Z\", \
                         or a time ago such as \"-1h\"",
                ),
            );
            Start::Latest
        }
    }
}
