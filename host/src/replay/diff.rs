//! Two sets of points, compared: what is the same, what differs and by how much, what is only in one of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wasmill_core::plan::SinkId;

use crate::offline::points::{Point, PointId, Points};

/// Whose points are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub route: String,
    pub sink: SinkId,
    pub measurement: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub equal: u64,
    pub different: u64,
    /// Only before.
    pub missing: u64,
    /// Only after.
    pub extra: u64,
}

impl Counts {
    pub fn is_equal(&self) -> bool {
        self.different + self.missing + self.extra == 0
    }
}

/// How a point differs.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Different(Vec<FieldChange>),
    Missing,
    Extra,
}

/// A field whose value is another; `None`: the point does not have it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    pub name: String,
    pub before: Option<Field>,
    pub after: Option<Field>,
}

/// A field's value as line protocol writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field(pub String);

/// Counts by group; every point that differs is shown to `differs`, in the order of sink, series and time.
pub fn compare(
    before: &Points,
    after: &Points,
    differs: &mut dyn FnMut(&Group, &PointId, &Point, &Change),
) -> BTreeMap<Group, Counts> {
    let mut counts: BTreeMap<Group, Counts> = BTreeMap::new();
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    loop {
        let (id, point, change) = match (before.peek(), after.peek()) {
            (None, None) => return counts,
            (Some(&(old, was)), Some(&(new, is))) if old == new => {
                before.next();
                after.next();
                (new, is, Some(changes(&was.fields, &is.fields)).filter(|c| !c.is_empty()).map(Change::Different))
            }
            (Some(&(old, was)), new) if new.is_none_or(|(new, _)| old < *new) => {
                before.next();
                (old, was, Some(Change::Missing))
            }
            (_, Some(&(new, is))) => {
                after.next();
                (new, is, Some(Change::Extra))
            }
            (Some(_), None) => return counts,
        };
        let target = &point.target;
        let group = Group { route: target.route.clone(), sink: id.sink, measurement: target.measurement.clone() };
        if let Some(change) = &change {
            differs(&group, id, point, change);
        }
        let counts = counts.entry(group).or_default();
        match change {
            None => counts.equal += 1,
            Some(Change::Different(_)) => counts.different += 1,
            Some(Change::Missing) => counts.missing += 1,
            Some(Change::Extra) => counts.extra += 1,
        }
    }
}

/// The fields that are not the same, by name.
fn changes(before: &str, after: &str) -> Vec<FieldChange> {
    if before == after {
        return Vec::new();
    }
    let (before, mut after) = (fields(before), fields(after));
    let mut changes = Vec::new();
    for (name, was) in before {
        let is = after.iter().position(|(other, _)| *other == name).map(|index| after.remove(index).1);
        if is.as_ref() != Some(&was) {
            changes.push(FieldChange { name, before: Some(was), after: is });
        }
    }
    changes.extend(after.into_iter().map(|(name, is)| FieldChange { name, before: None, after: Some(is) }));
    changes
}

/// The fields of a line, `name=value,…`, with names and values as they are written.
fn fields(text: &str) -> Vec<(String, Field)> {
    let (mut fields, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (name, tail) = cut(rest, '=', false);
        let (value, tail) = cut(tail, ',', true);
        fields.push((name.to_owned(), Field(value.to_owned())));
        rest = tail;
    }
    fields
}

/// `text` before and behind the first `at` that has no backslash before it and, where quotes have a meaning, stands outside of them.
fn cut(text: &str, at: char, quotes: bool) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if quotes => quoted = !quoted,
            _ if character == at && !quoted => return (&text[..position], &text[position + at.len_utf8()..]),
            _ => {}
        }
    }
    (text, "")
}

impl Field {
    /// As JSON says it.
    pub fn value(&self) -> Value {
        let text = self.0.as_str();
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        if let Some(quoted) = quoted {
            return Value::from(quoted.replace("\\\"", "\"").replace("\\\\", "\\"));
        }
        if let Some(integer) = text.strip_suffix('i').and_then(|digits| digits.parse::<i64>().ok()) {
            return Value::from(integer);
        }
        match text {
            "true" => Value::from(true),
            "false" => Value::from(false),
            // By the standard library, which reads every digit right; serde_json may miss the last one.
            _ => text.parse::<f64>().map_or_else(|_| Value::from(text), Value::from),
        }
    }
}

impl FieldChange {
    /// After minus before, and that as a share of before (`None` where that is zero); `None` where they are not both numbers.
    pub fn amount(&self) -> Option<(f64, Option<f64>)> {
        let number = |field: &Option<Field>| field.as_ref()?.value().as_f64();
        let (before, after) = (number(&self.before)?, number(&self.after)?);
        let by = after - before;
        Some((by, (before != 0.0).then(|| by / before.abs())))
    }

    /// For programs.
    pub fn as_json(&self) -> Value {
        let value = |field: &Option<Field>| field.as_ref().map_or(Value::Null, Field::value);
        let mut change = json!({ "field": self.name, "before": value(&self.before), "after": value(&self.after) });
        if let Some((by, share)) = self.amount() {
            change["by"] = by.into();
            change["share"] = share.into();
        }
        change
    }
}

impl std::fmt::Display for FieldChange {
    /// `total 7.5 → 9.0 (+1.5, +20 %)`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |field: &Option<Field>| field.as_ref().map_or_else(|| "nothing".to_owned(), |field| field.0.clone());
        write!(f, "{} {} → {}", self.name, text(&self.before), text(&self.after))?;
        match self.amount() {
            Some((by, Some(share))) => write!(f, " ({}, {} %)", signed(by), signed(share * 100.0)),
            Some((by, None)) => write!(f, " ({})", signed(by)),
            None => Ok(()),
        }
    }
}

/// With its sign and four digits that count: the values stand beside it in full.
fn signed(number: f64) -> String {
    let digits = match number.abs() {
        0.0 => 0,
        size if (1e-5..1e9).contains(&size) => (3 - size.log10().floor() as i32).clamp(0, 8) as usize,
        _ => return format!("{number:+.3e}"),
    };
    let text = format!("{number:+.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> Vec<String> {
        changes(before, after).iter().map(FieldChange::to_string).collect()
    }

    #[test]
    fn a_change_is_told_by_field_with_its_amount() {
        assert_eq!(shown("total=7.5,orders=3i", "orders=3i,total=7.5"), Vec::<String>::new(), "the order says nothing");
        assert_eq!(shown("total=7.5,orders=3i", "total=9.0,orders=3i"), ["total 7.5 → 9.0 (+1.5, +20 %)"]);
        assert_eq!(shown("n=0i", "n=-12i"), ["n 0i → -12i (-12)"]);
        assert_eq!(
            shown("mean=3.0", "mean=3.0000000000000004"),
            ["mean 3.0 → 3.0000000000000004 (+4.441e-16, +1.480e-14 %)"]
        );
        assert_eq!(shown("n=1000000i", "n=1000001i"), ["n 1000000i → 1000001i (+1, +0.0001 %)"]);
        assert_eq!(shown("a=1i,b=true", "b=false,c=\"x\""), ["a 1i → nothing", "b true → false", "c nothing → \"x\""]);
    }

    #[test]
    fn commas_quotes_and_escapes_inside_names_and_texts_are_no_seams() {
        let text = r#"a\,b\=c="x,y=\"z\" \\",d=1i"#;
        let found = fields(text);
        assert_eq!(found[0], (r"a\,b\=c".to_owned(), Field(r#""x,y=\"z\" \\""#.to_owned())));
        assert_eq!(found[0].1.value(), json!("x,y=\"z\" \\"));
        assert_eq!(found[1], ("d".to_owned(), Field("1i".to_owned())));
        assert_eq!(Field("250.48325791855197".into()).value().to_string(), "250.48325791855197");
    }
}
