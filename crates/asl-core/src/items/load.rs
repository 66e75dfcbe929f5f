//! Which files an `ItemReader` reads, and how their items come together: one file, all files of a listing, or the files
//! that a manifest names (spec: ItemReader).

use super::{Listed, failed, listing, parse};
use crate::event::Failure;
use crate::map_run::ReadItems;
use asl_value::{Map, Value};
use std::io::{BufRead, Read};

/// A bucket, or whatever stands in for one: a folder, a test's fixtures.
pub trait Bucket {
    /// An object, to be read piece by piece; `None` when there is none.
    ///
    /// # Errors
    /// Why it cannot be read, for the cause of `States.ItemReaderFailed`.
    fn open(&self, bucket: &str, key: &str) -> Result<Option<Box<dyn BufRead + '_>>, String>;

    /// The first `most` objects whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// Why they cannot be listed.
    fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Listed>, String>;

    /// The keys of all objects that begin with `prefix`, in order.
    ///
    /// # Errors
    /// Why they cannot be listed.
    fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, String> {
        Ok(self.list(bucket, prefix, usize::MAX)?.into_iter().map(|object| object.key).collect())
    }
}

/// The largest manifest, in bytes.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// Reads the items a map run asks for: what to answer with `Input::MapItems`.
///
/// # Errors
/// `States.ItemReaderFailed`, what to answer with `Input::MapFailed`.
pub fn load(read: &ReadItems, from: &dyn Bucket) -> Result<Value, Failure> {
    let part = |name: &str| read.parameters[name].as_str().unwrap_or_default();
    let (bucket, config) = (part("Bucket"), &read.config);
    if &*read.resource.resource() == "listObjectsV2" {
        let prefix = part("Prefix");
        if config["Transformation"].as_str() == Some("LOAD_AND_FLATTEN") {
            // Keys of «folders» hold nothing.
            let keys = from.keys(bucket, prefix).map_err(failed)?.into_iter().filter(|key| !key.ends_with('/'));
            return together(config, keys.map(|key| (bucket.to_owned(), key)), from, read.max_items);
        }
        let most = read.max_items.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        return Ok(listing(from.list(bucket, prefix, most).map_err(failed)?));
    }
    let mut body = body(from, bucket, part("Key"))?;
    match config["ManifestType"].as_str().or(config["InputType"].as_str()) {
        Some("ATHENA_DATA") => {
            let uris = String::from_utf8_lossy(&all_of(body)?).lines().filter_map(of_uri).collect::<Vec<_>>();
            together(config, uris.into_iter(), from, read.max_items)
        }
        Some("S3_INVENTORY" | "MANIFEST") => inventory(&all_of(body)?, from, read.max_items),
        _ => super::read(config, &mut body, read.max_items),
    }
}

fn body<'b>(from: &'b dyn Bucket, bucket: &str, key: &str) -> Result<Box<dyn BufRead + 'b>, Failure> {
    if [".gz", ".zst", ".zstd", ".parquet"].iter().any(|end| key.ends_with(end)) {
        return Err(failed(format!("s3://{bucket}/{key}: compressed files and Parquet cannot be read yet")));
    }
    let unread = |why: String| failed(format!("s3://{bucket}/{key}: {why}"));
    let Some(mut body) = from.open(bucket, key).map_err(unread)? else {
        return Err(failed(format!("There is no object s3://{bucket}/{key}")));
    };
    if body.fill_buf().map_err(|e| unread(e.to_string()))?.is_empty() {
        return Err(failed(format!("The object s3://{bucket}/{key} is empty")));
    }
    Ok(body)
}

/// A manifest, which names what is to be read.
fn all_of(body: Box<dyn BufRead + '_>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = body.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| failed(format!("The manifest cannot be read: {e}")))?;
    match bytes.len() as u64 > MAX_MANIFEST_BYTES {
        true => Err(failed(format!("The manifest is larger than {} MB", MAX_MANIFEST_BYTES >> 20))),
        false => Ok(bytes),
    }
}

/// `s3://bucket/key`
fn of_uri(uri: &str) -> Option<(String, String)> {
    let (bucket, key) = uri.trim().strip_prefix("s3://")?.split_once('/')?;
    Some((bucket.to_owned(), key.to_owned()))
}

/// The items of several files, one after another.
fn together(
    config: &Value,
    files: impl Iterator<Item = (String, String)>,
    from: &dyn Bucket,
    max_items: Option<u64>,
) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for (bucket, key) in files {
        let left = max_items.map(|max| max.saturating_sub(all.len() as u64));
        if left == Some(0) {
            break;
        }
        match super::read(config, &mut *body(from, &bucket, &key)?, left)? {
            Value::Array(items) => all.extend(items.iter().cloned()),
            object => all.push(object),
        }
    }
    Ok(Value::from(all))
}

/// An S3 inventory: its manifest names the columns and the files.
fn inventory(manifest: &[u8], from: &dyn Bucket, max_items: Option<u64>) -> Result<Value, Failure> {
    let manifest = parse(&Value::empty_object(), manifest, None)?;
    let bucket = manifest["destinationBucket"].as_str().unwrap_or_default();
    let bucket = bucket.rsplit(':').next().unwrap_or(bucket).to_owned();
    let (Some(columns), Some(files)) = (manifest["fileSchema"].as_str(), manifest["files"].as_array()) else {
        return Err(failed("The manifest of an S3 inventory needs fileSchema and files"));
    };
    let headers: Value = columns.split(',').map(|column| Value::from(column.trim())).collect();
    let mut config = Map::new();
    config.insert("InputType", "CSV");
    config.insert("CSVHeaderLocation", "GIVEN");
    config.insert("CSVHeaders", headers);
    let keys = files.iter().filter_map(|file| file["key"].as_str());
    together(&Value::from(config), keys.map(|key| (bucket.clone(), key.to_owned())), from, max_items)
}
