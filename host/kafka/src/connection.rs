//! How to reach a cluster.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::RDKafkaType;

use crate::error::{KafkaError, Result};
use crate::log::Logging;

/// Properties that are Wasmill's own to set, each with what to use instead.
const OWNED: [(&str, &str); 6] = [
    ("bootstrap.servers", "use `brokers`"),
    ("metadata.broker.list", "use `brokers`"),
    ("group.id", "use the source's `group`"),
    ("enable.auto.commit", "offsets are committed at checkpoints, after the sinks have acknowledged"),
    ("enable.auto.offset.store", "offsets are committed at checkpoints, after the sinks have acknowledged"),
    ("enable.partition.eof", "the end of a partition is told from its log instead"),
];

/// A cluster's address and what librdkafka shall know beyond it (TLS, SASL, buffers…).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// librdkafka's properties, passed on untouched, over Wasmill's defaults.
    pub properties: BTreeMap<String, String>,
}

/// Without the values of properties: some are passwords.
impl fmt::Debug for ConnectionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: Vec<_> = self.properties.keys().collect();
        f.debug_struct("ConnectionConfig").field("brokers", &self.brokers).field("properties", &properties).finish()
    }
}

impl ConnectionConfig {
    pub fn new(brokers: impl Into<String>) -> Self {
        ConnectionConfig { brokers: brokers.into(), properties: BTreeMap::new() }
    }

    /// Checks every property, and that they go together (files of certificates exist, mechanisms are built in), without connecting.
    ///
    /// # Errors
    /// Names the property and librdkafka's reason.
    pub fn validate(&self) -> Result<()> {
        if self.brokers.trim().is_empty() {
            return Err(KafkaError::Configuration("`brokers` is empty: give at least one host:port".into()));
        }
        for (property, instead) in OWNED {
            if self.properties.contains_key(property) {
                return Err(KafkaError::Property {
                    property: property.into(),
                    reason: format!("is set by Wasmill: {instead}"),
                });
            }
        }
        let mut config = self.client([]);
        // A client without brokers is made whole, but connects to nothing.
        config.remove("bootstrap.servers");
        let native = config.create_native_config().map_err(KafkaError::creation)?;
        Client::new(&config, native, RDKafkaType::RD_KAFKA_PRODUCER, Logging::default())
            .map_err(KafkaError::creation)?;
        Ok(())
    }

    /// A client's whole configuration: Wasmill's defaults, then `defaults`, then the properties as given.
    pub(crate) fn client<const N: usize>(&self, defaults: [(&str, &str); N]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", "wasmill");
        // A broker that comes back is found within two seconds; the default lets ten pass.
        config.set("reconnect.backoff.max.ms", "2000");
        // Idle connections are closed by the broker after minutes: no news.
        config.set("log.connection.close", "false");
        for (property, value) in defaults {
            config.set(property, value);
        }
        for (property, value) in &self.properties {
            config.set(property, value);
        }
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(property: &str, value: &str) -> ConnectionConfig {
        let mut config = ConnectionConfig::new("127.0.0.1:9");
        config.properties.insert(property.into(), value.into());
        config
    }

    #[test]
    fn an_unknown_property_is_named() {
        let error = with("fetch.mim.bytes", "1").validate().unwrap_err().to_string();
        assert!(error.contains("`fetch.mim.bytes`") && error.contains("No such configuration property"), "{error}");
    }

    #[test]
    fn an_invalid_value_is_named_with_librdkafkas_reason() {
        let error = with("fetch.wait.max.ms", "soon").validate().unwrap_err().to_string();
        assert!(error.contains("`fetch.wait.max.ms`") && error.contains("Invalid"), "{error}");
    }

    #[test]
    fn a_missing_file_of_certificates_is_found_without_connecting() {
        let mut config = with("ssl.ca.location", "/nowhere/ca.pem");
        config.properties.insert("security.protocol".into(), "ssl".into());
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("ssl.ca.location"), "{error}");
    }

    #[test]
    fn what_wasmill_sets_itself_is_refused() {
        let error = with("enable.auto.commit", "true").validate().unwrap_err().to_string();
        assert!(error.contains("`enable.auto.commit`") && error.contains("checkpoints"), "{error}");
    }

    #[test]
    fn sasl_and_tls_are_built_in_and_secrets_are_not_shown() {
        let mut config = with("sasl.password", "open sesame");
        for (property, value) in
            [("security.protocol", "sasl_ssl"), ("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.username", "ali")]
        {
            config.properties.insert(property.into(), value.into());
        }
        config.validate().unwrap();
        assert!(!format!("{config:?}").contains("sesame"));
    }
}
