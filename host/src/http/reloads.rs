//! Reloads: what became of them, and asking for one.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Site;
use super::problem::Problem;
use crate::releases::Entry;
use crate::reload::{Outcome, Report, Request, What};

#[derive(Serialize)]
pub struct List {
    /// The newest last.
    reloads: Vec<Report>,
}

pub async fn list(State(site): State<Arc<Site>>) -> Json<List> {
    Json(List { reloads: site.reloads().list() })
}

#[derive(Deserialize)]
pub struct Options {
    #[serde(default)]
    reset_state: bool,
}

/// Reads the configuration and the plugins' files again; answers when the reload is done. 409 with the same report if it was refused.
pub async fn reload(State(site): State<Arc<Site>>, Query(options): Query<Options>) -> Result<Response, Problem> {
    ask(&site, |reply| Request {
        trigger: "POST /api/v1/reloads".to_owned(),
        what: What::Files,
        reset_state: options.reset_state,
        reply: Some(reply),
    })
    .await
}

#[derive(Serialize)]
pub struct History {
    /// The newest last.
    history: Vec<Entry>,
}

/// What a plugin ran, when, from which offsets on, and who asked for it.
pub async fn history(State(site): State<Arc<Site>>, Path(plugin): Path<String>) -> Result<Json<History>, Problem> {
    let Some(releases) = site.releases.clone() else { return Ok(Json(History { history: Vec::new() })) };
    let all = tokio::task::spawn_blocking(move || releases.history()).await.map_err(|e| Problem::internal(&e))?;
    Ok(Json(History { history: all.into_iter().filter(|entry| entry.plugin == plugin).collect() }))
}

/// A release in place of the plugin's file; the body is the wasm. Answers as [`reload`].
pub async fn release(
    State(site): State<Arc<Site>>,
    Path(plugin): Path<String>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Response, Problem> {
    ask(&site, |reply| Request {
        trigger: format!("POST /api/v1/plugins/{plugin}/releases"),
        what: What::Release { plugin, bytes: body.into() },
        reset_state: options.reset_state,
        reply: Some(reply),
    })
    .await
}

/// What the plugin ran before. Answers as [`reload`].
pub async fn rollback(
    State(site): State<Arc<Site>>,
    Path(plugin): Path<String>,
    Query(options): Query<Options>,
) -> Result<Response, Problem> {
    ask(&site, |reply| Request {
        trigger: format!("POST /api/v1/plugins/{plugin}/rollback"),
        what: What::Rollback { plugin },
        reset_state: options.reset_state,
        reply: Some(reply),
    })
    .await
}

/// Hands a request to the reloader and answers with its report.
async fn ask(site: &Site, request: impl FnOnce(oneshot::Sender<Report>) -> Request) -> Result<Response, Problem> {
    let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "No reload now", detail);
    let requests =
        site.requests.as_ref().ok_or_else(|| unavailable("this run takes no reloads (a bounded run, a demo)"))?;
    let (reply, answer) = oneshot::channel();
    requests.try_send(request(reply)).map_err(|_| unavailable("too many reloads are waiting: try again"))?;
    let report = answer.await.map_err(|_| unavailable("Wasmill is stopping"))?;
    let code = if report.outcome == Outcome::Refused { StatusCode::CONFLICT } else { StatusCode::OK };
    Ok((code, Json(report)).into_response())
}
