//! A token: where in the buffer the value of a path lies, and what it looks like. Finding values yields tokens; a second pass
//! converts them to columns, so that no failed attempt leaves half a row behind and one value can serve several columns.

/// What a value looks like before anybody says what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    Missing = 0,
    Null,
    False,
    True,
    /// 1 to 19 digits without sign, fraction or exponent: fits 64 bits unsigned.
    Digits,
    /// Any other number.
    Number,
    /// The content between the quotes, which has no escapes.
    Text,
    /// The content between the quotes, which has escapes.
    Escaped,
    Object,
    Array,
    /// A value on the way that cannot be entered: `a` in the path `a.b` where it is 5.
    Blocked,
}

/// Start (32 bits), length (24 bits) and class (8 bits) in one word: a store a value on the hot path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Token(u64);

/// The most digits of [`Class::Digits`]: the longest that never overflows 64 bits.
pub(crate) const MAX_DIGITS: usize = 19;

impl Token {
    pub(crate) const MISSING: Token = Token(0);

    /// `len` must be below 2^24, which the limit on payloads guarantees.
    #[inline(always)]
    pub(crate) fn new(class: Class, start: u32, len: u32) -> Self {
        Token(u64::from(start) << 32 | u64::from(len & 0xff_ffff) << 8 | class as u64)
    }

    #[inline(always)]
    pub(crate) fn class(self) -> Class {
        match self.0 as u8 {
            0 => Class::Missing,
            1 => Class::Null,
            2 => Class::False,
            3 => Class::True,
            4 => Class::Digits,
            5 => Class::Number,
            6 => Class::Text,
            7 => Class::Escaped,
            8 => Class::Object,
            9 => Class::Array,
            _ => Class::Blocked,
        }
    }

    #[inline(always)]
    pub(crate) fn start(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        (self.0 >> 8) as usize & 0xff_ffff
    }

    /// The bytes of the value: of a text without its quotes.
    #[inline]
    pub(crate) fn bytes(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.start()..self.start() + self.len()).unwrap_or_default()
    }

    /// The bytes of the value and all behind.
    #[inline(always)]
    pub(crate) fn onward(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.start()..).unwrap_or_default()
    }

    /// The value as JSON: of a text with its quotes.
    #[inline]
    pub(crate) fn json(self, buffer: &[u8]) -> &[u8] {
        let quote = usize::from(matches!(self.class(), Class::Text | Class::Escaped));
        buffer.get(self.start().wrapping_sub(quote)..self.start() + self.len() + quote).unwrap_or_default()
    }

    /// The token of a whole, valid JSON value that lies at `start` in the buffer.
    pub(crate) fn of(json: &str, start: u32) -> Self {
        let bytes = json.as_bytes();
        let class = match bytes.first() {
            Some(b'"') => {
                let content = bytes.get(1..bytes.len().saturating_sub(1)).unwrap_or_default();
                let class = if content.contains(&b'\\') { Class::Escaped } else { Class::Text };
                return Token::new(class, start + 1, content.len() as u32);
            }
            Some(b'{') => Class::Object,
            Some(b'[') => Class::Array,
            Some(b't') => Class::True,
            Some(b'f') => Class::False,
            Some(b'n') => Class::Null,
            _ if bytes.len() <= MAX_DIGITS && bytes.iter().all(u8::is_ascii_digit) => Class::Digits,
            _ => Class::Number,
        };
        Token::new(class, start, bytes.len() as u32)
    }
}

/// One row's place among the tokens of a block.
pub(crate) struct TokenRow<'a> {
    pub tokens: &'a mut [Token],
    pub row: usize,
    /// Tokens a slot.
    pub stride: usize,
    /// Where the document lies in the buffer.
    pub base: u32,
}

impl TokenRow<'_> {
    pub(crate) fn clear(&mut self) {
        self.tokens.iter_mut().skip(self.row).step_by(self.stride).for_each(|token| *token = Token::MISSING);
    }

    /// `start` counts from the document's beginning.
    #[inline(always)]
    pub(crate) fn set(&mut self, slot: usize, class: Class, start: usize, len: usize) {
        self.put(slot, Token::new(class, self.base + start as u32, len as u32));
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, slot: usize, value: Token) {
        if let Some(token) = self.tokens.get_mut(slot * self.stride + self.row) {
            *token = value;
        }
    }

    /// Ends, at `end`, the value that was set with its start alone.
    pub(crate) fn close(&mut self, slot: usize, end: usize) {
        if let Some(token) = self.tokens.get_mut(slot * self.stride + self.row) {
            let len = end + self.base as usize - token.start();
            *token = Token::new(token.class(), token.start() as u32, len as u32);
        }
    }
}
