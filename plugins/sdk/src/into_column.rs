//! The types that a field of a row may have.

use std::borrow::Cow;

use crate::event::{Json, Timestamp};
use crate::row::{BlobBuilder, Builder, ListBuilder, NullableBuilder, TextBuilder};
use crate::schema::{Kind, OutputField, Role};

/// A type that a field of a row may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a row",
    label = "not a type that a column can hold",
    note = "rows write `&str`, `String`, `Cow<str>`, `f64`, `f32`, `i64`, `i32`, `u64`, `u32`, `bool`, `&[u8]`, `Timestamp`, `Json`, `Vec` of these, and `Option` of all"
)]
pub trait IntoColumn: Sized {
    const KIND: Kind;
    const OPTIONAL: bool = false;
    const REPEATED: bool = false;
    type Builder: Builder;
    fn write(self, builder: &mut Self::Builder);
    /// What a null row holds.
    fn write_empty(builder: &mut Self::Builder);
}

/// What the derive writes into [`Row::outputs`](crate::Row::outputs).
pub fn output_field<T: IntoColumn>(
    name: &'static str,
    role: Role,
    unit: &'static str,
    doc: &'static str,
) -> OutputField {
    OutputField {
        name: name.into(),
        kind: T::KIND,
        optional: T::OPTIONAL,
        repeated: T::REPEATED,
        role,
        unit: unit.into(),
        doc: doc.into(),
    }
}

macro_rules! write_number {
    ($type:ty, $kind:ident, $element:ty, $convert:expr) => {
        impl IntoColumn for $type {
            const KIND: Kind = Kind::$kind;
            type Builder = Vec<$element>;
            #[inline(always)]
            fn write(self, builder: &mut Self::Builder) {
                builder.push($convert(self));
            }
            fn write_empty(builder: &mut Self::Builder) {
                builder.push(Default::default());
            }
        }
    };
}

macro_rules! write_bytes {
    ($type:ty, $kind:ident, $builder:ty, $value:ident => $bytes:expr) => {
        impl IntoColumn for $type {
            const KIND: Kind = Kind::$kind;
            type Builder = $builder;
            #[inline(always)]
            fn write(self, builder: &mut Self::Builder) {
                let $value = self;
                builder.0.push($bytes);
            }
            fn write_empty(builder: &mut Self::Builder) {
                builder.0.push(b"");
            }
        }
    };
}

write_number!(f64, Float, f64, std::convert::identity);
write_number!(f32, Float, f64, f64::from);
write_number!(i64, Integer, i64, std::convert::identity);
write_number!(i32, Integer, i64, i64::from);
write_number!(u32, Integer, i64, i64::from);
// The contract's integers are signed: what lies above them saturates.
write_number!(u64, Integer, i64, |value: u64| i64::try_from(value).unwrap_or(i64::MAX));
write_number!(usize, Integer, i64, |value: usize| i64::try_from(value).unwrap_or(i64::MAX));
write_number!(bool, Boolean, u8, u8::from);
write_number!(Timestamp, Timestamp, i64, |value: Timestamp| value.0);
write_bytes!(&str, Text, TextBuilder, value => value.as_bytes());
write_bytes!(String, Text, TextBuilder, value => value.as_bytes());
write_bytes!(Cow<'_, str>, Text, TextBuilder, value => value.as_bytes());
write_bytes!(Json<'_>, Json, TextBuilder, value => value.0.as_bytes());
write_bytes!(&[u8], Bytes, BlobBuilder, value => value);

impl<T: IntoColumn> IntoColumn for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
    const REPEATED: bool = T::REPEATED;
    type Builder = NullableBuilder<T::Builder>;
    #[inline(always)]
    fn write(self, builder: &mut Self::Builder) {
        builder.valid.push(u8::from(self.is_some()));
        match self {
            Some(value) => value.write(&mut builder.inner),
            None => T::write_empty(&mut builder.inner),
        }
    }
    fn write_empty(builder: &mut Self::Builder) {
        builder.valid.push(0);
        T::write_empty(&mut builder.inner);
    }
}

impl<T: IntoColumn> IntoColumn for Vec<T> {
    const KIND: Kind = T::KIND;
    const REPEATED: bool = true;
    type Builder = ListBuilder<T::Builder>;
    fn write(self, builder: &mut Self::Builder) {
        const { assert!(!T::REPEATED, "a list of lists is `Json`") };
        builder.length += self.len() as u32;
        for element in self {
            element.write(&mut builder.elements);
        }
        builder.ends.push(builder.length);
    }
    fn write_empty(builder: &mut Self::Builder) {
        builder.ends.push(builder.length);
    }
}
