//! Values behind a shape's literals: each is checked in full, with the length it had in the last document as a guess.

use crate::syntax;
use crate::template::Expect;
use crate::token::{Class, MAX_DIGITS};
use crate::wide::{Mask, WIDE_BYTES, Wide};

/// After so many wrong guesses of a value's length, no more are made until [`Guess::again`].
const MAX_WRONG_GUESSES: u32 = 40;

/// The length of no value.
const NEVER: u32 = u32::MAX;

/// How long a value was the last time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess {
    /// [`NEVER`] while no guess is made.
    len: u32,
    /// Bit `len % 32`: what is compared. Comparing the length itself would let the compiler take the one that was just computed, and
    /// the next step would have to wait for it.
    bit: Mask,
    wrong: u32,
}

impl Guess {
    pub(crate) fn new(len: usize) -> Self {
        Guess { len: len as u32, bit: 1 << (len % WIDE_BYTES), wrong: 0 }
    }

    /// Whether `stops`, of a look at the value's start (`look`: 0) or 32 bytes on (1), ends the value where it was guessed.
    #[inline(always)]
    fn is_right(&self, stops: Mask, look: u32) -> bool {
        self.len / WIDE_BYTES as u32 == look && stops & stops.wrapping_neg() == self.bit
    }

    #[inline(always)]
    fn was_wrong(&mut self, len: usize) {
        self.wrong = self.wrong.saturating_add(1);
        self.len = if self.wrong > MAX_WRONG_GUESSES { NEVER } else { len as u32 };
        self.bit = 1 << (len % WIDE_BYTES);
    }

    /// Lets a value whose length changed too often be guessed once more.
    pub(crate) fn again(&mut self) {
        if self.wrong > 0 {
            self.wrong = 0;
            self.len = self.bit.trailing_zeros();
        }
    }
}

/// A document that may be read beyond its end.
#[derive(Clone, Copy)]
pub(crate) struct Padded<'a> {
    pub text: &'a [u8],
    /// The same, with the bytes behind.
    padded: &'a [u8],
}

/// Bytes behind a document that matching may read: one look from its end on.
pub(crate) const PADDING_BYTES: usize = WIDE_BYTES;

impl<'a> Padded<'a> {
    /// The document at `start` of `buffer`, if it has [`PADDING_BYTES`] behind it.
    #[inline(always)]
    pub(crate) fn new(buffer: &'a [u8], start: usize, len: usize) -> Option<Self> {
        let padded = buffer.get(start..start + len + PADDING_BYTES)?;
        Some(Padded { text: padded.get(..len)?, padded })
    }

    /// # Safety
    /// `at` is at most the document's length: then [`PADDING_BYTES`] are readable from there on.
    #[inline(always)]
    pub(crate) unsafe fn at(self, at: usize) -> *const u8 {
        // SAFETY: `padded` is longer than the document by PADDING_BYTES.
        unsafe { self.padded.as_ptr().add(at) }
    }

    #[inline(always)]
    fn byte(self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }
}

/// What stands at `at`, if it is what `expect` says: its class and its end.
///
/// # Safety
/// `at` is at most the document's length; the CPU has the features that `W` names.
#[inline(always)]
pub(crate) unsafe fn value<W: Wide>(
    expect: Expect,
    guess: &mut Guess,
    document: Padded<'_>,
    at: usize,
    high: &mut Mask,
) -> Option<(Class, usize)> {
    match expect {
        // SAFETY: passed on from the caller.
        Expect::Text => unsafe { text::<W>(guess, document, at, high) },
        // SAFETY: passed on from the caller.
        Expect::Number => unsafe { number::<W>(guess, document, at) },
        Expect::Word => syntax::word(document.text, at).map(|(class, len)| (class, at + len)),
        Expect::Whole { depth } => {
            let whole = whole(document.text, at, depth)?;
            *high |= Mask::from(!whole.ascii);
            Some((whole.class, whole.end))
        }
        Expect::Open => Some((Class::Object, at)),
        Expect::Literal | Expect::Close | Expect::End => None,
    }
}

/// # Safety
/// As for [`value`].
#[inline(always)]
unsafe fn text<W: Wide>(
    guess: &mut Guess,
    document: Padded<'_>,
    start: usize,
    high: &mut Mask,
) -> Option<(Class, usize)> {
    // SAFETY: start <= len.
    let (stops, not_ascii) = unsafe { W::stops(document.at(start)) };
    let mut end = start;
    if guess.is_right(stops, 0) {
        *high |= not_ascii & (guess.bit - 1);
        end += guess.len as usize;
    } else if stops != 0 {
        let len = stops.trailing_zeros();
        *high |= not_ascii & ((1 << len) - 1);
        end += len as usize;
        guess.was_wrong(len as usize);
    } else {
        *high |= not_ascii;
        // SAFETY: passed on from the caller.
        end = unsafe { long_text::<W>(guess, document, start, high)? };
    }
    match document.byte(end) {
        b'"' => Some((Class::Text, end)),
        b'\\' => {
            let escaped = escaped_text(document.text, end)?;
            *high |= Mask::from(!escaped.ascii);
            Some((escaped.class, escaped.end))
        }
        _ => None,
    }
}

/// The first stop of the text at `start`, whose first 32 bytes have none.
///
/// # Safety
/// As for [`value`].
#[inline(always)]
unsafe fn long_text<W: Wide>(guess: &mut Guess, document: Padded<'_>, start: usize, high: &mut Mask) -> Option<usize> {
    let mut at = start + WIDE_BYTES;
    loop {
        if at > document.text.len() {
            return None;
        }
        // SAFETY: at <= len.
        let (stops, not_ascii) = unsafe { W::stops(document.at(at)) };
        if at == start + WIDE_BYTES && guess.is_right(stops, 1) {
            *high |= not_ascii & (guess.bit - 1);
            return Some(start + guess.len as usize);
        }
        if stops != 0 {
            let len = stops.trailing_zeros();
            *high |= not_ascii & ((1 << len) - 1);
            let end = at + len as usize;
            guess.was_wrong(end - start);
            return Some(end);
        }
        *high |= not_ascii;
        at += WIDE_BYTES;
    }
}

/// A value that was walked byte by byte.
struct Walked {
    class: Class,
    end: usize,
    ascii: bool,
}

/// The rest of a text, from its first escape on.
#[inline(never)]
fn escaped_text(text: &[u8], at: usize) -> Option<Walked> {
    let end = syntax::text_end(text, at)?.quote;
    Some(Walked { class: Class::Escaped, end, ascii: text.get(at..end)?.is_ascii() })
}

/// # Safety
/// As for [`value`].
#[inline(always)]
unsafe fn number<W: Wide>(guess: &mut Guess, document: Padded<'_>, start: usize) -> Option<(Class, usize)> {
    // SAFETY: start <= len.
    let others = unsafe { W::not_digits(document.at(start)) };
    let len = if guess.is_right(others, 0) {
        guess.len as usize
    } else {
        let len = others.trailing_zeros() as usize;
        guess.was_wrong(len);
        len
    };
    let end = start + len;
    let leading_zero = len > 1 && document.byte(start) == b'0';
    if len == 0 || len > MAX_DIGITS || leading_zero || matches!(document.byte(end), b'.' | b'e' | b'E') {
        let end = syntax::number_end(document.text, start)?;
        return Some((Class::Number, end));
    }
    // Behind the end of the document there may be digits, too; a number is never the last of it.
    (end < document.text.len()).then_some((Class::Digits, end))
}

#[inline(never)]
fn whole(text: &[u8], at: usize, depth: u8) -> Option<Walked> {
    let class = match text.get(at)? {
        b'{' => Class::Object,
        b'[' => Class::Array,
        _ => return None,
    };
    let end = syntax::value_end(text, at, usize::from(depth))?;
    Some(Walked { class, end, ascii: text.get(at..end)?.is_ascii() })
}
