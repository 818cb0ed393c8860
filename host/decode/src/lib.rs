//! Payloads to columns: each event is decoded once, natively, and only the fields that a source's routes ask for.
//!
//! [`Decoder`] takes the records of a batch and fills one [`Column`](wasmill_core::batch::Column) a field. Work is done in two passes
//! over blocks of 64 rows: `locate` finds where the value of each path lies (a *token*), `convert` turns tokens into columns.
//! Locating has three tiers with one answer: shapes seen before (`template`), a strict scanner that learns shapes (`scan`), and
//! serde_json for all that is unusual (`slow`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod convert;
mod decoder;
mod lists;
mod locate;
mod number;
mod projection;
mod record_fields;
mod scan;
mod slow;
mod spec;
mod syntax;
mod template;
mod text;
mod time_format;
mod token;
mod values;
mod wide;

pub use decoder::{Decoded, Decoder, Mistyped, Refused};
pub use locate::Tiers;
pub use slow::{MAX_DEPTH, MAX_PAYLOAD_BYTES};
pub use spec::{SpecError, check_time_format};
pub use time_format::{AUTO_MICROSECONDS_FROM, AUTO_MILLISECONDS_FROM, AUTO_NANOSECONDS_FROM};
