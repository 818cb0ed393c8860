//! Reading: from columns to rows with names.

use crate::columns::{Batch, Column, Strings, Texts, Values};
use crate::schema::{Field, Kind};

/// One row as the author sees it; `'a` is the batch. Derive it.
pub trait Event<'a>: Sized {
    /// The batch's columns, bound once a batch.
    type Columns: 'a;
    /// In the order of the columns. Empty for events whose fields the plugin takes from its configuration.
    fn fields() -> Vec<Field>;
    fn bind(batch: &Batch<'a>) -> Self::Columns;
    fn row(columns: &Self::Columns, row: usize) -> Self;
}

/// For plugins that read nothing, like a count: no column crosses.
impl<'a> Event<'a> for () {
    type Columns = ();
    fn fields() -> Vec<Field> {
        Vec::new()
    }
    #[inline(always)]
    fn bind(_: &Batch<'a>) {}
    #[inline(always)]
    fn row(_: &(), _: usize) {}
}

/// Hands out a batch's columns in order.
pub struct ColumnCursor<'a> {
    columns: std::slice::Iter<'a, Column<'a>>,
}

impl<'a> ColumnCursor<'a> {
    pub fn new(batch: &Batch<'a>) -> Self {
        ColumnCursor { columns: batch.columns.iter() }
    }

    fn next(&mut self) -> &'a Column<'a> {
        match self.columns.next() {
            Some(column) => column,
            None => panic!("the host sent fewer columns than the descriptor reads"),
        }
    }
}

/// A type that a field of an event may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an event",
    label = "not a type that a column can be read as",
    note = "events read `&str`, `String`, `f64`, `i64`, `bool`, `&[u8]`, `Timestamp`, `Json`, `List<T>` of these, and `Option` of all"
)]
pub trait FromColumn<'a>: Sized {
    const KIND: Kind;
    const OPTIONAL: bool = false;
    const REPEATED: bool = false;
    type Reader: 'a;
    fn reader(columns: &mut ColumnCursor<'a>) -> Self::Reader;
    fn read(reader: &Self::Reader, row: usize) -> Self;
}

/// What the derive writes into [`Event::fields`].
pub fn field<'a, T: FromColumn<'a>>(name: &'static str, path: &'static str) -> Field {
    Field { name: name.into(), path: path.into(), kind: T::KIND, optional: T::OPTIONAL, repeated: T::REPEATED }
}

#[cold]
fn wrong_layout(wanted: Kind) -> ! {
    panic!("the host sent a column in another layout than {}", wanted.name())
}

macro_rules! read_slice {
    ($type:ty, $kind:ident, $layout:ident, $element:ty, $read:expr) => {
        impl<'a> FromColumn<'a> for $type {
            const KIND: Kind = Kind::$kind;
            type Reader = &'a [$element];
            fn reader(columns: &mut ColumnCursor<'a>) -> Self::Reader {
                match columns.next().values {
                    Values::$layout(values) => values,
                    _ => wrong_layout(Self::KIND),
                }
            }
            #[inline(always)]
            fn read(reader: &Self::Reader, row: usize) -> Self {
                $read(reader[row])
            }
        }
    };
}

macro_rules! read_text {
    ($type:ty, $kind:ident, $read:expr) => {
        impl<'a> FromColumn<'a> for $type {
            const KIND: Kind = Kind::$kind;
            type Reader = Texts<'a>;
            fn reader(columns: &mut ColumnCursor<'a>) -> Self::Reader {
                match columns.next().values {
                    Values::Texts(values) => values,
                    _ => wrong_layout(Self::KIND),
                }
            }
            #[inline(always)]
            fn read(reader: &Self::Reader, row: usize) -> Self {
                $read(reader.get(row))
            }
        }
    };
}

/// A moment: nanoseconds since 1970-01-01 UTC. `@time` is the event's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Timestamp(pub i64);

/// A subtree of the event as JSON text: tags, `properties`, arrays of objects and whatever else has no fixed shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a>(pub &'a str);

impl<'a> Json<'a> {
    pub fn parse<T: serde::Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0)
    }
}

read_slice!(f64, Float, Floats, f64, std::convert::identity);
read_slice!(i64, Integer, Integers, i64, std::convert::identity);
read_slice!(Timestamp, Timestamp, Integers, i64, Timestamp);
read_slice!(bool, Boolean, Booleans, u8, |value| value != 0);
read_text!(&'a str, Text, std::convert::identity);
read_text!(String, Text, str::to_owned);
read_text!(Json<'a>, Json, Json);

impl<'a> FromColumn<'a> for &'a [u8] {
    const KIND: Kind = Kind::Bytes;
    type Reader = Strings<'a>;
    fn reader(columns: &mut ColumnCursor<'a>) -> Self::Reader {
        match columns.next().values {
            Values::Blobs(values) => values,
            _ => wrong_layout(Self::KIND),
        }
    }
    #[inline(always)]
    fn read(reader: &Self::Reader, row: usize) -> Self {
        reader.get(row)
    }
}

impl<'a, T: FromColumn<'a>> FromColumn<'a> for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
    const REPEATED: bool = T::REPEATED;
    type Reader = (&'a [u8], T::Reader);
    fn reader(columns: &mut ColumnCursor<'a>) -> Self::Reader {
        let valid = columns.columns.as_slice().first().map_or(&[][..], |column| column.valid);
        (valid, T::reader(columns))
    }
    #[inline(always)]
    fn read((valid, reader): &Self::Reader, row: usize) -> Self {
        (valid.is_empty() || valid[row] != 0).then(|| T::read(reader, row))
    }
}

/// An array of scalars. Iterate it, or [`get`](List::get) an element.
pub struct List<'a, T: FromColumn<'a>> {
    elements: std::rc::Rc<T::Reader>,
    range: std::ops::Range<usize>,
}

impl<'a, T: FromColumn<'a>> List<'a, T> {
    pub fn len(&self) -> usize {
        self.range.len()
    }

    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<T> {
        (index < self.len()).then(|| T::read(&self.elements, self.range.start + index))
    }

    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.range.clone().map(|element| T::read(&self.elements, element))
    }
}

impl<'a, T: FromColumn<'a>> FromColumn<'a> for List<'a, T> {
    const KIND: Kind = T::KIND;
    const REPEATED: bool = true;
    type Reader = (&'a [u32], std::rc::Rc<T::Reader>);
    fn reader(columns: &mut ColumnCursor<'a>) -> Self::Reader {
        match columns.next().values {
            Values::Lists(ends) => {
                const { assert!(!T::REPEATED, "a list of lists is `Json`") };
                (ends, std::rc::Rc::new(T::reader(columns)))
            }
            _ => panic!("the host sent a scalar column for a repeated field"),
        }
    }
    #[inline(always)]
    fn read((ends, elements): &Self::Reader, row: usize) -> Self {
        let start = if row == 0 { 0 } else { ends[row - 1] as usize };
        List { elements: elements.clone(), range: start..ends[row] as usize }
    }
}
