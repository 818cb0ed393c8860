//! Who may ask: the Host check against DNS rebinding, no changes from other sites' pages, the bearer token, and the headers every answer carries.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// A bearer token, kept as its digest: it cannot leak from here, and comparing digests tells a guesser nothing by its time.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    pub fn new(text: &str) -> Self {
        Token(Sha256::digest(text.as_bytes()).into())
    }

    fn matches(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        given.iter().zip(self.0).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

/// What requests are judged by.
#[derive(Clone)]
pub struct Guard {
    /// Bound to loopback: only names of this machine may stand in `Host`.
    pub loopback: bool,
    pub token: Option<Token>,
}

impl Guard {
    pub fn new(listen: SocketAddr, token: Option<Token>) -> Self {
        Guard { loopback: listen.ip().is_loopback(), token }
    }

    fn judge(&self, request: &Request) -> Result<(), Problem> {
        let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
        if self.loopback && !is_this_machine(host) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "Not this host",
                "the server listens on loopback and answers only to localhost, 127.0.0.1 and [::1] in the Host header; \
                 set [server] listen to an address of the network (and a token) to reach it by another name",
            ));
        }
        if !is_read(request.method()) && is_cross_site(request.headers(), host) {
            return Err(cross_site());
        }
        let Some(token) = &self.token else {
            // Without a token anybody on this machine could ask, and any web page that its browser shows.
            return if is_read(request.method()) { Ok(()) } else { Err(read_only()) };
        };
        if is_open(request.uri().path()) {
            return Ok(());
        }
        let given = request.headers().get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
        let given = given.and_then(|h| h.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        if given.is_some_and(|(_, text)| token.matches(text.trim())) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "A token is needed",
            "send the token of [server] token in the header Authorization: Bearer …",
        ))
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a browser sent this for another site's page. Even one that knows the token may not press buttons here.
///
/// `Sec-Fetch-Site` is believed first: no page can set it, and behind a proxy `Host` may be another name than the page's.
fn is_cross_site(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    // Without either header it is no browser.
    text(header::ORIGIN).is_some_and(|origin| {
        let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
        !authority.eq_ignore_ascii_case(host)
    })
}

fn cross_site() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "Asked by another site",
        "changes are taken from this server's own page and from programs, not from pages of other sites",
    )
}

fn read_only() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "Read-only without a token",
        "set [server] token (it may be \"${WASMILL_TOKEN}\") and send it in the header Authorization: Bearer …; on this machine, \
         SIGHUP reloads too",
    )
}

/// Probes, and the page's own files, which hold no data: the page must load before it can ask for the token.
fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/") || path.starts_with("/web/")
}

/// `host` is a Host header: a name or an address, perhaps with a port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The middleware around everything.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_pass_the_host_check() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "demo.localhost:80"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.0.0.1", "[::2]"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
