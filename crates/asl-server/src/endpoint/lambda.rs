//! Lambda over REST: functions of the project are invoked by clients, as tasks invoke them.

use crate::http::{Answered, Received};
use crate::operation::Api;
use crate::operation::test_state::run_task;
use asl::{Map, Value};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

/// What the paths of functions begin with.
pub(super) const FUNCTIONS: &str = "/2015-03-31/functions/";

/// Answers a request below [`FUNCTIONS`].
pub(super) async fn answer(api: &Api, request: &Received, path: &str) -> Answered {
    let Some(name) = path.strip_suffix("/invocations").filter(|_| request.parts.method == Method::POST) else {
        return super::unknown(request, &format!("lambda {} {path}", request.parts.method));
    };
    let name = name.replace("%3A", ":");
    let name = name.rsplit(":function:").next().unwrap_or_default().split(':').next().unwrap_or_default();
    let text = if request.body.is_empty() { "{}" } else { std::str::from_utf8(&request.body).unwrap_or("") };
    let Ok(event) = text.parse::<Value>() else {
        return refused(400, "InvalidRequestContentException", "Could not parse request body into json");
    };
    let arn = api.identity.arn("lambda", &format!("function:{name}"));
    let kind = request.parts.headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok());
    match kind.unwrap_or("RequestResponse") {
        "DryRun" => reply(204, String::new()),
        "Event" => {
            let engine = api.engine.clone();
            tokio::spawn(async move { run_task(&engine, &arn, &event).await });
            reply(202, String::new())
        }
        _ => match run_task(&api.engine, &arn, &event).await {
            Ok(output) => reply(200, output.to_string()),
            Err(failure) if failure.error.as_deref() == Some("States.Runtime") => {
                refused(404, "ResourceNotFoundException", failure.cause.as_deref().unwrap_or_default())
            }
            Err(failure) => {
                let cause = failure.cause.unwrap_or_default();
                // What a handler raised is an object already.
                let is_object = cause.parse::<Value>().is_ok_and(|value| value.as_object().is_some());
                let told = Map::from_iter([
                    ("errorMessage", &*cause),
                    ("errorType", failure.error.as_deref().unwrap_or_default()),
                ]);
                let body = if is_object { cause.to_string() } else { Value::from(told).to_string() };
                let mut response = reply(200, body);
                response.headers_mut().insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
                response
            }
        },
    }
}

fn reply(status: u16, body: String) -> Answered {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refused(status: u16, code: &'static str, message: &str) -> Answered {
    let body = Map::from_iter([("Type", "User"), ("Message", message), ("message", message)]);
    let mut response = reply(status, Value::from(body).to_string());
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}
