//! A range of one field, step by step.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use wasmill_core::time::Nanos;

use crate::http::store::{Found, Series, SeriesQuery};

/// Numbers and booleans only: a text cannot be drawn.
const LAST: &str = "SELECT CAST(value AS REAL) FROM point WHERE series = ?1 AND time >= ?2 AND time < ?3
                    AND typeof(value) <> 'text' ORDER BY time DESC LIMIT 1";
const NEWEST_FIRST: &str = "SELECT time, CAST(value AS REAL) FROM point WHERE series = ?1 AND time >= ?2 AND time < ?3
                            AND typeof(value) <> 'text' ORDER BY time DESC";

struct Candidate {
    id: i64,
    tags: BTreeMap<String, String>,
    last: f64,
}

pub fn run(connection: &Connection, query: &SeriesQuery) -> rusqlite::Result<Found> {
    let mut candidates = candidates(connection, query)?;
    let series_total = candidates.len();
    candidates.sort_by(|a, b| b.last.total_cmp(&a.last).then_with(|| a.tags.cmp(&b.tags)));
    candidates.truncate(query.max_series);

    let mut truncated = false;
    let mut series = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let (points, cut) = points(connection, candidate.id, query)?;
        truncated |= cut;
        series.push(Series { tags: candidate.tags, points });
    }
    truncated |= keep_newest(&mut series, query.max_points);
    Ok(Found { series, series_total, truncated })
}

/// The series that have a point in the range and the tags asked for.
fn candidates(connection: &Connection, query: &SeriesQuery) -> rusqlite::Result<Vec<Candidate>> {
    let mut series =
        connection.prepare_cached("SELECT id, tags FROM series WHERE measurement = ?1 AND field = ?2 ORDER BY tags")?;
    let mut last = connection.prepare_cached(LAST)?;
    let mut rows = series.query(params![query.measurement, query.field])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let tags: BTreeMap<String, String> = serde_json::from_str(row.get_ref(1)?.as_str()?).unwrap_or_default();
        if query.tags.iter().any(|(name, value)| tags.get(name) != Some(value)) {
            continue;
        }
        if let Some(last) = last.query_row(params![id, query.from, query.to], |row| row.get(0)).optional()? {
            found.push(Candidate { id, tags, last });
        }
    }
    Ok(found)
}

/// The points of a series, times rising; at most `max_points` of the newest, and whether there were more.
fn points(connection: &Connection, id: i64, query: &SeriesQuery) -> rusqlite::Result<(Vec<(Nanos, f64)>, bool)> {
    let mut statement = connection.prepare_cached(NEWEST_FIRST)?;
    let mut rows = statement.query(params![id, query.from, query.to])?;
    let mut points: Vec<(Nanos, f64)> = Vec::new();
    // Of the step that the newest point so far lies in.
    let (mut sum, mut count) = (0.0, 0u32);
    while let Some(row) = rows.next()? {
        let (time, value): (Nanos, f64) = (row.get(0)?, row.get(1)?);
        let start = if query.step > 0 { time - time.rem_euclid(query.step) } else { time };
        let full = points.len() == query.max_points;
        match points.last_mut() {
            Some(step) if step.0 == start => {
                (sum, count) = (sum + value, count + 1);
                step.1 = sum / f64::from(count);
            }
            _ if full => {
                points.reverse();
                return Ok((points, true));
            }
            _ => {
                (sum, count) = (value, 1);
                points.push((start, value));
            }
        }
    }
    points.reverse();
    Ok((points, false))
}

/// Cuts all series at one time so that no more than `max_points` are left in all. Returns whether it cut.
fn keep_newest(series: &mut [Series], max_points: usize) -> bool {
    let mut times: Vec<Nanos> = series.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect();
    if times.len() <= max_points {
        return false;
    }
    let surplus = times.len() - max_points;
    let (_, oldest_cut, _) = times.select_nth_unstable(surplus - 1);
    let oldest_cut = *oldest_cut;
    for series in series {
        let keep_from = series.points.partition_point(|p| p.0 <= oldest_cut);
        series.points.drain(..keep_from);
    }
    true
}
