//! librdkafka's log lines and errors, on their way to `tracing`. A broker that is down makes the same line many times a second; it
//! is said once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

/// A line that was said is not said again for so long.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// How many different lines are remembered; beyond it all are forgotten, so the worst is a line said twice.
const REMEMBERED_LINES: usize = 256;

/// Which lines were said, and when.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<HashMap<String, Instant>>);

impl Repeats {
    /// True if `line` (or one that differs in numbers only) was not let through lately.
    pub fn is_new(&self, line: &str) -> bool {
        let now = Instant::now();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = without_numbers(line);
        if said.get(&key).is_some_and(|at| now.duration_since(*at) < REPEAT_AFTER) {
            return false;
        }
        if said.len() >= REMEMBERED_LINES {
            said.clear();
        }
        said.insert(key, now);
        true
    }
}

fn without_numbers(line: &str) -> String {
    let mut key = String::with_capacity(line.len());
    for c in line.chars() {
        if !c.is_ascii_digit() {
            key.push(c);
        } else if !key.ends_with('#') {
            key.push('#');
        }
    }
    key
}

/// The context of every client: says librdkafka's lines through `tracing`.
#[derive(Debug, Default)]
pub(crate) struct Logging {
    repeats: Repeats,
}

impl Logging {
    pub fn line(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // One set of properties serves consumers and producers alike: that some concern the other is no news.
        if facility == "CONFWARN" && message.contains("will be ignored by") {
            return;
        }
        if !self.repeats.is_new(message) {
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{message}")
            }
            // What librdkafka calls an error is a connection that it is about to try again.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{message}")
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}")
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }
}

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.line(level, facility, message);
    }

    fn error(&self, _: KafkaError, reason: &str) {
        self.line(RDKafkaLogLevel::Error, "ERROR", reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_differs_in_numbers_only_is_said_once() {
        let repeats = Repeats::default();
        assert!(repeats.is_new("connect to 127.0.0.1:9092 failed after 12ms"));
        assert!(!repeats.is_new("connect to 127.0.0.1:9092 failed after 1034ms"));
        assert!(repeats.is_new("authentication failed after 12ms"));
    }

    #[test]
    fn the_memory_of_lines_is_bounded() {
        let repeats = Repeats::default();
        for i in 0..10 * REMEMBERED_LINES {
            repeats.is_new(&"x".repeat(i));
        }
        assert!(repeats.0.lock().unwrap().len() <= REMEMBERED_LINES);
    }
}
