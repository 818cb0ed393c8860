//! A real InfluxDB 2, built by `host/tests/services/influxd.sh install` if it is not there yet.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::free_port;
use crate::service::Service;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/services/influxd.sh");
/// How long influxd may take until it answers. It takes a second.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// One row of a Flux result by column name. Values are InfluxDB's CSV texts.
pub type FluxRow = BTreeMap<String, String>;

/// An `influxd` of its own.
pub struct InfluxServer {
    process: Option<Service>,
    directory: TempDir,
    http: reqwest::Client,
    port: u16,
    pub org: String,
    pub bucket: String,
    /// An operator token.
    pub token: String,
}

impl InfluxServer {
    /// Starts influxd and sets it up with an organization, a bucket and a token.
    pub async fn start() -> Self {
        let mut server = InfluxServer {
            process: None,
            directory: tempfile::tempdir().unwrap(),
            http: reqwest::Client::new(),
            port: free_port(),
            org: "acme".to_string(),
            bucket: "events".to_string(),
            token: "operator-token-of-the-tests".to_string(),
        };
        server.restart().await;
        let setup = json!({
            "username": "operator", "password": "operator-password", "org": server.org, "bucket": server.bucket,
            "token": server.token,
        });
        server.post("/api/v2/setup", &setup).await;
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again with the same data on the same port, and waits until it answers.
    pub async fn restart(&mut self) {
        self.kill();
        // Without an influxd the first call builds one, which takes minutes; later ones return at once.
        let installed = Command::new(SCRIPT).arg("install").stderr(Stdio::inherit()).output().unwrap();
        assert!(installed.status.success(), "influxd.sh install failed");
        let mut command = Command::new(SCRIPT);
        command.arg("start").arg(self.directory.path()).arg(self.port.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(Service::spawn("influxd", command));
        let started = Instant::now();
        while !self.answers().await {
            assert!(started.elapsed() < READY_WITHIN, "influxd did not answer at {}", self.url());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn answers(&self) -> bool {
        let request = self.http.get(format!("{}/health", self.url())).timeout(Duration::from_secs(1));
        matches!(request.send().await, Ok(response) if response.status().is_success())
    }

    /// It keeps its connections and answers nothing, until [`InfluxServer::resume`].
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        self.process.as_ref().expect("influxd runs").signal(signal);
    }

    /// Creates a bucket of the organization; `retention_seconds` = 0 keeps points for ever.
    pub async fn create_bucket(&self, name: &str, retention_seconds: u64) {
        let rules = if retention_seconds == 0 {
            json!([])
        } else {
            json!([{"type": "expire", "everySeconds": retention_seconds}])
        };
        let org = self.org_id().await;
        self.post("/api/v2/buckets", &json!({"orgID": org, "name": name, "retentionRules": rules})).await;
    }

    /// A token that may do nothing but write to the bucket of this name.
    pub async fn write_only_token(&self, bucket: &str) -> (String, String) {
        let org = self.org_id().await;
        let found = self.get(&format!("/api/v2/buckets?name={bucket}")).await;
        let id = found["buckets"][0]["id"].as_str().unwrap().to_string();
        let permission = json!({"action": "write", "resource": {"type": "buckets", "id": id, "orgID": org}});
        let made = self.post("/api/v2/authorizations", &json!({"orgID": org, "permissions": [permission]})).await;
        (made["id"].as_str().unwrap().to_string(), made["token"].as_str().unwrap().to_string())
    }

    /// Makes a token active or inactive by its id.
    pub async fn set_token_active(&self, id: &str, active: bool) {
        let url = format!("{}/api/v2/authorizations/{id}", self.url());
        let status = if active { "active" } else { "inactive" };
        let request = self.authorized(self.http.patch(url)).json(&json!({ "status": status }));
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// The rows of a Flux query, in InfluxDB's order.
    pub async fn query(&self, flux: &str) -> Vec<FluxRow> {
        let url = format!("{}/api/v2/query?org={}", self.url(), self.org);
        let body = json!({"query": flux, "type": "flux", "dialect": {"annotations": [], "header": true}});
        let response = self.authorized(self.http.post(url)).json(&body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{status}: {text}\n{flux}");
        read_csv(&text)
    }

    /// The series of an InfluxQL query over the bucket, as InfluxDB's JSON has them; times are nanoseconds.
    pub async fn influxql(&self, query: &str) -> Vec<Value> {
        let request = self.authorized(self.http.get(format!("{}/query", self.url())));
        let request = request.query(&[("db", self.bucket.as_str()), ("epoch", "ns"), ("q", query)]);
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        let result = &answer["results"][0];
        assert!(result.get("error").is_none(), "{answer}");
        result["series"].as_array().cloned().unwrap_or_default()
    }

    async fn org_id(&self) -> String {
        self.get(&format!("/api/v2/orgs?org={}", self.org)).await["orgs"][0]["id"].as_str().unwrap().to_string()
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.header("Authorization", format!("Token {}", self.token))
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.authorized(self.http.get(format!("{}{path}", self.url())));
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let response =
            self.authorized(self.http.post(format!("{}{path}", self.url()))).json(body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// Tables come one after another, each with its own header after an empty line.
fn read_csv(text: &str) -> Vec<FluxRow> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut header: Option<csv::StringRecord> = None;
    let mut rows = Vec::new();
    for record in reader.records().map(Result::unwrap) {
        // A table's columns are `result`, `table` and then its own, after one without a name.
        let is_header = record.get(0) == Some("") && record.get(1) == Some("result") && record.get(2) == Some("table");
        if is_header {
            header = Some(record);
        } else if let Some(header) = &header {
            rows.push(header.iter().zip(record.iter()).skip(3).map(|(k, v)| (k.to_string(), v.to_string())).collect());
        }
    }
    rows
}
