use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::figures::{Figures, PartitionFigures, PluginFigures, RefusalKey, SourceFigures};
use crate::plugin_log::Voices;
use wasmill_core::dead_letter::Stage;
use wasmill_core::plan::Plan;
use wasmill_core::plugin::{Aggregator, CallError, Plugin, Transformer};
use wasmill_wasm::PluginLog;

fn site() -> Arc<Site> {
    let hostile = "orders\"} 1\n# EOF\\".to_owned();
    let source = Arc::new(SourceFigures { name: hostile.clone(), ..SourceFigures::default() });
    let partition = Arc::new(PartitionFigures::default());
    partition.watermark.set(i64::MIN);
    partition.end_offset.set(-1);
    source.partitions.write().unwrap().insert(("orders".into(), 0), partition);
    let plugin = Arc::new(PluginFigures { name: "count".into(), release: "ab".repeat(32), ..PluginFigures::default() });
    plugin.call_seconds.record(Duration::from_micros(150));
    plugin.call_seconds.record(Duration::from_secs(100));
    let figures = Figures::new(vec![source], vec![], vec![plugin], vec![]);
    let key = |code: &str, dropped| RefusalKey {
        source: hostile.clone(),
        route: "r".into(),
        stage: Stage::Late,
        code: code.into(),
        dropped,
    };
    figures.refuse(key("late", true), 3);
    figures.refuse(key("late", false), 4);
    let plan = Plan { plugins: Vec::new(), sinks: Vec::new(), sources: Vec::new() };
    Arc::new(Site::new("demo", Arc::new(plan), Arc::new(figures), None, Arc::default()))
}

/// A sample's name, its labels with escapes undone, and its value.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (name, mut rest) = line.split_at(line.find(['{', ' ']).unwrap());
    let mut labels = BTreeMap::new();
    rest = rest.strip_prefix("{}").unwrap_or(rest);
    while let Some(inside) = rest.strip_prefix(['{', ',']) {
        let (label, value) = inside.split_once("=\"").unwrap();
        let mut text = String::new();
        let mut characters = value.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (_, '\\') => text.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    c => c,
                }),
                (at, '"') => break at,
                (_, c) => text.push(c),
            }
        };
        assert!(labels.insert(label.to_owned(), text).is_none(), "label twice: {line}");
        rest = &value[end + 1..];
        rest = rest.strip_prefix('}').unwrap_or(rest);
    }
    (name.to_owned(), labels, rest.trim().parse().unwrap())
}

#[test]
fn the_page_is_valid_openmetrics_whatever_names_hold() {
    let page = exposition(&site()).unwrap();
    assert!(page.ends_with("# EOF\n"));
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut buckets: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in page.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(types.insert(name, kind).is_none(), "declared twice: {name}");
        } else if !line.starts_with('#') {
            let (name, labels, value) = sample(line);
            let family = types.iter().find(|(family, kind)| match **kind {
                "counter" => name == format!("{family}_total"),
                "histogram" => ["_sum", "_count", "_bucket"].iter().any(|s| name == format!("{family}{s}")),
                _ => name == **family,
            });
            assert!(family.is_some(), "no TYPE for {line}");
            assert!(seen.insert(format!("{name}{labels:?}")), "twice: {line}");
            if name.ends_with("_bucket") {
                buckets.entry(format!("{name}{:?}", labels.get("plugin"))).or_default().push(value);
            }
        }
    }
    assert!(page.contains("outcome=\"dropped\"} 3"), "{page}");
    let calls = &buckets["wasmill_plugin_call_seconds_bucket{:?}".replace("{:?}", "Some(\"count\")").as_str()];
    assert!(calls.is_sorted() && calls.last() == Some(&2.0), "{calls:?}");
}

#[test]
fn what_is_not_known_yet_is_left_out() {
    let page = exposition(&site()).unwrap();
    for name in ["wasmill_watermark_delay_seconds{", "wasmill_consumer_lag{"] {
        assert!(!page.contains(name), "{name}");
    }
}

#[test]
fn every_metric_is_explained_in_the_page_of_metrics() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    for name in families::names() {
        assert!(page.contains(&format!("`{name}`")), "host/docs/metrics.md says nothing of {name}");
    }
    let explained = page.split('`').skip(1).step_by(2).filter(|word| {
        (word.starts_with("wasmill_") || word.starts_with("process_")) && !word.contains(['{', ' ', '*'])
    });
    let known: BTreeSet<&str> = families::names().into_iter().collect();
    for name in explained {
        assert!(known.contains(name), "host/docs/metrics.md explains {name}, which does not exist");
    }
}

/// Holds a whole page of memory.
struct Holding;

impl Plugin for Holding {
    fn name(&self) -> &str {
        "count"
    }

    fn release(&self) -> &str {
        "abababababab"
    }

    fn transformer(&self) -> Result<Box<dyn Transformer>, CallError> {
        panic!("a scrape makes no instance")
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>, CallError> {
        panic!("a scrape makes no instance")
    }

    fn memory_bytes(&self) -> u64 {
        65_536
    }
}

#[test]
fn what_plugins_hold_and_say_of_themselves_is_on_the_page() {
    let voices = Arc::new(Voices::default());
    voices.count("count", "views", 3);
    voices.count("b\"d", "views", 4);
    voices.gauge("count", "longest", 2.5);
    let site = Arc::into_inner(site()).unwrap().with_plugins(vec![Arc::new(Holding)], voices);
    let page = exposition(&Arc::new(site)).unwrap();
    let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).map(sample).collect();
    let of = |name: &str, plugin: &str| {
        let labelled = |labels: &BTreeMap<_, _>| labels.get("plugin").is_some_and(|found: &String| found == plugin);
        samples.iter().find(|(found, labels, _)| found == name && labelled(labels)).map(|(_, _, value)| *value)
    };
    assert_eq!(of("wasmill_plugin_views_total", "count"), Some(3.0));
    assert_eq!(of("wasmill_plugin_views_total", "b\"d"), Some(4.0));
    assert_eq!(of("wasmill_plugin_longest", "count"), Some(2.5));
    assert_eq!(of("wasmill_plugin_memory_bytes", "count"), Some(65_536.0));
    assert_eq!(page.matches("# TYPE wasmill_plugin_views counter").count(), 1);
}
