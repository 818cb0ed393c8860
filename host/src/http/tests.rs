//! The server over a real socket.

use std::collections::BTreeSet;

use super::*;
use crate::figures::SinkFigures;
use crate::status::health::Phase;

struct Running {
    base: String,
    site: Arc<Site>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<Result<(), HttpError>>,
}

async fn start(token: Option<&str>) -> Running {
    let plan = Plan { plugins: Vec::new(), sinks: Vec::new(), sources: Vec::new() };
    let sink = Arc::new(SinkFigures { name: "charts".into(), kind: "influxdb".into(), ..SinkFigures::default() });
    let figures = Figures::new(vec![], vec![], vec![], vec![sink]);
    let site = Arc::new(Site::new("test", Arc::new(plan), Arc::new(figures), None, Arc::default()));
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let base = format!("http://{}", server.address);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let shutdown = async { drop(stopped.await) };
    let task = tokio::spawn(server.run(Arc::clone(&site), token.map(Token::new), shutdown));
    Running { base, site, stop: Some(stop), task }
}

async fn get(url: String) -> reqwest::Response {
    reqwest::get(url).await.unwrap()
}

#[tokio::test]
async fn every_route_answers_and_is_in_the_openapi_document() {
    let server = start(None).await;
    server.site.health.set(Phase::Running);
    let document: serde_json::Value = get(format!("{}/api/v1/openapi.json", server.base)).await.json().await.unwrap();
    let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, ROUTES.iter().map(|(path, _)| *path).collect());
    for (path, _) in ROUTES {
        let query = if path.ends_with("/series") { "?measurement=a&field=b" } else { "" };
        let answer = get(format!("{}{path}{query}", server.base)).await;
        // Without a store there are no series, and it says so.
        let expected = match path {
            path if path.ends_with("/rollback") => 405,
            _ if query.is_empty() => 200,
            _ => 404,
        };
        assert_eq!(answer.status(), expected, "{path}");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn readiness_says_who_waits_for_what() {
    let server = start(None).await;
    assert_eq!(get(format!("{}/readyz", server.base)).await.status(), 503, "starting");
    server.site.health.set(Phase::Running);
    assert_eq!(get(format!("{}/readyz", server.base)).await.status(), 200);
    server.site.figures.sinks.get()[0].fault.set(Some("connection refused".into()));
    let answer = get(format!("{}/readyz", server.base)).await;
    assert_eq!(answer.status(), 503);
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["state"], "waiting");
    assert_eq!(body["reasons"][0]["name"], "charts");
    assert_eq!(body["reasons"][0]["reason"], "connection refused");
    assert_eq!(get(format!("{}/livez", server.base)).await.status(), 200);
}

#[tokio::test]
async fn a_token_is_needed_for_all_but_the_probes_and_the_pages_files() {
    let server = start(Some("s3cret")).await;
    for (path, _) in ROUTES {
        let open = ["/livez", "/readyz", "/"].contains(&path);
        let answer = get(format!("{}{path}", server.base)).await;
        assert_eq!(answer.status() != 401, open, "{path}");
        if !open {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
    }
    let url = format!("{}/api/v1/pipeline", server.base);
    for (given, status) in
        [("Bearer s3cret", 200), ("bearer s3cret", 200), ("Bearer s3cre", 401), ("Basic s3cret", 401)]
    {
        let answer = reqwest::Client::new().get(&url).header("authorization", given).send().await.unwrap();
        assert_eq!(answer.status(), status, "{given}");
    }
}

#[tokio::test]
async fn on_loopback_a_name_of_another_host_is_refused() {
    let server = start(None).await;
    let rebound = reqwest::Client::new().get(format!("{}/api/v1/pipeline", server.base)).header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 421);
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Server::bind(taken.local_addr().unwrap()).await.err().unwrap().to_string();
    assert!(error.contains("in use") && error.contains("[server] listen"), "{error}");
}

#[tokio::test]
async fn events_begin_with_the_status_and_end_when_the_server_stops() {
    let mut server = start(None).await;
    let mut stream = get(format!("{}/api/v1/events", server.base)).await;
    let first = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await.unwrap().unwrap().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.starts_with("event: status\ndata: {\"name\":\"test\""), "{first}");
    server.stop.take().unwrap().send(()).unwrap();
    let ended = async { while let Ok(Some(_)) = stream.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("the stream ends");
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn what_is_not_there_and_what_is_asked_wrongly_are_problem_documents() {
    let server = start(None).await;
    for (path, status) in [("/nope", 404), ("/web/nope.js", 404), ("/api/v1/series?limit=1", 400)] {
        let answer = get(format!("{}{path}", server.base)).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["status"], status);
    }
}

#[tokio::test]
async fn nothing_can_be_changed_without_a_token_that_the_configuration_sets() {
    let post = async |server: &Running, path: &str, token: &str| {
        let request = reqwest::Client::new().post(format!("{}{path}", server.base)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    let open = start(None).await;
    let closed = start(Some("s3cret")).await;
    for path in ["/api/v1/reloads", "/api/v1/plugins/a/releases", "/api/v1/plugins/a/rollback"] {
        assert_eq!(post(&open, path, "s3cret").await, 403, "{path}: any page in a browser here could send this");
        assert_eq!(post(&closed, path, "wrong").await, 401, "{path}");
        assert_eq!(post(&closed, path, "s3cret").await, 503, "{path}: this one takes no reloads");
    }
    assert_eq!(post(&closed, "/api/v1/pipeline", "s3cret").await, 405);
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_even_with_the_token_and_get_no_cors_headers() {
    let server = start(Some("s3cret")).await;
    let own = server.base.as_str();
    let url = format!("{own}/api/v1/reloads");
    let client = reqwest::Client::new();
    let asked = async |bearer: bool, headers: &[(&str, &str)]| {
        let mut request = client.post(&url).form(&[("reset_state", "true")]);
        request = if bearer { request.bearer_auth("s3cret") } else { request };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("access-control-")), "{headers:?}");
        answer.status().as_u16()
    };
    let evil = ("origin", "http://evil.example");
    assert_eq!(asked(false, &[evil]).await, 403, "a form of another site");
    assert_eq!(asked(true, &[evil]).await, 403);
    assert_eq!(asked(true, &[("origin", "null")]).await, 403, "a sandboxed frame");
    assert_eq!(asked(true, &[evil, ("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(asked(true, &[("sec-fetch-site", "same-site")]).await, 403, "another port of this machine");
    assert_eq!(asked(false, &[("origin", own)]).await, 401);
    // This site takes no reloads: 503 says that the guard let it pass.
    assert_eq!(asked(true, &[("origin", own), ("sec-fetch-site", "same-origin")]).await, 503, "the page");
    assert_eq!(asked(true, &[("origin", own)]).await, 503, "the page in an old browser");
    assert_eq!(asked(true, &[]).await, 503, "a program");
    let preflight = client.request(reqwest::Method::OPTIONS, &url).header("origin", evil.1);
    let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(preflight.status(), 403);
    assert!(preflight.headers().keys().all(|name| !name.as_str().starts_with("access-control-")));
}

#[tokio::test]
async fn the_status_says_whether_anything_can_be_changed_and_which_reload_was_the_latest() {
    for token in [None, Some("s3cret")] {
        let server = start(token).await;
        let status = async || -> serde_json::Value {
            let request = reqwest::Client::new().get(format!("{}/api/v1/pipeline", server.base)).bearer_auth("s3cret");
            request.send().await.unwrap().json().await.unwrap()
        };
        assert_eq!(status().await["writable"], token.is_some());
        assert_eq!(status().await["reloads"], serde_json::Value::Null);
        server.site.reloads().put(crate::reload::Report {
            number: 7,
            at: String::new(),
            trigger: String::new(),
            outcome: crate::reload::Outcome::Refused,
            reason: None,
            plugins: Vec::new(),
            routes: Vec::new(),
            steps: Vec::new(),
            pause_seconds: 0.0,
        });
        assert_eq!(status().await["reloads"], serde_json::json!({ "number": 7, "outcome": "refused" }));
    }
}
