//! The protocols of other services on the same port. Which one a request speaks follows from its `X-Amz-Target`, its form
//! (`Action=...`), its path, or the service in its signature's scope.
//!
//! - `json`: SQS, DynamoDB, EventBridge in AWS JSON;
//! - `query`: SNS and STS, forms in and XML out;
//! - `lambda`: functions over REST;
//! - `s3`: objects in the project's folders, for what is signed for S3.
//!
//! What the services do is the engine's business ([`asl::Engine::call_service`]); here are only their protocols.

mod json;
mod lambda;
mod query;
mod s3;
mod xml;

use crate::door::Door;
use crate::http::{Answered, Received};
use crate::operation::Api;
use crate::route;
use crate::wire::ApiError;
use asl::Map;
use hyper::http::request::Parts;

/// The service in the scope of a request's signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn scope(parts: &Parts) -> Option<&str> {
    if let Some(header) = parts.headers.get("authorization") {
        return header.to_str().ok()?.split("Credential=").nth(1)?.split('/').nth(3);
    }
    // Presigned: its slashes may be encoded.
    let credential = parts.uri.query()?.split("X-Amz-Credential=").nth(1)?.split('&').next()?;
    credential.split('/').flat_map(|part| part.split("%2F")).flat_map(|part| part.split("%2f")).nth(3)
}

/// Answers a request that is not of the API. What is not there is told by name.
pub(crate) async fn answer(api: &Api, door: &Door, request: &Received, id: &str) -> Answered {
    if is_for_s3(&request.parts) {
        return match door.body(request) {
            Ok(body) => s3::answer(api, request, body).await,
            Err(error) => route::json(request, Err(error)),
        };
    }
    let target = request.parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some((prefix, operation)) = target.and_then(|target| target.rsplit_once('.')) {
        return match json::service(prefix) {
            Some(service) => json::answer(api, request, service, operation, id).await,
            None => unknown(request, &format!("{prefix}.{operation}")),
        };
    }
    let (method, path) = (&request.parts.method, request.parts.uri.path());
    if let Some(form) = query::Form::of(request) {
        return query::answer(api, request, form, scope(&request.parts).unwrap_or_default(), id).await;
    }
    if let Some(path) = path.strip_prefix(lambda::FUNCTIONS) {
        return lambda::answer(api, request, path).await;
    }
    unknown(request, format!("{} {method} {path}", scope(&request.parts).unwrap_or_default()).trim())
}

/// True for what is signed for S3, whose bodies are longer than others'.
pub(crate) fn is_for_s3(parts: &Parts) -> bool {
    scope(parts) == Some("s3") && !parts.headers.contains_key("x-amz-target")
}

fn unknown(request: &Received, what: &str) -> Answered {
    let message = format!("{what} is not answered here");
    if scope(&request.parts) == Some("s3") {
        return unknown_to_s3(&message);
    }
    route::json(request, Err(ApiError::framework("UnknownOperationException", message)))
}

/// As S3 tells of what it does not have; its clients read no JSON.
fn unknown_to_s3(message: &str) -> Answered {
    let mut body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let error = Map::from_iter([("Code", "NotImplemented"), ("Message", message)]);
    xml::element("Error", &error.into(), &mut body);
    xml::answer(501, "application/xml", body)
}
