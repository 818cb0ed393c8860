//! The most frequent values of a field, or the heaviest by another: `{ item = "user_id", k = 10 }`. Exact up to `capacity`
//! different items; beyond that, rare ones are forgotten and the weights of what is left are at most
//! `2 / capacity` of the whole too great.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use std::collections::HashMap;

use wasmill_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path of what is ranked.
    item: String,
    /// What the item is: `text` or `integer`.
    #[serde(default = "text")]
    kind: Kind,
    #[serde(default = "ten")]
    k: usize,
    /// The path of a number that is added up; without it rows are counted.
    weight: Option<String>,
    #[serde(default = "ten_thousand")]
    capacity: usize,
    #[serde(default)]
    missing: Missing,
}

fn text() -> Kind {
    Kind::Text
}

fn ten() -> usize {
    10
}

fn ten_thousand() -> usize {
    10_000
}

/// Misra and Gries, pruned in bulk: what was taken from all is remembered, which makes the counts of items that were there all
/// along exact.
#[derive(Serialize, Deserialize, State)]
pub struct TopK {
    capacity: usize,
    weights: HashMap<String, f64>,
    taken: f64,
}

impl TopK {
    fn add_weight(&mut self, item: &str, weight: f64) {
        match self.weights.get_mut(item) {
            Some(sum) => *sum += weight,
            None => {
                self.weights.insert(item.to_owned(), weight);
                self.prune();
            }
        }
    }

    /// Takes the weight of the first item that must go from all, so that half of the room is free again.
    fn prune(&mut self) {
        if self.weights.len() <= self.capacity {
            return;
        }
        let mut sorted: Vec<f64> = self.weights.values().copied().collect();
        let (_, &mut least, _) = sorted.select_nth_unstable_by(self.capacity / 2, |one, other| other.total_cmp(one));
        self.weights.retain(|_, weight| {
            *weight -= least;
            *weight > 0.0
        });
        self.taken += least;
    }
}

impl Aggregator for TopK {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Cells<'a>;

    fn check(config: &Config) -> Result<(), String> {
        if !matches!(config.kind, Kind::Text | Kind::Integer) {
            return Err("config.kind: items are `text` or `integer`".to_owned());
        }
        if !(1..=1000).contains(&config.k) {
            return Err("config.k: from 1 to 1000".to_owned());
        }
        if config.capacity < 4 * config.k || config.capacity > 1_000_000 {
            return Err("config.capacity: at least four times `k`, at most 1000000".to_owned());
        }
        Ok(())
    }

    fn reads(config: &Config) -> Vec<Field> {
        let weight = config.weight.as_ref().map(|path| config.missing.field(path, Kind::Float));
        std::iter::once(config.missing.field(&config.item, config.kind)).chain(weight).collect()
    }

    fn writes(config: &Config) -> Vec<Output> {
        let value = match config.weight {
            Some(_) => OutputField::new("sum", Kind::Float),
            None => OutputField::new("count", Kind::Integer),
        };
        // The rank is the tag, so that a correction overwrites the same points whoever has moved up.
        let rank = OutputField::new("rank", Kind::Text).tag().doc("1 is the greatest.");
        vec![Output::main(vec![rank, OutputField::new("item", Kind::Text), value])]
    }

    fn empty(config: &Config) -> Self {
        TopK { capacity: config.capacity, weights: HashMap::new(), taken: 0.0 }
    }

    fn add(&mut self, event: Dynamic<'_>, config: &Config) -> Result<(), Reject> {
        let weight = if config.weight.is_some() { event.float(1) } else { Some(1.0) };
        let Some(weight) = weight else { return Ok(()) };
        if weight < 0.0 {
            return Err(format!("the weight {weight} is negative").into());
        }
        if let Some(item) = event.text(0) {
            self.add_weight(item, weight);
        } else if let Some(item) = event.integer(0) {
            self.add_weight(&item.to_string(), weight);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        for (item, weight) in &other.weights {
            *self.weights.entry(item.clone()).or_insert(0.0) += weight;
        }
        self.taken += other.taken;
        self.prune();
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, config: &'a Config, out: &mut Out<Cells<'a>>) {
        let mut items: Vec<(&String, f64)> = self.weights.iter().map(|(item, &weight)| (item, weight)).collect();
        // Equal weights stand in the order of their names: the same rows from the same events.
        items.sort_unstable_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
        for (position, (item, weight)) in items.into_iter().take(config.k).enumerate() {
            let value = weight + self.taken;
            let value = if config.weight.is_some() { Cell::Float(value) } else { Cell::Integer(value as i64) };
            out.push(Cells(vec![(position + 1).to_string().into(), item.as_str().into(), value]));
        }
    }
}

wasmill_sdk::aggregator!(TopK);

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    #[test]
    fn the_greatest_come_first_and_ties_by_name() {
        let mut test = testing::aggregator::<TopK>(json!({"item": "user", "k": 3}));
        for user in ["b", "c", "a", "c", "b", "d"] {
            test.add(json!({"user": user}));
        }
        let expected = [("1", "b", 2), ("2", "c", 2), ("3", "a", 1)];
        assert_eq!(
            test.emit(),
            expected.map(|(rank, item, count)| json!({"rank": rank, "item": item, "count": count}))
        );
        test.laws();
    }

    #[test]
    fn a_weight_is_added_up_and_a_negative_one_rejected() {
        let mut test = testing::aggregator::<TopK>(json!({"item": "id", "kind": "integer", "weight": "data.amount"}));
        test.add(json!({"id": 7, "data": {"amount": 2.5}})).add(json!({"id": 8, "data": {"amount": 9}}));
        test.add(json!({"id": 7, "data": {"amount": 8}}));
        assert_eq!(test.try_add(json!({"id": 7, "data": {"amount": -1}})), Err("the weight -1 is negative".into()));
        assert_eq!(test.emit()[0], json!({"rank": "1", "item": "7", "sum": 10.5}));
        test.laws();
    }

    proptest! {
        #[test]
        fn weights_are_exact_up_to_the_capacity_and_beyond_it_too_great_by_a_bounded_share(
            rows in prop::collection::vec((0..120u32, 1..9u32, 0..3usize), 0..2000),
            capacity in 4..200usize,
        ) {
            // Squares make few items frequent and most rare.
            let rows = rows.into_iter().map(|(n, weight, part)| (format!("{}", n * n / 120), f64::from(weight), part));
            let mut exact = HashMap::<String, f64>::new();
            let mut states: Vec<TopK> = (0..3).map(|_| TopK { capacity, weights: HashMap::new(), taken: 0.0 }).collect();
            for (item, weight, part) in rows {
                states[part].add_weight(&item, weight);
                *exact.entry(item).or_insert(0.0) += weight;
            }
            let (two, one) = (states.remove(2), states.remove(1));
            let mut all = states.remove(0);
            all.merge(&two);
            all.merge(&one);
            let bound = if exact.len() <= capacity { 0.0 } else { 2.0 * exact.values().sum::<f64>() / capacity as f64 };
            assert!(all.weights.len() <= capacity);
            for (item, exact) in exact {
                let found = all.weights.get(&item).map_or(0.0, |weight| weight + all.taken);
                let kept = found >= exact && found <= exact + bound;
                assert!(kept || found == 0.0 && exact <= bound, "{item}: {found}, exactly {exact}, bound {bound}");
            }
        }
    }
}
