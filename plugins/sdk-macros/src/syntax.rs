//! What the derives share: fields, docs and generics of the input.

use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, GenericParam, Ident, Lit, Meta, Result};

/// The fields of a struct with named fields.
pub fn named_fields<'i>(input: &'i DeriveInput, derive: &str) -> Result<Vec<&'i Field>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields.named.iter().collect()),
            Fields::Unit => Ok(Vec::new()),
            Fields::Unnamed(fields) => {
                Err(Error::new(fields.span(), format!("`{derive}` needs fields with names: they name the columns")))
            }
        },
        Data::Enum(data) => Err(Error::new(data.enum_token.span, format!("`{derive}` is derived for structs"))),
        Data::Union(data) => Err(Error::new(data.union_token.span, format!("`{derive}` is derived for structs"))),
    }
}

/// The name of a field: `r#type` is the column `type`.
pub fn name(field: &Field) -> (&Ident, String) {
    match &field.ident {
        Some(ident) => (ident, ident.to_string().trim_start_matches("r#").to_owned()),
        None => unreachable!("named_fields gives only fields with names"),
    }
}

/// The one lifetime that a row or an event may borrow for.
pub fn only_lifetime(input: &DeriveInput) -> Result<Option<syn::Lifetime>> {
    let mut lifetime = None;
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if lifetime.is_none() => lifetime = Some(parameter.lifetime.clone()),
            other => return Err(Error::new(other.span(), "only one lifetime, the batch's, and no types are allowed")),
        }
    }
    Ok(lifetime)
}

/// The doc comment on a field, its lines joined.
pub fn doc(field: &Field) -> String {
    let line = |attribute: &syn::Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    };
    field.attrs.iter().filter_map(line).collect::<Vec<_>>().join(" ")
}
