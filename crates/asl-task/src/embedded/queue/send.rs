//! Sending: checks, delay, and the deduplication of FIFO queues.

use super::attributes::size_of_attributes;
use super::{Queue, Queues, bad_value, missing};
use crate::embedded::error::{Fault, Stop, refused};
use crate::embedded::ids::sha256_hex;
use crate::embedded::spec::QueueSpec;
use asl_store::{AT_ONCE, Dedup, Message, ServiceTx};
use asl_value::Value;

/// How long a deduplication id is remembered.
pub(crate) const DEDUP_WINDOW_MS: i64 = 300_000;

/// A message on its way into a queue.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) attributes: Value,
    pub(crate) group_id: Option<String>,
    pub(crate) dedup_id: Option<String>,
    pub(crate) delay_seconds: Option<i64>,
}

/// What became of it.
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) sequence: Option<i64>,
}

impl Queues {
    /// Puts a message into a queue, or finds that a FIFO queue has it already.
    pub(crate) async fn send(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &Queue<'_>,
        mut outgoing: Outgoing,
        now_ms: i64,
    ) -> Result<Sent, Stop> {
        let (queue, spec) = (&*queue.name, &*queue.spec);
        check(spec, &mut outgoing)?;
        let scope = format!("sqs/{queue}");
        if let Some(id) = &outgoing.dedup_id
            && let Some(first) = tx.deduplicated(&scope, id, now_ms - DEDUP_WINDOW_MS).await?
        {
            return Ok(Sent { message_id: first.message_id, sequence: Some(first.sequence) });
        }
        let delay = outgoing.delay_seconds.unwrap_or(i64::from(spec.delay_seconds));
        let message = Message {
            position: 0,
            queue: queue.to_owned(),
            id: outgoing.id,
            group_id: outgoing.group_id,
            dedup_id: outgoing.dedup_id,
            body: outgoing.body,
            attributes: outgoing.attributes,
            source: None,
            sent_at_ms: now_ms,
            visible_at_ms: if delay > 0 { now_ms + delay * 1000 } else { AT_ONCE },
            first_received_at_ms: None,
            receive_count: 0,
            receipt: None,
        };
        let sequence = tx.insert_message(&message).await?;
        if let Some(id) = message.dedup_id {
            let message_id = message.id.clone();
            let dedup = Dedup { scope, id, message_id, sequence, sent_at_ms: now_ms };
            tx.remember(&dedup, now_ms - DEDUP_WINDOW_MS).await?;
        }
        Ok(Sent { message_id: message.id, sequence: spec.fifo_queue.then_some(sequence) })
    }
}

/// Refuses what the queue does not take, and settles the deduplication id.
fn check(spec: &QueueSpec, outgoing: &mut Outgoing) -> Result<(), Fault> {
    let size = outgoing.body.len() + size_of_attributes(&outgoing.attributes);
    let max = spec.maximum_message_size;
    if size > max as usize {
        let message = format!("One or more parameters are invalid. Reason: Message must be shorter than {max} bytes.");
        return Err(refused("InvalidParameterValue", message));
    }
    if outgoing.attributes.as_object().is_some_and(|attributes| attributes.len() > 10) {
        let count = outgoing.attributes.as_object().map_or(0, |attributes| attributes.len());
        let message = format!("Number of message attributes [{count}] exceeds the allowed maximum [10].");
        return Err(refused("InvalidParameterValue", message));
    }
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    if let Some(c) = outgoing.body.chars().find(|c| !allowed(*c)) {
        let message = format!(
            "Invalid binary character '#x{:X}' was found in the message body, the set of allowed characters is \
             #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]",
            u32::from(c)
        );
        return Err(refused("InvalidMessageContents", message));
    }
    for (name, id) in [("MessageGroupId", &outgoing.group_id), ("MessageDeduplicationId", &outgoing.dedup_id)] {
        let good = |id: &String| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        if let Some(id) = id.as_ref().filter(|id| !good(id)) {
            let reason =
                format!("{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
            return Err(bad_value(name, id, &reason));
        }
    }
    if let Some(delay) = outgoing.delay_seconds.filter(|delay| !(0..=900).contains(delay)) {
        return Err(bad_value("DelaySeconds", delay, "DelaySeconds must be >= 0 and <= 900."));
    }
    let wrong_queue = "The request include parameter that is not valid for this queue type.";
    if !spec.fifo_queue {
        return match &outgoing.dedup_id {
            Some(id) => Err(bad_value("MessageDeduplicationId", id, wrong_queue)),
            None => Ok(()),
        };
    }
    if let Some(delay) = outgoing.delay_seconds.filter(|delay| *delay > 0) {
        return Err(bad_value("DelaySeconds", delay, wrong_queue));
    }
    if outgoing.group_id.is_none() {
        return Err(missing("MessageGroupId"));
    }
    if outgoing.dedup_id.is_none() {
        if !spec.content_based_deduplication {
            let message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
            return Err(refused("InvalidParameterValue", message));
        }
        outgoing.dedup_id = Some(sha256_hex(outgoing.body.as_bytes()));
    }
    Ok(())
}
