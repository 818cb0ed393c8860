//! What the plan says of each measurement: its fields with their units, its tags, how far apart its points are. So a chart has
//! its axis before its first point.

use std::collections::BTreeSet;

use serde::Serialize;
use wasmill_core::plan::{Plan, RoutePlan, Tail, Target};
use wasmill_core::rows::RowSchema;
use wasmill_core::schema::{Kind, Role};

use super::store::Measurement;
use crate::status::words;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    pub name: String,
    pub route: Option<String>,
    pub source: Option<String>,
    /// In the plugin's order.
    pub fields: Vec<ChartField>,
    pub tags: Vec<String>,
    /// `tumbling 30s`.
    pub window: Option<String>,
    /// Whether a point's time is its window's `start` or `end`.
    pub at: Option<&'static str>,
    /// Between two points of one series; `None` where it is irregular.
    pub step_seconds: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChartField {
    pub name: String,
    pub kind: Option<Kind>,
    pub unit: String,
}

impl Chart {
    /// Known from the store alone: written by an earlier configuration.
    pub fn unplanned(held: Measurement) -> Self {
        let mut chart = Chart {
            name: held.name,
            route: None,
            source: None,
            fields: Vec::new(),
            tags: held.tags,
            window: None,
            at: None,
            step_seconds: None,
        };
        chart.add_fields(held.fields);
        chart
    }

    /// Fields that the plan does not know.
    pub fn add_fields(&mut self, names: Vec<String>) {
        for name in names {
            if self.fields.iter().all(|f| f.name != name) {
                self.fields.push(ChartField { name, kind: None, unit: String::new() });
            }
        }
    }
}

/// The measurements that routes write to one of `sinks`, in the plan's order.
pub fn planned(plan: &Plan, sinks: &BTreeSet<String>) -> Vec<Chart> {
    let mut charts: Vec<Chart> = Vec::new();
    for source in &plan.sources {
        for route in &source.routes {
            let to_charts = |t: &&Target| plan.sinks.get(t.sink).is_some_and(|name| sinks.contains(name));
            for target in route.targets.iter().filter(to_charts) {
                for chart in of_target(route, target, &source.name) {
                    if charts.iter().all(|c| c.name != chart.name) {
                        charts.push(chart);
                    }
                }
            }
        }
    }
    charts
}

fn of_target(route: &RoutePlan, target: &Target, source: &str) -> Vec<Chart> {
    let (schemas, aggregate) = match &route.tail {
        Tail::Nothing => return Vec::new(),
        Tail::Rows { schema, .. } => (std::slice::from_ref(schema), None),
        Tail::Aggregate(aggregate) => (aggregate.schemas.as_slice(), Some(aggregate)),
    };
    let spec = aggregate.map(|a| &a.windows);
    let chart = |(output, schema): (usize, &std::sync::Arc<RowSchema>)| {
        let (tags, fields) = split(schema, target);
        Chart {
            name: measurement(target, route, schema, output),
            route: Some(route.name.clone()),
            source: Some(source.into()),
            fields,
            tags,
            window: spec.map(words::window),
            at: aggregate.map(|a| words::at(a.at)),
            step_seconds: spec.and_then(words::window_step).map(|s| s as f64 / 1e9),
        }
    };
    schemas.iter().enumerate().map(chart).collect()
}

/// Further outputs append `_` and the output's name, which the schema's route ends with.
fn measurement(target: &Target, route: &RoutePlan, schema: &RowSchema, output: usize) -> String {
    let name = schema.route.strip_prefix(&route.name).and_then(|rest| rest.strip_prefix('.'));
    match name {
        Some(name) if output > 0 => format!("{}_{name}", target.measurement),
        _ => target.measurement.clone(),
    }
}

/// Tag names, and the fields that can be drawn.
fn split(schema: &RowSchema, target: &Target) -> (Vec<String>, Vec<ChartField>) {
    let is_tag = |name: &String, role: Role| match &target.tags {
        Some(tags) => tags.contains(name),
        None => role == Role::Tag,
    };
    let mut tags = Vec::new();
    let mut fields = Vec::new();
    for column in schema.columns.iter().filter(|c| c.role != Role::Time) {
        if is_tag(&column.name, column.role) {
            tags.push(column.name.clone());
        } else if target.fields.as_ref().is_none_or(|f| f.contains(&column.name))
            && matches!(column.kind, Kind::Integer | Kind::Float | Kind::Boolean)
        {
            let (name, unit) = (column.name.clone(), column.unit.clone());
            fields.push(ChartField { name, kind: Some(column.kind), unit });
        }
    }
    (tags, fields)
}
