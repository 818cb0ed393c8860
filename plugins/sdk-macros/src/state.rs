//! `#[derive(State)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, LitInt, Result, Type};

pub fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "a state owns what it holds: no lifetimes, no type parameters"));
    }
    let (version, from) = options(input)?;
    let older = from.as_ref().map(|older| {
        quote_spanned! {older.span()=>
            const _: () = assert!(
                <#older as ::wasmill_sdk::State>::VERSION < <#ident as ::wasmill_sdk::State>::VERSION,
                "`from` must be of a lower version"
            );
        }
    });
    let restores = from
        .as_ref()
        .map(|older| quote_spanned!(older.span()=> versions.extend(<#older as ::wasmill_sdk::State>::restores());));
    let decode = match &from {
        Some(older) => quote_spanned!(older.span()=>
            <#older as ::wasmill_sdk::State>::decode(version, bytes).map(<Self as ::std::convert::From<#older>>::from)),
        None => quote!(::std::result::Result::Err(::std::format!(
            "a state of version {version} is not known here, only {}",
            <Self as ::wasmill_sdk::State>::VERSION
        ))),
    };
    Ok(quote! {
        impl ::wasmill_sdk::State for #ident {
            const VERSION: u32 = #version;
            fn restores() -> ::wasmill_sdk::internal::Vec<u32> {
                #[allow(unused_mut)]
                let mut versions = ::std::vec![Self::VERSION];
                #restores
                versions
            }
            fn encode(
                &self,
                to: ::wasmill_sdk::internal::Vec<u8>,
            ) -> ::std::result::Result<::wasmill_sdk::internal::Vec<u8>, ::std::string::String> {
                ::wasmill_sdk::internal::encode(self, to)
            }
            fn decode(version: u32, bytes: &[u8]) -> ::std::result::Result<Self, ::std::string::String> {
                if version == Self::VERSION { ::wasmill_sdk::internal::decode(version, bytes) } else { #decode }
            }
        }
        #older
    })
}

/// `#[state(version = 2, from = RevenueV1)]`
fn options(input: &DeriveInput) -> Result<(u32, Option<Type>)> {
    let (mut version, mut from) = (1, None);
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("state")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("version") {
                let number: LitInt = meta.value()?.parse()?;
                version = number.base10_parse()?;
                if version == 0 {
                    return Err(Error::new(number.span(), "versions begin at 1"));
                }
            } else if meta.path.is_ident("from") {
                from = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error("known here: `version = 2`, `from = OlderState`"));
            }
            Ok(())
        })?;
    }
    Ok((version, from))
}
