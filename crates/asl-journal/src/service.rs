//! The embedded services' rows in the same database: [`ServiceTx`] over an open transaction.

use crate::error::{JournalError, Place};
use asl_task::embedded::{Dedup, ItemKey, ItemRange, Message, QueueState, ServiceTx, StoreError};
use asl_value::Value;
use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// The columns of a message, in the order of [`message`].
const COLUMNS: &str = "position, queue, id, group_id, dedup_id, body, attributes, source, sent_at_ms, visible_at_ms, \
                       first_received_at_ms, receive_count, receipt";

/// The services' view of a transaction that is open on `conn`.
pub(crate) struct SqliteTx<'c> {
    pub(crate) conn: &'c mut SqliteConnection,
    pub(crate) place: &'c Place,
    /// The first failure: after it the transaction must not be committed, whatever the caller made of it.
    pub(crate) failed: Option<JournalError>,
}

impl<'c> SqliteTx<'c> {
    pub(crate) fn new(conn: &'c mut SqliteConnection, place: &'c Place) -> SqliteTx<'c> {
        SqliteTx { conn, place, failed: None }
    }

    fn check<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let error = self.place.failed(error);
            let told = StoreError::new(&error);
            self.failed.get_or_insert(error);
            told
        })
    }

    async fn select(&mut self, mut query: QueryBuilder<Sqlite>) -> Result<Vec<Message>, StoreError> {
        let rows = query.build().fetch_all(&mut *self.conn).await;
        let rows = rows.and_then(|rows| rows.iter().map(message).collect());
        self.check(rows)
    }
}

fn value(text: &str) -> Result<Value, sqlx::Error> {
    text.parse().map_err(|e: asl_value::ParseError| sqlx::Error::Decode(e.to_string().into()))
}

fn message(row: &SqliteRow) -> Result<Message, sqlx::Error> {
    Ok(Message {
        position: row.try_get(0)?,
        queue: row.try_get(1)?,
        id: row.try_get(2)?,
        group_id: row.try_get(3)?,
        dedup_id: row.try_get(4)?,
        body: row.try_get(5)?,
        attributes: value(row.try_get(6)?)?,
        source: row.try_get(7)?,
        sent_at_ms: row.try_get(8)?,
        visible_at_ms: row.try_get(9)?,
        first_received_at_ms: row.try_get(10)?,
        receive_count: row.try_get(11)?,
        receipt: row.try_get(12)?,
    })
}

/// `SELECT` of the messages of a queue, open for further conditions.
fn messages_of(queue: &str) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM message AS m WHERE m.queue = "));
    query.push_bind(queue.to_owned());
    query
}

#[async_trait]
impl ServiceTx for SqliteTx<'_> {
    async fn item(&mut self, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError> {
        let sql = "SELECT body FROM item WHERE table_name = ? AND hash_key = ? AND range_key = ?";
        let query = sqlx::query_scalar(sql).bind(table).bind(&key.hash).bind(&key.range);
        let found: Result<Option<String>, _> = query.fetch_optional(&mut *self.conn).await;
        self.check(found.and_then(|found| found.as_deref().map(value).transpose()))
    }

    async fn put_item(&mut self, table: &str, key: &ItemKey, item: &Value) -> Result<(), StoreError> {
        let sql = "INSERT INTO item (table_name, hash_key, range_key, body) VALUES (?, ?, ?, ?) \
                   ON CONFLICT DO UPDATE SET body = excluded.body";
        let query = sqlx::query(sql).bind(table).bind(&key.hash).bind(&key.range).bind(item.to_string());
        let done = query.execute(&mut *self.conn).await;
        self.check(done).map(|_| ())
    }

    async fn delete_item(&mut self, table: &str, key: &ItemKey) -> Result<(), StoreError> {
        let sql = "DELETE FROM item WHERE table_name = ? AND hash_key = ? AND range_key = ?";
        let query = sqlx::query(sql).bind(table).bind(&key.hash).bind(&key.range);
        let done = query.execute(&mut *self.conn).await;
        self.check(done).map(|_| ())
    }

    async fn items(&mut self, table: &str, range: ItemRange<'_>) -> Result<Vec<(ItemKey, Value)>, StoreError> {
        let mut query = QueryBuilder::new("SELECT hash_key, range_key, body FROM item WHERE table_name = ");
        query.push_bind(table.to_owned());
        if let Some(hash) = range.hash {
            query.push(" AND hash_key = ").push_bind(hash.to_owned());
        }
        if let Some(after) = range.after {
            query.push(if range.reverse { " AND (hash_key, range_key) < (" } else { " AND (hash_key, range_key) > (" });
            query.push_bind(after.hash.clone()).push(", ").push_bind(after.range.clone()).push(")");
        }
        let order = if range.reverse { "DESC" } else { "ASC" };
        query.push(format_args!(" ORDER BY hash_key {order}, range_key {order} LIMIT "));
        query.push_bind(range.limit);
        let rows = query.build().fetch_all(&mut *self.conn).await;
        let item = |row: &SqliteRow| {
            let key = ItemKey { hash: row.try_get(0)?, range: row.try_get(1)? };
            Ok((key, value(row.try_get(2)?)?))
        };
        let rows = rows.and_then(|rows| rows.iter().map(item).collect());
        self.check(rows)
    }

    async fn insert_message(&mut self, message: &Message) -> Result<i64, StoreError> {
        let sql = "INSERT INTO message (queue, id, group_id, dedup_id, body, attributes, source, sent_at_ms, \
                   visible_at_ms, first_received_at_ms, receive_count, receipt) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let done = sqlx::query(sql)
            .bind(&message.queue)
            .bind(&message.id)
            .bind(&message.group_id)
            .bind(&message.dedup_id)
            .bind(&message.body)
            .bind(message.attributes.to_string())
            .bind(&message.source)
            .bind(message.sent_at_ms)
            .bind(message.visible_at_ms)
            .bind(message.first_received_at_ms)
            .bind(message.receive_count)
            .bind(&message.receipt)
            .execute(&mut *self.conn)
            .await;
        self.check(done).map(|done| done.last_insert_rowid())
    }

    async fn message(&mut self, queue: &str, position: i64) -> Result<Option<Message>, StoreError> {
        let mut query = messages_of(queue);
        query.push(" AND m.position = ").push_bind(position);
        Ok(self.select(query).await?.pop())
    }

    async fn update_message(&mut self, message: &Message) -> Result<(), StoreError> {
        let sql = "UPDATE message SET queue = ?, id = ?, group_id = ?, dedup_id = ?, body = ?, attributes = ?, source = ?, \
                   sent_at_ms = ?, visible_at_ms = ?, first_received_at_ms = ?, receive_count = ?, receipt = ? \
                   WHERE position = ?";
        let done = sqlx::query(sql)
            .bind(&message.queue)
            .bind(&message.id)
            .bind(&message.group_id)
            .bind(&message.dedup_id)
            .bind(&message.body)
            .bind(message.attributes.to_string())
            .bind(&message.source)
            .bind(message.sent_at_ms)
            .bind(message.visible_at_ms)
            .bind(message.first_received_at_ms)
            .bind(message.receive_count)
            .bind(&message.receipt)
            .bind(message.position)
            .execute(&mut *self.conn)
            .await;
        self.check(done).map(|_| ())
    }

    async fn delete_message(&mut self, queue: &str, position: i64) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM message WHERE queue = ? AND position = ?").bind(queue).bind(position);
        let done = query.execute(&mut *self.conn).await;
        self.check(done).map(|_| ())
    }

    async fn delete_messages(&mut self, queue: &str, sent_before_ms: i64) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM message WHERE queue = ? AND sent_at_ms < ?");
        let done = query.bind(queue).bind(sent_before_ms).execute(&mut *self.conn).await;
        self.check(done).map(|done| done.rows_affected())
    }

    async fn messages(&mut self, queue: &str, after: i64, limit: u32) -> Result<Vec<Message>, StoreError> {
        let mut query = messages_of(queue);
        query.push(" AND m.position > ").push_bind(after);
        query.push(" ORDER BY m.position LIMIT ").push_bind(limit);
        self.select(query).await
    }

    async fn receivable(
        &mut self,
        queue: &str,
        now_ms: i64,
        in_order: bool,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let mut query = messages_of(queue);
        query.push(" AND m.visible_at_ms <= ").push_bind(now_ms);
        if in_order {
            query.push(
                " AND (m.group_id IS NULL OR NOT EXISTS (SELECT 1 FROM message AS b \
                  WHERE b.queue = m.queue AND b.group_id = m.group_id AND (b.receipt IS NOT NULL OR b.position < m.position) \
                  AND b.visible_at_ms > ",
            );
            query.push_bind(now_ms).push("))");
        }
        query.push(" ORDER BY m.position LIMIT ").push_bind(limit);
        self.select(query).await
    }

    async fn queue_state(&mut self, queue: &str, now_ms: i64) -> Result<QueueState, StoreError> {
        let sql = "SELECT count(*) FILTER (WHERE visible_at_ms <= ?1), \
                   count(*) FILTER (WHERE visible_at_ms > ?1 AND receive_count > 0), \
                   count(*) FILTER (WHERE visible_at_ms > ?1 AND receive_count = 0), \
                   min(visible_at_ms) FROM message WHERE queue = ?2";
        let query = sqlx::query_as(sql).bind(now_ms).bind(queue);
        let row: Result<(i64, i64, i64, Option<i64>), _> = query.fetch_one(&mut *self.conn).await;
        let (visible, in_flight, delayed, next_visible_at_ms) = self.check(row)?;
        let count = |n: i64| n.unsigned_abs();
        let (visible, in_flight, delayed) = (count(visible), count(in_flight), count(delayed));
        Ok(QueueState { visible, in_flight, delayed, next_visible_at_ms })
    }

    async fn deduplicated(&mut self, scope: &str, id: &str, since_ms: i64) -> Result<Option<Dedup>, StoreError> {
        let sql = "SELECT message_id, sequence, sent_at_ms FROM dedup WHERE scope = ? AND id = ? AND sent_at_ms >= ?";
        let query = sqlx::query_as(sql).bind(scope).bind(id).bind(since_ms);
        let found: Result<Option<(String, i64, i64)>, _> = query.fetch_optional(&mut *self.conn).await;
        let (scope, id) = (scope.to_owned(), id.to_owned());
        let found = self.check(found)?;
        Ok(found.map(|(message_id, sequence, sent_at_ms)| Dedup { scope, id, message_id, sequence, sent_at_ms }))
    }

    async fn remember(&mut self, dedup: &Dedup, forget_before_ms: i64) -> Result<(), StoreError> {
        let forget = sqlx::query("DELETE FROM dedup WHERE scope = ? AND sent_at_ms < ?");
        let done = forget.bind(&dedup.scope).bind(forget_before_ms).execute(&mut *self.conn).await;
        self.check(done)?;
        let sql = "INSERT OR REPLACE INTO dedup (scope, id, message_id, sequence, sent_at_ms) VALUES (?, ?, ?, ?, ?)";
        let query = sqlx::query(sql).bind(&dedup.scope).bind(&dedup.id).bind(&dedup.message_id);
        let done = query.bind(dedup.sequence).bind(dedup.sent_at_ms).execute(&mut *self.conn).await;
        self.check(done).map(|_| ())
    }

    async fn next_number(&mut self, name: &str) -> Result<i64, StoreError> {
        let sql = "INSERT INTO counter (name, value) VALUES (?, 1) \
                   ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value";
        let value = sqlx::query_scalar(sql).bind(name).fetch_one(&mut *self.conn).await;
        self.check(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl_task::embedded::conformance::{self, TestStore, TestTx};
    use sqlx::Connection;

    struct Store {
        conn: SqliteConnection,
        place: Place,
    }

    #[async_trait]
    impl TestStore for Store {
        async fn begin(&mut self) -> Result<Box<dyn TestTx + '_>, StoreError> {
            // What was dropped without a commit is still open.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
            sqlx::query("BEGIN").execute(&mut self.conn).await.map_err(StoreError::new)?;
            Ok(Box::new(SqliteTx::new(&mut self.conn, &self.place)))
        }
    }

    #[async_trait]
    impl TestTx for SqliteTx<'_> {
        async fn commit(self: Box<Self>) -> Result<(), StoreError> {
            assert!(self.failed.is_none());
            sqlx::query("COMMIT").execute(&mut *self.conn).await.map(|_| ()).map_err(StoreError::new)
        }
    }

    #[tokio::test]
    async fn the_services_get_what_they_rely_on() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let place = Place { path: std::path::Path::new(":memory:").into(), busy_timeout_ms: 0 };
        crate::schema::migrate(&mut conn, &place, crate::schema::MIGRATIONS).await.unwrap();
        conformance::check(&mut Store { conn, place }).await.unwrap();
    }

    #[tokio::test]
    async fn a_failure_is_remembered() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let place = Place { path: std::path::Path::new(":memory:").into(), busy_timeout_ms: 0 };
        let mut tx = SqliteTx::new(&mut conn, &place);
        tx.next_number("orders").await.unwrap_err();
        assert!(matches!(tx.failed, Some(JournalError::Database { .. })));
    }
}
