//! A sink under test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wasmill::delivery::{DeadLetterDelivery, Delivery, Epoch, SinkTarget};
use wasmill::figures::SinkFigures;
use wasmill::sink::influx::InfluxConfig;
use wasmill::sink::{self, SinkConfig, SinkHandle};
use wasmill_core::config::Secret;
use wasmill_core::rows::Rows;
use wasmill_testkit::influx::InfluxServer;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Sink {
    pub handle: SinkHandle,
    pub figures: Arc<SinkFigures>,
    pub letters: mpsc::Receiver<DeadLetterDelivery>,
    pub epoch: Arc<Epoch>,
}

pub fn influx(server: &InfluxServer) -> InfluxConfig {
    InfluxConfig {
        url: server.url(),
        org: server.org.clone(),
        bucket: server.bucket.clone(),
        token: Secret::new(&*server.token),
        timeout: Duration::from_secs(3),
        ..InfluxConfig::default()
    }
}

impl Sink {
    pub fn start(config: SinkConfig) -> Self {
        let figures = Arc::new(SinkFigures::default());
        let (dead_letters, letters) = mpsc::channel(100_000);
        let handle = sink::start("charts", config, Arc::clone(&figures), dead_letters, &Handle::current()).unwrap();
        Sink { handle, figures, letters, epoch: Epoch::new(1) }
    }

    pub async fn send(&self, rows: Rows, target: SinkTarget) {
        let delivery = Delivery { rows: Arc::new(rows), target: Arc::new(target), ticket: self.epoch.ticket() };
        self.handle.sender.send(delivery).await.unwrap();
    }

    /// Takes the letters that are there, acknowledging each.
    pub fn take_letters(&mut self) -> Vec<wasmill_core::dead_letter::DeadLetter> {
        let mut taken = Vec::new();
        while let Ok(DeadLetterDelivery { letter, ticket }) = self.letters.try_recv() {
            ticket.acknowledge();
            taken.push(letter);
        }
        taken
    }

    /// Drains the sink; everything sent must have been acknowledged.
    pub async fn finish(mut self) -> Vec<wasmill_core::dead_letter::DeadLetter> {
        let mut letters = self.take_letters();
        self.handle.drain(PATIENCE).await.unwrap();
        while let Ok(DeadLetterDelivery { letter, ticket }) = self.letters.try_recv() {
            ticket.acknowledge();
            letters.push(letter);
        }
        assert!(self.epoch.settled() && !self.epoch.failed());
        assert_eq!(self.figures.queued_rows.get(), 0);
        letters
    }
}

pub async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
