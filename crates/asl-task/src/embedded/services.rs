//! The services of one project, and the way in for tasks.

use super::access::{AccessError, unknown};
use super::answer::result;
use super::check::{SpecError, check};
use super::error::{ServiceError, Stop, unreadable};
use super::queue::{self, Queues};
use super::spec::ServicesSpec;
use super::table::{self, Tables};
use super::topic::{self, Topics};
use asl_store::{ServiceTx, StoreError};
use asl_value::{Map, Value};

/// In which integration a task calls: it decides result shapes and error names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `arn:aws:states:::dynamodb:putItem`: the Java SDK 1 speaks, results carry `SdkHttpMetadata`.
    Optimized,
    /// `arn:aws:states:::aws-sdk:dynamodb:putItem`: the Java SDK 2 speaks.
    AwsSdk,
}

/// The three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceKind {
    Table,
    Topic,
    Queue,
}

impl ServiceKind {
    fn named(service: &str) -> Option<ServiceKind> {
        match service {
            "dynamodb" => Some(ServiceKind::Table),
            "sns" => Some(ServiceKind::Topic),
            "sqs" => Some(ServiceKind::Queue),
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
}

impl Identity {
    /// An identity.
    pub fn new(region: impl Into<String>, account: impl Into<String>) -> Identity {
        Identity { region: region.into(), account: account.into() }
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
        format!("https://sqs.{}.amazonaws.com/{}/{name}", self.region, self.account)
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
    /// `dynamodb`, `sns` or `sqs`.
    pub service: &'a str,
    /// The action, for example `putItem`.
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

/// An action of one of the services.
enum Action {
    Table(table::Action),
    Publish,
    Queue(queue::Action),
}

/// The tables, topics and queues of a project.
#[derive(Clone, Debug)]
pub struct Services {
    pub(super) tables: Tables,
    pub(super) topics: Topics,
    pub(super) queues: Queues,
}

impl Services {
    /// Services of these declarations, or everything that is wrong with them.
    pub fn new(spec: &ServicesSpec, identity: Identity) -> Result<Services, Vec<SpecError>> {
        let errors = check(spec);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Services {
            tables: Tables::new(&spec.tables),
            topics: Topics::new(&spec.topics, &identity),
            queues: Queues::new(&spec.queues, &identity),
        })
    }

    /// Whether a task may call this action in this integration.
    pub fn supports(dialect: Dialect, service: &str, action: &str) -> bool {
        Action::find(dialect, service, action).is_some()
    }

    /// Says what is wrong with a name that a definition writes down for one of the services: a table, topic or queue that
    /// was not declared.
    ///
    /// # Errors
    /// With the names that are declared.
    pub fn check_reference(&self, service: &str, reference: &str) -> Result<(), AccessError> {
        let (what, known, declared): (_, _, Vec<&str>) = match ServiceKind::named(service) {
            Some(ServiceKind::Table) => {
                ("table", self.tables.named(reference).is_some(), self.tables.names().collect())
            }
            Some(ServiceKind::Topic) => ("topic", self.topics.contains(reference), self.topics.names().collect()),
            Some(ServiceKind::Queue) => ("queue", self.queues.named(reference).is_ok(), self.queues.names().collect()),
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
            Ok(body) => return Ok(Ok(result(kind, call.dialect, body, call.request_id, call.now_ms))),
            Err(Stop::Store(error)) => return Err(error),
            Err(Stop::Fault(fault)) => fault,
        };
        Ok(Err(fault.tell(kind, call.dialect, call.request_id, call.parameters)))
    }

    async fn answer(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>) -> Result<Map, Stop> {
        match Action::find(call.dialect, call.service, call.action) {
            Some(Action::Table(action)) => self.tables.call(action, tx, call).await,
            Some(Action::Publish) => self.topics.publish(tx, call, &self.queues).await,
            Some(Action::Queue(action)) => self.queues.call(action, tx, call).await,
            None => {
                let (service, action) = (call.service, call.action);
                Err(unreadable(format!("The embedded services do not offer {service}:{action}")).into())
            }
        }
    }
}

impl Action {
    fn find(dialect: Dialect, service: &str, action: &str) -> Option<Action> {
        match ServiceKind::named(service)? {
            ServiceKind::Table => table::Action::named(action, dialect).map(Action::Table),
            ServiceKind::Topic => topic::has_action(action).then_some(Action::Publish),
            ServiceKind::Queue => queue::Action::named(action, dialect).map(Action::Queue),
        }
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
