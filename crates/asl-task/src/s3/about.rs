//! What a bucket keeps of a file beside its content: the headers and the metadata of the object.
//!
//! It is a JSON text beside the file, with an entry for each file that it is true of: by inode, size and time of change. The text is
//! written before the file appears, with the entry of the file that is there still, so that each of the two has its own whenever
//! the process ends. A file that somebody changes by hand has none.

use asl_value::{Map, Value};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What a file is known by.
fn identity(file: &Metadata) -> String {
    format!("{} {} {}.{:09}", file.ino(), file.len(), file.mtime(), file.mtime_nsec())
}

/// The text for a file that is about to appear; none where there is nothing to keep, and was nothing before.
pub(crate) fn describe(file: &Metadata, headers: &Map, metadata: &Map, before: Option<&str>) -> Option<Vec<u8>> {
    if headers.is_empty() && metadata.is_empty() && before.is_none() {
        return None;
    }
    let mut entries = Map::new();
    // Of the entries of before one is true of the file that is there, and any may be.
    let old = before.and_then(|text| text.parse::<Value>().ok());
    let old: Vec<_> = old.as_ref().and_then(Value::as_object).into_iter().flatten().collect();
    for (name, entry) in &old[old.len().saturating_sub(2)..] {
        entries.insert((*name).clone(), (*entry).clone());
    }
    let members = [("Headers", Value::from(headers.clone())), ("Metadata", Value::from(metadata.clone()))];
    entries.insert(identity(file), Value::from_iter(members));
    Some(Value::from(entries).to_string().into_bytes())
}

/// The headers and the metadata that a text has of a file.
pub(crate) fn of(file: &Metadata, text: &str) -> Option<(Map, Map)> {
    let entries: Value = text.parse().ok()?;
    let entry = entries.get(&identity(file))?;
    let part = |name: &str| entry.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    Some((part("Headers"), part("Metadata")))
}
