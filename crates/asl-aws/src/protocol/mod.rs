//! AWS's protocols: requests out of checked parameters, results and faults out of responses.

mod cbor;
mod fault;
mod json;
mod query;
mod rest;
mod xml;

pub use cbor::{Item, read as read_cbor};
pub use fault::Fault;
pub use xml::{Element, read as read_xml};

use crate::blob;
use crate::model::{Location, Member, Operation, Protocol, Service, Structure, Type};
use crate::uri;
use asl_value::{Map, Value};

/// A request before it has a host and a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// What stands before the service's host, or empty.
    pub host_prefix: String,
    /// The path, percent encoded, with its first `/`.
    pub path: String,
    /// The query, not encoded; a name without a value has no `=`.
    pub query: Vec<(String, Option<String>)>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A whole response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers, in the order they came in.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A response that is not of its protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl Broken {
    pub(crate) fn new(what: impl Into<String>) -> Broken {
        Broken(what.into())
    }
}

impl Response {
    /// A header by its name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> Result<&str, Broken> {
        std::str::from_utf8(&self.body).map_err(|_| Broken::new("the body is not UTF-8"))
    }
}

impl Request {
    /// A header by its name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Adds a header where there is none of that name.
    pub(crate) fn default_header(&mut self, name: &str, value: &str) {
        if self.header(name).is_none() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The query as it is sent, without its `?`.
    pub fn query_text(&self) -> String {
        let field = |(name, value): &(String, Option<String>)| match value {
            Some(value) => format!("{}={}", uri::encode(name, b""), uri::encode(value, b"")),
            None => uri::encode(name, b""),
        };
        self.query.iter().map(field).collect::<Vec<_>>().join("&")
    }
}

/// Makes a request of parameters that [`crate::check`] has passed.
pub fn request(service: &Service, operation: &Operation, parameters: &Value) -> Request {
    let mut request = Request {
        method: operation.method,
        host_prefix: String::new(),
        path: "/".to_owned(),
        query: vec![],
        headers: vec![],
        body: vec![],
    };
    let input = service.input(operation);
    request.host_prefix = host_prefix(operation, input, parameters);
    let protocol = service.protocol();
    match protocol {
        Protocol::Json => {
            request.headers = vec![
                ("X-Amz-Target".to_owned(), format!("{}.{}", service.target_prefix, operation.name)),
                ("Content-Type".to_owned(), format!("application/x-amz-json-{}", service.json_version)),
            ];
            let body = if input.is_some() {
                json::encode(service, operation.input, parameters)
            } else {
                Value::empty_object()
            };
            request.body = body.to_string().into_bytes();
        }
        Protocol::Query | Protocol::Ec2 => {
            let form = "application/x-www-form-urlencoded; charset=utf-8";
            request.headers = vec![("Content-Type".to_owned(), form.to_owned())];
            request.body = query::encode(service, operation, parameters);
        }
        Protocol::Cbor => {
            request.path = format!("/service/{}/operation/{}", service.target_prefix, operation.name);
            request.headers = vec![
                ("smithy-protocol".to_owned(), "rpc-v2-cbor".to_owned()),
                ("Accept".to_owned(), "application/cbor".to_owned()),
            ];
            if input.is_some() {
                cbor::encode(service, operation.input, parameters, &mut request.body);
                request.headers.push(("Content-Type".to_owned(), "application/cbor".to_owned()));
            }
        }
        Protocol::RestJson | Protocol::RestXml => match input {
            Some(structure) => {
                let body = rest::bind(service, operation, structure, parameters, &mut request);
                rest_body(service, operation, structure, &body, &mut request);
            }
            None => {
                rest::bind(service, operation, &Structure::EMPTY, parameters, &mut request);
            }
        },
    }
    if service.query_compatible && matches!(protocol, Protocol::Json | Protocol::Cbor) {
        request.headers.push(("x-amzn-query-mode".to_owned(), "true".to_owned()));
    }
    request
}

fn host_prefix(operation: &Operation, input: Option<&Structure>, parameters: &Value) -> String {
    let mut prefix = operation.host_prefix.to_string();
    for member in input.into_iter().flat_map(|i| &i.members) {
        let label = format!("{{{}}}", member.name);
        if prefix.contains(&label) {
            prefix = prefix.replace(&label, parameters[&*member.key].as_str().unwrap_or(""));
        }
    }
    prefix
}

fn rest_body(
    service: &Service,
    operation: &Operation,
    structure: &Structure,
    members: &[(&Member, &Value)],
    request: &mut Request,
) {
    let json = service.protocol() == Protocol::RestJson;
    let content = if json { Some("application/json") } else { None };
    let Some(payload) = structure.payload.as_deref().and_then(|name| structure.by_name(name)) else {
        let wants_body = structure.members.iter().any(|m| m.location == Location::Body);
        if json && wants_body {
            request.body = json::members_of(service, members.iter().copied()).to_string().into_bytes();
            request.default_header("Content-Type", "application/json");
        } else if !members.is_empty() {
            let space = Some(&*operation.input_namespace).filter(|n| !n.is_empty());
            request.body = xml::encode(service, &operation.input_name, space, members.iter().copied());
        }
        return;
    };
    let value = members.iter().find(|(m, _)| m.name == payload.name).map(|(_, value)| *value);
    match (payload.ty, value) {
        (Type::String | Type::JsonText, value) => {
            request.body = value.and_then(Value::as_str).unwrap_or("").as_bytes().to_vec()
        }
        (Type::Blob | Type::Streaming, value) => request.body = value.map_or(vec![], blob::of_value),
        (ty, Some(value)) if json => {
            request.body = json::encode(service, ty, value).to_string().into_bytes();
            request.default_header("Content-Type", "application/json");
        }
        (ty, Some(value)) => {
            let Some(inner) = service.structure(ty) else { return };
            let members = value.as_object().into_iter().flatten().filter_map(|(k, v)| Some((inner.by_key(k)?, v)));
            let space = payload.namespace.as_ref().map(|(_, uri)| &**uri);
            let name = if payload.renamed { &payload.wire } else { inner.wrapper.as_ref().unwrap_or(&payload.wire) };
            request.body = xml::encode(service, name, space, members);
        }
        (_, None) => {
            if let (Some(content), true) = (content, service.structure(payload.ty).is_some()) {
                request.body = b"{}".to_vec();
                request.default_header("Content-Type", content);
            }
        }
    }
}

/// The result of a response whose status says that all went well.
///
/// # Errors
/// A body that is not of the protocol, or not of the model's shape.
pub fn result(service: &Service, operation: &Operation, response: &Response) -> Result<Value, Broken> {
    let Some(output) = service.output(operation) else { return Ok(Value::empty_object()) };
    match service.protocol() {
        Protocol::Json => json_body(service, operation.output, response),
        Protocol::Cbor if response.body.is_empty() => Ok(Value::empty_object()),
        Protocol::Cbor => cbor::decode(service, operation.output, &read_cbor(&response.body)?),
        Protocol::Query | Protocol::Ec2 => {
            let root = read_xml(response.text()?)?;
            let start = match &*operation.result_wrapper {
                "" => Some(&root),
                wrapper => root.child(wrapper),
            };
            start.map_or(Ok(Value::empty_object()), |s| xml::decode(service, operation.output, s))
        }
        Protocol::RestJson | Protocol::RestXml => rest_result(service, output, operation, response),
    }
}

fn json_body(service: &Service, ty: Type, response: &Response) -> Result<Value, Broken> {
    if response.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::empty_object());
    }
    let wire = asl_value::parse(response.text()?).map_err(|e| Broken::new(format!("the body is not JSON: {e}")))?;
    json::decode(service, ty, &wire)
}

fn rest_result(
    service: &Service,
    output: &Structure,
    operation: &Operation,
    response: &Response,
) -> Result<Value, Broken> {
    let mut made = Map::new();
    rest::unbind(service, output, response, &mut made)?;
    let json = service.protocol() == Protocol::RestJson;
    let payload = output.payload.as_deref().and_then(|name| output.by_name(name));
    match payload {
        Some(payload) => {
            let value = match payload.ty {
                Type::String | Type::JsonText => Value::from(response.text()?),
                Type::Blob | Type::Streaming => blob::to_value(&response.body),
                Type::EventStream => return Err(Broken::new("the result is a stream of events")),
                _ if response.body.is_empty() => return Ok(Value::from(made)),
                ty if json => json_body(service, ty, response)?,
                ty => xml::decode(service, ty, &read_xml(response.text()?)?)?,
            };
            made.insert(payload.key.clone(), value);
        }
        None if response.body.iter().all(u8::is_ascii_whitespace) => {}
        None if json => {
            let Value::Object(body) = json_body(service, operation.output, response)? else {
                return Ok(Value::from(made));
            };
            for (key, value) in body.iter() {
                if output.by_key(key).is_some_and(|m| m.location == Location::Body) {
                    made.insert(key.clone(), value.clone());
                }
            }
        }
        None if output.members.iter().any(|m| m.location == Location::Body) => {
            let root = read_xml(response.text()?)?;
            for (key, value) in &xml::decode_map(service, output, &root)? {
                made.insert(key.clone(), value.clone());
            }
        }
        None => {}
    }
    Ok(Value::from(made))
}

impl Structure {
    const EMPTY: Structure = Structure { payload: None, wrapper: None, union: false, members: vec![] };
}
