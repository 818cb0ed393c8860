//! What a decoder is asked for, checked and resolved: each field's path split between the scanner and the record.

use wasmill_core::decode_spec::{DecodeField, DecodeKind, Format, TimeFormat};

use crate::lists::Tail;
use crate::record_fields;
use crate::time_format::TimeReader;
use wasmill_core::path::{Path, PathError, RecordField, Segment};

/// A request that no decoder can serve: which field, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("field `{path}`: {reason}")]
    Field { path: String, reason: String },
    #[error("{0}")]
    TimeFormat(String),
}

/// Whether times can be read by `format`; else what is wrong with it.
pub fn check_time_format(format: &TimeFormat) -> Result<(), SpecError> {
    TimeReader::new(format).map(|_| ()).map_err(SpecError::TimeFormat)
}

/// One field, resolved.
#[derive(Clone, Debug)]
pub(crate) struct FieldPlan {
    pub source: Source,
    pub kind: DecodeKind,
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Token `slot` of the scanner, then `tail` inside it.
    Payload {
        slot: usize,
        tail: Tail,
    },
    Record(RecordField),
}

/// Resolves `fields`. Also gives the names that lead to each slot of the scanner, each path once.
pub(crate) fn resolve(format: Format, fields: &[DecodeField]) -> Result<(Vec<FieldPlan>, Vec<Vec<String>>), SpecError> {
    let mut slots: Vec<Vec<String>> = Vec::new();
    let mut plans = Vec::with_capacity(fields.len());
    for field in fields {
        let refuse = |reason: String| Err(SpecError::Field { path: field.path.clone(), reason });
        let source = match Path::parse(&field.path)? {
            Path::Record(record) => {
                let kinds = record_fields::kinds(&record, format);
                if record == RecordField::Time {
                    return refuse("event time is not decoded; the task computes it".to_owned());
                }
                if !kinds.contains(&field.kind) {
                    let possible: Vec<_> = kinds.iter().map(|&kind| kind_name(kind)).collect();
                    return refuse(format!(
                        "it cannot be read as {}, only as {}",
                        kind_name(field.kind),
                        possible.join(", ")
                    ));
                }
                Source::Record(record)
            }
            Path::Payload(_) if format != Format::Json => {
                return refuse("payloads of this format have no members; read them whole by `@value`".to_owned());
            }
            Path::Payload(segments) => {
                let repeated = segments.contains(&Segment::Each);
                if repeated && !matches!(field.kind, DecodeKind::Repeated(_)) {
                    let reason =
                        format!("`[*]` gives many values; one {} needs an index, as in `[0]`", kind_name(field.kind));
                    return refuse(reason);
                }
                let (names, tail) = split(segments, matches!(field.kind, DecodeKind::Repeated(_)));
                let slot = slots.iter().position(|slot| *slot == names).unwrap_or_else(|| {
                    slots.push(names);
                    slots.len() - 1
                });
                Source::Payload { slot, tail }
            }
        };
        plans.push(FieldPlan { source, kind: field.kind });
    }
    Ok((plans, slots))
}

/// The leading names, and the rest.
fn split(segments: Vec<Segment>, repeated: bool) -> (Vec<String>, Tail) {
    let mut names = Vec::new();
    let mut rest = segments.into_iter().peekable();
    while let Some(Segment::Name(name)) = rest.next_if(|segment| matches!(segment, Segment::Name(_))) {
        names.push(name);
    }
    let mut before: Vec<Segment> = rest.collect();
    let each = match before.iter().position(|segment| *segment == Segment::Each) {
        Some(at) => {
            let each = before.split_off(at + 1);
            before.pop();
            Some(each)
        }
        None => repeated.then(Vec::new),
    };
    (names, Tail { before, each })
}

fn kind_name(kind: DecodeKind) -> String {
    match kind {
        DecodeKind::Kind(kind) => kind.name().to_owned(),
        DecodeKind::Repeated(kind) => format!("repeated {}", kind.name()),
        DecodeKind::Scalar => "scalar".to_owned(),
    }
}
