//! What a scenario is made of:
//!
//! ```ignore
//! let site = Site::commerce(4);                            // the example, in a folder of its own, on names of its own
//! site.produce(100_000, &["--seed", "7"]);                 // `wasmill produce`, into the site's topic
//! let mut run = site.run(&[]);                             // `wasmill run pipeline.toml`
//! run.wait_until_committed();                              // all that lies in the topic
//! let status = run.status().unwrap();                      // `/api/v1/pipeline`
//! run.kill();                                              // -9; or run.terminate() and run.wait(TEN_SECONDS)
//! assert!(site.run(&["--until", "end"]).wait(PATIENCE).success());
//! let points = points::of_bucket(&site.bucket);            // back from InfluxDB
//! let expected = oracle::expect(&site.messages(), &oracle::routes::commerce(SESSION_MAX_NANOS));     // from what lies in the topic
//! ```
//!
//! Other pipelines: [`Site::new`] takes a table and puts brokers, names and addresses into it. Nothing sleeps: [`wait_for`] looks
//! until a condition holds, with a bound. A process that was started here dies with the test, and when the test fails its log is
//! printed.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_testkit::influx::InfluxServer;
use wasmill_testkit::{Service, free_port, kafka, unique};

use crate::topics::{self, Message};

/// Nothing here takes longer, even where the tests share two cores with a compiler.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// What a container's runtime waits between SIGTERM and SIGKILL.
pub const TEN_SECONDS: Duration = Duration::from_secs(10);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Of a log that is printed.
const LOG_LINES: usize = 60;
/// A killed member leaves the group after so long: the least that Kafka allows.
const SESSION_TIMEOUT_MS: &str = "6000";
/// What [`Run::ask`] sends.
pub const TOKEN: &str = "e2e";
pub const WASMILL: &str = env!("CARGO_BIN_EXE_wasmill");
const COMMERCE: &str = include_str!("../../../examples/commerce/pipeline.toml");

/// InfluxDB of all scenarios that do not break it.
pub fn influx() -> &'static InfluxServer {
    static SHARED: OnceLock<InfluxServer> = OnceLock::new();
    SHARED.get_or_init(|| block_on(InfluxServer::start()))
}

/// Runs a future on the one runtime of this binary: connections of a client must not outlive theirs.
pub fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap()).block_on(future)
}

/// Looks until `found` gives something.
pub fn wait_for<T>(what: &str, within: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A pipeline in a folder of its own, with names that no other scenario uses.
pub struct Site {
    pub folder: TempDir,
    pub brokers: String,
    /// `-X NAME=VALUE`: how `wasmill produce` reaches the brokers.
    pub properties: Vec<(String, String)>,
    /// Of the source `events`.
    pub topic: String,
    pub partitions: u32,
    pub bucket: String,
    /// What Kafka sinks write, if there is one.
    pub analytics: String,
    pub dead_letters: String,
}

impl Site {
    /// The commerce example with all its routes.
    pub fn commerce(partitions: u32) -> Self {
        Site::new(COMMERCE.parse().unwrap(), partitions)
    }

    /// A pipeline with a source `events`, on the shared services: its topic, group, sinks and dead letters get names of their own.
    pub fn new(pipeline: toml::Table, partitions: u32) -> Self {
        Site::on(pipeline, partitions, &kafka::shared().address(), influx())
    }

    /// As [`Site::new`], on services of the scenario's own.
    pub fn on(mut pipeline: toml::Table, partitions: u32, brokers: &str, influx: &InfluxServer) -> Self {
        let folder = tempfile::Builder::new().prefix("wasmill-e2e-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plugins")).unwrap();
        for (name, wasm) in wasmill::plugins::examples() {
            std::fs::write(folder.path().join("plugins").join(format!("{name}.wasm")), wasm).unwrap();
        }
        let (prefix, topic, bucket, analytics) =
            (unique("e2e"), unique("events"), unique("bucket"), unique("analytics"));
        let site = Site {
            brokers: brokers.to_owned(),
            properties: Vec::new(),
            dead_letters: format!("{prefix}.events.dead-letters"),
            folder,
            topic,
            partitions,
            bucket,
            analytics,
        };
        pipeline.remove("tests");
        let kafka = section(&mut pipeline, "kafka");
        kafka.insert("brokers".to_owned(), site.brokers.clone().into());
        kafka.insert("dead_letter_prefix".to_owned(), prefix.into());
        let properties = section(kafka, "properties");
        properties.insert("session.timeout.ms".to_owned(), SESSION_TIMEOUT_MS.into());
        let source = section(section(&mut pipeline, "sources"), "events");
        source.insert("topic".to_owned(), site.topic.clone().into());
        source.insert("group".to_owned(), unique("group").into());
        source.insert("partitions".to_owned(), i64::from(partitions).into());
        for (_, sink) in section(&mut pipeline, "sinks").iter_mut() {
            let sink = sink.as_table_mut().unwrap();
            match sink.get("type").and_then(toml::Value::as_str) {
                Some("influxdb") => {
                    sink.insert("url".to_owned(), influx.url().into());
                    sink.insert("org".to_owned(), influx.org.clone().into());
                    sink.insert("token".to_owned(), influx.token.clone().into());
                    sink.insert("bucket".to_owned(), site.bucket.clone().into());
                    sink.insert("create_bucket".to_owned(), true.into());
                }
                Some("kafka") => drop(sink.insert("topic".to_owned(), site.analytics.clone().into())),
                _ => {}
            }
        }
        site.write(&pipeline);
        site
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    /// The pipeline as it lies in the folder, to be changed and written back.
    pub fn pipeline(&self) -> toml::Table {
        std::fs::read_to_string(self.file()).unwrap().parse().unwrap()
    }

    pub fn write(&self, pipeline: &toml::Table) {
        std::fs::write(self.file(), toml::to_string(pipeline).unwrap()).unwrap();
    }

    pub fn connection(&self) -> ConnectionConfig {
        ConnectionConfig {
            properties: self.properties.iter().cloned().collect(),
            ..ConnectionConfig::new(self.brokers.clone())
        }
    }

    /// Commerce events by `wasmill produce`, with what `arguments` say of their time and disorder; returns when they are durable.
    pub fn produce(&self, count: u64, arguments: &[&str]) {
        let status = self.producer(count, arguments).status().unwrap();
        assert!(status.success(), "wasmill produce: {status}");
    }

    /// The command behind [`Site::produce`], to be run beside other things.
    pub fn producer(&self, count: u64, arguments: &[&str]) -> Command {
        let mut command = Command::new(WASMILL);
        command.args(["produce", "commerce", "--quiet", "--brokers", &self.brokers, "--topic", &self.topic]);
        command.args(["--partitions", &self.partitions.to_string(), "--count", &count.to_string()]);
        for (name, value) in &self.properties {
            command.arg("-X").arg(format!("{name}={value}"));
        }
        command.args(arguments);
        command
    }

    /// What lies in the source's topic: by partition, in the order of offsets.
    pub fn messages(&self) -> Vec<Message> {
        topics::read(&self.connection(), &self.topic)
    }

    /// Starts `wasmill run pipeline.toml`.
    pub fn run(&self, arguments: &[&str]) -> Run<'_> {
        let address = format!("127.0.0.1:{}", free_port());
        let log = self.folder.path().join(format!("{}.log", unique("run")));
        let mut command = Command::new(WASMILL);
        command.args(["run", "pipeline.toml", "--listen", &address]).args(arguments).current_dir(self.folder.path());
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).unwrap());
        Run { site: self, process: Service::spawn("wasmill run", command), address, log }
    }
}

fn section<'a>(table: &'a mut toml::Table, name: &str) -> &'a mut toml::Table {
    table.entry(name).or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap()
}

/// A running `wasmill run`.
pub struct Run<'a> {
    site: &'a Site,
    process: Service,
    /// Of its page and API.
    pub address: String,
    log: PathBuf,
}

impl Run<'_> {
    /// The document at `/api/v1/pipeline`; `None` while nobody answers.
    pub fn status(&self) -> Option<Value> {
        self.get("/api/v1/pipeline").and_then(|(_, text)| serde_json::from_str(&text).ok())
    }

    /// Status code and text of any page.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.ask(reqwest::Method::GET, path)
    }

    /// The same with another method. The token is [`TOKEN`], for pipelines that set it.
    pub fn ask(&self, method: reqwest::Method, path: &str) -> Option<(u16, String)> {
        let url = format!("http://{}{path}", self.address);
        block_on(async {
            let response = reqwest::Client::new().request(method, url).bearer_auth(TOKEN).send().await.ok()?;
            Some((response.status().as_u16(), response.text().await.ok()?))
        })
    }

    /// Waits until the status fulfils `wanted`.
    pub fn wait_until(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.process.ended() {
                panic!("wasmill ended ({ended}) before {what}");
            }
            let status = self.status();
            if status.as_ref().is_some_and(&mut wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}; status: {status:#?}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until it holds all partitions and has committed all that lies in them.
    pub fn wait_until_committed(&mut self) {
        let ends = Admin::new(&self.site.connection()).unwrap().log_ends(&self.site.topic).unwrap();
        self.wait_until("all of the topic is committed", |status| committed(status, &ends));
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// SIGTERM, and what is promised then: everything that was read is written and committed, exit 0, within ten seconds.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait(TEN_SECONDS);
        assert!(status.success(), "after SIGTERM wasmill ended with {status}");
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        wait_for("the end of wasmill", within, || self.process.ended())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("the end of {}:\n{}", self.log.display(), last.join("\n"));
        }
    }
}

/// Whether the source `events` has committed up to these ends of its partitions.
fn committed(status: &Value, ends: &[(i64, i64)]) -> bool {
    let partitions = status["sources"][0]["partitions"].as_array().cloned().unwrap_or_default();
    partitions.len() == ends.len()
        && partitions.iter().all(|partition| {
            let number = partition["partition"].as_u64().unwrap() as usize;
            let (first, end) = ends[number];
            // Where nothing lies, nothing is committed.
            first == end || partition["committed"].as_i64() == Some(end)
        })
}
