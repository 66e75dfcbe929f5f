//! The case's S3 objects.

use asl_core::items::{Listed, listing, parse};
use asl_core::{Failure, ReadItems, WriteResults};
use asl_value::Value;
use std::collections::BTreeMap;

/// Objects by bucket and key.
pub(crate) struct Buckets(BTreeMap<(String, String), String>);

impl Buckets {
    pub(crate) fn new(case: &Value) -> Buckets {
        let rows = case["fixtures"]["s3"].as_array().unwrap_or_default();
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        Buckets(rows.iter().map(|row| ((text(&row["bucket"]), text(&row["key"])), text(&row["body"]))).collect())
    }

    pub(crate) fn read(&self, read: &ReadItems) -> Result<Value, Failure> {
        let bucket = read.parameters["Bucket"].as_str().unwrap_or_default();
        if read.resource.resource() == "listObjectsV2" {
            let prefix = read.parameters["Prefix"].as_str().unwrap_or_default();
            let there = self.0.iter().filter(|((b, key), _)| b == bucket && key.starts_with(prefix));
            return Ok(listing(there.map(|((_, key), body)| Listed {
                key: key.clone(),
                size: body.len() as u64,
                etag: format!("{:032x}", body.len()),
                modified_s: 0.0,
            })));
        }
        let key = read.parameters["Key"].as_str().unwrap_or_default();
        let body = self.0.get(&(bucket.to_owned(), key.to_owned())).ok_or_else(|| {
            Failure::new("States.ItemReaderFailed", format!("The bucket {bucket} has no object {key}"))
        })?;
        parse(&read.config, body.as_bytes(), read.max_items)
    }

    pub(crate) fn write(&mut self, write: WriteResults) {
        for file in write.files {
            self.0.insert((write.bucket.to_string(), file.key), file.body);
        }
    }
}
