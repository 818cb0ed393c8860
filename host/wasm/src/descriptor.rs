//! What a plugin says of itself, checked before anything relies on it.

use std::collections::BTreeSet;

use wasmill_core::schema::{Descriptor, Field, Kind, Output, OutputField, Role};

use crate::contract::World;
use crate::strings::clean;
use crate::v0_1;

const MAX_FIELDS: usize = 1000;
const MAX_OUTPUTS: usize = 64;
const MAX_OPTIONS: usize = 64;
const MAX_NAME_BYTES: usize = 256;
const MAX_DOC_BYTES: usize = 4096;
/// As much of a wrong name as an error shows.
const SHOWN_BYTES: usize = 64;

/// The descriptor as a core type, or the rule it breaks.
pub(crate) fn lift(returned: v0_1::Descriptor, world: World) -> Result<Descriptor, String> {
    label(&returned.name, "the plugin's name")?;
    if returned.version.len() > MAX_NAME_BYTES || returned.version.chars().any(char::is_control) {
        return Err(format!("its version is not plain text of at most {MAX_NAME_BYTES} bytes"));
    }
    doc(&returned.doc, "the plugin")?;
    at_most(returned.reads.len(), MAX_FIELDS, "fields it reads")?;
    at_most(returned.outputs.len(), MAX_OUTPUTS, "outputs")?;
    if returned.outputs.is_empty() {
        return Err("it has no output: a plugin writes at least one".to_owned());
    }
    check_options(&returned.options)?;
    let reads: Vec<Field> = returned.reads.into_iter().map(field).collect::<Result<_, _>>()?;
    unique(reads.iter().map(|field| field.name.as_str()), "it reads field")?;
    let outputs: Vec<Output> =
        returned.outputs.into_iter().map(|output| lift_output(output, world)).collect::<Result<_, _>>()?;
    unique(outputs.iter().map(|output| output.name.as_str()), "output")?;
    let v0_1::Descriptor { name, version, doc, options, .. } = returned;
    Ok(Descriptor { name, version, doc, reads, outputs, options })
}

fn field(returned: v0_1::Field) -> Result<Field, String> {
    let v0_1::Field { name, path, kind, optional, repeated, dictionary } = returned;
    label(&name, "the name of a field it reads")?;
    label(&path, &format!("the path of field {name}"))?;
    let kind = lift_kind(kind);
    if dictionary && (kind != Kind::Text || repeated) {
        return Err(format!("field {name} asks for a dictionary: only a text that is not repeated has one"));
    }
    Ok(Field { name, path, kind, optional, repeated, dictionary })
}

fn lift_output(returned: v0_1::Output, world: World) -> Result<Output, String> {
    let v0_1::Output { name, fields, extends } = returned;
    identifier(&name, "the name of an output")?;
    if extends && world == World::Aggregator {
        return Err(format!(
            "output {name} extends: an aggregator's rows have no origin whose columns they could keep"
        ));
    }
    at_most(fields.len(), MAX_FIELDS, &format!("fields in output {name}"))?;
    let fields: Vec<OutputField> = fields
        .into_iter()
        .map(|field| output_field(field).map_err(|rule| format!("output {name}: {rule}")))
        .collect::<Result<_, _>>()?;
    unique(fields.iter().map(|field| field.name.as_str()), &format!("output {name}: field"))?;
    if fields.iter().filter(|field| field.role == Role::Time).count() > 1 {
        return Err(format!("output {name} has several fields with the role time: a row has one event time"));
    }
    Ok(Output { name, fields, extends })
}

fn output_field(returned: v0_1::OutputField) -> Result<OutputField, String> {
    let v0_1::OutputField { name, kind, optional, repeated, role, unit, doc: text } = returned;
    identifier(&name, "the name of a field")?;
    let kind = lift_kind(kind);
    let role = match role {
        v0_1::Role::Field => Role::Field,
        v0_1::Role::Tag => Role::Tag,
        v0_1::Role::Time => Role::Time,
    };
    if role == Role::Time && (kind != Kind::Timestamp || repeated) {
        return Err(format!("field {name} has the role time: it must be a timestamp, not repeated"));
    }
    if unit.len() > MAX_NAME_BYTES || unit.chars().any(char::is_control) {
        return Err(format!("the unit of field {name} is not plain text of at most {MAX_NAME_BYTES} bytes"));
    }
    doc(&text, &format!("field {name}"))?;
    Ok(OutputField { name, kind, optional, repeated, role, unit, doc: text })
}

fn lift_kind(kind: v0_1::Kind) -> Kind {
    match kind {
        v0_1::Kind::Boolean => Kind::Boolean,
        v0_1::Kind::Integer => Kind::Integer,
        v0_1::Kind::Float => Kind::Float,
        v0_1::Kind::Text => Kind::Text,
        v0_1::Kind::Bytes => Kind::Bytes,
        v0_1::Kind::Timestamp => Kind::Timestamp,
        v0_1::Kind::Json => Kind::Json,
    }
}

fn check_options(options: &[(String, String)]) -> Result<(), String> {
    at_most(options.len(), MAX_OPTIONS, "options")?;
    unique(options.iter().map(|(name, _)| name.as_str()), "option")?;
    for (name, value) in options {
        match (name.as_str(), value.as_str()) {
            ("deterministic", "true" | "false") => {}
            ("deterministic", _) => return Err("option deterministic must be \"true\" or \"false\"".to_owned()),
            _ => return Err(format!("option {:?} is unknown; known: deterministic", clean(name, SHOWN_BYTES))),
        }
    }
    Ok(())
}

fn at_most(count: usize, limit: usize, what: &str) -> Result<(), String> {
    if count > limit { Err(format!("{count} {what}, at most {limit} are allowed")) } else { Ok(()) }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("{what} {} twice", clean(name, SHOWN_BYTES)));
        }
    }
    Ok(())
}

/// Text that stands in one line of an error, a chart or a configuration.
fn label(text: &str, what: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
        let shown = clean(text, SHOWN_BYTES);
        return Err(format!("{what} ({shown}) must be at most {MAX_NAME_BYTES} bytes without control characters"));
    }
    Ok(())
}

/// A label that can be written in a configuration, as a column and as a series' field without quotes.
fn identifier(text: &str, what: &str) -> Result<(), String> {
    label(text, what)?;
    let starts = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if starts && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return Ok(());
    }
    let shown = clean(text, SHOWN_BYTES);
    Err(format!("{what} ({shown}) must begin with a letter or _ and go on with letters, digits, _, - and ."))
}

fn doc(text: &str, what: &str) -> Result<(), String> {
    if text.len() > MAX_DOC_BYTES {
        return Err(format!("the doc of {what} has {} bytes, at most {MAX_DOC_BYTES} are allowed", text.len()));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(format!("the doc of {what} has control characters"));
    }
    Ok(())
}
