//! Points that are refused, and answers that a real server does not give on demand.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use wasmill::sink::SinkConfig;
use wasmill::sink::influx::InfluxConfig;
use wasmill_core::batch::Values;
use wasmill_core::schema::{Kind, Role};
use wasmill_testkit::influx::InfluxServer;

use crate::rows::{part, rows, texts};
use crate::sink::{Sink, influx, until};

const START: i64 = 1_700_000_000_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_few_bad_points_among_thousands_are_dead_letters_and_the_rest_is_written() {
    let server = InfluxServer::start().await;
    let mut sink = Sink::start(SinkConfig::Influx(influx(&server)));
    let first = vec![part("value", Kind::Integer, Role::Field, Values::Integers(vec![1]))];
    let (integers, target) = rows("typed", vec![START - 1], first);
    sink.send(integers, target).await;
    until("the field is an integer", || sink.figures.rows.get() == 1).await;

    // A float where the field is an integer: 3 rows of 6,000, the others in another field.
    let bad = [17, 4_999, 5_001];
    let times: Vec<i64> = (0..6_000).map(|i| START + i).collect();
    let mut floats = part("value", Kind::Float, Role::Field, Values::Floats(vec![0.5; 6_000]));
    floats.values.valid = (0..6_000).map(|i| u8::from(bad.contains(&i))).collect();
    let other = part("other", Kind::Integer, Role::Field, Values::Integers((0..6_000).collect()));
    let (mixed, target) = rows("typed", times, vec![floats, other]);
    sink.send(mixed, target).await;
    let figures = sink.figures.clone();
    until("all is settled but the letters", || figures.rows.get() == 1 + 5_997).await;
    until("the letters are there", || figures.refused.get() == 3).await;
    assert!(!sink.epoch.settled(), "a letter nobody has made durable holds back the commit");
    let letters = sink.take_letters();
    let refused: Vec<_> = letters.iter().map(|l| String::from_utf8(l.value.clone().unwrap()).unwrap()).collect();
    assert_eq!(refused, bad.map(|i| format!("typed value=0.5,other={i}i {}", START + i)));
    assert!(letters.iter().all(|l| l.reason.contains("field type conflict") && l.route.as_deref() == Some("route")));
    assert!(sink.finish().await.is_empty());
    let count = "from(bucket: \"events\") |> range(start: 0) |> filter(fn: (r) => r._field == \"other\") |> count()";
    assert_eq!(server.query(count).await[0]["_value"], "5997");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_whole_is_not_halved() {
    let server = InfluxServer::start().await;
    server.create_bucket("short", 3_600).await;
    let sink = Sink::start(SinkConfig::Influx(InfluxConfig { bucket: "short".to_string(), ..influx(&server) }));
    let value = part("value", Kind::Integer, Role::Field, Values::Integers(vec![1; 3_000]));
    let (old, target) = rows("old", (0..3_000).map(|i| START + i).collect(), vec![value]);
    sink.send(old, target).await;
    let figures = sink.figures.clone();
    let letters = sink.finish().await;
    assert_eq!(letters.len(), 3_000);
    assert!(letters[0].reason.contains("retention policy"), "{}", letters[0].reason);
    assert_eq!(figures.rows.get(), 0);
    let (writes, _) = figures.write_seconds.read();
    assert!(writes.iter().sum::<u64>() <= 2, "{writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn series_beyond_the_limit_are_refused_and_known_ones_go_on() {
    let server = InfluxServer::start().await;
    let sink = Sink::start(SinkConfig::Influx(InfluxConfig { max_series: Some(2), ..influx(&server) }));
    let parts = vec![
        texts("key", Kind::Text, Role::Tag, &["a", "b", "c", "a", "d"]),
        part("value", Kind::Integer, Role::Field, Values::Integers(vec![1; 5])),
    ];
    let (many, target) = rows("limited", (0..5).map(|i| START + i).collect(), parts);
    sink.send(many, target).await;
    let letters = sink.finish().await;
    let codes: Vec<_> = letters.iter().map(|l| (l.code, l.timestamp_ms)).collect();
    assert_eq!(codes, [("series-limit", START / 1_000_000); 2]);
    assert_eq!(server.query("from(bucket: \"events\") |> range(start: 0)").await.len(), 3);
}

/// A server that answers writes as it is told, and remembers the lines it took and when it was asked.
#[derive(Clone)]
struct Fake {
    taken: Arc<Mutex<Vec<String>>>,
    asked: Arc<Mutex<Vec<Instant>>>,
    address: SocketAddr,
}

impl Fake {
    /// `answer` gets the number of the request that has lines, and the lines.
    async fn start(answer: impl Fn(usize, &[&str]) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Fake { taken: Arc::default(), asked: Arc::default(), address: listener.local_addr().unwrap() };
        let (taken, asked) = (Arc::clone(&fake.taken), Arc::clone(&fake.asked));
        let handle = move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["content-encoding"], "gzip");
            assert_eq!(headers["authorization"], "Token secret");
            let mut text = String::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            if text.is_empty() {
                return StatusCode::NO_CONTENT.into_response();
            }
            let number = {
                let mut asked = asked.lock().unwrap();
                asked.push(Instant::now());
                asked.len() - 1
            };
            let lines: Vec<&str> = text.lines().collect();
            let response = answer(number, &lines);
            if response.status().is_success() {
                taken.lock().unwrap().extend(lines.iter().map(|line| line.to_string()));
            }
            response
        };
        let router = Router::new().route("/api/v2/write", post(handle));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        fake
    }

    fn sink(&self) -> Sink {
        Sink::start(SinkConfig::Influx(InfluxConfig {
            url: format!("http://{}", self.address),
            org: "acme".to_string(),
            bucket: "events".to_string(),
            token: wasmill_core::config::Secret::new("secret"),
            ..InfluxConfig::default()
        }))
    }
}

async fn send_values(sink: &Sink, count: i64) {
    let value = part("value", Kind::Integer, Role::Field, Values::Integers((0..count).collect()));
    let (values, target) = rows("m", (0..count).map(|i| START + i).collect(), vec![value]);
    sink.send(values, target).await;
}

fn answer(status: u16, headers: &[(&str, &str)], message: &str) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(format!("{{\"code\":\"x\",\"message\":{message:?}}}").into()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_split_in_order_and_a_line_that_alone_is_too_large_is_a_dead_letter() {
    let fake = Fake::start(|_, lines| {
        if lines.len() > 40 || lines.iter().any(|line| line.contains("value=77i")) {
            answer(413, &[], "request body too large")
        } else {
            answer(204, &[], "")
        }
    });
    let fake = fake.await;
    let sink = fake.sink();
    send_values(&sink, 1_000).await;
    let letters = sink.finish().await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].code, letters[0].offset), ("too-large", -1));
    let taken = fake.taken.lock().unwrap().clone();
    let expected: Vec<_> = (0..1_000).filter(|i| *i != 77).map(|i| format!("m value={i}i {}", START + i)).collect();
    assert_eq!(taken, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    let fake = Fake::start(|number, _| match number {
        0 => answer(429, &[("retry-after", "2")], "too many"),
        1 => answer(503, &[("retry-after", "1")], "busy"),
        2 => answer(500, &[], "internal"),
        _ => answer(204, &[], ""),
    });
    let fake = fake.await;
    let sink = fake.sink();
    send_values(&sink, 3).await;
    let figures = sink.figures.clone();
    assert!(sink.finish().await.is_empty());
    let asked = fake.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 4);
    assert!(asked[1] - asked[0] >= Duration::from_secs(2), "{:?}", asked[1] - asked[0]);
    assert!(asked[2] - asked[1] >= Duration::from_secs(1), "{:?}", asked[2] - asked[1]);
    assert_eq!((fake.taken.lock().unwrap().len(), figures.retries.get()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_found_by_halving_whatever_the_message_says() {
    let fake = Fake::start(|_, lines| {
        if lines.iter().any(|line| line.contains("value=300i") || line.contains("value=301i")) {
            answer(400, &[], "no \u{1b}[31m number is said here")
        } else {
            answer(204, &[], "")
        }
    });
    let fake = fake.await;
    let sink = fake.sink();
    send_values(&sink, 1_000).await;
    let letters = sink.finish().await;
    assert_eq!(letters.len(), 2);
    let taken: BTreeSet<String> = fake.taken.lock().unwrap().iter().cloned().collect();
    assert_eq!(taken.len(), 998);
    assert!(fake.asked.lock().unwrap().len() < 60);
}
