//! Scanning of JSON text.

/// The end of the JSON number that begins at `at`; `None` if none does. What follows the number is the caller's business.
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
