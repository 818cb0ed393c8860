//! The third tier: serde_json judges the document and walks it. It serves whatever the scanner does not decide by itself
//! (duplicate and escaped keys, anything malformed), and elements of arrays.
//!
//! What is malformed is judged by syntax alone: a number like `1e999` or a text with half of a surrogate pair is well-formed JSON; it
//! is mistyped where a field asks for it, and nobody's business elsewhere.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::syntax;
use crate::text;
use crate::token::{Class, Token};
use wasmill_core::path::Segment;

/// Payloads longer than this are refused.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// Objects and arrays may lie inside each other so deep; the payload's own object counts as one. It is what serde_json parses by
/// default, so that a plugin that is given JSON can read it.
pub const MAX_DEPTH: usize = 127;

/// Why a whole payload is unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: &'static str,
    pub reason: String,
}

pub(crate) fn check_size(payload: &[u8]) -> Result<(), Refusal> {
    if payload.len() <= MAX_PAYLOAD_BYTES {
        return Ok(());
    }
    let reason = format!("the payload has {} bytes; the limit is {MAX_PAYLOAD_BYTES}", payload.len());
    Err(Refusal { code: "too-large", reason })
}

pub(crate) fn check_utf8(payload: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(payload).map_err(|e| {
        let reason =
            format!("the payload is not UTF-8: byte {} is the first that does not belong", e.valid_up_to() + 1);
        Refusal { code: "not-utf8", reason }
    })
}

/// The payload as text, if it is one JSON object within the limits.
pub(crate) fn validate(payload: &[u8]) -> Result<&str, Refusal> {
    check_size(payload)?;
    let document = check_utf8(payload)?;
    serde_json::from_str::<IgnoredAny>(document).map_err(|e| Refusal {
        code: "malformed",
        reason: format!("malformed JSON: {e}; the payload begins {}", text::shorten(payload)),
    })?;
    let trimmed = document.trim_ascii_start();
    if !trimmed.starts_with('{') {
        let reason = format!("the payload is not a JSON object but {}", text::describe(trimmed.as_bytes()));
        return Err(Refusal { code: "not-object", reason });
    }
    let depth = depth(document);
    if depth > MAX_DEPTH {
        let reason = format!("objects and arrays lie {depth} deep in each other; the limit is {MAX_DEPTH}");
        return Err(Refusal { code: "too-deep", reason });
    }
    Ok(document)
}

/// How deep objects and arrays lie in each other in a valid document.
fn depth(document: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut bytes = document.bytes();
    let mut in_text = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_text => {
                bytes.next();
            }
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The value at `path`, which must not hold [`Segment::Each`], in the valid JSON value `json` that lies at `start` in the buffer.
/// Of equal keys the last wins.
pub(crate) fn find(json: &str, start: u32, path: &[Segment]) -> Token {
    let mut value = json;
    for segment in path {
        let inside = match (segment, value.as_bytes().first()) {
            (Segment::Name(name), Some(b'{')) => member(value, name),
            (Segment::Index(index), Some(b'[')) => elements(value).get(*index as usize).copied(),
            (_, Some(b'n')) => return Token::MISSING,
            _ => return Token::new(Class::Blocked, start + within(json, value), value.len() as u32),
        };
        match inside {
            Some(inside) => value = inside,
            None => return Token::MISSING,
        }
    }
    Token::of(value, start + within(json, value))
}

/// Where `part`, a slice of `whole`, begins in it.
fn within(whole: &str, part: &str) -> u32 {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize) as u32
}

/// The elements of a valid JSON array, as they are written.
pub(crate) fn elements(array: &str) -> Vec<&str> {
    let text = array.as_bytes();
    let mut elements = Vec::new();
    let mut at = syntax::skip_space(text, 1);
    // The document's depth was judged before; an array that lies in it cannot be deeper.
    while let Some(end) = syntax::value_end(text, at, 1) {
        elements.extend(array.get(at..end));
        at = syntax::skip_space(text, end);
        if text.get(at) != Some(&b',') {
            break;
        }
        at = syntax::skip_space(text, at + 1);
    }
    elements
}

/// The last member called `name` of a valid JSON object, as it is written.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    struct Member<'n>(&'n str);
    impl<'de> Visitor<'de> for Member<'_> {
        type Value = Option<&'de str>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(is_it) = map.next_key_seed(KeyIs(self.0))? {
                if is_it {
                    found = Some(map.next_value::<&RawValue>()?.get());
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }
    serde_json::Deserializer::from_str(object).deserialize_map(Member(name)).ok().flatten()
}

/// Compares a key, escapes resolved. Read as bytes, so that a key with half of a surrogate pair is merely another key.
struct KeyIs<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<bool, E> {
        Ok(key == self.0.as_bytes())
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill_core::path::Path;

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_place() {
        for (payload, code, part) in [
            (&b"{\"a\":1"[..], "malformed", "line 1 column 6"),
            (b"", "malformed", "EOF"),
            (b"{\"a\":\"\xff\"}", "not-utf8", "byte 7"),
            (b" [1]", "not-object", "array [1]"),
            (b"17", "not-object", "number 17"),
            (nested(MAX_DEPTH + 1).as_bytes(), "too-deep", "128"),
            (&vec![b' '; MAX_PAYLOAD_BYTES + 1], "too-large", "16777217"),
        ] {
            let refusal = validate(payload).unwrap_err();
            assert_eq!(refusal.code, code);
            assert!(refusal.reason.contains(part), "{}", refusal.reason);
            assert!(refusal.reason.len() < 300);
        }
        assert!(validate(nested(MAX_DEPTH).as_bytes()).is_ok());
    }

    #[test]
    fn the_limit_of_depth_is_the_default_of_serde_json() {
        let parses = |depth| serde_json::from_str::<serde_json::Value>(&nested(depth)).is_ok();
        assert!(parses(MAX_DEPTH) && !parses(MAX_DEPTH + 1));
    }

    #[test]
    fn the_last_of_equal_keys_wins_however_it_is_written() {
        let document = r#"{"a":{"b":1},"\ud800":0,"\u0061":{"b":[10,{"c":2}],"b":[7]},"b":9}"#;
        let path = |text: &str| match Path::parse(text).unwrap() {
            Path::Payload(segments) => segments,
            Path::Record(_) => unreachable!(),
        };
        let at = |text| find(document, 0, &path(text));
        assert_eq!(at("a.b[0]").bytes(document.as_bytes()), b"7");
        assert!(at("a.b[1]") == Token::MISSING);
        assert_eq!(at("a.b.c").class(), Class::Blocked);
        assert_eq!(at("b").class(), Class::Digits);
    }
}
