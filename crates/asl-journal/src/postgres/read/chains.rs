//! Records: the chains of many executions, read in one statement, each from its last record on back; pages, and the feed.

use crate::encoding::chain::{Chain, ChainsOf, LONG_BYTES, Pieces, RowsAt, by_name, decode, missing, places, recorded};
use crate::encoding::codec::Row;
use crate::encoding::pages::{self, Chains, Entry};
use crate::postgres::PgStore;
use crate::postgres::schema::PLACE_BITS;
use crate::{ExecutionId, JournalError, Record, Recorded};
use asl_core::Event;
use asl_store::{Description, FeedEntry, Page, Position};
use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use std::collections::HashMap;

/// The columns of a record, in the order of [`stored`].
const COLUMNS: &str = "j.number, j.first_event, j.event_count, j.body, j.checksum";

/// A record as it is stored.
pub(crate) fn stored(row: &PgRow, execution: ExecutionId) -> Result<Row, JournalError> {
    let number = row.try_get::<Option<i64>, _>(0).ok().flatten().unwrap_or_default().unsigned_abs();
    let read = || -> Result<Row, sqlx::Error> {
        Ok(Row {
            number,
            first_event: row.try_get::<i64, _>(1)?.unsigned_abs(),
            event_count: row.try_get::<i64, _>(2)?.unsigned_abs(),
            body: row.try_get(3)?,
            checksum: u32::try_from(row.try_get::<i64, _>(4)?).map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        })
    };
    read().map_err(|e| JournalError::Corrupt { execution, arn: None, record: number, what: e.to_string() })
}

impl PgStore {
    pub(crate) async fn records_of(&self, execution: ExecutionId) -> Result<Vec<Record>, JournalError> {
        match decode(&self.rows(execution).await?, execution) {
            Err(error) => Err(self.named(error).await),
            records => records,
        }
    }

    /// The rows of an execution's records, in order, as they are stored.
    pub(crate) async fn rows(&self, execution: ExecutionId) -> Result<Vec<Row>, JournalError> {
        match self.chains(&[execution], i64::MAX).await?.remove(&execution) {
            None | Some(Ok(Chain::Long)) => Ok(Vec::new()),
            Some(Err(error)) => Err(self.named(error).await),
            Some(Ok(Chain::Whole(rows))) => Ok(rows),
        }
    }

    pub(crate) async fn recorded_of(
        &self,
        executions: &[ExecutionId],
        signals: u32,
    ) -> Result<Vec<Recorded>, JournalError> {
        let headers = self.headers_of(executions).await?;
        let sent = self.signals_for(executions, signals).await?;
        Ok(recorded(headers, sent, self.chains(executions, LONG_BYTES).await?))
    }

    /// The records of an execution in pieces, for a reader that keeps none of them.
    pub(crate) async fn pieces(&self, execution: ExecutionId) -> Result<Pieces<PgStore>, JournalError> {
        let sql = "WITH RECURSIVE chain (position, last) AS ( \
                       SELECT position, number FROM @latest WHERE execution = $1 \
                       UNION ALL \
                       SELECT j.previous, c.last FROM chain c \
                       JOIN @journal j ON j.position = c.position AND j.execution = $1 WHERE j.previous < j.position) \
                   SELECT c.last, c.position, j.number, octet_length(j.body)::int8 FROM chain c \
                   LEFT JOIN @journal j ON j.position = c.position AND j.execution = $1 ORDER BY c.position DESC";
        let read = |row: &PgRow| -> Result<_, sqlx::Error> {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
        };
        let rows = self.fetch(sql, |query| query.bind(execution.0)).await?;
        let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(|e| self.place.failed(e))?;
        match places(rows, execution) {
            Err(error) => Err(self.named(error).await),
            Ok(places) => Ok(Pieces::new(self.clone(), execution, places)),
        }
    }

    async fn chains(&self, executions: &[ExecutionId], most_bytes: i64) -> Result<ChainsOf, JournalError> {
        // Each row has the record, its execution, the number that the execution's last record should have, and whether it is too
        // much: a chain ends there, and the body is left out.
        let sql = "WITH RECURSIVE chain (execution, position, last, bytes) AS ( \
                 SELECT x.id, l.position, l.number, 0::int8 FROM @execution x LEFT JOIN @latest l ON l.execution = x.id \
                 WHERE x.id = ANY($1) \
                 UNION ALL \
                 SELECT c.execution, j.previous, c.last, c.bytes + octet_length(j.body) FROM chain c \
                 JOIN @journal j ON j.position = c.position AND j.execution = c.execution \
                 WHERE j.previous < j.position AND c.bytes <= $2) \
             SELECT j.number, j.first_event, j.event_count, \
                 CASE WHEN c.bytes + octet_length(j.body) <= $2 THEN j.body END, j.checksum, c.execution, c.last, \
                 c.bytes + octet_length(j.body) > $2 FROM chain c \
             LEFT JOIN @journal j ON j.position = c.position AND j.execution = c.execution ORDER BY c.execution, c.position DESC";
        let numbers: Vec<i64> = executions.iter().map(|execution| execution.0).collect();
        let rows = self.fetch(sql, |query| query.bind(numbers.clone()).bind(most_bytes)).await?;
        let mut chains: HashMap<ExecutionId, Vec<&PgRow>> = HashMap::new();
        for row in &rows {
            let execution = row.try_get(5).map_err(|e| self.place.failed(e))?;
            chains.entry(ExecutionId(execution)).or_default().push(row);
        }
        Ok(chains.into_iter().map(|(execution, rows)| (execution, chain(&rows, execution))).collect())
    }

    pub(crate) async fn page(&self, execution: ExecutionId, page: Page) -> Result<Vec<Event>, JournalError> {
        pages::history(self, execution, page).await
    }

    pub(crate) async fn description(&self, execution: ExecutionId) -> Result<Option<Description>, JournalError> {
        match self.headers_of(&[execution]).await?.pop() {
            Some(row) => pages::describe(self, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The position of the last record that is complete.
    pub(crate) async fn end_of_feed(&self) -> Result<Position, JournalError> {
        let sql = format!(
            "SELECT max(position) FROM @journal WHERE position < \
             (SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::int8 + base) << {PLACE_BITS} FROM @store)"
        );
        let rows = self.fetch(&sql, |query| query).await?;
        let end = rows.first().map(|row| row.try_get::<Option<i64>, _>(0)).transpose();
        Ok(Position(end.map_err(|e| self.place.failed(e))?.flatten().unwrap_or(0)))
    }

    /// The feed: what is complete, that is below the oldest transaction that still runs.
    pub(crate) async fn feed(&self, position: Position, limit: u32) -> Result<Vec<FeedEntry>, JournalError> {
        let sql = format!(
            "SELECT position, execution, first_event, event_count FROM @journal WHERE position > $1 AND position < \
             (SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::int8 + base) << {PLACE_BITS} FROM @store) \
             ORDER BY position LIMIT $2"
        );
        let rows = self.fetch(&sql, |query| query.bind(position.0).bind(i64::from(limit))).await?;
        let entry = |row: &PgRow| {
            Ok(FeedEntry {
                position: Position(row.try_get(0)?),
                execution: ExecutionId(row.try_get(1)?),
                first_event: row.try_get::<i64, _>(2)?.unsigned_abs(),
                event_count: row.try_get::<i64, _>(3)?.unsigned_abs(),
            })
        };
        rows.iter().map(entry).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }
}

#[async_trait]
impl RowsAt for PgStore {
    async fn rows_at(&self, execution: ExecutionId, positions: Vec<i64>) -> Result<Vec<Row>, JournalError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM @journal j WHERE j.execution = $1 AND j.position = ANY($2) ORDER BY j.position"
        );
        let rows = self.fetch(&sql, |query| query.bind(execution.0).bind(positions.clone())).await?;
        rows.iter().map(|row| stored(row, execution)).collect()
    }

    async fn named(&self, error: JournalError) -> JournalError {
        let JournalError::Corrupt { execution, .. } = &error else { return error };
        match self.headers_of(&[*execution]).await {
            Ok(rows) => rows.first().map_or(error.clone(), |row| by_name(error, row.arn.as_str().into())),
            Err(_) => error,
        }
    }
}

/// The rows of a chain, in order. A gap is found when they are decoded; here, that the last one is there.
fn chain(rows: &[&PgRow], execution: ExecutionId) -> Result<Chain, JournalError> {
    if rows.iter().any(|row| row.try_get::<Option<bool>, _>(7).ok().flatten() == Some(true)) {
        return Ok(Chain::Long);
    }
    let there = |row: &&&PgRow| !matches!(row.try_get::<Option<i64>, _>(0), Ok(None));
    let stored: Result<Vec<Row>, JournalError> =
        rows.iter().rev().filter(there).map(|row| stored(row, execution)).collect();
    let last = rows.first().and_then(|row| row.try_get::<Option<i64>, _>(6).ok().flatten());
    let last = last.unwrap_or_default().unsigned_abs();
    match stored {
        Ok(rows) if rows.last().is_none_or(|row| row.number != last) => Err(missing(execution, last)),
        rows => rows.map(Chain::Whole),
    }
}

#[async_trait]
impl Chains for PgStore {
    async fn walk(&self, execution: ExecutionId, until: u64) -> Result<Vec<Entry>, JournalError> {
        let sql = "WITH RECURSIVE chain (position, number, first_event, event_count, previous) AS ( \
                       SELECT j.position, j.number, j.first_event, j.event_count, j.previous \
                       FROM @latest l JOIN @journal j ON j.position = l.position WHERE l.execution = $1 \
                       UNION ALL \
                       SELECT j.position, j.number, j.first_event, j.event_count, j.previous FROM chain c \
                       JOIN @journal j ON j.position = c.previous AND j.execution = $1 \
                       WHERE c.previous < c.position AND c.first_event > $2) \
                   SELECT position, number, first_event, event_count FROM chain ORDER BY position";
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        let rows = self.fetch(sql, |query| query.bind(execution.0).bind(until)).await?;
        let entry = |row: &PgRow| Ok(Entry::of((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)));
        rows.iter().map(entry).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }

    async fn bodies(&self, execution: ExecutionId, positions: &[i64]) -> Result<Vec<Row>, JournalError> {
        let sql = format!("SELECT {COLUMNS} FROM @journal j WHERE j.position = ANY($1) ORDER BY j.position");
        let rows = self.fetch(&sql, |query| query.bind(positions.to_vec())).await?;
        rows.iter().map(|row| stored(row, execution)).collect()
    }

    async fn first(&self, execution: ExecutionId) -> Result<Option<Row>, JournalError> {
        let sql =
            format!("SELECT {COLUMNS} FROM @latest l JOIN @journal j ON j.position = l.first WHERE l.execution = $1");
        let rows = self.fetch(&sql, |query| query.bind(execution.0)).await?;
        rows.first().map(|row| stored(row, execution)).transpose()
    }
}
