//! The derives of `wasmill-sdk`. What they write is small: the work is done by the SDK's traits, so that a type that cannot be
//! a column is the compiler's own error, at the field.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod event;
mod row;
mod state;
mod syntax;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

fn expand(input: TokenStream, derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// What a plugin reads: a struct with named fields. `#[event(path = "data.amount")]` says where a field comes from (its own name
/// if absent); `Option` makes it optional.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(input: TokenStream) -> TokenStream {
    expand(input, event::derive)
}

/// What a plugin writes: a struct with named fields, or an enum of such structs for several outputs. `#[row(tag)]`,
/// `#[row(time)]`, `#[row(unit = "USD")]`, `#[row(name = "..")]`; doc comments become the fields' docs; `Option` makes a field
/// nullable.
#[proc_macro_derive(Row, attributes(row))]
pub fn row(input: TokenStream) -> TokenStream {
    expand(input, row::derive)
}

/// An aggregator's state, stored with serde. `#[state(version = 2, from = RevenueV1)]` reads what an older version has written:
/// `RevenueV1` derives `State` too and converts by `From`.
#[proc_macro_derive(State, attributes(state))]
pub fn state(input: TokenStream) -> TokenStream {
    expand(input, state::derive)
}
