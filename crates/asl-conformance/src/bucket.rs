//! The case's S3 objects.

use asl_core::WriteResults;
use asl_core::items::{Bucket, Listed};
use asl_value::Value;
use std::collections::BTreeMap;
use std::io::BufRead;

/// Objects by bucket and key.
pub(crate) struct Buckets(BTreeMap<(String, String), String>);

impl Buckets {
    pub(crate) fn new(case: &Value) -> Buckets {
        let rows = case["fixtures"]["s3"].as_array().unwrap_or_default();
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        Buckets(rows.iter().map(|row| ((text(&row["bucket"]), text(&row["key"])), text(&row["body"]))).collect())
    }

    pub(crate) fn write(&mut self, write: WriteResults) {
        for file in write.files {
            self.0.insert((write.bucket.to_string(), file.key), file.body);
        }
    }
}

impl Bucket for Buckets {
    fn open(&self, bucket: &str, key: &str) -> Result<Option<Box<dyn BufRead + '_>>, String> {
        let body = self.0.get(&(bucket.to_owned(), key.to_owned()));
        Ok(body.map(|body| Box::new(body.as_bytes()) as Box<dyn BufRead>))
    }

    fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Listed>, String> {
        let there = self.0.iter().filter(|((b, key), _)| b == bucket && key.starts_with(prefix));
        let listed = |((_, key), body): (&(String, String), &String)| Listed {
            key: key.clone(),
            size: body.len() as u64,
            etag: format!("{:032x}", body.len()),
            modified_s: 0.0,
        };
        Ok(there.take(most).map(listed).collect())
    }
}
