//! What is different between what runs and what was built, and what of it a running process can change.

use std::sync::Arc;

use wasmill_core::config::Config;
use wasmill_core::plan::{AggregatePlan, Plan, RoutePlan, SourcePlan, Tail};

use super::report::PluginChange;
use crate::assemble::PluginHandle;
use crate::task::same_state;

/// Parts of a configuration that only a restart changes: they are written in connections, groups and commits.
const FIXED: [&str; 5] = ["server", "kafka", "checkpoint", "sources", "sinks"];

/// What a reload would do.
#[derive(Debug, Default)]
pub struct Change {
    pub plugins: Vec<PluginChange>,
    /// In words.
    pub routes: Vec<String>,
    /// Routes whose states are another thing now (other windows, keys, lateness): they are rebuilt by replay.
    pub rebuilt: Vec<String>,
    /// Plugins that do not read the states of the release that runs, in words.
    pub unreadable: Vec<String>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.plugins.is_empty() && self.routes.is_empty()
    }
}

/// Parts of the configuration that differ and cannot be changed while it runs, as they are written: `sources.events`.
pub fn fixed_parts(old: &toml::Table, new: &toml::Table) -> Vec<String> {
    let mut changed = Vec::new();
    for part in FIXED {
        match (old.get(part), new.get(part)) {
            (old, new) if old == new => {}
            (Some(toml::Value::Table(old)), Some(toml::Value::Table(new))) if matches!(part, "sources" | "sinks") => {
                let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
                let different = names.filter(|name| old.get(*name) != new.get(*name));
                changed.extend(different.map(|name| format!("[{part}.{name}]")));
            }
            _ => changed.push(format!("[{part}]")),
        }
    }
    changed
}

/// Takes from `old` each plugin that is the same in `new`: same bytes, same configuration, same limits. Its instances then stay.
pub fn keep_same(old: &[PluginHandle], was: &Config, new: &mut [PluginHandle], is: &Config) {
    for handle in new {
        let name = handle.plugin.name().to_owned();
        let Some(same) = old.iter().find(|old| old.plugin.name() == name && old.sha256 == handle.sha256) else {
            continue;
        };
        let (Some(was), Some(is)) = (was.plugin(&name), is.plugin(&name)) else { continue };
        if was.config == is.config && was.limits == is.limits {
            handle.plugin = Arc::clone(&same.plugin);
        }
    }
}

/// Compares the two, plugins by name and routes by name.
pub fn compare(old: (&Plan, &[PluginHandle]), new: (&Plan, &[PluginHandle])) -> Change {
    let mut change = Change::default();
    for handle in new.1 {
        let before = old.1.iter().find(|old| old.plugin.name() == handle.plugin.name());
        if before.is_none_or(|old| !std::ptr::addr_eq(Arc::as_ptr(&old.plugin), Arc::as_ptr(&handle.plugin))) {
            change.plugins.push(PluginChange {
                plugin: handle.plugin.name().to_owned(),
                from: before.map(|old| old.sha256.clone()),
                to: Some(handle.sha256.clone()),
            });
        }
    }
    for gone in old.1.iter().filter(|old| new.1.iter().all(|new| new.plugin.name() != old.plugin.name())) {
        let plugin = gone.plugin.name().to_owned();
        change.plugins.push(PluginChange { plugin, from: Some(gone.sha256.clone()), to: None });
    }
    for (was, is) in old.0.sources.iter().zip(&new.0.sources) {
        routes((was, old), (is, new), &mut change);
    }
    change
}

type Side<'a> = (&'a SourcePlan, (&'a Plan, &'a [PluginHandle]));

fn routes(old: Side<'_>, new: Side<'_>, change: &mut Change) {
    let (was, is) = (old.0, new.0);
    for route in &is.routes {
        match was.routes.iter().find(|old| old.name == route.name) {
            None => change.routes.push(format!("added `{}`", route.name)),
            Some(before) => one_route((before, old.1), (route, new.1), change),
        }
    }
    for gone in was.routes.iter().filter(|old| is.routes.iter().all(|new| new.name != old.name)) {
        change.routes.push(format!("removed `{}`", gone.name));
    }
    // The exchange merges the routes it was started with.
    if exchanged(was) != exchanged(is) {
        change.rebuilt.extend(exchanged(is).into_iter().map(str::to_owned));
    }
}

fn exchanged(source: &SourcePlan) -> Vec<&str> {
    let exchanged = |route: &&RoutePlan| matches!(&route.tail, Tail::Aggregate(plan) if plan.exchanged);
    source.routes.iter().filter(exchanged).map(|route| route.name.as_str()).collect()
}

/// What no running source can become, whatever is written; the reason, if so.
pub fn impossible(old: &Plan, new: &Plan) -> Option<String> {
    for (was, is) in old.sources.iter().zip(&new.sources) {
        if exchanged(was).is_empty() != exchanged(is).is_empty() {
            return Some(format!("source `{}` would begin or cease to need an exchange", is.name));
        }
        let own = |source: &SourcePlan| -> Vec<String> {
            let own = (0..source.routes.len()).filter(|route| source.sets_event_time(*route));
            own.map(|route| source.routes[route].name.clone()).collect()
        };
        if own(was) != own(is) {
            return Some(format!(
                "routes of source `{}` would begin or cease to have event time of their own",
                is.name
            ));
        }
    }
    None
}

fn one_route(
    old: (&RoutePlan, (&Plan, &[PluginHandle])),
    new: (&RoutePlan, (&Plan, &[PluginHandle])),
    change: &mut Change,
) {
    let name = &new.0.name;
    // Column numbers differ whenever another field is decoded: what people wrote is compared, not what came of it.
    if words(old.0, old.1.0) != words(new.0, new.1.0) {
        change.routes.push(format!("changed `{name}`"));
    }
    match (&old.0.tail, &new.0.tail) {
        (Tail::Aggregate(was), Tail::Aggregate(is)) => {
            let plugin =
                |plan: &AggregatePlan, side: (&Plan, &[PluginHandle])| side.0.plugins[plan.plugin].name.clone();
            if !same_state(was, is) || plugin(was, old.1) != plugin(is, new.1) {
                change.rebuilt.push(name.clone());
            } else if let Some(version) = old.1.1[was.plugin].plugin.state_version()
                && !new.1.1[is.plugin].plugin.restores(version)
            {
                let plugin = plugin(is, new.1);
                change
                    .unreadable
                    .push(format!("plugin `{plugin}` does not read version {version} of the state of route `{name}`"));
            }
        }
        (Tail::Aggregate(_), _) | (_, Tail::Aggregate(_)) => change.rebuilt.push(name.clone()),
        _ => {}
    }
}

/// A route as it was written, whatever numbers its columns have.
fn words(route: &RoutePlan, plan: &Plan) -> String {
    let conditions: Vec<_> = route.conditions.iter().map(|c| (&c.path, &c.values)).collect();
    let plugin = |id: usize| plan.plugins.get(id).map(|plugin| plugin.name.as_str());
    let transforms: Vec<_> = route.transforms.iter().map(|t| plugin(t.plugin)).collect();
    let tail = match &route.tail {
        Tail::Nothing => String::new(),
        Tail::Rows { schema, .. } => format!("{schema:?}"),
        Tail::Aggregate(a) => {
            let keys: Vec<_> = a.keys.iter().map(|key| (&key.path, &key.name)).collect();
            format!("{:?}", (plugin(a.plugin), keys, &a.windows, a.lateness, a.late, a.early, a.at))
        }
    };
    format!("{:?}", (conditions, transforms, tail, &route.targets))
}
