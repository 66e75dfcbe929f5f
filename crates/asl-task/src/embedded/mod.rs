//! Services that behave like DynamoDB, SNS and SQS, inside the engine's own database.
//!
//! A project declares them ([`ServicesSpec`]); [`Services`] answers tasks ([`Services::call`]) within a transaction that
//! the engine also writes its history in ([`asl_store::ServiceTx`]), so an effect and the event that records it come together or
//! not at all. Nothing here reads a clock or draws a random number: the call carries the time and a seed.
//!
//! ```
//! use asl_store::MemoryStore;
//! use asl_task::embedded::{Dialect, Identity, ServiceCall, Services, ServicesSpec};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let spec: ServicesSpec = toml::from_str(r#"tables.Fares.HashKey = "fareId""#)?;
//! let services = Services::new(&spec, Identity::new("us-east-1", "123456789012")).map_err(|e| e[0].clone())?;
//! let mut store = MemoryStore::new();
//! let mut tx = store.begin();
//! let call = ServiceCall {
//!     dialect: Dialect::AwsSdk,
//!     service: "dynamodb",
//!     action: "putItem",
//!     parameters: &r#"{"TableName": "Fares", "Item": {"fareId": {"S": "1"}, "amount": {"N": "007.50"}}}"#.parse()?,
//!     now_ms: 0,
//!     request_id: "a-request",
//!     seed: 1,
//! };
//! services.call(&mut tx, &call).await??;
//! let item = services.get_item(&mut tx, "Fares", "1", None).await?.unwrap();
//! assert_eq!(item.to_string(), r#"{"amount":{"N":"7.5"},"fareId":{"S":"1"}}"#);
//! tx.commit();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod answer;
mod bus;
mod check;
mod created;
mod error;
mod ids;
mod integration;
mod nested;
mod operations;
mod params;
mod queue;
#[cfg(feature = "schema")]
mod schema;
mod services;
pub(crate) mod sfn;
mod spec;
mod table;
mod topic;

pub use access::AccessError;
pub use bus::status::StatusChange;
pub use bus::with_resources;
pub use check::SpecError;
pub use error::{ServiceError, WireError};
pub(crate) use nested::Nested;
pub use nested::{Begun, Executions, Nest, Wanted};
pub use queue::Receive;
pub use services::{Dialect, Identity, ServiceCall, Services};
pub use sfn::{BILLED_MB, Refused, TokenAnswer, billed_ms};
pub use spec::{
    ActivitySpec, BusSpec, FilterPolicyScope, IndexSpec, KeyAttribute, KeyType, ProjectionSpec, ProjectionType,
    Protocol, QueueSpec, RedrivePolicy, RuleSpec, RuleState, ServicesSpec, SubscriptionRedrivePolicy, SubscriptionSpec,
    TableSpec, TargetSpec, TopicSpec, TransformerSpec,
};
pub use topic::delivery::{FailedDelivery, OutboxDelivery, Target};

pub(crate) use answer::iso_date;
pub(crate) use ids::md5_hex;
pub(crate) use integration::Embedded;
pub(crate) use services::{ServiceKind, name_of};
