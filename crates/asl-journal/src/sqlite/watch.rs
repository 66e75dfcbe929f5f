//! Whether anybody wrote: a question that costs microseconds, so it can be asked twenty times a second. And whether the file
//! is still there, and its log in order.

use crate::JournalError;
use crate::sqlite::error::Place;
use crate::sqlite::open::{connect_to_tend, in_the_background};
use crate::sqlite::place::DatabaseFile;
use crate::sqlite::write::writer::Counts;
use crate::{Journal, WorkerId};
use sqlx::{Connection, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A write-ahead log of so many bytes that cannot be moved to the file is held by a reader: the writer moves it when it has an
/// eighth of that.
const LOG_HELD_BYTES: u64 = 32 * 1024 * 1024;
/// A log of so many bytes is cut when it can be.
const LOG_LONG_BYTES: u64 = 20 * 1024 * 1024;

/// Looks at SQLite's `data_version`, which changes with every commit of any other connection.
pub struct Watcher {
    place: Place,
    on: On,
    seen: Option<i64>,
}

enum On {
    File(Box<SqliteConnection>, DatabaseFile),
    /// Only this process writes to it, through one journal.
    Memory(Arc<Counts>),
}

impl Watcher {
    /// True when somebody, in this process or another, has committed since the last call; and the first time.
    ///
    /// # Errors
    /// [`JournalError::Gone`] when the file was deleted or replaced, or when the database cannot be read.
    pub async fn changed(&mut self) -> Result<bool, JournalError> {
        let version = match &mut self.on {
            On::Memory(counts) => counts.commits.load(Ordering::Relaxed).cast_signed(),
            On::File(conn, file) => {
                file.is_there(&self.place.path)?;
                let query = sqlx::query_scalar("SELECT data_version FROM pragma_data_version");
                query.fetch_one(&mut **conn).await.map_err(|e| self.place.failed(e))?
            }
        };
        Ok(self.seen.replace(version) != Some(version))
    }

    /// Sees to the write-ahead log: one that grew is cut, unless somebody reads from it. Then how many bytes it has is told,
    /// for as long as that lasts it grows. Waits for nobody.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tend_log(&self) -> Result<Option<u64>, JournalError> {
        let On::File(_, file) = &self.on else { return Ok(None) };
        if file.log_bytes() < LOG_LONG_BYTES {
            return Ok(None);
        }
        let place = self.place.clone();
        let held = in_the_background(move || {
            let failed = |e| place.failed(e);
            let conn = connect_to_tend(&place)?;
            let checkpoint = |mode: &str| {
                let sql = format!("PRAGMA wal_checkpoint({mode})");
                conn.query_row(&sql, (), |row| <(i64, i64, i64)>::try_from(row))
            };
            // Writers write on beside the first; the second holds them up, so it is for a log that is moved already.
            let (_, pages, moved) = checkpoint("PASSIVE").map_err(failed)?;
            if moved >= pages {
                checkpoint("TRUNCATE").map_err(failed)?;
                return Ok::<_, JournalError>(0);
            }
            let page_bytes: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
            Ok((pages - moved).saturating_mul(page_bytes).unsigned_abs())
        });
        Ok(Some(held.await?).filter(|held| *held >= LOG_HELD_BYTES).map(|_| file.log_bytes()))
    }
}

impl Journal {
    /// Watches for commits.
    ///
    /// # Errors
    /// [`JournalError::Gone`] when the file was deleted or replaced, or when the database cannot be opened once more.
    pub async fn watcher(&self) -> Result<Watcher, JournalError> {
        let on = match &self.file {
            None => On::Memory(self.counts.clone()),
            Some(file) => {
                file.is_there(&self.place.path)?;
                let conn = SqliteConnection::connect_with(&self.readers.pool.connect_options()).await;
                On::File(Box::new(conn.map_err(|e| self.place.failed(e))?), file.clone())
            }
        };
        Ok(Watcher { place: self.place.clone(), on, seen: None })
    }

    /// True for a database in memory.
    pub fn in_this_process_only(&self) -> bool {
        self.readers.memory.is_some()
    }

    /// The worker that this handle writes as.
    pub fn writes_as(&self) -> Option<WorkerId> {
        self.owner
    }
}
