//! The embedded services' rows: [`ServiceTx`] over an open transaction, beside others that are open too.
//!
//! What must not be done twice at once is locked by the call that says so: an item, the groups of a FIFO queue, the id of a deduplicated
//! send. The locks end with the transaction, so they work behind a pooler.

use crate::postgres::PgStore;
use crate::postgres::conn::Query;
use crate::postgres::zeros::{escaped, unescaped};
use asl_store::{Dedup, ItemKey, ItemRange, Message, QueueState, ServiceTx, StoreError};
use asl_value::Value;
use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

/// The columns of a message, in the order of [`message`].
const COLUMNS: &str = "position, queue, id, group_id, dedup_id, body, attributes, source, sent_at_ms, visible_at_ms, \
                       first_received_at_ms, receive_count, receipt";
/// Holds an item, there or not: the lock of its key.
const HOLD_ITEM: &str = "pg_advisory_xact_lock(hashtextextended($1 || chr(1) || $2 || chr(1) || $3, 1))";

/// The services' view of an open transaction.
pub(crate) struct PgTx<'c> {
    conn: &'c mut PgConnection,
    store: &'c PgStore,
    /// The first failure: after it the transaction is lost.
    pub(crate) failed: Option<sqlx::Error>,
}

impl<'c> PgTx<'c> {
    pub(crate) fn new(conn: &'c mut PgConnection, store: &'c PgStore) -> PgTx<'c> {
        PgTx { conn, store, failed: None }
    }

    fn check<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let told = StoreError::new(&error);
            self.failed.get_or_insert(error);
            told
        })
    }

    async fn change(&mut self, query: Query<'_>) -> Result<u64, StoreError> {
        let done = query.execute(&mut *self.conn).await;
        self.check(done.map(|done| done.rows_affected()))
    }

    async fn all<T>(
        &mut self,
        query: Query<'_>,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = query.fetch_all(&mut *self.conn).await;
        self.check(rows.and_then(|rows| rows.iter().map(read).collect()))
    }

    async fn find<T>(
        &mut self,
        query: Query<'_>,
        read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Option<T>, StoreError> {
        let row = query.fetch_optional(&mut *self.conn).await;
        self.check(row.and_then(|row| row.as_ref().map(read).transpose()))
    }

    async fn body_of(&mut self, sql: &str, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError> {
        let query = self.store.query(sql).bind(table.to_owned()).bind(key.hash.clone()).bind(key.range.clone());
        self.find(query, |row| json(row, 0)).await
    }
}

/// A column that holds JSON.
fn json(row: &PgRow, column: usize) -> Result<Value, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|e: asl_value::ParseError| sqlx::Error::Decode(Box::new(e)))
}

fn message(row: &PgRow) -> Result<Message, sqlx::Error> {
    Ok(Message {
        position: row.try_get(0)?,
        queue: row.try_get(1)?,
        id: row.try_get(2)?,
        group_id: row.try_get(3)?,
        dedup_id: row.try_get(4)?,
        body: unescaped(row.try_get(5)?),
        attributes: json(row, 6)?,
        source: row.try_get(7)?,
        sent_at_ms: row.try_get(8)?,
        visible_at_ms: row.try_get(9)?,
        first_received_at_ms: row.try_get(10)?,
        receive_count: u32::try_from(row.try_get::<i64, _>(11)?).unwrap_or(u32::MAX),
        receipt: row.try_get(12)?,
    })
}

/// The columns of a message but for its position.
fn columns<'q>(query: Query<'q>, message: &Message) -> Query<'q> {
    let m = message.clone();
    query
        .bind(m.queue)
        .bind(m.id)
        .bind(m.group_id)
        .bind(m.dedup_id)
        .bind(escaped(m.body))
        .bind(m.attributes.to_string())
        .bind(m.source)
        .bind(m.sent_at_ms)
        .bind(m.visible_at_ms)
        .bind(m.first_received_at_ms)
        .bind(i64::from(m.receive_count))
        .bind(m.receipt)
}

#[async_trait]
impl ServiceTx for PgTx<'_> {
    async fn item(&mut self, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError> {
        let sql = "SELECT body FROM @item WHERE table_name = $1 AND hash_key = $2 AND range_key = $3";
        self.body_of(sql, table, key).await
    }

    async fn item_for_update(&mut self, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError> {
        let hold = self.store.query(&format!("SELECT {HOLD_ITEM}"));
        self.change(hold.bind(table.to_owned()).bind(key.hash.clone()).bind(key.range.clone())).await?;
        // A statement of its own sees what those committed who held it before.
        self.item(table, key).await
    }

    async fn put_item(&mut self, table: &str, key: &ItemKey, item: &Value) -> Result<(), StoreError> {
        let sql = format!(
            "WITH held AS MATERIALIZED (SELECT {HOLD_ITEM}) \
             INSERT INTO @item (table_name, hash_key, range_key, body) SELECT $1, $2, $3, $4 FROM held \
             ON CONFLICT (table_name, hash_key, range_key) DO UPDATE SET body = excluded.body"
        );
        let query = self.store.query(&sql).bind(table.to_owned()).bind(key.hash.clone()).bind(key.range.clone());
        self.change(query.bind(item.to_string())).await.map(drop)
    }

    async fn delete_item(&mut self, table: &str, key: &ItemKey) -> Result<(), StoreError> {
        self.item_for_update(table, key).await?;
        let sql = "DELETE FROM @item WHERE table_name = $1 AND hash_key = $2 AND range_key = $3";
        let query = self.store.query(sql).bind(table.to_owned()).bind(key.hash.clone()).bind(key.range.clone());
        self.change(query).await.map(drop)
    }

    async fn items(&mut self, table: &str, range: ItemRange<'_>) -> Result<Vec<(ItemKey, Value)>, StoreError> {
        let order = if range.reverse { "DESC" } else { "ASC" };
        let behind = if range.reverse { "<" } else { ">" };
        let sql = format!(
            "SELECT hash_key, range_key, body FROM @item WHERE table_name = $1 AND ($2::text IS NULL OR hash_key = $2) \
             {} ORDER BY hash_key {order}, range_key {order} LIMIT $3",
            if range.after.is_some() { format!("AND (hash_key, range_key) {behind} ($4, $5)") } else { String::new() }
        );
        let mut query = self.store.query(&sql).bind(table.to_owned()).bind(range.hash.map(str::to_owned));
        query = query.bind(i64::from(range.limit));
        if let Some(after) = range.after {
            query = query.bind(after.hash.clone()).bind(after.range.clone());
        }
        let read = |row: &PgRow| Ok((ItemKey { hash: row.try_get(0)?, range: row.try_get(1)? }, json(row, 2)?));
        self.all(query, read).await
    }

    async fn insert_message(&mut self, message: &Message) -> Result<i64, StoreError> {
        let sql = "INSERT INTO @message (queue, id, group_id, dedup_id, body, attributes, source, sent_at_ms, visible_at_ms, \
                   first_received_at_ms, receive_count, receipt) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING position";
        let query = columns(self.store.query(sql), message);
        let position = self.find(query, |row| row.try_get(0)).await?;
        position.ok_or_else(|| StoreError::new("no position was given to a message"))
    }

    async fn message(&mut self, queue: &str, position: i64) -> Result<Option<Message>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM @message WHERE queue = $1 AND position = $2");
        let query = self.store.query(&sql).bind(queue.to_owned()).bind(position);
        self.find(query, message).await
    }

    async fn update_message(&mut self, message: &Message) -> Result<(), StoreError> {
        let sql = "UPDATE @message SET queue = $1, id = $2, group_id = $3, dedup_id = $4, body = $5, attributes = $6, source = $7, \
                   sent_at_ms = $8, visible_at_ms = $9, first_received_at_ms = $10, receive_count = $11, receipt = $12 \
                   WHERE position = $13";
        let query = columns(self.store.query(sql), message).bind(message.position);
        self.change(query).await.map(drop)
    }

    async fn delete_message(&mut self, queue: &str, position: i64) -> Result<(), StoreError> {
        let query = self.store.query("DELETE FROM @message WHERE queue = $1 AND position = $2");
        self.change(query.bind(queue.to_owned()).bind(position)).await.map(drop)
    }

    async fn delete_messages(&mut self, queue: &str, sent_before_ms: i64) -> Result<u64, StoreError> {
        let query = self.store.query("DELETE FROM @message WHERE queue = $1 AND sent_at_ms < $2");
        self.change(query.bind(queue.to_owned()).bind(sent_before_ms)).await
    }

    async fn messages(&mut self, queue: &str, after: i64, limit: u32) -> Result<Vec<Message>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM @message WHERE queue = $1 AND position > $2 ORDER BY position LIMIT $3");
        let query = self.store.query(&sql).bind(queue.to_owned()).bind(after).bind(i64::from(limit));
        self.all(query, message).await
    }

    async fn receivable(
        &mut self,
        queue: &str,
        now_ms: i64,
        in_order: bool,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let limit = i64::from(limit);
        if !in_order {
            let sql = format!(
                "SELECT {COLUMNS} FROM @message WHERE queue = $1 AND visible_at_ms <= $2 ORDER BY position LIMIT $3 \
                 FOR UPDATE SKIP LOCKED"
            );
            let query = self.store.query(&sql).bind(queue.to_owned()).bind(now_ms).bind(limit);
            return self.all(query, message).await;
        }
        // A group is one receiver's until its transaction ends: to skip its first message alone would break its order.
        let sql = "SELECT g.group_id FROM (SELECT group_id FROM @message WHERE queue = $1 AND visible_at_ms <= $2 \
                   AND group_id IS NOT NULL GROUP BY group_id ORDER BY min(position) LIMIT $3) g \
                   WHERE pg_try_advisory_xact_lock(hashtextextended($1 || chr(1) || g.group_id, 2))";
        let query = self.store.query(sql).bind(queue.to_owned()).bind(now_ms).bind(limit.saturating_mul(4) + 16);
        let groups: Vec<String> = self.all(query, |row| row.try_get(0)).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM @message AS m WHERE m.queue = $1 AND m.visible_at_ms <= $2 \
             AND (m.group_id IS NULL OR (m.group_id = ANY($4) AND NOT EXISTS (SELECT 1 FROM @message AS b \
             WHERE b.queue = m.queue AND b.group_id = m.group_id AND (b.receipt IS NOT NULL OR b.position < m.position) \
             AND b.visible_at_ms > $2))) ORDER BY m.position LIMIT $3 FOR UPDATE OF m SKIP LOCKED"
        );
        let query = self.store.query(&sql).bind(queue.to_owned()).bind(now_ms).bind(limit).bind(groups);
        self.all(query, message).await
    }

    async fn queue_state(&mut self, queue: &str, now_ms: i64) -> Result<QueueState, StoreError> {
        let sql = "SELECT count(*) FILTER (WHERE visible_at_ms <= $1), \
                   count(*) FILTER (WHERE visible_at_ms > $1 AND receive_count > 0), \
                   count(*) FILTER (WHERE visible_at_ms > $1 AND receive_count = 0), \
                   min(visible_at_ms) FROM @message WHERE queue = $2";
        let query = self.store.query(sql).bind(now_ms).bind(queue.to_owned());
        let count = |row: &PgRow, column: usize| row.try_get(column).map(i64::unsigned_abs);
        let state = self.find(query, |row| {
            let (visible, in_flight, delayed) = (count(row, 0)?, count(row, 1)?, count(row, 2)?);
            Ok(QueueState { visible, in_flight, delayed, next_visible_at_ms: row.try_get(3)? })
        });
        Ok(state.await?.unwrap_or_default())
    }

    async fn deduplicated(&mut self, scope: &str, id: &str, since_ms: i64) -> Result<Option<Dedup>, StoreError> {
        // Of two sends of one id at once the second waits here, and finds the first.
        let hold = self.store.query("SELECT pg_advisory_xact_lock(hashtextextended($1 || chr(1) || $2, 3))");
        self.change(hold.bind(scope.to_owned()).bind(id.to_owned())).await?;
        let sql = "SELECT scope, id, message_id, sequence, sent_at_ms FROM @dedup \
                   WHERE scope = $1 AND id = $2 AND sent_at_ms >= $3";
        let query = self.store.query(sql).bind(scope.to_owned()).bind(id.to_owned()).bind(since_ms);
        let read = |row: &PgRow| {
            let (scope, id, message_id) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            Ok(Dedup { scope, id, message_id, sequence: row.try_get(3)?, sent_at_ms: row.try_get(4)? })
        };
        self.find(query, read).await
    }

    async fn remember(&mut self, dedup: &Dedup, forget_before_ms: i64) -> Result<(), StoreError> {
        let Dedup { scope, id, message_id, sequence, sent_at_ms } = dedup.clone();
        // What another transaction forgets just now need not be waited for.
        let sql = "DELETE FROM @dedup WHERE (scope, id) IN (SELECT scope, id FROM @dedup WHERE scope = $1 AND sent_at_ms < $2 \
                   AND id <> $3 FOR UPDATE SKIP LOCKED)";
        self.change(self.store.query(sql).bind(scope.clone()).bind(forget_before_ms).bind(id.clone())).await?;
        let sql = "INSERT INTO @dedup (scope, id, message_id, sequence, sent_at_ms) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (scope, id) DO UPDATE SET message_id = excluded.message_id, sequence = excluded.sequence, \
                   sent_at_ms = excluded.sent_at_ms";
        let query = self.store.query(sql).bind(scope).bind(id).bind(message_id).bind(sequence).bind(sent_at_ms);
        self.change(query).await.map(drop)
    }

    async fn next_number(&mut self, name: &str) -> Result<i64, StoreError> {
        let sql = "INSERT INTO @counter AS c (name, value) VALUES ($1, 1) \
                   ON CONFLICT (name) DO UPDATE SET value = c.value + 1 RETURNING value";
        let value = self.find(self.store.query(sql).bind(name.to_owned()), |row| row.try_get(0)).await?;
        value.ok_or_else(|| StoreError::new("a counter gave no number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl_store::conformance::services::{self, TestStore, TestTx};
    use sqlx::Executor;

    struct Tested {
        conn: PgConnection,
        store: PgStore,
    }

    #[async_trait]
    impl TestStore for Tested {
        async fn begin(&mut self) -> Result<Box<dyn TestTx + '_>, StoreError> {
            // What was dropped without a commit is still open.
            self.conn.execute("ROLLBACK").await.map_err(StoreError::new)?;
            self.conn.execute("BEGIN").await.map_err(StoreError::new)?;
            Ok(Box::new(PgTx::new(&mut self.conn, &self.store)))
        }
    }

    #[async_trait]
    impl TestTx for PgTx<'_> {
        async fn commit(self: Box<Self>) -> Result<(), StoreError> {
            assert!(self.failed.is_none());
            self.conn.execute("COMMIT").await.map(drop).map_err(StoreError::new)
        }
    }

    #[tokio::test]
    async fn the_services_get_what_they_rely_on() {
        let Ok(url) = std::env::var("ASL_TEST_POSTGRES") else {
            assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "ASL_TEST_POSTGRES is not set");
            return eprintln!("skipped: it needs ASL_TEST_POSTGRES=postgres://...; .ci/postgres starts one");
        };
        let schema = format!("s{}_services", std::process::id());
        let store = PgStore::open(&format!("{url}?schema={schema}")).await.unwrap();
        let conn = crate::postgres::connect(&store.address).await.unwrap();
        let mut tested = Tested { conn, store };
        services::check(&mut tested).await.unwrap();
        tested.conn.execute(sqlx::AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
    }
}
