//! The HTTP server: probes, metrics, the API and the page. Reads atomics and the series store; never touches the data path.

mod api;
mod assets;
mod charts;
mod events;
mod guard;
mod metrics;
mod problem;
mod query;
mod reloads;
pub mod store;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use crossbeam_channel::Sender;
use tokio::net::TcpListener;
use wasmill_core::plan::Plan;
use wasmill_core::plugin::Plugin;
use wasmill_core::time::Nanos;

use crate::current::Current;
use crate::figures::Figures;
use crate::plugin_log::Voices;
use crate::releases::Store;
use crate::reload::{Reloads, Request};
use crate::status::describe::{self, Subject};
use crate::status::health::Health;
use crate::status::sampler::Sampler;
use crate::status::{LatestReload, Pipeline};
use store::SeriesStore;

pub use guard::Token;
pub(crate) use metrics::is_taken;

/// How long open requests may take after the shutdown signal.
const DRAIN: Duration = Duration::from_secs(2);

/// What the server shows: one pipeline.
pub struct Site {
    name: String,
    shown: Current<Shown>,
    figures: Arc<Figures>,
    store: Option<Arc<dyn SeriesStore>>,
    health: Arc<Health>,
    voices: Arc<Voices>,
    reloads: Arc<Reloads>,
    requests: Option<Sender<Request>>,
    releases: Option<Store>,
    /// A token is configured.
    writable: AtomicBool,
    started_at: Nanos,
    sampler: Sampler,
    hub: events::Hub,
}

/// What a reload changes.
struct Shown {
    plan: Arc<Plan>,
    /// In the order of the figures.
    plugins: Vec<Arc<dyn Plugin>>,
}

impl Site {
    /// `name`: as people know the pipeline. `store`: of the `local` sink, if there is one.
    pub fn new(
        name: impl Into<String>,
        plan: Arc<Plan>,
        figures: Arc<Figures>,
        store: Option<Arc<dyn SeriesStore>>,
        health: Arc<Health>,
    ) -> Self {
        let (voices, reloads, requests, releases, writable, sampler, hub) = Default::default();
        let shown = Current::new(Shown { plan, plugins: Vec::new() });
        Site {
            name: name.into(),
            shown,
            figures,
            store,
            health,
            voices,
            reloads,
            requests,
            releases,
            writable,
            started_at: now(),
            sampler,
            hub,
        }
    }

    /// Also shows what plugins hold and say. `plugins`: in the order of the figures.
    pub fn with_plugins(mut self, plugins: Vec<Arc<dyn Plugin>>, voices: Arc<Voices>) -> Self {
        self.show(Arc::clone(&self.shown.get().plan), plugins);
        self.voices = voices;
        self
    }

    /// From now on another plan runs, with these plugins in the order of the figures.
    pub fn show(&self, plan: Arc<Plan>, plugins: Vec<Arc<dyn Plugin>>) {
        self.shown.set(Arc::new(Shown { plan, plugins }));
    }

    /// Takes requests for reloads and hands them on; shows what `releases` ran.
    pub fn with_requests(mut self, requests: Sender<Request>, releases: Store) -> Self {
        (self.requests, self.releases) = (Some(requests), Some(releases));
        self
    }

    /// The reloads it shows.
    pub fn reloads(&self) -> &Arc<Reloads> {
        &self.reloads
    }

    /// Reads what nobody reports on the data path.
    fn refresh(&self) {
        for (figures, plugin) in self.figures.plugins.get().iter().zip(&self.shown.get().plugins) {
            figures.memory_bytes.set(i64::try_from(plugin.memory_bytes()).unwrap_or(i64::MAX));
        }
    }

    fn describe(&self, whole: bool) -> Pipeline {
        let Site { figures, health, sampler, .. } = self;
        let shown = self.shown.get();
        let plan = &*shown.plan;
        let (name, started_at, now) = (self.name.as_str(), self.started_at, now());
        let writable = self.writable.load(Ordering::Relaxed);
        let reloads = self.reloads.latest().map(|(number, outcome)| LatestReload { number, outcome });
        let subject = Subject { name, started_at, now, plan, figures, health, sampler, writable, reloads };
        describe::pipeline(&subject, whole)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error(
        "{listen} is in use by another program: stop it, or set [server] listen to another port (port 0 takes a free one)"
    )]
    InUse { listen: SocketAddr },
    #[error(
        "cannot listen on {listen}: {error}; set [server] listen to an address of this machine and a port above 1023"
    )]
    Bind { listen: SocketAddr, error: std::io::Error },
    #[error("the HTTP server stopped: {0}")]
    Serve(std::io::Error),
}

/// A bound address that does not answer yet.
pub struct Server {
    listener: TcpListener,
    /// With the port that was taken, if 0 was asked for.
    pub address: SocketAddr,
}

impl Server {
    /// Binds first, so that a port in use is known before anything else is started.
    pub async fn bind(listen: SocketAddr) -> Result<Self, HttpError> {
        let listener = TcpListener::bind(listen).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => HttpError::InUse { listen },
            _ => HttpError::Bind { listen, error },
        })?;
        let address = listener.local_addr().map_err(|error| HttpError::Bind { listen, error })?;
        Ok(Server { listener, address })
    }

    /// Answers until `shutdown` is done, then ends the event streams and gives open requests a moment.
    pub async fn run(
        self,
        site: Arc<Site>,
        token: Option<Token>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), HttpError> {
        let guard = guard::Guard::new(self.address, token);
        site.writable.store(guard.token.is_some(), Ordering::Relaxed);
        if !guard.loopback && guard.token.is_none() {
            tracing::warn!(address = %self.address, "the API is open to the network: set [server] token");
        }
        let feeding = tokio::spawn(events::run(Arc::clone(&site)));
        let (stopped, stopping) = tokio::sync::oneshot::channel::<()>();
        let ending = Arc::clone(&site);
        let serving = axum::serve(self.listener, router(Arc::clone(&site), guard)).with_graceful_shutdown(async move {
            shutdown.await;
            ending.hub.close();
            let _ = stopped.send(());
        });
        let result = tokio::select! {
            result = serving => result.map_err(HttpError::Serve),
            _ = overdue(stopping) => Ok(()),
        };
        feeding.abort();
        result
    }
}

/// Done when open requests have had their time; never before the shutdown.
async fn overdue(stopping: tokio::sync::oneshot::Receiver<()>) {
    match stopping.await {
        Ok(()) => tokio::time::sleep(DRAIN).await,
        Err(_) => std::future::pending().await,
    }
}

/// Binds and answers until `shutdown` is done.
pub async fn serve(
    site: Arc<Site>,
    listen: SocketAddr,
    token: Option<Token>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), HttpError> {
    Server::bind(listen).await?.run(site, token, shutdown).await
}

type Route = (&'static str, fn() -> MethodRouter<Arc<Site>>);

/// What answers; `openapi.json` describes each.
const ROUTES: [Route; 13] = [
    ("/livez", || get(api::livez)),
    ("/readyz", || get(api::readyz)),
    ("/metrics", || get(api::metrics)),
    ("/api/v1/pipeline", || get(api::pipeline)),
    ("/api/v1/measurements", || get(api::measurements)),
    ("/api/v1/series", || get(api::series)),
    ("/api/v1/dead-letters", || get(api::dead_letters)),
    ("/api/v1/reloads", || get(reloads::list).post(reloads::reload)),
    ("/api/v1/plugins/{name}/releases", || {
        get(reloads::history).post(reloads::release).layer(DefaultBodyLimit::max(wasmill_wasm::MAX_FILE_BYTES as usize))
    }),
    ("/api/v1/plugins/{name}/rollback", || post(reloads::rollback)),
    ("/api/v1/events", || get(events::events)),
    ("/api/v1/openapi.json", || get(api::openapi)),
    ("/", || get(assets::index)),
];

fn router(site: Arc<Site>, guard: guard::Guard) -> Router {
    let router = ROUTES.iter().fold(Router::new(), |router, (path, method)| router.route(path, method()));
    router
        .route("/web/{*path}", get(assets::file))
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::method_not_allowed)
        .layer(from_fn_with_state(guard, guard::guard))
        .with_state(site)
}

/// The clock, nanoseconds since 1970.
fn now() -> Nanos {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as Nanos)
}

#[cfg(test)]
mod tests;
