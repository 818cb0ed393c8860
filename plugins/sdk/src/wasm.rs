//! Between the component's bindings and the instances: borrow what came in, hand over what goes out, copy nothing.

use crate::columns::{Batch as BorrowedBatch, Column as BorrowedColumn, OwnedColumn, OwnedStrings, OwnedValues, Texts};
use crate::columns::{Strings as BorrowedStrings, Values as BorrowedValues};
use crate::schema;

// One module a world; the second takes the first one's types, so that each exists once.
pub mod transformer {
    wit_bindgen::generate!({
        world: "transformer",
        path: "../../wit/v0.1",
        pub_export_macro: true,
        default_bindings_module: "wasmill_sdk::wasm::transformer",
        export_macro_name: "export_transformer",
        runtime_path: "::wasmill_sdk::wasm::wit_bindgen::rt",
    });
}
pub mod aggregator {
    wit_bindgen::generate!({
        world: "aggregator",
        path: "../../wit/v0.1",
        pub_export_macro: true,
        default_bindings_module: "wasmill_sdk::wasm::aggregator",
        export_macro_name: "export_aggregator",
        runtime_path: "::wasmill_sdk::wasm::wit_bindgen::rt",
        with: {
            "wasmill:plugin/types@0.1.0": crate::wasm::transformer::wasmill::plugin::types,
            "wasmill:plugin/log@0.1.0": crate::wasm::transformer::wasmill::plugin::log,
            "wasmill:plugin/metrics@0.1.0": crate::wasm::transformer::wasmill::plugin::metrics,
        },
    });
}
pub use aggregator::export_aggregator;
pub use aggregator::exports::wasmill::plugin::aggregate::{Firing, Guest as AggregateGuest};
pub use aggregator::exports::wasmill::plugin::state::{Guest as StateGuest, StateVersions};
pub use transformer::export_transformer;
pub use transformer::exports::wasmill::plugin::transform::Guest as TransformGuest;
pub use transformer::wasmill::plugin::types::{Batch, Column, Strings, Window};
use transformer::wasmill::plugin::{log as host_log, metrics as host_metrics, types};
pub use wit_bindgen;

pub type Configured = Result<types::Descriptor, String>;
pub type Answer = Result<types::Results, String>;
pub type Rejects = Result<Vec<types::Reject>, String>;

pub fn log(level: crate::log::Level, message: &str) {
    let level = match level {
        crate::log::Level::Trace => host_log::Level::Trace,
        crate::log::Level::Debug => host_log::Level::Debug,
        crate::log::Level::Info => host_log::Level::Info,
        crate::log::Level::Warn => host_log::Level::Warn,
        crate::log::Level::Error => host_log::Level::Error,
    };
    host_log::log(level, message);
}

pub fn count(name: &str, add: u64) {
    host_metrics::count(name, add);
}

pub fn gauge(name: &str, value: f64) {
    host_metrics::gauge(name, value);
}

/// Ends `configure`: a second one would mix two configurations. A panic's words would be lost in the trap, so they go to the
/// log first.
pub fn configured(first: bool, descriptor: schema::Descriptor) -> Configured {
    if !first {
        return Err("configure was called twice on one instance".to_owned());
    }
    std::panic::set_hook(Box::new(|panic| log(crate::log::Level::Error, &panic.to_string())));
    Ok(lower_descriptor(descriptor))
}

#[cold]
pub fn not_configured() -> String {
    "the plugin was called before configure".to_owned()
}

pub fn with_batch<R>(batch: &Batch, call: impl FnOnce(&BorrowedBatch<'_>) -> Result<R, String>) -> Result<R, String> {
    with_columns(&batch.columns, |columns| call(&BorrowedBatch { rows: batch.rows, columns }))
}

pub fn with_columns<R>(
    columns: &[Column],
    call: impl FnOnce(&[BorrowedColumn<'_>]) -> Result<R, String>,
) -> Result<R, String> {
    call(&columns.iter().map(lift_column).collect::<Result<Vec<_>, _>>()?)
}

fn lift_column(column: &Column) -> Result<BorrowedColumn<'_>, String> {
    let values = match &column.values {
        types::Values::Booleans(values) => BorrowedValues::Booleans(values),
        types::Values::Integers(values) => BorrowedValues::Integers(values),
        types::Values::Floats(values) => BorrowedValues::Floats(values),
        // SAFETY: the contract says that the host has checked texts and their ends.
        types::Values::Texts(values) => BorrowedValues::Texts(unsafe { Texts::trusted(lift_strings(values)) }),
        types::Values::Blobs(values) => BorrowedValues::Blobs(lift_strings(values)),
        types::Values::Lists(ends) => BorrowedValues::Lists(ends),
        types::Values::Dictionary(_) => return Err("the host sent a dictionary that was not asked for".to_owned()),
    };
    Ok(BorrowedColumn { values, valid: &column.valid })
}

pub fn lift_strings(strings: &Strings) -> BorrowedStrings<'_> {
    BorrowedStrings { ends: &strings.ends, data: &strings.data }
}

pub fn lift_windows(windows: &[Window]) -> Vec<crate::Window> {
    windows.iter().map(|window| crate::Window { start: window.start, end: window.end }).collect()
}

pub fn lift_firing(firing: Firing) -> crate::Firing {
    match firing {
        Firing::Early => crate::Firing::Early,
        Firing::OnTime => crate::Firing::OnTime,
        Firing::Late => crate::Firing::Late,
    }
}

pub fn lower(results: crate::Results) -> types::Results {
    let emitted = |rows: crate::Emitted| types::Emitted {
        count: rows.count,
        origins: rows.origins,
        columns: rows.columns.into_iter().map(lower_column).collect(),
    };
    types::Results {
        outputs: results.outputs.into_iter().map(emitted).collect(),
        rejects: lower_rejects(results.rejects),
    }
}

pub fn lower_rejects(rejects: Vec<crate::Rejected>) -> Vec<types::Reject> {
    rejects.into_iter().map(|reject| types::Reject { row: reject.row, reason: reject.reason }).collect()
}

fn lower_column(column: OwnedColumn) -> Column {
    let values = match column.values {
        OwnedValues::Booleans(values) => types::Values::Booleans(values),
        OwnedValues::Integers(values) => types::Values::Integers(values),
        OwnedValues::Floats(values) => types::Values::Floats(values),
        OwnedValues::Texts(values) => types::Values::Texts(lower_strings(values)),
        OwnedValues::Blobs(values) => types::Values::Blobs(lower_strings(values)),
        OwnedValues::Lists(ends) => types::Values::Lists(ends),
    };
    Column { values, valid: column.valid }
}

pub fn lower_strings(strings: OwnedStrings) -> Strings {
    Strings { ends: strings.ends, data: strings.data }
}

fn lower_descriptor(descriptor: schema::Descriptor) -> types::Descriptor {
    types::Descriptor {
        name: descriptor.name,
        version: descriptor.version,
        doc: descriptor.doc,
        reads: descriptor.reads.into_iter().map(lower_field).collect(),
        outputs: descriptor.outputs.into_iter().map(lower_output).collect(),
        options: Vec::new(),
    }
}

fn lower_field(field: schema::Field) -> types::Field {
    types::Field {
        name: field.name.into_owned(),
        path: field.path.into_owned(),
        kind: lower_kind(field.kind),
        optional: field.optional,
        repeated: field.repeated,
        dictionary: false,
    }
}

fn lower_output(output: schema::Output) -> types::Output {
    let field = |field: schema::OutputField| types::OutputField {
        name: field.name.into_owned(),
        kind: lower_kind(field.kind),
        optional: field.optional,
        repeated: field.repeated,
        role: match field.role {
            schema::Role::Field => types::Role::Field,
            schema::Role::Tag => types::Role::Tag,
            schema::Role::Time => types::Role::Time,
        },
        unit: field.unit.into_owned(),
        doc: field.doc.into_owned(),
    };
    types::Output {
        name: output.name.into_owned(),
        fields: output.fields.into_iter().map(field).collect(),
        extends: output.extends,
    }
}

fn lower_kind(kind: schema::Kind) -> types::Kind {
    match kind {
        schema::Kind::Boolean => types::Kind::Boolean,
        schema::Kind::Integer => types::Kind::Integer,
        schema::Kind::Float => types::Kind::Float,
        schema::Kind::Text => types::Kind::Text,
        schema::Kind::Bytes => types::Kind::Bytes,
        schema::Kind::Timestamp => types::Kind::Timestamp,
        schema::Kind::Json => types::Kind::Json,
    }
}
