//! A publish call: its parameters, checked as SNS checks them.

use crate::embedded::error::{Fault, refused};
use crate::embedded::ids::sha256_hex;
use crate::embedded::params::{Params, Shape};
use crate::embedded::queue::attributes::{read_attributes, size_of_attributes};
use crate::embedded::spec::{Protocol, TopicSpec};
use crate::embedded::{Dialect, ServiceCall};
use asl_value::Value;

/// The largest message with its attributes, in bytes.
const MAX_SIZE: usize = 262_144;
const PUBLISH: Shape = Shape {
    known: &[
        "TopicArn",
        "TargetArn",
        "Message",
        "Subject",
        "MessageStructure",
        "MessageAttributes",
        "MessageGroupId",
        "MessageDeduplicationId",
    ],
    refused: &["PhoneNumber"],
};

const BATCH: Shape = Shape { known: &["TopicArn", "PublishBatchRequestEntries"], refused: &[] };
const ENTRY: Shape = Shape {
    known: &[
        "Id",
        "Message",
        "Subject",
        "MessageStructure",
        "MessageAttributes",
        "MessageGroupId",
        "MessageDeduplicationId",
    ],
    refused: &[],
};

/// The entries of a batch with their ids.
type Entries<'a> = Vec<(&'a str, &'a Value)>;

/// The topic of a batch, and its entries.
pub(super) fn batch<'a>(call: &ServiceCall<'a>) -> Result<(&'a str, Entries<'a>), Fault> {
    let params = Params::of(call, &BATCH)?;
    let topic = params.text("TopicArn")?.ok_or_else(|| bad("TopicArn"))?;
    let entries = params.list("PublishBatchRequestEntries")?;
    match entries.len() {
        0 => return Err(refused("EmptyBatchRequest", "The batch request doesn't contain any entries.")),
        1..=10 => {}
        _ => {
            return Err(refused(
                "TooManyEntriesInBatchRequest",
                "The batch request contains more entries than permissible (more than 10).",
            ));
        }
    }
    let mut all: Vec<(&str, &Value)> = Vec::new();
    for entry in entries {
        let id = entry.get("Id").and_then(Value::as_str).unwrap_or_default();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=80).contains(&id.len()) || !id.chars().all(allowed) {
            return Err(refused(
                "InvalidBatchEntryId",
                "The Id of a batch entry in a batch request doesn't abide by the specification.",
            ));
        }
        if all.iter().any(|(other, _)| *other == id) {
            return Err(refused(
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ));
        }
        all.push((id, entry));
    }
    Ok((topic, all))
}

/// SNS's InvalidParameterException.
pub(super) fn bad(what: &str) -> Fault {
    refused("InvalidParameter", format!("Invalid parameter: {what}"))
}

/// A publish call, read and checked.
pub(super) struct Publication<'a> {
    pub(super) topic: &'a str,
    message: String,
    /// The members of a `MessageStructure: json` message, by protocol.
    structure: Option<Value>,
    pub(super) subject: Option<&'a str>,
    pub(super) attributes: Value,
    pub(super) group_id: Option<&'a str>,
    dedup_id: Option<&'a str>,
}

impl<'a> Publication<'a> {
    pub(super) fn of(call: &ServiceCall<'a>) -> Result<Publication<'a>, Fault> {
        let params = Params::of(call, &PUBLISH)?;
        let topic = params.text("TopicArn")?.or(params.text("TargetArn")?);
        let topic = topic.ok_or_else(|| bad("TopicArn or TargetArn Reason: no value for required parameter"))?;
        Publication::read(topic, &params)
    }

    /// An entry of a batch.
    pub(super) fn of_entry(topic: &'a str, entry: &'a Value, dialect: Dialect) -> Result<Publication<'a>, Fault> {
        Publication::read(topic, &Params::new(entry, dialect, &ENTRY)?)
    }

    fn read(topic: &'a str, params: &Params<'a>) -> Result<Publication<'a>, Fault> {
        let message = params.message("Message").filter(|message| !message.is_empty());
        let message = message.ok_or_else(|| bad("Empty message"))?;
        let subject = params.text("Subject")?;
        if subject.is_some_and(|text| !(1..=100).contains(&text.chars().count()) || text.contains(char::is_control)) {
            return Err(bad("Subject"));
        }
        let structure = match params.text("MessageStructure")? {
            None => None,
            Some("json") => Some(read_structure(&message)?),
            Some(_) => return Err(bad("MessageStructure")),
        };
        let attributes = read_attributes(params.object("MessageAttributes")?, "ParameterValueInvalid")?;
        if message.len() + size_of_attributes(&attributes) > MAX_SIZE {
            return Err(bad("Message too long"));
        }
        Ok(Publication {
            topic,
            message,
            structure,
            subject,
            attributes,
            group_id: params.text("MessageGroupId")?,
            dedup_id: params.text("MessageDeduplicationId")?,
        })
    }

    /// The deduplication id in a FIFO topic; a standard topic has none.
    pub(super) fn dedup_id(&self, topic: &TopicSpec) -> Result<Option<String>, Fault> {
        if !topic.fifo_topic {
            return match self.dedup_id {
                Some(_) => Err(bad(
                    "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type",
                )),
                None => Ok(None),
            };
        }
        if self.group_id.is_none_or(str::is_empty) {
            return Err(bad("The MessageGroupId parameter is required for FIFO topics"));
        }
        match self.dedup_id {
            Some(id) => Ok(Some(id.to_owned())),
            None if topic.content_based_deduplication => Ok(Some(sha256_hex(self.message.as_bytes()))),
            None => Err(bad(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
            )),
        }
    }

    /// The message as a subscriber of a protocol gets it.
    pub(super) fn text_for(&self, protocol: Protocol) -> &str {
        let Some(structure) = &self.structure else { return &self.message };
        let own = match protocol {
            Protocol::Sqs => structure["sqs"].as_str(),
            Protocol::Lambda => structure["lambda"].as_str(),
        };
        own.or(structure["default"].as_str()).unwrap_or_default()
    }
}

fn read_structure(message: &str) -> Result<Value, Fault> {
    let parsed: Value = message.parse().map_err(|_| bad("Message Structure - JSON message body failed to parse"))?;
    match parsed.get("default").and_then(Value::as_str) {
        Some(_) => Ok(parsed),
        None => Err(bad("Message Structure - No default entry in JSON message body")),
    }
}
