use std::time::Duration;

/// What can go wrong with Kafka. Each says what was tried and why it failed; none holds the value of a property, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    #[error("Kafka property `{property}`: {reason}")]
    Property { property: String, reason: String },
    #[error("Kafka configuration: {0}")]
    Configuration(String),
    #[error("Kafka: {action}: {reason}")]
    Request { action: String, reason: String },
    #[error("Kafka: {action}: no answer within {}", seconds(.after))]
    TimedOut { action: String, after: Duration },
    #[error("Kafka: the consumer has stopped")]
    Stopped,
}

impl KafkaError {
    pub(crate) fn request(action: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        KafkaError::Request { action: action.into(), reason: reason.to_string() }
    }

    /// Of a client that could not be made. librdkafka's own error names the property, and its value: that is left out.
    pub(crate) fn creation(error: rdkafka::error::KafkaError) -> Self {
        use rdkafka::error::KafkaError as Native;
        match error {
            Native::ClientConfig(_, reason, property, _) => KafkaError::Property { property, reason },
            Native::ClientCreation(reason) => KafkaError::Configuration(reason),
            other => KafkaError::Configuration(other.to_string()),
        }
    }
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

pub(crate) type Result<T, E = KafkaError> = std::result::Result<T, E>;

/// The longest part of a librdkafka message that tells a person something: without the address of its own state machine
/// (`(after 3ms in state CONNECT, 1 identical error(s) suppressed)`), which changes from line to line.
pub(crate) fn plain_reason(message: &str) -> &str {
    message.split_once(" (after ").map_or(message, |(reason, _)| reason)
}
