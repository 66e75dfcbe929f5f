//! What a request is for: the API, a protocol of an embedded service, or a page.

use crate::console::Console;
use crate::door::Door;
use crate::endpoint;
use crate::http::{Answered, Received};
use crate::operation::Api;
use crate::quota::{Buckets, Quotas};
use crate::wire::ApiError;
use asl::{Map, Timestamp, Value};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc, watch};

/// What the API's `X-Amz-Target` begins with.
const TARGET: &str = "AWSStepFunctions";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Finds what a request is for, and answers it.
pub(crate) struct Router {
    api: Arc<Api>,
    door: Door,
    console: Console,
    /// Places for requests that are at work.
    places: Semaphore,
    /// How many requests of each operation are answered.
    buckets: Buckets,
    /// True when the server ends: whoever waits for work is sent away.
    ended: watch::Receiver<bool>,
}

impl Router {
    pub(crate) fn new(
        api: Arc<Api>,
        door: Door,
        console: Console,
        requests: usize,
        quotas: &Quotas,
        ended: watch::Receiver<bool>,
    ) -> Router {
        Router {
            api,
            door,
            console,
            places: Semaphore::new(requests),
            buckets: Buckets::full(quotas, Instant::now()),
            ended,
        }
    }

    /// The events of an event stream, where one is asked for.
    pub(crate) fn stream(&self, request: &Received) -> Option<mpsc::Receiver<Bytes>> {
        self.console.stream(&self.api, &self.door, request, wall_clock(), self.ended.clone())
    }

    pub(crate) async fn answer(&self, request: Received) -> Answered {
        let id = uuid::Uuid::new_v4().to_string();
        let mut response = self.route(&request, &id).await;
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, HeaderValue::try_from(&*id).expect("a UUID is a header's value"));
        response
    }

    async fn route(&self, request: &Received, id: &str) -> Answered {
        let target = request.parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        // In boxes, so that a request of the API holds no place for what it is not.
        if let Some(answer) = Box::pin(self.console.answer(&self.api, &self.door, request, wall_clock())).await {
            return answer;
        }
        if let Err(error) = self.door.admit(request, wall_clock()) {
            return json(request, Err(error));
        }
        match target.map(|target| target.split_once('.').unwrap_or((target, ""))) {
            Some((TARGET, operation)) => json(request, self.operation(operation, &request.body).await),
            _ => Box::pin(endpoint::answer(&self.api, &self.door, request, id)).await,
        }
    }

    async fn operation(&self, operation: &str, body: &Bytes) -> Result<Map, ApiError> {
        if !self.buckets.take(operation, Instant::now()) {
            return Err(ApiError::throttled());
        }
        let request = read(body)?;
        if operation == "GetActivityTask" {
            let mut ended = self.ended.clone();
            return tokio::select! {
                answer = self.api.call(operation, &request) => answer,
                _ = ended.wait_for(|ended| *ended) => Ok(Map::new()),
            };
        }
        let Ok(_place) = self.places.try_acquire() else { return Err(ApiError::throttled()) };
        self.api.call(operation, &request).await
    }
}

/// The time of day: an engine's own may be moved.
fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The members of a request's body; an empty one has none.
pub(crate) fn read(body: &Bytes) -> Result<Map, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let bad = |message: &str| ApiError::serialization(message.to_owned());
    let text = std::str::from_utf8(body).map_err(|_| bad("The request is not UTF-8"))?;
    let value: Value = text.parse().map_err(|error: asl::ParseError| bad(&error.to_string()))?;
    match value {
        Value::Object(members) => Ok(Map::clone(&members)),
        Value::Array(_) => Err(bad("Start of list found where not expected")),
        _ => Err(bad("Unexpected value type in payload")),
    }
}

/// An answer in AWS JSON, of the version that was asked in.
pub(crate) fn json(request: &Received, answer: Result<Map, ApiError>) -> Answered {
    let asked = request.parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_newer = asked.starts_with("application/x-amz-json-1.1");
    let kind = if is_newer { "application/x-amz-json-1.1" } else { "application/x-amz-json-1.0" };
    let (status, body, code) = match answer {
        Ok(answer) => (200, Value::from(answer), None),
        Err(error) => (error.status(), error.to_value(), Some(error.code)),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(code) = code.and_then(|code| HeaderValue::try_from(code).ok()) {
        headers.insert(ERROR_TYPE, code);
    }
    response
}
