//! Count, sum, minimum, maximum, mean and standard deviation of a field: `{ field = "value", outputs = ["count", "sum"] }`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use wasmill_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path of a number.
    field: String,
    #[serde(default = "Statistic::all")]
    outputs: Vec<Statistic>,
    #[serde(default)]
    missing: Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Statistic {
    Count,
    Sum,
    Min,
    Max,
    Mean,
    Stddev,
}

impl Statistic {
    fn all() -> Vec<Self> {
        use Statistic::*;
        vec![Count, Sum, Min, Max, Mean, Stddev]
    }

    fn column(self) -> OutputField {
        match self {
            Statistic::Count => OutputField::new("count", Kind::Integer),
            Statistic::Sum => OutputField::new("sum", Kind::Float),
            Statistic::Min => OutputField::new("min", Kind::Float).optional(),
            Statistic::Max => OutputField::new("max", Kind::Float).optional(),
            Statistic::Mean => OutputField::new("mean", Kind::Float).optional(),
            Statistic::Stddev => {
                OutputField::new("stddev", Kind::Float).optional().doc("Of a sample, from two rows on.")
            }
        }
    }
}

#[derive(Serialize, Deserialize, State)]
pub struct Stats {
    count: u64,
    sum: f64,
    /// What rounding has taken from `sum`.
    lost: f64,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of squared distances from the mean: subtracting squares of sums instead would lose all digits of it where the
    /// mean is great and the spread small.
    squares: f64,
}

impl Stats {
    #[inline(always)]
    fn take(&mut self, value: f64) {
        self.count += 1;
        self.add_to_sum(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // Welford.
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    /// Neumaier's sum: the same for every order of the rows, but for the last digit.
    fn add_to_sum(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    fn value(&self, statistic: Statistic) -> Cell<'static> {
        let any = self.count > 0;
        match statistic {
            Statistic::Count => self.count.into(),
            Statistic::Sum => (self.sum + self.lost).into(),
            Statistic::Min => any.then_some(self.min).into(),
            Statistic::Max => any.then_some(self.max).into(),
            Statistic::Mean => any.then(|| (self.sum + self.lost) / self.count as f64).into(),
            Statistic::Stddev => (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt()).into(),
        }
    }
}

impl Aggregator for Stats {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Cells<'a>;

    fn check(config: &Config) -> Result<(), String> {
        let twice = |(at, output): (usize, &Statistic)| config.outputs[..at].contains(output);
        match config.outputs.iter().enumerate().any(twice) || config.outputs.is_empty() {
            true => Err("config.outputs: name at least one output, and none twice".to_owned()),
            false => Ok(()),
        }
    }

    fn reads(config: &Config) -> Vec<Field> {
        vec![config.missing.field(&config.field, Kind::Float)]
    }

    fn writes(config: &Config) -> Vec<Output> {
        vec![Output::main(config.outputs.iter().map(|output| output.column()).collect())]
    }

    fn empty(_: &Config) -> Self {
        Stats { count: 0, sum: 0.0, lost: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, mean: 0.0, squares: 0.0 }
    }

    #[inline(always)]
    fn add(&mut self, event: Dynamic<'_>, _: &Config) -> Result<(), Reject> {
        if let Some(value) = event.float(0) {
            self.take(value);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if other.count == 0 {
            return;
        }
        // Chan, Golub and LeVeque.
        let distance = other.mean - self.mean;
        let share = other.count as f64 / count as f64;
        self.squares += other.squares + distance * distance * self.count as f64 * share;
        self.mean += distance * share;
        self.count = count;
        self.add_to_sum(other.sum);
        self.lost += other.lost;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, config: &'a Config, out: &mut Out<Cells<'a>>) {
        out.push(config.outputs.iter().map(|&output| self.value(output)).collect());
    }
}

wasmill_sdk::aggregator!(Stats);

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, Strategy, any, prop, proptest};

    use super::*;

    fn float(state: &Stats, statistic: Statistic) -> Option<f64> {
        match state.value(statistic) {
            Cell::Float(value) => Some(value),
            Cell::Null => None,
            other => panic!("{other:?}"),
        }
    }

    /// The definitions, in two passes over all values.
    fn model(values: &[f64]) -> [Option<f64>; 5] {
        let count = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let squares: f64 = values.iter().map(|value| (value - sum / count).powi(2)).sum();
        let some = |value| (!values.is_empty()).then_some(value);
        [
            some(sum).or(Some(0.0)),
            values.iter().copied().reduce(f64::min),
            values.iter().copied().reduce(f64::max),
            some(sum / count),
            (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_parts_merged_in_any_order_give_what_the_definitions_give(
            values in prop::collection::vec((-1e6..1e6f64).prop_map(|value| value + 1e4), 0..60),
            parts in prop::collection::vec(any::<u8>(), 60),
            order in prop::collection::vec(any::<u8>(), 4),
        ) {
            use Statistic::{Max, Mean, Min, Stddev, Sum};
            let config = Config { field: String::new(), outputs: Statistic::all(), missing: Missing::Reject };
            let mut states: Vec<Stats> = (0..4).map(|_| Stats::empty(&config)).collect();
            for (value, part) in values.iter().zip(&parts) {
                states[usize::from(part % 4)].take(*value);
            }
            while states.len() > 1 {
                let other = states.swap_remove(usize::from(order[states.len() - 1]) % states.len());
                states[0].merge(&other);
            }
            let found = [Sum, Min, Max, Mean, Stddev].map(|statistic| float(&states[0], statistic));
            for (found, expected) in found.iter().zip(model(&values)) {
                match (found, expected) {
                    (Some(found), Some(expected)) => assert!((found - expected).abs() <= 1e-6, "{found} {expected}"),
                    (found, expected) => assert_eq!(*found, expected),
                }
            }
            assert_eq!(states[0].count, values.len() as u64);
        }
    }

    #[test]
    fn the_chosen_outputs_come_in_their_order() {
        let mut test = testing::aggregator::<Stats>(json!({"field": "data.value", "outputs": ["max", "count", "sum"]}));
        for value in [1.5, -2.0, 4.0] {
            test.add(json!({"data": {"value": value}}));
        }
        assert_eq!(test.emit(), [json!({"max": 4.0, "count": 3, "sum": 3.5})]);
        let names: Vec<_> = test.descriptor().outputs[0].fields.iter().map(|field| field.name.as_ref()).collect();
        assert_eq!(names, ["max", "count", "sum"]);
        test.laws();
    }

    #[test]
    fn a_small_spread_about_a_great_mean_keeps_its_digits() {
        let mut test = testing::aggregator::<Stats>(json!({"field": "x"}));
        for value in [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0] {
            test.add(json!({"x": value}));
        }
        let row = &test.emit()[0];
        assert_eq!(row["mean"], 1e9 + 10.0);
        assert!((row["stddev"].as_f64().unwrap() - 30f64.sqrt()).abs() < 1e-9, "{row}");
        test.laws();
    }

    #[test]
    fn a_sum_is_the_same_in_any_order() {
        let mut values = vec![1e16, 1.0, -1e16, 0.1, 3.0, 1e-3];
        for _ in 0..values.len() {
            values.rotate_left(1);
            let mut test = testing::aggregator::<Stats>(json!({"field": "x", "outputs": ["sum"]}));
            test.add_all(values.iter().map(|value| json!({"x": value})));
            assert_eq!(test.emit(), [json!({"sum": 4.101})], "{values:?}");
        }
    }

    #[test]
    fn rows_without_the_field_are_rejected_or_skipped_as_configured() {
        let mut strict = testing::aggregator::<Stats>(json!({"field": "x"}));
        assert_eq!(strict.try_add(json!({})), Err("missing: x is required".into()));
        let mut lenient = testing::aggregator::<Stats>(json!({"field": "x", "missing": "skip"}));
        lenient.add(json!({"x": null}));
        assert_eq!(lenient.emit(), [json!({"count": 0, "sum": 0.0})], "what is not known is null");
        lenient.add(json!({"x": 2}));
        assert_eq!(lenient.emit(), [json!({"count": 1, "sum": 2.0, "min": 2.0, "max": 2.0, "mean": 2.0})]);
        lenient.laws();
    }

    #[test]
    fn a_mistaken_configuration_is_refused_with_its_key() {
        for (config, expected) in [
            (json!({"field": "x", "outputs": ["median"]}), "config.outputs[0]: unknown variant `median`"),
            (json!({"field": "x", "outputs": ["sum", "sum"]}), "config.outputs: name"),
            (json!({"field": "x", "outputs": []}), "config.outputs: name"),
            (json!({"field": 3}), "config.field: invalid type: integer `3`"),
        ] {
            let error = testing::configure_aggregator::<Stats>(config).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
