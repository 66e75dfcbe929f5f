//! Workers and what they own, as readers see it.

use super::headers::Numbers;
use crate::{Claimed, Except, ExecutionId, Journal, JournalError, JournalWorker, WorkerId, WorkerRow};
use std::collections::BTreeMap;

/// Both lists, as a statement takes them.
pub(crate) fn lists(except: &Except) -> (String, String) {
    let definitions: Vec<&str> = except.definitions.iter().map(|hash| &**hash).collect();
    let definitions = serde_json::to_string(&definitions).expect("texts have no way to fail");
    (definitions, Numbers::new(&except.executions).0)
}

/// Number, ARN, definition and deaths of an execution.
pub(crate) type Row = (i64, String, String, Option<u32>);

pub(crate) fn claimed((id, arn, definition, deaths): Row) -> Claimed {
    let deaths = deaths.unwrap_or(0);
    Claimed { id: ExecutionId(id), arn: arn.into(), definition: definition.into(), deaths, again: false }
}

impl Journal {
    /// How many open executions each worker has; those of nobody are not among them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workloads(&self) -> Result<BTreeMap<WorkerId, u64>, JournalError> {
        let sql = "SELECT owner, count(*) FROM execution INDEXED BY execution_open \
                   WHERE status = 'RUNNING' AND owner IS NOT NULL GROUP BY owner";
        let mut conn = self.reader().await?;
        let rows: Result<Vec<(i64, i64)>, _> = sqlx::query_as(sql).fetch_all(&mut *conn).await;
        let rows = rows.map_err(|e| self.place.failed(e))?.into_iter();
        Ok(rows.map(|(owner, count)| (WorkerId(owner), count.unsigned_abs())).collect())
    }

    /// The workers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workers(&self) -> Result<Vec<WorkerRow>, JournalError> {
        let sql = "SELECT id, what, process, lock, lease_until_ms, lease_ms, gone FROM worker ORDER BY id";
        let mut conn = self.reader().await?;
        type Row = (i64, String, u32, Option<String>, i64, i64, bool);
        let rows: Result<Vec<Row>, _> = sqlx::query_as(sql).fetch_all(&mut *conn).await;
        let rows = rows.map_err(|e| self.place.failed(e))?;
        let worker = |(id, what, process, lock, beat, lease_ms, gone): Row| WorkerRow {
            id: WorkerId(id),
            what,
            process,
            lock,
            beat,
            lease_ms: lease_ms.unsigned_abs(),
            gone,
        };
        Ok(rows.into_iter().map(worker).collect())
    }
}

impl JournalWorker {
    /// The open executions that are this worker's already.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn claimed(&self) -> Result<Vec<Claimed>, JournalError> {
        let sql = "SELECT x.id, x.arn, x.definition, l.deaths FROM execution x INDEXED BY execution_open \
                   LEFT JOIN latest l ON l.execution = x.id WHERE x.status = 'RUNNING' AND x.owner = ? ORDER BY x.id";
        let mut conn = self.reader().await?;
        let rows: Result<Vec<Row>, _> = sqlx::query_as(sql).bind(self.id.0).fetch_all(&mut *conn).await;
        Ok(rows.map_err(|e| self.place.failed(e))?.into_iter().map(claimed).collect())
    }

    /// True when a [`JournalWorker::claim`] would find something, at `again_ms` (as in [`crate::Claim::again_ms`]). Cheap: no execution
    /// is looked at but the first that is not left to others, and those that are set aside.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn claimable(&self, except: &Except, again_ms: i64) -> Result<bool, JournalError> {
        let left =
            "AND definition NOT IN (SELECT value FROM json_each(?1)) AND id NOT IN (SELECT value FROM json_each(?2))";
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM execution INDEXED BY execution_open \
                            WHERE status = 'RUNNING' AND owner IS NULL {left}) \
             OR EXISTS (SELECT 1 FROM worker w WHERE w.gone AND w.id <> ?3 AND EXISTS (\
                        SELECT 1 FROM execution INDEXED BY execution_open \
                        WHERE status = 'RUNNING' AND owner = w.id {left})) \
             OR EXISTS (SELECT 1 FROM execution INDEXED BY execution_open \
                        WHERE status = 'RUNNING' AND owner = -1 AND again_ms <= ?4 {left})"
        );
        let (definitions, executions) = lists(except);
        let mut conn = self.reader().await?;
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(definitions).bind(executions).bind(self.id.0);
        query.bind(again_ms).fetch_one(&mut *conn).await.map_err(|e| self.place.failed(e))
    }
}
