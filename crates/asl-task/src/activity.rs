//! Activities: tasks that wait, in the order in which they were scheduled, for workers that ask for them.
//!
//! The waiting tasks of an activity are messages of a queue whose name no queue can have. Scheduling puts one there in the
//! transaction that records it. A worker that asks takes the first one: it is hidden while its execution is told that it has started,
//! and removed then. If the process ends in between, it is there again after [`LEASE_MS`], and its execution says whether it still
//! waits.

use crate::backend::Missing;
use crate::integration::{Integration, Mode};
use crate::runner::Runner;
use asl_store::{Message, ServiceTx, StoreError};
use asl_syntax::model::Payload;
use asl_value::Value;
use async_trait::async_trait;
use std::sync::Arc;

/// How long a task that was taken is hidden, in milliseconds.
pub const LEASE_MS: i64 = 60_000;

/// What runs an activity: workers elsewhere. The engine schedules its tasks ([`put`]).
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) name: Arc<str>,
}

#[async_trait]
impl Integration for Activity {
    fn title(&self) -> String {
        format!("workers of the activity {}", self.name)
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Activity(self.name.clone())
    }

    fn mode(&self) -> Mode {
        Mode::Transactional
    }

    fn check(&self, _: Option<&Payload>) -> Result<(), Missing> {
        Ok(())
    }
}

/// A task of an activity that a worker took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the queue.
    pub position: i64,
    /// The token that it is answered with; it names the execution.
    pub token: String,
    /// Its input, JSON text.
    pub input: String,
}

fn queue(arn: &str) -> String {
    format!("activity/{arn}")
}

/// Puts a task at the end of an activity's queue.
///
/// # Errors
/// Those of the store.
pub async fn put(
    tx: &mut (dyn ServiceTx + '_),
    arn: &str,
    token: &str,
    input: &Value,
    now_ms: i64,
) -> Result<(), StoreError> {
    let message = Message {
        position: 0,
        queue: queue(arn),
        id: String::new(),
        group_id: None,
        dedup_id: None,
        body: input.to_string(),
        attributes: Value::from_iter([("token", token)]),
        source: None,
        sent_at_ms: now_ms,
        // Whatever the clock of the process is that asks.
        visible_at_ms: 0,
        first_received_at_ms: None,
        receive_count: 0,
        receipt: None,
    };
    tx.insert_message(&message).await.map(drop)
}

/// Whether a task waits for a worker.
///
/// # Errors
/// Those of the store.
pub async fn waits(tx: &mut (dyn ServiceTx + '_), arn: &str, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.queue_state(&queue(arn), now_ms).await?.visible > 0)
}

/// Takes the task that has waited longest, and hides it.
///
/// # Errors
/// Those of the store.
pub async fn take(tx: &mut (dyn ServiceTx + '_), arn: &str, now_ms: i64) -> Result<Option<Waiting>, StoreError> {
    let Some(mut message) = tx.receivable(&queue(arn), now_ms, false, 1).await?.pop() else { return Ok(None) };
    message.receive_count += 1;
    message.visible_at_ms = now_ms + LEASE_MS;
    tx.update_message(&message).await?;
    let token = message.attributes["token"].as_str().unwrap_or_default().to_owned();
    Ok(Some(Waiting { position: message.position, token, input: message.body }))
}

/// Removes a task that a worker has, or that no execution waits for any more.
///
/// # Errors
/// Those of the store.
pub async fn remove(tx: &mut (dyn ServiceTx + '_), arn: &str, position: i64) -> Result<(), StoreError> {
    tx.delete_message(&queue(arn), position).await
}
