//! Receiving: visibility, receipts, dead letters, retention.

use super::{Queue, Queues, bad_value};
use crate::embedded::error::{Fault, Stop, refused};
use crate::embedded::ids::tag;
use crate::embedded::name_of;
use crate::embedded::spec::QueueSpec;
use asl_store::{AT_ONCE, Message, ServiceTx};

/// The longest a message can stay hidden, in milliseconds.
const MAX_HIDDEN_MS: i64 = 43_200_000;

/// How to receive.
#[derive(Clone, Copy, Debug)]
pub struct Receive {
    /// At most so many messages.
    pub limit: u32,
    /// How long they stay hidden, in milliseconds; absent: the queue's VisibilityTimeout.
    pub visibility_timeout_ms: Option<i64>,
    /// The time, in epoch milliseconds.
    pub now_ms: i64,
    /// What receipt handles are made of: another number for each receive.
    pub seed: u64,
}

impl Queues {
    /// Removes messages that were kept longer than the queue keeps them.
    pub(crate) async fn expire(&self, tx: &mut dyn ServiceTx, queue: &Queue<'_>, now_ms: i64) -> Result<(), Stop> {
        tx.delete_messages(&queue.name, queue.kept_since_ms(now_ms)).await?;
        Ok(())
    }

    /// Takes messages that are visible, in order, and hides them. What was received too often moves to the dead-letter queue.
    pub(crate) async fn receive(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &Queue<'_>,
        receive: &Receive,
    ) -> Result<Vec<Message>, Stop> {
        let now_ms = receive.now_ms;
        self.expire(tx, queue, now_ms).await?;
        let (queue, spec) = (&*queue.name, &*queue.spec);
        let hidden_ms = receive.visibility_timeout_ms.unwrap_or(i64::from(spec.visibility_timeout) * 1000);
        // First the dead letters go, then the rest is taken: nothing comes twice, whatever the visibility timeout is.
        let mut batch = loop {
            let batch = tx.receivable(queue, now_ms, spec.fifo_queue, receive.limit).await?;
            let (dead, alive): (Vec<_>, Vec<_>) = batch.into_iter().partition(|message| is_dead(spec, message));
            if dead.is_empty() {
                break alive;
            }
            for message in dead {
                self.bury(tx, queue, spec, message).await?;
            }
        };
        for message in &mut batch {
            message.receive_count += 1;
            message.first_received_at_ms.get_or_insert(now_ms);
            message.visible_at_ms = now_ms + hidden_ms;
            message.receipt = Some(handle(message, receive.seed));
            tx.update_message(message).await?;
        }
        Ok(batch)
    }

    /// Moves a message to the dead-letter queue.
    async fn bury(&self, tx: &mut dyn ServiceTx, queue: &str, spec: &QueueSpec, message: Message) -> Result<(), Stop> {
        let Some(policy) = &spec.redrive_policy else { return Ok(()) };
        let dead = Message {
            queue: name_of(&policy.dead_letter_target_arn).to_owned(),
            source: Some(self.identity.arn("sqs", queue)),
            visible_at_ms: AT_ONCE,
            receipt: None,
            ..message
        };
        Ok(tx.update_message(&dead).await?)
    }

    /// Removes the message that a receipt handle stands for. A handle that a later receive has replaced does nothing, as
    /// on AWS; so does one whose message is gone.
    pub(crate) async fn delete(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &Queue<'_>,
        receipt: &str,
        now_ms: i64,
    ) -> Result<(), Stop> {
        let (queue, spec) = (&*queue.name, &*queue.spec);
        let Some(message) = tx.message(queue, position_of(receipt)?).await? else { return Ok(()) };
        let expired = spec.fifo_queue && message.visible_at_ms <= now_ms;
        if expired || (spec.fifo_queue && message.receipt.as_deref() != Some(receipt)) {
            return Err(bad_value("ReceiptHandle", receipt, "The receipt handle has expired.").into());
        }
        if message.receipt.as_deref() == Some(receipt) {
            tx.delete_message(queue, message.position).await?;
        }
        Ok(())
    }

    /// Hides a received message for so many seconds from now; 0 shows it at once.
    pub(crate) async fn change_visibility(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &str,
        receipt: &str,
        seconds: i64,
        now_ms: i64,
    ) -> Result<(), Stop> {
        let position = position_of(receipt)?;
        if !(0..=43_200).contains(&seconds) {
            return Err(bad_value("VisibilityTimeout", seconds, "Must be between 0 and 43200.").into());
        }
        let gone = || {
            bad_value(
                "ReceiptHandle",
                receipt,
                "Message does not exist or is not available for visibility timeout change.",
            )
        };
        let mut message = tx.message(queue, position).await?.ok_or_else(gone)?;
        if message.receipt.as_deref() != Some(receipt) || message.visible_at_ms <= now_ms {
            let code = "AWS.SimpleQueueService.MessageNotInflight";
            return Err(refused(code, "The specified message is not in flight.").into());
        }
        let visible_at_ms = now_ms + seconds * 1000;
        let received_at_ms = message.first_received_at_ms.unwrap_or(now_ms);
        if visible_at_ms - received_at_ms > MAX_HIDDEN_MS {
            let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            return Err(bad_value("VisibilityTimeout", seconds, reason).into());
        }
        message.visible_at_ms = visible_at_ms;
        tx.update_message(&message).await?;
        Ok(())
    }
}

/// Whether a message has been received often enough.
fn is_dead(spec: &QueueSpec, message: &Message) -> bool {
    spec.redrive_policy.as_ref().is_some_and(|policy| message.receive_count >= policy.max_receive_count)
}

/// A receipt handle: where the message is, how often it was received, and a tag that cannot be guessed from these.
fn handle(message: &Message, seed: u64) -> String {
    let (position, count) = (message.position, message.receive_count);
    format!("{position}-{count}-{}", tag(seed, &message.id, u64::from(count)))
}

fn position_of(receipt: &str) -> Result<i64, Fault> {
    let bad = || {
        refused(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{receipt}\" is not a valid receipt handle."),
        )
    };
    let mut parts = receipt.split('-');
    let position = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
    let rest = (parts.next().and_then(|part| part.parse::<u32>().ok()), parts.next(), parts.next());
    match rest {
        (Some(_), Some(tag), None) if tag.len() == 16 => Ok(position),
        _ => Err(bad()),
    }
}
