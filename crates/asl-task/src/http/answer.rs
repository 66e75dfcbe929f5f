//! What the state machine sees of a response.

use super::connection::Authorized;
use super::transport::Incoming;
use asl_core::Failure;
use asl_value::{Map, Value};
use reqwest::StatusCode;

/// Contents that are no text.
const BINARY: [&str; 4] = ["application/octet-stream", "image/", "video/", "audio/"];

/// The body as text.
pub(super) fn text(answered: &Incoming) -> String {
    String::from_utf8_lossy(&answered.body).into_owned()
}

/// The result of a response, or `States.Http.StatusCode.NNN`.
pub(super) fn read(answered: Incoming, authorized: &Authorized) -> Result<Value, Failure> {
    let status = answered.status;
    let kind = answered.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if !(200..300).contains(&status) {
        return Err(Failure::new(format!("States.Http.StatusCode.{status}"), authorized.hide(&text(&answered))));
    }
    if let Some(binary) = BINARY.iter().find(|binary| kind.starts_with(**binary)) {
        let cause = format!("The response has the content type {kind}, and {binary} is not supported: it is not text");
        return Err(Failure::new("States.Runtime", cause));
    }
    let told = shown(status, &answered.headers, &answered.body);
    Ok(hidden(told, authorized))
}

/// A response as a result: `{Headers, ResponseBody, StatusCode, StatusText}`.
pub(crate) fn shown(status: u16, all: &[(String, String)], body: &[u8]) -> Value {
    let kind = all.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")).map(|(_, kind)| kind);
    let kind = kind.map(|kind| kind.to_ascii_lowercase()).unwrap_or_default();
    let body = String::from_utf8_lossy(body).into_owned();
    let parsed = (kind.is_empty() || kind.contains("json")).then(|| body.parse::<Value>().ok()).flatten();
    let body = parsed.unwrap_or_else(|| Value::from(body));
    let mut headers: Vec<(String, Vec<Value>)> = vec![];
    for (name, value) in all {
        let value = Value::from(value.as_str());
        match headers.iter_mut().find(|(n, _)| n == name) {
            Some((_, values)) => values.push(value),
            None => headers.push((name.clone(), vec![value])),
        }
    }
    let headers = Map::from_iter(headers.iter().map(|(name, values)| (name.as_str(), Value::from(values.clone()))));
    let reason = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
    Value::from_iter([
        ("Headers", Value::from(headers)),
        ("ResponseBody", body),
        ("StatusCode", Value::from(i64::from(status))),
        ("StatusText", Value::from(reason)),
    ])
}

/// A value without the secrets in its texts and names.
fn hidden(value: Value, authorized: &Authorized) -> Value {
    match value {
        Value::String(text) => Value::from(authorized.hide(&text)),
        Value::Array(items) => {
            Value::from(items.iter().map(|item| hidden(item.clone(), authorized)).collect::<Vec<_>>())
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, v)| (authorized.hide(name), hidden(v.clone(), authorized)));
            let members: Vec<(String, Value)> = members.collect();
            Value::from(Map::from_iter(members.iter().map(|(name, v)| (name.as_str(), v.clone()))))
        }
        other => other,
    }
}
