//! The embedded services for clients: somebody outside of executions who speaks their protocols.

use crate::engine::Engine;
use crate::error::EngineError;
use asl_store::contract;
use asl_task::embedded::{AccessError, Dialect, ServiceCall, WireError};
use asl_value::{Map, Value};

/// Why a call of a client came to nothing.
#[derive(Debug)]
pub enum CallError {
    /// The service refused: nothing was written.
    Refused(Box<WireError>),
    /// The database failed.
    Failed(EngineError),
}

impl From<EngineError> for CallError {
    fn from(error: EngineError) -> CallError {
        CallError::Failed(error)
    }
}

impl From<asl_store::StoreError> for CallError {
    fn from(error: asl_store::StoreError) -> CallError {
        CallError::Failed(error.into())
    }
}

impl Engine {
    /// The folders that stand for buckets.
    pub fn buckets(&self) -> &asl_task::bucket::Buckets {
        &self.inner.backends.buckets
    }

    /// The names of the functions that tasks can call here, in order.
    pub fn function_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.inner.backends.functions.names().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Looks at messages of a queue behind a position, visible or not, in the shape of `ReceiveMessage`, without receiving them.
    /// Gives where to go on from, where there may be more.
    ///
    /// # Errors
    /// When there is no such queue, or the database cannot be read.
    pub async fn peek_messages(
        &self,
        queue: &str,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<Value>, Option<i64>), AccessError> {
        let (services, queue, now_ms) =
            (self.inner.backends.services.clone(), queue.to_owned(), self.inner.clock.now().millis());
        let asked = services.clone();
        let messages = contract::inspect(&*self.inner.store, move |tx| {
            let (asked, queue) = (asked.clone(), queue.clone());
            Box::pin(async move { asked.peek_messages(tx, &queue, after, limit, now_ms).await })
        });
        let messages = messages.await?;
        let next = messages.last().filter(|_| messages.len() == limit as usize).map(|message| message.position);
        Ok((messages.iter().map(|message| services.message_json(message)).collect(), next))
    }

    /// Calls an operation of an embedded service in the service's own protocol: `service` is `sqs`, `sns`, `dynamodb` or `events`,
    /// `operation` its name there (`SendMessage`), `parameters` the members of the request and `request_id` the id that the answer
    /// shows, a UUID. The answer has the members of the response. When this returns, its effect is on disk; deliveries that it owes
    /// to functions and state machines are made from then on.
    ///
    /// `ReceiveMessage` never waits: a client that polls long is the caller's to keep waiting.
    ///
    /// # Errors
    /// The service's refusal, or the failure of the database.
    pub async fn call_service(
        &self,
        service: &str,
        operation: &str,
        parameters: Value,
        request_id: &str,
    ) -> Result<Map, CallError> {
        let _hold = self.inner.clock.hold();
        self.inner.still_works()?;
        let services = self.inner.backends.services.clone();
        let (service, operation) = (service.to_owned(), operation.to_owned());
        let (request_id, now_ms) = (request_id.to_owned(), self.inner.clock.now().millis());
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        let answer = contract::transact(&*self.inner.store, move |tx| {
            let (services, service, operation) = (services.clone(), service.clone(), operation.clone());
            let (request_id, parameters) = (request_id.clone(), parameters.clone());
            Box::pin(async move {
                let call = ServiceCall {
                    dialect: Dialect::Wire,
                    service: &service,
                    action: &operation,
                    parameters: &parameters,
                    now_ms,
                    request_id: &request_id,
                    seed,
                };
                match services.call_wire(tx, &call).await? {
                    Ok(answer) => Ok(answer),
                    // Its transaction is undone, whatever it wrote before it was refused.
                    Err(refused) => Err(CallError::Refused(Box::new(refused))),
                }
            })
        });
        let answer = answer.await?;
        self.inner.outbox.ring();
        Ok(answer)
    }
}
