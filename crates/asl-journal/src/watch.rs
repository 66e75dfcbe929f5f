//! Whether anybody wrote: a question that costs microseconds, so it can be asked twenty times a second.

use crate::error::{JournalError, Place};
use crate::{Journal, WorkerId};
use sqlx::{Connection, SqliteConnection};

/// Looks at SQLite's `data_version`, which changes with every commit of any other connection.
pub struct Watcher {
    conn: SqliteConnection,
    place: Place,
    seen: Option<i64>,
}

impl Watcher {
    /// True when somebody, in this process or another, has committed since the last call; and the first time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changed(&mut self) -> Result<bool, JournalError> {
        let query = sqlx::query_scalar("SELECT data_version FROM pragma_data_version");
        let version: i64 = query.fetch_one(&mut self.conn).await.map_err(|e| self.place.failed(e))?;
        Ok(self.seen.replace(version) != Some(version))
    }
}

impl Journal {
    /// Watches for commits. `None` for a database in memory, which no other process can write to.
    ///
    /// # Errors
    /// When the database cannot be opened once more.
    pub async fn watcher(&self) -> Result<Option<Watcher>, JournalError> {
        if self.in_this_process_only() {
            return Ok(None);
        }
        let conn = SqliteConnection::connect_with(&self.readers.pool.connect_options()).await;
        let conn = conn.map_err(|e| self.place.failed(e))?;
        Ok(Some(Watcher { conn, place: self.place.clone(), seen: None }))
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
