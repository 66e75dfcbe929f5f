//! Looking after a database: whether it is whole, a copy of it, its size, and the deletion of what ended long ago.

use crate::sqlite::error::{self, Place};
use crate::sqlite::open::{connect_to_change, connect_to_read, in_the_background};
use crate::sqlite::place as file;
use crate::{Journal, JournalError, Options, Status};
use asl_expr::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use std::io::ErrorKind;
use std::path::Path;

/// Which executions are deleted: those that ended before a time, and are like this.
#[derive(Clone, Debug)]
pub struct Purge {
    /// They ended before then.
    pub ended_before: Timestamp,
    /// Only with this status, which is not [`Status::Running`].
    pub status: Option<Status>,
    /// Only of the state machine of this name, and the children of its map runs.
    pub state_machine: Option<String>,
}

/// So many executions are deleted in a transaction at most: others write in between.
const AT_ONCE: u32 = 200;

/// Those that somebody names.
const NAMED: &str = "x.status <> 'RUNNING' AND x.stopped_ms < ?1 AND (?2 IS NULL OR x.status = ?2) \
    AND (?3 IS NULL OR x.state_machine = ?3 OR substr(x.state_machine, 1, length(?3) + 1) = ?3 || '/')";
/// Those of them that are deleted. What holds the highest number or position stays, because SQLite would give either again; a child of
/// a map run stays as long as an execution of its state machine that may be its parent: a redrive goes on with both.
const MEANT: &str = "x.id NOT IN (SELECT id FROM last) \
    AND NOT (instr(x.state_machine, '/') > 0 AND EXISTS ( \
        SELECT 1 FROM execution p WHERE p.state_machine = substr(x.state_machine, 1, instr(x.state_machine, '/') - 1) \
        AND p.started_ms <= x.started_ms AND (p.stopped_ms IS NULL OR p.stopped_ms >= x.started_ms) \
        AND (p.stopped_ms IS NULL OR p.stopped_ms >= ?1 OR p.status <> coalesce(?2, p.status) OR p.id IN (SELECT id FROM last))))";
const LAST: &str = "WITH last (id) AS (SELECT max(id) FROM execution UNION \
    SELECT * FROM (SELECT execution FROM journal ORDER BY position DESC LIMIT 1))";
const DELETE_RECORDS: &str = "DELETE FROM journal WHERE position IN ( \
    WITH RECURSIVE chain (execution, position) AS ( \
        SELECT l.execution, l.position FROM json_each(?1) wanted CROSS JOIN latest l ON l.execution = wanted.value \
        UNION ALL \
        SELECT c.execution, j.previous FROM chain c \
        CROSS JOIN journal j ON j.position = c.position AND j.execution = c.execution WHERE j.previous < j.position) \
    SELECT position FROM chain)";

impl Journal {
    /// How many executions [`Journal::purge`] would delete.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn purgeable(&self, purge: &Purge) -> Result<u64, JournalError> {
        let (place, purge) = (self.place.clone(), purge.clone());
        in_the_background(move || {
            let conn = connect_to_read(&place, None)?;
            let sql = format!("{LAST} SELECT count(*) FROM execution x WHERE {NAMED} AND {MEANT}");
            let count: i64 = conn.query_row(&sql, given(&purge), |row| row.get(0)).map_err(|e| place.failed(e))?;
            Ok(count.unsigned_abs())
        })
        .await
    }

    /// The names of the executions that this means and [`Journal::purge`] keeps, because the database counts on from them: the one that
    /// was started last, and the one that wrote last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn purge_keeps(&self, purge: &Purge) -> Result<Vec<String>, JournalError> {
        let (place, purge) = (self.place.clone(), purge.clone());
        in_the_background(move || {
            let conn = connect_to_read(&place, None)?;
            let sql = format!(
                "{LAST} SELECT x.name FROM execution x WHERE {NAMED} AND x.id IN (SELECT id FROM last) ORDER BY x.id"
            );
            let names = conn
                .prepare(&sql)
                .and_then(|mut query| query.query_map(given(&purge), |row| row.get(0)).and_then(Iterator::collect));
            names.map_err(|e| place.failed(e))
        })
        .await
    }

    /// Deletes executions that have ended, with their histories; definitions stay. Others may write meanwhile. Returns how many
    /// were deleted.
    ///
    /// # Errors
    /// When the database cannot be written; what was deleted before stays deleted.
    pub async fn purge(&self, purge: &Purge) -> Result<u64, JournalError> {
        let (place, purge) = (self.place.clone(), purge.clone());
        in_the_background(move || {
            let mut conn = connect_to_change(&place)?;
            let mut deleted = 0;
            loop {
                let some = delete(&mut conn, &purge).map_err(|e| place.failed(e))?;
                deleted += some;
                if some < u64::from(AT_ONCE) {
                    return Ok(deleted);
                }
            }
        })
        .await
    }

    /// Writes a consistent copy of the database, while others write to it, to a file that is not there yet; for its owner alone,
    /// because the keys of task tokens are in it.
    ///
    /// # Errors
    /// When the copy cannot be written, or is there already.
    pub async fn backup(&self, to: &Path) -> Result<(), JournalError> {
        let (place, to) = (self.place.clone(), to.to_owned());
        in_the_background(move || {
            let io = |message: String| JournalError::Io { place: error::name(&to), message };
            file::check(&to)?;
            let target = to.to_str().ok_or_else(|| io("its name is not UTF-8".to_owned()))?;
            let conn = connect_to_read(&place, None)?;
            file::make_new(&to).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => io("it exists already".to_owned()),
                _ => io(error.to_string()),
            })?;
            // SQLite's own words name the database, not the copy.
            let copied = conn.pragma_update(None, "query_only", false);
            let copied = copied.and_then(|()| conn.execute("VACUUM INTO ?1", [target]));
            copied.map(drop).map_err(|e| {
                // Half a copy is none.
                let _ = std::fs::remove_file(&to);
                io(e.to_string())
            })
        })
        .await
    }

    /// What SQLite finds wrong with the file, at most a hundred sentences; none when it is whole.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub async fn integrity(&self) -> Result<Vec<String>, JournalError> {
        let place = self.place.clone();
        in_the_background(move || {
            let conn = connect_to_read(&place, None)?;
            let failed = |e: rusqlite::Error| place.failed(e);
            let mut check = conn.prepare("PRAGMA integrity_check(100)").map_err(failed)?;
            let found = check.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
            let found: Vec<String> = found.collect::<Result<_, _>>().map_err(failed)?;
            Ok(found.into_iter().filter(|line| line != "ok").collect())
        })
        .await
    }

    /// Gives back to the disk what a database does not use any more. Nobody else may write meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Missing`] when there is none, [`JournalError::Locked`] while somebody writes, and when there is no room
    /// for the copy that SQLite makes.
    pub async fn vacuum(path: &Path, options: Options) -> Result<(), JournalError> {
        file::check(path)?;
        if !tokio::fs::try_exists(path).await.unwrap_or(true) {
            return Err(JournalError::Missing { place: error::name(path) });
        }
        let place = Place { path: path.into(), busy_timeout_ms: options.busy_timeout_ms };
        in_the_background(move || {
            let conn = connect_to_change(&place)?;
            conn.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").map_err(|e| place.failed(e))
        })
        .await
    }
}

fn given(purge: &Purge) -> impl rusqlite::Params {
    let status = purge.status.map(|status| status.name().to_owned());
    (purge.ended_before.millis(), status, purge.state_machine.clone())
}

/// Some of them, in a transaction; returns how many.
fn delete(conn: &mut Connection, purge: &Purge) -> Result<u64, rusqlite::Error> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ids: Vec<i64> = {
        let sql =
            format!("{LAST} SELECT x.id FROM execution x WHERE {NAMED} AND {MEANT} ORDER BY x.id LIMIT {AT_ONCE}");
        let mut meant = tx.prepare(&sql)?;
        let ids = meant.query_map(given(purge), |row| row.get(0))?;
        ids.collect::<Result<_, _>>()?
    };
    let numbers = format!("[{}]", ids.iter().map(i64::to_string).collect::<Vec<_>>().join(","));
    // There is no index of records by execution: their chains are followed, from the last record on back.
    tx.execute(DELETE_RECORDS, params![numbers])?;
    for (table, column) in
        [("inbox", "execution"), ("map_run", "execution"), ("latest", "execution"), ("execution", "id")]
    {
        let sql = format!("DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?1))");
        tx.execute(&sql, params![numbers])?;
    }
    tx.commit()?;
    Ok(ids.len() as u64)
}
