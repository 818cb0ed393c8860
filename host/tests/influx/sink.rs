//! A sink under test, and rows for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wasmill::delivery::{DeadLetterDelivery, Delivery, Epoch, SinkTarget};
use wasmill::figures::SinkFigures;
use wasmill::sink::influx::InfluxConfig;
use wasmill::sink::{self, SinkConfig, SinkHandle};
use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::config::Secret;
use wasmill_core::rows::{RowColumn, RowSchema, Rows};
use wasmill_core::schema::{Kind, Role};
use wasmill_core::time::Nanos;
use wasmill_testkit::influx::InfluxServer;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Sink {
    pub handle: SinkHandle,
    pub figures: Arc<SinkFigures>,
    pub letters: mpsc::Receiver<DeadLetterDelivery>,
    pub epoch: Arc<Epoch>,
}

pub fn config(server: &InfluxServer) -> InfluxConfig {
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
    pub fn start(config: InfluxConfig) -> Self {
        let figures = Arc::new(SinkFigures::default());
        let (dead_letters, letters) = mpsc::channel(100_000);
        let config = SinkConfig::Influx(config);
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

/// A column by name and kind.
pub struct Part {
    pub column: RowColumn,
    pub values: Column,
}

pub fn texts(name: &str, kind: Kind, role: Role, values: &[&str]) -> Part {
    let mut strings = Strings::default();
    values.iter().for_each(|v| strings.push(v.as_bytes()));
    part(name, kind, role, Values::Texts(strings))
}

pub fn part(name: &str, kind: Kind, role: Role, values: Values) -> Part {
    let column = RowColumn { name: name.to_string(), kind, role, unit: String::new() };
    Part { column, values: Column::new(values) }
}

/// Rows and their target: tags and fields as the roles say.
pub fn rows(measurement: &str, times: Vec<Nanos>, parts: Vec<Part>) -> (Rows, SinkTarget) {
    let with_role = |role| parts.iter().enumerate().filter(|(_, p)| p.column.role == role).map(|(i, _)| i).collect();
    let target = SinkTarget {
        source: "events".to_string(),
        route: "route".to_string(),
        measurement: measurement.to_string(),
        tags: with_role(Role::Tag),
        fields: with_role(Role::Field),
        key: Vec::new(),
    };
    let (columns, values): (Vec<_>, Vec<_>) = parts.into_iter().map(|p| (p.column, p.values)).unzip();
    let schema = Arc::new(RowSchema { route: "route".to_string(), columns });
    (Rows { schema, times, columns: values }, target)
}
