//! Errors of a configuration name the key and what would be right.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde::Deserialize;
use wasmill_sdk::config::parse;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Config {
    field: String,
    #[serde(default)]
    limits: Vec<Limit>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Limit {
    max: f64,
}

#[test]
fn an_error_names_the_key() {
    for (json, expected) in [
        ("{}", "config: missing field `field`"),
        ("", "config: missing field `field`"),
        (r#"{"field": 3}"#, "config.field: invalid type: integer `3`, expected a string"),
        (r#"{"feild": "x"}"#, "config.feild: unknown field `feild`, expected `field` or `limits`"),
        (r#"{"field": "x", "limits": [{"max": 1}, {}]}"#, "config.limits[1]: missing field `max`"),
    ] {
        assert_eq!(parse::<Config>(json).unwrap_err(), expected);
    }
}

#[test]
fn a_plugin_without_configuration_takes_an_empty_table_alone() {
    for json in ["", "{}", "null", " {} "] {
        assert_eq!(parse::<()>(json), Ok(()));
    }
    assert!(parse::<()>(r#"{"k": [1, {"a": 2}]}"#).unwrap_err().contains("unknown field `k`"));
}
