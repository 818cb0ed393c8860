//! What a pipeline must give for the records that lie in its topic, computed the plain way: whole documents, no panes, no
//! batches, everything kept until the end. Shares no code with the product.
//!
//! Every window is taken to be closed in the end, so what it is held against must have run to the topic's end.

mod results;
pub mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use crate::points::{PointId, Points};
use crate::topics::Message;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const OUT_OF_ORDERNESS: i64 = 3 * SECOND;
const MAX_AHEAD: i64 = MINUTE;
const SESSION_GAP: i64 = 15 * MINUTE;

/// The results of a run over a whole topic.
#[derive(Debug, Default)]
pub struct Expected {
    /// Of the InfluxDB sink.
    pub points: Points,
    /// What the route `sessions` writes, as points of the measurement `sessions`.
    pub sessions: Points,
    pub refused: BTreeSet<Refused>,
    pub routes: BTreeMap<&'static str, Counts>,
    pub invalid: u64,
    pub tombstones: u64,
}

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    pub partition: i32,
    pub offset: i64,
    /// Empty: refused before any route.
    pub route: String,
    pub stage: String,
}

/// What became of the rows that reached a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub rows_in: u64,
    pub filtered: u64,
    pub rejected: u64,
    pub late: u64,
    pub accepted: u64,
}

/// What `routes` make of a topic; `messages`: each partition's in the order of their offsets.
pub fn expect(messages: &[Message], routes: &[Route]) -> Expected {
    let mut expected = Expected::default();
    let mut folds: Vec<Fold> = routes.iter().map(|_| Fold::default()).collect();
    let mut latest: BTreeMap<i32, i64> = BTreeMap::new();
    for message in messages {
        let (partition, offset) = (message.partition, message.offset);
        let mut refuse = |route: &str, stage: &str| {
            let (route, stage) = (route.to_owned(), stage.to_owned());
            expected.refused.insert(Refused { partition, offset, route, stage });
        };
        let Some(payload) = &message.value else {
            expected.tombstones += 1;
            continue;
        };
        let (event, time) = match event(payload, message.timestamp_ms * 1_000_000) {
            Ok(event) => event,
            Err(stage) => {
                expected.invalid += 1;
                refuse("", stage);
                continue;
            }
        };
        // Before this event; the event itself counts for the next ones, whatever the routes make of it.
        let watermark = latest.get(&partition).map_or(i64::MIN, |latest| latest - OUT_OF_ORDERNESS);
        let running = latest.entry(partition).or_insert(time);
        *running = time.max(*running);
        for (route, fold) in routes.iter().zip(&mut folds) {
            let counts = expected.routes.entry(route.name).or_default();
            counts.rows_in += 1;
            match route.take(&event, time, watermark, partition, fold) {
                Outcome::Filtered => counts.filtered += 1,
                Outcome::Accepted => counts.accepted += 1,
                Outcome::Refused("late") => {
                    counts.late += 1;
                    refuse(route.name, "late");
                }
                Outcome::Refused(stage) => {
                    counts.rejected += 1;
                    refuse(route.name, stage);
                }
            }
        }
    }
    for (route, fold) in routes.iter().zip(folds) {
        let points = if route.name == "sessions" { &mut expected.sessions } else { &mut expected.points };
        route.results(fold, points);
    }
    expected
}

/// An event and its time.
type Timed = (Rc<Value>, i64);

/// The event and its time, or the stage that refuses it.
fn event(payload: &[u8], written: i64) -> Result<Timed, &'static str> {
    let event: Value = serde_json::from_slice(payload).map_err(|_| "decode")?;
    if !event.is_object() {
        return Err("decode");
    }
    let time = event["timestamp"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).ok_or("time")?;
    let time = i64::try_from(time.as_nanosecond()).map_err(|_| "time")?;
    if time > written + MAX_AHEAD { Err("time") } else { Ok((Rc::new(event), time)) }
}

fn at<'a>(event: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(event, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// Null or not there; an array or a scalar on the way there is something else than expected, not nothing.
fn is_absent(event: &Value, path: &str) -> bool {
    let way = path.rsplit_once('.').map_or(event, |(way, _)| at(event, way));
    at(event, path).is_null() && (way.is_object() || way.is_null())
}

/// A path, and what must be there.
type Required = (&'static str, fn(&Value) -> bool);

/// A route as the oracle sees it.
pub struct Route {
    name: &'static str,
    measurement: &'static str,
    /// Event types it takes; empty: all.
    only: &'static [&'static str],
    /// What the plugin requires.
    requires: Option<Required>,
    /// What it reads if it is there: then it must be a text.
    optional: Option<&'static str>,
    /// What the plugin rejects when it is negative.
    positive: Option<&'static str>,
    key: Option<&'static str>,
    window: Window,
    /// A point's time is its window's end.
    at_end: bool,
    results: fn(&[&Timed]) -> results::Results,
}

enum Window {
    /// Length, and from one to the next.
    Regular {
        size: i64,
        every: i64,
    },
    Session {
        max: i64,
    },
}

enum Outcome {
    Filtered,
    /// At this stage.
    Refused(&'static str),
    Accepted,
}

#[derive(Default)]
struct Fold {
    /// By time of the point and key.
    windows: BTreeMap<(i64, String), Vec<Timed>>,
    /// By partition and key, those that are over too.
    sessions: BTreeMap<(i32, String), Vec<Vec<Timed>>>,
}

impl Route {
    fn take(&self, event: &Rc<Value>, time: i64, watermark: i64, partition: i32, fold: &mut Fold) -> Outcome {
        if !self.only.is_empty() && !self.only.iter().any(|kind| event["event_type"] == *kind) {
            return Outcome::Filtered;
        }
        if self.requires.is_some_and(|(path, holds)| !holds(at(event, path))) {
            return Outcome::Refused("aggregate");
        }
        if self.optional.is_some_and(|path| !(at(event, path).is_string() || is_absent(event, path))) {
            return Outcome::Refused("aggregate");
        }
        let key = match self.key.map(|path| at(event, path)) {
            None => String::new(),
            Some(Value::String(key)) => key.clone(),
            Some(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar.to_string(),
            Some(_) => return Outcome::Refused("key"),
        };
        match self.window {
            Window::Regular { size, every } => {
                // The windows that hold the event end between it and a whole size later.
                let first_end = time.div_euclid(every) * every + every;
                let open: Vec<i64> =
                    (0..size / every).map(|n| first_end + n * every).filter(|end| *end > watermark).collect();
                if open.is_empty() {
                    return Outcome::Refused("late");
                }
                if self.positive.is_some_and(|path| at(event, path).as_f64().unwrap() < 0.0) {
                    return Outcome::Refused("aggregate");
                }
                for end in open {
                    let time_of_point = if self.at_end { end } else { end - size };
                    fold.windows.entry((time_of_point, key.clone())).or_default().push((Rc::clone(event), time));
                }
            }
            Window::Session { max } => {
                let sessions = fold.sessions.entry((partition, key)).or_default();
                if !join_session(sessions, event, time, watermark, max) {
                    return Outcome::Refused("late");
                }
            }
        }
        Outcome::Accepted
    }

    fn results(&self, fold: Fold, points: &mut Points) {
        let sessions = fold.sessions.into_iter().flat_map(|((_, key), sessions)| {
            sessions.into_iter().map(move |session| ((span(&session).0, key.clone()), session))
        });
        for ((time, key), events) in fold.windows.into_iter().chain(sessions) {
            for (rank, fields) in (self.results)(&events.iter().collect::<Vec<_>>()) {
                let mut tags = BTreeMap::new();
                if let Some(path) = self.key {
                    tags.insert(path.rsplit('.').next().unwrap().to_owned(), key.clone());
                }
                if let Some(rank) = rank {
                    tags.insert("rank".to_owned(), rank.to_string());
                }
                let id = PointId { measurement: self.measurement.to_owned(), tags, time };
                assert!(points.insert(id, fields).is_none(), "two results are one point");
            }
        }
    }
}

/// First and last time.
fn span(session: &[Timed]) -> (i64, i64) {
    let times = || session.iter().map(|(_, time)| *time);
    (times().min().unwrap(), times().max().unwrap())
}

/// Puts an event into the session it belongs to, and together what it joins; false if it is late.
fn join_session(sessions: &mut Vec<Vec<Timed>>, event: &Rc<Value>, time: i64, watermark: i64, max: i64) -> bool {
    let may_be_one = |first: i64, last: i64| {
        let line = last.div_euclid(max / 2) * (max / 2);
        first >= line || first >= line - max / 2 + SESSION_GAP
    };
    let far = |session: &[Timed]| {
        let (first, last) = span(session);
        (first - time).max(time - last).max(0)
    };
    let (mut near, mut rest): (Vec<_>, Vec<_>) = std::mem::take(sessions)
        .into_iter()
        .partition(|session| span(session).1 + SESSION_GAP > watermark && far(session) < SESSION_GAP);
    near.sort_by_key(|session| (far(session), span(session).0));
    let mut joined: Vec<Timed> = Vec::new();
    for other in near {
        let (first, last) = span(if joined.is_empty() { &other } else { &joined });
        let (first, last) = if joined.is_empty() {
            (first.min(time), last.max(time))
        } else {
            (first.min(span(&other).0), last.max(span(&other).1))
        };
        if !may_be_one(first, last) {
            rest.push(other);
            continue;
        }
        if joined.is_empty() {
            joined.push((Rc::clone(event), time));
        }
        joined.extend(other);
    }
    if joined.is_empty() && time + SESSION_GAP > watermark {
        joined.push((Rc::clone(event), time));
    }
    let found = !joined.is_empty();
    if found {
        rest.push(joined);
    }
    *sessions = rest;
    found
}
