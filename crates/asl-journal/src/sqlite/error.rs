//! What a failure of SQLite means in the contract's terms.

use asl_store::StoreError;
use std::path::Path;
use std::sync::Arc;

/// Which database is meant, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: Arc<Path>,
    pub(crate) busy_timeout_ms: u64,
}

/// A path, as messages name it.
pub(crate) fn name(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

/// A failure of one of the two drivers: SQLite's extended result code, if it has one, and the words.
pub(crate) struct Failure {
    code: Option<u32>,
    message: String,
}

impl Failure {
    fn sqlite(code: Option<u32>, message: &str) -> Failure {
        let message = code.map_or_else(|| message.to_owned(), |code| format!("{message}, SQLite's code {code}"));
        Failure { code, message }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        match error.as_database_error() {
            Some(told) => Failure::sqlite(told.code().and_then(|code| code.parse().ok()), told.message()),
            None => Failure { code: None, message: error.to_string() },
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        let code = error.sqlite_error().map(|error| error.extended_code.unsigned_abs());
        Failure::sqlite(code, &error.to_string())
    }
}

impl Place {
    /// The path, as messages name it.
    pub(crate) fn name(&self) -> Arc<str> {
        name(&self.path)
    }

    /// What a failure of a driver means. The numbers are SQLite's primary result codes.
    pub(crate) fn failed(&self, error: impl Into<Failure>) -> StoreError {
        let place = self.name();
        let Failure { code, message } = error.into();
        match code.map(|extended| extended & 0xff) {
            Some(5 | 6) => StoreError::Locked { place, waited_ms: self.busy_timeout_ms },
            Some(11) => StoreError::Damaged { place, message },
            Some(13) => StoreError::Full { place },
            Some(3 | 8 | 10 | 14 | 23) => StoreError::Io { place, message },
            Some(26) => StoreError::NotADatabase { place },
            _ => StoreError::Database { place, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    #[tokio::test]
    async fn a_full_disk_is_told_as_such_by_either_driver() {
        let sql = "PRAGMA max_page_count = 2; CREATE TABLE a AS SELECT zeroblob(100000);";
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let reader = sqlx::raw_sql(sql).execute(&mut conn).await.unwrap_err();
        let writer = rusqlite::Connection::open_in_memory().unwrap().execute_batch(sql).unwrap_err();
        let place = Place { path: Path::new("a.db").into(), busy_timeout_ms: 0 };
        for told in [place.failed(reader).to_string(), place.failed(writer).to_string()] {
            assert_eq!(told, "the disk of the database a.db is full: nothing was written");
        }
    }
}
