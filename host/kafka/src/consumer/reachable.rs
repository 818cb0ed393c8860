//! Whether the brokers can be reached, said once each change.

use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaRespErr;

use super::native::Native;
use crate::error::plain_reason;

/// How often a broker that is gone is asked for; librdkafka itself does not say when it is back.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long it may take to answer. The poll thread waits for it.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// What one error of librdkafka means for the consumer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The state changed, with the reason.
    Unreachable(String),
    Problem(String),
    Fatal(String),
    /// Noted, or said already.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Reachable {
    /// The configured addresses, for people.
    brokers: String,
    /// `None` before the first contact.
    state: Option<bool>,
    /// Why the last connection failed: what "all brokers are down" itself does not say.
    last_failure: Option<String>,
    last_probe: Option<Instant>,
}

impl Reachable {
    pub fn new(brokers: &str) -> Self {
        Reachable { brokers: brokers.into(), ..Reachable::default() }
    }

    pub fn on_error(&mut self, err: RDKafkaRespErr, reason: &str) -> Meaning {
        use RDKafkaRespErr::*;
        let reason = plain_reason(reason);
        match err {
            RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN => {
                // A connection that breaks brings this alone; what follows is only that it cannot be made again.
                self.down(self.last_failure.clone().unwrap_or_else(|| "the connection was lost".into()))
            }
            RD_KAFKA_RESP_ERR__AUTHENTICATION | RD_KAFKA_RESP_ERR__SSL => {
                self.last_failure = Some(reason.to_owned());
                self.down(reason.to_owned())
            }
            RD_KAFKA_RESP_ERR__TRANSPORT | RD_KAFKA_RESP_ERR__RESOLVE | RD_KAFKA_RESP_ERR__TIMED_OUT => {
                self.last_failure = Some(reason.to_owned());
                Meaning::Nothing
            }
            RD_KAFKA_RESP_ERR__FATAL => Meaning::Fatal(reason.to_owned()),
            _ => Meaning::Problem(reason.to_owned()),
        }
    }

    fn down(&mut self, reason: String) -> Meaning {
        if self.state == Some(false) {
            return Meaning::Nothing;
        }
        self.state = Some(false);
        Meaning::Unreachable(format!("{}: {reason}", self.brokers))
    }

    /// A broker has answered. True if that is news.
    pub fn answered(&mut self) -> bool {
        self.last_failure = None;
        self.state.replace(true) != Some(true)
    }

    /// Asks for a broker now and then as long as none is known to answer. True if one did.
    pub fn probe(&mut self, native: &Native) -> bool {
        if self.state == Some(true) || self.last_probe.is_some_and(|at| at.elapsed() < PROBE_EVERY) {
            return false;
        }
        let answers = native.answers(PROBE_TIMEOUT);
        self.last_probe = Some(Instant::now());
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaRespErr::*;

    #[test]
    fn each_change_is_said_once_and_with_the_reason_of_the_last_failure() {
        let mut reachable = Reachable::new("kafka:9092");
        assert!(reachable.answered() && !reachable.answered());
        let refused = "127.0.0.1:9092/1: Connect failed: Connection refused (after 0ms in state CONNECT)";
        assert_eq!(reachable.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, refused), Meaning::Nothing);
        let down = reachable.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
        assert_eq!(
            down,
            Meaning::Unreachable("kafka:9092: 127.0.0.1:9092/1: Connect failed: Connection refused".into())
        );
        assert_eq!(reachable.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down"), Meaning::Nothing);
        assert!(reachable.answered());
        assert_eq!(
            reachable.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down"),
            Meaning::Unreachable("kafka:9092: the connection was lost".into())
        );
    }
}
