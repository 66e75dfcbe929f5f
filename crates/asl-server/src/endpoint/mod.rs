//! The protocols of other services on the same port. Which one a request speaks follows from its `X-Amz-Target`, its form
//! (`Action=...`), its path, or the service in its signature's scope.
//!
//! - `json`: SQS, DynamoDB, EventBridge in AWS JSON;
//! - `query`: SNS and STS, forms in and XML out;
//! - `lambda`: functions over REST.
//!
//! What the services do is the engine's business ([`asl::Engine::call_service`]); here are only their protocols.

mod json;
mod lambda;
mod query;
mod xml;

use crate::http::{Answered, Received};
use crate::operation::Api;
use crate::route;
use crate::wire::ApiError;
use asl::Map;

/// The service in the scope of a request's signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn scope(request: &Received) -> Option<&str> {
    let header = request.parts.headers.get("authorization")?.to_str().ok()?;
    header.split("Credential=").nth(1)?.split('/').nth(3)
}

/// Answers a request that is not of the API. What is not there is told by name.
pub(crate) async fn answer(api: &Api, request: &Received, id: &str) -> Answered {
    let target = request.parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some((prefix, operation)) = target.and_then(|target| target.rsplit_once('.')) {
        return match json::service(prefix) {
            Some(service) => json::answer(api, request, service, operation, id).await,
            None => unknown(request, &format!("{prefix}.{operation}")),
        };
    }
    let (method, path) = (&request.parts.method, request.parts.uri.path());
    if let Some(form) = query::Form::of(request) {
        return query::answer(api, request, form, scope(request).unwrap_or_default(), id).await;
    }
    if let Some(path) = path.strip_prefix(lambda::FUNCTIONS) {
        return lambda::answer(api, request, path).await;
    }
    unknown(request, format!("{} {method} {path}", scope(request).unwrap_or_default()).trim())
}

fn unknown(request: &Received, what: &str) -> Answered {
    let message = format!("{what} is not answered here");
    if scope(request) == Some("s3") {
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
