//! Which files an `ItemReader` reads, and how their items come together: one file, all files of a listing, or the files
//! that a manifest names (spec: ItemReader).

use super::{Listed, failed, listing, parse};
use crate::event::Failure;
use crate::map_run::ReadItems;
use asl_value::{Map, Value};

/// A bucket, or whatever stands in for one: a folder, a test's fixtures.
pub trait Bucket {
    /// The bytes of an object, `None` when there is none.
    ///
    /// # Errors
    /// Why it cannot be read, for the cause of `States.ItemReaderFailed`.
    fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// The objects whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// Why they cannot be listed.
    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, String>;
}

/// Reads the items a map run asks for: what to answer with `Input::MapItems`.
///
/// # Errors
/// `States.ItemReaderFailed`, what to answer with `Input::MapFailed`.
pub fn load(read: &ReadItems, from: &dyn Bucket) -> Result<Value, Failure> {
    let part = |name: &str| read.parameters[name].as_str().unwrap_or_default();
    let (bucket, config) = (part("Bucket"), &read.config);
    if &*read.resource.resource() == "listObjectsV2" {
        let objects = from.list(bucket, part("Prefix")).map_err(failed)?;
        if config["Transformation"].as_str() == Some("LOAD_AND_FLATTEN") {
            // Keys of «folders» hold nothing.
            let keys = objects.into_iter().map(|object| object.key).filter(|key| !key.ends_with('/'));
            return together(config, keys.map(|key| (bucket.to_owned(), key)), from, read.max_items);
        }
        let most = read.max_items.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        return Ok(listing(objects.into_iter().take(most)));
    }
    let body = body(from, bucket, part("Key"))?;
    match config["ManifestType"].as_str().or(config["InputType"].as_str()) {
        Some("ATHENA_DATA") => {
            let uris = String::from_utf8_lossy(&body).lines().filter_map(of_uri).collect::<Vec<_>>();
            together(config, uris.into_iter(), from, read.max_items)
        }
        Some("S3_INVENTORY" | "MANIFEST") => inventory(&body, from, read.max_items),
        _ => parse(config, &body, read.max_items),
    }
}

fn body(from: &dyn Bucket, bucket: &str, key: &str) -> Result<Vec<u8>, Failure> {
    if [".gz", ".zst", ".zstd", ".parquet"].iter().any(|end| key.ends_with(end)) {
        return Err(failed(format!("s3://{bucket}/{key}: compressed files and Parquet cannot be read yet")));
    }
    let found = from.get(bucket, key).map_err(|why| failed(format!("s3://{bucket}/{key}: {why}")))?;
    match found {
        Some(body) if body.is_empty() => Err(failed(format!("The object s3://{bucket}/{key} is empty"))),
        Some(body) => Ok(body),
        None => Err(failed(format!("There is no object s3://{bucket}/{key}"))),
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
        match parse(config, &body(from, &bucket, &key)?, left)? {
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
