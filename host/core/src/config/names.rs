//! Names: what they may look like, and that every one that is used exists.

use std::collections::BTreeSet;

use super::diagnostic::{Diagnostic, Spanned, did_you_mean};
use super::reader::{Context, Part, Table};
use super::tree::Entry;
use super::types::*;

/// The members of the root's table `part`, with their names checked.
pub fn named<'n>(cx: &mut Context<'_>, root: &Table<'n>, part: &str) -> Vec<&'n Entry> {
    const MAX_NAME_CHARS: usize = 100;
    let entries = root.members(cx, part).unwrap_or_default();
    for Entry { key, .. } in entries {
        let well = key.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !well || key.value.is_empty() || key.value.len() > MAX_NAME_CHARS {
            cx.push(
                Diagnostic::error(&key.span, format!("`{}` cannot be a name in [{part}]", key.value), "not a name")
                    .help(format!("names have letters, digits, `_` and `-`, at most {MAX_NAME_CHARS}")),
            );
        }
    }
    entries.iter().collect()
}

/// Names that the file gives to the parts of one kind, also to those that had errors: they are not reported as missing.
fn given(root: &Table<'_>, part: &str) -> BTreeSet<String> {
    match root.any(part).map(|node| &node.value) {
        Some(super::tree::Value::Table(entries)) => entries.iter().map(|entry| entry.key.value.clone()).collect(),
        _ => BTreeSet::new(),
    }
}

/// Reports dangling names and cycles, adds the built-in plugins that routes name straight away, and takes out the routes that
/// cannot be planned.
pub fn resolve(cx: &mut Context<'_>, root: &Table<'_>, config: &mut Config) {
    let sources = given(root, "sources");
    let plugins = given(root, "plugins");
    let sinks = given(root, "sinks");
    let routes = given(root, "routes");
    add_builtins(config);
    for name in sources.intersection(&routes) {
        if let Some(route) = config.route(name) {
            let message = format!("`{name}` is a source and a route: `from = \"{name}\"` could mean both");
            cx.push(Diagnostic::error(&route.name.span, message, "the route").help("rename one of them"));
        }
    }
    for (part, name) in std::mem::take(&mut cx.used) {
        match part {
            Part::From => check_from(cx, &name, &sources, &routes),
            Part::Source => check(cx, &name, &sources, "source", "sources"),
            Part::Sink => check(cx, &name, &sinks, "sink", "sinks"),
            Part::Plugin if name.value.starts_with(BUILTIN) => {}
            Part::Plugin => check(cx, &name, &plugins, "plugin", "plugins"),
        }
    }
    report_cycles(cx, config);
    if routes.is_empty() && cx.errors() == 0 {
        let message = "there are no routes, so nothing would be done";
        cx.push(Diagnostic::error(&(0..0), message, "no `[routes.NAME]` in this file").help(
            "add for example `[routes.events]` with `from = \"…\"`, `aggregate = \
                     \"builtin:count\"`, `window = { tumbling = \"10s\" }` and `to = [\"…\"]`",
        ));
    }
    remove_unplannable(config);
}

fn check(cx: &mut Context<'_>, name: &Spanned<String>, known: &BTreeSet<String>, what: &str, part: &str) {
    if known.contains(&name.value) {
        return;
    }
    let near = did_you_mean(&name.value, known.iter().map(String::as_str), &format!("the {part} are"));
    let help = if known.is_empty() { format!("add `[{part}.{}]`", name.value) } else { near };
    cx.push(Diagnostic::error(&name.span, format!("there is no {what} `{}`", name.value), "not defined").help(help));
}

fn check_from(cx: &mut Context<'_>, from: &Spanned<String>, sources: &BTreeSet<String>, routes: &BTreeSet<String>) {
    let (name, output) = split_from(&from.value);
    if routes.contains(name) || (output.is_none() && sources.contains(name)) {
        return;
    }
    let error = if sources.contains(name) {
        Diagnostic::error(&from.span, format!("`{name}` is a source, which has no outputs"), "not an output")
            .help(format!("write `from = \"{name}\"`"))
    } else {
        let known = sources.iter().chain(routes).map(String::as_str);
        Diagnostic::error(&from.span, format!("there is no source or route `{name}`"), "not defined")
            .help(did_you_mean(name, known, "sources and routes are"))
    };
    cx.push(error);
}

/// `route.output` → the route and the output.
pub fn split_from(from: &str) -> (&str, Option<&str>) {
    match from.split_once('.') {
        Some((route, output)) => (route, Some(output)),
        None => (from, None),
    }
}

fn report_cycles(cx: &mut Context<'_>, config: &Config) {
    let mut reported: BTreeSet<&str> = BTreeSet::new();
    for route in config.routes.iter().filter(|route| config.source(&route.from.value).is_none()) {
        let mut seen: Vec<&Route> = vec![route];
        let mut next = config.route(split_from(&route.from.value).0);
        while let Some(parent) = next {
            if parent.name.value == route.name.value {
                if seen.iter().all(|member| reported.insert(&member.name.value)) {
                    let mut names: Vec<&str> = seen.iter().map(|member| member.name.value.as_str()).collect();
                    names.push(&route.name.value);
                    let mut error = Diagnostic::error(
                        &route.from.span,
                        format!("routes read from one another in a circle: {}", names.join(" ← ")),
                        "no event would ever come in",
                    );
                    for member in &seen[1..] {
                        error = error.related(&member.from.span, "part of the circle");
                    }
                    cx.push(error.help("let one of them read from a source"));
                }
                break;
            }
            if seen.iter().any(|member| member.name.value == parent.name.value) {
                break;
            }
            seen.push(parent);
            next = config.route(split_from(&parent.from.value).0);
        }
    }
}

fn add_builtins(config: &mut Config) {
    let mut found: Vec<Spanned<String>> = Vec::new();
    for plugin in config.routes.iter().flat_map(Route::plugins) {
        if plugin.value.starts_with(BUILTIN) && found.iter().all(|known| known.value != plugin.value) {
            found.push(plugin.clone());
        }
    }
    config.plugins.extend(found.into_iter().map(|name| Plugin {
        path: Spanned::new(PluginPath::Builtin(name.value[BUILTIN.len()..].to_owned()), name.span.clone()),
        sha256: None,
        config: serde_json::Value::Object(serde_json::Map::new()),
        limits: Limits::default(),
        grants: Grants::default(),
        span: name.span.clone(),
        name,
    }));
}

/// A route stays if all that it names was read well and its chain of `from` ends at a source.
fn remove_unplannable(config: &mut Config) {
    let whole = |route: &Route| {
        route.plugins().all(|plugin| config.plugin(&plugin.value).is_some())
            && route.to.iter().all(|to| config.sink(&to.sink.value).is_some())
    };
    let mut kept: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = kept.len();
        for route in &config.routes {
            let (from, _) = split_from(&route.from.value);
            if whole(route) && (config.source(from).is_some() || kept.contains(from)) {
                kept.insert(route.name.value.clone());
            }
        }
        if kept.len() == before {
            break;
        }
    }
    config.routes.retain(|route| kept.contains(&route.name.value));
}
