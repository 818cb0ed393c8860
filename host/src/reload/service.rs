//! The thread that reloads, and who asks it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::{QUEUE_REQUESTS, Reloader, Request, What, watch};
use crate::releases::Store;
use crate::supervisor::Reloading;

/// How long a swap under way may take to end when Wasmill stops.
const SWAP: Duration = Duration::from_secs(1);

/// A running reloader. It must be stopped before the sources and sinks it sends to.
pub struct Service {
    stop: Sender<()>,
    stopping: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
    signals: tokio::task::JoinHandle<()>,
    _watch: Option<watch::Watch>,
}

/// Starts the thread; files, SIGHUP and the API ask it from now on. `make` gets how to build and the configuration's text.
///
/// # Errors
/// A thread or the signal's handler cannot be started.
pub fn start(
    reloading: Reloading,
    (requests, queue): (Sender<Request>, Receiver<Request>),
    make: impl FnOnce(super::Build, toml::Table, Store) -> Reloader,
    runtime: &Handle,
) -> Result<Service, std::io::Error> {
    let Reloading { text, store, files, build } = reloading;
    let reloader = make(build, text, store);
    reloader.begin();
    let stopping = Arc::clone(&reloader.stopping);
    let (stop, stopped) = crossbeam_channel::bounded(1);
    let watch = watch::start(&files, requests.clone())
        .map_err(|error| tracing::warn!("cannot watch the plugins' files: {error}; reload with SIGHUP"))
        .ok();
    let _inside = runtime.enter();
    let mut hangups = signal(SignalKind::hangup())?;
    let signals = runtime.spawn(async move {
        while hangups.recv().await.is_some() {
            let _ = requests.try_send(Request::by("SIGHUP"));
        }
    });
    let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || reloader.run(&queue, &stopped))?;
    Ok(Service { stop, stopping, thread, signals, _watch: watch })
}

/// The queue of requests: its sender for whoever asks, its receiver for [`start`].
pub fn queue() -> (Sender<Request>, Receiver<Request>) {
    crossbeam_channel::bounded(QUEUE_REQUESTS)
}

impl Service {
    /// No reload swaps anything from here on. One that is still compiling is left to end with the process.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        let _ = self.stop.try_send(());
        self.signals.abort();
        let deadline = Instant::now() + SWAP;
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(SWAP / 100);
        }
    }
}

impl Request {
    pub fn by(trigger: impl Into<String>) -> Self {
        Request { trigger: trigger.into(), what: What::Files, reset_state: false, reply: None }
    }
}

impl Reloader {
    /// Serves requests, one after the other, until told to stop.
    fn run(mut self, requests: &Receiver<Request>, stop: &Receiver<()>) {
        loop {
            crossbeam_channel::select! {
                recv(stop) -> _ => return,
                recv(requests) -> request => match request {
                    Ok(request) => self.serve(request),
                    Err(_) => return,
                },
            }
        }
    }

    fn serve(&mut self, request: Request) {
        let report = self.reload(&request);
        if let Some(reply) = request.reply {
            // Whoever asked may have gone.
            let _ = reply.send(report);
        }
    }
}
