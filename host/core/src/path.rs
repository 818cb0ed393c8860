//! Paths: how configurations and plugins address a value in an event.
//!
//! - `data.amount`: members of objects; `"a.b".c`: a quoted name may hold dots, brackets and quotes (`\"`, `\\`).
//! - `items[0].id`: an element of an array; `items[*].price`: one value of each element (a repeated field; once in a path).
//! - `@key`, `@value`, `@topic`, `@partition`, `@offset`, `@timestamp` (Kafka's own), `@headers.tenant`: the record itself.
//! - `@time`: event time, which the task computes; never decoded.

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// Into the payload; never empty, and the first segment is a name.
    Payload(Vec<Segment>),
    Record(RecordField),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A member of an object.
    Name(String),
    /// An element of an array, from 0.
    Index(u32),
    /// Every element of an array.
    Each,
}

/// What of a Kafka record a path means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordField {
    Key,
    Value,
    /// The last header of this name.
    Header(String),
    Topic,
    Partition,
    Offset,
    /// Kafka's timestamp.
    Timestamp,
    /// Event time, which the task computes; never decoded.
    Time,
}

/// A path that does not parse. `at` is the byte where it went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("path `{path}`: {reason} (at character {})", .at + 1)]
pub struct PathError {
    pub path: String,
    pub at: usize,
    pub reason: String,
}

impl PathError {
    /// Without the path, for who shows that beside it.
    pub fn rule(&self) -> String {
        format!("{} (at character {})", self.reason, self.at + 1)
    }
}

impl Path {
    /// See the module for the grammar.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(path: &str) -> Result<Path, PathError> {
        let mut parser = Parser { path, at: 0 };
        if path.starts_with('@') { parser.record() } else { parser.payload() }
    }

    pub fn is_payload(&self) -> bool {
        matches!(self, Path::Payload(_))
    }

    /// Its last name: what a column made of it is called. `data.currency` → `currency`, `items[0]` → `items`, `@headers.tenant` →
    /// `tenant`, `@key` → `key`.
    pub fn last(&self) -> &str {
        match self {
            Path::Payload(segments) => segments
                .iter()
                .rev()
                .find_map(|segment| match segment {
                    Segment::Name(name) => Some(name.as_str()),
                    Segment::Index(_) | Segment::Each => None,
                })
                .unwrap_or_default(),
            Path::Record(field) => match field {
                RecordField::Key => "key",
                RecordField::Value => "value",
                RecordField::Header(name) => name,
                RecordField::Topic => "topic",
                RecordField::Partition => "partition",
                RecordField::Offset => "offset",
                RecordField::Timestamp => "timestamp",
                RecordField::Time => "time",
            },
        }
    }

    /// Whether it addresses many values of one event (`items[*].price`).
    pub fn is_repeated(&self) -> bool {
        matches!(self, Path::Payload(segments) if segments.contains(&Segment::Each))
    }
}

struct Parser<'a> {
    path: &'a str,
    /// The next byte; always a character boundary.
    at: usize,
}

impl<'a> Parser<'a> {
    fn error<T>(&self, reason: impl Into<String>) -> Result<T, PathError> {
        Err(PathError { path: self.path.to_owned(), at: self.at, reason: reason.into() })
    }

    fn rest(&self) -> &'a str {
        &self.path[self.at..]
    }

    fn eat(&mut self, byte: char) -> bool {
        let there = self.rest().starts_with(byte);
        self.at += usize::from(there);
        there
    }

    fn record(&mut self) -> Result<Path, PathError> {
        let field = match self.path {
            "@key" => RecordField::Key,
            "@value" => RecordField::Value,
            "@topic" => RecordField::Topic,
            "@partition" => RecordField::Partition,
            "@offset" => RecordField::Offset,
            "@timestamp" => RecordField::Timestamp,
            "@time" => RecordField::Time,
            _ if self.path.starts_with("@headers.") => {
                self.at = "@headers.".len();
                let name = if self.rest().starts_with('"') { self.quoted()? } else { self.header_name() };
                if name.is_empty() || !self.rest().is_empty() {
                    return self.error("a header is named as in `@headers.tenant` or `@headers.\"my name\"`");
                }
                RecordField::Header(name)
            }
            _ => {
                return self.error(
                    "of the record there are @key, @value, @headers.NAME, @topic, @partition, @offset, @timestamp and @time; \
                     a member of the payload whose name begins with @ is written in quotes",
                );
            }
        };
        Ok(Path::Record(field))
    }

    fn header_name(&mut self) -> String {
        let name = self.rest().to_owned();
        self.at = self.path.len();
        name
    }

    fn payload(&mut self) -> Result<Path, PathError> {
        let mut segments = Vec::new();
        loop {
            let name = if self.rest().starts_with('"') { self.quoted()? } else { self.bare()? };
            segments.push(Segment::Name(name));
            while self.eat('[') {
                segments.push(self.bracket()?);
            }
            if self.rest().is_empty() {
                break;
            }
            if !self.eat('.') {
                return self.error("a `.` or the end should stand here; quote names that hold special characters");
            }
        }
        if segments.iter().filter(|segment| **segment == Segment::Each).count() > 1 {
            return self.error("`[*]` may stand once in a path");
        }
        Ok(Path::Payload(segments))
    }

    fn bare(&mut self) -> Result<String, PathError> {
        let rest = self.rest();
        let end = rest.find(['.', '[', ']', '"']).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            return self.error("a name is missing here");
        }
        if name.trim() != name {
            return self.error("a name with spaces around it must be quoted");
        }
        self.at += end;
        Ok(name.to_owned())
    }

    /// A name in quotes; `\"` and `\\` inside stand for the second character.
    fn quoted(&mut self) -> Result<String, PathError> {
        let mut name = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += at + 1;
                    return Ok(name);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => name.push(escaped),
                    _ => {
                        self.at += at;
                        return self.error("in quotes only `\\\"` and `\\\\` are escapes");
                    }
                },
                other => name.push(other),
            }
        }
        self.error("the closing quote is missing")
    }

    /// After `[`.
    fn bracket(&mut self) -> Result<Segment, PathError> {
        let Some(end) = self.rest().find(']') else { return self.error("the closing `]` is missing") };
        let inside = &self.rest()[..end];
        let segment = match inside {
            "*" => Segment::Each,
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
                Ok(index) => Segment::Index(index),
                Err(_) => return self.error("the index is too large"),
            },
            _ => return self.error("brackets hold an index or `*`: `items[0]`, `items[*]`"),
        };
        self.at += end + 1;
        Ok(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Segment {
        Segment::Name(name.to_owned())
    }

    #[test]
    fn paths_mean_what_they_say() {
        let payload = [
            ("a", vec![name("a")]),
            ("data.amount", vec![name("data"), name("amount")]),
            (r#""a.b".c"#, vec![name("a.b"), name("c")]),
            (r#""say \"hi\" \\".x"#, vec![name(r#"say "hi" \"#), name("x")]),
            (r#""""#, vec![name("")]),
            ("items[*].price", vec![name("items"), Segment::Each, name("price")]),
            ("items[0][12].id", vec![name("items"), Segment::Index(0), Segment::Index(12), name("id")]),
            ("größe.日本", vec![name("größe"), name("日本")]),
            (r#""@type""#, vec![name("@type")]),
        ];
        for (text, segments) in payload {
            assert_eq!(Path::parse(text), Ok(Path::Payload(segments)), "{text}");
        }
        assert_eq!(Path::parse("@headers.a.b"), Ok(Path::Record(RecordField::Header("a.b".into()))));
        assert_eq!(Path::parse(r#"@headers."x y""#), Ok(Path::Record(RecordField::Header("x y".into()))));
        assert_eq!(Path::parse("@timestamp"), Ok(Path::Record(RecordField::Timestamp)));
    }

    #[test]
    fn what_is_no_path_is_refused_where_it_goes_wrong() {
        for (text, at) in [
            ("", 0),
            ("a..b", 2),
            ("a.", 2),
            (".a", 0),
            ("a[", 2),
            ("a[x]", 2),
            ("a[-1]", 2),
            ("a[99999999999]", 2),
            ("a[*].b[*]", 9),
            ("a]b", 1),
            ("a b ", 0),
            (r#""a"#, 0),
            (r#""a\n""#, 2),
            (r#""a"b"#, 3),
            ("@nope", 0),
            ("@headers", 0),
            ("@headers.", 9),
            ("[0]", 0),
        ] {
            let error = Path::parse(text).unwrap_err();
            assert_eq!(error.at, at, "{error}");
        }
    }

    #[test]
    fn the_last_segment_is_the_last_name() {
        for (path, last) in [
            ("data.currency", "currency"),
            ("items[*]", "items"),
            ("items[*].price", "price"),
            ("@headers.tenant", "tenant"),
            ("@key", "key"),
        ] {
            assert_eq!(Path::parse(path).unwrap().last(), last);
        }
    }
}
