//! Executions that are set aside, taken again, ended unread: the rows of [`crate::quarantine`].

use crate::postgres::PgStore;
use crate::postgres::zeros::shown;
use crate::quarantine::NOBODY;
use crate::{ExecutionId, JournalError, WorkerId};
use asl_core::Failure;

impl PgStore {
    pub(crate) async fn take_back_any(&self, execution: ExecutionId) -> Result<bool, JournalError> {
        let sql = "WITH back AS (UPDATE @execution SET owner = NULL, set_aside = NULL, again_ms = NULL \
                   WHERE id = $1 AND owner = $2 RETURNING id) \
                   UPDATE @latest SET deaths = 0 WHERE execution IN (SELECT id FROM back)";
        self.write(|tx| {
            let query = self.query(sql).bind(execution.0).bind(NOBODY.0);
            Box::pin(async move { query.execute(tx).await.map(|done| Ok(done.rows_affected() > 0)) })
        })
        .await
    }

    pub(crate) async fn set_aside_for(
        &self,
        worker: WorkerId,
        execution: ExecutionId,
        why: &str,
        again_ms: i64,
    ) -> Result<bool, JournalError> {
        self.ends.forget([execution]);
        let sql = "UPDATE @execution SET owner = $1, set_aside = $2, again_ms = $3 \
                   WHERE id = $4 AND status = 'RUNNING' AND owner = $5";
        self.write_by(Some(worker), |tx| {
            let query = self.query(sql).bind(NOBODY.0).bind(shown(why)).bind(again_ms).bind(execution.0).bind(worker.0);
            Box::pin(async move { query.execute(tx).await.map(|done| Ok(done.rows_affected() > 0)) })
        })
        .await
    }

    pub(crate) async fn end_unread_for(
        &self,
        worker: WorkerId,
        execution: ExecutionId,
        failure: &Failure,
        now_ms: i64,
    ) -> Result<bool, JournalError> {
        self.ends.forget([execution]);
        let sql = "WITH ended AS (UPDATE @execution SET status = 'ABORTED', stopped_ms = $1, error = $2, cause = $3, \
                   set_aside = NULL, again_ms = NULL, unread_end = 1 WHERE id = $4 AND status = 'RUNNING' AND owner = $5 \
                   RETURNING id), \
                   gone AS (DELETE FROM @inbox i USING ended e WHERE i.execution = e.id RETURNING i.id), \
                   told AS (INSERT INTO @verdict (mail, taken) SELECT id, 0 FROM gone ON CONFLICT DO NOTHING) \
                   SELECT id FROM ended";
        self.write_by(Some(worker), |tx| {
            let (error, cause) = (failure.error.as_deref().map(shown), failure.cause.as_deref().map(shown));
            let query = self.query(sql).bind(now_ms).bind(error).bind(cause).bind(execution.0).bind(worker.0);
            Box::pin(async move { query.fetch_optional(tx).await.map(|row| Ok(row.is_some())) })
        })
        .await
    }

    pub(crate) async fn on_trial_for(&self, worker: WorkerId, executions: &[ExecutionId]) -> Result<(), JournalError> {
        let numbers: Vec<i64> = executions.iter().map(|execution| execution.0).collect();
        let list = serde_json::to_string(&numbers).expect("numbers have no way to fail");
        self.write_by(Some(worker), |tx| {
            let query = self.query("UPDATE @worker SET trial = $1 WHERE id = $2").bind(list.clone()).bind(worker.0);
            Box::pin(async move { query.execute(tx).await.map(|_| Ok(())) })
        })
        .await
    }
}
