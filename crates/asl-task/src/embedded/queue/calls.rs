//! The operations on messages: alone, and in batches of up to ten whose entries succeed or fail by themselves.

use super::attributes::{md5_of_attributes, read_attributes};
use super::{Outgoing, Queue, Queues, Receive, bad_value, missing, required};
use crate::embedded::error::{Fault, Stop, refused, unreadable};
use crate::embedded::ids::{md5_hex, uuid};
use crate::embedded::params::{Params, Shape};
use crate::embedded::{Dialect, ServiceCall, Services};
use asl_store::ServiceTx;
use asl_value::{Map, Value};
use std::collections::BTreeSet;

/// The most bytes of all messages of a batch.
const MAX_BATCH_BYTES: usize = 1_048_576;

const SEND: Shape = Shape {
    known: &[
        "QueueUrl",
        "MessageBody",
        "DelaySeconds",
        "MessageAttributes",
        "MessageGroupId",
        "MessageDeduplicationId",
    ],
    refused: &["MessageSystemAttributes"],
};
const SEND_ENTRY: Shape = Shape {
    known: &["Id", "MessageBody", "DelaySeconds", "MessageAttributes", "MessageGroupId", "MessageDeduplicationId"],
    refused: &["MessageSystemAttributes"],
};
const RECEIVE: Shape = Shape {
    known: &[
        "QueueUrl",
        "MaxNumberOfMessages",
        "VisibilityTimeout",
        "WaitTimeSeconds",
        "MessageAttributeNames",
        "AttributeNames",
        "MessageSystemAttributeNames",
    ],
    refused: &["ReceiveRequestAttemptId"],
};
const DELETE: Shape = Shape { known: &["QueueUrl", "ReceiptHandle"], refused: &[] };
const DELETE_ENTRY: Shape = Shape { known: &["Id", "ReceiptHandle"], refused: &[] };
const CHANGE: Shape = Shape { known: &["QueueUrl", "ReceiptHandle", "VisibilityTimeout"], refused: &[] };
const CHANGE_ENTRY: Shape = Shape { known: &["Id", "ReceiptHandle", "VisibilityTimeout"], refused: &[] };
const BATCH: Shape = Shape { known: &["QueueUrl", "Entries"], refused: &[] };

impl Queues {
    pub(crate) async fn send_message(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &SEND)?;
        let queue = self.of(tx, &params).await?;
        self.send_one(tx, call, &params, &queue, 0).await
    }

    async fn send_one(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        params: &Params<'_>,
        queue: &Queue<'_>,
        number: u64,
    ) -> Result<Map, Stop> {
        let body =
            params.message("MessageBody").filter(|body| !body.is_empty()).ok_or_else(|| missing("MessageBody"))?;
        let attributes = read_attributes(params.object("MessageAttributes")?, "InvalidParameterValue")?;
        let mut answer = Map::new();
        // The aws-sdk form shows the Java SDK 2's names.
        let (md5_body, md5_attributes) = match call.dialect {
            Dialect::AwsSdk => ("Md5OfMessageBody", "Md5OfMessageAttributes"),
            Dialect::Optimized | Dialect::Wire => ("MD5OfMessageBody", "MD5OfMessageAttributes"),
        };
        if let Some(md5) = md5_of_attributes(&attributes) {
            answer.insert(md5_attributes, md5);
        }
        answer.insert(md5_body, md5_hex(body.as_bytes()));
        let outgoing = Outgoing {
            id: uuid(call.seed, "sqs", number),
            body,
            attributes,
            group_id: params.text("MessageGroupId")?.map(str::to_owned),
            dedup_id: params.text("MessageDeduplicationId")?.map(str::to_owned),
            delay_seconds: params.integer("DelaySeconds")?,
        };
        let sent = self.send(tx, queue, outgoing, call.now_ms).await?;
        answer.insert("MessageId", sent.message_id);
        if let Some(sequence) = sent.sequence {
            answer.insert("SequenceNumber", format!("{sequence:020}"));
        }
        Ok(answer)
    }

    pub(crate) async fn send_message_batch(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &BATCH)?;
        let queue = self.of(tx, &params).await?;
        let entries = entries(&params, "SendMessageBatchRequestEntry")?;
        let bytes: usize = entries.iter().map(|(_, entry)| entry["MessageBody"].as_str().map_or(0, str::len)).sum();
        if bytes > MAX_BATCH_BYTES {
            let text =
                format!("Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {bytes} bytes.");
            return Err(refused("AWS.SimpleQueueService.BatchRequestTooLong", text).into());
        }
        let mut batch = BatchAnswer::default();
        for (number, (id, entry)) in (0..).zip(entries) {
            let params = Params::new(entry, call.dialect, &SEND_ENTRY)?;
            batch.add(id, self.send_one(tx, call, &params, &queue, number).await)?;
        }
        Ok(batch.answer())
    }

    pub(crate) async fn receive_message(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &RECEIVE)?;
        let queue = self.of(tx, &params).await?;
        let ranged = |key: &str, range: std::ops::RangeInclusive<i64>, default: i64| {
            let value = params.integer(key)?.unwrap_or(default);
            let (low, high) = (range.start(), range.end());
            let reason = format!("Must be >= {low} and <= {high}, if provided.");
            if range.contains(&value) { Ok(value) } else { Err(bad_value(key, value, &reason)) }
        };
        let limit = ranged("MaxNumberOfMessages", 1..=10, 1)?;
        let seconds = ranged("VisibilityTimeout", 0..=43_200, i64::from(queue.spec.visibility_timeout))?;
        // A call holds the database's transaction, so there is no waiting for messages that are not there yet.
        ranged("WaitTimeSeconds", 0..=20, 0)?;
        let receive = Receive {
            limit: limit as u32,
            visibility_timeout_ms: Some(seconds * 1000),
            now_ms: call.now_ms,
            seed: call.seed,
        };
        let messages = self.receive(tx, &queue, &receive).await?;
        let mut system = params.texts("MessageSystemAttributeNames")?;
        system.extend(params.texts("AttributeNames")?);
        let custom = params.texts("MessageAttributeNames")?;
        let shown: Value = messages.iter().map(|m| self.show(m, Some((&system, &custom)), call.dialect)).collect();
        Ok(if messages.is_empty() { Map::new() } else { Map::from_iter([("Messages", shown)]) })
    }

    pub(crate) async fn delete_message(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &DELETE)?;
        let queue = self.of(tx, &params).await?;
        self.delete(tx, &queue, required(&params, "ReceiptHandle")?, call.now_ms).await?;
        Ok(Map::new())
    }

    pub(crate) async fn delete_message_batch(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &BATCH)?;
        let queue = self.of(tx, &params).await?;
        let mut batch = BatchAnswer::default();
        for (id, entry) in entries(&params, "DeleteMessageBatchRequestEntry")? {
            let params = Params::new(entry, call.dialect, &DELETE_ENTRY)?;
            let deleted = self.delete(tx, &queue, required(&params, "ReceiptHandle")?, call.now_ms).await;
            batch.add(id, deleted.map(|()| Map::new()))?;
        }
        Ok(batch.answer())
    }

    pub(crate) async fn change_message_visibility(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &CHANGE)?;
        let queue = self.of(tx, &params).await?;
        self.change_one(tx, call, &params, &queue).await
    }

    async fn change_one(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        params: &Params<'_>,
        queue: &Queue<'_>,
    ) -> Result<Map, Stop> {
        let receipt = required(params, "ReceiptHandle")?;
        let seconds = params.integer("VisibilityTimeout")?.ok_or_else(|| missing("VisibilityTimeout"))?;
        self.change_visibility(tx, &queue.name, receipt, seconds, call.now_ms).await?;
        Ok(Map::new())
    }

    pub(crate) async fn change_message_visibility_batch(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &BATCH)?;
        let queue = self.of(tx, &params).await?;
        let mut batch = BatchAnswer::default();
        for (id, entry) in entries(&params, "ChangeMessageVisibilityBatchRequestEntry")? {
            let params = Params::new(entry, call.dialect, &CHANGE_ENTRY)?;
            batch.add(id, self.change_one(tx, call, &params, &queue).await)?;
        }
        Ok(batch.answer())
    }
}

/// The entries of a batch with their ids; `what` is how SQS calls one.
fn entries<'a>(params: &Params<'a>, what: &str) -> Result<Vec<(&'a str, &'a Value)>, Fault> {
    let entries = params.list("Entries")?;
    let (code, text) = match entries.len() {
        0 => {
            ("AWS.SimpleQueueService.EmptyBatchRequest", format!("There should be at least one {what} in the request."))
        }
        1..=10 => ("", String::new()),
        n => (
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are 10. You have sent {n}."),
        ),
    };
    if !code.is_empty() {
        return Err(refused(code, text));
    }
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for entry in entries {
        let id = entry.get("Id").and_then(Value::as_str);
        let id = id.ok_or_else(|| unreadable("The field 'Id' is required but was missing"))?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=80).contains(&id.len()) || !id.chars().all(allowed) {
            let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
                        It can be at most 80 letters long.";
            return Err(refused("AWS.SimpleQueueService.InvalidBatchEntryId", text));
        }
        if !seen.insert(id) {
            return Err(refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
        all.push((id, entry));
    }
    Ok(all)
}

/// What a batch answers: each entry succeeded or failed by itself.
#[derive(Default)]
pub(crate) struct BatchAnswer {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl BatchAnswer {
    /// What became of an entry. A failure of the store is one of the whole call.
    pub(crate) fn add(&mut self, id: &str, outcome: Result<Map, Stop>) -> Result<(), Stop> {
        let told = match outcome {
            Ok(members) => {
                let mut told = Map::from_iter([("Id", id)]);
                members.iter().for_each(|(name, value)| drop(told.insert(name.clone(), value.clone())));
                self.successful.push(told.into());
                return Ok(());
            }
            Err(Stop::Fault(Fault::Refused { code, status, message, .. })) => Map::from_iter([
                ("Id", Value::from(id)),
                ("SenderFault", Value::from(status < 500)),
                ("Code", Value::from(code)),
                ("Message", Value::from(message)),
            ]),
            Err(other) => return Err(other),
        };
        self.failed.push(told.into());
        Ok(())
    }

    /// `Successful`, and `Failed` where an entry failed.
    pub(crate) fn answer(self) -> Map {
        let mut answer = Map::from_iter([("Successful", Value::from(self.successful))]);
        if !self.failed.is_empty() {
            answer.insert("Failed", self.failed);
        }
        answer
    }
}
