//! What a guest's memory holds when it answers: records of the canonical ABI, byte for byte, right or wrong.

/// Where the first record lies.
pub const BASE: u32 = 4096;

/// A list or a text: where it lies and how long it says to be.
pub type Span = (u32, u32);

/// The start of a guest's memory.
#[derive(Default)]
pub struct Image {
    bytes: Vec<u8>,
}

impl Image {
    /// Places bytes on a boundary of 8 and says where.
    pub fn put(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = BASE + self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        at
    }

    pub fn text(&mut self, text: &str) -> Span {
        (self.put(text.as_bytes()), text.len() as u32)
    }

    pub fn numbers(&mut self, numbers: &[u32]) -> Span {
        (self.put(&words(numbers)), numbers.len() as u32)
    }

    /// A list of records of the same size.
    pub fn records(&mut self, records: &[Vec<u8>]) -> Span {
        (self.put(&records.concat()), records.len() as u32)
    }

    /// As text in a data segment.
    pub fn escaped(&self) -> String {
        self.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
    }
}

pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub fn span(span: Span) -> Vec<u8> {
    words(&[span.0, span.1])
}

/// A `result` that is `ok`, with its payload.
pub fn ok(payload: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0], payload].concat()
}

/// A `result` that is `err`, with a text.
pub fn err(text: Span) -> Vec<u8> {
    [vec![1, 0, 0, 0], span(text)].concat()
}

/// A field that a plugin reads; the kind is its number in the contract.
pub fn field(image: &mut Image, name: &str, kind: u8) -> Vec<u8> {
    let name = span(image.text(name));
    [&name[..], &name[..], &[kind, 0, 0, 0]].concat()
}

/// A field that it writes, optional.
pub fn output_field(image: &mut Image, name: &str, kind: u8) -> Vec<u8> {
    [span(image.text(name)), vec![kind, 1, 0, 0], span((0, 0)), span((0, 0))].concat()
}

pub fn output(image: &mut Image, name: &str, fields: &[Vec<u8>], extends: bool) -> Vec<u8> {
    [span(image.text(name)), span(image.records(fields)), vec![u8::from(extends), 0, 0, 0]].concat()
}

/// A descriptor in the `ok` of `configure`.
pub fn described(image: &mut Image, name: Span, reads: &[Vec<u8>], outputs: &[Vec<u8>]) -> u32 {
    let version = span(image.text("1.0.0"));
    let parts =
        [span(name), version, span((0, 0)), span(image.records(reads)), span(image.records(outputs)), span((0, 0))];
    image.put(&ok(&parts.concat()))
}

/// A column of texts.
pub fn texts(ends: Span, data: Span, valid: Span) -> Vec<u8> {
    column(3, &[span(ends), span(data)].concat(), valid)
}

/// A column of 64-bit integers.
pub fn integers(values: Span) -> Vec<u8> {
    column(1, &span(values), (0, 0))
}

pub fn column(layout: u32, values: &[u8], valid: Span) -> Vec<u8> {
    let mut bytes = words(&[layout]);
    bytes.extend(values);
    bytes.resize(28, 0);
    bytes.extend(span(valid));
    bytes
}

pub fn emitted(count: u32, origins: Span, columns: Span) -> Vec<u8> {
    [words(&[count]), span(origins), span(columns)].concat()
}
