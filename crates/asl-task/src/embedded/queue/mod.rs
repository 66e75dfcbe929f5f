//! Queues that behave like SQS's.
//!
//! `attributes` are the message attributes and their checksum, `send` and `receive` the two ends of a queue; this file
//! holds the declared queues and the actions of the service.

pub(crate) mod attributes;
mod receive;
mod send;

use super::error::{Fault, Stop, refused};
use super::ids::md5_hex;
use super::params::{Params, Shape};
use super::spec::QueueSpec;
use super::{Dialect, Identity, ServiceCall, name_of};
use asl_store::{Message, ServiceTx};
use asl_value::{Map, Value};
use attributes::{md5_of_attributes, read_attributes};
pub use receive::Receive;
pub(crate) use send::Outgoing;
use std::collections::BTreeMap;

/// The wire code of a queue that does not exist.
pub(crate) const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

/// The declared queues by name.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    queues: BTreeMap<String, QueueSpec>,
    identity: Identity,
}

/// The actions of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Send,
    Receive,
    Delete,
    ChangeVisibility,
    Purge,
    GetUrl,
    GetAttributes,
}

impl Action {
    /// The action of a task resource; the optimized integration has `sendMessage` only.
    pub(crate) fn named(name: &str, dialect: Dialect) -> Option<Action> {
        match name {
            "sendMessage" => Some(Action::Send),
            _ if dialect == Dialect::Optimized => None,
            "receiveMessage" => Some(Action::Receive),
            "deleteMessage" => Some(Action::Delete),
            "changeMessageVisibility" => Some(Action::ChangeVisibility),
            "purgeQueue" => Some(Action::Purge),
            "getQueueUrl" => Some(Action::GetUrl),
            "getQueueAttributes" => Some(Action::GetAttributes),
            _ => None,
        }
    }

    fn shape(self) -> Shape {
        let (known, refused): (&[&str], &[&str]) = match self {
            Action::Send => (
                &[
                    "QueueUrl",
                    "MessageBody",
                    "DelaySeconds",
                    "MessageAttributes",
                    "MessageGroupId",
                    "MessageDeduplicationId",
                ],
                &["MessageSystemAttributes"],
            ),
            Action::Receive => (
                &[
                    "QueueUrl",
                    "MaxNumberOfMessages",
                    "VisibilityTimeout",
                    "WaitTimeSeconds",
                    "MessageAttributeNames",
                    "AttributeNames",
                    "MessageSystemAttributeNames",
                ],
                &["ReceiveRequestAttemptId"],
            ),
            Action::Delete => (&["QueueUrl", "ReceiptHandle"], &[]),
            Action::ChangeVisibility => (&["QueueUrl", "ReceiptHandle", "VisibilityTimeout"], &[]),
            Action::Purge => (&["QueueUrl"], &[]),
            Action::GetUrl => (&["QueueName"], &["QueueOwnerAWSAccountId"]),
            Action::GetAttributes => (&["QueueUrl", "AttributeNames"], &[]),
        };
        Shape { known, refused }
    }
}

/// A parameter that is not there.
fn missing(name: &str) -> Fault {
    refused("MissingParameter", format!("The request must contain the parameter {name}."))
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

    /// A declared queue, by URL, ARN or name.
    pub(crate) fn named(&self, reference: &str) -> Result<(&str, &QueueSpec), Fault> {
        let found = self.queues.get_key_value(name_of(reference));
        let found = found.map(|(name, spec)| (name.as_str(), spec));
        found.ok_or_else(|| refused(NO_QUEUE, "The specified queue does not exist."))
    }

    pub(crate) async fn call(
        &self,
        action: Action,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
    ) -> Result<Map, Stop> {
        let params = Params::new(call.parameters, &action.shape())?;
        let key = if action == Action::GetUrl { "QueueName" } else { "QueueUrl" };
        let (name, spec) = self.named(params.text(key)?.ok_or_else(|| missing(key))?)?;
        match action {
            Action::Send => self.send_call(tx, call, &params, name).await,
            Action::Receive => self.receive_call(tx, call, &params, (name, spec)).await,
            Action::Delete => {
                self.delete(
                    tx,
                    name,
                    params.text("ReceiptHandle")?.ok_or_else(|| missing("ReceiptHandle"))?,
                    call.now_ms,
                )
                .await?;
                Ok(Map::new())
            }
            Action::ChangeVisibility => {
                let receipt = params.text("ReceiptHandle")?.ok_or_else(|| missing("ReceiptHandle"))?;
                let seconds = params.integer("VisibilityTimeout")?.ok_or_else(|| missing("VisibilityTimeout"))?;
                self.change_visibility(tx, name, receipt, seconds, call.now_ms).await?;
                Ok(Map::new())
            }
            Action::Purge => {
                tx.delete_messages(name, i64::MAX).await?;
                Ok(Map::new())
            }
            Action::GetUrl => Ok(Map::from_iter([("QueueUrl", self.identity.queue_url(name))])),
            Action::GetAttributes => self.queue_attributes(tx, &params, (name, spec), call.now_ms).await,
        }
    }

    async fn send_call(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        params: &Params<'_>,
        name: &str,
    ) -> Result<Map, Stop> {
        let body =
            params.message("MessageBody").filter(|body| !body.is_empty()).ok_or_else(|| missing("MessageBody"))?;
        let attributes = read_attributes(params.object("MessageAttributes")?, "InvalidParameterValue")?;
        let mut answer = Map::new();
        // The aws-sdk form shows the Java SDK 2's names.
        let sdk = call.dialect == Dialect::AwsSdk;
        let (md5_body, md5_attributes) = if sdk {
            ("Md5OfMessageBody", "Md5OfMessageAttributes")
        } else {
            ("MD5OfMessageBody", "MD5OfMessageAttributes")
        };
        if let Some(md5) = md5_of_attributes(&attributes) {
            answer.insert(md5_attributes, md5);
        }
        answer.insert(md5_body, md5_hex(body.as_bytes()));
        let outgoing = Outgoing {
            id: super::ids::uuid(call.seed, "sqs", 0),
            body,
            attributes,
            group_id: params.text("MessageGroupId")?.map(str::to_owned),
            dedup_id: params.text("MessageDeduplicationId")?.map(str::to_owned),
            delay_seconds: params.integer("DelaySeconds")?,
        };
        let sent = self.send(tx, name, outgoing, call.now_ms).await?;
        answer.insert("MessageId", sent.message_id);
        if let Some(sequence) = sent.sequence {
            answer.insert("SequenceNumber", format!("{sequence:020}"));
        }
        Ok(answer)
    }

    async fn receive_call(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        params: &Params<'_>,
        (name, spec): (&str, &QueueSpec),
    ) -> Result<Map, Stop> {
        let ranged = |key: &str, range: std::ops::RangeInclusive<i64>, default: i64| {
            let value = params.integer(key)?.unwrap_or(default);
            let (low, high) = (range.start(), range.end());
            let reason = format!("Must be >= {low} and <= {high}, if provided.");
            if range.contains(&value) { Ok(value) } else { Err(bad_value(key, value, &reason)) }
        };
        let limit = ranged("MaxNumberOfMessages", 1..=10, 1)?;
        let seconds = ranged("VisibilityTimeout", 0..=43_200, i64::from(spec.visibility_timeout))?;
        // A task holds the database's transaction, so there is no waiting for messages that are not there yet.
        ranged("WaitTimeSeconds", 0..=20, 0)?;
        let receive = Receive {
            limit: limit as u32,
            visibility_timeout_ms: Some(seconds * 1000),
            now_ms: call.now_ms,
            seed: call.seed,
        };
        let messages = self.receive(tx, name, &receive).await?;
        let mut system = params.texts("MessageSystemAttributeNames")?;
        system.extend(params.texts("AttributeNames")?);
        let custom = params.texts("MessageAttributeNames")?;
        let shown: Value = messages.iter().map(|m| self.show(m, Some((&system, &custom)), call.dialect)).collect();
        Ok(if messages.is_empty() { Map::new() } else { Map::from_iter([("Messages", shown)]) })
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

    async fn queue_attributes(
        &self,
        tx: &mut dyn ServiceTx,
        params: &Params<'_>,
        (name, spec): (&str, &QueueSpec),
        now_ms: i64,
    ) -> Result<Map, Stop> {
        let state = tx.queue_state(name, now_ms).await?;
        let mut all = vec![
            ("ApproximateNumberOfMessages", state.visible.to_string()),
            ("ApproximateNumberOfMessagesDelayed", state.delayed.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", state.in_flight.to_string()),
            ("DelaySeconds", spec.delay_seconds.to_string()),
            ("MaximumMessageSize", spec.maximum_message_size.to_string()),
            ("MessageRetentionPeriod", spec.message_retention_period.to_string()),
            ("QueueArn", self.identity.arn("sqs", name)),
            ("VisibilityTimeout", spec.visibility_timeout.to_string()),
        ];
        if spec.fifo_queue {
            all.push(("FifoQueue", "true".to_owned()));
            all.push(("ContentBasedDeduplication", spec.content_based_deduplication.to_string()));
        }
        if let Some(policy) = &spec.redrive_policy {
            let arn = self.identity.arn("sqs", name_of(&policy.dead_letter_target_arn));
            let count = policy.max_receive_count;
            all.push(("RedrivePolicy", format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":{count}}}")));
        }
        let wanted = params.texts("AttributeNames")?;
        all.retain(|(name, _)| wanted.iter().any(|wanted| *wanted == "All" || wanted == name));
        Ok(if all.is_empty() { Map::new() } else { Map::from_iter([("Attributes", Value::from_iter(all))]) })
    }
}
