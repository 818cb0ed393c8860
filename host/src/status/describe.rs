//! Joins the plan with the figures. Reads atomics only: safe to call at any moment, from any thread.

use std::sync::atomic::Ordering::Relaxed;

use wasmill_core::decode_spec::Format;
use wasmill_core::plan::{self, AggregatePlan, Plan, RoutePlan, SourcePlan, Tail};
use wasmill_core::time::{BEGINNING, END, Nanos};

use super::{
    LatestReload, Origin, Partition, Pipeline, Plugin, Refusal, Route, RouteCounts, RouteSink, Sink, Source,
    health::Health, sampler::Sampler, words,
};
use crate::figures::{Figures, PartitionFigures, RouteFigures};

/// What [`pipeline`] reads.
pub struct Subject<'a> {
    pub name: &'a str,
    pub started_at: Nanos,
    pub now: Nanos,
    pub plan: &'a Plan,
    pub figures: &'a Figures,
    pub health: &'a Health,
    pub sampler: &'a Sampler,
    pub writable: bool,
    pub reloads: Option<LatestReload>,
}

/// The document. `whole`: with the plugins' descriptors and the recent rates, which events leave out.
pub fn pipeline(subject: &Subject<'_>, whole: bool) -> Pipeline {
    let Subject { plan, figures, .. } = subject;
    Pipeline {
        name: subject.name.into(),
        version: env!("CARGO_PKG_VERSION"),
        started_at: words::timestamp(subject.started_at).unwrap_or_default(),
        now: words::timestamp(subject.now).unwrap_or_default(),
        state: subject.health.state(figures),
        reasons: subject.health.reasons(figures),
        writable: subject.writable,
        reloads: subject.reloads,
        rates: subject.sampler.latest(),
        recent: whole.then(|| subject.sampler.recent()),
        sources: plan.sources.iter().map(|s| source(s, figures, subject.now)).collect(),
        routes: plan.sources.iter().flat_map(|s| s.routes.iter().map(|r| route(r, s, plan, figures))).collect(),
        plugins: plugins(plan, figures, whole),
        sinks: sinks(figures),
        refusals: refusals(figures),
    }
}

/// A level that says -1 for "not known yet".
fn known(level: i64) -> Option<i64> {
    (level >= 0).then_some(level)
}

fn source(source: &SourcePlan, figures: &Figures, now: Nanos) -> Source {
    let counted = figures.sources.iter().find(|f| f.name == source.name);
    let get = |read: fn(&crate::figures::SourceFigures) -> u64| counted.map_or(0, |f| read(f));
    Source {
        name: source.name.clone(),
        topics: counted.map(|f| f.topics.clone()).unwrap_or_default(),
        group: counted.map(|f| f.group.clone()).unwrap_or_default(),
        format: match source.format {
            Format::Json => "json",
            Format::Text => "text",
            Format::Raw => "raw",
        },
        out_of_orderness: words::duration(source.out_of_orderness),
        idle_after: words::duration(source.idle_after),
        tombstones: get(|f| f.tombstones.get()),
        invalid: get(|f| f.invalid.get()),
        commits: get(|f| f.commits.get()),
        commit_failures: get(|f| f.commit_failures.get()),
        commit_mean_seconds: counted.and_then(|f| f.commit_seconds.mean()),
        rebuilds: get(|f| f.rebuilds.get()),
        fault: counted.and_then(|f| f.fault.get()),
        partitions: counted
            .map(|f| f.assigned().into_iter().map(|((t, n), p)| partition(t, n, &p, now)).collect())
            .unwrap_or_default(),
    }
}

fn partition(topic: String, number: i32, figures: &PartitionFigures, now: Nanos) -> Partition {
    let watermark = figures.watermark.get();
    let judged = watermark != BEGINNING && watermark != END;
    Partition {
        topic,
        partition: number,
        events: figures.events.get(),
        bytes: figures.bytes.get(),
        position: figures.position.get(),
        committed: known(figures.committed.get()),
        end_offset: known(figures.end_offset.get()),
        lag: figures.lag(),
        watermark: words::timestamp(watermark),
        watermark_delay_seconds: judged.then(|| (now - watermark) as f64 / 1e9),
        complete: watermark == END,
        idle: figures.idle.load(Relaxed),
        replaying: figures.replaying.load(Relaxed),
        paused: figures.paused.load(Relaxed),
        queued_bytes: figures.queued_bytes.get(),
    }
}

fn route(route: &RoutePlan, source: &SourcePlan, plan: &Plan, figures: &Figures) -> Route {
    let aggregate = match &route.tail {
        Tail::Aggregate(aggregate) => Some(aggregate),
        _ => None,
    };
    let plugin = |id: plan::PluginId| plan.plugins.get(id).map(|p| p.name.clone()).unwrap_or_default();
    Route {
        name: route.name.clone(),
        source: source.name.clone(),
        from: origin(route, source),
        conditions: route.conditions.iter().map(|c| format!("{} = {}", c.path, c.values.join(" | "))).collect(),
        transforms: route.transforms.iter().map(|t| plugin(t.plugin)).collect(),
        key: aggregate.map(|a| a.keys.iter().map(key).collect()).unwrap_or_default(),
        aggregate: aggregate.map(|a| plugin(a.plugin)),
        window: aggregate.map(|a| words::window(&a.windows)),
        lateness: aggregate.map(|a| words::duration(a.lateness)),
        partitioning: aggregate.map(partitioning),
        sinks: route
            .targets
            .iter()
            .map(|t| RouteSink {
                sink: plan.sinks.get(t.sink).cloned().unwrap_or_default(),
                measurement: t.measurement.clone(),
            })
            .collect(),
        figures: figures.routes.get().iter().find(|f| f.name == route.name).map(|f| counts(f)).unwrap_or_default(),
    }
}

fn origin(route: &RoutePlan, source: &SourcePlan) -> Origin {
    match route.from {
        plan::From::Source => Origin { kind: "source", name: source.name.clone() },
        plan::From::Route { route: before, output } => {
            let Some(before) = source.routes.get(before) else {
                return Origin { kind: "route", name: String::new() };
            };
            let output = before.transforms.last().and_then(|t| t.outputs.get(output)).map(|o| o.name.as_str());
            let name = match output {
                Some(output) if output != "out" => format!("{}.{output}", before.name),
                _ => before.name.clone(),
            };
            Origin { kind: "route", name }
        }
    }
}

fn key(key: &plan::Key) -> String {
    if key.path.rsplit('.').next() == Some(&key.name) {
        key.path.clone()
    } else {
        format!("{} as {}", key.path, key.name)
    }
}

fn partitioning(aggregate: &AggregatePlan) -> &'static str {
    if aggregate.exchanged { "exchanged" } else { "aligned" }
}

fn counts(figures: &RouteFigures) -> RouteCounts {
    RouteCounts {
        rows_in: figures.rows_in.get(),
        filtered: figures.filtered.get(),
        rejected: figures.rejected.get(),
        late: figures.late.get(),
        accepted: figures.accepted.get(),
        rows_out: figures.rows_out.get(),
        windows_on_time: figures.windows_on_time.get(),
        windows_early: figures.windows_early.get(),
        windows_late: figures.windows_late.get(),
        slots: figures.slots.get(),
    }
}

fn plugins(plan: &Plan, figures: &Figures, whole: bool) -> Vec<Plugin> {
    figures
        .plugins
        .get()
        .iter()
        .map(|f| {
            let (kind, used_by) = uses(plan, &f.name);
            Plugin {
                name: f.name.clone(),
                release: f.release.clone(),
                kind,
                used_by,
                descriptor: plan.plugins.iter().find(|p| whole && p.name == f.name).map(|p| p.descriptor.clone()),
                calls: f.calls.get(),
                rows: f.rows.get(),
                rejects: f.rejects.get(),
                traps: f.traps.get(),
                call_mean_seconds: f.call_seconds.mean(),
                call_p99_seconds: f.call_seconds.quantile(0.99),
                memory_bytes: f.memory_bytes.get(),
                fault: f.fault.get(),
            }
        })
        .collect()
}

/// What kind of plugin `name` is, by how it is used, and the routes that use it.
fn uses(plan: &Plan, name: &str) -> (&'static str, Vec<String>) {
    let named = |id: plan::PluginId| plan.plugins.get(id).is_some_and(|p| p.name == name);
    let mut kind = "unused";
    let mut used_by = Vec::new();
    for route in plan.sources.iter().flat_map(|s| &s.routes) {
        let transforms = route.transforms.iter().any(|t| named(t.plugin));
        let aggregates = matches!(&route.tail, Tail::Aggregate(a) if named(a.plugin));
        if transforms || aggregates {
            kind = if transforms { "transformer" } else { "aggregator" };
            used_by.push(route.name.clone());
        }
    }
    (kind, used_by)
}

fn sinks(figures: &Figures) -> Vec<Sink> {
    figures
        .sinks
        .get()
        .iter()
        .map(|f| Sink {
            name: f.name.clone(),
            kind: f.kind.clone(),
            rows: f.rows.get(),
            bytes: f.bytes.get(),
            retries: f.retries.get(),
            refused: f.refused.get(),
            not_finite: f.not_finite.get(),
            queued_rows: f.queued_rows.get(),
            write_mean_seconds: f.write_seconds.mean(),
            write_p99_seconds: f.write_seconds.quantile(0.99),
            fault: f.fault.get(),
        })
        .collect()
}

/// Refusals by source, route, stage, code and outcome, the most frequent first.
pub fn refusals(figures: &Figures) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = figures
        .refusals()
        .into_iter()
        .map(|(key, count)| Refusal {
            source: key.source,
            route: key.route,
            stage: key.stage.name(),
            code: key.code,
            outcome: if key.dropped { "dropped" } else { "dead-letter" },
            count,
        })
        .collect();
    refusals.sort_by_key(|r| std::cmp::Reverse(r.count));
    refusals
}
