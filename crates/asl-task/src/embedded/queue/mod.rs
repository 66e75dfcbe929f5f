//! Queues that behave like SQS's.
//!
//! `attributes` are the message attributes and their checksum, `send` and `receive` the two ends of a queue, `calls` the operations
//! on messages (alone and in batches), `manage` those on queues; this file holds the queues, and what a message looks like.

pub(crate) mod attributes;
mod calls;
mod manage;
mod receive;
mod send;

use super::created;
use super::error::{Fault, Stop, refused};
use super::ids::md5_hex;
use super::params::Params;
use super::spec::QueueSpec;
use super::{Dialect, Identity, name_of};
use asl_store::{Message, ServiceTx};
use asl_value::{Map, Value};
use attributes::md5_of_attributes;
pub(crate) use calls::BatchAnswer;
pub(crate) use manage::page;
pub use receive::Receive;
pub(crate) use send::Outgoing;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The wire code of a queue that does not exist.
pub(crate) const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

/// The declared queues by name.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    queues: BTreeMap<String, QueueSpec>,
    identity: Identity,
}

/// A queue that a call is about: a declared one, or one that was made at run time.
#[derive(Clone, Debug)]
pub(crate) struct Queue<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) spec: Cow<'a, QueueSpec>,
    /// What the store has of one that was made at run time.
    pub(crate) created: Option<Map>,
}

impl Queue<'_> {
    /// Messages that were sent before are kept no longer; epoch milliseconds.
    pub(crate) fn kept_since_ms(&self, now_ms: i64) -> i64 {
        now_ms - i64::from(self.spec.message_retention_period) * 1000
    }
}

/// A parameter that is not there.
fn missing(name: &str) -> Fault {
    refused("MissingParameter", format!("The request must contain the parameter {name}."))
}

/// A text that has to be there.
fn required<'a>(params: &Params<'a>, name: &str) -> Result<&'a str, Fault> {
    params.text(name)?.ok_or_else(|| missing(name))
}

fn no_queue() -> Fault {
    refused(NO_QUEUE, "The specified queue does not exist.")
}

/// A parameter whose value is out of its range.
fn bad_value(name: &str, value: impl std::fmt::Display, reason: &str) -> Fault {
    refused("InvalidParameterValue", format!("Value {value} for parameter {name} is invalid. Reason: {reason}"))
}

impl Queues {
    pub(crate) fn new(specs: &BTreeMap<String, QueueSpec>, identity: &Identity) -> Queues {
        Queues { queues: specs.clone(), identity: identity.clone() }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.queues.keys().map(String::as_str)
    }

    /// Whether a name, URL or ARN is that of a declared queue.
    pub(crate) fn is_declared(&self, reference: &str) -> bool {
        self.queues.contains_key(name_of(reference))
    }

    /// A queue, by URL, ARN or name.
    pub(crate) async fn find<'q>(&'q self, tx: &mut dyn ServiceTx, reference: &str) -> Result<Queue<'q>, Stop> {
        let name = name_of(reference);
        if let Some((name, spec)) = self.queues.get_key_value(name) {
            return Ok(Queue { name: Cow::Borrowed(name), spec: Cow::Borrowed(spec), created: None });
        }
        let row = created::QUEUE.get(tx, name, name).await?;
        let row = row.as_ref().and_then(Value::as_object).ok_or_else(no_queue)?;
        let attributes = row.get("Attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        let spec = manage::spec_of(&attributes)?;
        Ok(Queue { name: Cow::Owned(name.to_owned()), spec: Cow::Owned(spec), created: Some(row.clone()) })
    }

    /// The queue whose URL the parameters name.
    async fn of<'q>(&'q self, tx: &mut dyn ServiceTx, params: &Params<'_>) -> Result<Queue<'q>, Stop> {
        self.find(tx, required(params, "QueueUrl")?).await
    }

    /// A message as ReceiveMessage shows it. `wanted` are the names of the system and message attributes to show;
    /// `None`: all of them.
    pub(crate) fn show(&self, message: &Message, wanted: Option<(&[&str], &[&str])>, dialect: Dialect) -> Value {
        let asks = |names: &[&str], name: &str| {
            let one = |wanted: &&str| {
                let prefix = wanted.strip_suffix(".*").or_else(|| wanted.strip_suffix('*'));
                matches!(*wanted, "All" | ".*")
                    || *wanted == name
                    || prefix.is_some_and(|prefix| name.starts_with(prefix))
            };
            names.iter().any(one)
        };
        let sdk = dialect == Dialect::AwsSdk;
        let mut out = Map::from_iter([("MessageId", message.id.as_str())]);
        if let Some(receipt) = &message.receipt {
            out.insert("ReceiptHandle", receipt);
        }
        out.insert(if sdk { "Md5OfBody" } else { "MD5OfBody" }, md5_hex(message.body.as_bytes()));
        out.insert("Body", &message.body);
        let system = self.system_attributes(message);
        let system = system.into_iter().filter(|(name, _)| wanted.is_none_or(|(system, _)| asks(system, name)));
        let system: Map = system.collect();
        if !system.is_empty() {
            out.insert("Attributes", system);
        }
        let custom = message.attributes.as_object().into_iter().flatten();
        let custom = custom.filter(|(name, _)| wanted.is_none_or(|(_, custom)| asks(custom, name)));
        let custom: Value = custom.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(md5) = md5_of_attributes(&custom) {
            out.insert(if sdk { "Md5OfMessageAttributes" } else { "MD5OfMessageAttributes" }, md5);
            out.insert("MessageAttributes", custom);
        }
        Value::from(out)
    }

    fn system_attributes(&self, message: &Message) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("SenderId", self.identity.account.clone()),
            ("SentTimestamp", message.sent_at_ms.to_string()),
            ("ApproximateReceiveCount", message.receive_count.to_string()),
        ];
        if let Some(at) = message.first_received_at_ms {
            all.push(("ApproximateFirstReceiveTimestamp", at.to_string()));
        }
        if let Some(group) = &message.group_id {
            all.push(("MessageGroupId", group.clone()));
        }
        if let Some(dedup) = &message.dedup_id {
            all.push(("MessageDeduplicationId", dedup.clone()));
            all.push(("SequenceNumber", format!("{:020}", message.position)));
        }
        if let Some(source) = &message.source {
            all.push(("DeadLetterQueueSourceArn", source.clone()));
        }
        all
    }
}
