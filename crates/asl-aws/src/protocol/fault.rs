//! What a service refuses, apart from how the refusal is named.

use super::{Element, Response, read_cbor, read_xml};
use crate::model::{Protocol, Service};
use asl_value::Value;

/// A refusal by a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The code on the wire, `NoSuchKey`; the HTTP status where the response has none.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// The message; may be empty.
    pub message: String,
    /// The number of the request.
    pub request_id: Option<String>,
    /// S3's second number of the request.
    pub extended_request_id: Option<String>,
}

/// What the HTTP statuses mean that services send without a body.
const REASONS: [(u16, &str); 10] = [
    (301, "Moved Permanently"),
    (304, "Not Modified"),
    (400, "Bad Request"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (412, "Precondition Failed"),
    (500, "Internal Server Error"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
];
/// Of a message of a body that is of no protocol.
const MAX_TEXT: usize = 1000;

impl Fault {
    /// The refusal that a response with an error status holds. A body that is of no protocol is the message.
    pub fn read(service: &Service, response: &Response) -> Fault {
        let mut fault = match service.protocol() {
            Protocol::Json | Protocol::RestJson => from_json(response),
            Protocol::Cbor => from_cbor(response),
            Protocol::RestXml | Protocol::Query | Protocol::Ec2 => from_xml(response),
        };
        if fault.message.is_empty() && fault.code.is_empty() {
            fault.message = plain(response);
        }
        if fault.code.is_empty() {
            fault.code = response.status.to_string();
        }
        // A service that spoke another protocol before says what the code was in that.
        if let Some((code, _)) = response.header("x-amzn-query-error").and_then(|h| h.split_once(';'))
            && service.error(&fault.code).is_none()
            && !code.is_empty()
        {
            fault.code = code.to_owned();
        }
        fault.status = response.status;
        let ids = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];
        let from_header = ids.iter().find_map(|name| response.header(name)).map(str::to_owned);
        fault.request_id = fault.request_id.or(from_header);
        fault.extended_request_id = response.header("x-amz-id-2").map(str::to_owned);
        fault
    }
}

fn plain(response: &Response) -> String {
    let text = response.text().unwrap_or("").trim();
    if !text.is_empty() && !text.starts_with('<') {
        return text.chars().take(MAX_TEXT).collect();
    }
    REASONS
        .iter()
        .find(|(status, _)| *status == response.status)
        .map_or(String::new(), |(_, reason)| (*reason).to_owned())
}

/// `com.amazon#NotFoundException:http://…` is `NotFoundException`.
fn bare(code: &str) -> String {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.rsplit_once('#').map_or(code, |(_, code)| code).trim().to_owned()
}

fn from_json(response: &Response) -> Fault {
    let body = response.text().ok().and_then(|t| asl_value::parse(t).ok()).unwrap_or_default();
    let text = |keys: &[&str]| keys.iter().find_map(|k| body[*k].as_str().map(str::to_owned));
    let number = || body["code"].as_i64().map(|n| n.to_string());
    let code = response.header("x-amzn-errortype").map(str::to_owned);
    let code = code.or_else(|| text(&["__type", "code", "Code"])).or_else(number).unwrap_or_default();
    let message = text(&["message", "Message", "errorMessage"]);
    let message = message.or_else(|| match &body["message"] {
        Value::Null => None,
        other => Some(other.to_string()),
    });
    Fault { code: bare(&code), message: message.unwrap_or_default(), ..Fault::default() }
}

fn from_cbor(response: &Response) -> Fault {
    let Ok(item) = read_cbor(&response.body) else { return Fault::default() };
    let message = item.text_of("message").or_else(|| item.text_of("Message")).unwrap_or("");
    Fault { code: bare(item.text_of("__type").unwrap_or("")), message: message.to_owned(), ..Fault::default() }
}

fn from_xml(response: &Response) -> Fault {
    let Some(root) = response.text().ok().and_then(|text| read_xml(text).ok()) else { return Fault::default() };
    // <Error>, <ErrorResponse><Error>, <Response><Errors><Error>
    let error = match root.name.as_str() {
        "Error" => Some(&root),
        _ => root.child("Error").or_else(|| root.child("Errors")?.child("Error")),
    };
    let Some(error) = error else { return Fault::default() };
    let text = |of: &Element, name: &str| of.text_of(name).unwrap_or("").to_owned();
    let request_id = ["RequestId", "RequestID"].iter().find_map(|n| root.text_of(n)).map(str::to_owned);
    Fault {
        code: text(error, "Code"),
        message: error.text_of("Message").or_else(|| error.text_of("message")).unwrap_or("").to_owned(),
        request_id,
        ..Fault::default()
    }
}
