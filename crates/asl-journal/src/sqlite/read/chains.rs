//! Records: the chains of many executions, read in one statement, each from its last record on back.

use crate::JournalError;
use crate::encoding::chain::{RowsOf, by_name, decode, missing, recorded};
use crate::encoding::codec::Row;
use crate::sqlite::read::Numbers;
use crate::{ExecutionId, Journal, Record, Recorded};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};
use std::collections::HashMap;

/// Each row has the execution and the number that its last record should have, and a record; none where one is missing.
const CHAINS: &str = "WITH RECURSIVE chain (execution, position, last) AS ( \
                          SELECT x.id, l.position, l.number FROM json_each(?1) wanted \
                          CROSS JOIN execution x ON x.id = wanted.value LEFT JOIN latest l ON l.execution = x.id \
                          UNION ALL \
                          SELECT c.execution, j.previous, c.last FROM chain c \
                          CROSS JOIN journal j ON j.position = c.position AND j.execution = c.execution \
                          WHERE j.previous < j.position) \
                      SELECT c.execution, c.last, j.number, j.first_event, j.event_count, j.body, j.checksum \
                      FROM chain c LEFT JOIN journal j ON j.position = c.position AND j.execution = c.execution";

impl Journal {
    /// All records of an execution, in order, each checked against its checksum. Empty when there is no such execution.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] names the record that is not as it was written, or when the database cannot be read.
    pub async fn records(&self, execution: ExecutionId) -> Result<Vec<Record>, JournalError> {
        let rows = self.rows(execution).await?;
        match decode(&rows, execution) {
            Err(error) => Err(self.named(error).await),
            records => records,
        }
    }

    /// The rows of an execution's records, in order, as they are stored.
    pub(crate) async fn rows(&self, execution: ExecutionId) -> Result<Vec<Row>, JournalError> {
        match self.chains(&Numbers::new(&[execution])).await?.remove(&execution) {
            None => Ok(Vec::new()),
            Some(Err(error)) => Err(self.named(error).await),
            Some(rows) => rows,
        }
    }

    /// Everything that it takes to go on with these executions, with at most `signal_limit` inputs for all of them together.
    /// Those that do not exist are not among the answers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recorded(&self, executions: &[ExecutionId], signal_limit: u32) -> Result<Vec<Recorded>, JournalError> {
        let numbers = Numbers::new(executions);
        let headers = self.headers_of(&numbers).await?;
        // What is sent meanwhile is left for whoever looks next: it is not lost.
        let sent = self.signals_for(&numbers, signal_limit).await?;
        Ok(recorded(headers, sent, self.chains(&numbers).await?))
    }

    async fn chains(&self, executions: &Numbers) -> Result<RowsOf, JournalError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(CHAINS).bind(&executions.0).fetch_all(&mut *conn).await;
        let rows = rows.map_err(|e| self.place.failed(e))?;
        drop(conn);
        let mut chains: HashMap<ExecutionId, Vec<&SqliteRow>> = HashMap::new();
        for row in &rows {
            let execution = row.try_get(0).map_err(|e| self.place.failed(e))?;
            chains.entry(ExecutionId(execution)).or_default().push(row);
        }
        Ok(chains.into_iter().map(|(execution, rows)| (execution, chain(&rows, execution))).collect())
    }

    /// A damaged record is named with the ARN of its execution.
    async fn named(&self, error: JournalError) -> JournalError {
        let JournalError::Corrupt { execution, .. } = &error else { return error };
        match self.execution_numbered(*execution).await {
            Ok(Some(row)) => by_name(error, row.arn.as_str().into()),
            _ => error,
        }
    }
}

/// The rows of a chain, in order. A gap is found when they are decoded; here, that the last one is there.
fn chain(rows: &[&SqliteRow], execution: ExecutionId) -> Result<Vec<Row>, JournalError> {
    let there = |row: &&&SqliteRow| !matches!(row.try_get_raw(2), Ok(value) if value.is_null());
    let stored: Result<Vec<Row>, JournalError> =
        rows.iter().rev().filter(there).map(|row| stored(row, execution)).collect();
    let last = rows.first().and_then(|row| row.try_get::<Option<i64>, _>(1).ok().flatten());
    let last = last.unwrap_or_default().unsigned_abs();
    match stored {
        Ok(rows) if rows.last().is_none_or(|row| row.number != last) => Err(missing(execution, last)),
        rows => rows,
    }
}

/// A row as it is stored. A column that is not even of its type is damage like any other.
fn stored(row: &SqliteRow, execution: ExecutionId) -> Result<Row, JournalError> {
    let number = row.try_get::<i64, _>(2).unwrap_or_default().unsigned_abs();
    let read = || -> Result<Row, sqlx::Error> {
        Ok(Row {
            number: row.try_get::<i64, _>(2)?.unsigned_abs(),
            first_event: row.try_get::<i64, _>(3)?.unsigned_abs(),
            event_count: row.try_get::<i64, _>(4)?.unsigned_abs(),
            body: row.try_get(5)?,
            checksum: row.try_get(6)?,
        })
    };
    read().map_err(|e| JournalError::Corrupt { execution, arn: None, record: number, what: e.to_string() })
}
