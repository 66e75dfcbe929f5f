//! The request of a task's parameters.

use super::connection::Authorized;
use super::form::{self, ArrayFormat};
use asl_core::Failure;
use asl_value::{Map, Value};
use reqwest::header::HeaderName;
use reqwest::{Method, Url};

/// The members of the parameters that may hold `ConnectionArn`.
pub(super) const HOLDERS: [&str; 2] = ["Authentication", "InvocationConfig"];
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"];
const FIELDS: [&str; 8] = [
    "ApiEndpoint",
    "Method",
    "Authentication",
    "InvocationConfig",
    "Headers",
    "QueryParameters",
    "RequestBody",
    "Transform",
];
/// Headers that a task may not set (AWS developer guide: "Call HTTPS APIs", HTTP Task definition fields).
const BLOCKED: &str = " a-im accept-charset accept-datetime accept-encoding authorization cache-control connection \
    content-encoding content-md5 date expect forwarded from host http2-settings if-match if-modified-since if-none-match if-range \
    if-unmodified-since max-forwards origin pragma proxy-authorization referer server te trailer transfer-encoding upgrade via \
    warning ";
const BLOCKED_STARTS: [&str; 3] = ["x-forwarded", "x-amz-", "x-amzn-"];
/// AWS asks for no more than what it can keep.
const RANGE: &str = "bytes=0-262144";

/// A request, whole. It has secrets, and so no `Debug`.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
}

/// Whether a task may set a header.
pub(crate) fn is_blocked(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    BLOCKED.contains(&format!(" {name} ")) || BLOCKED_STARTS.iter().any(|start| name.starts_with(start))
}

/// A call that never became a request.
fn refused(parameters: &Value, why: impl std::fmt::Display) -> Failure {
    let cause = format!("The Parameters '{parameters}' could not be used to start the Task: [{why}]");
    Failure::new("States.Runtime", cause)
}

/// The connection that the parameters name.
pub(super) fn connection_arn(parameters: &Value) -> Result<&str, Failure> {
    let named = HOLDERS.iter().find_map(|holder| parameters[*holder]["ConnectionArn"].as_str());
    named.ok_or_else(|| refused(parameters, "The field 'ConnectionArn' is required but was missing"))
}

/// The request that a task's parameters and its connection make.
///
/// # Errors
/// `States.Runtime`: what of the parameters cannot be.
pub(super) fn build(parameters: &Value, authorized: &Authorized, region: &str) -> Result<Outgoing, Failure> {
    let bad = |why: String| refused(parameters, why);
    let names = parameters.as_object().into_iter().flat_map(|o| o.iter()).map(|(name, _)| name);
    if let Some(name) = names.into_iter().find(|name| !FIELDS.contains(&&***name)) {
        return Err(bad(format!("The field \"{name}\" is not supported by Step Functions")));
    }
    let text = |field: &str| {
        let found = parameters[field].as_str();
        found.ok_or_else(|| bad(format!("The field '{field}' is required but was missing")))
    };
    let method = text("Method")?;
    if !METHODS.contains(&method) {
        return Err(bad(format!("The value '{method}' of the field 'Method' is none of {}", METHODS.join(", "))));
    }
    let mut url = Url::parse(text("ApiEndpoint")?)
        .map_err(|e| bad(format!("The value of the field 'ApiEndpoint' is not an address: {e}")))?;
    query(&mut url, &parameters["QueryParameters"], authorized).map_err(bad)?;
    let headers = headers(&parameters["Headers"], authorized, region).map_err(bad)?;
    let body = body(parameters, authorized).map_err(bad)?;
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    let mut request = Outgoing { method, url, headers, body };
    let has = |request: &Outgoing, name: &str| request.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    if request.body.is_some() && !has(&request, "content-type") {
        let urlencoded = encoding(parameters) == Some("URL_ENCODED");
        let kind = if urlencoded { "application/x-www-form-urlencoded" } else { "application/json" };
        request.headers.push(("Content-Type".to_owned(), kind.to_owned()));
    }
    Ok(request)
}

fn query(url: &mut Url, parameters: &Value, authorized: &Authorized) -> Result<(), String> {
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    match parameters {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members.iter() {
                match value {
                    Value::Array(items) => pairs.extend(items.iter().map(|v| (name.to_string(), form::text(v)))),
                    value => pairs.push((name.to_string(), form::text(value))),
                }
            }
        }
        _ => return Err("The value for the field 'QueryParameters' must be a JSON object".to_owned()),
    }
    pairs.retain(|(name, _)| !authorized.query.iter().any(|(own, _)| own == name));
    pairs.extend(authorized.query.iter().cloned());
    url.set_query(None);
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(&pairs);
    }
    Ok(())
}

fn headers(parameters: &Value, authorized: &Authorized, region: &str) -> Result<Vec<(String, String)>, String> {
    let mut headers = vec![];
    match parameters {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members.iter() {
                let name: &str = name;
                if is_blocked(name) {
                    return Err(format!("The header '{name}' cannot be set"));
                }
                if HeaderName::from_bytes(name.as_bytes()).is_err() {
                    return Err(format!("'{name}' is not the name of a header"));
                }
                let values =
                    value.as_array().map_or_else(|| vec![form::text(value)], |a| a.iter().map(form::text).collect());
                if values.iter().any(|v| v.contains(['\r', '\n', '\0'])) {
                    return Err(format!("The value of the header '{name}' has characters that no header has"));
                }
                headers.extend(values.into_iter().map(|v| (name.to_owned(), v)));
            }
        }
        _ => return Err("The value for the field 'Headers' must be a JSON object".to_owned()),
    }
    headers.retain(|(name, _)| !authorized.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
    headers.extend(authorized.headers.iter().cloned());
    let own = [("User-Agent", format!("Amazon|StepFunctions|HttpInvoke|{region}")), ("Range", RANGE.to_owned())];
    for (name, value) in own {
        headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        headers.push((name.to_owned(), value));
    }
    Ok(headers)
}

fn encoding(parameters: &Value) -> Option<&str> {
    parameters["Transform"]["RequestBodyEncoding"].as_str()
}

fn body(parameters: &Value, authorized: &Authorized) -> Result<Option<String>, String> {
    let own = match &parameters["RequestBody"] {
        body if authorized.body.is_empty() => body.clone(),
        Value::Null => Value::from(authorized.body.clone()),
        Value::Object(members) => {
            let mut members: Map = (**members).clone();
            for (name, value) in authorized.body.iter() {
                members.insert(&**name, value.clone());
            }
            Value::from(members)
        }
        _ => return Err("The RequestBody is not a JSON object, and the connection adds body parameters".to_owned()),
    };
    if own.is_null() {
        return Ok(None);
    }
    match encoding(parameters) {
        None | Some("NONE") => Ok(Some(own.as_str().map_or_else(|| own.to_string(), str::to_owned))),
        Some("URL_ENCODED") => {
            let format = &parameters["Transform"]["RequestEncodingOptions"]["ArrayFormat"];
            let name = if format.is_null() { "INDICES" } else { format.as_str().unwrap_or_default() };
            let known = "The value of 'ArrayFormat' is none of INDICES, REPEAT, COMMAS, BRACKETS";
            let format = ArrayFormat::named(name).ok_or(known)?;
            match &own {
                Value::String(text) => Ok(Some(text.to_string())),
                Value::Object(_) => Ok(Some(form::encode(&own, format))),
                _ => Err("The value for the field 'RequestBody' must be a JSON object".to_owned()),
            }
        }
        Some(other) => Err(format!("The value '{other}' of 'RequestBodyEncoding' is none of NONE, URL_ENCODED")),
    }
}
