//! `#[derive(Row)]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DataEnum, DeriveInput, Error, Field, Fields, LitStr, Result, Variant};

use crate::syntax::{doc, name, named_fields, only_lifetime};

pub fn derive(input: &DeriveInput) -> Result<TokenStream> {
    only_lifetime(input)?;
    match &input.data {
        Data::Enum(data) => several_outputs(input, data),
        _ => one_output(input),
    }
}

/// What `#[row(..)]` says.
#[derive(Default)]
struct Options {
    role: Option<TokenStream>,
    unit: String,
    name: Option<String>,
}

impl Options {
    fn parse(attributes: &[Attribute], on_field: bool) -> Result<Self> {
        let mut options = Options::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("row")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    options.name = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if on_field && meta.path.is_ident("unit") {
                    options.unit = meta.value()?.parse::<LitStr>()?.value();
                } else if on_field && (meta.path.is_ident("tag") || meta.path.is_ident("time")) {
                    if options.role.is_some() {
                        return Err(meta.error("a field is a tag or the time, not both"));
                    }
                    let role = format_ident!("{}", if meta.path.is_ident("tag") { "Tag" } else { "Time" });
                    options.role = Some(quote!(#role));
                } else if on_field {
                    return Err(meta.error("known here: `tag`, `time`, `unit = \"..\"`, `name = \"..\"`"));
                } else {
                    return Err(meta.error("known here: `name = \"..\"`"));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

fn one_output(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input, "Row")?;
    let ident = &input.ident;
    let (generics, arguments, clause) = input.generics.split_for_impl();
    let described = fields.iter().map(|field| describe(field)).collect::<Result<Vec<_>>>()?;

    let mut columns = quote!(());
    let mut pattern = quote!(());
    let mut pushes = Vec::new();
    for (position, field) in fields.iter().enumerate().rev() {
        let (field_ident, _) = name(field);
        let ty = &field.ty;
        let column = format_ident!("column{position}");
        columns = quote_spanned!(ty.span()=> (<#ty as ::wasmill_sdk::IntoColumn>::Builder, #columns));
        pattern = quote!((#column, #pattern));
        pushes.push(quote_spanned!(ty.span()=>
            <#ty as ::wasmill_sdk::IntoColumn>::write(self.#field_ident, #column);));
    }
    Ok(quote! {
        impl #generics ::wasmill_sdk::Row for #ident #arguments #clause {
            type Tables = ::wasmill_sdk::internal::Table<#columns>;
            fn outputs() -> ::wasmill_sdk::internal::Vec<::wasmill_sdk::schema::Output> {
                ::std::vec![::wasmill_sdk::schema::Output::main(::std::vec![#(#described),*])]
            }
            #[inline(always)]
            fn push(self, table: &mut Self::Tables, origin: u32) {
                let #pattern = &mut table.columns;
                #(#pushes)*
                table.origins.push(origin);
            }
        }
    })
}

fn describe(field: &Field) -> Result<TokenStream> {
    let options = Options::parse(&field.attrs, true)?;
    let (_, field_name) = name(field);
    let field_name = options.name.unwrap_or(field_name);
    let role = options.role.unwrap_or_else(|| quote!(Field));
    let (unit, doc, ty) = (options.unit, doc(field), &field.ty);
    Ok(quote_spanned! {ty.span()=>
        ::wasmill_sdk::internal::output_field::<#ty>(#field_name, ::wasmill_sdk::schema::Role::#role, #unit, #doc)
    })
}

fn several_outputs(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let ident = &input.ident;
    if data.variants.is_empty() {
        return Err(Error::new(ident.span(), "an enum of rows needs a variant: each is an output"));
    }
    let (generics, arguments, clause) = input.generics.split_for_impl();
    let mut tables = quote!(());
    let mut outputs = Vec::new();
    let mut arms = Vec::new();
    for (position, variant) in data.variants.iter().enumerate() {
        let ty = row_of(variant)?;
        let output =
            Options::parse(&variant.attrs, false)?.name.unwrap_or_else(|| snake_case(&variant.ident.to_string()));
        outputs.push(quote_spanned!(ty.span()=> outputs.extend(
            <#ty as ::wasmill_sdk::Row>::outputs().into_iter().map(|output|
                ::wasmill_sdk::schema::Output { name: ::std::convert::Into::into(#output), ..output })); ));
        let variant_ident = &variant.ident;
        let seconds = std::iter::repeat_n(quote!(.1), position);
        arms.push(quote_spanned!(ty.span()=>
            Self::#variant_ident(row) => ::wasmill_sdk::Row::push(row, &mut tables #(#seconds)* .0, origin)));
    }
    for variant in data.variants.iter().rev() {
        let ty = row_of(variant)?;
        tables = quote_spanned!(ty.span()=> (<#ty as ::wasmill_sdk::Row>::Tables, #tables));
    }
    Ok(quote! {
        impl #generics ::wasmill_sdk::Row for #ident #arguments #clause {
            type Tables = #tables;
            fn outputs() -> ::wasmill_sdk::internal::Vec<::wasmill_sdk::schema::Output> {
                let mut outputs = ::wasmill_sdk::internal::Vec::new();
                #(#outputs)*
                outputs
            }
            #[inline(always)]
            fn push(self, tables: &mut Self::Tables, origin: u32) {
                match self { #(#arms,)* }
            }
        }
    })
}

/// The row type that a variant wraps.
fn row_of(variant: &Variant) -> Result<&syn::Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => Err(Error::new(variant.span(), "an output wraps one struct that derives `Row`: `Alerts(Alert<'a>)`")),
    }
}

/// `CartAlerts` is the output `cart_alerts`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (position, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
