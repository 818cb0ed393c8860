//! Diagnostics as people read them: the line of the file, a pointer, what is wrong and what would be right.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};
use wasmill_core::config::{Diagnostic, Severity, Span};

/// Lines of the file around each mistake.
const CONTEXT_LINES: usize = 1;
const WIDTH: usize = 110;

/// A configuration's text, as it may be shown.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's path as the user gave it.
    pub name: String,
    text: String,
}

impl Source {
    /// `secrets`: parts of `text` that nobody may see.
    pub fn new(name: impl Into<String>, text: &str, secrets: &[Span]) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        for secret in secrets {
            // A variable's name is no secret, and helps to find the mistake.
            if text.get(secret.clone()).is_none_or(|text| text.starts_with("\"${")) {
                continue;
            }
            if let Some(part) = bytes.get_mut(secret.clone()) {
                part.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
            }
        }
        Source { name: name.into(), text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Line and column of a byte, both from 1.
    pub fn position(&self, at: usize) -> (usize, usize) {
        wasmill_core::config::diagnostic::position(&self.text, at)
    }
}

/// All of `diagnostics`, and a last line that counts them.
pub fn render(source: &Source, diagnostics: &[Diagnostic], colours: bool) -> String {
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(WIDTH)
        .with_context_lines(CONTEXT_LINES)
        .with_break_words(false);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let report = report(source, diagnostic);
        // Writing to a string cannot fail; should a handler ever refuse, the plain words are better than nothing.
        if handler.render_report(&mut out, report.as_ref()).is_err() {
            out.push_str(&diagnostic.message);
        }
        out.push('\n');
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    out.push_str(&format!("{} in {}\n", counted(errors, diagnostics.len() - errors), source.name));
    out
}

fn counted(errors: usize, warnings: usize) -> String {
    let count = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    match (errors, warnings) {
        (errors, 0) => count(errors, "error"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

fn report(source: &Source, diagnostic: &Diagnostic) -> Report {
    let label = |label: &str, span: &Span| LabeledSpan::new(Some(label.to_owned()), span.start, span.len());
    let first = LabeledSpan::new_primary_with_span(Some(diagnostic.label.clone()), diagnostic.span.clone());
    let severity = match diagnostic.severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
    };
    let mut shown = MietteDiagnostic::new(diagnostic.message.clone())
        .with_severity(severity)
        .with_label(first)
        .and_labels(diagnostic.related.iter().map(|(span, text)| label(text, span)));
    if let Some(help) = &diagnostic.help {
        shown = shown.with_help(help.clone());
    }
    Report::new(shown).with_source_code(NamedSource::new(&source.name, source.text.clone()))
}
