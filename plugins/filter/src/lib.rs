//! Keeps the rows whose field passes every test of the configuration: `{ field = "event_type", equals = ["view"] }`. A row without
//! the field passes only `exists = false` and `not`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use wasmill_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path of the field.
    field: String,
    /// One of these.
    equals: Option<Scalars>,
    /// None of these.
    not: Option<Scalars>,
    /// At least.
    min: Option<f64>,
    /// At most.
    max: Option<f64>,
    /// Present and not null, or the opposite.
    exists: Option<bool>,
}

pub struct Filter {
    config: Config,
    kind: Kind,
}

impl Transformer for Filter {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Keep;

    fn new(mut config: Config) -> Result<Self, String> {
        let ranged = config.min.is_some() || config.max.is_some();
        if ranged {
            config.equals = config.equals.map(Scalars::into_floats);
            config.not = config.not.map(Scalars::into_floats);
        }
        let lists = config.equals.iter().chain(&config.not).map(Scalars::kind);
        let mut kinds: Vec<Kind> = lists.chain(ranged.then_some(Kind::Float)).collect();
        kinds.dedup();
        let kind = match kinds[..] {
            // Only its presence matters: JSON holds a value of any kind.
            [] if config.exists.is_some() => Kind::Json,
            [] => return Err("config: say what passes: `equals`, `not`, `min`, `max` or `exists`".to_owned()),
            [kind] => kind,
            [one, other, ..] => {
                return Err(format!("config: `{}` cannot be {} and {}", config.field, one.name(), other.name()));
            }
        };
        Ok(Filter { config, kind })
    }

    fn reads(&self) -> Vec<Field> {
        vec![Field::optional(self.config.field.clone(), self.kind)]
    }

    #[inline(always)]
    fn transform<'a>(&self, event: Dynamic<'a>, out: &mut Out<Keep>) -> Result<(), Reject> {
        let Config { equals, not, min, max, exists, .. } = &self.config;
        let passes = equals.as_ref().is_none_or(|values| values.contains(&event, 0))
            && not.as_ref().is_none_or(|values| !values.contains(&event, 0))
            && min.is_none_or(|min| event.float(0).is_some_and(|found| found >= min))
            && max.is_none_or(|max| event.float(0).is_some_and(|found| found <= max))
            && exists.is_none_or(|exists| exists != event.is_null(0));
        if passes {
            out.push(Keep);
        }
        Ok(())
    }
}

wasmill_sdk::transformer!(Filter);

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(config: serde_json::Value, event: serde_json::Value) -> bool {
        let rows = testing::transformer::<Filter>(config).run(event.clone()).unwrap();
        assert!(rows.is_empty() || rows == [event], "a filter changes nothing");
        !rows.is_empty()
    }

    #[test]
    fn equals_keeps_the_values_of_its_list_alone() {
        let config = json!({"field": "event_type", "equals": ["view", "click"]});
        for (event, expected) in [
            (json!({"event_type": "click", "more": 1}), true),
            (json!({"event_type": "clicks"}), false),
            (json!({"event_type": null}), false),
            (json!({}), false),
        ] {
            assert_eq!(kept(config.clone(), event.clone()), expected, "{event}");
        }
    }

    #[test]
    fn not_and_a_range_hold_together() {
        let config = json!({"field": "data.amount", "not": [13], "min": 0, "max": 100});
        for (amount, expected) in [(0.0, true), (100.0, true), (13.0, false), (-0.5, false), (100.5, false)] {
            assert_eq!(kept(config.clone(), json!({"data": {"amount": amount}})), expected, "{amount}");
        }
    }

    #[test]
    fn exists_takes_a_value_of_any_kind() {
        for (value, there) in [(json!({"a": 1}), true), (json!(false), true), (json!(null), false)] {
            assert_eq!(kept(json!({"field": "x", "exists": true}), json!({"x": value})), there);
            assert_eq!(kept(json!({"field": "x", "exists": false}), json!({"x": value})), !there);
        }
    }

    #[test]
    fn a_mistaken_configuration_is_refused_with_its_key() {
        for (config, expected) in [
            (json!({"feild": "a"}), "unknown field `feild`"),
            (json!({"equals": ["a"]}), "missing field `field`"),
            (json!({"field": "a"}), "say what passes"),
            (json!({"field": "a", "equals": ["x"], "min": 1}), "`a` cannot be text and float"),
            (json!({"field": "a", "equals": "x"}), "config.equals: expected a list"),
        ] {
            let error = testing::configure_transformer::<Filter>(config).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
