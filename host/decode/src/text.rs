//! Texts: copying them into columns, resolving escapes, and showing a value in an error.

use crate::convert::Absent;

/// Bytes that [`push`] copies at a time, reading and writing past the end of the value.
const WIDE_BYTES: usize = 32;

/// Values shown in errors are cut after so many characters.
const SHOWN_CHARACTERS: usize = 48;

/// Appends `from[start..start + len]`. Copies in words of 32 bytes where both sides have room behind, which is a few
/// instructions for a short value where a call of `memcpy` costs several times that.
#[inline(always)]
pub(crate) fn push(to: &mut Vec<u8>, from: &[u8], start: usize, len: usize) {
    let end = start + len;
    if end + WIDE_BYTES > from.len() || len > 4 * WIDE_BYTES {
        to.extend_from_slice(from.get(start..end).unwrap_or_default());
        return;
    }
    to.reserve(len + WIDE_BYTES);
    // SAFETY: the loop copies whole words until `len` bytes are passed, so it touches fewer than len + 32 bytes on each side (32
    // if len is 0). `from` has them: end + 32 <= from.len(). `to` has room for them: just reserved. The first `len` of them, then
    // initialised, become part of `to`. A Vec's spare room cannot overlap a borrowed slice.
    unsafe {
        let source = from.as_ptr().add(start);
        let target = to.as_mut_ptr().add(to.len());
        let mut at = 0;
        while at < len {
            std::ptr::copy_nonoverlapping(source.add(at), target.add(at), WIDE_BYTES);
            at += WIDE_BYTES;
        }
        to.set_len(to.len() + len);
    }
}

/// Appends the content of a valid JSON text, quotes included in `json`, with its escapes resolved.
#[cold]
pub(crate) fn push_unescaped(to: &mut Vec<u8>, json: &[u8]) -> Result<(), Absent> {
    let text: String = serde_json::from_slice(json).map_err(|_| Absent::Mistyped("half of a surrogate pair"))?;
    to.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A JSON value in a few words, for errors: `text "abc"`, `number 12.5`, `true`, `object {"a":1}`.
#[cold]
pub(crate) fn describe(json: &[u8]) -> String {
    let kind = match json.first() {
        Some(b'"') => "text ",
        Some(b'{') => "object ",
        Some(b'[') => "array ",
        Some(b't' | b'f' | b'n') | None => "",
        Some(_) => "number ",
    };
    format!("{kind}{}", shorten(json))
}

/// The beginning of what may be long and need not be text, on one line.
#[cold]
pub(crate) fn shorten(bytes: &[u8]) -> String {
    let beginning = &bytes[..bytes.len().min(4 * SHOWN_CHARACTERS)];
    let text = String::from_utf8_lossy(beginning);
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() || beginning.len() < bytes.len() {
        shown.push('…');
    }
    shown
}
