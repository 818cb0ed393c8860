//! What the scenarios of faults share: a running `wasmill`, a topic, what InfluxDB holds, what the dead letters say.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_kafka::producer::{self, Producer, ProducerConfig};
use wasmill_testkit::influx::InfluxServer;
use wasmill_testkit::{Service, free_port, unique};

use crate::harness::{PATIENCE, TEN_SECONDS, wait_for};
use crate::topics::{self, Message};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// When the scenarios' first event happens: milliseconds since 1970, a whole hour.
pub const T0_MS: i64 = 1_700_000_000_000 / 3_600_000 * 3_600_000;

/// Looks again and again until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = look().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// `wasmill` with these arguments.
pub fn wasmill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasmill"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A pipeline's file in a folder of its own.
pub fn write_pipeline(toml: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.toml");
    std::fs::write(&file, toml).unwrap();
    (folder, file)
}

/// A running pipeline.
pub struct Running {
    process: Service,
    folder: TempDir,
    base: String,
    http: reqwest::Client,
}

impl Running {
    /// Starts `wasmill run` and waits until its page answers.
    pub async fn start(toml: &str) -> Self {
        let (folder, file) = write_pipeline(toml);
        let listen = format!("127.0.0.1:{}", free_port());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = wasmill(&["run", file.to_str().unwrap(), "--listen", &listen]);
        command.stderr(log);
        let process = Service::spawn("wasmill run", command);
        let running = Running { process, folder, base: format!("http://{listen}"), http: reqwest::Client::new() };
        until("the page answers", || async { running.http.get(running.url("/livez")).send().await.ok() }).await;
        running
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn text(&self, path: &str) -> String {
        let response = self.http.get(self.url(path)).send().await;
        response.unwrap_or_else(|e| panic!("{path}: {e}\n{}", self.log())).text().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path).await).unwrap()
    }

    /// The status code of `/readyz`, and its reasons as `KIND NAME: REASON`.
    pub async fn readiness(&self) -> (u16, Vec<String>) {
        let response = self.http.get(self.url("/readyz")).send().await;
        let response = response.unwrap_or_else(|e| panic!("/readyz: {e}\n{}", self.log()));
        let code = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        let part = |reason: &Value, key: &str| reason[key].as_str().unwrap_or_default().to_owned();
        let line = |r: &Value| format!("{} {}: {}", part(r, "kind"), part(r, "name"), part(r, "reason"));
        (code, body["reasons"].as_array().unwrap().iter().map(line).collect())
    }

    pub async fn until_ready(&self) {
        let mut last = (0, Vec::new());
        let deadline = Instant::now() + PATIENCE;
        while last.0 != 200 {
            assert!(Instant::now() < deadline, "never ready: {last:?}\n{}", self.log());
            tokio::time::sleep(LOOK_EVERY).await;
            last = self.readiness().await;
        }
    }

    /// Waits for a 503 with a reason that contains all of `words`; returns it.
    pub async fn until_waiting(&self, words: &[&str]) -> String {
        let named = |reason: &String| words.iter().all(|word| reason.contains(word));
        until(&format!("/readyz says {words:?}"), || async {
            let (code, reasons) = self.readiness().await;
            reasons.into_iter().find(named).filter(|_| code == 503)
        })
        .await
    }

    /// The source of this name, of `/api/v1/pipeline`.
    pub async fn source(&self, name: &str) -> Value {
        let pipeline = self.json("/api/v1/pipeline").await;
        let sources = pipeline["sources"].as_array().unwrap();
        sources.iter().find(|source| source["name"] == name).unwrap_or_else(|| panic!("{pipeline}")).clone()
    }

    /// The sum of the offsets that are committed, over the partitions of a source.
    pub async fn committed(&self, source: &str) -> i64 {
        let source = self.source(source).await;
        source["partitions"].as_array().unwrap().iter().map(|p| p["committed"].as_i64().unwrap_or(0)).sum()
    }

    /// Waits until so many offsets of a source are committed.
    pub async fn until_committed(&self, source: &str, offsets: i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let committed = self.committed(source).await;
            if committed >= offsets {
                return assert_eq!(committed, offsets);
            }
            let status = self.source(source).await;
            assert!(Instant::now() < deadline, "{committed} of {offsets} committed: {status:#}\n{}", self.log());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Refusals by `ROUTE STAGE CODE` of `/api/v1/dead-letters`.
    pub async fn refusals(&self) -> BTreeMap<String, u64> {
        let body = self.json("/api/v1/dead-letters").await;
        let key = |r: &Value| ["route", "stage", "code"].map(|k| r[k].as_str().unwrap().to_owned()).join(" ");
        let all = body["refusals"].as_array().unwrap();
        all.iter().map(|r| (key(r).trim_start().to_owned(), r["count"].as_u64().unwrap())).collect()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Ends it by SIGTERM; it must be gone within the ten seconds it promises. Returns how it ended, and its log.
    pub async fn stop(mut self) -> (ExitStatus, String) {
        self.process.terminate();
        let status = wait_for("the end of wasmill", TEN_SECONDS, || self.process.ended());
        (status, self.log())
    }
}

/// A topic of a broker, and a producer for it.
pub struct Topic {
    pub name: String,
    producer: Producer,
}

impl Topic {
    pub fn create(connection: &ConnectionConfig, name: &str, partitions: u32) -> Self {
        let name = unique(name);
        Admin::new(connection).unwrap().ensure_topic(&name, partitions, None).unwrap();
        let producer = Producer::new(&ProducerConfig::new(connection.clone())).unwrap();
        Topic { name, producer }
    }

    /// Writes events to their partitions, and waits until they are durable.
    pub fn write<V: AsRef<[u8]>>(&self, events: impl IntoIterator<Item = (i32, V)>) {
        for (partition, value) in events {
            let message = producer::Message {
                topic: &self.name,
                partition: Some(partition),
                value: Some(value.as_ref()),
                ..producer::Message::default()
            };
            let delivered = Box::new(|result: Result<(), String>| result.unwrap());
            self.producer.send(&message, delivered, PATIENCE).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }
}

/// One dead letter as its topic has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Letter {
    /// The headers that begin with `wasmill.`, without that.
    pub says: BTreeMap<String, String>,
    pub value: Vec<u8>,
}

impl Letter {
    pub fn says(&self, header: &str) -> &str {
        self.says.get(header).map_or("", String::as_str)
    }
}

/// All letters of a source's dead-letter topic as it is now; none if there is no such topic.
pub fn letters(connection: &ConnectionConfig, prefix: &str, source: &str) -> Vec<Letter> {
    let says = |message: &Message| {
        let said = message.headers.iter().filter_map(|(name, _)| name.strip_prefix("wasmill."));
        said.map(|name| (name.to_owned(), message.header(&format!("wasmill.{name}")).unwrap().to_owned())).collect()
    };
    let messages = topics::read(connection, &wasmill_kafka::dead_letter::topic(prefix, source));
    messages.into_iter().map(|m| Letter { says: says(&m), value: m.value.unwrap_or_default() }).collect()
}

/// `[sinks.charts]`: this InfluxDB.
pub fn influx_sink(server: &InfluxServer) -> String {
    format!(
        "[sinks.charts]\ntype = \"influxdb\"\nurl = \"{}\"\norg = \"{}\"\nbucket = \"{}\"\ntoken = \"{}\"\ntimeout = \"3s\"\n",
        server.url(),
        server.org,
        server.bucket,
        server.token
    )
}

/// By a tag's value and the second behind [`T0_MS`], the values of a field.
pub type Points = BTreeMap<(String, i64), String>;

/// What InfluxDB holds of a measurement's field.
pub async fn points(server: &InfluxServer, measurement: &str, field: &str, tag: &str) -> Points {
    let flux = format!(
        "from(bucket: \"{}\") |> range(start: 0) |> filter(fn: (r) => r._measurement == \"{measurement}\" and r._field == \"{field}\")
           |> map(fn: (r) => ({{r with second: (int(v: r._time) - {}) / 1000000000}})) |> group()",
        server.bucket,
        T0_MS * 1_000_000
    );
    let rows = server.query(&flux).await;
    let get = |row: &BTreeMap<String, String>, key: &str| row.get(key).cloned().unwrap_or_default();
    rows.iter().map(|row| ((get(row, tag), row["second"].parse().unwrap()), get(row, "_value"))).collect()
}

/// Waits until InfluxDB holds as many points as expected, and compares them.
pub async fn expect_points(running: &Running, server: &InfluxServer, of: (&str, &str, &str), expected: &Points) {
    let (measurement, field, tag) = of;
    let deadline = Instant::now() + PATIENCE;
    let mut found = points(server, measurement, field, tag).await;
    while found.len() < expected.len() && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
        found = points(server, measurement, field, tag).await;
    }
    let differing: Vec<_> = expected.iter().filter(|(key, value)| found.get(*key) != Some(*value)).take(5).collect();
    let differs = differing.iter().map(|(key, value)| (key, value, found.get(*key))).collect::<Vec<_>>();
    let extra: Vec<_> = found.iter().filter(|(key, _)| !expected.contains_key(*key)).take(5).collect();
    assert!(
        differs.is_empty() && extra.is_empty(),
        "{measurement}: {} points of {}; wrong (expected, found): {differs:?}; unexpected: {extra:?}\n{}",
        found.len(),
        expected.len(),
        running.log()
    );
}
