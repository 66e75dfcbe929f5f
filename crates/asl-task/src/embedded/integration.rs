//! The embedded services as an integration: a task of theirs runs inside the store's transaction.

use super::{Dialect, ServiceCall, Services};
use crate::backend::{Missing, declare};
use crate::integration::{Call, Integration, Mode, Moment};
use asl_core::Failure;
use asl_store::{ServiceTx, StoreError};
use asl_syntax::model::Payload;
use asl_value::Value;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// An action of an embedded service.
pub(crate) struct Embedded {
    pub(crate) services: Arc<Services>,
    pub(crate) dialect: Dialect,
    pub(crate) service: Arc<str>,
    pub(crate) action: Arc<str>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedded({}:{})", self.service, self.action)
    }
}

impl Embedded {
    /// The parameter that names what is called, and the section of the project file that declares it.
    fn named(&self) -> (&'static str, &'static str) {
        match &*self.service {
            "dynamodb" => ("TableName", "tables"),
            "sns" => ("TopicArn", "topics"),
            _ => ("QueueUrl", "queues"),
        }
    }

    /// The buses that the entries write down must be there.
    fn check_buses(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        let entries = parameters.and_then(|p| p.literal("Entries")).and_then(Value::as_array).unwrap_or_default();
        for name in entries.iter().filter_map(|entry| entry["EventBusName"].as_str()) {
            self.services.check_reference(&self.service, name).map_err(|e| Missing {
                message: e.to_string(),
                hint: Some(format!("add [buses.{name}] to the project file")),
            })?;
        }
        Ok(())
    }
}

#[async_trait]
impl Integration for Embedded {
    fn title(&self) -> String {
        format!("the embedded {}", self.service)
    }

    fn mode(&self) -> Mode {
        Mode::Transactional
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        if matches!(&*self.service, "events" | "eventbridge") {
            return self.check_buses(parameters);
        }
        let (key, section) = self.named();
        let Some(name) = parameters.and_then(|p| p.literal(key)).and_then(Value::as_str) else { return Ok(()) };
        self.services.check_reference(&self.service, name).map_err(|e| {
            let names: Vec<&str> = match section {
                "tables" => self.services.table_names().collect(),
                "topics" => self.services.topic_names().collect(),
                _ => self.services.queue_names().collect(),
            };
            Missing { message: e.to_string(), hint: Some(declare(section, name, names.into_iter())) }
        })
    }

    async fn call_within(
        &self,
        tx: &mut (dyn ServiceTx + '_),
        call: &Call<'_>,
        moment: Moment,
    ) -> Result<Result<Value, Failure>, StoreError> {
        let service_call = ServiceCall {
            dialect: self.dialect,
            service: &self.service,
            action: &self.action,
            parameters: call.parameters,
            now_ms: moment.now_ms,
            request_id: call.key,
            seed: moment.seed,
        };
        let answer = self.services.call(tx, &service_call).await?;
        Ok(answer.map_err(|e| Failure::new(e.error, e.cause)))
    }
}
