//! The test suite of every [`ServiceTx`]: what the services rely on, in one function.
//!
//! A store implements [`TestStore`] in its tests and calls [`check`] on an empty database. A broken promise panics.

use crate::StoreError;
use crate::memory::{MemoryStore, MemoryTx};
use crate::service::{Dedup, ItemKey, ItemRange, Message, QueueState, ServiceTx};
use asl_value::Value;
use async_trait::async_trait;

/// A store under test.
#[async_trait]
pub trait TestStore: Send {
    /// Opens a transaction.
    async fn begin(&mut self) -> Result<Box<dyn TestTx + '_>, StoreError>;
}

/// A transaction under test. Dropping it rolls back.
#[async_trait]
pub trait TestTx: ServiceTx {
    /// Keeps what was written.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

#[async_trait]
impl TestStore for MemoryStore {
    async fn begin(&mut self) -> Result<Box<dyn TestTx + '_>, StoreError> {
        Ok(Box::new(MemoryStore::begin(self)))
    }
}

#[async_trait]
impl TestTx for MemoryTx<'_> {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        MemoryTx::commit(*self);
        Ok(())
    }
}

/// Runs every check on an empty store.
///
/// # Panics
/// When the store breaks a promise of [`ServiceTx`].
pub async fn check(store: &mut dyn TestStore) -> Result<(), StoreError> {
    rollback_undoes_everything(store).await?;
    let mut tx = store.begin().await?;
    items_are_kept(&mut *tx).await?;
    items_are_in_byte_order(&mut *tx).await?;
    messages_are_kept_whole(&mut *tx).await?;
    messages_appear_when_visible(&mut *tx).await?;
    groups_wait_for_their_first(&mut *tx).await?;
    messages_move_and_go(&mut *tx).await?;
    sends_are_remembered(&mut *tx).await?;
    tx.commit().await?;
    committed_work_is_there(store).await
}

fn key(hash: &str, range: &str) -> ItemKey {
    ItemKey { hash: hash.to_owned(), range: range.to_owned() }
}

fn item(n: i64) -> Value {
    Value::from_iter([("n", Value::from_iter([("N", n.to_string())]))])
}

fn message(queue: &str, id: &str, at_ms: i64) -> Message {
    Message {
        position: 0,
        queue: queue.to_owned(),
        id: id.to_owned(),
        group_id: None,
        dedup_id: None,
        body: format!("body of {id}"),
        attributes: Value::empty_object(),
        source: None,
        sent_at_ms: at_ms,
        visible_at_ms: at_ms,
        first_received_at_ms: None,
        receive_count: 0,
        receipt: None,
    }
}

fn ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.id.as_str()).collect()
}

async fn rollback_undoes_everything(store: &mut dyn TestStore) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.put_item("rolled", &key("back", ""), &item(1)).await?;
    tx.insert_message(&message("rolled", "back", 0)).await?;
    tx.next_number("rolled").await?;
    let dedup = Dedup { scope: "rolled".into(), id: "back".into(), message_id: "m".into(), sequence: 1, sent_at_ms: 0 };
    tx.remember(&dedup, 0).await?;
    drop(tx);
    let mut tx = store.begin().await?;
    assert_eq!(tx.item("rolled", &key("back", "")).await?, None, "an item survived a rollback");
    assert_eq!(tx.messages("rolled", 0, 10).await?, [], "a message survived a rollback");
    assert_eq!(tx.next_number("rolled").await?, 1, "a number survived a rollback");
    assert_eq!(tx.deduplicated("rolled", "back", 0).await?, None, "a dedup survived a rollback");
    Ok(())
}

async fn items_are_kept(tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
    let odd = key("é'\"\\\u{1}\u{1} ;--", "r");
    tx.put_item("t", &odd, &item(1)).await?;
    tx.put_item("t", &odd, &item(2)).await?;
    assert_eq!(tx.item("t", &odd).await?, Some(item(2)), "an item is replaced");
    assert_eq!(tx.item("u", &odd).await?, None, "tables are apart");
    assert_eq!(tx.item("t", &key(&odd.hash, "")).await?, None, "the range key counts");
    tx.delete_item("t", &odd).await?;
    tx.delete_item("t", &odd).await?;
    assert_eq!(tx.item("t", &odd).await?, None, "an item is deleted");
    let large = Value::from_iter([("s", Value::from_iter([("S", "x".repeat(400_000))]))]);
    tx.put_item("t", &odd, &large).await?;
    assert_eq!(tx.item("t", &odd).await?, Some(large), "a large item is kept");
    tx.delete_item("t", &odd).await
}

async fn items_are_in_byte_order(tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
    // Ascending by bytes, which no locale agrees with.
    let keys = [
        key("A", ""),
        key("B", "1"),
        key("B", "10"),
        key("B", "2"),
        key("_", ""),
        key("a", ""),
        key("a", "B"),
        key("a", "a"),
        key("z", ""),
        key("é", ""),
        key("\u{fffd}", ""),
        key("\u{10000}", ""),
    ];
    for (n, key) in keys.iter().enumerate().rev() {
        tx.put_item("order", key, &item(n as i64)).await?;
    }
    let all = ItemRange { limit: 100, ..ItemRange::default() };
    let rows = tx.items("order", all.clone()).await?;
    assert_eq!(rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), keys, "items come in byte order");
    assert_eq!(rows[3].1, item(3), "each with its body");
    let mut rows = tx.items("order", ItemRange { reverse: true, ..all.clone() }).await?;
    rows.reverse();
    assert_eq!(rows.len(), keys.len(), "and backwards");
    assert!(rows.iter().map(|(key, _)| key).eq(&keys), "in the reverse order");
    // Pages of every size, in both directions, put together are the whole.
    for (limit, reverse) in [(1, false), (5, false), (3, true)] {
        let mut seen: Vec<ItemKey> = Vec::new();
        loop {
            let page = tx.items("order", ItemRange { hash: None, after: seen.last(), reverse, limit }).await?;
            assert!(page.len() <= limit as usize, "a page keeps its limit");
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|(key, _)| key));
        }
        if reverse {
            seen.reverse();
        }
        assert_eq!(seen, keys, "pages of {limit}");
    }
    let of_b = |after, reverse| ItemRange { hash: Some("B"), after, reverse, limit: 10 };
    let rows = tx.items("order", of_b(None, false)).await?;
    assert_eq!(rows.len(), 3, "one hash key");
    let gap = key("B", "15");
    let rows = tx.items("order", of_b(Some(&gap), false)).await?;
    assert_eq!(rows.iter().map(|(k, _)| k.range.as_str()).collect::<Vec<_>>(), ["2"], "behind a key that is not there");
    let rows = tx.items("order", of_b(Some(&gap), true)).await?;
    assert_eq!(rows.iter().map(|(k, _)| k.range.as_str()).collect::<Vec<_>>(), ["10", "1"], "before it");
    Ok(())
}

async fn messages_are_kept_whole(tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
    let mut full = Message {
        group_id: Some("g".into()),
        dedup_id: Some("d".into()),
        body: "line\nbreak, é, 'quotes', \u{1F600}, and U+0000: \u{0}\u{1}\u{1}\u{2}".into(),
        attributes: r#"{"a": {"DataType": "String", "StringValue": "x"}}"#.parse().unwrap_or_default(),
        source: Some("arn:aws:sqs:us-east-1:1:q".into()),
        first_received_at_ms: Some(5),
        receive_count: 7,
        receipt: Some("r".into()),
        ..message("whole", "full", 3)
    };
    full.position = tx.insert_message(&full).await?;
    let plain = message("whole", "plain", 4);
    let position = tx.insert_message(&plain).await?;
    assert!(position > full.position, "positions ascend");
    assert_eq!(tx.message("whole", full.position).await?, Some(full.clone()), "every field is kept");
    assert_eq!(tx.message("whole", position).await?, Some(Message { position, ..plain }), "and absence, too");
    assert_eq!(tx.message("other", position).await?, None, "a message is in one queue");
    full.body = "changed".into();
    full.receipt = None;
    tx.update_message(&full).await?;
    assert_eq!(tx.message("whole", full.position).await?, Some(full), "an update replaces every field");
    assert_eq!(ids(&tx.messages("whole", 0, 10).await?), ["full", "plain"]);
    assert_eq!(ids(&tx.messages("whole", position - 1, 10).await?), ["plain"], "behind a position");
    assert_eq!(ids(&tx.messages("whole", 0, 1).await?), ["full"], "at most so many");
    Ok(())
}

async fn messages_appear_when_visible(tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
    for (id, visible_at_ms, receive_count) in [("a", 10, 0), ("b", 30, 1), ("c", 20, 0), ("d", 30, 0)] {
        let sent = Message { visible_at_ms, receive_count, ..message("visible", id, 0) };
        tx.insert_message(&sent).await?;
    }
    for (now_ms, visible) in [(9, &[][..]), (10, &["a"]), (20, &["a", "c"]), (30, &["a", "b", "c", "d"])] {
        assert_eq!(ids(&tx.receivable("visible", now_ms, false, 10).await?), visible, "at {now_ms}");
    }
    assert_eq!(ids(&tx.receivable("visible", 30, false, 2).await?), ["a", "b"], "the first in order");
    let state = tx.queue_state("visible", 20).await?;
    let next_visible_at_ms = Some(10);
    assert_eq!(state, QueueState { visible: 2, in_flight: 1, delayed: 1, next_visible_at_ms });
    assert_eq!(tx.queue_state("nothing", 0).await?, QueueState::default(), "an empty queue");
    Ok(())
}

async fn groups_wait_for_their_first(tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
    let mut sent = Vec::new();
    for (id, group) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b"), ("a3", "a")] {
        let mut one = Message { group_id: Some(group.into()), ..message("groups", id, 0) };
        one.position = tx.insert_message(&one).await?;
        sent.push(one);
    }
    assert_eq!(ids(&tx.receivable("groups", 0, true, 3).await?), ["a1", "b1", "a2"], "several of one group at once");
    let mut first = sent[0].clone();
    first.visible_at_ms = 100;
    first.receipt = Some("r".into());
    tx.update_message(&first).await?;
    assert_eq!(ids(&tx.receivable("groups", 0, true, 10).await?), ["b1", "b2"], "a group in flight waits");
    assert_eq!(
        ids(&tx.receivable("groups", 0, false, 10).await?),
        ["b1", "a2", "b2", "a3"],
        "unless order is no matter"
    );
    let mut late = sent[3].clone();
    late.visible_at_ms = 50;
    tx.update_message(&late).await?;
    assert_eq!(
        ids(&tx.receivable("groups", 0, true, 10).await?),
        ["b1"],
        "a delayed message does not hold what came before"
    );
    late.receipt = Some("r".into());
    tx.update_message(&late).await?;
    assert_eq!(ids(&tx.receivable("groups", 0, true, 10).await?), [""; 0], "one in flight holds the whole group");
    assert_eq!(
        ids(&tx.receivable("groups", 100, true, 10).await?),
        ["a1", "b1", "a2", "b2", "a3"],
        "until it is visible"
    );
    Ok(())
}

async fn messages_move_and_go(tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
    for (id, at_ms) in [("old", 1), ("older", 0), ("new", 9)] {
        tx.insert_message(&message("moving", id, at_ms)).await?;
    }
    let mut moved = tx.messages("moving", 0, 1).await?.remove(0);
    moved.queue = "dead".into();
    tx.update_message(&moved).await?;
    assert_eq!(ids(&tx.messages("dead", 0, 10).await?), ["old"], "a message moves to another queue");
    assert_eq!(ids(&tx.messages("moving", 0, 10).await?), ["older", "new"], "and leaves the first");
    assert_eq!(tx.delete_messages("moving", 9).await?, 1, "older ones are removed");
    assert_eq!(ids(&tx.messages("moving", 0, 10).await?), ["new"], "and no other");
    let position = tx.messages("moving", 0, 1).await?[0].position;
    tx.delete_message("dead", position).await?;
    assert_eq!(ids(&tx.messages("moving", 0, 10).await?), ["new"], "a position counts in its queue only");
    tx.delete_message("moving", position).await?;
    tx.delete_message("moving", position).await?;
    assert_eq!(tx.messages("moving", 0, 10).await?, [], "a message is deleted");
    Ok(())
}

async fn sends_are_remembered(tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
    let dedup = |id: &str, sequence, sent_at_ms| Dedup {
        scope: "s".into(),
        id: id.into(),
        message_id: "m".into(),
        sequence,
        sent_at_ms,
    };
    let (first, second) = (dedup("x", 1, 10), dedup("y", 2, 20));
    tx.remember(&first, 0).await?;
    assert_eq!(tx.deduplicated("s", "x", 10).await?, Some(first), "a send is remembered");
    assert_eq!(tx.deduplicated("s", "x", 11).await?, None, "not beyond the window");
    assert_eq!(tx.deduplicated("t", "x", 0).await?, None, "scopes are apart");
    tx.remember(&second, 11).await?;
    assert_eq!(tx.deduplicated("s", "x", 0).await?, None, "old ones are forgotten");
    let again = dedup("y", 3, 30);
    tx.remember(&again, 0).await?;
    assert_eq!(tx.deduplicated("s", "y", 0).await?, Some(again), "a later send replaces the first");
    for n in 1..4 {
        assert_eq!(tx.next_number("n").await?, n, "numbers count up");
    }
    assert_eq!(tx.next_number("m").await?, 1, "each name by itself");
    Ok(())
}

async fn committed_work_is_there(store: &mut dyn TestStore) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    assert_eq!(tx.item("order", &key("A", "")).await?, Some(item(0)), "committed items are there");
    assert_eq!(ids(&tx.messages("dead", 0, 10).await?), ["old"], "committed messages are there");
    assert_eq!(tx.next_number("n").await?, 4, "committed numbers are there");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn the_rows_in_memory_keep_the_contract() {
        let mut store = MemoryStore::new();
        let checked = pin!(check(&mut store)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(checked, Poll::Ready(Ok(()))), "nothing in memory waits");
    }
}
