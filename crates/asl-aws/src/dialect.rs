//! How a refusal is named: the names and texts of the Java SDK 2, which AWS SDK integrations of Step Functions show.

use crate::model::Service;
use crate::protocol::Fault;

/// The error of a refusal: `S3.NoSuchKeyException`; `Ec2.Ec2Exception` for a code that the service's model does not name.
pub fn error_name(service: &Service, fault: &Fault) -> String {
    let name = match service.error(&fault.code) {
        Some(error) => error.exception.to_string(),
        None => format!("{}Exception", service.prefix),
    };
    format!("{}.{name}", service.prefix)
}

/// The cause of a refusal: its message, then service, status and the numbers of the request.
pub fn cause(service: &Service, fault: &Fault) -> String {
    let mut details = format!("Service: {}, Status Code: {}", service.prefix, fault.status);
    details += &format!(", Request ID: {}", fault.request_id.as_deref().unwrap_or("null"));
    if let Some(extended) = &fault.extended_request_id {
        details += &format!(", Extended Request ID: {extended}");
    }
    let message = if fault.message.is_empty() { "null" } else { &fault.message };
    format!("{message} ({details})")
}
