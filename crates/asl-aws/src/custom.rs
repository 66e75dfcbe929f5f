//! What a few services want beyond their models.

use crate::blob::to_base64;
use crate::model::{Operation, Service};
use crate::protocol::{Request, Response, read_xml};
use asl_value::{Map, Value};
use sha2::Digest;

/// The algorithm where the caller names none.
const CHECKSUM: &str = "CRC32";

/// Parameters as a service wants them.
pub(crate) fn parameters(service: &Service, parameters: Value) -> Value {
    match &*service.resource {
        "route53" => route53(parameters),
        "glacier" if parameters.get("AccountId").is_none() => with(parameters, "AccountId", "-"),
        _ => parameters,
    }
}

/// How long the service may take for an operation that answers when the work is done, in milliseconds.
pub(crate) fn longest_ms(service: &Service, operation: &Operation) -> Option<u64> {
    match (&*service.resource, &*operation.name) {
        // Fifteen minutes, and the start.
        ("lambda", "Invoke") => Some(930_000),
        ("sfn", "StartSyncExecution" | "TestState") => Some(330_000),
        ("bedrockruntime", "InvokeModel" | "Converse") | ("sagemakerruntime", "InvokeEndpoint") => Some(600_000),
        _ => None,
    }
}

fn with(parameters: Value, key: &str, value: &str) -> Value {
    let mut made: Map = parameters.as_object().cloned().unwrap_or_default();
    made.insert(key, value);
    Value::from(made)
}

/// Route 53 gives its ids with a path before them, and takes them without.
fn route53(parameters: Value) -> Value {
    let ids = ["Id", "HostedZoneId", "ResourceId", "DelegationSetId"];
    let mut made = parameters.clone();
    for id in ids {
        if let Some((_, bare)) = parameters[id].as_str().and_then(|text| text.rsplit_once('/')) {
            made = with(made, id, bare);
        }
    }
    made
}

/// A request as a service wants it: checksums, and headers that the model does not have.
///
/// # Errors
/// A checksum that is not computed here, in words.
pub(crate) fn request(
    service: &Service,
    operation: &Operation,
    parameters: &Value,
    request: &mut Request,
) -> Result<(), String> {
    match &*service.resource {
        "glacier" => request.default_header("x-amz-glacier-version", &service.api_version),
        "apigateway" => request.default_header("Accept", "application/json"),
        _ => {}
    }
    let named = service.input(operation).and_then(|i| i.by_name(&operation.checksum_member));
    let wanted = named.and_then(|m| parameters[&*m.key].as_str());
    if wanted.is_none() && !operation.traits.checksum_required {
        return Ok(());
    }
    let given =
        |n: &str| n.to_ascii_lowercase().starts_with("x-amz-checksum-") || n.eq_ignore_ascii_case("content-md5");
    if request.headers.iter().any(|(name, _)| given(name)) {
        return Ok(());
    }
    let algorithm = wanted.unwrap_or(CHECKSUM);
    let sum = match algorithm {
        "CRC32" => crc32fast::hash(&request.body).to_be_bytes().to_vec(),
        "SHA1" => sha1::Sha1::digest(&request.body).to_vec(),
        "SHA256" => sha2::Sha256::digest(&request.body).to_vec(),
        other => return Err(format!("the checksum {other} is not computed here: give CRC32, SHA1 or SHA256")),
    };
    request.headers.push((format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase()), to_base64(&sum)));
    if let Some(member) = named {
        request.default_header(&member.wire, algorithm);
    }
    Ok(())
}

/// Whether a response that says 200 holds a refusal: S3 begins to answer a long copy before it is done.
pub(crate) fn refused_later(service: &Service, operation: &Operation, response: &Response) -> bool {
    let late = matches!(&*operation.name, "CopyObject" | "UploadPartCopy" | "CompleteMultipartUpload");
    let error = || response.text().ok().and_then(|t| read_xml(t).ok()).is_some_and(|root| root.name == "Error");
    late && &*service.resource == "s3" && error()
}

/// A result as it should be: S3 gives a bucket's region as its root element.
pub(crate) fn result(service: &Service, operation: &Operation, response: &Response, result: Value) -> Value {
    if (&*service.resource, &*operation.name) != ("s3", "GetBucketLocation") {
        return result;
    }
    match response.text().ok().and_then(|t| read_xml(t).ok()) {
        Some(root) if !root.text.trim().is_empty() => Value::from_iter([("LocationConstraint", root.text.trim())]),
        _ => result,
    }
}
