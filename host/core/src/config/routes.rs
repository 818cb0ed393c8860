//! `[routes.NAME]`.

use super::connections::scalar;
use super::diagnostic::{Diagnostic, Spanned};
use super::keys;
use super::names::named;
use super::reader::{Context, Part, Table, check_path, check_plain};
use super::targets::targets;
use super::tree::{Entry, Node, Value};
use super::types::{Aggregate, KeyField, Route, Where};
use super::units::show_duration;
use super::windows;
use crate::path::Path;
use crate::plan::{At, OnLate, WindowSpec};
use crate::time::Nanos;

/// Routes without errors of their own.
pub fn routes(cx: &mut Context<'_>, root: &Table<'_>) -> Vec<Route> {
    let entries = named(cx, root, "routes");
    entries
        .into_iter()
        .filter_map(|entry| {
            let before = cx.errors();
            let route = route(cx, entry)?;
            (cx.errors() == before).then_some(route)
        })
        .collect()
}

fn route(cx: &mut Context<'_>, entry: &Entry) -> Option<Route> {
    let name = &entry.key.value;
    let table = Table::of(cx, &keys::ROUTE, format!("[routes.{name}]"), &entry.key.span, &entry.node)?;
    let from = table.text(cx, "from");
    if let Some(from) = &from {
        cx.uses(Part::From, from);
    }
    let conditions = conditions(cx, &table);
    let transform = table.texts(cx, "transform").unwrap_or_default();
    transform.iter().for_each(|plugin| cx.uses(Part::Plugin, plugin));
    let key = key_fields(cx, &table);
    let aggregate = aggregate(cx, &table);
    let to = targets(cx, &table, name);
    Some(Route { name: entry.key.clone(), from: from?, conditions, transform, key, aggregate, to })
}

fn conditions(cx: &mut Context<'_>, table: &Table<'_>) -> Vec<Where> {
    let mut conditions = Vec::new();
    for entry in table.members(cx, "where").unwrap_or_default() {
        condition(cx, entry, None, &mut conditions);
    }
    conditions
}

/// A nested table (`where = { data.currency = [..] }`) is a longer path.
fn condition(cx: &mut Context<'_>, entry: &Entry, parent: Option<&str>, conditions: &mut Vec<Where>) {
    let path = match parent {
        Some(parent) => format!("{parent}.{}", entry.key.value),
        None => entry.key.value.clone(),
    };
    if let Value::Table(members) = &entry.node.value {
        for member in members {
            condition(cx, member, Some(&path), conditions);
        }
        return;
    }
    let path = Spanned::new(path, entry.key.span.clone());
    let items = match &entry.node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let help = "write for example `where = { event_type = [\"purchase\", \"refund\"] }`";
    if items.is_empty() {
        let message = format!("`where` keeps no row: `{}` has no values", path.value);
        cx.push(Diagnostic::error(&entry.node.span, message, "this is empty").help(help));
    }
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        match scalar(item) {
            Some(value) => values.push(value),
            None => {
                let message = "`where` compares with strings, numbers and booleans";
                cx.push(Diagnostic::error(&item.span, message, format!("this is {}", item.kind())).help(help));
            }
        }
    }
    if check_path(cx, &path) {
        conditions.push(Where { path, values });
    }
}

fn key_fields(cx: &mut Context<'_>, table: &Table<'_>) -> Vec<KeyField> {
    let items = table.list(cx, "key").unwrap_or_default();
    let mut fields: Vec<KeyField> = Vec::with_capacity(items.len());
    for item in items {
        let Some(field) = key_field(cx, table, item) else { continue };
        if let Some(first) = fields.iter().find(|first| first.name == field.name) {
            cx.push(
                Diagnostic::error(
                    &field.path.span,
                    format!("two fields of the key of {} become the tag `{}`", table.title, field.name),
                    "the second",
                )
                .related(&first.path.span, "the first")
                .help(format!("give one another name: `{{ field = \"{}\", as = \"…\" }}`", field.path.value)),
            );
        }
        fields.push(field);
    }
    fields
}

fn key_field(cx: &mut Context<'_>, route: &Table<'_>, node: &Node) -> Option<KeyField> {
    let (path, name) = match &node.value {
        Value::Text { text, .. } => (Spanned::new(text.clone(), node.span.clone()), None),
        Value::Table(_) => {
            let table = Table::of(cx, &keys::KEY, format!("`key` of {}", route.title), &node.span, node)?;
            let name = table.text(cx, "as");
            (table.text(cx, "field")?, name)
        }
        _ => {
            cx.push(
                Diagnostic::error(
                    &node.span,
                    format!("`key` of {} is a list of fields", route.title),
                    format!("this is {}", node.kind()),
                )
                .help("write for example `key = [\"user_id\", { field = \"data.currency\", as = \"currency\" }]`"),
            );
            return None;
        }
    };
    if !check_path(cx, &path) {
        return None;
    }
    let last = Path::parse(&path.value).map(|path| path.last().to_owned()).unwrap_or_default();
    check_plain(cx, &path, "a key");
    Some(KeyField { name: name.map_or(last, |name| name.value), path })
}

/// Everything that has a meaning only together with `aggregate`.
fn aggregate(cx: &mut Context<'_>, table: &Table<'_>) -> Option<Aggregate> {
    let plugin = table.text(cx, "aggregate");
    if let Some(plugin) = &plugin {
        cx.uses(Part::Plugin, plugin);
    }
    let windows = windows::window(cx, table);
    let lateness = table.duration(cx, "lateness");
    let late = match table.choice(cx, "late") {
        Some("drop") => OnLate::Drop,
        _ => OnLate::DeadLetter,
    };
    let at = match table.choice(cx, "at") {
        Some("end") => At::End,
        _ => At::Start,
    };
    let early = early(cx, table);
    if !table.has("aggregate") {
        for key in ["key", "window", "lateness", "late", "emit", "at"] {
            if let Some(node) = table.any(key) {
                cx.push(
                    Diagnostic::error(
                        &node.span,
                        format!("`{key}` in {} has no meaning without `aggregate`", table.title),
                        "nothing is aggregated",
                    )
                    .help(format!(
                        "name an aggregator, for example `aggregate = \"builtin:count\"`, or remove `{key}`"
                    )),
                );
            }
        }
        return None;
    }
    if !table.has("window") {
        cx.push(
            Diagnostic::error(
                &table.span,
                format!("`window` is missing in {}", table.title),
                "aggregates, but over what time?",
            )
            .help("write for example `window = { tumbling = \"10s\" }`"),
        );
    }
    let windows = windows?;
    check_early(cx, &windows, early.as_ref());
    Some(Aggregate { plugin: plugin?, windows, lateness, late, early: early.map(|every| every.value), at })
}

fn early(cx: &mut Context<'_>, table: &Table<'_>) -> Option<Spanned<Nanos>> {
    let node = table.any("emit")?;
    Table::of(cx, &keys::EMIT, format!("`emit` of {}", table.title), &node.span, node)?.positive(cx, "every")
}

fn check_early(cx: &mut Context<'_>, windows: &Spanned<WindowSpec>, early: Option<&Spanned<Nanos>>) {
    let Some(early) = early else { return };
    let length = match &windows.value {
        WindowSpec::Tumbling { sizes, .. } => sizes.iter().copied().max().unwrap_or_default(),
        WindowSpec::Sliding { size, .. } => *size,
        WindowSpec::Session { .. } => {
            cx.push(
                Diagnostic::error(
                    &early.span,
                    "sessions are written once, when they end",
                    "no early rows for sessions",
                )
                .related(&windows.span, "a session")
                .help("remove `emit`"),
            );
            return;
        }
    };
    if early.value >= length {
        cx.push(
            Diagnostic::error(
                &early.span,
                "`emit.every` must be shorter than the window",
                format!("the window lasts {}", show_duration(length)),
            )
            .related(&windows.span, "the window")
            .help("choose a shorter time, or remove `emit`: a window is written when it closes"),
        );
    }
}
