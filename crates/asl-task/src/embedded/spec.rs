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
    /// Buses.
    #[serde(default)]
    pub buses: BTreeMap<String, BusSpec>,
    /// The rules of buses.
    #[serde(default)]
    pub rules: BTreeMap<String, RuleSpec>,
    /// Activities: workers ask for their tasks.
    #[serde(default)]
    pub activities: BTreeMap<String, ActivitySpec>,
    /// The names of the functions the project declares: a subscription may deliver to them.
    #[serde(default)]
    pub functions: BTreeSet<String>,
}

/// A bus of events. It has a name, and nothing else; the bus `default` is always there.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BusSpec {}

/// A rule: which events of a bus go where.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct RuleSpec {
    /// The name or ARN of its bus; `default` when absent.
    #[serde(default = "default_bus")]
    pub event_bus_name: String,
    /// Which events match: AWS's event pattern, as a table or as JSON text.
    #[cfg_attr(feature = "schema", schemars(schema_with = "super::schema::filter_policy"))]
    pub event_pattern: Option<Value>,
    /// Whether it is in force; it is when absent.
    pub state: Option<RuleState>,
    /// What people are told of it.
    pub description: Option<String>,
    /// Where a matching event goes.
    pub targets: Vec<TargetSpec>,
}

fn default_bus() -> String {
    super::bus::DEFAULT.to_owned()
}

/// Whether a rule is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleState {
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
}

impl RuleState {
    /// Whether it is in force.
    pub fn is_enabled(self) -> bool {
        self == RuleState::Enabled
    }
}

/// A target of a rule.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TargetSpec {
    /// What it is called.
    pub id: Option<String>,
    /// The ARN of a queue, a topic, a function or a state machine; or in short `sqs:Name`, `sns:Name`, `lambda:Name`, `states:Name`.
    pub arn: String,
    /// What it gets instead of the event: any value, or its JSON text.
    #[cfg_attr(feature = "schema", schemars(schema_with = "super::schema::anything"))]
    pub input: Option<Value>,
    /// The part of the event that it gets.
    pub input_path: Option<String>,
    /// What it gets, made of parts of the event.
    pub input_transformer: Option<TransformerSpec>,
    /// The group of the message in a FIFO queue.
    pub message_group_id: Option<String>,
    /// The name or ARN of the queue for what cannot be delivered to a function or state machine.
    pub dead_letter_arn: Option<String>,
}

/// How a target's input is made of an event.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TransformerSpec {
    /// Parts of the event by name.
    #[serde(default)]
    pub input_paths_map: BTreeMap<String, String>,
    /// A text with `<names>` of parts in it.
    pub input_template: String,
}

/// An activity. It has a name, and nothing else.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ActivitySpec {}

/// A table: its primary key and its secondary indexes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TableSpec {
    /// The hash (partition) key.
    pub hash_key: KeyAttribute,
    /// The range (sort) key.
    pub range_key: Option<KeyAttribute>,
    /// Secondary indexes with a hash key of their own, by name.
    #[serde(default)]
    pub global_secondary_indexes: BTreeMap<String, IndexSpec>,
    /// Secondary indexes with the hash key of the table, by name.
    #[serde(default)]
    pub local_secondary_indexes: BTreeMap<String, IndexSpec>,
}

impl TableSpec {
    /// A table with this key, and no index.
    pub fn new(hash_key: KeyAttribute, range_key: Option<KeyAttribute>) -> TableSpec {
        let (global_secondary_indexes, local_secondary_indexes) = (BTreeMap::new(), BTreeMap::new());
        TableSpec { hash_key, range_key, global_secondary_indexes, local_secondary_indexes }
    }
}

/// A secondary index.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct IndexSpec {
    /// The hash (partition) key; a local index has the table's.
    pub hash_key: Option<KeyAttribute>,
    /// The range (sort) key.
    pub range_key: Option<KeyAttribute>,
    /// Which attributes of an item the index has; all when absent.
    #[serde(default)]
    pub projection: ProjectionSpec,
}

/// Which attributes an index has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct ProjectionSpec {
    /// All attributes, the keys alone, or the keys with those of `NonKeyAttributes`.
    pub projection_type: ProjectionType,
    /// The attributes beside the keys; for `INCLUDE` only.
    pub non_key_attributes: Vec<String>,
}

/// How many attributes an index has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectionType {
    /// All of them.
    #[default]
    All,
    /// Those of the index's key and of the table's.
    KeysOnly,
    /// The keys and some others.
    Include,
}

impl ProjectionType {
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    pub fn name(self) -> &'static str {
        match self {
            ProjectionType::All => "ALL",
            ProjectionType::KeysOnly => "KEYS_ONLY",
            ProjectionType::Include => "INCLUDE",
        }
    }
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
