//! Reads tables by their [`Section`], collecting every mistake instead of stopping at the first.

use super::diagnostic::{Diagnostic, Span, Spanned, did_you_mean, quoted};
use super::keys::{Key, Section};
use super::tree::{Entry, Node, Value, Vars};
use super::units;
use crate::path::Path;
use crate::time::Nanos;

/// What all readers share.
pub struct Context<'a> {
    pub vars: Vars<'a>,
    pub diagnostics: Vec<Diagnostic>,
    /// Where secrets stand in the text, so that whoever shows it can mask them.
    pub secrets: Vec<Span>,
    /// Names of parts that were read, to be looked up when all parts are known.
    pub used: Vec<(Part, Spanned<String>)>,
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Source,
    Plugin,
    Sink,
    /// A source, a route or `route.output`.
    From,
}

impl Context<'_> {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn uses(&mut self, part: Part, name: &Spanned<String>) {
        self.used.push((part, name.clone()));
    }

    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count()
    }
}

/// A table and the section that says which keys it may have.
pub struct Table<'n> {
    section: &'static Section,
    entries: &'n [Entry],
    /// As errors name it: `[routes.kpi]`.
    pub title: String,
    /// Where what is missing from the table is reported: its name.
    pub span: Span,
}

impl<'n> Table<'n> {
    /// Reports unknown and missing keys at once.
    pub fn new(
        cx: &mut Context<'_>,
        section: &'static Section,
        title: impl Into<String>,
        span: &Span,
        entries: &'n [Entry],
    ) -> Self {
        let table = Table { section, entries, title: title.into(), span: span.clone() };
        for entry in entries {
            if section.key(&entry.key.value).is_none() {
                cx.push(table.unknown(entry));
            }
        }
        for key in section.keys.iter().filter(|key| key.required) {
            if !table.has(key.name) {
                cx.push(
                    Diagnostic::error(
                        span,
                        format!("`{}` is missing in {}", key.name, table.title),
                        "has to be given here",
                    )
                    .help(format!("`{}`: {}; for example `{} = {}`", key.name, key.doc, key.name, key.example)),
                );
            }
        }
        table
    }

    /// `node` must be a table.
    pub fn of(
        cx: &mut Context<'_>,
        section: &'static Section,
        title: impl Into<String>,
        span: &Span,
        node: &'n Node,
    ) -> Option<Self> {
        match &node.value {
            Value::Table(entries) => Some(Table::new(cx, section, title, span, entries)),
            _ => {
                let title = title.into();
                cx.push(
                    Diagnostic::error(
                        &node.span,
                        format!("{title} must be a table"),
                        format!("this is {}", node.kind()),
                    )
                    .help(section.example()),
                );
                None
            }
        }
    }

    fn unknown(&self, entry: &Entry) -> Diagnostic {
        let name = entry.key.value.as_str();
        if let Some(later) = self.section.later.iter().find(|later| later.name == name) {
            return Diagnostic::error(
                &entry.key.span,
                format!("`{name}` in {} is not available in this version", self.title),
                "known, but not there yet",
            )
            .help(format!("{}; remove it to run with this version", later.doc));
        }
        let known: Vec<&str> = self.section.keys.iter().map(|key| key.name).collect();
        Diagnostic::error(&entry.key.span, format!("unknown key `{name}` in {}", self.title), "nothing reads this")
            .help(did_you_mean(name, known, "the keys are"))
    }

    /// The key's entry. Asking for a key that the section does not list is a bug that the tests find.
    fn node(&self, name: &str) -> Option<&'n Node> {
        debug_assert!(self.section.key(name).is_some(), "{name} is not in {}", self.section.title);
        let entry = self.entries.iter().find(|entry| entry.key.value == name)?;
        Some(&entry.node).filter(|node| !matches!(node.value, Value::Unset))
    }

    /// It is given, well or not.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == name)
    }

    /// How the key's value would be written.
    pub fn example(&self, name: &str) -> &'static str {
        self.key(name).example
    }

    pub fn any(&self, name: &str) -> Option<&'n Node> {
        self.node(name)
    }

    fn key(&self, name: &str) -> &'static Key {
        self.section.key(name).unwrap_or(&super::keys::NO_KEY)
    }

    fn wrong(&self, cx: &mut Context<'_>, name: &str, node: &Node, wants: &str) {
        let key = self.key(name);
        cx.push(
            Diagnostic::error(
                &node.span,
                format!("`{name}` in {} must be {wants}", self.title),
                format!("this is {}", node.kind()),
            )
            .help(format!("write for example `{name} = {}`", key.example)),
        );
    }

    fn invalid(&self, cx: &mut Context<'_>, name: &str, node: &Node, why: String) {
        let message = format!("`{name}` in {} cannot be used", self.title);
        let example = format!("write for example `{name} = {}`", self.key(name).example);
        cx.push(Diagnostic::error(&node.span, message, why).help(example));
    }

    pub fn text(&self, cx: &mut Context<'_>, name: &str) -> Option<Spanned<String>> {
        let node = self.node(name)?;
        match &node.value {
            Value::Text { text, .. } if text.is_empty() => {
                self.invalid(cx, name, node, "this is empty".to_owned());
                None
            }
            Value::Text { text, .. } => Some(Spanned::new(text.clone(), node.span.clone())),
            _ => {
                self.wrong(cx, name, node, "a string");
                None
            }
        }
    }

    pub fn secret(&self, cx: &mut Context<'_>, name: &str) -> Option<Spanned<super::secret::Secret>> {
        if let Some(node) = self.node(name) {
            cx.secrets.push(node.span.clone());
        }
        let text = self.text(cx, name)?;
        Some(Spanned::new(super::secret::Secret::new(text.value), text.span))
    }

    pub fn duration(&self, cx: &mut Context<'_>, name: &str) -> Option<Spanned<Nanos>> {
        let node = self.node(name)?;
        self.duration_of(cx, name, node)
    }

    /// A duration greater than zero.
    pub fn positive(&self, cx: &mut Context<'_>, name: &str) -> Option<Spanned<Nanos>> {
        let node = self.node(name)?;
        let duration = self.duration_of(cx, name, node)?;
        self.check_positive(cx, name, node, duration)
    }

    fn check_positive(
        &self,
        cx: &mut Context<'_>,
        name: &str,
        node: &Node,
        duration: Spanned<Nanos>,
    ) -> Option<Spanned<Nanos>> {
        if duration.value == 0 {
            self.invalid(cx, name, node, "must be longer than zero".to_owned());
            return None;
        }
        Some(duration)
    }

    fn duration_of(&self, cx: &mut Context<'_>, name: &str, node: &Node) -> Option<Spanned<Nanos>> {
        match &node.value {
            Value::Text { text, written } => match units::duration(text) {
                Ok(nanos) => Some(Spanned::new(nanos, node.span.clone())),
                Err(why) => {
                    self.invalid(cx, name, node, if written.is_some() { "not a duration".to_owned() } else { why });
                    None
                }
            },
            _ => {
                self.wrong(cx, name, node, "a duration with its unit");
                None
            }
        }
    }

    /// One duration or a list of them, all greater than zero.
    pub fn durations(&self, cx: &mut Context<'_>, name: &str) -> Option<Vec<Spanned<Nanos>>> {
        let node = self.node(name)?;
        let items = match &node.value {
            Value::List(items) if items.is_empty() => {
                self.invalid(cx, name, node, "this is empty".to_owned());
                return None;
            }
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let read: Vec<_> = items
            .iter()
            .filter_map(|item| {
                let duration = self.duration_of(cx, name, item)?;
                self.check_positive(cx, name, item, duration)
            })
            .collect();
        (read.len() == items.len()).then_some(read)
    }

    /// Bytes.
    pub fn size(&self, cx: &mut Context<'_>, name: &str) -> Option<Spanned<u64>> {
        let node = self.node(name)?;
        match &node.value {
            Value::Text { text, .. } => match units::size(text) {
                Ok(0) => self.invalid(cx, name, node, "must be more than zero".to_owned()),
                Ok(bytes) => return Some(Spanned::new(bytes, node.span.clone())),
                Err(why) => self.invalid(cx, name, node, why),
            },
            _ => self.wrong(cx, name, node, "a size with its unit"),
        }
        None
    }

    /// A whole number inside the range that the section gives.
    pub fn integer(&self, cx: &mut Context<'_>, name: &str) -> Option<Spanned<i64>> {
        let node = self.node(name)?;
        let (min, max) = self.key(name).range();
        match node.value {
            Value::Integer(value) if (min..=max).contains(&value) => Some(Spanned::new(value, node.span.clone())),
            Value::Integer(value) => {
                self.invalid(cx, name, node, format!("{value} is not between {min} and {max}"));
                None
            }
            _ => {
                self.wrong(cx, name, node, "an integer");
                None
            }
        }
    }

    pub fn boolean(&self, cx: &mut Context<'_>, name: &str) -> Option<bool> {
        let node = self.node(name)?;
        match node.value {
            Value::Boolean(value) => Some(value),
            _ => {
                self.wrong(cx, name, node, "true or false");
                None
            }
        }
    }

    /// One of the words that the section gives. Words of later versions are named as such.
    pub fn choice(&self, cx: &mut Context<'_>, name: &str) -> Option<&'static str> {
        let node = self.node(name)?;
        let key = self.key(name);
        let text = self.text(cx, name)?;
        let (words, later) = key.words();
        if let Some(word) = words.iter().find(|word| **word == text.value) {
            return Some(word);
        }
        let near = did_you_mean(&text.value, words.iter().copied(), "there are");
        let (message, label) = if later.contains(&text.value.as_str()) {
            (format!("`{name} = {:?}` is not available in this version", text.value), "known, but not there yet")
        } else {
            (format!("`{name}` in {} must be one of {}", self.title, quoted(words.iter().copied())), "not one of them")
        };
        let help = if later.contains(&text.value.as_str()) {
            format!("this version has {}", quoted(words.iter().copied()))
        } else {
            near
        };
        cx.push(Diagnostic::error(&node.span, message, label).help(help));
        None
    }

    /// The items of an array; a single value is pointed out.
    pub fn list(&self, cx: &mut Context<'_>, name: &str) -> Option<&'n [Node]> {
        let node = self.node(name)?;
        match &node.value {
            Value::List(items) => Some(items),
            _ => {
                self.wrong(cx, name, node, "an array");
                None
            }
        }
    }

    pub fn texts(&self, cx: &mut Context<'_>, name: &str) -> Option<Vec<Spanned<String>>> {
        let items = self.list(cx, name)?;
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text { text, .. } if !text.is_empty() => {
                    texts.push(Spanned::new(text.clone(), item.span.clone()))
                }
                Value::Text { .. } => self.invalid(cx, name, item, "this is empty".to_owned()),
                Value::Unset => {}
                _ => self.wrong(cx, name, item, "an array of strings"),
            }
        }
        Some(texts)
    }

    /// An array of paths of fields.
    pub fn paths(&self, cx: &mut Context<'_>, name: &str) -> Option<Vec<Spanned<String>>> {
        let texts = self.texts(cx, name)?;
        Some(texts.into_iter().filter(|text| check_path(cx, text)).collect())
    }

    /// The members of a table whose keys are free.
    pub fn members(&self, cx: &mut Context<'_>, name: &str) -> Option<&'n [Entry]> {
        let node = self.node(name)?;
        match &node.value {
            Value::Table(entries) => Some(entries),
            _ => {
                self.wrong(cx, name, node, "a table");
                None
            }
        }
    }
}

/// Reports a path that has not one plain value in each event, where `what` needs that.
pub fn check_plain(cx: &mut Context<'_>, path: &Spanned<String>, what: &str) {
    if path.value.contains("[*]") || path.value == "@time" {
        let message = format!("`{}` cannot be {what}: it has not one plain value an event", path.value);
        let help = "name a text, a number or a boolean";
        cx.push(Diagnostic::error(&path.span, message, "not a plain value").help(help));
    }
}

/// Reports what is no path.
pub fn check_path(cx: &mut Context<'_>, path: &Spanned<String>) -> bool {
    match Path::parse(&path.value) {
        Ok(_) => true,
        Err(why) => {
            cx.push(Diagnostic::error(&path.span, "this is not the path of a field", why.rule()).help(
                "a path is `amount`, `data.amount`, `items[0].id`, `items[*].price`, or of the record \
                     itself: `@key`, `@headers.tenant`",
            ));
            false
        }
    }
}
