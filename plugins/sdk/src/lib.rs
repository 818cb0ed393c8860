//! Write Wasmill plugins in Rust: rows with names instead of columns, tested natively, compiled to WebAssembly by plain Cargo.
//!
//! The guide with a first plugin step by step is `plugins/README.md`. A plugin is a type that implements [`Transformer`] or
//! [`Aggregator`] and one line that exports it, [`transformer!`] or [`aggregator!`].
//!
//! The same code runs on every target: [`TransformerInstance`] and [`AggregatorInstance`] work on borrowed columns, whether a
//! component's exports call them, a test or a native host.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

// The derives name this crate by its own name, here as everywhere.
extern crate self as wasmill_sdk;

mod aggregator;
pub mod columns;
pub mod config;
mod dynamic;
mod event;
mod into_column;
pub mod log;
pub mod metrics;
mod options;
mod reject;
mod row;
pub mod schema;
mod state;
mod transformer;

#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm;

pub use aggregator::{Aggregator, AggregatorInstance, Emission, Firing, Window};
pub use dynamic::{Cell, Cells, Dynamic};
pub use event::{Event, FromColumn, Json, List, Timestamp};
pub use into_column::IntoColumn;
pub use options::{Missing, Scalars};
pub use reject::{Reject, Rejected, Results};
pub use row::{Emitted, Keep, Out, Row};
pub use state::State;
pub use transformer::{Transformer, TransformerInstance};
pub use wasmill_sdk_macros::{Event, Row, State};

/// All that a plugin needs: `use wasmill_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::schema::{Field, Kind, Output, OutputField};
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::testing;
    pub use crate::{
        Aggregator, Cell, Cells, Dynamic, Emission, Event, Firing, Json, Keep, List, Missing, Out, Reject, Row,
        Scalars, State, Timestamp, Transformer, Window, log, metrics,
    };
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{self, json};
}

/// What the derives and macros write; not for authors.
#[doc(hidden)]
pub mod internal {
    pub use crate::dynamic::CellBuilder;
    pub use crate::event::{ColumnCursor, field};
    pub use crate::into_column::output_field;
    pub use crate::row::Table;
    pub use crate::state::{decode, encode};
    pub use std::vec::Vec;
}

/// Who the crate being compiled is, from its Cargo.toml.
#[doc(hidden)]
#[macro_export]
macro_rules! about {
    () => {
        $crate::schema::About {
            name: env!("CARGO_CRATE_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            doc: env!("CARGO_PKG_DESCRIPTION"),
        }
    };
}

/// Exports a [`Transformer`] as this crate's plugin. Its name, version and doc are the crate's.
#[macro_export]
macro_rules! transformer {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: ::std::cell::OnceCell<$crate::TransformerInstance<$plugin>> =
                    const { ::std::cell::OnceCell::new() };
            }
            struct Export;
            impl $crate::wasm::TransformGuest for Export {
                fn configure(config: ::std::string::String) -> $crate::wasm::Configured {
                    let (instance, descriptor) = $crate::TransformerInstance::new(&config, $crate::about!())?;
                    $crate::wasm::configured(INSTANCE.with(|cell| cell.set(instance).is_ok()), descriptor)
                }
                fn transform(input: $crate::wasm::Batch) -> $crate::wasm::Answer {
                    $crate::wasm::with_batch(&input, |batch| {
                        INSTANCE.with(|cell| match cell.get() {
                            Some(instance) => Ok($crate::wasm::lower(instance.transform(batch))),
                            None => Err($crate::wasm::not_configured()),
                        })
                    })
                }
            }
    $crate::wasm::export_transformer!(Export with_types_in $crate::wasm::transformer);
        };
    };
}

/// Exports an [`Aggregator`] as this crate's plugin. Its name, version and doc are the crate's.
#[macro_export]
macro_rules! aggregator {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: ::std::cell::RefCell<Option<$crate::AggregatorInstance<$plugin>>> =
                    const { ::std::cell::RefCell::new(None) };
            }
            fn with<R>(
                call: impl FnOnce(&mut $crate::AggregatorInstance<$plugin>) -> Result<R, ::std::string::String>,
            ) -> Result<R, ::std::string::String> {
                INSTANCE.with_borrow_mut(|instance| match instance {
                    Some(instance) => call(instance),
                    None => Err($crate::wasm::not_configured()),
                })
            }
            struct Export;
            impl $crate::wasm::AggregateGuest for Export {
                fn configure(config: ::std::string::String) -> $crate::wasm::Configured {
                    let (instance, descriptor) = $crate::AggregatorInstance::new(&config, $crate::about!())?;
                    let first = INSTANCE.with_borrow_mut(|cell| cell.replace(instance).is_none());
                    $crate::wasm::configured(first, descriptor)
                }
                fn accumulate(
                    input: $crate::wasm::Batch,
                    rows: ::std::vec::Vec<u32>,
                    slots: ::std::vec::Vec<u32>,
                ) -> $crate::wasm::Rejects {
                    $crate::wasm::with_batch(&input, |batch| {
                        with(|instance| Ok($crate::wasm::lower_rejects(instance.accumulate(batch, &rows, &slots))))
                    })
                }
                fn merge(into: ::std::vec::Vec<u32>, other: ::std::vec::Vec<u32>) -> Result<(), ::std::string::String> {
                    with(|instance| Ok(instance.merge(&into, &other)))
                }
                fn emit(
                    slots: ::std::vec::Vec<u32>,
                    windows: ::std::vec::Vec<$crate::wasm::Window>,
                    keys: ::std::vec::Vec<$crate::wasm::Column>,
                    firing: $crate::wasm::Firing,
                ) -> $crate::wasm::Answer {
                    let windows = $crate::wasm::lift_windows(&windows);
                    $crate::wasm::with_columns(&keys, |keys| {
                        with(|instance| {
                            let firing = $crate::wasm::lift_firing(firing);
                            Ok($crate::wasm::lower(instance.emit(&slots, &windows, keys, firing)))
                        })
                    })
                }
            }
            impl $crate::wasm::StateGuest for Export {
                fn versions() -> $crate::wasm::StateVersions {
                    $crate::wasm::StateVersions {
                        writes: <$plugin as $crate::State>::VERSION,
                        restores: <$plugin as $crate::State>::restores(),
                    }
                }
                fn snapshot(slots: ::std::vec::Vec<u32>) -> Result<$crate::wasm::Strings, ::std::string::String> {
                    with(|instance| instance.snapshot(&slots).map($crate::wasm::lower_strings))
                }
                fn restore(
                    slots: ::std::vec::Vec<u32>,
                    version: u32,
                    states: $crate::wasm::Strings,
                ) -> Result<(), ::std::string::String> {
                    with(|instance| instance.restore(&slots, version, $crate::wasm::lift_strings(&states)))
                }
                fn forget(slots: ::std::vec::Vec<u32>) {
                    // Nothing was kept if nothing was configured.
                    let _ = with(|instance| Ok(instance.forget(&slots)));
                }
            }
    $crate::wasm::export_aggregator!(Export with_types_in $crate::wasm::aggregator);
        };
    };
}

/// The guide's examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Guide;
