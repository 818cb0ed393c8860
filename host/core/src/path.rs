//! Paths of fields, as plugins and the configuration write them: `data.amount`, `items[*].price`, `"a.b".c`, `@headers.tenant`.

/// One step into a payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    Key(String),
    /// `[*]`: every element of an array.
    Each,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// Never empty; starts with a key.
    Payload(Vec<Segment>),
    Key,
    Value,
    Header(String),
    Topic,
    Partition,
    Offset,
    /// Kafka's own.
    Timestamp,
    /// Event time, which the task makes.
    Time,
}

/// What the record itself offers beside its payload.
pub const RECORD_PATHS: [&str; 8] =
    ["@key", "@value", "@headers.NAME", "@topic", "@partition", "@offset", "@timestamp", "@time"];

impl Path {
    /// The error says what is wrong.
    pub fn parse(text: &str) -> Result<Path, String> {
        match text.strip_prefix('@') {
            Some(name) => record_path(name),
            None => payload_path(text).map(Path::Payload),
        }
    }

    pub fn is_payload(&self) -> bool {
        matches!(self, Path::Payload(_))
    }

    /// Its last name: what a column made of it is called. `items[*].price` → `price`, `@headers.tenant` → `tenant`.
    pub fn last(&self) -> &str {
        match self {
            Path::Payload(segments) => segments
                .iter()
                .rev()
                .find_map(|segment| match segment {
                    Segment::Key(key) => Some(key.as_str()),
                    Segment::Each => None,
                })
                .unwrap_or_default(),
            Path::Key => "key",
            Path::Value => "value",
            Path::Header(name) => name,
            Path::Topic => "topic",
            Path::Partition => "partition",
            Path::Offset => "offset",
            Path::Timestamp => "timestamp",
            Path::Time => "time",
        }
    }
}

fn record_path(name: &str) -> Result<Path, String> {
    Ok(match name {
        "key" => Path::Key,
        "value" => Path::Value,
        "topic" => Path::Topic,
        "partition" => Path::Partition,
        "offset" => Path::Offset,
        "timestamp" => Path::Timestamp,
        "time" => Path::Time,
        _ => match name.strip_prefix("headers.") {
            Some(header) if !header.is_empty() => Path::Header(header.to_owned()),
            _ => return Err(format!("`@{name}` is not of the record; there are {}", RECORD_PATHS.join(", "))),
        },
    })
}

fn payload_path(text: &str) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        let (key, tail) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').ok_or_else(|| format!("a quote is not closed in `{text}`"))?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => rest.split_at(rest.find(['.', '[', '"', ']']).unwrap_or(rest.len())),
        };
        if key.is_empty() {
            return Err(format!("a name is missing in the path `{text}`"));
        }
        segments.push(Segment::Key(key.to_owned()));
        rest = tail;
        while let Some(tail) = rest.strip_prefix("[*]") {
            segments.push(Segment::Each);
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(segments);
        }
        rest = rest.strip_prefix('.').ok_or_else(|| {
            format!("`{text}` is not a path; write `a.b`, `items[*].price`, or quote a name with dots: `\"a.b\".c`")
        })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_keys_elements_and_the_record() {
        assert_eq!(Path::parse("data.amount").map(|p| p.last().to_owned()), Ok("amount".to_owned()));
        assert_eq!(
            Path::parse("\"a.b\".c[*]"),
            Ok(Path::Payload(vec![Segment::Key("a.b".into()), Segment::Key("c".into()), Segment::Each]))
        );
        assert_eq!(Path::parse("@headers.x.y"), Ok(Path::Header("x.y".into())));
        for wrong in ["", ".", "a.", "a..b", "a[0]", "\"a", "@headers", "@nothing", "a\"b\"", "[*]"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }
}
