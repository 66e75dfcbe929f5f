//! The outbox of deliveries to functions and state machines.
//!
//! Publishing writes them in its own transaction, into a queue whose name no queue can have. The engine takes those that
//! are due, calls the functions, and says how it went. A delivery is handed out at least once; one that was taken and
//! neither done nor failed comes again after its lease. A function that fails is tried twice more, after one and two
//! minutes, as Lambda does with asynchronous invocations; then the delivery goes to the subscription's dead-letter
//! queue, or is dropped.

use crate::embedded::error::Stop;
use asl_store::{AT_ONCE, Message, ServiceTx, StoreError};
use asl_value::Value;

/// The queue that holds the outbox.
pub(crate) const OUTBOX: &str = "sns:deliveries";

/// The waits before the second and the third attempt, in milliseconds.
const RETRY_AFTER_MS: [i64; 2] = [60_000, 120_000];

/// Whom a delivery is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A function, by name.
    Function(String),
    /// A state machine, by ARN: an execution of it is started.
    StateMachine(String),
}

/// A due delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxDelivery {
    /// Where it is in the outbox: what it is done or failed by.
    pub position: i64,
    /// Its id, a UUID: the same in every attempt, for the function's request id.
    pub id: String,
    /// Whom it is for.
    pub target: Target,
    /// The event, for example `{"Records": [{"EventSource": "aws:sns", ...}]}`; the input of an execution.
    pub payload: Value,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What became of a failed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedDelivery {
    /// It will be tried again at this time, in epoch milliseconds.
    RetryAt(i64),
    /// It went to this dead-letter queue.
    DeadLetter(String),
    /// It was given up.
    Dropped,
}

/// Puts a delivery into the outbox.
pub(crate) async fn put(
    tx: &mut dyn ServiceTx,
    id: String,
    target: &Target,
    event: Value,
    dead_letter: Option<&str>,
    now_ms: i64,
) -> Result<(), Stop> {
    let target = match target {
        Target::Function(name) => ("function", Value::from(name)),
        Target::StateMachine(arn) => ("stateMachine", Value::from(arn)),
    };
    let target = [target, ("deadLetter", Value::from(dead_letter))];
    let message = Message {
        position: 0,
        queue: OUTBOX.to_owned(),
        id,
        group_id: None,
        dedup_id: None,
        body: event.to_string(),
        attributes: Value::from_iter(target),
        source: None,
        sent_at_ms: now_ms,
        visible_at_ms: AT_ONCE,
        first_received_at_ms: None,
        receive_count: 0,
        receipt: None,
    };
    tx.insert_message(&message).await?;
    Ok(())
}

/// Takes deliveries that are due, and hides them until their lease ends.
pub(crate) async fn take(
    tx: &mut dyn ServiceTx,
    now_ms: i64,
    lease_ms: i64,
    limit: u32,
) -> Result<Vec<OutboxDelivery>, StoreError> {
    let mut taken = Vec::new();
    for mut message in tx.receivable(OUTBOX, now_ms, false, limit).await? {
        message.receive_count += 1;
        message.first_received_at_ms.get_or_insert(now_ms);
        message.visible_at_ms = now_ms + lease_ms;
        tx.update_message(&message).await?;
        let damaged = |error| StoreError::new(format!("delivery {} is damaged: {error}", message.id));
        taken.push(OutboxDelivery {
            position: message.position,
            target: match message.attributes["stateMachine"].as_str() {
                Some(arn) => Target::StateMachine(arn.to_owned()),
                None => Target::Function(message.attributes["function"].as_str().unwrap_or_default().to_owned()),
            },
            payload: message.body.parse().map_err(damaged)?,
            attempt: message.receive_count,
            id: message.id,
        });
    }
    Ok(taken)
}

/// Notes that a delivery failed.
pub(crate) async fn failed(tx: &mut dyn ServiceTx, position: i64, now_ms: i64) -> Result<FailedDelivery, StoreError> {
    let Some(mut message) = tx.message(OUTBOX, position).await? else { return Ok(FailedDelivery::Dropped) };
    let attempts = message.receive_count.max(1) as usize;
    if let Some(wait_ms) = RETRY_AFTER_MS.get(attempts - 1) {
        message.visible_at_ms = now_ms + wait_ms;
        tx.update_message(&message).await?;
        return Ok(FailedDelivery::RetryAt(message.visible_at_ms));
    }
    tx.delete_message(OUTBOX, position).await?;
    let Some(queue) = message.attributes["deadLetter"].as_str().map(str::to_owned) else {
        return Ok(FailedDelivery::Dropped);
    };
    let dead = Message {
        queue: queue.clone(),
        attributes: Value::empty_object(),
        sent_at_ms: now_ms,
        visible_at_ms: AT_ONCE,
        first_received_at_ms: None,
        receive_count: 0,
        ..message
    };
    tx.insert_message(&dead).await?;
    Ok(FailedDelivery::DeadLetter(queue))
}
