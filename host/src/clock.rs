//! The clock, and times as people read them.

use wasmill_core::time::Nanos;

/// Now, in nanoseconds since 1970-01-01 UTC.
pub fn now() -> Nanos {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// RFC 3339 in UTC; what lies outside of jiff's years is shown as its number.
pub fn rfc3339(time: Nanos) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time)).map_or_else(|_| format!("{time} ns"), |t| t.to_string())
}
