//! Records: the chains of many executions, read in one statement, each from its last record on back.

use crate::JournalError;
use crate::encoding::chain::{Chain, ChainsOf, LONG_BYTES, Pieces, RowsAt, by_name, decode, missing, places, recorded};
use crate::encoding::codec::Row;
use crate::sqlite::read::Numbers;
use crate::{ExecutionId, Journal, Record, Recorded};
use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};
use std::collections::HashMap;

/// Each row has the execution, the number that its last record should have, whether records before it were left out, and a record;
/// none where one is missing. A chain ends where it has more than `?2` bytes; the body of the record that is too much is left out.
const CHAINS: &str = "WITH RECURSIVE chain (execution, position, last, bytes) AS ( \
                          SELECT x.id, l.position, l.number, 0 FROM json_each(?1) wanted \
                          CROSS JOIN execution x ON x.id = wanted.value LEFT JOIN latest l ON l.execution = x.id \
                          UNION ALL \
                          SELECT c.execution, j.previous, c.last, c.bytes + octet_length(j.body) FROM chain c \
                          CROSS JOIN journal j ON j.position = c.position AND j.execution = c.execution \
                          WHERE j.previous < j.position AND c.bytes <= ?2) \
                      SELECT c.execution, c.last, c.bytes + octet_length(j.body) > ?2, j.number, j.first_event, j.event_count, \
                          CASE WHEN c.bytes + octet_length(j.body) <= ?2 THEN j.body END, j.checksum \
                      FROM chain c LEFT JOIN journal j ON j.position = c.position AND j.execution = c.execution";

/// Where the records of an execution are, the last one first: number that the last one should have, position, number, bytes.
const PLACES: &str = "WITH RECURSIVE chain (position, last) AS ( \
                          SELECT position, number FROM latest WHERE execution = ?1 \
                          UNION ALL \
                          SELECT j.previous, c.last FROM chain c \
                          CROSS JOIN journal j ON j.position = c.position AND j.execution = ?1 WHERE j.previous < j.position) \
                      SELECT c.last, c.position, j.number, octet_length(j.body) \
                      FROM chain c LEFT JOIN journal j ON j.position = c.position AND j.execution = ?1";

/// The records at some positions.
const AT: &str = "SELECT j.number, j.first_event, j.event_count, j.body, j.checksum FROM json_each(?2) wanted \
                  CROSS JOIN journal j ON j.position = wanted.value AND j.execution = ?1 ORDER BY wanted.key";

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
        match self.chains(&Numbers::new(&[execution]), i64::MAX).await?.remove(&execution) {
            None | Some(Ok(Chain::Long)) => Ok(Vec::new()),
            Some(Err(error)) => Err(self.named(error).await),
            Some(Ok(Chain::Whole(rows))) => Ok(rows),
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
        Ok(recorded(headers, sent, self.chains(&numbers, LONG_BYTES).await?))
    }

    /// The records of an execution in pieces, for a reader that keeps none of them.
    ///
    /// # Errors
    /// When the database cannot be read, or its last record is missing.
    pub(crate) async fn pieces(&self, execution: ExecutionId) -> Result<Pieces<Journal>, JournalError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(PLACES).bind(execution.0).fetch_all(&mut *conn).await;
        drop(conn);
        let read = |row: &SqliteRow| -> Result<_, sqlx::Error> {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
        };
        let rows = rows.and_then(|rows| rows.iter().map(read).collect::<Result<Vec<_>, _>>());
        match places(rows.map_err(|e| self.place.failed(e))?, execution) {
            Err(error) => Err(self.named(error).await),
            Ok(places) => Ok(Pieces::new(self.clone(), execution, places)),
        }
    }

    async fn chains(&self, executions: &Numbers, most_bytes: i64) -> Result<ChainsOf, JournalError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(CHAINS).bind(&executions.0).bind(most_bytes).fetch_all(&mut *conn).await;
        let rows = rows.map_err(|e| self.place.failed(e))?;
        drop(conn);
        let mut chains: HashMap<ExecutionId, Vec<&SqliteRow>> = HashMap::new();
        for row in &rows {
            let execution = row.try_get(0).map_err(|e| self.place.failed(e))?;
            chains.entry(ExecutionId(execution)).or_default().push(row);
        }
        Ok(chains.into_iter().map(|(execution, rows)| (execution, chain(&rows, execution))).collect())
    }
}

#[async_trait]
impl RowsAt for Journal {
    async fn rows_at(&self, execution: ExecutionId, positions: Vec<i64>) -> Result<Vec<Row>, JournalError> {
        let mut conn = self.reader().await?;
        let wanted = Numbers::of(positions.into_iter());
        let rows = sqlx::query(AT).bind(execution.0).bind(&wanted.0).fetch_all(&mut *conn).await;
        rows.map_err(|e| self.place.failed(e))?.iter().map(|row| stored(row, 0, execution)).collect()
    }

    async fn named(&self, error: JournalError) -> JournalError {
        let JournalError::Corrupt { execution, .. } = &error else { return error };
        match self.execution_numbered(*execution).await {
            Ok(Some(row)) => by_name(error, row.arn.as_str().into()),
            _ => error,
        }
    }
}

/// The rows of a chain, in order. A gap is found when they are decoded; here, that the last one is there.
fn chain(rows: &[&SqliteRow], execution: ExecutionId) -> Result<Chain, JournalError> {
    let is = |row: &SqliteRow, column: usize| row.try_get::<Option<bool>, _>(column).ok().flatten() == Some(true);
    if rows.iter().any(|row| is(row, 2)) {
        return Ok(Chain::Long);
    }
    let there = |row: &&&SqliteRow| !matches!(row.try_get_raw(3), Ok(value) if value.is_null());
    let stored: Result<Vec<Row>, JournalError> =
        rows.iter().rev().filter(there).map(|row| stored(row, 3, execution)).collect();
    let last = rows.first().and_then(|row| row.try_get::<Option<i64>, _>(1).ok().flatten());
    let last = last.unwrap_or_default().unsigned_abs();
    match stored {
        Ok(rows) if rows.last().is_none_or(|row| row.number != last) => Err(missing(execution, last)),
        rows => rows.map(Chain::Whole),
    }
}

/// A row as it is stored, its number in column `from`. A column that is not even of its type is damage like any other.
fn stored(row: &SqliteRow, from: usize, execution: ExecutionId) -> Result<Row, JournalError> {
    let number = row.try_get::<i64, _>(from).unwrap_or_default().unsigned_abs();
    let read = || -> Result<Row, sqlx::Error> {
        Ok(Row {
            number,
            first_event: row.try_get::<i64, _>(from + 1)?.unsigned_abs(),
            event_count: row.try_get::<i64, _>(from + 2)?.unsigned_abs(),
            body: row.try_get(from + 3)?,
            checksum: row.try_get(from + 4)?,
        })
    };
    read().map_err(|e| JournalError::Corrupt { execution, arn: None, record: number, what: e.to_string() })
}
