//! How times and lengths of time are written for people and for the API.

use wasmill_core::plan::{At, WindowSpec};
use wasmill_core::time::{BEGINNING, DAY, END, HOUR, MICROSECOND, MILLISECOND, MINUTE, Nanos, SECOND};

/// A length of time as a configuration writes it: `1h30m`, `30s`, `250ms`.
pub fn duration(length: Nanos) -> String {
    const UNITS: [(Nanos, &str); 7] =
        [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLISECOND, "ms"), (MICROSECOND, "us"), (1, "ns")];
    let mut rest = length.max(0);
    let mut text = String::new();
    for (unit, name) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// RFC 3339 in UTC with as many fractional digits as needed; `None` before every event and after the last.
pub fn timestamp(time: Nanos) -> Option<String> {
    if time == BEGINNING || time == END {
        return None;
    }
    jiff::Timestamp::from_nanosecond(i128::from(time)).ok().map(|t| t.to_string())
}

/// A window in one short phrase: `sliding 5m every 30s`.
pub fn window(spec: &WindowSpec) -> String {
    match spec {
        WindowSpec::Tumbling { sizes, offset, timezone } => {
            let sizes: Vec<String> = sizes.iter().map(|s| duration(*s)).collect();
            let zone = timezone.as_ref().map(|z| format!(" in {z}")).unwrap_or_default();
            format!("tumbling {}{}{zone}", sizes.join(" + "), offset_words(*offset))
        }
        WindowSpec::Sliding { size, every, offset } => {
            format!("sliding {} every {}{}", duration(*size), duration(*every), offset_words(*offset))
        }
        WindowSpec::Session { gap, max } => format!("session gap {}, at most {}", duration(*gap), duration(*max)),
    }
}

fn offset_words(offset: Nanos) -> String {
    if offset == 0 { String::new() } else { format!(" offset {}", duration(offset)) }
}

/// The distance between two neighbouring points of one series; `None` where it is irregular (sessions, rollups).
pub fn window_step(spec: &WindowSpec) -> Option<Nanos> {
    match spec {
        WindowSpec::Tumbling { sizes, .. } if sizes.len() == 1 => sizes.first().copied(),
        WindowSpec::Sliding { every, .. } => Some(*every),
        _ => None,
    }
}

pub fn at(at: At) -> &'static str {
    match at {
        At::Start => "start",
        At::End => "end",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_a_configuration_writes_them() {
        assert_eq!(duration(0), "0s");
        assert_eq!(duration(30 * SECOND), "30s");
        assert_eq!(duration(90 * MINUTE), "1h30m");
        assert_eq!(duration(250 * MILLISECOND), "250ms");
        assert_eq!(duration(DAY + 1), "1d1ns");
    }

    #[test]
    fn times_keep_their_nanoseconds_and_the_ends_of_time_are_no_times() {
        assert_eq!(timestamp(1_700_000_000_000_000_001).as_deref(), Some("2023-11-14T22:13:20.000000001Z"));
        assert_eq!(timestamp(BEGINNING), None);
        assert_eq!(timestamp(END), None);
    }
}
