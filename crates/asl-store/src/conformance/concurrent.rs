//! What the contract promises about two and more transactions at once.

use super::store::{Breach, Check, Checked};
use crate::contract::{Store, transact};
use crate::error::StoreError;
use crate::history::Position;
use crate::record::ExecutionId;
use crate::service::{ItemKey, Message, ServiceTx};
use crate::worker::Claim;
use asl_value::Value;
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// How many at once.
const MANY: usize = 8;

type Boxed<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Runs futures beside each other; what they give, in their order.
async fn together<T>(futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut left: Vec<(Option<Boxed<'_, T>>, Option<T>)> = futures.into_iter().map(|f| (Some(f), None)).collect();
    poll_fn(move |context| {
        for (future, done) in &mut left {
            if let Some(Poll::Ready(value)) = future.as_mut().map(|future| future.as_mut().poll(context)) {
                (*future, *done) = (None, Some(value));
            }
        }
        if left.iter().any(|(future, _)| future.is_some()) {
            return Poll::Pending;
        }
        Poll::Ready(left.drain(..).filter_map(|(_, done)| done).collect())
    })
    .await
}

/// Lets the others run.
async fn give_way() {
    let mut gave = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn key(name: &str) -> ItemKey {
    ItemKey { hash: name.to_owned(), range: String::new() }
}

/// Reads the number in an item to write it, and writes the next.
async fn count_up(tx: &mut dyn ServiceTx, name: &str, others_run: bool) -> Result<(), StoreError> {
    let found = tx.item_for_update("concurrent", &key(name)).await?;
    let count = found.and_then(|item| item.as_str().and_then(|n| n.parse::<u64>().ok())).unwrap_or(0);
    if others_run {
        give_way().await;
    }
    tx.put_item("concurrent", &key(name), &Value::from((count + 1).to_string())).await
}

fn message(queue: &str, id: String, group: Option<&str>) -> Message {
    Message {
        position: 0,
        queue: queue.to_owned(),
        id,
        group_id: group.map(str::to_owned),
        dedup_id: None,
        body: String::new(),
        attributes: Value::empty_object(),
        source: None,
        sent_at_ms: 0,
        visible_at_ms: 0,
        first_received_at_ms: None,
        receive_count: 0,
        receipt: None,
    }
}

/// Receives one message, as a queue does.
async fn receive(store: &dyn Store, queue: &'static str, in_order: bool) -> Result<Option<String>, StoreError> {
    // A store that runs one transaction after the other refuses work that waits.
    let others_run = store.may_repeat();
    transact(store, move |tx| {
        Box::pin(async move {
            let found = tx.receivable(queue, 1, in_order, 1).await?.pop();
            if others_run {
                give_way().await;
            }
            let Some(found) = found else { return Ok(None) };
            let id = found.id.clone();
            let received = Message { visible_at_ms: 9, receive_count: 1, receipt: Some("r".into()), ..found };
            tx.update_message(&received).await?;
            Ok::<_, StoreError>(Some(id))
        })
    })
    .await
}

impl Check<'_> {
    /// Many transactions read an item to write it, one that is there and one that is not: no write is lost.
    pub(super) async fn locks(&self) -> Checked {
        let (store, others_run) = (self.store, self.store.may_repeat());
        let there = transact(store, |tx| {
            Box::pin(async move { tx.put_item("concurrent", &key("there"), &Value::from("0")).await })
        });
        self.ok("to put an item", there.await)?;
        for name in ["there", "new"] {
            let one = || -> Boxed<'_, Result<(), StoreError>> {
                Box::pin(transact(store, move |tx| Box::pin(count_up(tx, name, others_run))))
            };
            for counted in together((0..MANY).map(|_| one()).collect()).await {
                self.ok("to count up", counted)?;
            }
            let read = transact(store, move |tx| Box::pin(async move { tx.item("concurrent", &key(name)).await }));
            let count = self.ok("to read", read.await)?;
            self.holds(
                count == Some(Value::from(MANY.to_string())),
                "of several writes of an item at once one is lost",
            )?;
        }
        let one = || -> Boxed<'_, Result<i64, StoreError>> {
            Box::pin(transact(store, |tx| Box::pin(async move { tx.next_number("concurrent").await })))
        };
        let mut numbers = Vec::new();
        for number in together((0..MANY).map(|_| one()).collect()).await {
            numbers.push(self.ok("to count", number)?);
        }
        numbers.sort_unstable();
        self.holds((1..=MANY as i64).eq(numbers), "a number was given twice, or never")
    }

    /// Receivers at once get different messages, and of a group only the first.
    pub(super) async fn receivers(&self) -> Checked {
        let sent = transact(self.store, |tx| {
            Box::pin(async move {
                for n in 0..MANY {
                    tx.insert_message(&message("at once", format!("m{n}"), None)).await?;
                }
                for n in 0..2 {
                    tx.insert_message(&message("in order", format!("a{n}"), Some("a"))).await?;
                    tx.insert_message(&message("in order", format!("b{n}"), Some("b"))).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        self.ok("to send", sent.await)?;
        let got = self.received("at once", false).await?;
        let distinct: BTreeSet<&String> = got.iter().collect();
        self.holds(distinct.len() == got.len(), "two receivers got one message")?;
        self.holds(got.len() == MANY, "a receiver got nothing, though there was a message for it")?;
        let got = self.received("in order", true).await?;
        let distinct: BTreeSet<&String> = got.iter().collect();
        self.holds(distinct.len() == got.len(), "two receivers got one message of a group")?;
        self.holds(!got.is_empty(), "nobody got the first message of a group")?;
        self.holds(got.iter().all(|id| id.ends_with('0')), "a message came before the first of its group was done")
    }

    async fn received(&self, queue: &'static str, in_order: bool) -> Result<Vec<String>, Breach> {
        let one =
            || -> Boxed<'_, Result<Option<String>, StoreError>> { Box::pin(receive(self.store, queue, in_order)) };
        let mut got = Vec::new();
        for received in together((0..MANY).map(|_| one()).collect()).await {
            got.extend(self.ok("to receive", received)?);
        }
        Ok(got)
    }

    /// Workers that claim at once have different executions, and leave none.
    pub(super) async fn claims_at_once(&self) -> Checked {
        let mut wanted = BTreeSet::new();
        for n in 0..2 * MANY {
            wanted.insert(self.submitted(&format!("at-once-{n}")).await?);
        }
        let workers = [self.join().await?, self.join().await?, self.join().await?];
        let mut had = Vec::new();
        // One round may leave what another held just then.
        for _ in 0..MANY {
            let one = |worker: usize| -> Boxed<'_, _> {
                Box::pin(workers[worker].claim(Claim { limit: MANY as u32, ..Claim::default() }))
            };
            for claimed in together((0..workers.len()).map(one).collect()).await {
                had.extend(self.ok("to claim", claimed)?.into_iter().map(|claimed| claimed.id));
            }
        }
        had.retain(|id| wanted.contains(id));
        let distinct: BTreeSet<ExecutionId> = had.iter().copied().collect();
        self.holds(distinct.len() == had.len(), "two workers that claimed at once have one execution")?;
        self.holds(distinct == wanted, "an execution that nobody runs was left by all")
    }

    /// A reader of the feed beside many writers misses no record.
    pub(super) async fn feed_at_once(&self, mut position: Position) -> Checked {
        let writers = (0..MANY).map(|n| -> Boxed<'_, Result<BTreeSet<ExecutionId>, Breach>> {
            Box::pin(async move {
                let mut begun = BTreeSet::new();
                for m in 0..4 {
                    begun.insert(self.submitted(&format!("feed-{n}-{m}")).await?);
                }
                Ok(begun)
            })
        });
        let mut all: Vec<Boxed<'_, Result<BTreeSet<ExecutionId>, Breach>>> = writers.collect();
        all.push(Box::pin(async move {
            let mut seen = BTreeSet::new();
            for _ in 0..100_000 {
                for entry in self.ok("to read the feed", self.store.records_after(position, 3).await)? {
                    position = entry.position;
                    seen.insert(entry.execution);
                }
                if seen.len() >= 4 * MANY {
                    break;
                }
                give_way().await;
            }
            Ok(seen)
        }));
        let mut told = together(all).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let seen = told.pop().unwrap_or_default();
        let begun: BTreeSet<ExecutionId> = told.into_iter().flatten().collect();
        self.holds(begun.is_subset(&seen), "the feed passed over a record that was written beside others")
    }
}
