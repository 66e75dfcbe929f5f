//! Parts of histories: a page from either end, what a description shows, and the feed.
//!
//! A chain is walked without the bodies of its records; only the bodies that a page shows, and those that have payloads which it
//! refers to, are read.

use crate::codec::{Decoder, Row, references};
use crate::read::Numbers;
use crate::{ExecutionId, Journal, JournalError};
use asl_core::{Event, EventKind, Input};
use asl_store::{Description, FeedEntry, Page, Position, Status};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeSet;

/// A record of a chain without its body.
#[derive(Clone, Copy, Debug)]
struct Entry {
    position: i64,
    number: u64,
    first_event: u64,
    event_count: u64,
}

impl Entry {
    fn end(&self) -> u64 {
        self.first_event + self.event_count
    }
}

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
        let limit = page.limit.map_or(u64::MAX, u64::from);
        // The last event there is tells where a page from the end begins.
        let tail = self.walk(execution, u64::MAX).await?;
        let Some(end) = tail.last().map(Entry::end) else { return Ok(Vec::new()) };
        let wanted = if page.reverse {
            let end = page.after.map_or(end, |after| after.min(end));
            end.saturating_sub(limit).max(1)..end
        } else {
            let begin = page.after.map_or(1, |after| after.saturating_add(1));
            begin..begin.saturating_add(limit).min(end)
        };
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut chain = self.walk(execution, wanted.start).await?;
        let shown: Vec<Entry> = chain
            .iter()
            .filter(|entry| entry.event_count > 0 && entry.first_event < wanted.end && entry.end() > wanted.start)
            .copied()
            .collect();
        let rows = self.bodies(execution, &shown).await?;
        let mut numbers = BTreeSet::new();
        for row in &rows {
            numbers.extend(references(row, execution)?);
        }
        if numbers.first().is_some_and(|least| chain.first().is_none_or(|first| *least < first.number)) {
            chain = self.walk(execution, 0).await?;
        }
        let is_shown = |entry: &Entry| shown.iter().any(|shown| shown.position == entry.position);
        let holders: BTreeSet<usize> =
            numbers.iter().filter_map(|n| chain.partition_point(|entry| entry.number < *n).checked_sub(1)).collect();
        let holders: Vec<Entry> = holders.into_iter().map(|at| chain[at]).filter(|entry| !is_shown(entry)).collect();
        let held = self.bodies(execution, &holders).await?;
        let mut all: Vec<(Row, bool)> = held.into_iter().map(|row| (row, false)).collect();
        all.extend(rows.into_iter().map(|row| (row, true)));
        all.sort_by_key(|(row, _)| row.number);
        let (mut decoder, mut events) = (Decoder::new(execution), Vec::new());
        for (row, is_shown) in &all {
            if *is_shown {
                decoder.skip_to(row)?;
                events.extend(decoder.decode(row)?.events);
            } else {
                decoder.payloads_of(row)?;
            }
        }
        events.retain(|event| wanted.contains(&event.id));
        if page.reverse {
            events.reverse();
        }
        Ok(events)
    }

    /// What a description of an execution shows; see [`asl_store::Store::describe`].
    ///
    /// # Errors
    /// As for [`Journal::history`].
    pub async fn describe(&self, execution: ExecutionId) -> Result<Option<Description>, JournalError> {
        let Some(row) = self.execution_numbered(execution).await? else { return Ok(None) };
        let missing = |what: &str| JournalError::Corrupt { execution, arn: None, record: 1, what: what.to_owned() };
        let first = self.first(execution).await?.ok_or_else(|| missing("it is missing"))?;
        let record = Decoder::new(execution).decode(&first)?;
        let input = record.inputs.iter().find_map(|input| match input {
            Input::Start(execution) => Some(execution.input_text.clone()),
            _ => None,
        });
        let input = input.ok_or_else(|| missing("it does not start the execution"))?;
        let mut output = None;
        if row.status == Status::Succeeded {
            let last = self.history(execution, Page { reverse: true, limit: Some(1), ..Page::default() }).await?;
            output = last.into_iter().find_map(|event| match event.kind {
                EventKind::ExecutionSucceeded { output } => Some(output),
                _ => None,
            });
        }
        Ok(Some(Description { row, input, output }))
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

    /// The chain of an execution from its end back to the record that has the event `until`, in order.
    async fn walk(&self, execution: ExecutionId, until: u64) -> Result<Vec<Entry>, JournalError> {
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        let mut conn = self.reader().await?;
        let rows: Result<Vec<(i64, i64, i64, i64)>, _> =
            sqlx::query_as(WALK).bind(execution.0).bind(until).fetch_all(&mut *conn).await;
        let entry = |(position, number, first_event, event_count): (i64, i64, i64, i64)| Entry {
            position,
            number: number.unsigned_abs(),
            first_event: first_event.unsigned_abs(),
            event_count: event_count.unsigned_abs(),
        };
        Ok(rows.map_err(|e| self.place.failed(e))?.into_iter().map(entry).collect())
    }

    /// These records with their bodies, in order.
    async fn bodies(&self, execution: ExecutionId, entries: &[Entry]) -> Result<Vec<Row>, JournalError> {
        let positions: Vec<ExecutionId> = entries.iter().map(|entry| ExecutionId(entry.position)).collect();
        let sql = "SELECT number, first_event, event_count, body, checksum FROM journal \
                   WHERE position IN (SELECT value FROM json_each(?)) ORDER BY position";
        let mut conn = self.reader().await?;
        let rows = sqlx::query(sql).bind(Numbers::new(&positions).0).fetch_all(&mut *conn).await;
        rows.map_err(|e| self.place.failed(e))?.iter().map(|row| stored(row, execution)).collect()
    }

    /// The first record of an execution.
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
