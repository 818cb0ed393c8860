//! Synthetic events of the five use cases: a function of a seed, so that a run can be repeated and checked.

use std::fmt::Write as _;

use fastrand::Rng;
use wasmill_core::time::{MILLISECOND, Nanos, SECOND};

/// Whose events to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum UseCase {
    /// `{event_id, value, timestamp}`: counts of tracked events.
    Activity,
    /// Page views, clicks and purchases of web visitors.
    Web,
    /// Orders, sensor readings and feature usage, told apart by `event_type`.
    Platform,
    /// Measurements by source: `{event_id, source, timestamp, attributes: {user_id, metric, status}}`.
    Kpi,
    /// User events with revenue: `{timestamp, event_type, user_id, version, data: {…}}`.
    Commerce,
    /// Advertising events of ~210 bytes with 1,000 ad ids: what the benchmark counts.
    Ads,
}

impl UseCase {
    /// The topic its example reads.
    pub fn topic(self) -> &'static str {
        match self {
            UseCase::Activity => "flink-events",
            UseCase::Web => "user-actions",
            UseCase::Platform => "ecommerce-events",
            UseCase::Kpi => "events",
            UseCase::Commerce => "user-events",
            UseCase::Ads => "ad-events",
        }
    }
}

/// What the events are like. Shares are between 0 and 1.
#[derive(Clone, Debug)]
pub struct Shape {
    pub use_case: UseCase,
    pub seed: u64,
    /// Event time of the first event, nanoseconds.
    pub start: Nanos,
    /// Event time from one event to the next, nanoseconds.
    pub step: Nanos,
    /// Events come up to so much out of order.
    pub disorder: Nanos,
    /// Share of events that come `late_by` behind (beyond the disorder).
    pub late: f64,
    pub late_by: Nanos,
    /// Share of payloads that are broken: cut off, of another type, without a field.
    pub malformed: f64,
}

/// One event to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// Nanoseconds.
    pub time: Nanos,
}

/// An endless stream of events.
pub struct Events {
    shape: Shape,
    rng: Rng,
    made: u64,
}

impl Events {
    pub fn new(shape: Shape) -> Self {
        Events { rng: Rng::with_seed(shape.seed), shape, made: 0 }
    }

    /// The next event; `now` overrides its regular time where events follow the clock.
    pub fn next(&mut self, now: Option<Nanos>) -> Event {
        let regular = self.shape.start + self.shape.step * self.made as Nanos;
        self.made += 1;
        let mut time = now.unwrap_or(regular);
        if self.shape.disorder > 0 {
            time -= self.rng.i64(0..=self.shape.disorder);
        }
        if self.shape.late > 0.0 && self.rng.f64() < self.shape.late {
            time -= self.shape.disorder + self.shape.late_by;
        }
        // Whole milliseconds: what producers write.
        time -= time.rem_euclid(MILLISECOND);
        let (key, text) = self.body(time);
        let mut value = text.into_bytes();
        if self.shape.malformed > 0.0 && self.rng.f64() < self.shape.malformed {
            self.damage(&mut value);
        }
        Event { key: key.into_bytes(), value, time }
    }

    fn body(&mut self, time: Nanos) -> (String, String) {
        match self.shape.use_case {
            UseCase::Activity => self.activity(time),
            UseCase::Web => self.web(time),
            UseCase::Platform => self.platform(time),
            UseCase::Kpi => self.kpi(time),
            UseCase::Commerce => self.commerce(time),
            UseCase::Ads => self.ads(time),
        }
    }

    fn activity(&mut self, time: Nanos) -> (String, String) {
        const KINDS: [&str; 6] = ["login", "search", "play", "pause", "share", "buy"];
        let id = KINDS[self.skewed(KINDS.len())];
        let value = self.rng.u32(0..10_000);
        let text = format!(
            r#"{{"event_id":"{id}","value":{}.{:02},"timestamp":"{}","client":"ios"}}"#,
            value / 100,
            value % 100,
            rfc3339(time)
        );
        (id.to_owned(), text)
    }

    fn web(&mut self, time: Nanos) -> (String, String) {
        const KINDS: [&str; 5] = ["page_view", "click", "add_to_cart", "purchase", "signup"];
        const PAGES: [&str; 8] = ["/", "/pricing", "/docs", "/blog", "/cart", "/checkout", "/about", "/login"];
        let user = self.user(5_000);
        let text = format!(
            r#"{{"event_time":{},"event_type":"{}","user_id":"{user}","page":"{}","campaign":"c{}","device":"{}"}}"#,
            time / MILLISECOND,
            KINDS[self.skewed(KINDS.len())],
            PAGES[self.skewed(PAGES.len())],
            self.rng.u8(0..12),
            self.device()
        );
        (user, text)
    }

    fn platform(&mut self, time: Nanos) -> (String, String) {
        let user = self.user(2_000);
        let ts = time / MILLISECOND;
        let text = match self.rng.u8(0..10) {
            0..=4 => format!(
                r#"{{"ts":{ts},"event_type":"purchase","user_id":"{user}","product_id":"p{}","country":"{}","currency":"EUR","amount":{}}}"#,
                self.rng.u16(0..400),
                ["DE", "FR", "US", "JP"][self.skewed(4)],
                self.money()
            ),
            5..=7 => format!(
                r#"{{"ts":{ts},"event_type":"reading","sensor_id":"s{}","temperature":{:.2},"humidity":{:.1}}}"#,
                self.rng.u16(0..200),
                18.0 + self.rng.f64() * 8.0,
                30.0 + self.rng.f64() * 40.0
            ),
            _ => format!(
                r#"{{"ts":{ts},"event_type":"feature_used","user_id":"{user}","feature":"f{}","ms":{},"ok":{}}}"#,
                self.rng.u8(0..30),
                self.rng.u16(3..900),
                self.rng.u8(0..50) != 0
            ),
        };
        (user, text)
    }

    fn kpi(&mut self, time: Nanos) -> (String, String) {
        let source = ["web", "device", "service-a", "service-b"][self.skewed(4)];
        let status = if self.rng.u8(0..40) == 0 { "error" } else { "ok" };
        let text = format!(
            r#"{{"event_id":"{}","source":"{source}","timestamp":"{}","attributes":{{"user_id":"{}","metric":{:.1},"status":"{status}"}}}}"#,
            uuid(&mut self.rng),
            rfc3339(time),
            self.user(10_000),
            20.0 + self.rng.f64() * 60.0
        );
        (source.to_owned(), text)
    }

    fn commerce(&mut self, time: Nanos) -> (String, String) {
        const KINDS: [&str; 10] = [
            "page_view",
            "button_click",
            "search",
            "add_to_cart",
            "purchase",
            "form_submit",
            "remove_from_cart",
            "login",
            "logout",
            "signup",
        ];
        let number = self.skewed(2_000);
        let user = format!("user-{number:04}");
        let kind = KINDS[self.skewed(KINDS.len())];
        let mut text = format!(
            r#"{{"timestamp":"{}","event_type":"{kind}","user_id":"{user}","version":"1.0","data":{{"session_id":"s-{number:04}","device":"{}","browser":"{}""#,
            rfc3339(time),
            self.device(),
            ["firefox", "chrome", "safari"][self.skewed(3)]
        );
        match kind {
            "page_view" => {
                let _ = write!(text, r#","page":"/p/{}""#, self.skewed(60));
            }
            "purchase" | "add_to_cart" => {
                let currency = ["EUR", "USD", "GBP", "JPY"][self.skewed(4)];
                let (product, amount) = (self.skewed(300), self.money());
                let _ = write!(text, r#","product_id":"p-{product}","amount":{amount},"currency":"{currency}""#);
            }
            _ => {}
        }
        text.push_str("}}");
        (user, text)
    }

    fn ads(&mut self, time: Nanos) -> (String, String) {
        let ad = self.rng.u16(0..1_000);
        let user = uuid(&mut self.rng);
        let text = format!(
            r#"{{"user_id":"{user}","page_id":"{}","ad_id":"ad-{ad:03}","ad_type":"{}","event_type":"{}","event_time":{},"ip_address":"10.{}.{}.{}"}}"#,
            uuid(&mut self.rng),
            ["banner", "modal", "mail", "mobile"][usize::from(self.rng.u8(0..4))],
            ["view", "click", "purchase"][usize::from(self.rng.u8(0..3))],
            time / MILLISECOND,
            self.rng.u8(..),
            self.rng.u8(..),
            self.rng.u8(..)
        );
        (format!("ad-{ad:03}"), text)
    }

    fn damage(&mut self, value: &mut Vec<u8>) {
        match self.rng.u8(0..4) {
            0 => value.truncate(value.len() / 2),
            1 => *value = b"[1,2,3]".to_vec(),
            2 => *value = b"{}".to_vec(),
            _ => {
                let at = self.rng.usize(0..value.len());
                value[at] = 0xff;
            }
        }
    }

    /// Small numbers more often than large ones.
    fn skewed(&mut self, below: usize) -> usize {
        let x = self.rng.f64();
        ((x * x * x) * below as f64) as usize
    }

    fn user(&mut self, below: usize) -> String {
        format!("user-{:04}", self.skewed(below))
    }

    fn device(&mut self) -> &'static str {
        ["mobile", "desktop", "tablet"][self.skewed(3)]
    }

    fn money(&mut self) -> String {
        let cents = 100 + self.skewed(50_000);
        format!("{}.{:02}", cents / 100, cents % 100)
    }
}

fn uuid(rng: &mut Rng) -> String {
    let (a, b) = (rng.u64(..), rng.u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0x3fff | 0x8000,
        b & 0xffff_ffff_ffff
    )
}

/// `2026-01-31T12:00:00.123Z`, always with three digits.
fn rfc3339(time: Nanos) -> String {
    let (seconds, millis) = (time.div_euclid(SECOND), time.rem_euclid(SECOND) / MILLISECOND);
    match jiff::Timestamp::from_second(seconds) {
        Ok(at) => format!("{}.{millis:03}Z", at.strftime("%Y-%m-%dT%H:%M:%S")),
        Err(_) => (time / MILLISECOND).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(use_case: UseCase) -> Shape {
        Shape {
            use_case,
            seed: 7,
            start: 1_700_000_000 * SECOND,
            step: MILLISECOND,
            disorder: 2 * SECOND,
            late: 0.01,
            late_by: 60 * SECOND,
            malformed: 0.01,
        }
    }

    #[test]
    fn a_seed_repeats_its_events_and_all_but_the_malformed_are_json_objects() {
        for use_case in <UseCase as clap::ValueEnum>::value_variants() {
            let (mut a, mut b) = (Events::new(shape(*use_case)), Events::new(shape(*use_case)));
            let mut malformed = 0;
            for _ in 0..5_000 {
                let event = a.next(None);
                assert_eq!(event, b.next(None));
                let object = serde_json::from_slice::<serde_json::Value>(&event.value).is_ok_and(|v| v.is_object());
                malformed += u32::from(!object || event.value == b"{}");
            }
            assert!((20..100).contains(&malformed), "{use_case:?}: {malformed}");
        }
    }
}
