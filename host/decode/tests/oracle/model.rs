//! The plain answer: parse the whole document with serde_json, keep every value as it is written, look fields up.

use std::collections::BTreeMap;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use wasmill_core::decode_spec::DecodeKind;
use wasmill_core::path::{Path, Segment};
use wasmill_core::schema::Kind;
use wasmill_decode::MAX_DEPTH;

/// A decoded value of one row and field. `Unknown`: the model has no opinion.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Mistyped,
    Boolean(bool),
    Integer(i64),
    /// By its bits, so that -0.0 is not 0.0.
    Float(u64),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Unknown,
}

/// A JSON value: as it is written, and what is inside.
pub struct Tree {
    raw: String,
    inside: Inside,
}

enum Inside {
    Scalar,
    Array(Vec<Tree>),
    /// Keys as bytes, escapes resolved; the last of equal ones.
    Object(BTreeMap<Vec<u8>, Tree>),
}

/// The document, or the code of its refusal.
pub fn parse(payload: &[u8]) -> Result<Tree, &'static str> {
    let text = std::str::from_utf8(payload).map_err(|_| "not-utf8")?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| "malformed")?;
    if !raw.get().starts_with('{') {
        return Err("not-object");
    }
    let tree = tree(raw.get());
    if tree.depth() > MAX_DEPTH { Err("too-deep") } else { Ok(tree) }
}

fn tree(raw: &str) -> Tree {
    let inside = match raw.as_bytes()[0] {
        b'{' => {
            let members = serde_json::Deserializer::from_str(raw).deserialize_map(Members).unwrap();
            // A member that is overwritten counts for nothing but the depth, which `depth` below takes from the text.
            Inside::Object(members.into_iter().map(|(key, value)| (key, tree(value))).collect())
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(raw).unwrap();
            Inside::Array(elements.into_iter().map(|element| tree(element.get())).collect())
        }
        _ => Inside::Scalar,
    };
    Tree { raw: raw.to_owned(), inside }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Vec<u8>, &'de str)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            // A key with half of a surrogate pair is nobody's.
            let key = serde_json::from_str::<String>(key.get()).unwrap_or_else(|_| "\u{0}".to_owned());
            members.push((key.into_bytes(), value.get()));
        }
        Ok(members)
    }
}

impl Tree {
    /// Of the text, so that overwritten members count.
    fn depth(&self) -> usize {
        let (mut depth, mut deepest, mut text, mut escape) = (0, 0, false, false);
        for c in self.raw.chars() {
            (text, escape) = match (text, escape, c) {
                (true, true, _) => (true, false),
                (true, false, '\\') => (true, true),
                (_, _, '"') => (!text, false),
                _ => (text, false),
            };
            match c {
                '{' | '[' if !text => depth += 1,
                '}' | ']' if !text => depth -= 1,
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    /// What the field at `path` should give.
    pub fn field(&self, path: &str, kind: DecodeKind) -> Value {
        let Path::Payload(mut segments) = Path::parse(path).unwrap() else { unreachable!("only payload fields here") };
        match kind {
            DecodeKind::Repeated(kind) => {
                if !segments.contains(&Segment::Each) {
                    segments.push(Segment::Each);
                }
                let at = segments.iter().position(|s| *s == Segment::Each).unwrap();
                self.list(&segments[..at], &segments[at + 1..], kind)
            }
            kind => match self.walk(&segments) {
                Ok(Some(tree)) => convert(tree, kind),
                Ok(None) => Value::Null,
                Err(()) => Value::Mistyped,
            },
        }
    }

    fn list(&self, before: &[Segment], each: &[Segment], kind: Kind) -> Value {
        let array = match self.walk(before) {
            Err(()) => return Value::Mistyped,
            Ok(None) => return Value::Null,
            Ok(Some(tree)) if tree.raw == "null" => return Value::Null,
            Ok(Some(tree)) => tree,
        };
        let Inside::Array(elements) = &array.inside else { return Value::Mistyped };
        let values: Vec<Value> = elements
            .iter()
            .map(|element| match element.walk(each) {
                Ok(Some(tree)) => convert(tree, DecodeKind::Kind(kind)),
                Ok(None) => Value::Null,
                Err(()) => Value::Mistyped,
            })
            .collect();
        if values.contains(&Value::Mistyped) {
            Value::Mistyped
        } else if values.contains(&Value::Unknown) {
            Value::Unknown
        } else {
            Value::List(values)
        }
    }

    /// `Err`: something on the way has nothing inside.
    fn walk(&self, path: &[Segment]) -> Result<Option<&Tree>, ()> {
        let mut tree = self;
        for segment in path {
            let inside = match (segment, &tree.inside) {
                (Segment::Name(name), Inside::Object(members)) => members.get(name.as_bytes()),
                (Segment::Index(index), Inside::Array(elements)) => elements.get(*index as usize),
                _ if tree.raw == "null" => None,
                _ => return Err(()),
            };
            match inside {
                Some(inside) => tree = inside,
                None => return Ok(None),
            }
        }
        Ok(Some(tree))
    }
}

fn convert(tree: &Tree, kind: DecodeKind) -> Value {
    let raw = tree.raw.as_str();
    let number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let text = || match serde_json::from_str::<String>(raw) {
        Ok(text) => Value::Bytes(text.into_bytes()),
        Err(_) => Value::Mistyped,
    };
    if raw == "null" {
        return Value::Null;
    }
    match kind {
        DecodeKind::Kind(Kind::Boolean) => raw.parse().map_or(Value::Mistyped, Value::Boolean),
        DecodeKind::Kind(Kind::Integer) if number => scaled(raw, 0, true).map_or(Value::Mistyped, Value::Integer),
        DecodeKind::Kind(Kind::Float) if number => {
            let value: f64 = raw.parse().unwrap();
            if value.is_finite() { Value::Float(value.to_bits()) } else { Value::Mistyped }
        }
        DecodeKind::Kind(Kind::Text | Kind::Bytes) => text(),
        DecodeKind::Kind(Kind::Json) => Value::Bytes(raw.as_bytes().to_vec()),
        DecodeKind::Kind(Kind::Timestamp) if number => time(raw),
        DecodeKind::Kind(Kind::Timestamp) if raw.starts_with('"') => match text() {
            Value::Bytes(text) => time_text(std::str::from_utf8(&text).unwrap()),
            other => other,
        },
        DecodeKind::Scalar if number || raw == "true" || raw == "false" => Value::Bytes(raw.as_bytes().to_vec()),
        DecodeKind::Scalar => text(),
        _ => Value::Mistyped,
    }
}

/// A JSON number times `10^shift` as an integer, by moving the point in its text; `exact`: no fraction may be left, else it is cut
/// downward.
fn scaled(raw: &str, shift: i64, exact: bool) -> Option<i64> {
    let (sign, rest) = raw.strip_prefix('-').map_or((1, raw), |rest| (-1, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.bytes().all(|b| b == b'0') {
        return Some(0);
    }
    // Exponents that do not fit are beyond all ranges, one way or the other.
    let exponent = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { -1_000_000 } else { 1_000_000 });
    let point = whole.len() as i64 + exponent.clamp(-1_000_000, 1_000_000) + shift;
    if point > 200 {
        return None;
    }
    let padded = format!("{digits}{}", "0".repeat(usize::try_from(point - digits.len() as i64).unwrap_or(0)));
    let (whole, fraction) = padded.split_at(usize::try_from(point).unwrap_or(0));
    let cut = fraction.bytes().any(|b| b != b'0');
    if cut && exact {
        return None;
    }
    let whole = format!("0{}", whole).parse::<i128>().ok()?;
    i64::try_from(sign * whole - i128::from(cut && sign < 0)).ok()
}

fn time(raw: &str) -> Value {
    let whole = scaled(raw.trim_start_matches('-'), 0, false).unwrap_or(i64::MAX);
    let shift = [(100_000_000_000, 9), (100_000_000_000_000, 6), (100_000_000_000_000_000, 3)];
    let shift = shift.iter().find(|(limit, _)| whole < *limit).map_or(0, |(_, shift)| *shift);
    scaled(raw, shift, false).map_or(Value::Mistyped, Value::Integer)
}

/// Texts that are no plain RFC 3339 time are left to the tables of the time formats.
fn time_text(text: &str) -> Value {
    let plain = text.len() >= 20
        && text.ends_with('Z')
        && text.is_ascii()
        && text.as_bytes()[10] == b'T'
        && !text.contains(":60");
    if plain && let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return i64::try_from(timestamp.as_nanosecond()).map_or(Value::Mistyped, Value::Integer);
    }
    let numeric = text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && text.trim_ascii() == text;
    if numeric && serde_json::from_str::<&RawValue>(text).is_ok() {
        return time(text);
    }
    if text.is_empty() || text.bytes().any(|b| b.is_ascii_alphabetic() && b != b'T' && b != b'Z') {
        return Value::Mistyped;
    }
    Value::Unknown
}
