//! `#[derive(Event)]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Field, LitStr, Result, parse_quote};

use crate::syntax::{name, named_fields, only_lifetime};

pub fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input, "Event")?;
    let own = only_lifetime(input)?;
    let batch: syn::Lifetime = own.clone().unwrap_or_else(|| parse_quote!('__batch));
    let ident = &input.ident;
    let arguments = own.map(|lifetime| quote!(<#lifetime>));

    let mut described = Vec::new();
    let mut readers = Vec::new();
    let mut bound = Vec::new();
    let mut read = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        let (field_ident, field_name) = name(field);
        let path = path(field)?.unwrap_or_else(|| field_name.clone());
        let ty = &field.ty;
        let index = syn::Index::from(position);
        let reader = format_ident!("reader{position}");
        described.push(quote_spanned!(ty.span()=> ::wasmill_sdk::internal::field::<#ty>(#field_name, #path)));
        readers.push(quote_spanned!(ty.span()=> <#ty as ::wasmill_sdk::FromColumn<#batch>>::Reader));
        bound.push((
            reader.clone(),
            quote_spanned!(ty.span()=> let #reader = <#ty as ::wasmill_sdk::FromColumn<#batch>>::reader(&mut cursor);),
        ));
        read.push(quote_spanned!(ty.span()=>
            #field_ident: <#ty as ::wasmill_sdk::FromColumn<#batch>>::read(&columns.#index, row)));
    }
    let (reader_names, bindings): (Vec<_>, Vec<_>) = bound.into_iter().unzip();
    Ok(quote! {
        impl<#batch> ::wasmill_sdk::Event<#batch> for #ident #arguments {
            type Columns = (#(#readers,)*);
            fn fields() -> ::wasmill_sdk::internal::Vec<::wasmill_sdk::schema::Field> {
                ::std::vec![#(#described),*]
            }
            fn bind(batch: &::wasmill_sdk::columns::Batch<#batch>) -> Self::Columns {
                #[allow(unused_mut, unused_variables)]
                let mut cursor = ::wasmill_sdk::internal::ColumnCursor::new(batch);
                #(#bindings)*
                (#(#reader_names,)*)
            }
            #[inline(always)]
            #[allow(unused_variables)]
            fn row(columns: &Self::Columns, row: usize) -> Self {
                Self { #(#read,)* }
            }
        }
    })
}

/// `#[event(path = "..")]`
fn path(field: &Field) -> Result<Option<String>> {
    let mut path = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("path") {
                return Err(meta.error("only `path = \"..\"` is known here"));
            }
            let text: LitStr = meta.value()?.parse()?;
            if text.value().is_empty() {
                return Err(syn::Error::new(text.span(), "a path names at least one key"));
            }
            path = Some(text.value());
            Ok(())
        })?;
    }
    Ok(path)
}
