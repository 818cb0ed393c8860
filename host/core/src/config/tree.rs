//! The TOML text as a tree with spans, in the order of the file, with `${VAR}` replaced.

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Span, Spanned};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    Text {
        text: String,
        /// As the file has it, where variables were replaced: errors show this, for a variable may hold a secret.
        written: Option<String>,
    },
    Integer(i64),
    Float {
        value: f64,
        written: String,
    },
    Boolean(bool),
    /// A text whose variable is not set, which is reported already.
    Unset,
    Datetime(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: Spanned<String>,
    pub node: Node,
}

/// Looks up an environment variable.
pub type Vars<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Node {
    /// In the words of TOML, for errors.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Text { .. } | Value::Unset => "a string",
            Value::Integer(_) => "an integer",
            Value::Float { .. } => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime(_) => "a date",
            Value::List(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// As JSON, for a plugin's `config`. `None`: a number that JSON does not have.
    pub fn json(&self) -> Option<serde_json::Value> {
        use serde_json::Value as Json;
        Some(match &self.value {
            Value::Text { text, .. } | Value::Datetime(text) => Json::from(text.as_str()),
            Value::Integer(value) => Json::from(*value),
            Value::Float { value, .. } => Json::Number(serde_json::Number::from_f64(*value)?),
            Value::Boolean(value) => Json::from(*value),
            Value::Unset => Json::Null,
            Value::List(items) => Json::Array(items.iter().map(Node::json).collect::<Option<_>>()?),
            Value::Table(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| Some((entry.key.value.clone(), entry.node.json()?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }
}

/// Parses `text`. What TOML itself refuses is reported, all of it; then there is no tree, for what could be read of it may be in
/// the wrong place.
pub fn parse(text: &str, vars: Vars<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Entry>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(entries(table.get_ref(), vars, diagnostics));
    }
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().replace('\n', "; ");
        let help = syntax_help(&message);
        diagnostics.push(Diagnostic::error(&span, format!("not TOML: {message}"), "here").help(help));
    }
    None
}

fn syntax_help(message: &str) -> &'static str {
    match message {
        _ if message.contains("table") => "tables are written `[routes.NAME]`, inside of lines `{ key = value }`",
        _ if message.contains("duplicate") => "every key stands once in its table, and every table once in the file",
        _ if message.contains("string") => "strings stand in quotes: `topic = \"user-events\"`",
        _ => {
            "lines are `key = value`; strings stand in quotes, names with other characters than letters, digits, _ and - too"
        }
    }
}

fn entries(table: &DeTable<'_>, vars: Vars<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: Spanned::new(key.get_ref().to_string(), key.span()),
            node: node(value.get_ref(), value.span(), vars, diagnostics),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key.span.start);
    entries
}

fn node(value: &DeValue<'_>, span: Span, vars: Vars<'_>, diagnostics: &mut Vec<Diagnostic>) -> Node {
    let value = match value {
        DeValue::String(text) => {
            let (replaced, missing) = substitute(text, vars);
            let unset = !missing.is_empty();
            for name in missing {
                diagnostics.push(
                    Diagnostic::error(&span, format!("the environment variable `{name}` is not set"), "needed here")
                        .help(format!(
                            "set it, or give a default: `${{{name}:-…}}`; a literal `${{` is written `$${{`"
                        )),
                );
            }
            let written = (replaced != **text).then(|| text.to_string());
            if unset { Value::Unset } else { Value::Text { text: replaced, written } }
        }
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Value::Integer(value),
            Err(_) => {
                diagnostics.push(Diagnostic::error(&span, "this integer does not fit in 64 bits", "too large"));
                Value::Integer(0)
            }
        },
        DeValue::Float(number) => {
            Value::Float { value: number.as_str().parse().unwrap_or(f64::NAN), written: number.as_str().to_owned() }
        }
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(value) => Value::Datetime(value.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| node(item.get_ref(), item.span(), vars, diagnostics)).collect())
        }
        DeValue::Table(table) => Value::Table(entries(table, vars, diagnostics)),
    };
    Node { span, value }
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. Also: the names that are not set.
fn substitute(text: &str, vars: Vars<'_>) -> (String, Vec<String>) {
    let mut out = String::with_capacity(text.len());
    let mut missing = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        let Some(end) = rest[at..].find('}') else { break };
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..at + end];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        match vars(name).filter(|value| !value.is_empty()).or_else(|| default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            None => missing.push(name.to_owned()),
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    (out, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_escaped_and_missed() {
        let vars = |name: &str| (name == "HOST").then(|| "db".to_owned());
        assert_eq!(substitute("http://${HOST}:${PORT:-80}/", &vars), ("http://db:80/".into(), vec![]));
        assert_eq!(substitute("$${HOST} $ {x} ${", &vars), ("${HOST} $ {x} ${".into(), vec![]));
        assert_eq!(substitute("${NOPE}", &vars), (String::new(), vec!["NOPE".into()]));
    }

    #[test]
    fn entries_keep_the_order_of_the_file() {
        let mut diagnostics = Vec::new();
        let tree = parse("b = 1\na = 2\n[z]\n[c]", &|_| None, &mut diagnostics).unwrap_or_default();
        let keys: Vec<&str> = tree.iter().map(|entry| entry.key.value.as_str()).collect();
        assert_eq!(keys, ["b", "a", "z", "c"]);
        assert!(diagnostics.is_empty());
    }
}
