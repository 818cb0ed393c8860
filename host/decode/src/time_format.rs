//! Times as payloads write them, to nanoseconds since 1970-01-01 UTC.
//!
//! Under [`TimeFormat::Auto`] each value is judged by itself, so that replay, which may start anywhere, repeats the judgement:
//! - text: RFC 3339 (`T`, `t` or a space between date and time; without a zone: UTC), or a number in quotes;
//! - number (fractions allowed), by the size of its whole part: below 10^11 seconds (until the year 5138), below 10^14
//!   milliseconds (from 1973), below 10^17 microseconds (from 1973), above that nanoseconds (from 1973).
//!
//! What is finer than a nanosecond is cut off. The range is that of 64 bits: the years 1678 to 2261.

use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use wasmill_core::decode_spec::TimeFormat;

use crate::convert::Absent;
use crate::number::{self, Decimal};

/// From here on the whole part of a number under `Auto` counts milliseconds.
pub const AUTO_MILLISECONDS_FROM: u64 = 100_000_000_000;
/// … microseconds.
pub const AUTO_MICROSECONDS_FROM: u64 = 100_000_000_000_000;
/// … nanoseconds.
pub const AUTO_NANOSECONDS_FROM: u64 = 100_000_000_000_000_000;

const RANGE: Absent = Absent::Mistyped("beyond the years 1678 to 2261");
const NOT_RFC3339: Absent = Absent::Mistyped("not an RFC 3339 time");

/// Reads times of one format.
#[derive(Clone, Debug)]
pub(crate) struct TimeReader {
    format: TimeFormat,
    /// The last minute read (`2026-11-21T02:40`) and its seconds since 1970: neighbours in a stream mostly share it.
    minute: ([u8; 16], i64),
}

impl TimeReader {
    /// Fails with what is wrong if a pattern cannot give a time.
    pub(crate) fn new(format: &TimeFormat) -> Result<Self, String> {
        if let TimeFormat::Pattern(pattern) = format {
            let epoch = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
            let written = strtime::format(pattern, &epoch).map_err(|e| format!("time format `{pattern}`: {e}"))?;
            if let Err(why) = read_pattern(pattern, &written) {
                return Err(format!("time format `{pattern}` cannot be read back: {why}"));
            }
        }
        Ok(TimeReader { format: format.clone(), minute: ([0; 16], 0) })
    }

    /// A time written as a JSON number.
    pub(crate) fn number(&self, number: &[u8]) -> Result<i64, Absent> {
        let digits = match self.format {
            TimeFormat::Auto => return auto(number),
            TimeFormat::Seconds => 9,
            TimeFormat::Milliseconds => 6,
            TimeFormat::Microseconds => 3,
            TimeFormat::Nanoseconds => 0,
            TimeFormat::Rfc3339 => return Err(NOT_RFC3339),
            TimeFormat::Pattern(_) => return Err(Absent::Mistyped("not a time in text")),
        };
        Decimal::parse(number).nanoseconds(digits).ok_or(RANGE)
    }

    /// A time written as the `len` digits, 1 to 19, that `from` begins with.
    #[inline]
    pub(crate) fn digits(&self, from: &[u8], len: usize) -> Result<i64, Absent> {
        let value = number::digits(from, len);
        let unit = match self.format {
            TimeFormat::Auto => auto_unit(value),
            TimeFormat::Seconds => 1_000_000_000,
            TimeFormat::Milliseconds => 1_000_000,
            TimeFormat::Microseconds => 1_000,
            TimeFormat::Nanoseconds => 1,
            TimeFormat::Rfc3339 | TimeFormat::Pattern(_) => return self.number(from.get(..len).unwrap_or_default()),
        };
        value.checked_mul(unit).and_then(|ns| i64::try_from(ns).ok()).ok_or(RANGE)
    }

    /// A time written as text.
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<i64, Absent> {
        match &self.format {
            TimeFormat::Rfc3339 => self.rfc3339(text, true),
            TimeFormat::Auto if text.get(4) == Some(&b'-') => self.rfc3339(text, false),
            TimeFormat::Pattern(pattern) => {
                let text = std::str::from_utf8(text).map_err(|_| Absent::Mistyped("not text"))?;
                read_pattern(pattern, text).map_err(|_| Absent::Mistyped("not of the time format"))
            }
            _ if is_number(text) => self.number(text),
            TimeFormat::Auto => Err(Absent::Mistyped("neither an RFC 3339 time nor a number")),
            _ => Err(Absent::Mistyped("not a number")),
        }
    }

    fn rfc3339(&mut self, text: &[u8], zone_required: bool) -> Result<i64, Absent> {
        let (minute, rest) = text.split_first_chunk::<16>().ok_or(NOT_RFC3339)?;
        if *minute != self.minute.0 {
            self.minute = (*minute, minute_seconds(minute).ok_or(NOT_RFC3339)?);
        }
        let (second, rest) = match rest {
            [b':', tens @ b'0'..=b'6', ones @ b'0'..=b'9', rest @ ..] => {
                (i64::from(tens - b'0') * 10 + i64::from(ones - b'0'), rest)
            }
            _ => return Err(NOT_RFC3339),
        };
        if second > 60 {
            return Err(NOT_RFC3339);
        }
        let (nanos, rest) = fraction(rest).ok_or(NOT_RFC3339)?;
        let offset = match rest {
            [] if !zone_required => 0,
            [] => return Err(Absent::Mistyped("an RFC 3339 time needs a zone, `Z` or `+02:00`")),
            [b'Z' | b'z'] => 0,
            _ => offset_seconds(rest).ok_or(NOT_RFC3339)?,
        };
        let seconds = self.minute.1 + second - offset;
        seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanos)).ok_or(RANGE)
    }
}

/// How many nanoseconds a number of this magnitude counts.
#[inline]
fn auto_unit(whole: u64) -> u64 {
    if whole < AUTO_MILLISECONDS_FROM {
        1_000_000_000
    } else if whole < AUTO_MICROSECONDS_FROM {
        1_000_000
    } else if whole < AUTO_NANOSECONDS_FROM {
        1_000
    } else {
        1
    }
}

fn auto(number: &[u8]) -> Result<i64, Absent> {
    let decimal = Decimal::parse(number);
    let unit = auto_unit(u64::try_from(decimal.whole()).unwrap_or(u64::MAX));
    decimal.nanoseconds(unit.ilog10()).ok_or(RANGE)
}

/// Whether text holds a JSON number and nothing else.
fn is_number(text: &[u8]) -> bool {
    matches!(text.last(), Some(b'0'..=b'9')) && crate::syntax::number_end(text, 0) == Some(text.len())
}

/// Nanoseconds of `.123`, and what follows; 0 if there is no fraction. `None`: a point without digits.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', rest @ ..] = text else { return Some((0, text)) };
    let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(len)?;
    if digits.is_empty() {
        return None;
    }
    let nanos = (0..9).fold(0, |value, at| value * 10 + digits.get(at).map_or(0, |d| i64::from(d - b'0')));
    Some((nanos, rest))
}

/// Seconds east of Greenwich of `+02:00`.
fn offset_seconds(zone: &[u8]) -> Option<i64> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = zone else { return None };
    let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some(if *sign == b'-' { -seconds } else { seconds })
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Seconds since 1970 of `2026-11-21T02:40`.
fn minute_seconds(text: &[u8; 16]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', n1, n2] = *text else {
        return None;
    };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day, hour, minute) = (two(m1, m2)?, two(d1, d2)?, two(h1, h2)?, two(n1, n2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > days || hour > 23 || minute > 59 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60)
}

/// Of the proleptic Gregorian calendar. Years begin in March here, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

fn read_pattern(pattern: &str, text: &str) -> Result<i64, String> {
    let time = BrokenDownTime::parse(pattern, text).map_err(|e| e.to_string())?;
    let timestamp = match time.to_timestamp() {
        Ok(timestamp) => timestamp,
        Err(_) if time.iana_time_zone().is_some() => time.to_zoned().map_err(|e| e.to_string())?.timestamp(),
        Err(e) if time.offset().is_some() => return Err(e.to_string()),
        Err(_) => {
            let civil = time.to_datetime().map_err(|e| e.to_string())?;
            civil.to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?.timestamp()
        }
    };
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| "beyond the years 1678 to 2261".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const T: i64 = 1_700_000_000 * SECOND;

    fn reader(format: TimeFormat) -> TimeReader {
        TimeReader::new(&format).unwrap()
    }

    #[test]
    fn texts_are_the_times_they_name() {
        let table = [
            ("2023-11-14T22:13:20Z", Some(T)),
            ("2023-11-14t22:13:20z", Some(T)),
            ("2023-11-14 22:13:20Z", Some(T)),
            ("2023-11-14T22:13:20", Some(T)),
            ("2023-11-14T22:13:20.5", Some(T + SECOND / 2)),
            ("2023-11-15T00:13:20+02:00", Some(T)),
            ("2023-11-14T16:43:20.000000001-05:30", Some(T + 1)),
            ("2023-11-14T22:13:20.1234567899Z", Some(T + 123_456_789)),
            ("1969-12-31T23:59:59.25Z", Some(-SECOND * 3 / 4)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800 * SECOND)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800 * SECOND)),
            ("1700000000", Some(T)),
            ("1700000000.5", Some(T + SECOND / 2)),
            ("2023-02-29T00:00:00Z", None),
            ("1900-02-29T00:00:00Z", None),
            ("2023-13-01T00:00:00Z", None),
            ("2023-00-01T00:00:00Z", None),
            ("2023-01-00T00:00:00Z", None),
            ("2023-04-31T00:00:00Z", None),
            ("2023-11-14T24:00:00Z", None),
            ("2023-11-14T22:60:00Z", None),
            ("2023-11-14T22:13:61Z", None),
            ("2023-11-14T22:13:20.Z", None),
            ("2023-11-14T22:13:20+24:00", None),
            ("2023-11-14T22:13:20+0200", None),
            ("2023-11-14T22:13:20Zx", None),
            ("2023-11-14T22:13", None),
            ("2023-11-14", None),
            ("0001-01-01T00:00:00Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("1.", None),
            ("", None),
        ];
        // One reader for all: what it remembers of the last minute must not leak into the next time.
        let mut reader = reader(TimeFormat::Auto);
        for (text, expected) in table {
            assert_eq!(reader.text(text.as_bytes()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn rfc3339_agrees_with_jiff_on_every_day() {
        let mut reader = reader(TimeFormat::Rfc3339);
        for day in -106_000..106_000i64 {
            let timestamp = jiff::Timestamp::from_second(day * 86_400 + day.rem_euclid(86_400)).unwrap();
            let text = timestamp.to_string();
            assert_eq!(reader.text(text.as_bytes()), Ok(timestamp.as_nanosecond() as i64), "{text}");
        }
    }

    #[test]
    fn whatever_is_read_as_rfc3339_means_the_same_to_jiff() {
        let mut reader = reader(TimeFormat::Rfc3339);
        let (mut state, mut read) = (1u64, 0);
        let mut random = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        for _ in 0..200_000 {
            let mut text = b"2023-11-14T22:13:20.123456+05:30".to_vec();
            for _ in 0..=random(3) {
                let at = random(text.len().max(1));
                match random(8) {
                    0 if !text.is_empty() => drop(text.remove(at)),
                    1 => text.truncate(at.max(1)),
                    2 => text.extend_from_slice(b"Z"),
                    _ => text
                        .splice(at..text.len().min(at + 1), [b"00112233445567899:-+.Ztz "[random(25)]])
                        .for_each(drop),
                }
            }
            let text = String::from_utf8(text).unwrap();
            // A leap second is the next minute's first here and the same minute's last there; more than nine digits of a second
            // are cut off here and refused there.
            let fraction = text.split('.').nth(1).unwrap_or("").bytes().take_while(u8::is_ascii_digit).count();
            if let (Ok(nanos), false) = (reader.text(text.as_bytes()), text.contains(":60") || fraction > 9) {
                let timestamp: jiff::Timestamp = text.parse().unwrap();
                assert_eq!(i128::from(nanos), timestamp.as_nanosecond(), "{text}");
                read += 1;
            }
        }
        assert!(read > 20_000, "{read}");
    }

    #[test]
    fn numbers_count_the_unit_of_the_format_or_of_their_magnitude() {
        let table = [
            (TimeFormat::Auto, "1700000000", Some(T)),
            (TimeFormat::Auto, "1700000000000", Some(T)),
            (TimeFormat::Auto, "1700000000000000", Some(T)),
            (TimeFormat::Auto, "1700000000000000000", Some(T)),
            (TimeFormat::Auto, "1700000000.123456789", Some(T + 123_456_789)),
            (TimeFormat::Auto, "1700000000123.5", Some(T + 123_500_000)),
            (TimeFormat::Auto, "99999999999", None),
            (TimeFormat::Auto, "100000000000", Some(100 * SECOND * 1_000_000)),
            (TimeFormat::Auto, "0", Some(0)),
            (TimeFormat::Auto, "-1", Some(-SECOND)),
            (TimeFormat::Auto, "1.7e9", Some(T)),
            (TimeFormat::Auto, "9999999999999999999", None),
            (TimeFormat::Seconds, "1700000000000", None),
            (TimeFormat::Milliseconds, "1700000000000", Some(T)),
            (TimeFormat::Milliseconds, "17", Some(17_000_000)),
            (TimeFormat::Microseconds, "1700000000000000", Some(T)),
            (TimeFormat::Nanoseconds, "1700000000000000000", Some(T)),
            (TimeFormat::Nanoseconds, "1.9", Some(1)),
            (TimeFormat::Rfc3339, "1700000000", None),
        ];
        for (format, number, expected) in table {
            let mut reader = reader(format.clone());
            assert_eq!(reader.number(number.as_bytes()).ok(), expected, "{format:?} {number}");
            assert_eq!(reader.text(number.as_bytes()).ok(), expected, "{format:?} text {number}");
            if number.bytes().all(|b| b.is_ascii_digit()) {
                assert_eq!(reader.digits(number.as_bytes(), number.len()).ok(), expected, "{format:?} digits {number}");
            }
        }
    }

    #[test]
    fn patterns_read_what_they_describe_and_without_a_zone_mean_utc() {
        for (pattern, text) in [
            ("%Y-%m-%d %H:%M:%S", "2023-11-14 22:13:20"),
            ("%d/%b/%Y:%H:%M:%S %z", "14/Nov/2023:23:13:20 +0100"),
            ("%s", "1700000000"),
        ] {
            let mut reader = reader(TimeFormat::Pattern(pattern.to_owned()));
            assert_eq!(reader.text(text.as_bytes()), Ok(T), "{pattern}");
            assert!(reader.text(b"soon").is_err());
        }
        let mut day = reader(TimeFormat::Pattern("%Y%m%d".to_owned()));
        assert_eq!(day.text(b"20231114"), Ok(T - 80_000 * SECOND));
        for wrong in ["%", "%H:%M", "%Y-%Q!", "no date"] {
            assert!(TimeReader::new(&TimeFormat::Pattern(wrong.to_owned())).is_err(), "{wrong}");
        }
    }
}
