//! Columns that come from the Kafka record itself: `@key`, `@headers.tenant`, `@offset`…

use wasmill_core::batch::{Column, Values};
use wasmill_core::decode_spec::{DecodeKind, Format};
use wasmill_core::records::{Record, Records};
use wasmill_core::schema::Kind;
use wasmill_core::time::MILLISECOND;

use crate::convert::{Absent, append_validity};
use crate::decoder::Mistyped;
use crate::text;
use wasmill_core::path::RecordField;

/// What is the same for a whole batch.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub topic: &'a str,
    pub partition: i32,
}

/// Up to 64 records, and in `dead` a bit for each that is refused or a tombstone and gets nulls.
#[derive(Clone, Copy)]
pub(crate) struct RecordBlock<'a> {
    pub records: &'a Records,
    pub block: &'a [Record],
    pub dead: u64,
    pub origin: Origin<'a>,
    pub field: usize,
    /// The row of the first record, for reports.
    pub row: u32,
}

/// The kinds that a record's field can be decoded as.
pub(crate) fn kinds(field: &RecordField, format: Format) -> &'static [DecodeKind] {
    const TEXT: &[DecodeKind] = &[DecodeKind::Kind(Kind::Text), DecodeKind::Scalar, DecodeKind::Kind(Kind::Bytes)];
    match field {
        RecordField::Key | RecordField::Header(_) | RecordField::Topic => TEXT,
        RecordField::Value if format == Format::Json => {
            &[DecodeKind::Kind(Kind::Json), DecodeKind::Kind(Kind::Text), DecodeKind::Kind(Kind::Bytes)]
        }
        RecordField::Value => TEXT,
        RecordField::Partition | RecordField::Offset => &[DecodeKind::Kind(Kind::Integer), DecodeKind::Scalar],
        RecordField::Timestamp => &[DecodeKind::Kind(Kind::Timestamp), DecodeKind::Kind(Kind::Integer)],
        RecordField::Time => &[],
    }
}

/// Appends one value a record to `column`.
pub(crate) fn append(
    field: &RecordField,
    kind: DecodeKind,
    block: RecordBlock<'_>,
    column: &mut Column,
    mistyped: &mut Vec<Mistyped>,
) {
    let rows_before = column.rows();
    let mut nulls = 0;
    for (at, record) in block.block.iter().enumerate() {
        let read = if block.dead >> at & 1 == 1 {
            Err(Absent::Null)
        } else {
            append_one(field, kind, &block, record, &mut column.values)
        };
        if let Err(absent) = read {
            append_nothing(&mut column.values);
            nulls |= 1 << at;
            if let Absent::Mistyped(note) = absent {
                mistyped.push(Mistyped { row: block.row + at as u32, field: block.field, found: note.to_owned() });
            }
        }
    }
    append_validity(&mut column.valid, rows_before, block.block.len(), nulls);
}

fn append_nothing(values: &mut Values) {
    match values {
        Values::Booleans(to) => to.push(0),
        Values::Integers(to) => to.push(0),
        Values::Floats(to) => to.push(0.0),
        Values::Texts(to) | Values::Blobs(to) => to.push(b""),
        Values::Lists { ends, elements } => ends.push(elements.rows() as u32),
    }
}

/// Appends the value, or nothing if there is none.
fn append_one(
    field: &RecordField,
    kind: DecodeKind,
    block: &RecordBlock<'_>,
    record: &Record,
    to: &mut Values,
) -> Result<(), Absent> {
    match field {
        RecordField::Partition => append_integer(i64::from(block.origin.partition), to),
        RecordField::Offset => append_integer(record.offset, to),
        RecordField::Timestamp if record.timestamp_ms < 0 => return Err(Absent::Null),
        RecordField::Timestamp if kind == DecodeKind::Kind(Kind::Timestamp) => {
            let nanos = record.timestamp_ms.checked_mul(MILLISECOND);
            append_integer(nanos.ok_or(Absent::Mistyped("a timestamp beyond the year 2261"))?, to);
        }
        RecordField::Timestamp => append_integer(record.timestamp_ms, to),
        RecordField::Topic => return append_bytes(Some(block.origin.topic.as_bytes()), to),
        RecordField::Key => return append_bytes(block.records.bytes(record.key), to),
        RecordField::Value => return append_bytes(block.records.bytes(record.value), to),
        RecordField::Header(name) => {
            let last = block.records.headers(record).filter(|(header, _)| header == name).last();
            return append_bytes(last.and_then(|(_, value)| value), to);
        }
        RecordField::Time => return Err(Absent::Null),
    }
    Ok(())
}

/// As a number, or as text where the column holds scalars.
fn append_integer(value: i64, to: &mut Values) {
    match to {
        Values::Integers(to) => to.push(value),
        Values::Texts(to) => to.push(value.to_string().as_bytes()),
        other => append_nothing(other),
    }
}

fn append_bytes(bytes: Option<&[u8]>, to: &mut Values) -> Result<(), Absent> {
    let bytes = bytes.ok_or(Absent::Null)?;
    match to {
        Values::Texts(_) if std::str::from_utf8(bytes).is_err() => Err(Absent::Mistyped("bytes that are not UTF-8")),
        Values::Texts(to) | Values::Blobs(to) => {
            text::push(&mut to.data, bytes, 0, bytes.len());
            to.ends.push(to.data.len() as u32);
            Ok(())
        }
        _ => Err(Absent::Null),
    }
}
