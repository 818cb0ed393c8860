//! Text that a guest chose, made fit for logs, errors and dead letters.

/// `text` in one line of at most `max_bytes` (and an ellipsis), control characters escaped.
pub(crate) fn clean(text: &str, max_bytes: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max_bytes));
    for c in text.chars() {
        let start = line.len();
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        if line.len() > max_bytes {
            line.truncate(start);
            line.push('…');
            return line;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_guests_text_becomes_one_bounded_line() {
        assert_eq!(clean("no such\ncurrency\u{1b}[31m", 100), "no such\\ncurrency\\u{1b}[31m");
        assert_eq!(clean("ääää", 5), "ää…");
        assert_eq!(clean("four", 4), "four");
    }
}
