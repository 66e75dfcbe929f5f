//! The inbox, verdicts and the keys of task tokens, as readers see them.

use super::headers::Numbers;
use crate::{ExecutionId, Journal, JournalError, JournalWorker, Signal, SignalId};
use asl_core::{Input, TokenKey};
use asl_value::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

impl Journal {
    /// The oldest inputs that wait for this execution, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signals_of(&self, execution: ExecutionId, limit: u32) -> Result<Vec<Signal>, JournalError> {
        self.signals_for(&Numbers::new(&[execution]), limit).await
    }

    /// The oldest inputs that wait for these executions, at most `limit`.
    pub(crate) async fn signals_for(&self, executions: &Numbers, limit: u32) -> Result<Vec<Signal>, JournalError> {
        let sql = "SELECT id, execution, input, payload FROM inbox \
                   WHERE execution IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?";
        let mut conn = self.reader().await?;
        self.signals_in(sqlx::query(sql).bind(&executions.0).bind(limit).fetch_all(&mut *conn).await)
    }

    fn signals_in(&self, rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<Signal>, JournalError> {
        rows.and_then(|rows| rows.iter().map(signal).collect()).map_err(|e| self.place.failed(e))
    }

    /// What became of an input; `None` while it waits in the inbox. Only of the last ten thousand inputs that is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn verdict(&self, signal: SignalId) -> Result<Option<bool>, JournalError> {
        let mut conn = self.reader().await?;
        let query = sqlx::query_scalar("SELECT taken FROM verdict WHERE mail = ?").bind(signal.0);
        query.fetch_optional(&mut *conn).await.map_err(|e| self.place.failed(e))
    }

    /// The key of an execution's task tokens, without reading its history. None for one that began before there were keys.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token_key(&self, execution: ExecutionId) -> Result<Option<TokenKey>, JournalError> {
        let mut conn = self.reader().await?;
        let query = sqlx::query_scalar("SELECT token_key FROM execution WHERE id = ?").bind(execution.0);
        let key: Option<Option<Vec<u8>>> = query.fetch_optional(&mut *conn).await.map_err(|e| self.place.failed(e))?;
        Ok(key.flatten().and_then(|key| key.try_into().ok()).map(TokenKey::new))
    }
}

impl JournalWorker {
    /// The oldest inputs that wait for executions of this worker, at most `limit`; all of one execution's when it is named.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signals(&self, only: Option<ExecutionId>, limit: u32) -> Result<Vec<Signal>, JournalError> {
        if let Some(execution) = only {
            return self.signals_of(execution, limit).await;
        }
        let sql = "SELECT i.id, i.execution, i.input, i.payload FROM inbox i JOIN execution x ON x.id = i.execution \
                   WHERE x.owner = ? ORDER BY i.id LIMIT ?";
        let mut conn = self.reader().await?;
        self.signals_in(sqlx::query(sql).bind(self.id.0).bind(limit).fetch_all(&mut *conn).await)
    }
}

fn signal(row: &SqliteRow) -> Result<Signal, sqlx::Error> {
    let decode = |e: String| sqlx::Error::Decode(e.into());
    let payload: Option<String> = row.try_get(3)?;
    let payload: Option<Value> =
        payload.map(|text| text.parse()).transpose().map_err(|e: asl_value::ParseError| decode(e.to_string()))?;
    let input: Input<u64> = serde_json::from_str(row.try_get(2)?).map_err(|e| decode(e.to_string()))?;
    let input = input.map(&mut |_| payload.clone().unwrap_or_default());
    Ok(Signal { id: SignalId(row.try_get(0)?), execution: ExecutionId(row.try_get(1)?), input })
}
