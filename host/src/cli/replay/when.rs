//! Ends of a slice as people write them.

use wasmill_core::config::units;
use wasmill_core::time::{MILLISECOND, Nanos};
use wasmill_kafka::consumer::slice::Edge;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Earliest,
    /// The log's end.
    End,
    At(Nanos),
    Ago(Nanos),
}

pub fn parse(text: &str) -> Result<When, String> {
    match text {
        "earliest" => return Ok(When::Earliest),
        "latest" | "end" => return Ok(When::End),
        _ => {}
    }
    if let Some(ago) = text.strip_prefix('-') {
        return units::duration(ago).map(When::Ago);
    }
    let time = text.parse::<jiff::Timestamp>().ok().and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    time.map(When::At)
        .ok_or("write a time such as 2026-01-31T08:00:00Z, a time ago such as -1h, `earliest`, or `end`".to_owned())
}

/// Both ends, as they are at `now`. The error: the first lies behind the second.
pub fn edges(from: When, to: When, now: Nanos) -> Result<(Edge, Edge), String> {
    // Kafka's timestamps are milliseconds: the first that is not before the time.
    let timestamp = |time: Nanos| Edge::Timestamp(time.saturating_add(MILLISECOND - 1).div_euclid(MILLISECOND));
    let edge = |when| match when {
        When::Earliest => Edge::Earliest,
        When::End => Edge::Latest,
        When::At(time) => timestamp(time),
        When::Ago(length) => timestamp(now.saturating_sub(length)),
    };
    let rank = |edge| match edge {
        Edge::Earliest => (0, 0),
        Edge::Timestamp(time) => (1, time),
        Edge::Latest => (2, 0),
    };
    let (from, to) = (edge(from), edge(to));
    if rank(from) > rank(to) {
        return Err("--from lies behind --to: nothing is between them".to_owned());
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill_core::time::{HOUR, SECOND};

    #[test]
    fn ends_are_times_lengths_ago_or_words_and_must_come_in_order() {
        assert_eq!(parse("-1h30m"), Ok(When::Ago(HOUR * 3 / 2)));
        assert_eq!(parse("1970-01-01T01:00:01+01:00"), Ok(When::At(SECOND)));
        assert_eq!((parse("latest"), parse("end")), (Ok(When::End), Ok(When::End)));
        for wrong in ["yesterday", "-1 fortnight", "1h", "", "2026-01-31"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let edges = |from, to| edges(from, to, 10 * SECOND);
        assert_eq!(edges(When::Ago(SECOND), When::End), Ok((Edge::Timestamp(9000), Edge::Latest)));
        assert_eq!(edges(When::At(1), When::At(MILLISECOND)), Ok((Edge::Timestamp(1), Edge::Timestamp(1))));
        assert!(edges(When::End, When::Earliest).is_err());
        assert!(edges(When::Ago(SECOND), When::Ago(2 * SECOND)).is_err());
    }
}
