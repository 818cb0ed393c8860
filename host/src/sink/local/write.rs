//! Deliveries into the file, a transaction at a time.

use std::path::PathBuf;

use rusqlite::types::ToSqlOutput;
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql, params};
use rustc_hash::FxHashMap;
use wasmill_core::point::{self, FieldValue};
use wasmill_core::time::Nanos;

use super::LocalConfig;
use super::retain::Retention;
use super::schema::{LocalError, open_writer};
use super::store::{Catalog, LocalStore};
use crate::delivery::Delivery;
use crate::http::store::{Point, Value};

/// Ids of series kept in memory; beyond that they are looked up again.
const CACHED_SERIES: usize = 100_000;
/// Points of one transaction that subscribers are told of, the newest.
const PUBLISHED_POINTS: usize = 5_000;

/// What one transaction did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub not_finite: u64,
    pub empty: u64,
    /// Of names and values.
    pub bytes: u64,
}

#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    /// `None` until the file could be opened, and again after an error: what caused it may have replaced the file.
    connection: Option<Connection>,
    store: LocalStore,
    retention: Retention,
    ids: Ids,
}

/// Ids of series by measurement and tags, then by field.
#[derive(Debug, Default)]
struct Ids {
    by_key: FxHashMap<Vec<u8>, FxHashMap<String, i64>>,
    /// Measurement, a zero byte, the tags' JSON.
    key: Vec<u8>,
}

impl Writer {
    pub fn new(config: LocalConfig) -> Self {
        let store = LocalStore::new(config.path.clone());
        let retention = Retention::new(config.retention, config.max_bytes);
        Writer { path: config.path, connection: None, store, retention, ids: Ids::default() }
    }

    pub fn store(&self) -> LocalStore {
        self.store.clone()
    }

    /// Writes all rows in one transaction, then drops what is too old.
    ///
    /// # Errors
    /// Nothing was written; the same call may succeed later.
    pub fn write(&mut self, deliveries: &[Delivery]) -> Result<Counts, LocalError> {
        let result = self.try_write(deliveries);
        if result.is_err() {
            // Ids of the transaction that was rolled back are not ids of anything.
            self.connection = None;
            self.ids = Ids::default();
        }
        result
    }

    fn try_write(&mut self, deliveries: &[Delivery]) -> Result<Counts, LocalError> {
        let failed = LocalError::sqlite(&self.path);
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = open_writer(&self.path)?;
                let catalog = read_catalog(&connection).map_err(&failed)?;
                self.store.with_catalog(|shared| *shared = catalog);
                self.connection.insert(connection)
            }
        };
        let mut counts = Counts::default();
        if !deliveries.is_empty() {
            let transaction = connection.transaction().map_err(&failed)?;
            let mut seen = Catalog::new();
            for delivery in deliveries {
                write_rows(&transaction, delivery, &mut self.ids, &mut seen, &mut counts).map_err(&failed)?;
            }
            transaction.commit().map_err(&failed)?;
            self.store.with_catalog(|catalog| merge(catalog, seen));
            if self.store.has_subscribers() {
                self.store.publish(newest_points(deliveries));
            }
        }
        if self.retention.enforce(connection, &self.store).map_err(&failed)? {
            self.ids = Ids::default();
        }
        Ok(counts)
    }
}

fn write_rows(
    connection: &Connection,
    delivery: &Delivery,
    ids: &mut Ids,
    seen: &mut Catalog,
    counts: &mut Counts,
) -> rusqlite::Result<()> {
    let Delivery { rows, target, .. } = delivery;
    let mut upsert = connection.prepare_cached(
        "INSERT INTO point (series, time, value) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET value = excluded.value",
    )?;
    for row in 0..rows.len() {
        let tags = point::tags(rows, row, &target.tags);
        let (fields, not_finite) = point::fields(rows, row, &target.fields);
        counts.not_finite += not_finite as u64;
        if fields.is_empty() {
            counts.empty += 1;
            continue;
        }
        let time = rows.times[row];
        let entry = match seen.get_mut(&target.measurement) {
            Some(entry) => entry,
            None => seen.entry(target.measurement.clone()).or_default(),
        };
        entry.last = entry.last.max(time);
        ids.select(&target.measurement, &tags);
        for (field, value) in &fields {
            let id = match ids.get(field) {
                Some(id) => id,
                None => {
                    entry.fields.insert(field.clone());
                    entry.tags.extend(tags.iter().map(|(name, _)| name.clone()));
                    ids.add(connection, &target.measurement, field)?
                }
            };
            upsert_point(&mut upsert, id, time, value)?;
            counts.bytes += 16 + field.len() as u64;
        }
    }
    Ok(())
}

fn upsert_point(upsert: &mut CachedStatement<'_>, id: i64, time: Nanos, value: &FieldValue) -> rusqlite::Result<()> {
    let value = match value {
        FieldValue::Boolean(value) => value.to_sql()?,
        FieldValue::Integer(value) => value.to_sql()?,
        FieldValue::Float(value) => value.to_sql()?,
        FieldValue::Text(value) => ToSqlOutput::from(value.as_str()),
    };
    upsert.execute(params![id, time, value])?;
    Ok(())
}

impl Ids {
    /// Takes up the series of one tag set.
    fn select(&mut self, measurement: &str, tags: &[(String, String)]) {
        self.key.clear();
        self.key.extend_from_slice(measurement.as_bytes());
        self.key.push(0);
        self.key.push(b'{');
        for (i, (name, value)) in tags.iter().enumerate() {
            if i > 0 {
                self.key.push(b',');
            }
            wasmill_core::row_json::append_string(name, &mut self.key);
            self.key.push(b':');
            wasmill_core::row_json::append_string(value, &mut self.key);
        }
        self.key.push(b'}');
    }

    fn get(&self, field: &str) -> Option<i64> {
        self.by_key.get(&self.key)?.get(field).copied()
    }

    /// The id out of the file, where it is entered if it is not there.
    fn add(&mut self, connection: &Connection, measurement: &str, field: &str) -> rusqlite::Result<i64> {
        let tags = String::from_utf8_lossy(&self.key[measurement.len() + 1..]).into_owned();
        let mut find =
            connection.prepare_cached("SELECT id FROM series WHERE measurement = ?1 AND field = ?2 AND tags = ?3")?;
        let found = find.query_row(params![measurement, field, tags], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => connection
                .prepare_cached("INSERT INTO series (measurement, field, tags) VALUES (?1, ?2, ?3)")?
                .insert(params![measurement, field, tags])?,
        };
        if self.by_key.len() >= CACHED_SERIES {
            self.by_key.clear();
        }
        self.by_key.entry(self.key.clone()).or_default().insert(field.to_owned(), id);
        Ok(id)
    }
}

fn read_catalog(connection: &Connection) -> rusqlite::Result<Catalog> {
    let mut statement = connection.prepare(
        "SELECT measurement, field, tags, (SELECT max(time) FROM point WHERE point.series = series.id) FROM series",
    )?;
    let mut rows = statement.query([])?;
    let mut catalog = Catalog::new();
    while let Some(row) = rows.next()? {
        let entry = catalog.entry(row.get(0)?).or_default();
        entry.fields.insert(row.get(1)?);
        let tags: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(row.get_ref(2)?.as_str()?).unwrap_or_default();
        entry.tags.extend(tags.into_iter().map(|(name, _)| name));
        entry.last = entry.last.max(row.get::<_, Option<Nanos>>(3)?.unwrap_or(entry.last));
    }
    Ok(catalog)
}

fn merge(catalog: &mut Catalog, seen: Catalog) {
    for (name, new) in seen {
        let entry = catalog.entry(name).or_default();
        entry.fields.extend(new.fields);
        entry.tags.extend(new.tags);
        entry.last = entry.last.max(new.last);
    }
}

/// The last rows of the last deliveries, as subscribers see them.
fn newest_points(deliveries: &[Delivery]) -> Vec<Point> {
    let mut points = Vec::new();
    'all: for Delivery { rows, target, .. } in deliveries.iter().rev() {
        for row in (0..rows.len()).rev() {
            if points.len() == PUBLISHED_POINTS {
                break 'all;
            }
            let (fields, _) = point::fields(rows, row, &target.fields);
            if fields.is_empty() {
                continue;
            }
            points.push(Point {
                measurement: target.measurement.clone(),
                tags: point::tags(rows, row, &target.tags).into_iter().collect(),
                fields: fields.into_iter().map(|(name, value)| (name, shown(value))).collect(),
                time: rows.times[row],
            });
        }
    }
    points.reverse();
    points
}

fn shown(value: FieldValue) -> Value {
    match value {
        FieldValue::Boolean(value) => Value::Boolean(value),
        FieldValue::Integer(value) => Value::Integer(value),
        FieldValue::Float(value) => Value::Float(value),
        FieldValue::Text(value) => Value::Text(value),
    }
}
