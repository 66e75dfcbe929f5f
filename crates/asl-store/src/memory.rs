//! The store of the embedded services in memory, for tests and for engines that keep nothing.

use crate::StoreError;
use crate::service::{Dedup, ItemKey, ItemRange, Message, QueueState, ServiceTx};
use asl_value::Value;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

type Items = BTreeMap<String, BTreeMap<ItemKey, Value>>;
type Messages = BTreeMap<String, BTreeMap<i64, Message>>;

/// Items and messages in memory. One transaction at a time: [`MemoryStore::begin`] borrows the store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    items: Items,
    messages: Messages,
    dedups: BTreeMap<(String, String), Dedup>,
    numbers: BTreeMap<String, i64>,
    last_position: i64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// True when it has the same messages.
    #[cfg(feature = "testing")]
    pub(crate) fn has_same_messages(&self, other: &MemoryStore) -> bool {
        self.messages == other.messages
    }

    /// True when it has the same items and numbers.
    #[cfg(feature = "testing")]
    pub(crate) fn has_same_items(&self, other: &MemoryStore) -> bool {
        self.items == other.items && self.numbers == other.numbers
    }

    /// Opens a transaction. Dropping it undoes what it wrote; [`MemoryTx::commit`] keeps it.
    pub fn begin(&mut self) -> MemoryTx<'_> {
        MemoryTx { store: self, undo: Vec::new() }
    }
}

/// What was there before a write.
#[derive(Debug)]
enum Undo {
    Item(String, ItemKey, Option<Value>),
    Message(String, i64, Option<Message>),
    Dedup((String, String), Option<Dedup>),
    Number(String, Option<i64>),
}

/// An open transaction on a [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryTx<'a> {
    store: &'a mut MemoryStore,
    undo: Vec<Undo>,
}

impl MemoryTx<'_> {
    /// Keeps everything this transaction wrote.
    pub fn commit(mut self) {
        self.undo.clear();
    }

    fn set_message(&mut self, queue: &str, position: i64, message: Option<Message>) {
        let place = self.store.messages.entry(queue.to_owned()).or_default();
        let before = match message {
            Some(message) => place.insert(position, message),
            None => place.remove(&position),
        };
        self.undo.push(Undo::Message(queue.to_owned(), position, before));
    }

    fn set_item(&mut self, table: &str, key: &ItemKey, item: Option<Value>) {
        let place = self.store.items.entry(table.to_owned()).or_default();
        let before = match item {
            Some(item) => place.insert(key.clone(), item),
            None => place.remove(key),
        };
        self.undo.push(Undo::Item(table.to_owned(), key.clone(), before));
    }

    fn set_dedup(&mut self, key: (String, String), dedup: Option<Dedup>) {
        let before = match dedup {
            Some(dedup) => self.store.dedups.insert(key.clone(), dedup),
            None => self.store.dedups.remove(&key),
        };
        self.undo.push(Undo::Dedup(key, before));
    }

    fn queue(&self, queue: &str) -> impl Iterator<Item = &Message> {
        self.store.messages.get(queue).into_iter().flat_map(BTreeMap::values)
    }
}

impl Drop for MemoryTx<'_> {
    fn drop(&mut self) {
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            match undo {
                Undo::Item(table, key, Some(item)) => {
                    self.store.items.entry(table).or_default().insert(key, item);
                }
                Undo::Item(table, key, None) => {
                    self.store.items.entry(table).or_default().remove(&key);
                }
                Undo::Message(queue, position, Some(message)) => {
                    self.store.messages.entry(queue).or_default().insert(position, message);
                }
                Undo::Message(queue, position, None) => {
                    self.store.messages.entry(queue).or_default().remove(&position);
                }
                Undo::Dedup(key, Some(dedup)) => {
                    self.store.dedups.insert(key, dedup);
                }
                Undo::Dedup(key, None) => {
                    self.store.dedups.remove(&key);
                }
                Undo::Number(name, Some(value)) => {
                    self.store.numbers.insert(name, value);
                }
                Undo::Number(name, None) => {
                    self.store.numbers.remove(&name);
                }
            }
        }
    }
}

#[async_trait]
impl ServiceTx for MemoryTx<'_> {
    async fn item(&mut self, table: &str, key: &ItemKey) -> Result<Option<Value>, StoreError> {
        Ok(self.store.items.get(table).and_then(|items| items.get(key)).cloned())
    }

    async fn put_item(&mut self, table: &str, key: &ItemKey, item: &Value) -> Result<(), StoreError> {
        self.set_item(table, key, Some(item.clone()));
        Ok(())
    }

    async fn delete_item(&mut self, table: &str, key: &ItemKey) -> Result<(), StoreError> {
        self.set_item(table, key, None);
        Ok(())
    }

    async fn items(&mut self, table: &str, range: ItemRange<'_>) -> Result<Vec<(ItemKey, Value)>, StoreError> {
        let Some(items) = self.store.items.get(table) else { return Ok(Vec::new()) };
        // Start at the key or at the first of the hash key, so that a page costs what it holds.
        let first = |hash: &str| ItemKey { hash: hash.to_owned(), range: String::new() };
        let behind = range.after.map_or(Unbounded, Excluded);
        let from = range.hash.map(first);
        let rows: Box<dyn Iterator<Item = _>> = match (range.reverse, behind, &from) {
            (true, behind, _) => Box::new(items.range((Unbounded, behind)).rev()),
            (false, Unbounded, Some(from)) => Box::new(items.range(from..)),
            (false, behind, _) => Box::new(items.range((behind, Unbounded))),
        };
        let wanted = |key: &ItemKey| range.hash.is_none_or(|hash| key.hash == hash);
        let rows = rows.filter(|(key, _)| wanted(key)).take(range.limit as usize);
        Ok(rows.map(|(key, item)| (key.clone(), item.clone())).collect())
    }

    async fn insert_message(&mut self, message: &Message) -> Result<i64, StoreError> {
        self.store.last_position += 1;
        let position = self.store.last_position;
        self.set_message(&message.queue, position, Some(Message { position, ..message.clone() }));
        Ok(position)
    }

    async fn message(&mut self, queue: &str, position: i64) -> Result<Option<Message>, StoreError> {
        Ok(self.store.messages.get(queue).and_then(|messages| messages.get(&position)).cloned())
    }

    async fn update_message(&mut self, message: &Message) -> Result<(), StoreError> {
        let position = message.position;
        let holder = self.store.messages.iter().find(|(_, messages)| messages.contains_key(&position));
        let Some(queue) = holder.map(|(queue, _)| queue.clone()) else { return Ok(()) };
        self.set_message(&queue, position, None);
        self.set_message(&message.queue, position, Some(message.clone()));
        Ok(())
    }

    async fn delete_message(&mut self, queue: &str, position: i64) -> Result<(), StoreError> {
        self.set_message(queue, position, None);
        Ok(())
    }

    async fn delete_messages(&mut self, queue: &str, sent_before_ms: i64) -> Result<u64, StoreError> {
        let old = self.queue(queue).filter(|m| m.sent_at_ms < sent_before_ms);
        let old: Vec<i64> = old.map(|m| m.position).collect();
        for position in &old {
            self.set_message(queue, *position, None);
        }
        Ok(old.len() as u64)
    }

    async fn messages(&mut self, queue: &str, after: i64, limit: u32) -> Result<Vec<Message>, StoreError> {
        Ok(self.queue(queue).filter(|m| m.position > after).take(limit as usize).cloned().collect())
    }

    async fn receivable(
        &mut self,
        queue: &str,
        now_ms: i64,
        in_order: bool,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        // The first invisible position of each group; a receipt blocks the whole group.
        let mut blocked: BTreeMap<&str, i64> = BTreeMap::new();
        for message in self.queue(queue).filter(|m| in_order && m.visible_at_ms > now_ms) {
            let Some(group) = message.group_id.as_deref() else { continue };
            let from = if message.receipt.is_some() { i64::MIN } else { message.position };
            let place = blocked.entry(group).or_insert(from);
            *place = from.min(*place);
        }
        let free = |m: &&Message| {
            let from = m.group_id.as_deref().and_then(|group| blocked.get(group));
            m.visible_at_ms <= now_ms && from.is_none_or(|from| m.position < *from)
        };
        Ok(self.queue(queue).filter(free).take(limit as usize).cloned().collect())
    }

    async fn queue_state(&mut self, queue: &str, now_ms: i64) -> Result<QueueState, StoreError> {
        let mut state = QueueState::default();
        for message in self.queue(queue) {
            let counter = match message {
                m if m.visible_at_ms <= now_ms => &mut state.visible,
                m if m.receive_count > 0 => &mut state.in_flight,
                _ => &mut state.delayed,
            };
            *counter += 1;
            let at = message.visible_at_ms;
            state.next_visible_at_ms = Some(state.next_visible_at_ms.map_or(at, |next| next.min(at)));
        }
        Ok(state)
    }

    async fn deduplicated(&mut self, scope: &str, id: &str, since_ms: i64) -> Result<Option<Dedup>, StoreError> {
        let found = self.store.dedups.get(&(scope.to_owned(), id.to_owned()));
        Ok(found.filter(|dedup| dedup.sent_at_ms >= since_ms).cloned())
    }

    async fn remember(&mut self, dedup: &Dedup, forget_before_ms: i64) -> Result<(), StoreError> {
        let old = self.store.dedups.values();
        let old = old.filter(|d| d.scope == dedup.scope && d.sent_at_ms < forget_before_ms);
        let old: Vec<_> = old.map(|d| (d.scope.clone(), d.id.clone())).collect();
        for key in old {
            self.set_dedup(key, None);
        }
        self.set_dedup((dedup.scope.clone(), dedup.id.clone()), Some(dedup.clone()));
        Ok(())
    }

    async fn next_number(&mut self, name: &str) -> Result<i64, StoreError> {
        let before = self.store.numbers.get(name).copied();
        let next = before.unwrap_or(0) + 1;
        self.store.numbers.insert(name.to_owned(), next);
        self.undo.push(Undo::Number(name.to_owned(), before));
        Ok(next)
    }
}
