//! The tables, and what makes a connection.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How long to wait for another process that has the file.
const BUSY: Duration = Duration::from_secs(5);
/// Raised when the tables change. A file of another version is refused.
const VERSION: i64 = 1;

/// A series is one field of one tag set. `tags` is a JSON object with sorted keys. Points of a series lie together, by time.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS series (
        id INTEGER PRIMARY KEY,
        measurement TEXT NOT NULL,
        field TEXT NOT NULL,
        tags TEXT NOT NULL,
        UNIQUE (measurement, field, tags)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS point (
        series INTEGER NOT NULL,
        time INTEGER NOT NULL,
        value ANY NOT NULL,
        PRIMARY KEY (series, time)
    ) STRICT, WITHOUT ROWID;
";

/// What the file cannot be used for.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{path}: {source}")]
    Sqlite { path: String, source: rusqlite::Error },
    #[error(
        "{path} was made by another version of Wasmill (tables {found}, not {VERSION}): remove it or name another path"
    )]
    Version { path: String, found: i64 },
}

impl LocalError {
    pub fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> LocalError {
        let path = path.display().to_string();
        move |source| LocalError::Sqlite { path: path.clone(), source }
    }
}

pub fn open_writer(path: &Path) -> Result<Connection, LocalError> {
    let failed = LocalError::sqlite(path);
    let connection = Connection::open(path).map_err(&failed)?;
    connection.busy_timeout(BUSY).map_err(&failed)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(&failed)?;
    connection.pragma_update(None, "synchronous", "normal").map_err(&failed)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&failed)?;
    if found != 0 && found != VERSION {
        return Err(LocalError::Version { path: path.display().to_string(), found });
    }
    connection.execute_batch(TABLES).map_err(&failed)?;
    connection.pragma_update(None, "user_version", VERSION).map_err(&failed)?;
    Ok(connection)
}

pub fn open_reader(path: &Path) -> Result<Connection, LocalError> {
    let failed = LocalError::sqlite(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
    connection.busy_timeout(BUSY).map_err(&failed)?;
    Ok(connection)
}
