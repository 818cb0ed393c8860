//! Rejects rows that break a rule, naming every field and value that does: `{ required = ["event_id", "value"] }`. Fields are
//! read as JSON, so that a value of any type reaches the rules; all rules but `required` pass where a field is missing or null.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use std::collections::BTreeMap;

use serde_json::Value;
use wasmill_sdk::prelude::*;

/// A longer value is cut in a reason.
const SHOWN_CHARACTERS: usize = 80;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Paths of fields that must be there and not null.
    #[serde(default)]
    required: Vec<String>,
    /// `types = { value = "float" }`
    #[serde(default)]
    types: BTreeMap<String, Type>,
    /// `ranges = { value = { min = 0, max = 100 } }`, both inclusive.
    #[serde(default)]
    ranges: BTreeMap<String, Range>,
    /// `allowed = { currency = ["EUR", "USD"] }`
    #[serde(default)]
    allowed: BTreeMap<String, Vec<Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Boolean,
    Integer,
    /// Any number.
    Float,
    Text,
    List,
    Object,
}

impl Type {
    fn holds(self, value: &Value) -> bool {
        match self {
            Type::Boolean => value.is_boolean(),
            Type::Integer => value.is_i64() || value.is_u64(),
            Type::Float => value.is_number(),
            Type::Text => value.is_string(),
            Type::List => value.is_array(),
            Type::Object => value.is_object(),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    min: Option<f64>,
    max: Option<f64>,
}

/// All that is asked of one field.
#[derive(Default)]
struct Rules {
    required: bool,
    of_type: Option<Type>,
    range: Option<Range>,
    allowed: Option<Vec<Value>>,
}

impl Rules {
    /// What is wrong with a value.
    fn broken(&self, value: &Value) -> Option<String> {
        if let Some(of_type) = self.of_type
            && !of_type.holds(value)
        {
            return Some(format!("should be {}", format!("{of_type:?}").to_lowercase()));
        }
        if let Some(Range { min, max }) = self.range {
            let Some(number) = value.as_f64() else { return Some("should be a number".to_owned()) };
            if let Some(min) = min.filter(|&min| number < min) {
                return Some(format!("should be at least {min}"));
            }
            if let Some(max) = max.filter(|&max| number > max) {
                return Some(format!("should be at most {max}"));
            }
        }
        let allowed = self.allowed.as_ref().filter(|allowed| !allowed.iter().any(|one| same(one, value)))?;
        let list: Vec<String> = allowed.iter().map(Value::to_string).collect();
        Some(format!("should be one of {}", list.join(", ")))
    }
}

/// 1 and 1.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && one.as_f64() == other.as_f64())
}

pub struct Validate {
    /// By path, in the order of the columns.
    fields: BTreeMap<String, Rules>,
}

impl Transformer for Validate {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Keep;

    fn new(config: Config) -> Result<Self, String> {
        let mut fields = BTreeMap::<String, Rules>::new();
        for path in config.required {
            fields.entry(path).or_default().required = true;
        }
        for (path, of_type) in config.types {
            fields.entry(path).or_default().of_type = Some(of_type);
        }
        for (path, range) in config.ranges {
            fields.entry(path).or_default().range = Some(range);
        }
        for (path, allowed) in config.allowed {
            fields.entry(path).or_default().allowed = Some(allowed);
        }
        if fields.is_empty() {
            return Err("config: name a rule: `required`, `types`, `ranges` or `allowed`".to_owned());
        }
        Ok(Validate { fields })
    }

    fn reads(&self) -> Vec<Field> {
        self.fields.keys().map(|path| Field::optional(path.clone(), Kind::Json)).collect()
    }

    fn transform<'a>(&self, event: Dynamic<'a>, out: &mut Out<Keep>) -> Result<(), Reject> {
        let mut reasons = Vec::new();
        for (column, (path, rules)) in self.fields.iter().enumerate() {
            let Some(json) = event.text(column) else {
                if rules.required {
                    reasons.push(format!("{path} is required and missing"));
                }
                continue;
            };
            if rules.of_type.is_none() && rules.range.is_none() && rules.allowed.is_none() {
                continue;
            }
            let broken = match serde_json::from_str(json) {
                Ok(value) => rules.broken(&value),
                Err(error) => Some(format!("should be JSON ({error})")),
            };
            if let Some(rule) = broken {
                let shown: String = json.chars().take(SHOWN_CHARACTERS).collect();
                let more = if shown.len() < json.len() { "…" } else { "" };
                reasons.push(format!("{path} is {shown}{more}, {rule}"));
            }
        }
        if reasons.is_empty() {
            out.push(Keep);
            Ok(())
        } else {
            Err(reasons.join("; ").into())
        }
    }
}

wasmill_sdk::transformer!(Validate);

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(config: Value, event: Value) -> Result<(), String> {
        let rows = testing::transformer::<Validate>(config).run(event.clone()).map_err(|Reject(reason)| reason)?;
        assert_eq!(rows, [event], "a valid row goes on unchanged");
        Ok(())
    }

    #[test]
    fn a_row_that_keeps_all_rules_goes_on_and_each_broken_one_is_named() {
        let config = json!({
            "required": ["id", "data.amount"],
            "types": {"id": "text", "n": "integer"},
            "ranges": {"data.amount": {"min": 0, "max": 100}},
            "allowed": {"currency": ["EUR", "USD"], "level": [1, 2]}
        });
        for (event, expected) in [
            (json!({"id": "a", "data": {"amount": 100.0}, "currency": "EUR", "n": 3, "level": 1.0}), Ok(())),
            (json!({"id": "a", "data": {"amount": 0}, "currency": null}), Ok(())),
            (json!({"data": {"amount": 5}}), Err("id is required and missing")),
            (json!({"id": null, "data": {}}), Err("data.amount is required and missing; id is required and missing")),
            (json!({"id": 7, "data": {"amount": 5}}), Err("id is 7, should be text")),
            (json!({"id": "a", "data": {"amount": -1}}), Err("data.amount is -1, should be at least 0")),
            (json!({"id": "a", "data": {"amount": 100.5}}), Err("data.amount is 100.5, should be at most 100")),
            (json!({"id": "a", "data": {"amount": "5"}}), Err("data.amount is \"5\", should be a number")),
            (json!({"id": "a", "data": {"amount": 1}, "n": 1.5}), Err("n is 1.5, should be integer")),
            (
                json!({"id": "a", "data": {"amount": 1}, "currency": "GBP"}),
                Err("currency is \"GBP\", should be one of \"EUR\", \"USD\""),
            ),
        ] {
            assert_eq!(verdict(config.clone(), event.clone()), expected.map_err(str::to_owned), "{event}");
        }
    }

    #[test]
    fn a_long_value_is_cut_in_the_reason() {
        let reason = verdict(json!({"types": {"x": "integer"}}), json!({"x": "ä".repeat(1000)})).unwrap_err();
        assert!(reason.chars().count() < 120, "{reason}");
    }

    #[test]
    fn no_rule_at_all_and_unknown_types_are_refused() {
        for (config, expected) in [
            (json!({}), "name a rule"),
            (json!({"types": {"x": "number"}}), "config.types.x: unknown variant `number`"),
            (json!({"ranges": {"x": {"minimum": 1}}}), "config.ranges.x"),
        ] {
            let error = testing::configure_transformer::<Validate>(config).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
