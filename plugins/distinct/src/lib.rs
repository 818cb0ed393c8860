//! Estimates how many different values a field has: `{ field = "user_id" }`. The sketch is HyperLogLog; the estimate looks at
//! its registers alone, so it does not depend on how panes and partitions were merged.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use datasketches::hll::{HllSketch, HllType, HllUnion};
use wasmill_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    field: String,
    /// What the field holds: `text` or `integer`.
    #[serde(default = "text")]
    kind: Kind,
    /// The base-2 logarithm of the number of registers (bytes): 12 is 4 KiB for an error of 1.6 %.
    #[serde(default = "precision")]
    precision: u8,
    #[serde(default)]
    missing: Missing,
}

fn text() -> Kind {
    Kind::Text
}

fn precision() -> u8 {
    12
}

#[derive(Serialize, Deserialize, State)]
pub struct Distinct(#[serde(with = "as_bytes")] HllSketch);

#[derive(Row)]
pub struct Counted {
    /// Different values, estimated.
    distinct: u64,
}

/// The sketch's own portable form.
mod as_bytes {
    use datasketches::hll::HllSketch;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(sketch: &HllSketch, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&sketch.serialize())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HllSketch, D::Error> {
        HllSketch::deserialize(<&[u8]>::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Checked by [`Aggregator::check`] before any sketch is made.
fn in_range<T, E: std::fmt::Display>(made: Result<T, E>) -> T {
    made.unwrap_or_else(|error| panic!("the precision was checked: {error}"))
}

impl Aggregator for Distinct {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Counted;

    fn check(config: &Config) -> Result<(), String> {
        if !matches!(config.kind, Kind::Text | Kind::Integer) {
            return Err("config.kind: values are `text` or `integer`".to_owned());
        }
        match config.precision {
            4..=18 => Ok(()),
            _ => Err("config.precision: from 4 (16 bytes, 26 %) to 18 (256 KiB, 0.2 %)".to_owned()),
        }
    }

    fn reads(config: &Config) -> Vec<Field> {
        vec![config.missing.field(&config.field, config.kind)]
    }

    fn empty(config: &Config) -> Self {
        Distinct(in_range(HllSketch::new(config.precision, HllType::Hll8)))
    }

    fn add(&mut self, event: Dynamic<'_>, _: &Config) -> Result<(), Reject> {
        if let Some(value) = event.text(0) {
            self.0.update(value);
        } else if let Some(value) = event.integer(0) {
            self.0.update(value);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        let mut union = in_range(HllUnion::new(self.0.lg_config_k()));
        union.update(&self.0);
        union.update(&other.0);
        self.0 = union.to_sketch(HllType::Hll8);
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, _: &'a Config, out: &mut Out<Counted>) {
        // The default estimate follows the order of arrival, which merging does not keep.
        out.push(Counted { distinct: self.0.composite_estimate().round() as u64 });
    }
}

wasmill_sdk::aggregator!(Distinct);

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(events: impl Iterator<Item = serde_json::Value>, config: serde_json::Value) -> f64 {
        let mut test = testing::aggregator::<Distinct>(config);
        test.add_all(events);
        test.laws();
        test.emit()[0]["distinct"].as_f64().unwrap()
    }

    #[test]
    fn few_values_are_counted_exactly_and_repetitions_do_not_count() {
        let users = (0..60).map(|n| json!({"user": format!("user-{}", n % 20)}));
        assert_eq!(counted(users, json!({"field": "user"})), 20.0);
        assert_eq!(counted(std::iter::empty(), json!({"field": "user"})), 0.0);
        let integers = (0..60).map(|n| json!({"user": n % 7}));
        assert_eq!(counted(integers, json!({"field": "user", "kind": "integer"})), 7.0);
    }

    #[test]
    fn many_values_are_counted_within_the_error_and_the_same_however_they_were_merged() {
        // Few registers, so that the laws also hold where the sketch has left its exact start.
        let found =
            counted((0..2000).map(|n| json!({"user": format!("{n}")})), json!({"field": "user", "precision": 10}));
        assert!((found - 2000.0).abs() < 3.0 * 0.0325 * 2000.0, "{found}");
    }
}
