//! A function that is an HTTP URL.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use reqwest::{Client, Response, Url, redirect};
use tokio::sync::Semaphore;

use crate::{
    Invocation,
    error::{self, InvokeError, MAX_RESPONSE_BYTES, SpecError},
    pool::check_json,
    spec::FunctionSpec,
};

/// Where the Lambda runtime interface emulator listens (and the Lambda API, with a real name for
/// the last `function`). The emulator gives function errors the status 200 and no header.
const EMULATOR_PATH: &str = "/2015-03-31/functions/function/invocations";
const MAX_IDLE: Duration = Duration::from_secs(5);

pub(crate) struct UrlFunction {
    url: Url,
    client: Client,
    timeout: Duration,
    slots: Semaphore,
}

impl UrlFunction {
    pub(crate) fn new(spec: &FunctionSpec, url: &str) -> Result<Self, SpecError> {
        let bad = |problem: String| SpecError::Url { function: spec.name.clone(), url: url.to_owned(), problem };
        let parsed = Url::parse(url).map_err(|problem| bad(format!("is not a URL ({problem})")))?;
        let client = match parsed.scheme() {
            // Without roots to trust, so that a machine without any can still use plain http.
            "http" => client().tls_certs_only([]),
            "https" => client(),
            _ => return Err(bad("must begin with http:// or https://".to_owned())),
        };
        let local = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let client = if local { client.no_proxy() } else { client };
        let client = client.build().map_err(|problem| bad(format!("cannot be used: {}", chain(&problem))))?;
        Ok(Self {
            url: parsed,
            client,
            timeout: Duration::from_millis(spec.timeout_ms),
            slots: Semaphore::new(spec.concurrency),
        })
    }

    pub(crate) fn shut_down(&self) {
        self.slots.close();
    }

    pub(crate) async fn invoke(&self, invocation: &Invocation) -> Result<Bytes, InvokeError> {
        let _slot = self.slots.acquire().await.map_err(|_| InvokeError::ShutDown)?;
        match tokio::time::timeout(self.timeout, self.call(invocation)).await {
            Ok(result) => result,
            Err(_) => Err(error::timed_out(&invocation.request_id, self.timeout)),
        }
    }

    async fn call(&self, invocation: &Invocation) -> Result<Bytes, InvokeError> {
        let id = &invocation.request_id;
        let mut request = self
            .client
            .post(self.url.clone())
            .header("Content-Type", "application/json")
            .header("X-Amzn-RequestId", id)
            .header("Idempotency-Key", id)
            .body(invocation.payload.clone());
        if let Some(context) = &invocation.client_context {
            request = request.header("X-Amz-Client-Context", STANDARD.encode(context));
        }
        let broken = |problem| error::unreachable(&chain(&problem));
        let mut response = request.send().await.map_err(broken)?;
        let body = read(&mut response).await.map_err(broken)?;
        let Some(body) = body else { return Err(error::response_too_large()) };
        self.result(id, &response, body)
    }

    fn result(&self, id: &str, response: &Response, body: Bytes) -> Result<Bytes, InvokeError> {
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if header("x-amz-function-error").is_some() {
            return Err(error::from_payload(&body));
        }
        if !status.is_success() {
            return Err(refusal(id, status.as_u16(), header("x-amzn-errortype"), &body));
        }
        if self.url.path() == EMULATOR_PATH && header("x-amz-executed-version").is_none() {
            if body.starts_with(b"Task timed out after ") {
                return Err(error::timed_out(id, self.timeout));
            }
            if is_error_object(&body) {
                return Err(error::from_payload(&body));
            }
        }
        // 204 and the like: done, with nothing to say.
        if body.is_empty() { Ok(Bytes::from_static(b"null")) } else { check_json(body) }
    }
}

/// A status that is not 2xx: the function's error if the body is one, else the service's, whose
/// name is in a header (the Lambda API) or follows from the status.
fn refusal(id: &str, status: u16, error_type: Option<&str>, body: &Bytes) -> InvokeError {
    let named = error_type.and_then(|name| name.split(':').next()).filter(|name| !name.is_empty());
    if named.is_none() && error::error_type(body).is_some() {
        return error::from_payload(body);
    }
    let name = match (named, status) {
        (Some(name), _) => name,
        (None, 404) => "ResourceNotFoundException",
        (None, 429) => "TooManyRequestsException",
        (None, 500..) => "ServiceException",
        (None, _) => "AWSLambdaException",
    };
    let message = message(body).unwrap_or_else(|| format!("The function answered with status {status}"));
    error::service(name, &message, status, named.unwrap_or("null"), id)
}

fn message(body: &Bytes) -> Option<String> {
    let parsed: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = parsed.get("Message").or_else(|| parsed.get("message"))?;
    text.as_str().map(str::to_owned)
}

/// What the emulator answers for a failed function: an object with an error's members only.
fn is_error_object(body: &Bytes) -> bool {
    let known = ["errorType", "errorMessage", "stackTrace", "trace", "requestId", "cause"];
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body) else { return false };
    ["errorType", "errorMessage"].iter().all(|name| object.get(*name).is_some_and(|value| value.is_string()))
        && object.keys().all(|name| known.contains(&name.as_str()))
}

/// The whole body, or `None` if it is larger than Lambda allows.
async fn read(response: &mut Response) -> reqwest::Result<Option<Bytes>> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

fn client() -> reqwest::ClientBuilder {
    // reqwest takes the process's provider; ours does no harm if the program has chosen another.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(redirect::Policy::none()).pool_idle_timeout(MAX_IDLE)
}

/// An error with what lies behind it: reqwest keeps the reason (refused, no such host) in there.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
