//! The JSON Schema of the configuration (draft 2020-12), made from the same tables that the reader follows.

use serde_json::{Map, Value, json};

use super::keys::{Key, ROOT, Section, Shape};
use super::{tree, units};

/// For editors: what a configuration may look like.
pub fn json_schema() -> Value {
    let mut schema = section(&ROOT);
    if let Some(root) = schema.as_object_mut() {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".into(), json!("Wasmill pipeline"));
    }
    schema
}

fn section(section: &Section) -> Value {
    let properties: Map<String, Value> =
        section.keys.iter().map(|key| (key.name.to_owned(), key_schema(key))).collect();
    let required: Vec<&str> = section.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({
        "type": "object",
        "description": section.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn key_schema(key: &Key) -> Value {
    let mut schema = shape(&key.shape);
    if let Some(object) = schema.as_object_mut() {
        let default = toml_value(key.default);
        let mut doc = key.doc.to_owned();
        if default.is_none() && !key.default.is_empty() {
            doc = format!("{doc} (default: {})", key.default);
        }
        object.insert("description".into(), json!(doc));
        if let Some(default) = default {
            object.insert("default".into(), default);
        }
        if let Some(example) = toml_value(key.example) {
            object.insert("examples".into(), json!([example]));
        }
    }
    schema
}

/// What stands behind the `=`, as JSON; `None` for prose.
fn toml_value(text: &str) -> Option<Value> {
    let mut errors = Vec::new();
    // Examples show variables as they are written.
    let entries = tree::parse(&format!("x = {}", text.replace("${", "$${")), &|_| None, &mut errors);
    match entries.as_deref() {
        Some([entry]) if !text.is_empty() => entry.node.json(),
        _ => None,
    }
}

fn shape(of: &Shape) -> Value {
    match of {
        Shape::Text | Shape::Secret => json!({ "type": "string", "minLength": 1 }),
        Shape::Duration => json!({ "type": "string", "pattern": pattern(&units::DURATION_UNITS) }),
        Shape::Size => json!({ "type": "string", "pattern": pattern(&units::SIZE_UNITS) }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Choice { words, .. } => json!({ "enum": words }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Anything => json!({}),
        Shape::List(item) => json!({ "type": "array", "items": shape(item) }),
        Shape::Table(of) => section(of),
        Shape::Map(member) => json!({ "type": "object", "additionalProperties": shape(member) }),
        Shape::Tagged(cases) => {
            let cases: Vec<Value> = cases.iter().map(|(tag, of)| tagged(tag, of)).collect();
            json!({ "oneOf": cases })
        }
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(shape).collect::<Vec<_>>() }),
    }
}

/// A section whose `type` is fixed.
fn tagged(tag: &str, of: &Section) -> Value {
    let mut schema = section(of);
    schema["properties"]["type"] = json!({ "const": tag });
    schema
}

/// Numbers with units, or anything with a variable in it.
fn pattern(units: &[(&str, i64)]) -> String {
    let names = units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("|");
    format!("^(\\s*[0-9]+\\s*({names}))+\\s*$|\\$\\{{")
}
