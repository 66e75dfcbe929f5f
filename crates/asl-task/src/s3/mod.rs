//! `aws-sdk:s3` over the folders that stand for buckets: the operations that workflows need. What a task stores is on the disk when
//! its answer is recorded, and stored again after a crash in between: with the same content.

pub(crate) mod about;
mod list;

use crate::backend::Missing;
use crate::bucket::{Buckets, Object};
use crate::embedded::iso_date;
use crate::integration::{Call, Integration, Mode};
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// The operations.
const OPERATIONS: [&str; 10] = [
    "getObject",
    "putObject",
    "headObject",
    "copyObject",
    "deleteObject",
    "deleteObjects",
    "listObjectsV2",
    "listObjects",
    "listBuckets",
    "headBucket",
];

/// The headers that are stored with an object.
const HEADERS: [&str; 5] = ["ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"];

/// The most bytes of an object that a task can have: a longer one is too large for a state's data, and is told to be.
const MOST_BYTES: u64 = asl_core::PAYLOAD_LIMIT as u64 + 1;

/// The most bytes of an object that are sent to a client in one answer.
const MOST_SENT: u64 = 64 << 20;

/// Whether there is an operation of that name.
pub(crate) fn has(action: &str) -> bool {
    OPERATIONS.contains(&action)
}

/// An operation on the declared buckets.
#[derive(Debug)]
pub(crate) struct S3 {
    pub(crate) buckets: Buckets,
    pub(crate) action: Arc<str>,
}

/// S3 refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The exception's name as the SDK for Java has it, `S3` where it has none of its own.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
}

fn refused(name: &'static str, status: u16, message: impl Into<String>) -> Refused {
    Refused { name, status, message: message.into() }
}

/// What the system said, or a key that no file can have.
fn unable(message: String) -> Refused {
    refused("S3", 500, message)
}

#[async_trait]
impl Integration for S3 {
    fn title(&self) -> String {
        "the folders of the buckets".to_owned()
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        let bucket = parameters.and_then(|p| p.literal("Bucket")).and_then(Value::as_str);
        match bucket.filter(|name| !self.buckets.contains(name)) {
            Some(name) => Err(Missing::declaration("bucket", "buckets", name, self.buckets.names())),
            None => Ok(()),
        }
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let (buckets, action, parameters) = (self.buckets.clone(), self.action.clone(), call.parameters.clone());
        let key = call.key.to_owned();
        let called = tokio::task::spawn_blocking(move || {
            run(&buckets, &action, &parameters).map(Value::from).map_err(|refused| {
                let Refused { name, status, message } = refused;
                let cause = format!("{message} (Service: S3, Status Code: {status}, Request ID: {key})");
                Failure::new(format!("S3.{name}Exception"), cause)
            })
        });
        called.await.unwrap_or_else(|e| Err(Failure::new("S3.SdkClientException", e.to_string())))
    }
}

/// An operation for a client that speaks S3's protocol: bodies are bytes, and stand beside the members. Blocks on the file system.
///
/// # Errors
/// What S3 refuses, and an object that is too long for one answer.
pub fn call(buckets: &Buckets, action: &str, parameters: &Value, body: &[u8]) -> Result<(Map, Vec<u8>), Refused> {
    let store = Store { buckets, parameters };
    match action {
        "getObject" => {
            let (answer, length, content) = store.content(MOST_SENT)?;
            let long =
                || format!("{length} bytes are more than are sent at once: ask for them in ranges of {MOST_SENT}");
            if length > MOST_SENT { Err(refused("S3", 400, long())) } else { Ok((answer, content)) }
        }
        "putObject" => Ok((store.put(body)?, Vec::new())),
        _ => Ok((run(buckets, action, parameters)?, Vec::new())),
    }
}

fn run(buckets: &Buckets, action: &str, parameters: &Value) -> Result<Map, Refused> {
    let store = Store { buckets, parameters };
    match action {
        "listBuckets" => return Ok(store.list_buckets()),
        _ => store.bucket()?,
    };
    match action {
        "getObject" => store.get(),
        "headObject" => store.described(&mut store.object(store.text("Key")?)?),
        "putObject" => store.put(store.body().as_bytes()),
        "copyObject" => store.copy(),
        "deleteObject" => {
            buckets.delete(store.bucket()?, store.text("Key")?).map_err(unable)?;
            Ok(Map::new())
        }
        "deleteObjects" => store.delete_some(),
        "listObjectsV2" | "listObjects" => list::run(buckets, store.bucket()?, parameters, action == "listObjectsV2"),
        _ => Ok(Map::new()),
    }
}

/// One call.
struct Store<'a> {
    buckets: &'a Buckets,
    parameters: &'a Value,
}

impl<'a> Store<'a> {
    fn text(&self, name: &str) -> Result<&'a str, Refused> {
        let text = self.parameters[name].as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| refused("S3", 400, format!("{name} cannot be empty")))
    }

    fn bucket(&self) -> Result<&'a str, Refused> {
        let name = self.text("Bucket")?;
        match self.buckets.contains(name) {
            true => Ok(name),
            false => Err(refused("NoSuchBucket", 404, "The specified bucket does not exist")),
        }
    }

    fn list_buckets(&self) -> Map {
        let all = self.buckets.names().map(|name| Value::from_iter([("Name", name)])).collect::<Value>();
        Map::from_iter([("Buckets", all)])
    }

    fn object(&self, key: &str) -> Result<Object, Refused> {
        let found = self.buckets.object(self.bucket()?, key).map_err(unable)?;
        found.ok_or_else(|| refused("NoSuchKey", 404, "The specified key does not exist."))
    }

    /// What HeadObject tells, and GetObject beside the content.
    fn described(&self, object: &mut Object) -> Result<Map, Refused> {
        let etag = object.etag().map_err(|e| unable(e.to_string()))?;
        let mut answer = Map::from_iter([
            ("AcceptRanges", Value::from("bytes")),
            ("ContentLength", Value::from(object.size)),
            ("ETag", Value::from(format!("\"{etag}\""))),
            ("LastModified", Value::from(iso_date(object.modified_ms))),
            ("Metadata", Value::from(object.metadata.clone())),
        ]);
        answer.insert("ContentType", "binary/octet-stream");
        for (name, value) in &object.headers {
            answer.insert(name.clone(), value.clone());
        }
        Ok(answer)
    }

    fn get(&self) -> Result<Map, Refused> {
        let (mut answer, _, body) = self.content(MOST_BYTES)?;
        answer.insert("Body", String::from_utf8_lossy(&body).into_owned());
        Ok(answer)
    }

    /// What is told of an object, how many bytes of it were asked for, and these, but no more than so many.
    fn content(&self, most: u64) -> Result<(Map, u64, Vec<u8>), Refused> {
        self.bucket()?;
        let mut object = self.object(self.text("Key")?)?;
        let mut answer = self.described(&mut object)?;
        let range = match self.parameters["Range"].as_str() {
            Some(text) => Some(
                range(text, object.size).ok_or_else(|| refused("S3", 416, "The requested range is not satisfiable"))?,
            ),
            None => None,
        };
        let (from, length) = range.unwrap_or((0, object.size));
        let failed = |e: std::io::Error| unable(e.to_string());
        object.file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut body = Vec::new();
        object.file.take(length.min(most)).read_to_end(&mut body).map_err(failed)?;
        if range.is_some() {
            answer.insert("ContentLength", Value::from(length));
            let last = from + length.saturating_sub(1);
            answer.insert("ContentRange", format!("bytes {from}-{last}/{}", object.size));
        }
        Ok((answer, length, body))
    }

    fn given_headers(&self) -> Map {
        let given = HEADERS.iter().filter_map(|name| Some((*name, self.parameters[*name].as_str()?)));
        given.collect()
    }

    fn given_metadata(&self) -> Map {
        let given = self.parameters["Metadata"].as_object().into_iter().flatten();
        // Names of headers have no case.
        given.filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?))).collect()
    }

    /// The content that a task stores.
    fn body(&self) -> String {
        match &self.parameters["Body"] {
            Value::Null => String::new(),
            Value::String(text) => text.to_string(),
            other => other.to_string(),
        }
    }

    fn put(&self, body: &[u8]) -> Result<Map, Refused> {
        let (bucket, key) = (self.bucket()?, self.text("Key")?);
        let there = || self.buckets.object(bucket, key).map_err(unable);
        if self.parameters["IfNoneMatch"].as_str() == Some("*") && there()?.is_some() {
            let text = "At least one of the pre-conditions you specified did not hold";
            return Err(refused("S3", 412, text));
        }
        let (headers, metadata) = (self.given_headers(), self.given_metadata());
        self.buckets.put_object(bucket, key, &mut &*body, &headers, &metadata).map_err(unable)?;
        Ok(Map::from_iter([("ETag", format!("\"{}\"", crate::embedded::md5_hex(body)))]))
    }

    fn copy(&self) -> Result<Map, Refused> {
        let source = decoded(self.text("CopySource")?);
        let source = source.trim_start_matches('/').split('?').next().unwrap_or_default();
        let (from, key) = source.split_once('/').ok_or_else(|| {
            refused("S3", 400, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        })?;
        if !self.buckets.contains(from) {
            return Err(refused("NoSuchBucket", 404, "The specified bucket does not exist"));
        }
        let found = self.buckets.object(from, key).map_err(unable)?;
        let mut object = found.ok_or_else(|| refused("NoSuchKey", 404, "The specified key does not exist."))?;
        let replaces = self.parameters["MetadataDirective"].as_str() == Some("REPLACE");
        let (headers, metadata) = match replaces {
            true => (self.given_headers(), self.given_metadata()),
            false => (object.headers.clone(), object.metadata.clone()),
        };
        let etag = object.etag().map_err(|e| unable(e.to_string()))?;
        let (bucket, key) = (self.bucket()?, self.text("Key")?);
        self.buckets.put_object(bucket, key, &mut object.file, &headers, &metadata).map_err(unable)?;
        let copy = self.object(key)?;
        let result = [("ETag", format!("\"{etag}\"")), ("LastModified", iso_date(copy.modified_ms))];
        Ok(Map::from_iter([("CopyObjectResult", Value::from_iter(result))]))
    }

    fn delete_some(&self) -> Result<Map, Refused> {
        let objects = self.parameters["Delete"]["Objects"].as_array().unwrap_or_default();
        if !(1..=1000).contains(&objects.len()) {
            let text = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(refused("S3", 400, text));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            let key = object["Key"].as_str().unwrap_or_default();
            match self.buckets.delete(self.bucket()?, key) {
                Ok(()) => deleted.push(Value::from_iter([("Key", key)])),
                Err(message) => errors.push(Value::from_iter([
                    ("Code", "InternalError"),
                    ("Key", key),
                    ("Message", message.as_str()),
                ])),
            }
        }
        let mut answer = Map::new();
        if !deleted.is_empty() && self.parameters["Delete"]["Quiet"].as_bool() != Some(true) {
            answer.insert("Deleted", deleted);
        }
        if !errors.is_empty() {
            answer.insert("Errors", errors);
        }
        Ok(answer)
    }
}

/// The first byte and the length of a `Range`: `bytes=0-9`, `bytes=5-`, `bytes=-5`.
fn range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    if from.is_empty() {
        let length = to.parse::<u64>().ok().filter(|length| *length > 0)?.min(size);
        return (size > 0).then_some((size - length, length));
    }
    let from: u64 = from.parse().ok().filter(|from| *from < size)?;
    let to: u64 = if to.is_empty() { size - 1 } else { to.parse().ok()? };
    (to >= from).then(|| (from, to.min(size - 1) - from + 1))
}

/// A text of a URL: `%20` is a blank.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = code.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%');
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
