//! Durations and sizes as people write them.

use crate::time::{DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, Nanos, SECOND};

pub(super) const DURATION_UNITS: [(&str, Nanos); 9] = [
    ("ns", 1),
    ("us", MICROSECOND),
    ("µs", MICROSECOND),
    ("ms", MILLISECOND),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
    ("d", DAY),
    ("w", 7 * DAY),
];

pub(super) const SIZE_UNITS: [(&str, i64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// "5s", "1m30s", "500ms", "250 ms", "1d" → nanoseconds. The error says what is wrong.
pub fn duration(text: &str) -> Result<Nanos, String> {
    sum(text, &DURATION_UNITS, "this is no duration")
}

/// "64 MiB", "8MB", "512 B" → bytes.
pub fn size(text: &str) -> Result<u64, String> {
    sum(text, &SIZE_UNITS, "this is no size").map(|bytes| bytes as u64)
}

/// Sums number-unit pairs; never negative.
fn sum(text: &str, units: &[(&str, i64)], otherwise: &str) -> Result<i64, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(otherwise.to_owned());
    }
    let mut total = 0i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        rest = tail.trim_start();
        if number.is_empty() {
            return Err(otherwise.to_owned());
        }
        let Some((_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
            let known = units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(match unit {
                "" => format!("a unit is missing after {number}: {known}"),
                _ => format!("`{unit}` is no unit; there are {known}"),
            });
        };
        total = number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(*scale))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("{text} is too much"))?;
    }
    Ok(total)
}

/// The shortest way to write `nanos` that [`duration`] reads back: "1m30s".
pub fn show_duration(nanos: Nanos) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    let mut rest = nanos.unsigned_abs();
    let mut out = if nanos < 0 { "-".to_owned() } else { String::new() };
    for (unit, scale) in
        [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MILLISECOND), ("us", MICROSECOND), ("ns", 1)]
    {
        let count = rest / scale as u64;
        if count > 0 {
            out.push_str(&format!("{count}{unit}"));
            rest %= scale as u64;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_and_sizes_are_sums_of_numbers_with_units() {
        assert_eq!(duration("1m30s"), Ok(90 * SECOND));
        assert_eq!(duration("250 ms"), Ok(250 * MILLISECOND));
        assert_eq!(duration("0s"), Ok(0));
        assert_eq!(size("64 MiB"), Ok(64 << 20));
        for wrong in ["", "5", "s", "-5s", "1.5s", "5 parsecs", "99999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(size("64 Mb").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(nanos in 0..i64::MAX) {
            prop_assert_eq!(duration(&show_duration(nanos)), Ok(nanos));
        }
    }
}
