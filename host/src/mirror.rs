//! Charts for pipelines whose points go to InfluxDB alone: what InfluxDB sinks get also goes to a small store of this process, which the
//! page draws from. It may lose points and never holds anything up; the truth is in InfluxDB.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wasmill_core::config::{Config, SinkKind};
use wasmill_core::time::HOUR;

use crate::delivery::{Delivery, Epoch};
use crate::figures::SinkFigures;
use crate::http::store::SeriesStore;
use crate::outlets::ResolvedTarget;
use crate::sink::local::LocalConfig;
use crate::sink::{self, SinkConfig, SinkHandle};

/// How far back its charts go.
const RETENTION: i64 = 6 * HOUR;
/// The store's file is kept below this.
const MAX_BYTES: u64 = 256 << 20;

pub struct Mirror {
    sender: mpsc::Sender<Delivery>,
    /// Of no commit: nobody waits for it.
    epoch: Arc<Epoch>,
    /// By sink: its points are mirrored.
    mirrored: Vec<bool>,
}

/// A mirror and what ends with it.
pub struct Running {
    pub mirror: Arc<Mirror>,
    pub store: Option<Arc<dyn SeriesStore>>,
    sink: SinkHandle,
    folder: PathBuf,
}

/// Whether a configuration's InfluxDB sinks are mirrored: those with a `local` sink have their charts from it.
pub fn wanted(config: &Config) -> bool {
    let has = |wanted: fn(&SinkKind) -> bool| config.sinks.iter().any(|sink| wanted(&sink.kind));
    has(|kind| matches!(kind, SinkKind::Influxdb(_))) && !has(|kind| matches!(kind, SinkKind::Local(_)))
}

/// Starts a mirror in a temporary folder; without one (the disk is full) the pipeline runs all the same, and its page has no charts.
pub fn start(config: &Config, dead_letters: &sink::DeadLetterSender, runtime: &Handle) -> Option<Running> {
    if !wanted(config) {
        return None;
    }
    let folder = std::env::temp_dir().join(format!("wasmill-charts-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        tracing::warn!("the page has no charts: cannot write to {}: {error}", folder.display());
        return None;
    }
    let local =
        LocalConfig { retention: Some(RETENTION), max_bytes: MAX_BYTES, ..LocalConfig::new(folder.join("charts.db")) };
    let figures = Arc::new(SinkFigures::default());
    let sink = sink::start("charts", SinkConfig::Local(local), figures, dead_letters.clone(), runtime)
        .map_err(|error| tracing::warn!("the page has no charts: {error}"))
        .ok()?;
    let mirrored = config.sinks.iter().map(|sink| matches!(sink.kind, SinkKind::Influxdb(_))).collect();
    let mirror = Arc::new(Mirror { sender: sink.sender.clone(), epoch: Epoch::new(0), mirrored });
    let store = sink.store.clone().map(|store| Arc::new(store) as Arc<dyn SeriesStore>);
    Some(Running { mirror, store, sink, folder })
}

impl Mirror {
    /// Hands rows on if they are for a mirrored sink and there is room.
    pub fn send(&self, target: &ResolvedTarget, rows: &Arc<wasmill_core::rows::Rows>, output: usize) {
        let Some(resolved) = target.by_output.get(output).filter(|_| self.mirrored[target.sink]) else { return };
        let (rows, target) = (Arc::clone(rows), Arc::clone(resolved));
        let _ = self.sender.try_send(Delivery { rows, target, ticket: self.epoch.ticket() });
    }
}

impl Running {
    /// Ends it and removes its file.
    pub async fn stop(self) {
        drop(self.mirror);
        let _ = self.sink.drain(std::time::Duration::from_millis(500)).await;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
