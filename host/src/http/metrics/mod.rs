//! `/metrics`: the figures in the OpenMetrics text format, read at the moment of the scrape. `host/docs/metrics.md` explains each.

mod families;
mod process;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;
use wasmill_core::time::Nanos;

use super::Site;
use crate::figures::{BUCKETS_SECONDS, Durations};
use crate::plugin_log::Value;
use crate::reload::Outcome;
use crate::status::{describe, health};
use families::{Metric, Read};

/// Names are ours, values are whatever the configuration and the topics say.
type Labels = Vec<(&'static str, String)>;
type Unlabelled = Labels;

/// The whole page.
pub fn exposition(site: &Arc<Site>) -> Result<String, fmt::Error> {
    site.refresh();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { site: Arc::clone(site), now: super::now() }));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

/// Whether a plugin's own figure of that name would be taken for one of Wasmill's.
pub fn is_taken(name: &str) -> bool {
    let name = format!("{}{name}", families::OWN_PREFIX);
    families::PLUGIN.iter().any(|metric| {
        let family = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        let rest = name.strip_prefix(family);
        rest.is_some_and(|rest| ["", "_total", "_bucket", "_count", "_sum", "_created"].contains(&rest))
    })
}

/// One scrape: all gauges see the same clock.
struct Scrape {
    site: Arc<Site>,
    now: Nanos,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.process(&mut encoder)?;
        self.sources(&mut encoder)?;
        self.routes_and_plugins(&mut encoder)?;
        self.voices(&mut encoder)?;
        self.sinks(&mut encoder)?;
        self.reloads(&mut encoder)?;
        self.refusals(&mut encoder)
    }
}

impl Scrape {
    fn process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let site = &self.site;
        let labels = vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("pipeline", site.name.clone())];
        let ready = site.health.state(&site.figures) == health::State::Running;
        level(encoder, families::INFO, &labels, Some(1.0))?;
        level(encoder, families::READY, &Unlabelled::new(), Some(f64::from(u8::from(ready))))?;
        level(encoder, families::STARTED, &Unlabelled::new(), Some(site.started_at as f64 / 1e9))?;
        level(encoder, families::MEMORY, &Unlabelled::new(), process::resident_bytes())?;
        if let Some(seconds) = process::cpu_seconds() {
            let (name, help) = families::CPU;
            count(&mut family(encoder, name, help, MetricType::Counter)?, &Unlabelled::new(), seconds)?;
        }
        Ok(())
    }

    fn sources(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sources = &self.site.figures.sources;
        let named: Vec<_> = sources.iter().map(|s| (vec![("source", s.name.clone())], Arc::clone(s))).collect();
        self.things(encoder, families::SOURCE, &named)?;
        let mut partitions = Vec::new();
        for source in sources {
            for ((topic, number), figures) in source.assigned() {
                let labels = vec![("source", source.name.clone()), ("topic", topic), ("partition", number.to_string())];
                partitions.push((labels, figures));
            }
        }
        self.things(encoder, families::PARTITION, &partitions)
    }

    fn routes_and_plugins(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let routes = self.site.figures.routes.get();
        let routes: Vec<_> = routes
            .iter()
            .map(|r| (vec![("source", r.source.clone()), ("route", r.name.clone())], Arc::clone(r)))
            .collect();
        self.things(encoder, families::ROUTE, &routes)?;
        let short = |release: &str| release.chars().take(12).collect::<String>();
        let plugins = self.site.figures.plugins.get();
        let plugins: Vec<_> = plugins
            .iter()
            .map(|p| (vec![("plugin", p.name.clone()), ("release", short(&p.release))], Arc::clone(p)))
            .collect();
        self.things(encoder, families::PLUGIN, &plugins)
    }

    /// What plugins say of themselves.
    fn voices(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, plugins) in self.site.voices.read() {
            let kind = match plugins.values().next() {
                Some(Value::Count(_)) => MetricType::Counter,
                _ => MetricType::Gauge,
            };
            let name = format!("{}{name}", families::OWN_PREFIX);
            let mut metric = family(encoder, &name, families::OWN_HELP, kind)?;
            for (plugin, value) in plugins {
                let labels = vec![("plugin", plugin)];
                match value {
                    Value::Count(value) => count(&mut metric, &labels, value as f64)?,
                    Value::Gauge(value) => metric.encode_family(&labels)?.encode_gauge(&value)?,
                }
            }
        }
        Ok(())
    }

    fn sinks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sinks = self.site.figures.sinks.get();
        let sinks: Vec<_> =
            sinks.iter().map(|s| (vec![("sink", s.name.clone()), ("kind", s.kind.clone())], Arc::clone(s))).collect();
        self.things(encoder, families::SINK, &sinks)
    }

    fn reloads(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let reloads = self.site.reloads();
        self.things(encoder, families::RELOAD, &[(Unlabelled::new(), Arc::clone(reloads))])?;
        let (name, help) = families::RELOADS;
        let mut metric = family(encoder, name, help, MetricType::Counter)?;
        for outcome in Outcome::ALL {
            count(&mut metric, &vec![("outcome", outcome.name().to_owned())], reloads.count(outcome) as f64)?;
        }
        Ok(())
    }

    fn refusals(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = families::REFUSALS;
        let mut metric = family(encoder, name, help, MetricType::Counter)?;
        for refusal in describe::refusals(&self.site.figures) {
            let labels = vec![
                ("source", refusal.source),
                ("route", refusal.route),
                ("stage", refusal.stage.to_owned()),
                ("code", refusal.code),
                ("outcome", refusal.outcome.to_owned()),
            ];
            count(&mut metric, &labels, refusal.count as f64)?;
        }
        Ok(())
    }

    /// Every metric of one table, each over all things of its kind.
    fn things<T>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        metrics: &[Metric<T>],
        things: &[(Labels, Arc<T>)],
    ) -> fmt::Result {
        for metric in metrics {
            let kind = match metric.read {
                Read::Counter(_) => MetricType::Counter,
                Read::Gauge(_) => MetricType::Gauge,
                Read::Histogram(_) => MetricType::Histogram,
            };
            let mut encoder = family(encoder, metric.name, metric.help, kind)?;
            for (labels, thing) in things {
                match metric.read {
                    Read::Counter(read) => count(&mut encoder, labels, read(thing) as f64)?,
                    Read::Gauge(read) => match read(thing, self.now) {
                        Some(value) => encoder.encode_family(labels)?.encode_gauge(&value)?,
                        None => continue,
                    },
                    Read::Histogram(read) => durations(&mut encoder, labels, read(thing))?,
                }
            }
        }
        Ok(())
    }
}

/// Starts a family. The encoder puts `_total` behind a counter's name itself.
fn family<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name.strip_suffix("_total").unwrap_or(name), help, None, kind)
}

fn level(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&'static str, &str),
    labels: &Labels,
    value: Option<f64>,
) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    let mut metric = family(encoder, name, help, MetricType::Gauge)?;
    if labels.is_empty() { metric.encode_gauge(&value) } else { metric.encode_family(labels)?.encode_gauge(&value) }
}

fn count(metric: &mut MetricEncoder<'_>, labels: &Labels, value: f64) -> fmt::Result {
    let exemplar: Option<&Exemplar<Labels, f64>> = None;
    if labels.is_empty() {
        metric.encode_counter(&value, exemplar)
    } else {
        metric.encode_family(labels)?.encode_counter(&value, exemplar)
    }
}

fn durations(metric: &mut MetricEncoder<'_>, labels: &Labels, durations: &Durations) -> fmt::Result {
    let (counts, sum) = durations.read();
    let bounds = BUCKETS_SECONDS.into_iter().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
    let total = counts.iter().sum();
    metric.encode_family(labels)?.encode_histogram::<Labels>(sum, total, &buckets, None)
}

#[cfg(test)]
mod tests;
