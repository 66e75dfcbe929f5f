//! Looking after a store on PostgreSQL: the deletion of what ended long ago.

use super::PgStore;
use super::conn::Query;
use crate::{JournalError, Purge};
use sqlx::Row as _;

/// So many executions are deleted in a transaction at most: others write in between.
const AT_ONCE: u64 = 200;

/// Those that are meant; as in SQLite, but that numbers are never given again. A child of a map run stays as long as an execution of its
/// state machine that may be its parent: a redrive goes on with both.
const MEANT: &str = "x.status <> 'RUNNING' AND x.stopped_ms < $1 AND ($2::text IS NULL OR x.status = $2) \
    AND ($3::text IS NULL OR x.state_machine = $3 OR starts_with(x.state_machine, $3 || '/')) \
    AND NOT (strpos(x.state_machine, '/') > 0 AND EXISTS ( \
        SELECT 1 FROM @execution p WHERE p.state_machine = split_part(x.state_machine, '/', 1) \
        AND p.started_ms <= x.started_ms AND (p.stopped_ms IS NULL OR p.stopped_ms >= x.started_ms) \
        AND (p.stopped_ms IS NULL OR p.stopped_ms >= $1 OR p.status <> coalesce($2, p.status))))";

fn given(query: Query<'static>, purge: &Purge) -> Query<'static> {
    let status = purge.status.map(|status| status.name().to_owned());
    query.bind(purge.ended_before.millis()).bind(status).bind(purge.state_machine.clone())
}

impl PgStore {
    /// How many executions [`PgStore::purge`] would delete.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn purgeable(&self, purge: &Purge) -> Result<u64, JournalError> {
        let sql = format!("SELECT count(*) FROM @execution x WHERE {MEANT}");
        let rows = self.fetch(&sql, |query| given(query, purge)).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(|e| self.place.failed(e))?;
        Ok(count.unsigned_abs())
    }

    /// Deletes executions that have ended, with their histories; definitions stay. Others may write meanwhile, and purge. Returns how
    /// many were deleted.
    ///
    /// # Errors
    /// When the database cannot be written; what was deleted before stays deleted.
    pub async fn purge(&self, purge: &Purge) -> Result<u64, JournalError> {
        let sql = format!(
            "WITH RECURSIVE meant AS MATERIALIZED (SELECT x.id FROM @execution x WHERE {MEANT} ORDER BY x.id LIMIT {AT_ONCE} \
             FOR UPDATE OF x SKIP LOCKED), \
             chain (execution, position) AS ( \
                 SELECT l.execution, l.position FROM meant m JOIN @latest l ON l.execution = m.id \
                 UNION ALL \
                 SELECT c.execution, j.previous FROM chain c JOIN @journal j ON j.position = c.position \
                 AND j.execution = c.execution WHERE j.previous < j.position), \
             j AS (DELETE FROM @journal WHERE position IN (SELECT position FROM chain)), \
             i AS (DELETE FROM @inbox WHERE execution IN (SELECT id FROM meant)), \
             r AS (DELETE FROM @map_run WHERE execution IN (SELECT id FROM meant)), \
             l AS (DELETE FROM @latest WHERE execution IN (SELECT id FROM meant)) \
             DELETE FROM @execution WHERE id IN (SELECT id FROM meant)"
        );
        let mut deleted = 0;
        loop {
            let some = self.write(|tx| {
                let query = given(self.query(&sql), purge);
                Box::pin(async move { query.execute(tx).await.map(|done| Ok(done.rows_affected())) })
            });
            let some = some.await?;
            deleted += some;
            if some < AT_ONCE {
                return Ok(deleted);
            }
        }
    }
}
