//! The services of one project, and the way in for tasks.

use super::access::{AccessError, unknown};
use super::answer::result;
use super::bus::Buses;
use super::check::{SpecError, check};
use super::error::{Fault, ServiceError, Stop, WireError, unreadable};
use super::operations::{self, Operation};
use super::queue::Queues;
use super::spec::ServicesSpec;
use super::table::Tables;
use super::topic::Topics;
use asl_store::{ServiceTx, StoreError};
use asl_value::{Map, Value};
use std::collections::BTreeSet;

/// In which integration a task calls: it decides result shapes and error names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `arn:aws:states:::dynamodb:putItem`: the Java SDK 1 speaks, results carry `SdkHttpMetadata`.
    Optimized,
    /// `arn:aws:states:::aws-sdk:dynamodb:putItem`: the Java SDK 2 speaks.
    AwsSdk,
    /// The service's own protocol: an SDK or another client calls `PutItem`.
    Wire,
}

/// The services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceKind {
    Table,
    Topic,
    Queue,
    Bus,
}

impl ServiceKind {
    pub(crate) fn named(service: &str) -> Option<ServiceKind> {
        match service {
            "dynamodb" => Some(ServiceKind::Table),
            "sns" => Some(ServiceKind::Topic),
            "sqs" => Some(ServiceKind::Queue),
            "events" | "eventbridge" => Some(ServiceKind::Bus),
            _ => None,
        }
    }
}

/// Where the services pretend to be: it makes ARNs and URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The region, for example `us-east-1`.
    pub region: String,
    /// The account, twelve digits.
    pub account: String,
    /// Where clients reach the services, `http://127.0.0.1:8083`: URLs of queues begin with it. None: AWS's own URLs.
    pub endpoint: Option<String>,
}

impl Identity {
    /// An identity.
    pub fn new(region: impl Into<String>, account: impl Into<String>) -> Identity {
        Identity { region: region.into(), account: account.into(), endpoint: None }
    }

    /// The same, where clients reach the services at `endpoint`, a URL without a slash at its end.
    pub fn at(self, endpoint: impl Into<String>) -> Identity {
        Identity { endpoint: Some(endpoint.into()), ..self }
    }

    /// The ARN of a topic (`sns`) or queue (`sqs`).
    pub fn arn(&self, service: &str, name: &str) -> String {
        let partition = match &self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:{service}:{}:{}:{name}", self.region, self.account)
    }

    /// The URL of a queue.
    pub fn queue_url(&self, name: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("{endpoint}/{}/{name}", self.account),
            None => format!("https://sqs.{}.amazonaws.com/{}/{name}", self.region, self.account),
        }
    }
}

/// The name in an ARN, a queue's URL, or a name alone. Region and account are not looked at.
pub(crate) fn name_of(reference: &str) -> &str {
    if let Some(arn) = reference.strip_prefix("arn:") {
        let resource = arn.splitn(5, ':').nth(4).unwrap_or(reference);
        if let Some(table) = resource.strip_prefix("table/") {
            return table.split('/').next().unwrap_or(table);
        }
        if let Some(function) = resource.strip_prefix("function:") {
            return function.split(':').next().unwrap_or(function);
        }
        return resource;
    }
    match reference.contains("://") {
        true => reference.rsplit('/').next().unwrap_or(reference),
        false => reference,
    }
}

/// One call of a task.
#[derive(Clone, Copy, Debug)]
pub struct ServiceCall<'a> {
    /// The integration.
    pub dialect: Dialect,
    /// `dynamodb`, `sns`, `sqs`, `events` (as `aws-sdk`: `eventbridge`).
    pub service: &'a str,
    /// The action, for example `putItem`; on the wire `PutItem`.
    pub action: &'a str,
    /// The task's parameters, resolved.
    pub parameters: &'a Value,
    /// The time, in epoch milliseconds.
    pub now_ms: i64,
    /// The request id that results and error causes show: a UUID in form.
    pub request_id: &'a str,
    /// What message ids are made of: the same for the same call in every replay, another for every other call.
    pub seed: u64,
}

/// The tables, topics and queues of a project.
#[derive(Clone, Debug)]
pub struct Services {
    pub(super) tables: Tables,
    pub(super) topics: Topics,
    pub(super) queues: Queues,
    pub(super) buses: Buses,
    /// Whether tables, topics and queues may be made at run time, so that a name that is not declared may be one of them.
    open: bool,
    activities: BTreeSet<String>,
}

impl Services {
    /// Services of these declarations, or everything that is wrong with them.
    pub fn new(spec: &ServicesSpec, identity: Identity) -> Result<Services, Vec<SpecError>> {
        let errors = check(spec);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Services {
            tables: Tables::new(&spec.tables, &identity),
            topics: Topics::new(&spec.topics, &identity),
            queues: Queues::new(&spec.queues, &identity),
            buses: Buses::new(spec.buses.keys().cloned(), &spec.rules, &identity),
            open: false,
            activities: spec.activities.keys().cloned().collect(),
        })
    }

    /// The same services, where clients may make tables, topics and queues at run time: a definition may name what is not declared,
    /// and its task fails as on AWS where nothing has that name.
    pub fn open_to_clients(self) -> Services {
        Services { open: true, ..self }
    }

    /// Whether clients may make tables, topics and queues at run time.
    pub fn is_open_to_clients(&self) -> bool {
        self.open
    }

    /// Whether an activity is declared.
    pub fn has_activity(&self, name: &str) -> bool {
        self.activities.contains(name)
    }

    /// The names of the declared activities.
    pub fn activity_names(&self) -> impl Iterator<Item = &str> {
        self.activities.iter().map(String::as_str)
    }

    /// Whether a task may call this action in this integration.
    pub fn supports(dialect: Dialect, service: &str, action: &str) -> bool {
        operations::find(dialect, service, action).is_some()
    }

    /// Says what is wrong with a name that a definition writes down for one of the services: a table, topic or queue that
    /// was not declared.
    ///
    /// # Errors
    /// With the names that are declared.
    pub fn check_reference(&self, service: &str, reference: &str) -> Result<(), AccessError> {
        let (what, known, declared): (_, _, Vec<&str>) = match ServiceKind::named(service) {
            _ if self.open => return Ok(()),
            Some(ServiceKind::Table) => ("table", self.tables.is_declared(reference), self.tables.names().collect()),
            Some(ServiceKind::Topic) => ("topic", self.topics.contains(reference), self.topics.names().collect()),
            Some(ServiceKind::Queue) => ("queue", self.queues.is_declared(reference), self.queues.names().collect()),
            Some(ServiceKind::Bus) => ("bus", self.buses.is_declared(reference), self.buses.names().collect()),
            None => return Ok(()),
        };
        if known { Ok(()) } else { Err(unknown(what, reference, declared.into_iter())) }
    }

    /// Answers a task's call: its result or its error, as Step Functions shows them.
    ///
    /// After a service error nothing was written. After a store error the transaction is lost.
    pub async fn call(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
    ) -> Result<Result<Value, ServiceError>, StoreError> {
        let kind = ServiceKind::named(call.service).unwrap_or(ServiceKind::Table);
        let fault = match self.answer(tx, call).await {
            // An entry that failed fails the task; what became of the others stays.
            Ok(body) if has_failed_entries(kind, call.dialect, &body) => {
                let cause = result(kind, call.dialect, body, call.request_id, call.now_ms).to_string();
                return Ok(Err(ServiceError { error: "EventBridge.FailedEntry".to_owned(), cause }));
            }
            Ok(body) => return Ok(Ok(result(kind, call.dialect, body, call.request_id, call.now_ms))),
            Err(Stop::Store(error)) => return Err(error),
            Err(Stop::Fault(fault)) => fault,
        };
        Ok(Err(fault.tell(kind, call.dialect, call.request_id, call.parameters)))
    }

    /// Answers a client that speaks the service's own protocol ([`Dialect::Wire`]): the members of its answer, with the names of
    /// the protocol. Long polling is the caller's: an answer to `ReceiveMessage` without messages comes at once.
    ///
    /// After a refusal nothing was written. After a store error the transaction is lost.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn call_wire(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
    ) -> Result<Result<Map, WireError>, StoreError> {
        let Some(kind) = ServiceKind::named(call.service) else { return Ok(Err(unknown_operation(call))) };
        match self.answer(tx, &ServiceCall { dialect: Dialect::Wire, ..*call }).await {
            Ok(body) => Ok(Ok(body)),
            Err(Stop::Store(error)) => Err(error),
            Err(Stop::Fault(Fault::Unknown)) => Ok(Err(unknown_operation(call))),
            Err(Stop::Fault(fault)) => Ok(Err(fault.wire(kind))),
        }
    }

    async fn answer(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>) -> Result<Map, Stop> {
        match operations::find(call.dialect, call.service, call.action) {
            Some(Operation { run, .. }) => run(self, tx, call).await,
            None if call.dialect == Dialect::Wire => Err(Fault::Unknown.into()),
            None => {
                let (service, action) = (call.service, call.action);
                Err(unreadable(format!("The embedded services do not offer {service}:{action}")).into())
            }
        }
    }
}

/// Whether EventBridge did not take an entry of a task of the optimized integration.
fn has_failed_entries(kind: ServiceKind, dialect: Dialect, body: &Map) -> bool {
    let failed = || body.get("FailedEntryCount").and_then(Value::as_i64).is_some_and(|count| count > 0);
    kind == ServiceKind::Bus && dialect == Dialect::Optimized && failed()
}

/// What is not there is answered by name, never by silence.
fn unknown_operation(call: &ServiceCall<'_>) -> WireError {
    WireError {
        code: "UnknownOperationException".to_owned(),
        query_code: None,
        status: 400,
        message: format!("{}:{} is not an operation of the embedded services", call.service, call.action),
        members: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_references() {
        let table = [
            ("Fares", "Fares"),
            ("arn:aws:dynamodb:us-east-1:123456789012:table/Fares", "Fares"),
            ("arn:aws:sns:us-east-1:123456789012:Done.fifo", "Done.fifo"),
            ("arn:aws:sqs:us-east-1:123456789012:Done", "Done"),
            ("arn:aws:lambda:us-east-1:123456789012:function:Charge:1", "Charge"),
            ("https://sqs.us-east-1.amazonaws.com/123456789012/Done", "Done"),
            ("http://localhost:4566/000000000000/Done", "Done"),
            ("arn:", "arn:"),
            ("", ""),
        ];
        for (reference, name) in table {
            assert_eq!(name_of(reference), name, "{reference}");
        }
    }

    #[test]
    fn which_actions_there_are() {
        assert!(Services::supports(Dialect::Optimized, "dynamodb", "putItem"));
        assert!(!Services::supports(Dialect::Optimized, "dynamodb", "query"));
        assert!(Services::supports(Dialect::AwsSdk, "dynamodb", "query"));
        assert!(Services::supports(Dialect::Optimized, "sns", "publish"));
        assert!(Services::supports(Dialect::AwsSdk, "sqs", "receiveMessage"));
        assert!(!Services::supports(Dialect::Optimized, "s3", "getObject"));
    }
}
