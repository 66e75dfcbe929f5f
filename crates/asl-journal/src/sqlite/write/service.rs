//! The embedded services' rows in the same database: [`ServiceTx`] over an open transaction.
//!
//! Its futures never wait: each call is a call of SQLite.

use crate::JournalError;
use crate::sqlite::error::Place;
use asl_store::{Dedup, ItemKey, ItemRange, Message, QueueState, ServiceTx, StoreError};
use asl_value::Value;
use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Params, Row, ToSql, params, params_from_iter};

type Result<T, E = rusqlite::Error> = std::result::Result<T, E>;

/// The columns of a message, in the order of [`message`].
const COLUMNS: &str = "position, queue, id, group_id, dedup_id, body, attributes, source, sent_at_ms, visible_at_ms, \
                       first_received_at_ms, receive_count, receipt";

/// The services' view of a transaction that is open on `conn`.
pub(crate) struct SqliteTx<'c> {
    // Not shared: a connection may move to another thread, but two cannot use it.
    pub(crate) conn: &'c mut Connection,
    pub(crate) place: &'c Place,
    /// The first failure: after it the transaction must not be committed, whatever the caller made of it.
    pub(crate) failed: Option<JournalError>,
}

impl<'c> SqliteTx<'c> {
    pub(crate) fn new(conn: &'c mut Connection, place: &'c Place) -> SqliteTx<'c> {
        SqliteTx { conn, place, failed: None }
    }

    fn check<T>(&mut self, result: Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let error = self.place.failed(error);
            let told = StoreError::new(&error);
            self.failed.get_or_insert(error);
            told
        })
    }

    /// Runs a statement that changes rows; returns how many.
    fn change(&mut self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        let done = self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        self.check(done)
    }

    /// The row that a statement finds, if it does.
    fn find<T>(
        &mut self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let found = self.conn.prepare_cached(sql).and_then(|mut s| s.query_row(values, read).optional());
        self.check(found)
    }

    /// All rows that a statement finds.
    fn all<T>(
        &mut self,
        sql: &str,
        values: &[&dyn ToSql],
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.conn.prepare_cached(sql).and_then(|mut s| s.query_map(values, read)?.collect());
        self.check(rows)
    }

    /// Runs a statement with the columns of a message but for its position, and then that if it is given.
    fn write_message(&mut self, sql: &str, message: &Message, position: Option<i64>) -> Result<(), StoreError> {
        let Message { queue, id, group_id, dedup_id, body, attributes, source, receipt, .. } = message;
        let Message { sent_at_ms, visible_at_ms, first_received_at_ms, receive_count, .. } = message;
        let attributes = attributes.to_string();
        let columns: [&dyn ToSql; 12] = [
            queue,
            id,
            group_id,
            dedup_id,
            body,
            &attributes,
            source,
            sent_at_ms,
            visible_at_ms,
            first_received_at_ms,
            receive_count,
            receipt,
        ];
        let position = position.as_ref().map(|position| position as &dyn ToSql);
        self.change(sql, params_from_iter(columns.into_iter().chain(position))).map(|_| ())
    }

    /// The messages for which a condition holds, in order.
    fn messages_where(&mut self, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<Message>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM message AS m WHERE {condition}");
        self.all(&sql, values, message)
    }
}

/// A column that holds JSON.
fn json(row: &Row<'_>, column: usize) -> Result<Value> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|e: asl_value::ParseError| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, e.into()))
}

fn message(row: &Row<'_>) -> Result<Message> {
    Ok(Message {
        position: row.get(0)?,
        queue: row.get(1)?,
        id: row.get(2)?,
        group_id: row.get(3)?,
        dedup_id: row.get(4)?,
        body: row.get(5)?,
        attributes: json(row, 6)?,
        source: row.get(7)?,
        sent_at_ms: row.get(8)?,
        visible_at_ms: row.get(9)?,
        first_received_at_ms: row.get(10)?,
        receive_count: row.get(11)?,
        receipt: row.get(12)?,
    })
}

#[async_trait]
impl ServiceTx for SqliteTx<'_> {
    async fn item(&mut self, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError> {
        let sql = "SELECT body FROM item WHERE table_name = ? AND hash_key = ? AND range_key = ?";
        self.find(sql, (table, &key.hash, &key.range), |row| json(row, 0))
    }

    async fn put_item(&mut self, table: &str, key: &ItemKey, item: &Value) -> Result<(), StoreError> {
        let sql = "INSERT INTO item (table_name, hash_key, range_key, body) VALUES (?, ?, ?, ?) \
                   ON CONFLICT DO UPDATE SET body = excluded.body";
        self.change(sql, (table, &key.hash, &key.range, item.to_string())).map(|_| ())
    }

    async fn delete_item(&mut self, table: &str, key: &ItemKey) -> Result<(), StoreError> {
        let sql = "DELETE FROM item WHERE table_name = ? AND hash_key = ? AND range_key = ?";
        self.change(sql, (table, &key.hash, &key.range)).map(|_| ())
    }

    async fn items(&mut self, table: &str, range: ItemRange<'_>) -> Result<Vec<(ItemKey, Value)>, StoreError> {
        let mut sql = "SELECT hash_key, range_key, body FROM item WHERE table_name = ?".to_owned();
        let mut values: Vec<&dyn ToSql> = vec![&table];
        if let Some(hash) = &range.hash {
            sql += " AND hash_key = ?";
            values.push(hash);
        }
        if let Some(after) = range.after {
            sql += if range.reverse {
                " AND (hash_key, range_key) < (?, ?)"
            } else {
                " AND (hash_key, range_key) > (?, ?)"
            };
            values.extend([&after.hash as &dyn ToSql, &after.range]);
        }
        let order = if range.reverse { "DESC" } else { "ASC" };
        sql += &format!(" ORDER BY hash_key {order}, range_key {order} LIMIT ?");
        values.push(&range.limit);
        self.all(&sql, &values, |row| Ok((ItemKey { hash: row.get(0)?, range: row.get(1)? }, json(row, 2)?)))
    }

    async fn insert_message(&mut self, message: &Message) -> Result<i64, StoreError> {
        let sql = "INSERT INTO message (queue, id, group_id, dedup_id, body, attributes, source, sent_at_ms, \
                   visible_at_ms, first_received_at_ms, receive_count, receipt) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.write_message(sql, message, None)?;
        Ok(self.conn.last_insert_rowid())
    }

    async fn message(&mut self, queue: &str, position: i64) -> Result<Option<Message>, StoreError> {
        Ok(self.messages_where("m.queue = ? AND m.position = ?", params![queue, position])?.pop())
    }

    async fn update_message(&mut self, message: &Message) -> Result<(), StoreError> {
        let sql = "UPDATE message SET queue = ?, id = ?, group_id = ?, dedup_id = ?, body = ?, attributes = ?, source = ?, \
                   sent_at_ms = ?, visible_at_ms = ?, first_received_at_ms = ?, receive_count = ?, receipt = ? \
                   WHERE position = ?";
        self.write_message(sql, message, Some(message.position))
    }

    async fn delete_message(&mut self, queue: &str, position: i64) -> Result<(), StoreError> {
        self.change("DELETE FROM message WHERE queue = ? AND position = ?", (queue, position)).map(|_| ())
    }

    async fn delete_messages(&mut self, queue: &str, sent_before_ms: i64) -> Result<u64, StoreError> {
        let done = self.change("DELETE FROM message WHERE queue = ? AND sent_at_ms < ?", (queue, sent_before_ms));
        done.map(|rows| rows as u64)
    }

    async fn messages(&mut self, queue: &str, after: i64, limit: u32) -> Result<Vec<Message>, StoreError> {
        let condition = "m.queue = ? AND m.position > ? ORDER BY m.position LIMIT ?";
        self.messages_where(condition, params![queue, after, limit])
    }

    async fn receivable(
        &mut self,
        queue: &str,
        now_ms: i64,
        in_order: bool,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let condition = match in_order {
            false => "m.queue = ?1 AND m.visible_at_ms <= ?2 ORDER BY m.position LIMIT ?3",
            true => {
                "m.queue = ?1 AND m.visible_at_ms <= ?2 \
                 AND (m.group_id IS NULL OR NOT EXISTS (SELECT 1 FROM message AS b \
                 WHERE b.queue = m.queue AND b.group_id = m.group_id AND (b.receipt IS NOT NULL OR b.position < m.position) \
                 AND b.visible_at_ms > ?2)) ORDER BY m.position LIMIT ?3"
            }
        };
        self.messages_where(condition, params![queue, now_ms, limit])
    }

    async fn queue_state(&mut self, queue: &str, now_ms: i64) -> Result<QueueState, StoreError> {
        let sql = "SELECT count(*) FILTER (WHERE visible_at_ms <= ?1), \
                   count(*) FILTER (WHERE visible_at_ms > ?1 AND receive_count > 0), \
                   count(*) FILTER (WHERE visible_at_ms > ?1 AND receive_count = 0), \
                   min(visible_at_ms) FROM message WHERE queue = ?2";
        let count = |row: &Row<'_>, column: usize| row.get(column).map(i64::unsigned_abs);
        let state = self.find(sql, (now_ms, queue), |row| {
            let (visible, in_flight, delayed) = (count(row, 0)?, count(row, 1)?, count(row, 2)?);
            Ok(QueueState { visible, in_flight, delayed, next_visible_at_ms: row.get(3)? })
        })?;
        Ok(state.unwrap_or_default())
    }

    async fn deduplicated(&mut self, scope: &str, id: &str, since_ms: i64) -> Result<Option<Dedup>, StoreError> {
        let sql = "SELECT scope, id, message_id, sequence, sent_at_ms FROM dedup \
                   WHERE scope = ? AND id = ? AND sent_at_ms >= ?";
        self.find(sql, (scope, id, since_ms), |row| {
            let (scope, id, message_id) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Dedup { scope, id, message_id, sequence: row.get(3)?, sent_at_ms: row.get(4)? })
        })
    }

    async fn remember(&mut self, dedup: &Dedup, forget_before_ms: i64) -> Result<(), StoreError> {
        let Dedup { scope, id, message_id, sequence, sent_at_ms } = dedup;
        self.change("DELETE FROM dedup WHERE scope = ? AND sent_at_ms < ?", (scope, forget_before_ms))?;
        let sql = "INSERT OR REPLACE INTO dedup (scope, id, message_id, sequence, sent_at_ms) VALUES (?, ?, ?, ?, ?)";
        self.change(sql, (scope, id, message_id, sequence, sent_at_ms)).map(|_| ())
    }

    async fn next_number(&mut self, name: &str) -> Result<i64, StoreError> {
        let sql = "INSERT INTO counter (name, value) VALUES (?, 1) \
                   ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value";
        let value = self.conn.prepare_cached(sql).and_then(|mut s| s.query_row([name], |row| row.get(0)));
        self.check(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl_store::conformance::services::{self, TestStore, TestTx};

    struct Store {
        conn: Connection,
        place: Place,
    }

    fn place() -> Place {
        Place { path: std::path::Path::new(":memory:").into(), busy_timeout_ms: 0 }
    }

    #[async_trait]
    impl TestStore for Store {
        async fn begin(&mut self) -> Result<Box<dyn TestTx + '_>, StoreError> {
            // What was dropped without a commit is still open.
            let _ = self.conn.execute_batch("ROLLBACK");
            self.conn.execute_batch("BEGIN").map_err(StoreError::new)?;
            Ok(Box::new(SqliteTx::new(&mut self.conn, &self.place)))
        }
    }

    #[async_trait]
    impl TestTx for SqliteTx<'_> {
        async fn commit(self: Box<Self>) -> Result<(), StoreError> {
            assert!(self.failed.is_none());
            self.conn.execute_batch("COMMIT").map_err(StoreError::new)
        }
    }

    #[tokio::test]
    async fn the_services_get_what_they_rely_on() {
        let conn = Connection::open_in_memory().unwrap();
        crate::sqlite::schema::migrate(&conn, &place(), crate::sqlite::schema::MIGRATIONS).unwrap();
        services::check(&mut Store { conn, place: place() }).await.unwrap();
    }

    #[tokio::test]
    async fn a_failure_is_remembered() {
        let (mut conn, place) = (Connection::open_in_memory().unwrap(), place());
        let mut tx = SqliteTx::new(&mut conn, &place);
        tx.next_number("orders").await.unwrap_err();
        assert!(matches!(tx.failed, Some(JournalError::Database { .. })));
    }
}
