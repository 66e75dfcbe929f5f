//! What a project declares: tables, topics and queues, in the words of AWS.
//!
//! ```toml
//! [tables.FaresTable]
//! HashKey = "fareId"                                     # or { AttributeName = "fareId", AttributeType = "S" }
//! RangeKey = { AttributeName = "at", AttributeType = "N" }
//!
//! [[topics.FareProcessing.Subscriptions]]
//! Protocol = "sqs"
//! Endpoint = "SuccessfulTransactions"
//! RawMessageDelivery = true
//! FilterPolicy = { IsSuccessful = ["true"] }
//!
//! [queues.SuccessfulTransactions]
//! VisibilityTimeout = 30                                 # seconds
//! RedrivePolicy = { deadLetterTargetArn = "Dead", maxReceiveCount = 3 }
//!
//! [queues.Dead]
//! ```

use asl_value::Value;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Everything the embedded services hold, by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicesSpec {
    /// Tables.
    #[serde(default)]
    pub tables: BTreeMap<String, TableSpec>,
    /// Topics.
    #[serde(default)]
    pub topics: BTreeMap<String, TopicSpec>,
    /// Queues.
    #[serde(default)]
    pub queues: BTreeMap<String, QueueSpec>,
    /// The names of the functions the project declares: a subscription may deliver to them.
    #[serde(default)]
    pub functions: BTreeSet<String>,
}

/// A table: its primary key.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TableSpec {
    /// The hash (partition) key.
    pub hash_key: KeyAttribute,
    /// The range (sort) key.
    pub range_key: Option<KeyAttribute>,
}

/// A key attribute: written as its name alone (then of type `S`) or with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttribute {
    /// The name of the attribute, 1 to 255 characters.
    pub name: String,
    /// Its type.
    pub kind: KeyType,
}

/// The types a key attribute can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum KeyType {
    /// A string.
    #[default]
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

impl KeyType {
    /// `S`, `N` or `B`.
    pub fn name(self) -> &'static str {
        match self {
            KeyType::S => "S",
            KeyType::N => "N",
            KeyType::B => "B",
        }
    }
}

impl<'de> Deserialize<'de> for KeyAttribute {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<KeyAttribute, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "PascalCase")]
        struct Full {
            attribute_name: String,
            #[serde(default)]
            attribute_type: KeyType,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = KeyAttribute;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of the key attribute, or { AttributeName = \"...\", AttributeType = \"S\" }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<KeyAttribute, E> {
                Ok(KeyAttribute { name: name.to_owned(), kind: KeyType::S })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyAttribute, A::Error> {
                let full = Full::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(KeyAttribute { name: full.attribute_name, kind: full.attribute_type })
            }
        }
        from.deserialize_any(Either)
    }
}

/// A topic and who listens to it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct TopicSpec {
    /// True for a FIFO topic; its name ends in `.fifo`.
    pub fifo_topic: bool,
    /// Whether a FIFO topic takes the hash of the message as its deduplication id.
    pub content_based_deduplication: bool,
    /// The subscriptions; deliveries happen in this order.
    pub subscriptions: Vec<SubscriptionSpec>,
}

/// One subscription of a topic.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct SubscriptionSpec {
    /// `sqs` (or `queue`), `lambda` (or `function`).
    pub protocol: Protocol,
    /// The name or ARN of the queue or function.
    pub endpoint: String,
    /// Which messages are delivered: AWS's filter policy, as a table or as JSON text. Absent: all.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "super::schema::filter_policy"))]
    pub filter_policy: Option<Value>,
    /// What the policy looks at.
    #[serde(default)]
    pub filter_policy_scope: FilterPolicyScope,
    /// Deliver the message as it is, without SNS's JSON envelope; for queues.
    #[serde(default)]
    pub raw_message_delivery: bool,
    /// Where a delivery to a function goes when its retries are used up.
    #[serde(default)]
    pub redrive_policy: Option<SubscriptionRedrivePolicy>,
}

/// Whom a subscription delivers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A queue.
    #[serde(alias = "queue")]
    Sqs,
    /// A function.
    #[serde(alias = "function")]
    Lambda,
}

/// What a filter policy looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum FilterPolicyScope {
    /// The message attributes.
    #[default]
    MessageAttributes,
    /// The message itself, as JSON.
    MessageBody,
}

/// The dead-letter queue of a subscription.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubscriptionRedrivePolicy {
    /// The name or ARN of the queue.
    #[serde(rename = "deadLetterTargetArn")]
    pub dead_letter_target_arn: String,
}

/// A queue. Times are in seconds, as AWS has them.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct QueueSpec {
    /// How long a received message stays hidden: 0 to 43200 seconds, 30 when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 43200)))]
    pub visibility_timeout: u32,
    /// How long a new message stays hidden: 0 to 900 seconds, 0 when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 900)))]
    pub delay_seconds: u32,
    /// How long a message is kept: 60 to 1209600 seconds, 345600 (four days) when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 60, max = 1209600)))]
    pub message_retention_period: u32,
    /// The largest message with its attributes: 1024 to 1048576 bytes, 1048576 when absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1024, max = 1048576)))]
    pub maximum_message_size: u32,
    /// True for a FIFO queue; its name ends in `.fifo`.
    pub fifo_queue: bool,
    /// Whether a FIFO queue takes the hash of the body as the deduplication id of a message that has none.
    pub content_based_deduplication: bool,
    /// Where a message goes that was received too often.
    pub redrive_policy: Option<RedrivePolicy>,
}

impl Default for QueueSpec {
    fn default() -> QueueSpec {
        QueueSpec {
            visibility_timeout: 30,
            delay_seconds: 0,
            message_retention_period: 345_600,
            maximum_message_size: 1_048_576,
            fifo_queue: false,
            content_based_deduplication: false,
            redrive_policy: None,
        }
    }
}

/// The dead-letter queue of a queue.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RedrivePolicy {
    /// The name or ARN of the dead-letter queue.
    #[serde(rename = "deadLetterTargetArn")]
    pub dead_letter_target_arn: String,
    /// How often a message is received before it moves there: 1 to 1000.
    #[serde(rename = "maxReceiveCount")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub max_receive_count: u32,
}
