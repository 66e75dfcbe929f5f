//! Workers and what they own, as readers see it.

use crate::postgres::PgStore;
use crate::postgres::write::lease::{claimed, left_to_others};
use crate::{Claimed, Except, JournalError, WorkerId, WorkerRow};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

fn worker(row: &PgRow) -> Result<WorkerRow, sqlx::Error> {
    Ok(WorkerRow {
        id: WorkerId(row.try_get(0)?),
        what: row.try_get(1)?,
        process: u32::try_from(row.try_get::<i64, _>(2)?).unwrap_or_default(),
        lock: row.try_get(3)?,
        beat: row.try_get(4)?,
        lease_ms: row.try_get::<i64, _>(5)?.unsigned_abs(),
        gone: row.try_get(6)?,
    })
}

impl PgStore {
    pub(crate) async fn worker_rows(&self) -> Result<Vec<WorkerRow>, JournalError> {
        let sql = "SELECT id, what, process, lock, lease_until_ms, lease_ms, gone <> 0 FROM @worker ORDER BY id";
        let rows = self.fetch(sql, |query| query).await?;
        rows.iter().map(worker).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }

    pub(crate) async fn loads(&self) -> Result<BTreeMap<WorkerId, u64>, JournalError> {
        let sql =
            "SELECT owner, count(*) FROM @execution WHERE status = 'RUNNING' AND owner IS NOT NULL GROUP BY owner";
        let rows = self.fetch(sql, |query| query).await?;
        let load = |row: &PgRow| Ok((WorkerId(row.try_get(0)?), row.try_get::<i64, _>(1)?.unsigned_abs()));
        rows.iter().map(load).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }

    pub(crate) async fn claimed_by(&self, worker: WorkerId) -> Result<Vec<Claimed>, JournalError> {
        let sql = "SELECT x.id, x.arn, x.definition, (SELECT l.deaths FROM @latest l WHERE l.execution = x.id) \
                   FROM @execution x WHERE x.status = 'RUNNING' AND x.owner = $1 ORDER BY x.id";
        let rows = self.fetch(sql, |query| query.bind(worker.0)).await?;
        rows.iter().map(claimed).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }

    pub(crate) async fn claimable_by(
        &self,
        own: WorkerId,
        except: &Except,
        again_ms: i64,
    ) -> Result<bool, JournalError> {
        let left = "AND definition <> ALL($1) AND id <> ALL($2)";
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM @execution WHERE status = 'RUNNING' AND owner IS NULL {left}) \
             OR EXISTS (SELECT 1 FROM @worker w WHERE w.gone <> 0 AND w.id <> $3 AND EXISTS (\
                        SELECT 1 FROM @execution WHERE status = 'RUNNING' AND owner = w.id {left})) \
             OR EXISTS (SELECT 1 FROM @execution WHERE status = 'RUNNING' AND owner = -1 AND again_ms <= $4 {left})"
        );
        let (definitions, executions) = left_to_others(except);
        let bind = |query: super::super::conn::Query<'static>| {
            query.bind(definitions.clone()).bind(executions.clone()).bind(own.0).bind(again_ms)
        };
        let rows = self.fetch(&sql, bind).await?;
        rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(|e| self.place.failed(e))
    }
}
