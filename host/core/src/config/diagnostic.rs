//! What is wrong in a configuration, and where: plain data that the command line renders.

/// Bytes of the configuration's text.
pub type Span = std::ops::Range<usize>;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// Nothing is refused, but it is hardly what was meant.
    Warning,
}

/// One mistake: what is wrong (`message`), what stands there (`label` at `span`) and what would be right (`help`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub message: String,
    pub span: Span,
    pub label: String,
    pub help: Option<String>,
    /// Other places that have to do with it, each with its own label.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    pub fn error(span: &Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            span: span.clone(),
            label: label.into(),
            help: None,
            related: Vec::new(),
        }
    }

    pub fn warning(span: &Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(span, message, label) }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn related(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.related.push((span.clone(), label.into()));
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The line and column of byte `at` in `text`, both from 1; columns count characters.
pub fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    (line, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
}

/// The candidate that `name` was most likely meant to be, if any is near enough.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this likeness (0..1) a suggestion confuses more than it helps.
    const LIKE_ENOUGH: f64 = 0.75;
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (likeness(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= LIKE_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn likeness(a: &str, b: &str) -> f64 {
    let edits = strsim::damerau_levenshtein(a, b);
    // One slip of the finger in a short word is half of it, but still the likeliest explanation.
    if edits <= 1 {
        return 0.99;
    }
    strsim::jaro_winkler(a, b)
}

/// "did you mean `x`?" or the list of what there is.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, what: &str) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match suggest(name, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => format!("there is no {what} here"),
        None => format!("{what}: {}", quoted(candidates)),
    }
}

/// `a`, `b`, `c`
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(position("ab\ncd", 0), (1, 1));
        assert_eq!(position("ab\ncd", 4), (2, 2));
        assert_eq!(position("µb\n", 2), (1, 2));
        assert_eq!(position("ab", 99), (1, 3));
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        let keys = ["window", "where", "lateness", "to"];
        assert_eq!(suggest("windo", keys), Some("window"));
        assert_eq!(suggest("Lateness", keys), Some("lateness"));
        assert_eq!(suggest("lateness_", keys), Some("lateness"));
        assert_eq!(suggest("banana", keys), None);
    }
}
