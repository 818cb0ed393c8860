//! The reader's tables, the JSON Schema and `host/docs/configuration.md` say the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use serde_json::Value;
use wasmill_core::config::keys::{self, Key, Section, Shape};
use wasmill_core::config::schema::json_schema;

/// Every table of the configuration, once.
fn sections() -> Vec<&'static Section> {
    let mut sections = Vec::new();
    collect(&keys::ROOT, &mut sections);
    sections
}

fn collect(section: &'static Section, sections: &mut Vec<&'static Section>) {
    if sections.iter().any(|known| std::ptr::eq(*known, section)) {
        return;
    }
    sections.push(section);
    section.keys.iter().for_each(|key| collect_shape(&key.shape, sections));
}

fn collect_shape(shape: &'static Shape, sections: &mut Vec<&'static Section>) {
    match shape {
        Shape::Table(section) => collect(section, sections),
        Shape::List(of) | Shape::Map(of) => collect_shape(of, sections),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect_shape(shape, sections)),
        Shape::Tagged(cases) => cases.iter().for_each(|(_, section)| collect(section, sections)),
        _ => {}
    }
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Secret => "string".into(),
        Shape::Duration => "duration".into(),
        Shape::Size => "size".into(),
        Shape::Integer { min, max } => format!("integer, {min} to {max}"),
        Shape::Boolean => "boolean".into(),
        Shape::Choice { words, .. } => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Shape::Scalar => "string, number or boolean".into(),
        Shape::Anything => "anything".into(),
        Shape::List(of) => format!("array of: {}", kind(of)),
        Shape::Table(_) => "table".into(),
        Shape::Map(of) => format!("table of: {}", kind(of)),
        Shape::Tagged(_) => "table by `type`".into(),
        Shape::Either(shapes) => shapes.iter().map(kind).collect::<Vec<_>>().join("; or "),
    }
}

fn row(key: &Key) -> String {
    let default = match key.default {
        _ if key.required => "required".to_owned(),
        "" => "—".to_owned(),
        default if default.starts_with(['"', '[', '{']) && !default.contains(" and ") => format!("`{default}`"),
        default if default.parse::<f64>().is_ok() || matches!(default, "true" | "false") => format!("`{default}`"),
        default => default.to_owned(),
    };
    let example = format!("`{} = {}`", key.name, key.example);
    format!("| `{}` | {} | {default} | {}<br>{example} |", key.name, kind(&key.shape), key.doc)
}

/// What `host/docs/configuration.md` says of a section.
fn table(section: &Section) -> String {
    let mut table = format!("### `[{}]`\n\n{}\n\n", section.title, section.doc);
    table.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    section.keys.iter().for_each(|key| table.push_str(&format!("{}\n", row(key))));
    if !section.later.is_empty() {
        let names: Vec<String> = section.later.iter().map(|later| format!("`{}`", later.name)).collect();
        table.push_str(&format!("\nNot in this version: {}.\n", names.join(", ")));
    }
    table
}

#[test]
fn the_reference_has_the_table_of_every_section() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let reference = std::fs::read_to_string(&path).unwrap_or_default();
    let missing: Vec<String> = sections()
        .into_iter()
        .filter(|section| !section.title.is_empty())
        .map(table)
        .filter(|table| !reference.contains(table.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "host/docs/configuration.md lacks these tables as they are here:\n\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_key_has_words_and_an_example_that_the_reader_takes() {
    for section in sections() {
        for key in section.keys {
            assert!(!key.doc.is_empty(), "{}.{}", section.title, key.name);
            let text = format!("x = {}", key.example);
            assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
        }
    }
}

/// As much of JSON Schema as [`json_schema`] uses.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    for (word, combine) in [("oneOf", 1), ("anyOf", usize::MAX)] {
        if let Some(cases) = schema[word].as_array() {
            let fitting = cases.iter().filter(|case| fits(case, value).is_ok()).count();
            if fitting == 0 || fitting > combine {
                return Err(format!("{value} fits {fitting} of {word}"));
            }
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return if words.contains(value) { Ok(()) } else { Err(format!("{value} is none of {words:?}")) };
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let fits_type = types.iter().any(|name| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    });
    if !fits_type {
        return Err(format!("{value} is not of {types:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        fits(&schema["items"], item)?;
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        value.get(name).ok_or_else(|| format!("{name} is missing in {value}"))?;
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(property) => fits(property, member).map_err(|why| format!("{name}: {why}"))?,
            None if schema["additionalProperties"] == Value::Bool(false) => return Err(format!("unknown {name}")),
            None => fits(&schema["additionalProperties"], member).map_err(|why| format!("{name}: {why}"))?,
        }
    }
    Ok(())
}

fn example(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipelines").join(name);
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_schema_takes_what_the_reader_takes_and_refuses_a_misspelt_key() {
    let schema = json_schema();
    for name in ["activity.toml", "commerce.toml", "everything.toml"] {
        fits(&schema, &example(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    let mut wrong = example("activity.toml");
    wrong["routes"]["per_event"]["windo"] = Value::from("5s");
    assert!(fits(&schema, &wrong).is_err());
    let mut wrong = example("commerce.toml");
    wrong["sinks"]["charts"]["type"] = Value::from("influx");
    assert!(fits(&schema, &wrong).is_err());
}

#[test]
fn the_schema_has_every_key_of_every_section() {
    let schema = json_schema().to_string();
    for section in sections() {
        for key in section.keys {
            assert!(schema.contains(&format!("\"{}\":", key.name)), "{}.{}", section.title, key.name);
        }
    }
}
