//! Dropping what is too old, or what does not fit.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use wasmill_core::time::{BEGINNING, Nanos};

use super::store::LocalStore;

/// How often the store is gone through.
const EVERY: Duration = Duration::from_secs(10);
/// Series that one pass goes through; the next one goes on where it stopped.
const SERIES_A_PASS: i64 = 10_000;
/// When the file is full, this share of the time it covers is dropped.
const SHARE_DROPPED: i64 = 10;

#[derive(Debug)]
pub struct Retention {
    keep: Option<Nanos>,
    max_bytes: u64,
    last: Option<Instant>,
    /// The id up to which the last pass went.
    reached: i64,
}

impl Retention {
    pub fn new(keep: Option<Nanos>, max_bytes: u64) -> Self {
        Retention { keep, max_bytes, last: None, reached: 0 }
    }

    /// Does a pass if one is due. Time is measured from the newest point, so that a replay of old events is not dropped as it comes.
    /// Returns whether series were removed.
    pub fn enforce(&mut self, connection: &mut Connection, store: &LocalStore) -> rusqlite::Result<bool> {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return Ok(false);
        }
        self.last = Some(Instant::now());
        self.pass(connection, store)
    }

    pub(super) fn pass(&mut self, connection: &mut Connection, store: &LocalStore) -> rusqlite::Result<bool> {
        let newest = store.with_catalog(|catalog| catalog.values().map(|m| m.last).max()).unwrap_or(BEGINNING);
        let mut cutoff = self.keep.map_or(BEGINNING, |keep| newest.saturating_sub(keep));
        if bytes_used(connection)? > self.max_bytes {
            let oldest = oldest(connection)?.unwrap_or(newest);
            // At least the oldest points go, even if all have one time.
            let share = newest.saturating_sub(oldest) / SHARE_DROPPED;
            cutoff = cutoff.max(oldest.saturating_add(share).saturating_add(1));
        }
        if cutoff == BEGINNING {
            return Ok(false);
        }
        let removed = self.drop_before(cutoff, connection)?;
        store.with_catalog(|catalog| catalog.retain(|_, entry| entry.last >= cutoff));
        Ok(removed)
    }

    fn drop_before(&mut self, cutoff: Nanos, connection: &mut Connection) -> rusqlite::Result<bool> {
        let transaction = connection.transaction()?;
        let ids: Vec<i64> = transaction
            .prepare_cached("SELECT id FROM series WHERE id > ?1 ORDER BY id LIMIT ?2")?
            .query_map(params![self.reached, SERIES_A_PASS], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut removed = false;
        {
            let mut points = transaction.prepare_cached("DELETE FROM point WHERE series = ?1 AND time < ?2")?;
            let mut series = transaction.prepare_cached(
                "DELETE FROM series WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM point WHERE series = ?1)",
            )?;
            for &id in &ids {
                if points.execute(params![id, cutoff])? > 0 {
                    removed |= series.execute([id])? > 0;
                }
            }
        }
        transaction.commit()?;
        self.reached = if (ids.len() as i64) < SERIES_A_PASS { 0 } else { ids.last().copied().unwrap_or(0) };
        Ok(removed)
    }
}

/// Without the pages that dropped points left free: they are filled again.
fn bytes_used(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?) as u64)
}

fn oldest(connection: &Connection) -> rusqlite::Result<Option<Nanos>> {
    connection.query_row(
        "SELECT min((SELECT min(time) FROM point WHERE point.series = series.id)) FROM series",
        [],
        |row| row.get(0),
    )
}
