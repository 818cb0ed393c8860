//! A route's `to`.

use super::diagnostic::{Diagnostic, Spanned};
use super::keys;
use super::reader::{Context, Part, Table};
use super::tree::{Node, Value};
use super::types::To;

pub fn targets(cx: &mut Context<'_>, route: &Table<'_>, name: &str) -> Vec<To> {
    let items = route.list(cx, "to").unwrap_or_default();
    let mut targets: Vec<To> = Vec::with_capacity(items.len());
    for item in items {
        let Some(target) = target(cx, route, name, item) else { continue };
        cx.uses(Part::Sink, &target.sink);
        let same = |other: &&To| other.sink.value == target.sink.value && other.measurement == target.measurement;
        if let Some(first) = targets.iter().find(same) {
            cx.push(
                Diagnostic::error(
                    &target.sink.span,
                    format!("{} writes twice to `{}`", route.title, target.sink.value),
                    "again here",
                )
                .related(&first.sink.span, "first here")
                .help("remove one, or give it another `measurement`"),
            );
        }
        targets.push(target);
    }
    targets
}

fn target(cx: &mut Context<'_>, route: &Table<'_>, name: &str, node: &Node) -> Option<To> {
    match &node.value {
        Value::Text { text, .. } => Some(To {
            sink: Spanned::new(text.clone(), node.span.clone()),
            measurement: name.to_owned(),
            tags: None,
            fields: None,
            key: None,
        }),
        Value::Table(_) => {
            let table = Table::of(cx, &keys::TARGET, format!("`to` of {}", route.title), &node.span, node)?;
            let sink = table.text(cx, "sink");
            let measurement = table.text(cx, "measurement");
            let tags = table.paths(cx, "tags");
            let fields = table.paths(cx, "fields");
            let key = table.paths(cx, "key");
            if let (Some(node), Some(true)) = (table.any("fields"), fields.as_ref().map(Vec::is_empty)) {
                let message = format!("`fields` in `to` of {} is empty: a point needs a field", route.title);
                cx.push(
                    Diagnostic::error(&node.span, message, "this is empty").help("leave it out to write all columns"),
                );
            }
            Some(To {
                sink: sink?,
                measurement: measurement.map_or_else(|| name.to_owned(), |measurement| measurement.value),
                tags,
                fields,
                key,
            })
        }
        _ => {
            cx.push(
                Diagnostic::error(
                    &node.span,
                    format!("`to` of {} is a list of sinks", route.title),
                    format!("this is {}", node.kind()),
                )
                .help("write for example `to = [\"charts\", { sink = \"charts\", measurement = \"revenue\" }]`"),
            );
            None
        }
    }
}
