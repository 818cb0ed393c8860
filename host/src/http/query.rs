//! The parameters of `/api/v1/series`, read from text and bounded.

use std::collections::BTreeMap;

use wasmill_core::time::{DAY, HOUR, MINUTE, Nanos, SECOND};

use super::problem::Problem;
use super::store::SeriesQuery;

/// Series in one answer.
pub const MAX_SERIES: usize = 200;
/// Points in one answer, over all series.
pub const MAX_POINTS: usize = 50_000;
/// Points of one series: (to - from) / step.
pub const MAX_STEPS: i64 = 11_000;
/// Tags that one query may match.
const MAX_TAGS: usize = 16;
const DEFAULT_RANGE: Nanos = 15 * MINUTE;

/// Reads `measurement`, `field`, `tag.NAME`, `from`, `to`, `step`. Unknown or repeated parameters are errors.
pub fn series(parameters: &[(String, String)], now: Nanos) -> Result<SeriesQuery, Problem> {
    let mut once: BTreeMap<&str, &str> = BTreeMap::new();
    let mut tags = BTreeMap::new();
    for (name, value) in parameters {
        let repeated = match name.strip_prefix("tag.") {
            Some(tag) => tags.insert(tag.to_owned(), value.clone()).is_some(),
            None if ["measurement", "field", "from", "to", "step"].contains(&name.as_str()) => {
                once.insert(name, value).is_some()
            }
            None => {
                return Err(Problem::bad_request(format!(
                    "unknown parameter {name:?}: there are measurement, field, tag.NAME, from, to, step"
                )));
            }
        };
        if repeated {
            return Err(Problem::bad_request(format!("the parameter {name:?} is given twice")));
        }
    }
    if tags.len() > MAX_TAGS {
        return Err(Problem::bad_request(format!("at most {MAX_TAGS} tags can be matched")));
    }
    let required = |name: &str| {
        let missing = || Problem::bad_request(format!("the parameter {name} is missing"));
        once.get(name).filter(|v| !v.is_empty()).map(|v| (*v).to_owned()).ok_or_else(missing)
    };
    let to = once.get("to").map_or(Ok(now), |text| time("to", text, now))?;
    let from = once.get("from").map_or(Ok(to.saturating_sub(DEFAULT_RANGE)), |text| time("from", text, now))?;
    let step = once.get("step").map_or(Ok(0), |text| step(text))?;
    if from >= to {
        return Err(Problem::bad_request("from must lie before to"));
    }
    if step > 0 && (to - from) / step > MAX_STEPS {
        return Err(Problem::bad_request(format!(
            "the range holds more than {MAX_STEPS} steps: take a longer step or a shorter range"
        )));
    }
    let (measurement, field) = (required("measurement")?, required("field")?);
    Ok(SeriesQuery { measurement, field, tags, from, to, step, max_series: MAX_SERIES, max_points: MAX_POINTS })
}

/// RFC 3339, Unix seconds (perhaps with a fraction), `now`, or relative to now: `-15m`.
fn time(name: &str, text: &str, now: Nanos) -> Result<Nanos, Problem> {
    let relative = || text.strip_prefix('-').and_then(length).map(|back| now.saturating_sub(back));
    let unix = || text.parse::<f64>().ok().filter(|s| (0.0..9.2e9).contains(s)).map(|s| (s * 1e9) as Nanos);
    let rfc3339 = || {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Nanos::try_from(instant.as_nanosecond()).ok()
    };
    if text == "now" {
        return Ok(now);
    }
    relative().or_else(unix).or_else(rfc3339).ok_or_else(|| {
        Problem::bad_request(format!(
            "{name} is {text:?}: write RFC 3339 (2026-01-31T12:00:00Z), Unix seconds, now, or a time ago like -15m"
        ))
    })
}

fn step(text: &str) -> Result<Nanos, Problem> {
    length(text)
        .filter(|step| *step > 0)
        .ok_or_else(|| Problem::bad_request(format!("step is {text:?}: write a length of time like 10s, 1m or 1h")))
}

/// `90s`, `15m`, `6h`, `7d`; a bare number is seconds.
fn length(text: &str) -> Option<Nanos> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => SECOND,
        "ms" => SECOND / 1000,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    digits.parse::<u32>().ok().and_then(|n| Nanos::from(n).checked_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_700_000_000 * SECOND;

    fn ask(text: &str) -> Result<SeriesQuery, Problem> {
        let pairs = text.split('&').map(|p| p.split_once('=').unwrap());
        series(&pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>(), NOW)
    }

    #[test]
    fn every_way_to_write_a_time_is_understood() {
        for (text, seconds) in [
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("1700000000", 1_700_000_000),
            ("now", 1_700_000_000),
            ("-15m", 1_700_000_000 - 900),
            ("-6h", 1_700_000_000 - 21_600),
            ("-30", 1_700_000_000 - 30),
        ] {
            assert_eq!(time("from", text, NOW).unwrap(), seconds * SECOND, "{text}");
        }
        for text in ["", "yesterday", "-", "-5x", "1e300", "NaN", "99999999999999999999", "-99999999999d"] {
            assert!(time("from", text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_are_matched_and_the_range_defaults_to_a_quarter_of_an_hour() {
        let query = ask("measurement=revenue&field=total&tag.currency=EUR&step=10s").unwrap();
        assert_eq!(query.tags["currency"], "EUR");
        assert_eq!((query.to, query.to - query.from, query.step), (NOW, DEFAULT_RANGE, 10 * SECOND));
    }

    #[test]
    fn what_would_cost_too_much_or_means_nothing_is_refused() {
        for text in [
            "measurement=a",
            "measurement=a&field=",
            "measurement=a&field=b&from=now&to=-1m",
            "measurement=a&field=b&from=-30d&step=1s",
            "measurement=a&field=b&step=0s",
            "measurement=a&field=b&limit=9",
            "measurement=a&field=b&field=c",
        ] {
            assert!(ask(text).is_err(), "{text}");
        }
    }
}
