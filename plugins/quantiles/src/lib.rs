//! Quantiles of a field within a relative error: `{ field = "attributes.metric", quantiles = [0.5, 0.95, 0.99] }`. The sketch is
//! DDSketch: its buckets add up exactly, so the rows do not depend on how panes and partitions were merged.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use sketches_ddsketch::DDSketch;
use wasmill_sdk::prelude::*;

/// Buckets of a sketch: at an accuracy of 1 % they span 17 decades before the lowest are joined.
const MAX_BUCKETS: u32 = 2048;
/// Values nearer to zero than this are zero.
const SMALLEST: f64 = 1e-9;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path of a number.
    field: String,
    #[serde(default = "usual_quantiles")]
    quantiles: Vec<f64>,
    /// The relative error of a quantile.
    #[serde(default = "one_percent")]
    accuracy: f64,
    #[serde(default)]
    missing: Missing,
}

fn usual_quantiles() -> Vec<f64> {
    vec![0.5, 0.95, 0.99]
}

fn one_percent() -> f64 {
    0.01
}

/// `p95` for 0.95, `p99_9` for 0.999.
fn name(quantile: f64) -> String {
    format!("p{}", (quantile * 1e8).round() / 1e6).replace('.', "_")
}

#[derive(Serialize, Deserialize, State)]
pub struct Quantiles(DDSketch);

impl Aggregator for Quantiles {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Cells<'a>;

    fn check(config: &Config) -> Result<(), String> {
        if !(0.0001..=0.2).contains(&config.accuracy) {
            return Err("config.accuracy: a relative error from 0.0001 to 0.2".to_owned());
        }
        let twice = |(at, quantile): (usize, &f64)| config.quantiles[..at].contains(quantile);
        if config.quantiles.is_empty() || config.quantiles.iter().enumerate().any(twice) {
            return Err("config.quantiles: name at least one, and none twice".to_owned());
        }
        match config.quantiles.iter().find(|quantile| !(0.0..=1.0).contains(*quantile)) {
            Some(quantile) => {
                Err(format!("config.quantiles: {quantile} is not from 0 to 1; the 95th percentile is 0.95"))
            }
            None => Ok(()),
        }
    }

    fn reads(config: &Config) -> Vec<Field> {
        vec![config.missing.field(&config.field, Kind::Float)]
    }

    fn writes(config: &Config) -> Vec<Output> {
        let column = |&quantile: &f64| OutputField::new(name(quantile), Kind::Float).optional();
        vec![Output::main(config.quantiles.iter().map(column).collect())]
    }

    fn empty(config: &Config) -> Self {
        Quantiles(DDSketch::new(sketches_ddsketch::Config::new(config.accuracy, MAX_BUCKETS, SMALLEST)))
    }

    fn add(&mut self, event: Dynamic<'_>, _: &Config) -> Result<(), Reject> {
        if let Some(value) = event.float(0) {
            self.0.add(value);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        // Fails for sketches of two accuracies only; a state of another configuration is rather left out than mixed in.
        if self.0.merge(&other.0).is_err() {
            log::error!("a state of another accuracy was not merged");
        }
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, config: &'a Config, out: &mut Out<Cells<'a>>) {
        out.push(config.quantiles.iter().map(|&quantile| self.0.quantile(quantile).ok().flatten().into()).collect());
    }
}

wasmill_sdk::aggregator!(Quantiles);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantile_is_within_the_accuracy_of_the_sorted_values() {
        let mut test = testing::aggregator::<Quantiles>(json!({"field": "ms", "quantiles": [0.01, 0.5, 0.95, 0.999]}));
        // Pseudo-random, over seven decades, a third of them negative.
        let mut values: Vec<f64> = (1..=300u64)
            .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40)
            .map(|n| (n as f64 / 1e3) * if n % 3 == 0 { -1.0 } else { 1.0 })
            .collect();
        test.add_all(values.iter().map(|value| json!({"ms": value})));
        values.sort_by(f64::total_cmp);
        let row = &test.emit()[0];
        for (name, quantile) in [("p1", 0.01), ("p50", 0.5), ("p95", 0.95), ("p99_9", 0.999)] {
            let exact = values[(quantile * (values.len() - 1) as f64) as usize];
            let found = row[name].as_f64().unwrap();
            assert!((found - exact).abs() <= 0.0101 * exact.abs(), "{name}: {found}, exactly {exact}");
        }
        test.laws();
    }

    #[test]
    fn without_values_there_are_no_quantiles() {
        let mut test = testing::aggregator::<Quantiles>(json!({"field": "ms", "missing": "skip"}));
        assert_eq!(test.add(json!({})).emit(), [json!({})]);
        test.laws();
    }

    #[test]
    fn a_percentile_out_of_range_is_refused() {
        let error = testing::configure_aggregator::<Quantiles>(json!({"field": "ms", "quantiles": [95]})).unwrap_err();
        assert_eq!(error, "config.quantiles: 95 is not from 0 to 1; the 95th percentile is 0.95");
    }
}
