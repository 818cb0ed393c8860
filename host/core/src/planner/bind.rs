//! Where a value that somebody asks for comes from: an earlier step first, then the event.

use super::frame::{Frame, Scope, Written};
use crate::config::diagnostic::{did_you_mean, quoted};
use crate::config::{Diagnostic, Span, Spanned};
use crate::decode_spec::{DecodeField, DecodeKind, Format};
use crate::path::{Path, RecordField};
use crate::plan::{ColumnId, Read};
use crate::schema::{Field, Kind};

/// Binds one field of a plugin's `reads`; `span` is where the route names the plugin `reader`.
pub fn read(frame: &mut Frame, scope: &Scope, reader: &str, field: &Field, span: &Span) -> Result<Read, Diagnostic> {
    let bound = |column| Read { column, optional: field.optional, path: field.path.clone() };
    if let Some(written) = scope.find(&field.path) {
        return check_edge(written, reader, field, span).map(|()| bound(written.column));
    }
    let path = Path::parse(&field.path).map_err(|why| {
        Diagnostic::error(span, format!("plugin `{reader}` asks for `{}`, which is no path", field.path), why.rule())
            .help("mend the plugin, or the option of its `config` that names the field")
    })?;
    check_kind(&path, reader, field, span)?;
    if path == Path::Record(RecordField::Time) {
        return Ok(bound(frame.time()));
    }
    check_reachable(frame, scope, &format!("plugin `{reader}` reads"), &path, &field.path, span)?;
    let kind = if field.repeated { DecodeKind::Repeated(field.kind) } else { DecodeKind::Kind(field.kind) };
    Ok(bound(frame.decode(DecodeField { path: field.path.clone(), kind })))
}

fn check_edge(written: &Written, reader: &str, field: &Field, span: &Span) -> Result<(), Diagnostic> {
    if written.kind == field.kind && written.repeated == field.repeated {
        return Ok(());
    }
    let describe = |kind: Kind, repeated: bool| {
        if repeated { format!("list of {}", kind.name()) } else { kind.name().to_owned() }
    };
    let (reads, writes) = (describe(field.kind, field.repeated), describe(written.kind, written.repeated));
    let message = format!(
        "plugin `{reader}` reads `{}` as {reads}, but plugin `{}` writes it as {writes}",
        field.path, written.by
    );
    Err(Diagnostic::error(span, message, format!("expects {reads}"))
        .help(format!("change one of the two plugins, or let `{}` write it under another name", written.by)))
}

/// What the record offers has a kind of its own; a payload's value is of the kind that is asked for.
fn check_kind(path: &Path, reader: &str, field: &Field, span: &Span) -> Result<(), Diagnostic> {
    let natural = match path {
        Path::Record(RecordField::Topic) => Some(Kind::Text),
        Path::Record(RecordField::Partition | RecordField::Offset) => Some(Kind::Integer),
        Path::Record(RecordField::Timestamp | RecordField::Time) => Some(Kind::Timestamp),
        Path::Record(RecordField::Key | RecordField::Value | RecordField::Header(_)) | Path::Payload(_) => None,
    };
    let message = match natural {
        Some(kind) if kind != field.kind => {
            format!("plugin `{reader}` reads `{}` as {}, but it is {}", field.path, field.kind.name(), kind.name())
        }
        _ if field.repeated && !path.is_payload() => {
            format!("plugin `{reader}` reads `{}` as a list, but it is one value", field.path)
        }
        _ if !field.repeated && path.is_repeated() => {
            format!("plugin `{reader}` reads `{}` as one value, but it is a list", field.path)
        }
        _ => return Ok(()),
    };
    Err(Diagnostic::error(span, message, "of another kind").help("change the kind of the field in the plugin"))
}

/// A payload's fields are there as long as no plugin has written new rows, and only where the format has fields at all.
pub fn check_reachable(
    frame: &Frame,
    scope: &Scope,
    who: &str,
    path: &Path,
    text: &str,
    span: &Span,
) -> Result<(), Diagnostic> {
    if !path.is_payload() {
        return Ok(());
    }
    if let Some(cut_by) = &scope.cut_by {
        let names: Vec<&str> = scope.written.iter().map(|written| written.name.as_str()).collect();
        let message = format!("{who} `{text}`, but plugin `{cut_by}` writes new rows that do not have it");
        return Err(Diagnostic::error(span, message, "nobody provides this").help(did_you_mean(
            text,
            names.iter().copied(),
            &format!("`{cut_by}` writes"),
        )));
    }
    if frame.format != Format::Json {
        let message = format!("{who} `{text}`, but payloads of the source `{}` have no fields", frame.source);
        return Err(Diagnostic::error(span, message, "nobody provides this")
            .help("set `format = \"json\"` in the source, or let a plugin read `@value` and write the field"));
    }
    Ok(())
}

/// Binds a value that is compared or grouped by: what a plugin wrote, if its kind is one of `kinds`, or the event's as text.
/// The second result is the plugin that wrote it.
pub fn scalar(
    frame: &mut Frame,
    scope: &Scope,
    who: &str,
    path: &Spanned<String>,
    kinds: &[Kind],
) -> Result<(ColumnId, Option<Written>), Diagnostic> {
    if let Some(written) = scope.find(&path.value) {
        if kinds.contains(&written.kind) && !written.repeated {
            return Ok((written.column, Some(written.clone())));
        }
        let kind = if written.repeated { "a list".to_owned() } else { written.kind.name().to_owned() };
        let message = format!("{who} `{}`, which plugin `{}` writes as {kind}", path.value, written.by);
        let help = format!("it must be one of {}", quoted(kinds.iter().map(|kind| kind.name())));
        return Err(Diagnostic::error(&path.span, message, "of another kind").help(help));
    }
    let parsed =
        Path::parse(&path.value).map_err(|why| Diagnostic::error(&path.span, "not the path of a field", why.rule()))?;
    check_reachable(frame, scope, who, &parsed, &path.value, &path.span)?;
    Ok((frame.decode(DecodeField { path: path.value.clone(), kind: DecodeKind::Scalar }), None))
}
