//! S3 in its own protocol, path style, over the folders of the project: the operations that Distributed Map and its tests need.
//! Their rules are the engine's ([`asl::parts::s3`]); here are names, headers and XML.

use super::query::decode;
use super::xml::{self, element_flat};
use crate::http::{Answered, Received};
use crate::operation::Api;
use asl::parts::s3::{Refused, call};
use asl::{Map, Timestamp, Value};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LAST_MODIFIED};
use hyper::{Method, Response, StatusCode};
use std::time::{Duration, UNIX_EPOCH};

const SPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Headers of requests and answers, and the members that they are.
const HEADERS: [(&str, &str); 13] = [
    ("content-type", "ContentType"),
    ("cache-control", "CacheControl"),
    ("content-disposition", "ContentDisposition"),
    ("content-encoding", "ContentEncoding"),
    ("content-language", "ContentLanguage"),
    ("range", "Range"),
    ("if-none-match", "IfNoneMatch"),
    ("x-amz-copy-source", "CopySource"),
    ("x-amz-metadata-directive", "MetadataDirective"),
    ("etag", "ETag"),
    ("accept-ranges", "AcceptRanges"),
    ("content-range", "ContentRange"),
    ("content-length", "ContentLength"),
];
const META: &str = "x-amz-meta-";

/// Fields of a query that a list may have, and the members that they are. Anything else in a query names what is not here.
const FIELDS: [(&str, &str); 9] = [
    ("prefix", "Prefix"),
    ("delimiter", "Delimiter"),
    ("max-keys", "MaxKeys"),
    ("continuation-token", "ContinuationToken"),
    ("start-after", "StartAfter"),
    ("marker", "Marker"),
    ("list-type", ""),
    ("encoding-type", ""),
    ("fetch-owner", ""),
];

/// What a request is about.
struct Asked {
    bucket: String,
    key: String,
    query: Vec<(String, String)>,
}

impl Asked {
    fn read(request: &Received) -> Asked {
        let path = request.parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        // A plus is no blank in a path.
        let text = |part: &str| decode(&part.replace('+', "%2B"));
        let fields = request.parts.uri.query().unwrap_or_default().split('&').filter(|field| !field.is_empty());
        let fields = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
        let query = fields.map(|(name, value)| (decode(name), decode(value))).filter(|(name, _)| !is_aside(name));
        Asked { bucket: text(bucket), key: text(key), query: query.collect() }
    }

    /// The operation; `None` where it is not here.
    fn operation(&self, request: &Received) -> Option<&'static str> {
        let names: Vec<&str> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        let is_list = names.iter().all(|name| FIELDS.iter().any(|(known, _)| known == name));
        let copies = request.parts.headers.contains_key("x-amz-copy-source");
        match (&request.parts.method, !self.bucket.is_empty(), !self.key.is_empty(), names.as_slice()) {
            (&Method::GET, false, _, []) => Some("listBuckets"),
            (&Method::GET, true, false, ["location"]) => Some("getBucketLocation"),
            (&Method::GET, true, false, _) if is_list && names.contains(&"list-type") => Some("listObjectsV2"),
            (&Method::GET, true, false, _) if is_list => Some("listObjects"),
            (&Method::HEAD, true, false, []) => Some("headBucket"),
            (&Method::PUT, true, false, []) => Some("createBucket"),
            (&Method::POST, true, false, ["delete"]) => Some("deleteObjects"),
            (&Method::GET, true, true, []) => Some("getObject"),
            (&Method::HEAD, true, true, []) => Some("headObject"),
            (&Method::PUT, true, true, []) if copies => Some("copyObject"),
            (&Method::PUT, true, true, []) => Some("putObject"),
            (&Method::DELETE, true, true, []) => Some("deleteObject"),
            _ => None,
        }
    }

    fn members(self, request: &Received) -> Map {
        let mut members = Map::new();
        for (name, member) in HEADERS {
            let given = request.parts.headers.get(name).and_then(|value| value.to_str().ok());
            // How a body came is not how it is stored.
            let given = given.map(|value| value.trim_start_matches("aws-chunked").trim_start_matches([',', ' ']));
            members.insert(member, given.filter(|value| !value.is_empty()));
        }
        let headers = request.parts.headers.iter();
        let meta = headers.filter_map(|(name, value)| Some((name.as_str().strip_prefix(META)?, value.to_str().ok()?)));
        members.insert("Metadata", meta.collect::<Map>());
        for (name, value) in &self.query {
            match FIELDS.iter().find(|(known, member)| known == name && !member.is_empty()) {
                Some((_, "MaxKeys")) => drop(members.insert("MaxKeys", value.parse::<i64>().unwrap_or(-1))),
                Some((_, member)) => drop(members.insert(*member, value.as_str())),
                None => {}
            }
        }
        members.insert("Bucket", self.bucket);
        members.insert("Key", self.key);
        members
    }
}

/// Fields that every request may have: the SDKs' name for the operation, and a signature.
fn is_aside(name: &str) -> bool {
    name == "x-id" || name.to_ascii_lowercase().starts_with("x-amz-")
}

/// Answers a request that is signed for S3; its body is out of its chunks.
pub(super) async fn answer(api: &Api, request: &Received, body: Bytes) -> Answered {
    let asked = Asked::read(request);
    let Some(action) = asked.operation(request) else {
        let what = asked.query.first().map(|(name, _)| name.as_str()).unwrap_or_default();
        let message = format!("s3 {} {} {what}", request.parts.method, request.parts.uri.path());
        return super::unknown_to_s3(&format!("{} is not answered here", message.trim()));
    };
    if let Some(answer) = of_bucket(api, action, &asked.bucket) {
        return answer.unwrap_or_else(|refused| refuse(&refused, request));
    }
    let mut parameters = asked.members(request);
    if action == "deleteObjects" {
        parameters.insert("Delete", deletions(&body));
    }
    let (buckets, parameters) = (api.engine.buckets().clone(), Value::from(parameters));
    let called = tokio::task::spawn_blocking(move || call(&buckets, action, &parameters, &body)).await;
    match called {
        Ok(Ok((members, content))) => shaped(action, &members, content),
        Ok(Err(refused)) => refuse(&refused, request),
        Err(error) => refuse(&Refused { name: "S3", status: 500, message: error.to_string() }, request),
    }
}

/// What concerns a bucket that the project declares or does not: to make it, and where it is.
fn of_bucket(api: &Api, action: &str, bucket: &str) -> Option<Result<Answered, Refused>> {
    let known = api.engine.buckets().contains(bucket);
    match (action, known) {
        ("createBucket", true) => Some(Ok(reply(200, Bytes::new()))),
        ("createBucket", false) => {
            let message = format!("Buckets are folders that the project declares: [buckets.{bucket}] with its Path");
            Some(Err(Refused { name: "AccessDenied", status: 403, message }))
        }
        ("getBucketLocation", true) => Some(Ok(document("LocationConstraint", |out| {
            // The oldest region has no name there.
            xml::escape(
                Some(api.identity.region.as_str()).filter(|name| *name != "us-east-1").unwrap_or_default(),
                out,
            );
        }))),
        ("getBucketLocation", false) => {
            let message = "The specified bucket does not exist".to_owned();
            Some(Err(Refused { name: "NoSuchBucket", status: 404, message }))
        }
        _ => None,
    }
}

/// `<Delete><Quiet/><Object><Key/></Object>...</Delete>`
fn deletions(body: &[u8]) -> Map {
    let text = String::from_utf8_lossy(body);
    let inside = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(xml::unescape(rest.split_once(&format!("</{name}>"))?.0))
    };
    let objects = text.split("<Object>").skip(1).filter_map(|object| inside(object, "Key"));
    let objects: Vec<Value> = objects.map(|key| Value::from_iter([("Key", key)])).collect();
    let mut delete = Map::from_iter([("Objects", Value::from(objects))]);
    delete.insert("Quiet", inside(&text, "Quiet").as_deref() == Some("true"));
    delete
}

fn shaped(action: &str, members: &Map, content: Vec<u8>) -> Answered {
    let all = |members: &Map, out: &mut String| {
        // The model's word for a list is not always that of its elements.
        let element = |name: &str| if name == "Errors" { "Error".to_owned() } else { name.to_owned() };
        members.iter().for_each(|(name, value)| element_flat(&element(name), value, out));
    };
    match action {
        "listObjectsV2" | "listObjects" => document("ListBucketResult", |out| all(members, out)),
        "deleteObjects" => document("DeleteResult", |out| all(members, out)),
        "copyObject" => {
            let copied = members.get("CopyObjectResult").and_then(Value::as_object).cloned().unwrap_or_default();
            document("CopyObjectResult", |out| all(&copied, out))
        }
        "listBuckets" => document("ListAllMyBucketsResult", |out| {
            out.push_str("<Buckets>");
            element_flat("Bucket", members.get("Buckets").unwrap_or(&Value::Null), out);
            out.push_str("</Buckets>");
        }),
        _ => object(action, members, content),
    }
}

fn document(name: &str, fill: impl FnOnce(&mut String)) -> Answered {
    let mut out = format!("{PROLOG}<{name} xmlns=\"{SPACE}\">");
    fill(&mut out);
    xml::answer(200, "application/xml", format!("{out}</{name}>"))
}

/// What is told in headers, with the content where there is one.
fn object(action: &str, members: &Map, content: Vec<u8>) -> Answered {
    let status = match action {
        "deleteObject" => 204,
        _ if members.contains_key("ContentRange") => 206,
        _ => 200,
    };
    let mut response = reply(status, content.into());
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    };
    for (name, member) in HEADERS {
        match members.get(member) {
            Some(Value::String(text)) => put(HeaderName::from_static(name), text),
            Some(number) => put(HeaderName::from_static(name), &number.to_string()),
            None => {}
        }
    }
    let modified = members.get("LastModified").and_then(Value::as_str).and_then(|iso| Timestamp::parse(iso).ok());
    if let Some(ms) = modified.and_then(|at| u64::try_from(at.millis()).ok()) {
        put(LAST_MODIFIED, &httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms)));
    }
    for (name, value) in members.get("Metadata").and_then(Value::as_object).into_iter().flatten() {
        if let (Ok(name), Some(value)) = (HeaderName::try_from(format!("{META}{name}")), value.as_str()) {
            put(name, value);
        }
    }
    response
}

fn reply(status: u16, body: Bytes) -> Answered {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response
}

fn refuse(refused: &Refused, request: &Received) -> Answered {
    let code = match (refused.name, refused.status) {
        ("S3", 412) => "PreconditionFailed",
        ("S3", 416) => "InvalidRange",
        ("S3", 400) if refused.message.starts_with("The XML") => "MalformedXML",
        ("S3", 400) => "InvalidArgument",
        ("S3", _) => "InternalError",
        (name, _) => name,
    };
    let mut body = PROLOG.to_owned();
    let error = Map::from_iter([("Code", code), ("Message", &refused.message)]);
    xml::element("Error", &error.into(), &mut body);
    let mut response = xml::answer(refused.status, "application/xml", body);
    if request.parts.method == Method::HEAD {
        *response.body_mut() = Full::new(Bytes::new());
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_deleted_are_read_from_their_document() {
        let body = b"<Delete xmlns=\"x\"><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>";
        let read = Value::from(deletions(body)).to_string();
        assert_eq!(read, r#"{"Objects":[{"Key":"a&b"},{"Key":"c"}],"Quiet":true}"#);
    }
}
