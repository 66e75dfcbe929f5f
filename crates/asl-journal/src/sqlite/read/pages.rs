//! Parts of histories in SQLite: the feed, and the chains that [`crate::encoding::pages`] walks.

use super::headers::Numbers;
use crate::encoding::codec::Row;
use crate::encoding::pages::{self, Chains, Entry};
use crate::{ExecutionId, Journal, JournalError};
use asl_core::Event;
use asl_store::{Description, FeedEntry, Page, Position};
use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// From the last record back, as far as one that begins at or before event `?2`.
const WALK: &str = "WITH RECURSIVE chain (position, number, first_event, event_count, previous) AS ( \
                        SELECT j.position, j.number, j.first_event, j.event_count, j.previous \
                        FROM latest l CROSS JOIN journal j ON j.position = l.position WHERE l.execution = ?1 \
                        UNION ALL \
                        SELECT j.position, j.number, j.first_event, j.event_count, j.previous FROM chain c \
                        CROSS JOIN journal j ON j.position = c.previous AND j.execution = ?1 \
                        WHERE c.previous < c.position AND c.first_event > ?2) \
                    SELECT position, number, first_event, event_count FROM chain ORDER BY position";

impl Journal {
    /// A page of an execution's history, from either end; see [`asl_store::Store::history`].
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] names a record that is not as it was written, or when the database cannot be read.
    pub async fn history(&self, execution: ExecutionId, page: Page) -> Result<Vec<Event>, JournalError> {
        pages::history(self, execution, page).await
    }

    /// What a description of an execution shows; see [`asl_store::Store::describe`].
    ///
    /// # Errors
    /// As for [`Journal::history`].
    pub async fn describe(&self, execution: ExecutionId) -> Result<Option<Description>, JournalError> {
        match self.execution_numbered(execution).await? {
            Some(row) => pages::describe(self, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The feed: records behind a position; see [`asl_store::Store::records_after`]. SQLite has one writer, which gives positions in
    /// the order of commits.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn records_after(&self, position: Position, limit: u32) -> Result<Vec<FeedEntry>, JournalError> {
        let sql = "SELECT position, execution, first_event, event_count FROM journal WHERE position > ? \
                   ORDER BY position LIMIT ?";
        let mut conn = self.reader().await?;
        let rows: Result<Vec<(i64, i64, i64, i64)>, _> =
            sqlx::query_as(sql).bind(position.0).bind(limit).fetch_all(&mut *conn).await;
        let entry = |(position, execution, first_event, event_count): (i64, i64, i64, i64)| FeedEntry {
            position: Position(position),
            execution: ExecutionId(execution),
            first_event: first_event.unsigned_abs(),
            event_count: event_count.unsigned_abs(),
        };
        Ok(rows.map_err(|e| self.place.failed(e))?.into_iter().map(entry).collect())
    }

    /// The position of the last record; 0 where there is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn feed_end(&self) -> Result<Position, JournalError> {
        let mut conn = self.reader().await?;
        let end: Result<(Option<i64>,), _> =
            sqlx::query_as("SELECT max(position) FROM journal").fetch_one(&mut *conn).await;
        Ok(Position(end.map_err(|e| self.place.failed(e))?.0.unwrap_or(0)))
    }
}

#[async_trait]
impl Chains for Journal {
    async fn walk(&self, execution: ExecutionId, until: u64) -> Result<Vec<Entry>, JournalError> {
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        let mut conn = self.reader().await?;
        let rows: Result<Vec<(i64, i64, i64, i64)>, _> =
            sqlx::query_as(WALK).bind(execution.0).bind(until).fetch_all(&mut *conn).await;
        Ok(rows.map_err(|e| self.place.failed(e))?.into_iter().map(Entry::of).collect())
    }

    async fn bodies(&self, execution: ExecutionId, positions: &[i64]) -> Result<Vec<Row>, JournalError> {
        let positions: Vec<ExecutionId> = positions.iter().copied().map(ExecutionId).collect();
        let sql = "SELECT number, first_event, event_count, body, checksum FROM journal \
                   WHERE position IN (SELECT value FROM json_each(?)) ORDER BY position";
        let mut conn = self.reader().await?;
        let rows = sqlx::query(sql).bind(Numbers::new(&positions).0).fetch_all(&mut *conn).await;
        rows.map_err(|e| self.place.failed(e))?.iter().map(|row| stored(row, execution)).collect()
    }

    async fn first(&self, execution: ExecutionId) -> Result<Option<Row>, JournalError> {
        let sql = "SELECT j.number, j.first_event, j.event_count, j.body, j.checksum FROM latest l \
                   CROSS JOIN journal j ON j.position = l.first WHERE l.execution = ?";
        let mut conn = self.reader().await?;
        let row = sqlx::query(sql).bind(execution.0).fetch_optional(&mut *conn).await;
        row.map_err(|e| self.place.failed(e))?.map(|row| stored(&row, execution)).transpose()
    }
}

/// A record as it is stored. A column that is not even of its type is damage like any other.
fn stored(row: &SqliteRow, execution: ExecutionId) -> Result<Row, JournalError> {
    let number = row.try_get::<i64, _>(0).unwrap_or_default().unsigned_abs();
    let read = || -> Result<Row, sqlx::Error> {
        Ok(Row {
            number,
            first_event: row.try_get::<i64, _>(1)?.unsigned_abs(),
            event_count: row.try_get::<i64, _>(2)?.unsigned_abs(),
            body: row.try_get(3)?,
            checksum: row.try_get(4)?,
        })
    };
    read().map_err(|e| JournalError::Corrupt { execution, arn: None, record: number, what: e.to_string() })
}
