//! The TOML table `config` of a plugin, as it reaches `configure`: JSON.

use std::any::TypeId;
use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};

/// Reads a configuration. The error names the key: `config.fields[1]: invalid type: integer 3, expected a string`.
pub fn parse<C: DeserializeOwned + 'static>(json: &str) -> Result<C, String> {
    if TypeId::of::<C>() == TypeId::of::<()>() {
        return nothing(json);
    }
    let json = if json.trim().is_empty() { "{}" } else { json };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let message = error.inner().to_string();
        // A place in the JSON means nothing to who wrote the TOML.
        let message = message.split(" at line ").next().unwrap_or(&message);
        match error.path().to_string().as_str() {
            "." => format!("config: {message}"),
            path => format!("config.{path}: {message}"),
        }
    })
}

fn nothing<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    let keys: BTreeMap<String, IgnoredAny> = match json.trim() {
        "" | "null" => Default::default(),
        json => serde_json::from_str(json).map_err(|error| format!("config: {error}"))?,
    };
    match keys.keys().next() {
        Some(key) => Err(format!("config: unknown field `{key}`, the plugin takes no configuration")),
        None => serde_json::from_str("null").map_err(|error| error.to_string()),
    }
}
