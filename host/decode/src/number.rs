//! Numbers as JSON writes them, to integers, floats and times: exact where the target can hold them.

use crate::convert::Absent;

/// Eight ASCII digits, the first in the lowest byte, to their value.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(2561) >> 8;
    let fours = (pairs & 0x00FF_00FF_00FF_00FF).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_FFFF_0000_FFFF).wrapping_mul(42_949_672_960_001) >> 32
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The value of the `len` ASCII digits, 1 to 19, that `from` begins with; quickest if it has 8 bytes or more.
#[inline(always)]
pub(crate) fn digits(from: &[u8], len: usize) -> u64 {
    let Some(first) = from.first_chunk::<8>() else { return digits_one_by_one(0, from.get(..len).unwrap_or_default()) };
    let first = u64::from_le_bytes(*first);
    if len <= 8 {
        // The digits go to the end of the word; what comes in before them counts as zeros.
        return eight_digits(first << (64 - 8 * len as u32).min(63));
    }
    let value = eight_digits(first);
    let second = from.get(len - 8..len).and_then(|last| last.first_chunk::<8>());
    let (Some(last), Some(power)) = (second, POWERS.get(len - 8)) else {
        return digits_one_by_one(value, from.get(8..len).unwrap_or_default());
    };
    // Digits of the first word come again in the last one: zeros in their place.
    let again = 8 * (16 - len as u32);
    value * power + eight_digits(u64::from_le_bytes(*last) >> again << again)
}

fn digits_one_by_one(value: u64, digits: &[u8]) -> u64 {
    digits.iter().fold(value, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0f)))
}

/// `± mantissa · 10^exponent`, and whether non-zero digits beyond the mantissa's 38 were left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    negative: bool,
    mantissa: u128,
    exponent: i64,
    inexact: bool,
}

/// Exponents beyond this are cut to it: no value other than zero is in anyone's range there.
const MAX_EXPONENT: i64 = 1_000_000_000;

/// The mantissa takes another digit while it is below this.
const MANTISSA_ROOM: u128 = u128::MAX / 10 - 1;

impl Decimal {
    /// Of a valid JSON number.
    pub(crate) fn parse(number: &[u8]) -> Self {
        let (negative, rest) = match number {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut decimal = Decimal { negative, mantissa: 0, exponent: 0, inexact: false };
        let mut fraction = false;
        for (at, &byte) in rest.iter().enumerate() {
            match byte {
                b'0'..=b'9' => decimal.push(byte & 0x0f, fraction),
                b'.' => fraction = true,
                _ => {
                    decimal.exponent += exponent(rest.get(at + 1..).unwrap_or_default());
                    break;
                }
            }
        }
        decimal
    }

    fn push(&mut self, digit: u8, fraction: bool) {
        if self.mantissa < MANTISSA_ROOM {
            self.mantissa = self.mantissa * 10 + u128::from(digit);
            self.exponent -= i64::from(fraction);
        } else {
            self.inexact |= digit != 0;
            self.exponent += i64::from(!fraction);
        }
    }

    /// The integer it is; out of 64 bits or with a fraction: mistyped.
    fn integer(self) -> Result<i64, Absent> {
        const FRACTION: Absent = Absent::Mistyped("not a whole number");
        const RANGE: Absent = Absent::Mistyped("beyond 64 bits");
        let (mut mantissa, mut exponent) = (self.mantissa, self.exponent);
        if mantissa == 0 {
            return Ok(0);
        }
        while exponent < 0 {
            if mantissa % 10 != 0 {
                return Err(FRACTION);
            }
            mantissa /= 10;
            exponent += 1;
        }
        while exponent > 0 {
            mantissa = mantissa.checked_mul(10).ok_or(RANGE)?;
            exponent -= 1;
        }
        if self.inexact {
            return Err(RANGE);
        }
        let signed = i128::try_from(mantissa).map_err(|_| RANGE)?;
        i64::try_from(if self.negative { -signed } else { signed }).map_err(|_| RANGE)
    }

    /// The whole part, without its sign; beyond 128 bits: the largest there is.
    pub(crate) fn whole(self) -> u128 {
        let power = u32::try_from(self.exponent.unsigned_abs()).ok().and_then(|e| 10u128.checked_pow(e));
        match (self.exponent < 0, power) {
            (false, Some(power)) => self.mantissa.saturating_mul(power),
            (true, Some(power)) => self.mantissa / power,
            (false, None) if self.mantissa != 0 => u128::MAX,
            (_, None) => 0,
        }
    }

    /// Nanoseconds, if it counts units of `10^digits` ns; what is finer than a nanosecond is cut off downward.
    pub(crate) fn nanoseconds(mut self, digits: u32) -> Option<i64> {
        self.exponent += i64::from(digits);
        let whole = i128::try_from(self.whole()).ok()?;
        let cut = self.exponent < 0 && (self.inexact || self.remainder() != 0);
        i64::try_from(if self.negative { -whole - i128::from(cut) } else { whole }).ok()
    }

    /// What a negative exponent cuts off the mantissa.
    fn remainder(self) -> u128 {
        match u32::try_from(self.exponent.unsigned_abs()).ok().and_then(|e| 10u128.checked_pow(e)) {
            Some(power) => self.mantissa % power,
            None => self.mantissa,
        }
    }
}

fn exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let value = digits.iter().fold(0i64, |value, d| (value * 10 + i64::from(d & 0x0f)).min(MAX_EXPONENT));
    if negative { -value } else { value }
}

/// A JSON number as a 64-bit integer. `3.0` and `1e3` are integers, `3.5` is not; what 64 bits cannot hold is mistyped.
pub(crate) fn integer(number: &[u8]) -> Result<i64, Absent> {
    Decimal::parse(number).integer()
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A JSON number as the nearest double; beyond its range: mistyped.
pub(crate) fn float(number: &[u8]) -> Result<f64, Absent> {
    if let Some(value) = short_float(number) {
        return Ok(value);
    }
    // The standard library rounds correctly whatever the length; a valid JSON number is always valid there.
    let value: f64 = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok()).unwrap_or(f64::INFINITY);
    if value.is_finite() { Ok(value) } else { Err(Absent::Mistyped("beyond the range of floats")) }
}

/// Up to 15 digits and no exponent: both the digits and the power of ten are exact doubles, so that one division rounds as
/// the exact quotient would.
#[inline]
fn short_float(number: &[u8]) -> Option<f64> {
    let (negative, rest) = match number {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if rest.len() > 16 {
        return None;
    }
    let (mut mantissa, mut point) = (0u64, rest.len());
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte & 0x0f),
            b'.' => point = at + 1,
            _ => return None,
        }
    }
    if mantissa >= 1 << 53 {
        return None;
    }
    let value = mantissa as f64 / EXACT_POWERS.get(rest.len() - point)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_and_whole() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("3.0", 3),
            ("1e3", 1000),
            ("12.50e1", 125),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("9007199254740993", 9_007_199_254_740_993),
            ("0e999999999999999999", 0),
            ("100000000000000000000000000000000000000000000000e-46", 10),
        ] {
            assert_eq!(integer(text.as_bytes()), Ok(value), "{text}");
        }
        for text in [
            "3.5",
            "9223372036854775808",
            "1e19",
            "1e999999999999",
            "1e-1",
            "3.00000000000000000000000000000000000000000001",
        ] {
            assert!(matches!(integer(text.as_bytes()), Err(Absent::Mistyped(_))), "{text}");
        }
    }

    #[test]
    fn digits_of_every_length_have_their_value() {
        let text = "9876543210987654321098765";
        for len in 1..=MAX {
            let expected: u64 = text[..len].parse().unwrap();
            assert_eq!(digits(text.as_bytes(), len), expected, "{len}, more behind");
            assert_eq!(digits(&text.as_bytes()[..len], len), expected, "{len}, nothing behind");
        }
    }

    const MAX: usize = crate::token::MAX_DIGITS;

    #[test]
    fn floats_are_the_nearest_doubles() {
        for text in [
            "0",
            "-0",
            "12.5",
            "0.1",
            "123456789012.345",
            "9007199254740993",
            "0.30000000000000004",
            "1e22",
            "1.7976931348623157e308",
            "5e-324",
            "2.2250738585072014E-308",
            "-123.456",
            "1.00000000000000000000000001",
            "999999999999999",
            "0.000000000000001",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(float(text.as_bytes()).unwrap().to_bits(), expected.to_bits(), "{text}");
        }
        assert!(float(b"1e999").is_err());
    }

    #[test]
    fn nanoseconds_are_cut_downward() {
        let ns = |text: &str, digits| Decimal::parse(text.as_bytes()).nanoseconds(digits);
        assert_eq!(ns("1700000000.123456789", 9), Some(1_700_000_000_123_456_789));
        assert_eq!(ns("0.0000000019", 9), Some(1));
        assert_eq!(ns("-0.0000000011", 9), Some(-2));
        assert_eq!(ns("1e-400", 9), Some(0));
        assert_eq!(ns("-1e-400", 9), Some(-1));
        assert_eq!(ns("1.7e9", 9), Some(1_700_000_000_000_000_000));
        assert_eq!(ns("1e30", 9), None);
        assert_eq!(ns("-5", 6), Some(-5_000_000));
    }
}
