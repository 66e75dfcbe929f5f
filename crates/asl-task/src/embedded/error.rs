//! Failures of a service call, and the names and texts that Step Functions gives them.

use super::{Dialect, ServiceKind};
use asl_store::StoreError;

/// A failed call as the execution history shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct ServiceError {
    /// The error name that Retry and Catch match, for example `DynamoDB.ConditionalCheckFailedException`.
    pub error: String,
    /// The text AWS gives: the message, then service, status code and request id in brackets.
    pub cause: String,
}

/// A failure inside a service, before it has a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The service refused: its error code on the wire, the HTTP status, the message.
    Refused { code: &'static str, status: u16, message: String },
    /// Step Functions itself could not make a request of the parameters.
    Unreadable(String),
}

/// Why a call ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    Fault(Fault),
    Store(StoreError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Store(error)
    }
}

/// DynamoDB's ValidationException.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::Refused { code: "ValidationException", status: 400, message: message.into() }
}

/// A refusal with HTTP status 400.
pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::Refused { code, status: 400, message: message.into() }
}

/// A value of the parameters that Step Functions cannot bind to the request.
pub(crate) fn unreadable(what: impl Into<String>) -> Fault {
    Fault::Unreadable(what.into())
}

/// The exceptions each service's model names: the code on the wire, then the exception without the word `Exception`.
/// Any other code becomes the service's base exception.
fn modelled(service: ServiceKind, code: &str) -> Option<&'static str> {
    const DYNAMODB: &[(&str, &str)] = &[
        ("ConditionalCheckFailedException", "ConditionalCheckFailed"),
        ("ResourceNotFoundException", "ResourceNotFound"),
        ("ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded"),
        ("ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded"),
    ];
    const SNS: &[(&str, &str)] = &[
        ("NotFound", "NotFound"),
        ("InvalidParameter", "InvalidParameter"),
        ("ParameterValueInvalid", "InvalidParameterValue"),
    ];
    const SQS: &[(&str, &str)] = &[
        (super::queue::NO_QUEUE, "QueueDoesNotExist"),
        ("InvalidMessageContents", "InvalidMessageContents"),
        ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        ("AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight"),
    ];
    let table = match service {
        ServiceKind::Table => DYNAMODB,
        ServiceKind::Topic => SNS,
        ServiceKind::Queue => SQS,
    };
    table.iter().find(|(wire, _)| *wire == code).map(|(_, name)| *name)
}

impl Fault {
    /// The error and cause that the execution sees.
    ///
    /// Optimized calls speak as the Java SDK 1 does, `aws-sdk` calls as the Java SDK 2. `parameters` is the JSON text of
    /// the call's parameters.
    pub(crate) fn tell(
        self,
        service: ServiceKind,
        dialect: Dialect,
        request_id: &str,
        parameters: &dyn std::fmt::Display,
    ) -> ServiceError {
        let (code, status, message) = match self {
            Fault::Refused { code, status, message } => (code, status, message),
            Fault::Unreadable(what) => {
                let cause = format!("The Parameters '{parameters}' could not be used to start the Task: [{what}]");
                return ServiceError { error: "States.Runtime".to_owned(), cause };
            }
        };
        let name = modelled(service, code);
        match dialect {
            Dialect::Optimized => {
                let (prefix, java) = match service {
                    ServiceKind::Table => ("DynamoDB", "AmazonDynamoDBv2"),
                    ServiceKind::Topic => ("SNS", "AmazonSNS"),
                    ServiceKind::Queue => ("SQS", "AmazonSQS"),
                };
                let base = if service == ServiceKind::Table { "AmazonDynamoDB" } else { java };
                // Optimized SQS tasks fail with the base exception whatever the code; that is the name definitions catch.
                let name = if service == ServiceKind::Queue { base } else { name.unwrap_or(base) };
                let cause = format!(
                    "{message} (Service: {java}; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
                );
                ServiceError { error: format!("{prefix}.{name}Exception"), cause }
            }
            Dialect::AwsSdk => {
                let prefix = match service {
                    ServiceKind::Table => "DynamoDb",
                    ServiceKind::Topic => "Sns",
                    ServiceKind::Queue => "Sqs",
                };
                let cause = format!("{message} (Service: {prefix}, Status Code: {status}, Request ID: {request_id})");
                ServiceError { error: format!("{prefix}.{}Exception", name.unwrap_or(prefix)), cause }
            }
        }
    }
}
