//! The share of rows whose field has one of the given values, or none of them: `{ field = "status", not = ["ok"] }`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use wasmill_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    field: String,
    /// These are errors.
    values: Option<Scalars>,
    /// All but these are errors.
    not: Option<Scalars>,
    #[serde(default)]
    missing: Missing,
}

#[derive(Default, Serialize, Deserialize, State)]
pub struct ErrorRate {
    total: u64,
    errors: u64,
}

#[derive(Row)]
pub struct Rate {
    total: u64,
    errors: u64,
    /// From 0 to 1.
    rate: Option<f64>,
}

impl Aggregator for ErrorRate {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Rate;

    fn check(config: &Config) -> Result<(), String> {
        match (&config.values, &config.not) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err("config: say what an error is by `values` or by `not`, one of them".to_owned()),
        }
    }

    fn reads(config: &Config) -> Vec<Field> {
        let kind = config.values.as_ref().or(config.not.as_ref()).map_or(Kind::Text, Scalars::kind);
        vec![config.missing.field(&config.field, kind)]
    }

    fn empty(_: &Config) -> Self {
        ErrorRate::default()
    }

    fn add(&mut self, event: Dynamic<'_>, config: &Config) -> Result<(), Reject> {
        if event.is_null(0) {
            return Ok(());
        }
        let error = config.values.as_ref().is_some_and(|values| values.contains(&event, 0))
            || config.not.as_ref().is_some_and(|values| !values.contains(&event, 0));
        self.total += 1;
        self.errors += u64::from(error);
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.errors += other.errors;
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, _: &'a Config, out: &mut Out<Rate>) {
        let rate = (self.total > 0).then(|| self.errors as f64 / self.total as f64);
        out.push(Rate { total: self.total, errors: self.errors, rate });
    }
}

wasmill_sdk::aggregator!(ErrorRate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_their_opposite_give_rates_that_add_up_to_one() {
        let mut bad = testing::aggregator::<ErrorRate>(json!({"field": "status", "values": [500, 503]}));
        let mut good = testing::aggregator::<ErrorRate>(json!({"field": "status", "not": [500, 503]}));
        for status in [200, 500, 404, 503] {
            bad.add(json!({"status": status}));
            good.add(json!({"status": status}));
        }
        good.add(json!({"status": 201}));
        assert_eq!(bad.emit(), [json!({"total": 4, "errors": 2, "rate": 0.5})]);
        assert_eq!(good.emit(), [json!({"total": 5, "errors": 3, "rate": 0.6})]);
        bad.laws();
    }

    #[test]
    fn what_an_error_is_must_be_said_once() {
        for config in [json!({"field": "x"}), json!({"field": "x", "values": ["a"], "not": ["b"]})] {
            assert!(
                testing::configure_aggregator::<ErrorRate>(config).unwrap_err().contains("by `values` or by `not`")
            );
        }
    }
}
