//! ListObjectsV2 and ListObjects: pages of keys in order, those below a delimiter as one common prefix.

use super::{Refused, refused, unable};
use crate::bucket::Buckets;
use crate::embedded::iso_date;
use asl_core::items::Bucket;
use asl_value::{Map, Value};

/// The most entries of a page.
const PAGE: i64 = 1000;

pub(super) fn run(buckets: &Buckets, bucket: &str, parameters: &Value, second: bool) -> Result<Map, Refused> {
    let text = |name: &str| parameters[name].as_str().filter(|text| !text.is_empty());
    let (prefix, delimiter) = (text("Prefix").unwrap_or_default(), text("Delimiter"));
    let asked = match &parameters["MaxKeys"] {
        Value::Null => PAGE,
        number => number
            .as_i64()
            .filter(|n| *n >= 0)
            .ok_or_else(|| refused("S3", 400, "Argument maxKeys must be an integer between 0 and 2147483647"))?,
    };
    let most = usize::try_from(asked.min(PAGE)).unwrap_or(0);
    // A token is the last key or common prefix of the page before.
    let after = if second { text("ContinuationToken").or(text("StartAfter")) } else { text("Marker") };
    let passed = |entry: &str| after.is_some_and(|after| entry <= after);
    let (mut contents, mut prefixes, mut last) = (Vec::new(), Vec::<String>::new(), None::<String>);
    let mut more = false;
    for key in buckets.keys(bucket, prefix).map_err(unable)? {
        let cut = delimiter.and_then(|d| key[prefix.len()..].find(d).map(|at| prefix.len() + at + d.len()));
        let entry = cut.map_or(&*key, |cut| &key[..cut]);
        if passed(entry) || (cut.is_some() && prefixes.last().is_some_and(|last| last == entry)) {
            continue;
        }
        if contents.len() + prefixes.len() >= most {
            more = most > 0;
            break;
        }
        last = Some(entry.to_owned());
        if cut.is_some() {
            prefixes.push(entry.to_owned());
            continue;
        }
        // A file that went away meanwhile is not listed.
        let Ok(Some(mut object)) = buckets.object(bucket, &key) else { continue };
        let etag = object.etag().map_err(|e| unable(e.to_string()))?;
        contents.push(Value::from_iter([
            ("ETag", Value::from(format!("\"{etag}\""))),
            ("Key", Value::from(&key)),
            ("LastModified", Value::from(iso_date(object.modified_ms))),
            ("Size", Value::from(object.size)),
            ("StorageClass", Value::from("STANDARD")),
        ]));
    }
    let mut answer = Map::from_iter([
        ("IsTruncated", Value::from(more)),
        ("MaxKeys", Value::from(asked)),
        ("Name", Value::from(bucket)),
        ("Prefix", Value::from(prefix)),
    ]);
    if second {
        answer.insert("KeyCount", Value::from(contents.len() + prefixes.len()));
    }
    if !contents.is_empty() {
        answer.insert("Contents", contents);
    }
    if !prefixes.is_empty() {
        let shown = prefixes.iter().map(|prefix| Value::from_iter([("Prefix", prefix.as_str())]));
        answer.insert("CommonPrefixes", shown.collect::<Value>());
    }
    for name in ["Delimiter", "StartAfter", "ContinuationToken", "Marker"] {
        if let Some(given) = text(name) {
            answer.insert(name, given);
        }
    }
    if let Some(last) = last.filter(|_| more) {
        answer.insert(if second { "NextContinuationToken" } else { "NextMarker" }, last);
    }
    Ok(answer)
}
