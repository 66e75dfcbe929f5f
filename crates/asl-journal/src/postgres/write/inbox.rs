//! Inputs for executions from processes that do not run them; see [`crate::sqlite`]'s inbox for what they are.

use crate::postgres::PgStore;
use crate::{ExecutionId, JournalError, SignalId, WorkerId};
use asl_core::Input;
use sqlx::Row as _;

/// How many inputs may wait for one execution.
const LIMIT: i64 = 1000;
/// For how many of the last inputs it is kept what became of them.
const VERDICTS: i64 = 10_000;
/// So many are forgotten at once.
const FORGET: i64 = 64;

impl PgStore {
    /// Leaves an input for whoever runs an execution.
    pub(crate) async fn leave(
        &self,
        execution: ExecutionId,
        input: Input,
        now_ms: i64,
    ) -> Result<SignalId, JournalError> {
        let mut payload = None;
        let input = input.map(&mut |value| {
            payload = Some(value.to_string());
            0
        });
        let text = serde_json::to_string(&input).expect("inputs have string keys and no other way to fail");
        // The header is held, so that the execution does not end in between.
        let sql = "WITH x AS MATERIALIZED (SELECT id FROM @execution WHERE id = $1 AND status = 'RUNNING' FOR SHARE), \
                   n AS (SELECT count(*) AS waiting FROM @inbox WHERE execution = $1), \
                   i AS (INSERT INTO @inbox (execution, input, payload, sent_ms) \
                         SELECT x.id, $2, $3, $4 FROM x CROSS JOIN n WHERE n.waiting < $5 RETURNING id) \
                   SELECT EXISTS (SELECT 1 FROM x), (SELECT id FROM i), pg_notify('asl', '')::text";
        let forget = "DELETE FROM @verdict WHERE mail <= $1";
        self.write(|tx| {
            let post =
                self.query(sql).bind(execution.0).bind(text.clone()).bind(payload.clone()).bind(now_ms).bind(LIMIT);
            let store = self.clone();
            Box::pin(async move {
                let row = post.fetch_one(&mut *tx).await?;
                let (is_open, id): (bool, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
                let Some(id) = id else {
                    let full = JournalError::InboxFull { execution };
                    return Ok(Err(if is_open { full } else { JournalError::Ended { execution } }));
                };
                if id % FORGET == 0 {
                    store.query(forget).bind(id - VERDICTS).execute(&mut *tx).await?;
                }
                Ok(Ok(SignalId(id)))
            })
        })
        .await
    }

    /// Refuses inputs that have no place in their execution any more.
    pub(crate) async fn discard_for(&self, worker: WorkerId, signals: Vec<SignalId>) -> Result<(), JournalError> {
        let signals: Vec<i64> = signals.into_iter().map(|signal| signal.0).collect();
        let sql = "WITH gone AS (DELETE FROM @inbox i USING @execution x WHERE i.id = ANY($1) AND x.id = i.execution \
                   AND x.owner = $2 RETURNING i.id) \
                   INSERT INTO @verdict (mail, taken) SELECT id, 0 FROM gone ON CONFLICT DO NOTHING";
        self.write_by(Some(worker), |tx| {
            let query = self.query(sql).bind(signals.clone()).bind(worker.0);
            Box::pin(async move { query.execute(tx).await.map(|_| Ok(())) })
        })
        .await
    }
}
