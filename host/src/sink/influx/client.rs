//! Requests to InfluxDB, and what its answers mean for the points in them.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};

use super::InfluxConfig;

/// Of an error's text no more is read: InfluxDB repeats every line that it could not parse.
const ERROR_BYTES: usize = 16 << 10;
/// No server makes us wait longer than this, whatever it asks for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often to ask again while somebody must mend something.
const PAUSE: Duration = Duration::from_secs(3);

/// What became of a request to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Written,
    /// Fewer lines might do.
    TooLarge {
        message: String,
    },
    /// At least one line is refused for ever; others may have been written. `dropped`: how many lines, if InfluxDB said.
    Refused {
        message: String,
        dropped: Option<usize>,
    },
    /// Try again.
    Failed(Problem),
}

/// Why nothing can be written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, and what to do if somebody must do something.
    pub reason: String,
    /// How long the server asked us to wait, or how often it is worth asking again.
    pub wait: Option<Duration>,
    /// Nothing will change until somebody mends the token, the bucket or the address.
    pub needs_mending: bool,
    /// The request may have been taken although nothing was heard: the server may still be at work on it.
    pub unheard: bool,
}

impl Problem {
    fn new(reason: String) -> Self {
        Problem { reason, wait: None, needs_mending: false, unheard: false }
    }

    fn to_mend(reason: String) -> Self {
        Problem { wait: Some(PAUSE), needs_mending: true, ..Problem::new(reason) }
    }
}

#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    admin: influxdb2::Client,
    write: Url,
    org: String,
    bucket: String,
    create_bucket: bool,
    timeout: Duration,
}

impl Client {
    pub fn new(config: &InfluxConfig) -> Result<Self, String> {
        let url = Url::parse(&config.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("url = {:?} is not the address of a server, as http://host:8086 is", config.url))?;
        let mut write = url.join("/api/v2/write").map_err(|e| format!("url = {:?}: {e}", config.url))?;
        write.query_pairs_mut().extend_pairs([
            ("org", config.org.as_str()),
            ("bucket", config.bucket.as_str()),
            ("precision", "ns"),
        ]);
        let mut headers = HeaderMap::new();
        if !config.token.expose().is_empty() {
            let mut token = HeaderValue::from_str(&format!("Token {}", config.token.expose()))
                .map_err(|_| "the token holds characters that no token has".to_string())?;
            token.set_sensitive(true);
            headers.insert(AUTHORIZATION, token);
        }
        let builder = || reqwest::Client::builder().timeout(config.timeout).redirect(reqwest::redirect::Policy::none());
        let failed = |e: &dyn std::fmt::Display| format!("no HTTP client could be made: {e}");
        let http = builder().default_headers(headers).build().map_err(|e| failed(&e))?;
        let (org, token) = (config.org.as_str(), config.token.expose());
        let admin = influxdb2::ClientBuilder::with_builder(builder(), url.as_str(), org, token);
        let admin = admin.build().map_err(|e| failed(&e))?;
        Ok(Client {
            http,
            admin,
            write,
            org: config.org.clone(),
            bucket: config.bucket.clone(),
            create_bucket: config.create_bucket,
            timeout: config.timeout,
        })
    }

    /// Sends lines, compressed.
    pub async fn write(&self, lines: &[u8]) -> Answer {
        match gzip(lines) {
            Ok(body) => self.post(body).await,
            Err(error) => Answer::Failed(Problem::new(format!("the lines could not be compressed: {error}"))),
        }
    }

    async fn post(&self, body: Vec<u8>) -> Answer {
        let request = self.http.post(self.write.clone()).header(CONTENT_ENCODING, "gzip").body(body);
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) => Answer::Failed(self.unreachable(error)),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Problem {
        let at = format!("InfluxDB at {}", self.write.origin().ascii_serialization());
        let unheard = !error.is_connect();
        let reason = if error.is_timeout() {
            format!("{at} did not answer within {:?}", self.timeout)
        } else {
            format!("{at} cannot be reached: {}", cause(&error.without_url()))
        };
        Problem { unheard, ..Problem::new(reason) }
    }

    async fn judge(&self, response: Response) -> Answer {
        let status = response.status();
        if status.is_success() {
            return Answer::Written;
        }
        let wait = retry_after(response.headers());
        let message = message(response).await;
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Answer::TooLarge { message },
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                let dropped = dropped(&message);
                Answer::Refused { message, dropped }
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Answer::Failed(Problem { wait, ..Problem::new(format!("InfluxDB answered {status}: {message}")) })
            }
            _ if status.is_server_error() => {
                Answer::Failed(Problem { wait, ..Problem::new(format!("InfluxDB answered {status}: {message}")) })
            }
            _ => Answer::Failed(self.misconfigured(status, &message)),
        }
    }

    fn misconfigured(&self, status: StatusCode, message: &str) -> Problem {
        let (org, bucket) = (&self.org, &self.bucket);
        let advice = match status {
            StatusCode::UNAUTHORIZED => "check the sink's token (INFLUX_TOKEN)".to_string(),
            StatusCode::FORBIDDEN => format!("give the token the permission to write to the bucket {bucket:?}"),
            StatusCode::NOT_FOUND => {
                format!("create the bucket {bucket:?} in the organization {org:?}, or set create_bucket = true")
            }
            _ => "check that the sink's url is that of an InfluxDB 2".to_string(),
        };
        let reason = format!("InfluxDB answered {status}: {message}; {advice}");
        Problem::to_mend(reason)
    }

    /// Whether points can be written: asks with a request that holds none. Creates the bucket if it may and must.
    ///
    /// # Errors
    /// What is wrong, and when to ask again.
    pub async fn prepare(&self) -> Result<(), Problem> {
        match self.probe().await {
            Err(problem) if self.create_bucket && problem.needs_mending => {
                self.create_bucket().await?;
                self.probe().await
            }
            result => result,
        }
    }

    async fn probe(&self) -> Result<(), Problem> {
        match self.write(b"").await {
            // InfluxDB looks for organization, bucket and permission before it finds that the request holds no points.
            Answer::Written | Answer::Refused { .. } | Answer::TooLarge { .. } => Ok(()),
            Answer::Failed(problem) => Err(problem),
        }
    }

    async fn create_bucket(&self) -> Result<(), Problem> {
        use influxdb2::api::organization::ListOrganizationRequest;
        use influxdb2::models::PostBucketRequest;
        let failed = |what: &str, error: influxdb2::RequestError| {
            let why = request_error(&error);
            Problem::to_mend(format!("the bucket {:?} cannot be created: {what}: {why}", self.bucket))
        };
        let request = ListOrganizationRequest { org: Some(self.org.clone()), ..ListOrganizationRequest::default() };
        let found =
            self.admin.list_organizations(request).await.map_err(|e| failed("looking for the organization", e))?;
        let id = found.orgs.into_iter().find(|org| org.name == self.org).and_then(|org| org.id);
        let id = id.ok_or_else(|| {
            Problem::to_mend(format!("InfluxDB knows no organization {:?} (or hides it from this token)", self.org))
        })?;
        let request = PostBucketRequest::new(id, self.bucket.clone());
        self.admin.create_bucket(Some(request)).await.map_err(|e| failed("creating it", e))?;
        tracing::info!(bucket = self.bucket, "created the InfluxDB bucket");
        Ok(())
    }
}

fn gzip(lines: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
    encoder.write_all(lines)?;
    encoder.finish()
}

/// Seconds; the form with a date is rare, and then our own back-off does.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// InfluxDB's own words: the `message` of its JSON, or the text as it is.
async fn message(mut response: Response) -> String {
    let mut text = Vec::new();
    while text.len() < ERROR_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        text.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES - text.len())]);
    }
    #[derive(serde::Deserialize)]
    struct Error {
        message: String,
    }
    match serde_json::from_slice::<Error>(&text) {
        Ok(error) => error.message,
        Err(_) => String::from_utf8_lossy(&text).trim().to_string(),
    }
}

/// The number in `partial write: ... dropped=3`.
fn dropped(message: &str) -> Option<usize> {
    let (_, number) = message.rsplit_once("dropped=")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The innermost error says what really happened (`Connection refused`); those around it say that it did.
fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn request_error(error: &influxdb2::RequestError) -> String {
    match error {
        influxdb2::RequestError::Http { status, text } => format!("InfluxDB answered {status}: {}", text.trim()),
        error => cause(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_dropped_points_is_read_from_the_message() {
        assert_eq!(dropped("failure writing points to database: partial write: x dropped=12"), Some(12));
        assert_eq!(dropped("unable to parse 'dropped=': missing fields"), None);
        assert_eq!(dropped("no such thing"), None);
    }

    #[test]
    fn a_url_that_is_none_and_a_token_that_cannot_be_sent_are_errors_without_the_token() {
        let config = |url: &str, token: &str| InfluxConfig {
            url: url.to_string(),
            token: wasmill_core::config::Secret::new(token),
            ..InfluxConfig::default()
        };
        for url in ["", "localhost:8086", "/api", "ftp://host"] {
            assert!(Client::new(&config(url, "t")).unwrap_err().contains("is not the address"), "{url}");
        }
        let error = Client::new(&config("http://h", "sec\nret")).unwrap_err();
        assert!(!error.contains("sec"), "{error}");
        assert!(!format!("{:?}", config("http://h", "secret")).contains("secret"));
        assert!(!format!("{:?}", Client::new(&config("http://h", "secret"))).contains("secret"));
    }
}
