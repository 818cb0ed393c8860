//! `[server]`, `[kafka]`, `[checkpoint]`, `[plugins]` and `[[tests]]`.

use super::diagnostic::{Diagnostic, Spanned, did_you_mean};
use super::keys;
use super::names::named;
use super::reader::{Context, Part, Table};
use super::secret::Secret;
use super::tree::{Entry, Node, Value};
use super::types::*;
use crate::time::SECOND;

/// The table `name` of the root; an empty one where it is not given.
fn table<'n>(cx: &mut Context<'_>, root: &Table<'n>, name: &str, section: &'static keys::Section) -> Table<'n> {
    root.any(name)
        .and_then(|node| Table::of(cx, section, format!("[{name}]"), &node.span, node))
        .unwrap_or_else(|| Table::new(cx, section, format!("[{name}]"), &(0..0), &[]))
}

pub fn server(cx: &mut Context<'_>, root: &Table<'_>) -> Server {
    let table = table(cx, root, "server", &keys::SERVER);
    let mut listen = std::net::SocketAddr::from(([127, 0, 0, 1], 8080));
    if let Some(text) = table.text(cx, "listen") {
        match text.value.parse() {
            Ok(address) => listen = address,
            Err(_) => cx.push(
                Diagnostic::error(
                    &text.span,
                    "`listen` in [server] must be an IP address and a port",
                    "not an address",
                )
                .help(
                    "write for example `listen = \"127.0.0.1:8080\"`, or \"0.0.0.0:8080\" to \
                         be reached from elsewhere",
                ),
            ),
        }
    }
    let state = table.text(cx, "state").map(|state| state.value).or_else(|| (cx.vars)("WASMILL_STATE"));
    let state = state.unwrap_or_else(|| ".wasmill".to_owned());
    Server { listen, token: table.secret(cx, "token").map(|token| token.value), state }
}

pub fn kafka(cx: &mut Context<'_>, root: &Table<'_>) -> Kafka {
    let table = table(cx, root, "kafka", &keys::KAFKA);
    let brokers = table.text(cx, "brokers").map(|brokers| brokers.value);
    let brokers = brokers.or_else(|| (cx.vars)("KAFKA_BROKERS")).unwrap_or_else(|| "localhost:9092".to_owned());
    let mut properties = std::collections::BTreeMap::new();
    for entry in table.members(cx, "properties").unwrap_or_default() {
        cx.secrets.push(entry.node.span.clone());
        if matches!(entry.node.value, Value::Unset) {
            continue;
        }
        match scalar(&entry.node) {
            Some(text) => drop(properties.insert(entry.key.value.clone(), Secret::new(text))),
            None => cx.push(
                Diagnostic::error(
                    &entry.node.span,
                    format!("the property `{}` must be a string, a number or a boolean", entry.key.value),
                    format!("this is {}", entry.node.kind()),
                )
                .help("quote names that have dots: `properties = { \"security.protocol\" = \"SASL_SSL\" }`"),
            ),
        }
    }
    let prefix = table.text(cx, "dead_letter_prefix");
    if let Some(prefix) = &prefix {
        check_topic(cx, prefix);
    }
    Kafka {
        brokers,
        properties,
        dead_letter_prefix: prefix.map_or_else(|| "wasmill".to_owned(), |prefix| prefix.value),
    }
}

/// A string, number or boolean as text, numbers as they are written.
pub fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text { text, .. } => Some(text.clone()),
        Value::Integer(value) => Some(value.to_string()),
        Value::Float { written, .. } => Some(written.clone()),
        Value::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Reports what Kafka would refuse as the name of a topic.
pub fn check_topic(cx: &mut Context<'_>, topic: &Spanned<String>) {
    const MAX_TOPIC_CHARS: usize = 249;
    let name = topic.value.as_str();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = match name {
        "." | ".." => "`.` and `..` are no topics".to_owned(),
        _ if name.len() > MAX_TOPIC_CHARS => format!("longer than {MAX_TOPIC_CHARS} characters"),
        _ => match name.chars().find(|&c| !allowed(c)) {
            Some(c) => format!("the character {c:?} is not allowed"),
            None => return,
        },
    };
    cx.push(
        Diagnostic::error(&topic.span, "this is not the name of a Kafka topic", why)
            .help("topics have letters, digits, `.`, `_` and `-`"),
    );
}

pub fn checkpoint(cx: &mut Context<'_>, root: &Table<'_>) -> Checkpoint {
    let table = table(cx, root, "checkpoint", &keys::CHECKPOINT);
    Checkpoint { interval: table.positive(cx, "interval").map_or(SECOND, |interval| interval.value) }
}

pub fn plugins(cx: &mut Context<'_>, root: &Table<'_>) -> Vec<Plugin> {
    let entries = named(cx, root, "plugins");
    entries.into_iter().filter_map(|entry| plugin(cx, entry)).collect()
}

fn plugin(cx: &mut Context<'_>, entry: &Entry) -> Option<Plugin> {
    let title = format!("[plugins.{}]", entry.key.value);
    let table = Table::of(cx, &keys::PLUGIN, title, &entry.key.span, &entry.node)?;
    let path = table.text(cx, "path").map(|path| {
        let value = match path.value.strip_prefix(BUILTIN) {
            Some(name) => PluginPath::Builtin(name.to_owned()),
            None => PluginPath::File(path.value),
        };
        Spanned::new(value, path.span)
    });
    let sha256 = table.text(cx, "sha256").and_then(|sha256| {
        let hex = sha256.value.to_lowercase();
        if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(Spanned::new(hex, sha256.span));
        }
        let error =
            Diagnostic::error(&sha256.span, "`sha256` must be 64 hex digits", format!("{} characters", hex.len()));
        cx.push(error.help("print it with `sha256sum FILE` or `wasmill plugin inspect FILE`"));
        None
    });
    Some(Plugin {
        name: entry.key.clone(),
        path: path?,
        sha256,
        config: plugin_config(cx, &table),
        limits: limits(cx, &table, &entry.key.value),
        grants: grants(cx, &table),
        span: entry.key.span.clone(),
    })
}

fn plugin_config(cx: &mut Context<'_>, table: &Table<'_>) -> serde_json::Value {
    let empty = || serde_json::Value::Object(serde_json::Map::new());
    let (Some(node), Some(_)) = (table.any("config"), table.members(cx, "config")) else { return empty() };
    node.json().unwrap_or_else(|| {
        cx.push(
            Diagnostic::error(
                &node.span,
                "`config` is handed over as JSON, which has no infinity and no NaN",
                "one of these is in here",
            )
            .help("leave the key out, or write a text that the plugin understands"),
        );
        empty()
    })
}

fn grants(cx: &mut Context<'_>, table: &Table<'_>) -> Grants {
    let mut grants = Grants::default();
    if !table.has("grants") {
        return grants;
    }
    for grant in table.texts(cx, "grants").unwrap_or_default() {
        let (label, help) = match grant.value.as_str() {
            "clock" => {
                grants.clock = true;
                continue;
            }
            "random" => {
                grants.random = true;
                continue;
            }
            name if name.starts_with("lookup:") => {
                ("not built yet", "tables for plugins come with a later version; remove it".to_owned())
            }
            "http" | "network" | "sockets" | "files" => (
                "given to no plugin",
                "a plugin reads events and writes rows; there are `clock` and `random`".to_owned(),
            ),
            name => ("no such grant", did_you_mean(name, ["clock", "random"], "there are")),
        };
        let message = format!("there is no grant `{}`", grant.value);
        cx.push(Diagnostic::error(&grant.span, message, label).help(help));
    }
    grants
}

fn limits(cx: &mut Context<'_>, table: &Table<'_>, plugin: &str) -> Limits {
    let mut limits = Limits::default();
    let Some(node) = table.any("limits") else { return limits };
    let title = format!("[plugins.{plugin}] limits");
    let Some(table) = Table::of(cx, &keys::LIMITS, title, &node.span, node) else { return limits };
    if let Some(memory) = table.size(cx, "memory") {
        limits.memory_bytes = memory.value;
    }
    if let Some(call) = table.positive(cx, "call") {
        limits.call = call.value;
    }
    if let Some(output) = table.size(cx, "output") {
        limits.output_bytes = output.value;
    }
    limits
}

pub fn tests(cx: &mut Context<'_>, root: &Table<'_>) -> Vec<Test> {
    let Some(items) = root.list(cx, "tests") else { return Vec::new() };
    items.iter().filter_map(|item| test(cx, item)).collect()
}

fn test(cx: &mut Context<'_>, node: &Node) -> Option<Test> {
    let table = Table::of(cx, &keys::TEST, "[[tests]]", &node.span, node)?;
    let name = table.text(cx, "name");
    let input = files(cx, &table, "input", Part::Source);
    let expect = files(cx, &table, "expect", Part::Sink);
    Some(Test { name: name?, input: input?, expect: expect? })
}

/// `{ name = "file" }`
fn files(
    cx: &mut Context<'_>,
    table: &Table<'_>,
    key: &str,
    part: Part,
) -> Option<Vec<(Spanned<String>, Spanned<String>)>> {
    let mut files = Vec::new();
    for entry in table.members(cx, key)? {
        cx.uses(part, &entry.key);
        match &entry.node.value {
            Value::Text { text, .. } => {
                files.push((entry.key.clone(), Spanned::new(text.clone(), entry.node.span.clone())))
            }
            Value::Unset => {}
            _ => {
                let message = format!("`{key}` of a test must name files");
                let error = Diagnostic::error(&entry.node.span, message, format!("this is {}", entry.node.kind()));
                cx.push(error.help(format!("write for example `{key} = {}`", table.example(key))));
            }
        }
    }
    Some(files)
}
