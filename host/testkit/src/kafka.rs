//! A real Kafka broker, one node, by `host/tests/services/kafka.sh`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::service::{Service, free_port};

/// The user and password of a broker with [`Options::sasl`].
pub const USER: &str = "wasmill";
pub const PASSWORD: &str = "wasmill-secret";

/// Five seconds as a rule; the first start may have to fetch Kafka, and the tests share two cores.
const START_TIMEOUT: Duration = Duration::from_secs(300);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Options {
    /// Clients must log in by SASL/PLAIN as [`USER`].
    pub sasl: bool,
    /// Partitions of a topic that is created by being used.
    pub partitions: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options { sasl: false, partitions: 1 }
    }
}

/// A broker with its data. Dropping it ends both.
#[derive(Debug)]
pub struct Kafka {
    options: Options,
    folder: TempDir,
    port: u16,
    service: Option<Service>,
}

impl Kafka {
    pub fn start(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("wasmill-kafka-").tempdir().expect("a temporary folder");
        let mut kafka = Kafka { options, folder, port: free_port(), service: None };
        kafka.restart();
        kafka
    }

    /// `127.0.0.1:port`, the same for ever.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it in good order.
    pub fn stop(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.signal(libc::SIGTERM);
            service.wait(STOP_TIMEOUT);
        }
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.signal(libc::SIGKILL);
            service.wait(STOP_TIMEOUT);
        }
    }

    /// Starts it (again), on the same port and with the data it had. Returns when it listens.
    pub fn restart(&mut self) {
        self.kill();
        let log = self.folder.path().join("broker.log");
        let out = File::options().create(true).append(true).open(&log).expect("the broker's log");
        let mut command = Command::new("bash");
        command.arg(script()).arg("start").arg(self.folder.path().join("broker")).arg(self.port.to_string());
        if self.options.sasl {
            command.arg("--sasl");
        }
        command.env("KAFKA_PARTITIONS", self.options.partitions.to_string()).stdin(Stdio::null());
        command.stdout(out.try_clone().expect("a second handle of the log")).stderr(out);
        let service = self.service.insert(Service::spawn("Kafka", command));
        service.wait_for_port(self.port, START_TIMEOUT, &log);
    }
}

/// One broker for all tests of a binary: a start costs seconds. Keep to topics and groups with names of their own
/// ([`unique`](crate::unique)).
pub fn shared() -> &'static Kafka {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    SHARED.get_or_init(|| Kafka::start(Options::default()))
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/services/kafka.sh")
}
