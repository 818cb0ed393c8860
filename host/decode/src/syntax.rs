//! The grammar of JSON (RFC 8259), byte by byte and in full: where a text, a number or any value ends. `None`: none does, it is malformed.

use crate::slow::MAX_DEPTH;
use crate::token::Class;

/// The first byte from `at` on that is not white space.
#[inline(always)]
pub(crate) fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Where a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextEnd {
    /// Of the closing quote.
    pub quote: usize,
    /// Whether the content has escapes.
    pub escaped: bool,
}

/// The end of the text whose content begins at `at`, behind the opening quote.
pub(crate) fn text_end(text: &[u8], mut at: usize) -> Option<TextEnd> {
    let mut escaped = false;
    loop {
        at = plain_end(text, at);
        match text.get(at)? {
            b'"' => return Some(TextEnd { quote: at, escaped }),
            b'\\' => at = escape_end(text, at)?,
            _ => return None,
        }
        escaped = true;
    }
}

/// The first quote, backslash or control character from `at` on, or the end.
fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let stops = stops(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// The high bit of each byte that is zero, exactly: no carry passes from byte to byte.
#[inline(always)]
pub(crate) fn zero_bytes(word: u64) -> u64 {
    !(((word & !HIGHS) + !HIGHS) | word | !HIGHS)
}

/// The high bit of each byte that ends a plain run of text: a quote, a backslash or a control character.
#[inline(always)]
pub(crate) fn stops(word: u64) -> u64 {
    zero_bytes(word ^ (ONES * b'"' as u64))
        | zero_bytes(word ^ (ONES * b'\\' as u64))
        | zero_bytes(word & (ONES * 0xe0))
}

fn escape_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => text.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 6),
        _ => None,
    }
}

/// The end of the number that begins at `at`. What follows it is the caller's business.
pub(crate) fn number_end(text: &[u8], at: usize) -> Option<usize> {
    let digits =
        |from: usize| from + text.get(from..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count());
    let whole = at + usize::from(text.get(at) == Some(&b'-'));
    let mut end = match text.get(whole)? {
        b'0' => whole + 1,
        b'1'..=b'9' => digits(whole),
        _ => return None,
    };
    if text.get(end) == Some(&b'.') {
        let fraction = end + 1;
        end = digits(fraction);
        if end == fraction {
            return None;
        }
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(exponent);
        if end == exponent {
            return None;
        }
    }
    Some(end)
}

/// Which word begins at `at`, and its length.
#[inline(always)]
pub(crate) fn word(text: &[u8], at: usize) -> Option<(Class, usize)> {
    let rest = text.get(at..)?;
    if rest.starts_with(b"true") {
        Some((Class::True, 4))
    } else if rest.starts_with(b"false") {
        Some((Class::False, 5))
    } else if rest.starts_with(b"null") {
        Some((Class::Null, 4))
    } else {
        None
    }
}

/// The end of the value that begins at `at`. `depth`: of an object or array there; `None` also beyond [`MAX_DEPTH`].
pub(crate) fn value_end(text: &[u8], at: usize, depth: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => Some(text_end(text, at + 1)?.quote + 1),
        b'{' | b'[' if depth > MAX_DEPTH => None,
        b'{' => object_end(text, at, depth),
        b'[' => array_end(text, at, depth),
        b't' | b'f' | b'n' => word(text, at).map(|(_, len)| at + len),
        _ => number_end(text, at),
    }
}

fn object_end(text: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = skip_space(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if text.get(at) != Some(&b'"') {
            return None;
        }
        at = skip_space(text, text_end(text, at + 1)?.quote + 1);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = value_end(text, skip_space(text, at + 1), depth + 1)?;
        at = skip_space(text, at);
        match text.get(at)? {
            b',' => at = skip_space(text, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn array_end(text: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = skip_space(text, at + 1);
    if text.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        at = value_end(text, at, depth + 1)?;
        at = skip_space(text, at);
        match text.get(at)? {
            b',' => at = skip_space(text, at + 1),
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}
