//! What InfluxDB's reader makes of names and tag values, so that nothing is written that would be read back as something else.
//!
//! The reader takes a backslash for an escape only before a special character, and has no escape for a backslash itself. So a
//! backslash before an ordinary character stands for itself, and a few texts cannot be written at all.

/// A part of a point's key or a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Measurement,
    TagKey,
    FieldKey,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Measurement => "measurement",
            Part::TagKey => "tag",
            Part::FieldKey => "field",
        }
    }
}

/// Tag keys that InfluxDB refuses, or that are columns of every Flux table and would be overwritten there.
const RESERVED_TAGS: [&str; 7] = ["time", "_field", "_measurement", "_time", "_value", "_start", "_stop"];

/// Says why InfluxDB cannot hold a measurement, tag or field of this name; `Ok` if it reads back as it is.
///
/// # Errors
/// A sentence for a person, with the name quoted.
pub fn check_name(part: Part, name: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("InfluxDB cannot hold the {} name {name:?}: {why}", part.name()));
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.contains('\n') {
        return refuse("a name cannot contain a line break");
    }
    if name.starts_with(['\t', '\0']) {
        return refuse("white space at its start would be dropped");
    }
    if name.ends_with('\\') {
        return refuse("a backslash at its end would escape what follows");
    }
    if name.as_bytes().windows(2).any(|pair| pair[0] == b'\\' && b", =\"\\".contains(&pair[1])) {
        return refuse("a backslash before a space, comma, equals sign, quote or backslash is ambiguous");
    }
    match part {
        Part::Measurement if name.starts_with('#') => refuse("a line that begins with # is a comment"),
        Part::TagKey if RESERVED_TAGS.contains(&name) => refuse("the name is reserved"),
        Part::FieldKey if name == "time" => refuse("the name is reserved"),
        _ => Ok(()),
    }
}

/// Appends a measurement's name: commas and spaces are escaped.
pub fn append_measurement(name: &str, out: &mut Vec<u8>) {
    append_escaped(name.as_bytes(), |b| matches!(b, b',' | b' '), out);
}

/// Appends a tag key, a tag value or a field key: commas, equals signs and spaces are escaped.
#[inline]
pub fn append_key(text: &[u8], out: &mut Vec<u8>) {
    append_escaped(text, |b| matches!(b, b',' | b' ' | b'='), out);
}

/// Appends a string field with its quotes: quotes and backslashes are escaped, everything else is written as it is.
pub fn append_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    append_escaped(text, |b| matches!(b, b'"' | b'\\'), out);
    out.push(b'"');
}

#[inline]
fn append_escaped(text: &[u8], special: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(position) = rest.iter().position(|&b| special(b)) {
        out.extend_from_slice(&rest[..position]);
        out.extend_from_slice(&[b'\\', rest[position]]);
        rest = &rest[position + 1..];
    }
    out.extend_from_slice(rest);
}

/// Whether a tag value can be written at all, and whether the whole line must be checked with [`reads_as_one_line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagValue {
    Plain,
    /// A backslash stands before an escaped character: where the line ends may be misread.
    Doubtful,
    Impossible(&'static str),
}

#[inline]
pub fn check_tag_value(value: &[u8]) -> TagValue {
    let (mut backslash, mut doubtful) = (false, false);
    for &byte in value {
        match byte {
            b'\n' => return TagValue::Impossible("a tag value cannot contain a line break"),
            b',' | b' ' | b'=' => doubtful |= backslash,
            _ => {}
        }
        backslash = byte == b'\\';
    }
    if backslash {
        TagValue::Impossible("a tag value cannot end with a backslash")
    } else if value.is_empty() {
        TagValue::Impossible("a tag value cannot be empty")
    } else if doubtful {
        TagValue::Doubtful
    } else {
        TagValue::Plain
    }
}

/// Whether InfluxDB's reader finds the end of `line` (with its line break) where it is. It looks for it before it knows the
/// point's parts: it steps over a backslash and whatever follows, and takes quotes into account after the first space.
pub fn reads_as_one_line(line: &[u8]) -> bool {
    let (mut quoted, mut fields) = (false, false);
    let (mut equals, mut commas) = (0, 0);
    let mut i = 0;
    while i < line.len() {
        match line[i] {
            b'\\' => i += 1,
            b' ' => fields = true,
            b'=' if fields && !quoted => equals += 1,
            b',' if fields && !quoted => commas += 1,
            b'"' if fields && equals > commas => quoted = !quoted,
            b'\n' if !quoted => return i + 1 == line.len(),
            _ => {}
        }
        i += 1;
    }
    false
}
