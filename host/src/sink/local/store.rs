//! What is shared between the writer and those who ask.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::broadcast;
use wasmill_core::time::{BEGINNING, Nanos};

use super::schema::{LocalError, open_reader};
use crate::http::store::{Found, Measurement, Point, SeriesQuery, SeriesStore, StoreError};

/// Batches of points that a slow subscriber may be behind before it loses the oldest.
const SUBSCRIBED_BATCHES: usize = 256;
/// Read connections kept for the next query.
const IDLE_READERS: usize = 4;

/// The store as everybody but its writer sees it.
#[derive(Clone, Debug)]
pub struct LocalStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    catalog: Mutex<Catalog>,
    points: broadcast::Sender<Arc<Vec<Point>>>,
}

/// What there is, kept by the writer, so that nobody has to search the file for it.
pub type Catalog = BTreeMap<String, CatalogEntry>;

#[derive(Clone, Debug)]
pub struct CatalogEntry {
    pub fields: BTreeSet<String>,
    pub tags: BTreeSet<String>,
    pub last: Nanos,
}

impl Default for CatalogEntry {
    fn default() -> Self {
        CatalogEntry { fields: BTreeSet::new(), tags: BTreeSet::new(), last: BEGINNING }
    }
}

impl LocalStore {
    pub fn new(path: PathBuf) -> Self {
        let (points, _) = broadcast::channel(SUBSCRIBED_BATCHES);
        let (readers, catalog) = (Mutex::default(), Mutex::default());
        LocalStore(Arc::new(Shared { path, readers, catalog, points }))
    }

    pub(super) fn has_subscribers(&self) -> bool {
        self.0.points.receiver_count() > 0
    }

    pub(super) fn publish(&self, points: Vec<Point>) {
        // Nobody listening is fine.
        let _ = self.0.points.send(Arc::new(points));
    }

    pub(super) fn with_catalog<T>(&self, change: impl FnOnce(&mut Catalog) -> T) -> T {
        change(&mut self.0.catalog.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let failed = |error: LocalError| StoreError(error.to_string());
        let readers = || self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = readers().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.0.path).map_err(failed)?,
        };
        // A connection that failed is not kept: the file may have been replaced.
        let result = read(&connection).map_err(|e| failed(LocalError::sqlite(&self.0.path)(e)))?;
        let mut readers = readers();
        if readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        Ok(result)
    }
}

impl SeriesStore for LocalStore {
    fn measurements(&self) -> Result<Vec<Measurement>, StoreError> {
        let measurement = |(name, entry): (&String, &CatalogEntry)| Measurement {
            name: name.clone(),
            fields: entry.fields.iter().cloned().collect(),
            tags: entry.tags.iter().cloned().collect(),
            last: (entry.last != BEGINNING).then_some(entry.last),
        };
        Ok(self.with_catalog(|catalog| catalog.iter().map(measurement).collect()))
    }

    fn query(&self, query: &SeriesQuery) -> Result<Found, StoreError> {
        self.read(|connection| super::query::run(connection, query))
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Vec<Point>>> {
        self.0.points.subscribe()
    }
}
