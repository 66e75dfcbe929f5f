//! Services that speak AWS JSON: SQS, DynamoDB, EventBridge.

use crate::http::{Answered, Received};
use crate::operation::Api;
use crate::route;
use crate::wire::ApiError;
use asl::{CallError, Map, Value};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use std::time::{Duration, Instant};

/// The longest that a client may wait for messages.
const LONGEST: Duration = Duration::from_secs(20);
/// How long nobody looks at a queue though nothing was committed: a message may become visible by itself.
const LOOK: Duration = Duration::from_millis(500);

/// The service of a target's prefix.
pub(super) fn service(prefix: &str) -> Option<&'static str> {
    match prefix {
        "AmazonSQS" => Some("sqs"),
        "DynamoDB_20120810" => Some("dynamodb"),
        "AWSEvents" => Some("events"),
        _ => None,
    }
}

/// Answers a request of such a service.
pub(super) async fn answer(api: &Api, request: &Received, service: &str, operation: &str, id: &str) -> Answered {
    let parameters = match route::read(&request.body) {
        Ok(parameters) => parameters,
        Err(error) => return route::json(request, Err(error)),
    };
    let called = match (service, operation) {
        ("sqs", "ReceiveMessage") => receive(api, parameters, id).await,
        _ => api.engine.call_service(service, operation, parameters.into(), id).await,
    };
    match called {
        Ok(answer) => route::json(request, Ok(answer)),
        Err(CallError::Failed(error)) => route::json(request, Err(error.into())),
        Err(CallError::Refused(error)) => {
            let mut body = Map::from_iter([("__type", error.code.as_str()), ("message", &error.message)]);
            error.members.iter().for_each(|(name, value)| drop(body.insert(name.clone(), value.clone())));
            let mut response = route::json(request, Ok(body));
            *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
            let code = error.query_code.map(|code| format!("{code};Sender"));
            if let Some(code) = code.and_then(|code| HeaderValue::try_from(code).ok()) {
                response.headers_mut().insert("x-amzn-query-error", code);
            }
            response
        }
    }
}

/// Receives messages, and waits for them as long as the request or its queue says.
async fn receive(api: &Api, parameters: Map, id: &str) -> Result<Map, CallError> {
    let receive = || api.engine.call_service("sqs", "ReceiveMessage", parameters.clone().into(), id);
    let is_empty = |answer: &Map| answer.get("Messages").and_then(Value::as_array).is_none_or(<[Value]>::is_empty);
    let first = receive().await?;
    if !is_empty(&first) {
        return Ok(first);
    }
    let wait = match parameters.get("WaitTimeSeconds").and_then(Value::as_f64) {
        Some(seconds) => seconds,
        None => queue_wait(api, &parameters, id).await,
    };
    let until = Instant::now() + Duration::from_secs_f64(wait.clamp(0.0, LONGEST.as_secs_f64()));
    let mut changes = api.store().changes().await.map_err(|error| CallError::Failed(error.into()))?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(first);
        }
        // Whether something was committed, or it is time to look again: it is looked.
        let _ = tokio::time::timeout(left.min(LOOK), changes.changed()).await;
        let answer = receive().await?;
        if !is_empty(&answer) {
            return Ok(answer);
        }
    }
}

/// The queue's own `ReceiveMessageWaitTimeSeconds`.
async fn queue_wait(api: &Api, parameters: &Map, id: &str) -> f64 {
    let name = "ReceiveMessageWaitTimeSeconds";
    let mut asked = Map::from_iter([("AttributeNames", Value::from(vec![Value::from(name)]))]);
    asked.insert("QueueUrl", parameters.get("QueueUrl").cloned());
    let told = api.engine.call_service("sqs", "GetQueueAttributes", asked.into(), id).await;
    let told = told.ok().and_then(|told| told.get("Attributes")?.get(name)?.as_str()?.parse().ok());
    told.unwrap_or(0.0)
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> ApiError {
        match error {
            CallError::Failed(error) => error.into(),
            CallError::Refused(error) => ApiError::new(error.code, error.message),
        }
    }
}
