//! The configuration: TOML text → checked plain types. Every mistake is found in one pass, with its place and what would be right.
//!
//! [`read`] knows names and values only. What needs the plugins' descriptors (fields, kinds, outputs) is the planner's.

mod connections;
pub mod diagnostic;
pub mod keys;
mod names;
mod reader;
mod routes;
pub mod schema;
mod secret;
mod sinks;
mod sources;
mod targets;
mod tree;
mod types;
pub mod units;
pub(crate) mod windows;

pub use diagnostic::{Diagnostic, Severity, Span, Spanned};
pub use names::split_from;
pub use secret::Secret;
pub use types::*;

use reader::{Context, Table};

/// What became of a configuration's text.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Without the parts that had errors (and the routes that need them), so that the rest can still be checked.
    pub config: Config,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Where secrets stand in the text.
    pub secrets: Vec<Span>,
}

impl Outcome {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads `text`, taking the values of `${VAR}` and of the variables that give defaults from `vars`.
pub fn read(text: &str, vars: &dyn Fn(&str) -> Option<String>) -> Outcome {
    let mut cx = Context { vars, diagnostics: Vec::new(), secrets: Vec::new(), used: Vec::new() };
    let entries = tree::parse(text, vars, &mut cx.diagnostics);
    let is_toml = entries.is_some();
    let entries = entries.unwrap_or_default();
    let root = Table::new(&mut cx, &keys::ROOT, "the configuration", &(0..0), &entries);
    let mut config = Config {
        server: connections::server(&mut cx, &root),
        kafka: connections::kafka(&mut cx, &root),
        checkpoint: connections::checkpoint(&mut cx, &root),
        sources: sources::sources(&mut cx, &root),
        plugins: connections::plugins(&mut cx, &root),
        sinks: sinks::sinks(&mut cx, &root),
        routes: routes::routes(&mut cx, &root),
        tests: connections::tests(&mut cx, &root),
    };
    if is_toml {
        names::resolve(&mut cx, &root, &mut config);
    } else {
        cx.secrets = secret::suspected(text);
    }
    cx.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    Outcome { config, diagnostics: cx.diagnostics, secrets: cx.secrets }
}

/// As [`read`], for who wants a whole configuration or its errors.
pub fn parse(text: &str, vars: &dyn Fn(&str) -> Option<String>) -> Result<Config, Vec<Diagnostic>> {
    let outcome = read(text, vars);
    if outcome.has_errors() { Err(outcome.diagnostics) } else { Ok(outcome.config) }
}
