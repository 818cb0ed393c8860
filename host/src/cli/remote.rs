//! Commands that speak to a running Wasmill: where it is, the token, and what its answers mean.

use std::process::ExitCode;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{FAILED, MISUSED, print};

/// Where the running Wasmill is.
#[derive(clap::Args, Debug)]
pub struct Remote {
    /// The address of its page
    #[arg(long, value_name = "URL", env = "WASMILL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The token of [server] token
    #[arg(long, value_name = "TOKEN", env = "WASMILL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Why there is no answer to show: a message and the exit code.
pub struct Unanswered {
    message: String,
    code: u8,
}

impl Unanswered {
    pub fn tell(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl Remote {
    pub fn get(&self, path: &str) -> Result<Value, Unanswered> {
        self.ask(Method::GET, path, Vec::new()).map(|(_, body)| body)
    }

    /// Asks for a change and tells what became of it: exit code 0 if it was made or there was nothing to do.
    pub fn change(&self, path: &str, body: Vec<u8>) -> ExitCode {
        let (status, report) = match self.ask(Method::POST, path, body) {
            Ok(answer) => answer,
            Err(unanswered) => return unanswered.tell(),
        };
        let refused = status == StatusCode::CONFLICT;
        let told = print(&if self.json { format!("{report:#}\n") } else { describe(&report) });
        if refused { ExitCode::from(FAILED) } else { told }
    }

    /// Prints a document, by `words` unless JSON was asked for.
    pub fn show(&self, document: &Value, words: impl FnOnce(&Value) -> String) -> ExitCode {
        print(&if self.json { format!("{document:#}\n") } else { words(document) })
    }

    fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<(StatusCode, Value), Unanswered> {
        let failed = |message: String| Unanswered { message, code: FAILED };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(format!("cannot start the async runtime: {error}")))?;
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let request = reqwest::Client::new().request(method, &url).body(body);
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = runtime.block_on(async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.text().await?))
        });
        let (status, text) = answer.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            failed(format!(
                "no answer from {url}: {error}: {cause}; is `wasmill run` running there? Name its address by --url"
            ))
        })?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() || status == StatusCode::CONFLICT {
            return Ok((status, body));
        }
        let said = |key: &str| body[key].as_str().map(str::to_owned);
        let detail = said("detail").or_else(|| body.as_str().map(str::to_owned)).unwrap_or_default();
        let title = said("title").unwrap_or_else(|| status.to_string());
        let code = if status.is_client_error() { MISUSED } else { FAILED };
        Err(Unanswered { message: format!("{title}: {detail}"), code })
    }
}

/// A reload's report, a line a step.
fn describe(report: &Value) -> String {
    let mut text = String::new();
    for step in report["steps"].as_array().into_iter().flatten() {
        let (name, detail) = (step["name"].as_str().unwrap_or_default(), step["detail"].as_str().unwrap_or_default());
        let mark = if step["ok"] == true { "ok" } else { "FAILED" };
        let milliseconds = step["seconds"].as_f64().unwrap_or_default() * 1e3;
        text.push_str(&format!("{mark:>6}  {name:<14} {milliseconds:>7.1} ms  {detail}\n"));
    }
    let outcome = report["outcome"].as_str().unwrap_or_default();
    match report["reason"].as_str() {
        Some(_) => text.push_str("refused: what ran runs on\n"),
        None => text.push_str(&format!("{outcome}\n")),
    }
    text
}
