//! The handlers behind `/api/v1` and the probes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::charts::{self, Chart};
use super::problem::Problem;
use super::store::{Measurement, SeriesStore};
use super::{Site, now, query};
use crate::status::health::{Reason, State as PipelineState};
use crate::status::{Pipeline, Refusal, describe, words};

/// The process answers: alive.
pub async fn livez() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    state: PipelineState,
    reasons: Vec<Reason>,
}

/// 200 when every source is connected and every sink takes rows, else 503 with who waits for what.
pub async fn readyz(State(site): State<Arc<Site>>) -> Response {
    let state = site.health.state(&site.figures);
    let ready = state == PipelineState::Running;
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Readiness { ready, state, reasons: site.health.reasons(&site.figures) })).into_response()
}

pub async fn pipeline(State(site): State<Arc<Site>>) -> Json<Pipeline> {
    Json(site.describe(true))
}

#[derive(Serialize)]
pub struct DeadLetters {
    refusals: Vec<Refusal>,
}

pub async fn dead_letters(State(site): State<Arc<Site>>) -> Json<DeadLetters> {
    Json(DeadLetters { refusals: describe::refusals(&site.figures) })
}

#[derive(Serialize)]
struct Measurements {
    /// False: no sink keeps points here, there is nothing to draw.
    store: bool,
    measurements: Vec<MeasurementBody>,
}

#[derive(Serialize)]
struct MeasurementBody {
    #[serde(flatten)]
    chart: Chart,
    /// Of its newest point.
    last: Option<String>,
}

/// What the store holds, and what the plan says will come.
pub async fn measurements(State(site): State<Arc<Site>>) -> Result<Response, Problem> {
    let held = match &site.store {
        Some(store) => blocking(store, |s| s.measurements()).await?,
        None => Vec::new(),
    };
    let mut charts =
        if site.store.is_some() { charts::planned(&site.shown.get().plan, &site.chart_sinks()) } else { Vec::new() };
    let last: BTreeMap<String, Option<String>> =
        held.iter().map(|m| (m.name.clone(), m.last.and_then(words::timestamp))).collect();
    held.into_iter().for_each(|m| merge(&mut charts, m));
    let with_last = |chart: Chart| MeasurementBody { last: last.get(&chart.name).cloned().flatten(), chart };
    let measurements = charts.into_iter().map(with_last).collect();
    Ok(Json(Measurements { store: site.store.is_some(), measurements }).into_response())
}

/// Adds what only the store knows: measurements of an earlier configuration, and their fields.
fn merge(charts: &mut Vec<Chart>, held: Measurement) {
    if let Some(chart) = charts.iter_mut().find(|c| c.name == held.name) {
        chart.add_fields(held.fields);
    } else {
        charts.push(Chart::unplanned(held));
    }
}

#[derive(Serialize)]
struct SeriesBody {
    measurement: String,
    field: String,
    from_ms: i64,
    to_ms: i64,
    /// 0: every point as it is.
    step_seconds: f64,
    series: Vec<OneSeries>,
    /// There are this many; `series` holds those with the highest last values.
    series_total: usize,
    truncated: bool,
}

#[derive(Serialize)]
struct OneSeries {
    tags: BTreeMap<String, String>,
    /// Unix milliseconds, value.
    points: Vec<(i64, f64)>,
}

pub async fn series(
    State(site): State<Arc<Site>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let query = query::series(&parameters, now())?;
    let Some(store) = &site.store else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "No series here",
            "no sink of the type influxdb or local has points to draw: add one as [sinks.NAME] and name it in a route's `to`",
        ));
    };
    let asked = query.clone();
    let found = blocking(store, move |s| s.query(&asked)).await?;
    let milliseconds = |nanos: i64| nanos.div_euclid(1_000_000);
    Ok(Json(SeriesBody {
        from_ms: milliseconds(query.from),
        to_ms: milliseconds(query.to),
        step_seconds: query.step as f64 / 1e9,
        measurement: query.measurement,
        field: query.field,
        series: found
            .series
            .into_iter()
            .map(|s| OneSeries {
                tags: s.tags,
                points: s.points.into_iter().map(|(t, v)| (milliseconds(t), v)).collect(),
            })
            .collect(),
        series_total: found.series_total,
        truncated: found.truncated,
    })
    .into_response())
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    store: &Arc<dyn SeriesStore>,
    work: impl FnOnce(&dyn SeriesStore) -> Result<T, super::store::StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let store = Arc::clone(store);
    let done = tokio::task::spawn_blocking(move || work(&*store)).await;
    done.map_err(|e| Problem::internal(&e))?.map_err(|e| Problem::internal(&e))
}

impl Site {
    /// The names of the sinks whose points the store has: the local ones, or else those that are mirrored.
    fn chart_sinks(&self) -> BTreeSet<String> {
        let named = |kind: &str| -> BTreeSet<String> {
            self.figures.sinks.get().iter().filter(|s| s.kind == kind).map(|s| s.name.clone()).collect()
        };
        let local = named("local");
        if local.is_empty() { named("influxdb") } else { local }
    }
}

pub async fn metrics(State(site): State<Arc<Site>>) -> Result<Response, Problem> {
    let text = super::metrics::exposition(&site).map_err(|e| Problem::internal(&e))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(axum::http::header::CONTENT_TYPE, kind)], text).into_response())
}

pub async fn openapi() -> Response {
    ([(axum::http::header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Nothing here", "see /api/v1/openapi.json for what there is")
}

pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Another method", "see /api/v1/openapi.json for what this takes")
}
