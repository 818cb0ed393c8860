//! Core columns as the contract's parameters: borrowed slices, nothing per row (but for dictionaries, which the core does not keep).

use rustc_hash::FxHashMap;
use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::schema::Field;

use crate::v0_1;

/// A text column as codes into its distinct values.
struct Dictionary {
    codes: Vec<u32>,
    values: Strings,
}

/// What must live while a batch is being lowered: the dictionaries of the fields that ask for one.
pub(crate) struct Encoded {
    dictionaries: Vec<Option<Dictionary>>,
}

impl Encoded {
    /// `reads` stand in the order of `columns`.
    pub(crate) fn new(columns: &[&Column], reads: &[Field]) -> Self {
        if !reads.iter().any(|field| field.dictionary) {
            return Encoded { dictionaries: Vec::new() };
        }
        let dictionaries = columns.iter().zip(reads).map(|(column, field)| match &column.values {
            Values::Texts(texts) if field.dictionary => Some(encode(texts, column)),
            _ => None,
        });
        Encoded { dictionaries: dictionaries.collect() }
    }

    pub(crate) fn params<'a>(&'a self, columns: &[&'a Column]) -> Vec<v0_1::ColumnParam<'a>> {
        let mut params = Vec::with_capacity(columns.len());
        for (i, column) in columns.iter().enumerate() {
            match self.dictionaries.get(i) {
                Some(Some(dictionary)) => {
                    let dictionary =
                        v0_1::DictionaryParam { codes: &dictionary.codes, values: strings(&dictionary.values) };
                    let values = v0_1::ValuesParam::Dictionary(dictionary);
                    params.push(v0_1::ColumnParam { values, valid: &column.valid });
                }
                _ => push(&mut params, column),
            }
        }
        params
    }
}

/// Columns of no plugin's schema, such as keys.
pub(crate) fn params<'a>(columns: &[&'a Column]) -> Vec<v0_1::ColumnParam<'a>> {
    let mut params = Vec::with_capacity(columns.len());
    for column in columns {
        push(&mut params, column);
    }
    params
}

/// A list's elements follow it.
fn push<'a>(params: &mut Vec<v0_1::ColumnParam<'a>>, column: &'a Column) {
    let (values, elements) = match &column.values {
        Values::Booleans(values) => (v0_1::ValuesParam::Booleans(values), None),
        Values::Integers(values) => (v0_1::ValuesParam::Integers(values), None),
        Values::Floats(values) => (v0_1::ValuesParam::Floats(values), None),
        Values::Texts(values) => (v0_1::ValuesParam::Texts(strings(values)), None),
        Values::Blobs(values) => (v0_1::ValuesParam::Blobs(strings(values)), None),
        Values::Lists { ends, elements } => (v0_1::ValuesParam::Lists(ends), Some(elements)),
    };
    params.push(v0_1::ColumnParam { values, valid: &column.valid });
    if let Some(elements) = elements {
        push(params, elements);
    }
}

pub(crate) fn strings(strings: &Strings) -> v0_1::StringsParam<'_> {
    v0_1::StringsParam { ends: &strings.ends, data: &strings.data }
}

fn encode(texts: &Strings, column: &Column) -> Dictionary {
    let mut known: FxHashMap<&[u8], u32> = FxHashMap::default();
    let mut values = Strings::default();
    let codes = (0..texts.len()).map(|row| {
        if !column.is_valid(row) {
            return 0;
        }
        let text = texts.get(row);
        *known.entry(text).or_insert_with(|| {
            values.push(text);
            values.len() as u32 - 1
        })
    });
    let codes = codes.collect();
    Dictionary { codes, values }
}

/// Bytes that a column takes in the guest's memory, its elements included.
pub(crate) fn bytes(column: &Column) -> usize {
    let values = match &column.values {
        Values::Booleans(values) => values.len(),
        Values::Integers(values) => values.len() * size_of::<i64>(),
        Values::Floats(values) => values.len() * size_of::<f64>(),
        Values::Texts(values) | Values::Blobs(values) => values.ends.len() * size_of::<u32>() + values.data.len(),
        Values::Lists { ends, elements } => ends.len() * size_of::<u32>() + bytes(elements),
    };
    values + column.valid.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill_core::schema::Kind;

    #[test]
    fn a_field_that_asks_for_a_dictionary_gets_each_distinct_value_once() {
        let mut texts = Strings::default();
        for text in ["view", "click", "", "view", "view"] {
            texts.push(text.as_bytes());
        }
        let column = Column { values: Values::Texts(texts), valid: vec![1, 1, 0, 1, 1] };
        let field = Field {
            name: "event".into(),
            path: "event".into(),
            kind: Kind::Text,
            optional: true,
            repeated: false,
            dictionary: true,
        };
        let encoded = Encoded::new(&[&column], &[field]);
        let params = encoded.params(&[&column]);
        let v0_1::ValuesParam::Dictionary(dictionary) = &params[0].values else { panic!("{params:?}") };
        assert_eq!(dictionary.codes, [0, 1, 0, 0, 0], "the code of a null row is 0");
        assert_eq!(dictionary.values.data, b"viewclick");
        assert_eq!(params[0].valid, column.valid);
    }
}
