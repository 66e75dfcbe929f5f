//! The storage that the embedded services need: one open transaction, seen as items, messages and a few small records.
//!
//! It is made to lie in plain SQL tables that a person can read with a SQL client:
//!
//! ```sql
//! CREATE TABLE item       (table_name TEXT, hash_key TEXT, range_key TEXT, body TEXT,     -- body: {"id":{"S":"1"},...}
//!                          PRIMARY KEY (table_name, hash_key, range_key));
//! CREATE TABLE message    (position INTEGER PRIMARY KEY,                                  -- ascending; given by the database
//!                          queue TEXT, id TEXT, group_id TEXT, dedup_id TEXT, body TEXT, attributes TEXT, source TEXT,
//!                          sent_at_ms BIGINT, visible_at_ms BIGINT, first_received_at_ms BIGINT,
//!                          receive_count BIGINT, receipt TEXT);                          -- index (queue, visible_at_ms, position)
//! CREATE TABLE dedup      (scope TEXT, id TEXT, message_id TEXT, sequence BIGINT, sent_at_ms BIGINT, PRIMARY KEY (scope, id));
//! CREATE TABLE counter    (name TEXT PRIMARY KEY, value BIGINT);
//! ```
//!
//! Key columns compare by bytes: SQLite does so by itself, in PostgreSQL they are `TEXT COLLATE "C"`.

use crate::StoreError;
use asl_value::Value;
use async_trait::async_trait;

/// The encoded primary key of an item: text whose byte order is DynamoDB's order of the key values, without NUL characters.
///
/// A string key is its own text (U+0000 and U+0001 are escaped), a binary key is lower-case hex, a number key is
/// a sign digit, a three-digit exponent and the digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The hash (partition) key.
    pub hash: String,
    /// The range (sort) key; empty in a table that has none.
    pub range: String,
}

/// Which items of a table to read, in key order.
#[derive(Clone, Debug, Default)]
pub struct ItemRange<'a> {
    /// Only items with this encoded hash key.
    pub hash: Option<&'a str>,
    /// Start behind this key (in the direction of reading); it need not exist.
    pub after: Option<&'a ItemKey>,
    /// Read in descending order.
    pub reverse: bool,
    /// At most so many items.
    pub limit: u32,
}

/// [`Message::visible_at_ms`] of a message that nothing hides: earlier than every clock, so that a clock that is set back after
/// the message was sent does not hide it.
pub const AT_ONCE: i64 = 0;

/// A message of a queue (or a pending delivery of a topic, kept in a queue of its own).
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its place in the order of arrival, ascending, unique in the database; given by [`ServiceTx::insert_message`].
    pub position: i64,
    /// The name of the queue.
    pub queue: String,
    /// The MessageId, a UUID.
    pub id: String,
    /// The MessageGroupId.
    pub group_id: Option<String>,
    /// The MessageDeduplicationId.
    pub dedup_id: Option<String>,
    /// The body.
    pub body: String,
    /// The message attributes, `{NAME: {"DataType", "StringValue" | "BinaryValue" (base64)}}`; an object, may be empty.
    pub attributes: Value,
    /// The ARN of the queue that a dead letter came from.
    pub source: Option<String>,
    /// When it was sent, in epoch milliseconds.
    pub sent_at_ms: i64,
    /// When it can be received (again), in epoch milliseconds; [`AT_ONCE`] when nothing hides it.
    pub visible_at_ms: i64,
    /// When it was first received, in epoch milliseconds.
    pub first_received_at_ms: Option<i64>,
    /// How often it was received.
    pub receive_count: u32,
    /// The receipt handle of the last receive.
    pub receipt: Option<String>,
}

/// The remembered send of a FIFO queue or topic: the same deduplication id within five minutes is the same message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// What the id belongs to, for example `sqs/orders.fifo`.
    pub scope: String,
    /// The deduplication id.
    pub id: String,
    /// The MessageId the first send got.
    pub message_id: String,
    /// The sequence number the first send got.
    pub sequence: i64,
    /// When that was, in epoch milliseconds.
    pub sent_at_ms: i64,
}

/// How many messages a queue holds, and when the next of them can be received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Messages with `visible_at_ms <= now`.
    pub visible: u64,
    /// Later ones that were received at least once (in flight).
    pub in_flight: u64,
    /// Later ones that were never received (delayed).
    pub delayed: u64,
    /// The least `visible_at_ms` of all messages, in epoch milliseconds.
    pub next_visible_at_ms: Option<i64>,
}

/// One open transaction, perhaps one of several at once. Its calls may wait. Dropping it without a commit undoes everything; an error of a method means that it cannot commit.
///
/// Reads see the transaction's own writes. Every implementation passes `conformance::services` (feature `testing`).
#[async_trait]
pub trait ServiceTx: Send {
    /// The item under `key`, if there is one.
    async fn item(&mut self, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError>;
    /// The item under `key`, to be written next: until this transaction ends, no other one reads it so or writes it. Another that
    /// asks waits, or is tried again. A key that has no item yet is held too. A store that runs one writing transaction at a time
    /// has nothing to lock.
    async fn item_for_update(&mut self, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError> {
        self.item(table, key).await
    }
    /// Inserts or replaces the item under `key`.
    async fn put_item(&mut self, table: &str, key: &ItemKey, item: &Value) -> Result<(), StoreError>;
    /// Removes the item under `key`, if there is one.
    async fn delete_item(&mut self, table: &str, key: &ItemKey) -> Result<(), StoreError>;
    /// Items of a table in the order of (hash, range), by bytes.
    async fn items(&mut self, table: &str, range: ItemRange<'_>) -> Result<Vec<(ItemKey, Value)>, StoreError>;

    /// Adds a message and returns the position given to it; `message.position` is ignored.
    async fn insert_message(&mut self, message: &Message) -> Result<i64, StoreError>;
    /// The message at a position of a queue.
    async fn message(&mut self, queue: &str, position: i64) -> Result<Option<Message>, StoreError>;
    /// Replaces the message at `message.position`; its queue may change (a dead letter).
    async fn update_message(&mut self, message: &Message) -> Result<(), StoreError>;
    /// Removes the message at a position of a queue, if it is there.
    async fn delete_message(&mut self, queue: &str, position: i64) -> Result<(), StoreError>;
    /// Removes every message of a queue sent before `sent_before_ms`; returns how many there were.
    async fn delete_messages(&mut self, queue: &str, sent_before_ms: i64) -> Result<u64, StoreError>;
    /// Messages of a queue behind a position, in order, whatever their visibility.
    async fn messages(&mut self, queue: &str, after: i64, limit: u32) -> Result<Vec<Message>, StoreError>;
    /// Messages that can be received at `now_ms`, in order. They are locked until this transaction ends, and those that another
    /// transaction has locked are skipped: two receivers at once get different messages, and neither waits. With `in_order`, a message waits while another of its
    /// group that is not visible came before it or is in flight (has a receipt):
    ///
    /// ```sql
    /// SELECT * FROM message m WHERE queue = ?1 AND visible_at_ms <= ?2 AND NOT EXISTS (
    ///     SELECT 1 FROM message b WHERE b.queue = m.queue AND b.group_id = m.group_id AND b.visible_at_ms > ?2
    ///         AND (b.position < m.position OR b.receipt IS NOT NULL))
    /// ORDER BY position LIMIT ?3
    /// ```
    async fn receivable(
        &mut self,
        queue: &str,
        now_ms: i64,
        in_order: bool,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError>;
    /// The counts of a queue at `now_ms`.
    async fn queue_state(&mut self, queue: &str, now_ms: i64) -> Result<QueueState, StoreError>;

    /// The remembered send with this id, if it was at or after `since_ms`.
    async fn deduplicated(&mut self, scope: &str, id: &str, since_ms: i64) -> Result<Option<Dedup>, StoreError>;
    /// Remembers a send (replacing an older one with the same id) and forgets those of its scope from before `forget_before_ms`.
    async fn remember(&mut self, dedup: &Dedup, forget_before_ms: i64) -> Result<(), StoreError>;
    /// Counts up: 1, 2, 3, ... for each name. The number is this transaction's; another that asks for the same name waits.
    async fn next_number(&mut self, name: &str) -> Result<i64, StoreError>;
}
