//! What a window's events come to, by aggregation.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Timed, at};
use crate::points::Fields;

/// One or more rows, with their ranks where they have any.
pub type Results = Vec<(Option<usize>, Fields)>;

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn amounts(events: &[&Timed]) -> Vec<f64> {
    events.iter().map(|(event, _)| at(event, "data.amount").as_f64().unwrap()).collect()
}

pub fn count(events: &[&Timed]) -> Results {
    vec![(None, fields([("count", json!(events.len()))]))]
}

pub fn revenue(events: &[&Timed]) -> Results {
    let total: f64 = amounts(events).iter().sum();
    let mean = total / events.len() as f64;
    vec![(None, fields([("orders", json!(events.len())), ("total", json!(total)), ("mean", json!(mean))]))]
}

pub fn statistics(events: &[&Timed]) -> Results {
    let amounts = amounts(events);
    let count = amounts.len() as f64;
    let sum: f64 = amounts.iter().sum();
    let mut all = fields([
        ("count", json!(amounts.len())),
        ("sum", json!(sum)),
        ("min", json!(amounts.iter().copied().fold(f64::INFINITY, f64::min))),
        ("max", json!(amounts.iter().copied().fold(f64::NEG_INFINITY, f64::max))),
        ("mean", json!(sum / count)),
    ]);
    if amounts.len() > 1 {
        let squares: f64 = amounts.iter().map(|amount| (amount - sum / count).powi(2)).sum();
        all.insert("stddev".to_owned(), json!((squares / (count - 1.0)).sqrt()));
    }
    vec![(None, all)]
}

pub fn visit(events: &[&Timed]) -> Results {
    let times = || events.iter().map(|(_, time)| *time);
    let duration = (times().max().unwrap() - times().min().unwrap()) as f64 / 1e9;
    let mut all = fields([("events", json!(events.len())), ("duration", json!(duration))]);
    let pages = || events.iter().filter_map(|(event, time)| Some((*time, at(event, "data.page").as_str()?)));
    if let (Some((_, first)), Some((_, last))) = (pages().min(), pages().max()) {
        all.extend(fields([("first_page", first.into()), ("last_page", last.into())]));
    }
    vec![(None, all)]
}

pub fn top(path: &str, events: &[&Timed]) -> Results {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (event, _) in events {
        *counts.entry(at(event, path).as_str().unwrap()).or_default() += 1;
    }
    let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
    // Stable: equal counts stay in the order of their names.
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let ranked = ranked.into_iter().take(10).enumerate();
    ranked.map(|(at, (item, n))| (Some(at + 1), fields([("item", item.into()), ("count", json!(n))]))).collect()
}
