//! The inbox, verdicts and the keys of task tokens, as readers see them.

use crate::postgres::PgStore;
use crate::{ExecutionId, JournalError, Signal, SignalId, WorkerId};
use asl_core::{Input, TokenKey};
use asl_value::Value;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

fn signal(row: &PgRow) -> Result<Signal, sqlx::Error> {
    let decode = |e: String| sqlx::Error::Decode(e.into());
    let payload: Option<String> = row.try_get(3)?;
    let payload: Option<Value> =
        payload.map(|text| text.parse()).transpose().map_err(|e: asl_value::ParseError| decode(e.to_string()))?;
    let input: Input<u64> = serde_json::from_str(row.try_get(2)?).map_err(|e| decode(e.to_string()))?;
    let input = input.map(&mut |_| payload.clone().unwrap_or_default());
    Ok(Signal { id: SignalId(row.try_get(0)?), execution: ExecutionId(row.try_get(1)?), input })
}

impl PgStore {
    /// The oldest inputs that wait for these executions.
    pub(crate) async fn signals_for(
        &self,
        executions: &[ExecutionId],
        limit: u32,
    ) -> Result<Vec<Signal>, JournalError> {
        let numbers: Vec<i64> = executions.iter().map(|execution| execution.0).collect();
        let sql = "SELECT i.id, i.execution, i.input, i.payload FROM @inbox i JOIN @execution x ON x.id = i.execution \
                   WHERE i.execution = ANY($1) AND x.status = 'RUNNING' ORDER BY i.id LIMIT $2";
        let rows = self.fetch(sql, |query| query.bind(numbers.clone()).bind(i64::from(limit))).await?;
        self.signals_in(&rows)
    }

    /// The oldest inputs that wait for executions of a worker. The inbox is short, so it is read in its order, and the header of each
    /// looked at.
    pub(crate) async fn inbox_of(&self, worker: WorkerId, limit: u32) -> Result<Vec<Signal>, JournalError> {
        let sql = "SELECT i.id, i.execution, i.input, i.payload FROM @inbox i WHERE (SELECT x.owner FROM @execution x \
                   WHERE x.id = i.execution AND x.status = 'RUNNING') = $1 ORDER BY i.id LIMIT $2";
        let rows = self.fetch(sql, |query| query.bind(worker.0).bind(i64::from(limit))).await?;
        self.signals_in(&rows)
    }

    fn signals_in(&self, rows: &[PgRow]) -> Result<Vec<Signal>, JournalError> {
        rows.iter().map(signal).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }

    pub(crate) async fn verdict_of(&self, signal: SignalId) -> Result<Option<bool>, JournalError> {
        // One that was left while its execution ended is still in the inbox: nobody takes it in any more.
        let sql = "SELECT coalesce((SELECT taken <> 0 FROM @verdict WHERE mail = $1), \
                   (SELECT false FROM @inbox i JOIN @execution x ON x.id = i.execution WHERE i.id = $1 AND x.status <> 'RUNNING'))";
        let rows = self.fetch(sql, |query| query.bind(signal.0)).await?;
        rows.first().map_or(Ok(None), |row| row.try_get(0)).map_err(|e| self.place.failed(e))
    }

    pub(crate) async fn key_of(&self, execution: ExecutionId) -> Result<Option<TokenKey>, JournalError> {
        let rows =
            self.fetch("SELECT token_key FROM @execution WHERE id = $1", |query| query.bind(execution.0)).await?;
        let key: Option<Vec<u8>> =
            rows.first().map_or(Ok(None), |row| row.try_get(0)).map_err(|e| self.place.failed(e))?;
        Ok(key.and_then(|key| key.try_into().ok()).map(TokenKey::new))
    }
}
