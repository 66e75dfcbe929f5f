//! Failures of a service call, and the names and texts that Step Functions gives them.

use super::{Dialect, ServiceKind};
use asl_store::StoreError;
use asl_value::Map;

/// A failed call as the execution history shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct ServiceError {
    /// The error name that Retry and Catch match, for example `DynamoDB.ConditionalCheckFailedException`.
    pub error: String,
    /// The text AWS gives: the message, then service, status code and request id in brackets.
    pub cause: String,
}

/// A failed call in the service's own protocol. Whoever speaks it makes the bytes: JSON with `__type`, or XML with `Code`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct WireError {
    /// The error as the protocol names it: in JSON protocols the value of `__type` with its namespace
    /// (`com.amazonaws.sqs#QueueDoesNotExist`), in XML the `Code`.
    pub code: String,
    /// The code of the service's older query protocol where it is another; SQS tells it in the header `x-amzn-query-error`.
    pub query_code: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
    /// What else the body has, for example `CancellationReasons`.
    pub members: Map,
}

/// A failure inside a service, before it has a dialect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The service refused: its error code on the wire, the HTTP status, the message, and what else the answer has.
    Refused { code: &'static str, status: u16, message: String, members: Map },
    /// Step Functions itself could not make a request of the parameters.
    Unreadable(String),
    /// There is no such operation.
    Unknown,
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
    refused("ValidationException", message)
}

/// A refusal with HTTP status 400.
pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::Refused { code, status: 400, message: message.into(), members: Map::new() }
}

/// A refusal with HTTP status 404.
pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::Refused { code, status: 404, message: message.into(), members: Map::new() }
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
        ("ResourceInUseException", "ResourceInUse"),
        ("LimitExceededException", "LimitExceeded"),
        ("TransactionCanceledException", "TransactionCanceled"),
        ("IdempotentParameterMismatchException", "IdempotentParameterMismatch"),
        ("ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded"),
        ("ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded"),
    ];
    const SNS: &[(&str, &str)] = &[
        ("NotFound", "NotFound"),
        ("InvalidParameter", "InvalidParameter"),
        ("ParameterValueInvalid", "InvalidParameterValue"),
        ("BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct"),
        ("EmptyBatchRequest", "EmptyBatchRequest"),
        ("TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest"),
        ("InvalidBatchEntryId", "InvalidBatchEntryId"),
    ];
    const SQS: &[(&str, &str)] = &[
        (super::queue::NO_QUEUE, "QueueDoesNotExist"),
        ("InvalidMessageContents", "InvalidMessageContents"),
        ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        ("AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight"),
        ("QueueAlreadyExists", "QueueNameExists"),
        ("InvalidAttributeName", "InvalidAttributeName"),
        ("InvalidAttributeValue", "InvalidAttributeValue"),
        ("AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperation"),
        ("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct"),
        ("AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest"),
        ("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest"),
        ("AWS.SimpleQueueService.InvalidBatchEntryId", "InvalidBatchEntryId"),
        ("AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong"),
    ];
    const EVENTS: &[(&str, &str)] = &[
        ("ResourceNotFoundException", "ResourceNotFound"),
        ("ResourceAlreadyExistsException", "ResourceAlreadyExists"),
        ("InvalidEventPatternException", "InvalidEventPattern"),
        ("LimitExceededException", "LimitExceeded"),
    ];
    let table = match service {
        ServiceKind::Table => DYNAMODB,
        ServiceKind::Topic => SNS,
        ServiceKind::Queue => SQS,
        ServiceKind::Bus => EVENTS,
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
            Fault::Refused { code, status, message, .. } => (code, status, message),
            Fault::Unknown => {
                return Fault::Unreadable("no such operation".to_owned())
                    .tell(service, dialect, request_id, parameters);
            }
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
                    ServiceKind::Bus => ("EventBridge", "AmazonEventBridge"),
                };
                let base = if service == ServiceKind::Table { "AmazonDynamoDB" } else { java };
                // Optimized SQS tasks fail with the base exception whatever the code; that is the name definitions catch.
                let name = if service == ServiceKind::Queue { base } else { name.unwrap_or(base) };
                let cause = format!(
                    "{message} (Service: {java}; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
                );
                ServiceError { error: format!("{prefix}.{name}Exception"), cause }
            }
            Dialect::AwsSdk | Dialect::Wire => {
                let prefix = match service {
                    ServiceKind::Table => "DynamoDb",
                    ServiceKind::Topic => "Sns",
                    ServiceKind::Queue => "Sqs",
                    ServiceKind::Bus => "EventBridge",
                };
                let cause = format!("{message} (Service: {prefix}, Status Code: {status}, Request ID: {request_id})");
                ServiceError { error: format!("{prefix}.{}Exception", name.unwrap_or(prefix)), cause }
            }
        }
    }

    /// The error as the service's own protocol tells it.
    pub(crate) fn wire(self, service: ServiceKind) -> WireError {
        let (code, status, message, members) = match self {
            Fault::Refused { code, status, message, members } => (code, status, message, members),
            Fault::Unreadable(what) => match service {
                ServiceKind::Topic => ("InvalidParameter", 400, what, Map::new()),
                _ => ("SerializationException", 400, what, Map::new()),
            },
            Fault::Unknown => ("UnknownOperationException", 400, "no such operation".to_owned(), Map::new()),
        };
        let query_code = (service == ServiceKind::Queue).then(|| code.to_owned());
        let code = match service {
            _ if code == "SerializationException" => format!("com.amazon.coral.service#{code}"),
            ServiceKind::Table if code == "ValidationException" => format!("com.amazon.coral.validate#{code}"),
            ServiceKind::Table => format!("com.amazonaws.dynamodb.v20120810#{code}"),
            ServiceKind::Queue => match modelled(service, code) {
                Some(shape) => format!("com.amazonaws.sqs#{shape}"),
                None => format!("com.amazon.coral.service#{code}"),
            },
            ServiceKind::Topic | ServiceKind::Bus => code.to_owned(),
        };
        WireError { code, query_code, status, message, members }
    }
}
