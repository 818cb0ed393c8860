//! `/api/v1/events`: one task makes every message once; each client reads them from a bounded ring. A client that falls
//! behind by the whole ring is dropped: it connects again and asks for what it missed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

use super::Site;
use super::problem::Problem;
use super::store::{Point, Value};

/// Between two `status` events.
const STATUS_EVERY: Duration = Duration::from_secs(crate::status::sampler::SAMPLE_SECONDS);
/// Between two `points` events at least.
const POINTS_EVERY: Duration = Duration::from_millis(250);
/// Points in one `points` event; of more, the newest. The page asks for the series again when some were left out.
const MAX_POINTS_AN_EVENT: usize = 5_000;
/// Messages a client may be behind: about twelve seconds.
const RING_MESSAGES: usize = 64;
/// Clients at once.
const MAX_CLIENTS: usize = 64;

#[derive(Clone, Debug)]
struct Message {
    event: &'static str,
    data: Arc<str>,
}

impl Message {
    fn new(event: &'static str, body: &impl Serialize) -> Option<Self> {
        match serde_json::to_string(body) {
            Ok(json) => Some(Message { event, data: json.into() }),
            Err(error) => {
                tracing::error!(event, %error, "an event could not be written as JSON");
                None
            }
        }
    }

    fn into_event(self) -> Event {
        Event::default().event(self.event).data(&*self.data)
    }
}

/// New points as the page takes them.
#[derive(Serialize)]
struct PointsEvent<'a> {
    points: Vec<PointBody<'a>>,
    /// Left out because there were too many; the series say them all.
    left_out: u64,
}

#[derive(Serialize)]
struct PointBody<'a> {
    measurement: &'a str,
    tags: &'a BTreeMap<String, String>,
    fields: &'a BTreeMap<String, Value>,
    time_ms: i64,
}

impl<'a> PointBody<'a> {
    fn new(point: &'a Point) -> Self {
        let Point { measurement, tags, fields, time } = point;
        PointBody { measurement, tags, fields, time_ms: time.div_euclid(1_000_000) }
    }
}

/// Where clients subscribe.
pub struct Hub {
    /// `None` once the server stops: then every stream ends.
    ring: Mutex<Option<broadcast::Sender<Message>>>,
    clients: Arc<Semaphore>,
}

impl Default for Hub {
    fn default() -> Self {
        let ring = Mutex::new(Some(broadcast::channel(RING_MESSAGES).0));
        Hub { ring, clients: Arc::new(Semaphore::new(MAX_CLIENTS)) }
    }
}

impl Hub {
    fn sender(&self) -> Option<broadcast::Sender<Message>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends every client's stream.
    pub fn close(&self) {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn send(&self, message: Option<Message>) {
        if let (Some(ring), Some(message)) = (self.sender(), message) {
            // An error says that nobody listens.
            let _ = ring.send(message);
        }
    }
}

/// Samples the rates and feeds the ring; runs until it is dropped.
pub async fn run(site: Arc<Site>) {
    let mut status = tokio::time::interval(STATUS_EVERY);
    let mut flush = tokio::time::interval(POINTS_EVERY);
    for timer in [&mut status, &mut flush] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    }
    let mut points = site.store.as_ref().map(|s| s.subscribe());
    let mut waiting = Waiting::default();
    loop {
        tokio::select! {
            _ = status.tick() => {
                site.refresh();
                site.sampler.sample(&site.figures, super::now());
                if site.hub.sender().is_some_and(|ring| ring.receiver_count() > 0) {
                    site.hub.send(Message::new("status", &site.describe(false)));
                }
            }
            _ = flush.tick() => site.hub.send(waiting.take()),
            written = next(&mut points) => match written {
                Ok(batch) => waiting.add(&batch),
                Err(broadcast::error::RecvError::Lagged(batches)) => waiting.left_out += batches,
                Err(broadcast::error::RecvError::Closed) => points = None,
            },
        }
    }
}

/// The next batch of points; never, without a store.
async fn next(
    points: &mut Option<broadcast::Receiver<Arc<Vec<Point>>>>,
) -> Result<Arc<Vec<Point>>, broadcast::error::RecvError> {
    match points {
        Some(points) => points.recv().await,
        None => std::future::pending().await,
    }
}

/// Points since the last `points` event.
#[derive(Default)]
struct Waiting {
    points: std::collections::VecDeque<Point>,
    left_out: u64,
}

impl Waiting {
    fn add(&mut self, batch: &[Point]) {
        self.points.extend(batch.iter().cloned());
        let over = self.points.len().saturating_sub(MAX_POINTS_AN_EVENT);
        self.points.drain(..over);
        self.left_out += over as u64;
    }

    fn take(&mut self) -> Option<Message> {
        if self.points.is_empty() && self.left_out == 0 {
            return None;
        }
        let points = std::mem::take(&mut self.points);
        let left_out = std::mem::take(&mut self.left_out);
        Message::new("points", &PointsEvent { points: points.iter().map(PointBody::new).collect(), left_out })
    }
}

pub async fn events(State(site): State<Arc<Site>>) -> Response {
    let busy = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "No stream now", detail).into_response();
    let Ok(permit) = Arc::clone(&site.hub.clients).try_acquire_owned() else {
        return busy(format!("{MAX_CLIENTS} clients read events already: close one"));
    };
    let Some(ring) = site.hub.sender() else {
        return busy("the server is stopping".into());
    };
    let live = BroadcastStream::new(ring.subscribe());
    let first = Message::new("status", &site.describe(false));
    Sse::new(stream(first, live, permit)).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))).into_response()
}

/// The status as it is, then what comes, until the client has fallen behind or the server stops.
fn stream(
    first: Option<Message>,
    live: BroadcastStream<Message>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let live = live.take_while(Result::is_ok).filter_map(Result::ok);
    tokio_stream::iter(first).chain(live).map(move |message| {
        let _held = &permit;
        Ok(message.into_event())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(n: i64) -> Point {
        Point { measurement: "m".into(), tags: BTreeMap::new(), fields: BTreeMap::new(), time: n * 1_000_000 }
    }

    #[test]
    fn an_event_holds_the_newest_points_and_says_how_many_it_left_out() {
        let mut waiting = Waiting::default();
        assert!(waiting.take().is_none());
        waiting.add(&(0..MAX_POINTS_AN_EVENT as i64 + 10).map(point).collect::<Vec<_>>());
        let body: serde_json::Value = serde_json::from_str(&waiting.take().unwrap().data).unwrap();
        assert_eq!(body["left_out"], 10);
        assert_eq!(body["points"].as_array().unwrap().len(), MAX_POINTS_AN_EVENT);
        assert_eq!(body["points"][0]["time_ms"], 10);
    }

    #[tokio::test]
    async fn a_client_that_falls_behind_by_the_whole_ring_is_dropped() {
        let hub = Hub::default();
        let ring = hub.sender().unwrap();
        let slow = BroadcastStream::new(ring.subscribe());
        (0..RING_MESSAGES + 1).for_each(|n| hub.send(Message::new("status", &n)));
        let permit = Arc::clone(&hub.clients).acquire_owned().await.unwrap();
        let seen: Vec<_> = stream(Message::new("status", &"first"), slow, permit).collect().await;
        assert_eq!(seen.len(), 1, "its stream ends at once, after the first status");
    }
}
