//! `[sinks.NAME]`.

use super::connections::check_topic;
use super::diagnostic::Diagnostic;
use super::keys;
use super::names::named;
use super::reader::{Context, Table};
use super::secret::Secret;
use super::tree::{Entry, Value};
use super::types::*;
use crate::time::{MILLISECOND, SECOND};

const DEFAULT_BATCH_LINES: i64 = 5000;
const DEFAULT_FLUSH: i64 = 200 * MILLISECOND;
const DEFAULT_TIMEOUT: i64 = 10 * SECOND;

pub fn sinks(cx: &mut Context<'_>, root: &Table<'_>) -> Vec<Sink> {
    let entries = named(cx, root, "sinks");
    entries.into_iter().filter_map(|entry| sink(cx, entry)).collect()
}

fn sink(cx: &mut Context<'_>, entry: &Entry) -> Option<Sink> {
    let title = format!("[sinks.{}]", entry.key.value);
    let Value::Table(entries) = &entry.node.value else {
        return Table::of(cx, &keys::SINK_TYPE, title, &entry.key.span, &entry.node).and(None);
    };
    // `type` decides which other keys there are, so it is read first and alone.
    let kind: Vec<Entry> = entries.iter().filter(|entry| entry.key.value == "type").cloned().collect();
    let kind = Table::new(cx, &keys::SINK_TYPE, title.as_str(), &entry.key.span, &kind).choice(cx, "type")?;
    let (_, section) = keys::SINKS.iter().find(|(name, _)| *name == kind)?;
    let table = Table::new(cx, section, title, &entry.key.span, entries);
    let kind = match kind {
        "influxdb" => SinkKind::Influxdb(influxdb(cx, &table)?),
        "local" => SinkKind::Local(Local {
            path: table.text(cx, "path").map_or_else(|| "wasmill.db".to_owned(), |path| path.value),
            retention: table.positive(cx, "retention").map(|retention| retention.value),
            max_bytes: table.size(cx, "max_size").map(|size| size.value),
        }),
        "kafka" => SinkKind::Kafka(kafka(cx, &table)?),
        "stdout" => SinkKind::Stdout(Stdout {
            format: table.choice(cx, "format").map(|format| match format {
                "text" => StdoutFormat::Text,
                "json" => StdoutFormat::Json,
                _ => StdoutFormat::Line,
            }),
        }),
        _ => SinkKind::Null,
    };
    Some(Sink { name: entry.key.clone(), kind })
}

fn influxdb(cx: &mut Context<'_>, table: &Table<'_>) -> Option<Influxdb> {
    let url = table.text(cx, "url");
    if let Some(url) = &url {
        let rest = url.value.strip_prefix("http://").or_else(|| url.value.strip_prefix("https://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
            cx.push(
                Diagnostic::error(
                    &url.span,
                    format!("`url` in {} is not an address of the web", table.title),
                    "needs http:// or https:// and a host",
                )
                .help("write for example `url = \"http://localhost:8086\"`"),
            );
        }
    }
    let org = table.text(cx, "org").map(|org| org.value).or_else(|| (cx.vars)("INFLUX_ORG"));
    let token = table.secret(cx, "token").map(|token| token.value);
    let token = token.or_else(|| (cx.vars)("INFLUX_TOKEN").filter(|token| !token.is_empty()).map(Secret::new));
    let create_bucket = table.boolean(cx, "create_bucket").unwrap_or(false);
    let batch = table.integer(cx, "batch").map_or(DEFAULT_BATCH_LINES, |batch| batch.value);
    let flush = table.positive(cx, "flush").map_or(DEFAULT_FLUSH, |flush| flush.value);
    let max_series = table.integer(cx, "max_series").map(|series| series.value as usize);
    let timeout = table.positive(cx, "timeout").map_or(DEFAULT_TIMEOUT, |timeout| timeout.value);
    Some(Influxdb {
        url: url.map_or_else(|| "http://localhost:8086".to_owned(), |url| url.value.trim_end_matches('/').to_owned()),
        org: org.unwrap_or_else(|| "wasmill".to_owned()),
        bucket: table.text(cx, "bucket")?.value,
        token,
        create_bucket,
        batch_lines: batch as usize,
        flush,
        timeout,
        max_series,
    })
}

fn kafka(cx: &mut Context<'_>, table: &Table<'_>) -> Option<KafkaSink> {
    let topic = table.text(cx, "topic");
    if let Some(topic) = &topic {
        check_topic(cx, topic);
    }
    let partitions = table.integer(cx, "partitions").map(|partitions| partitions.value as u32);
    Some(KafkaSink { topic: topic?.value, partitions })
}
