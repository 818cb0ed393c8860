//! Passwords and tokens, which no log, error or API shows.

/// A text that `Debug` and `Display` show as `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one who must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Where secrets may stand in a text that is not TOML, so that nobody knows its keys: all strings of lines that speak of one.
pub fn suspected(text: &str) -> Vec<std::ops::Range<usize>> {
    const WORDS: [&str; 6] = ["password", "secret", "token", "credential", "passphrase", "ssl.key"];
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        if WORDS.iter().any(|word| lower.contains(word)) {
            // From the first `=` on: the keys are what a person needs to see.
            let value = line.find('=').map_or(0, |at| at + 1);
            let end = line.trim_end().len();
            if value < end {
                found.push(start + value..start + end);
            }
        }
        start += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_toml_hides_what_may_be_a_secret() {
        let text = "a = 1\ntoken = \"hunter2\nproperties = { \"sasl.Password\" = 'x' }\n";
        let hidden: Vec<&str> = suspected(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(hidden, [" \"hunter2", " { \"sasl.Password\" = 'x' }"]);
    }

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "hunter2");
    }
}
