//! `aws-sdk:s3` over folders: what is put is got, listed in pages, copied and deleted, with its metadata, and within the folder only.

use asl_syntax::Resource;
use asl_task::bucket::Buckets;
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_task::function::FunctionSet;
use asl_task::{Backends, Call};
use asl_value::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

fn backends(buckets: Buckets) -> Backends {
    let identity = Identity::new("us-east-1", "000000000000");
    let services = Arc::new(Services::new(&ServicesSpec::default(), identity.clone()).unwrap());
    let mut backends = Backends::new(FunctionSet::new(identity), services);
    backends.buckets = buckets;
    backends
}

fn bucket(folder: &Path) -> Buckets {
    Buckets::new(BTreeMap::from([("b".to_owned(), folder.to_owned())]))
}

/// The answer as JSON text, or the error's name and the beginning of its cause. Times are left out.
fn call(backends: &Backends, action: &str, parameters: &str) -> String {
    let resource = Resource::parse(&format!("arn:aws:states:::aws-sdk:s3:{action}")).unwrap();
    let backend = backends.resolve(&resource).unwrap();
    let parameters: Value = parameters.parse().unwrap();
    let call = Call { parameters: &parameters, key: "key", role_arn: None };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    match runtime.block_on(backend.call(&call)) {
        Ok(mut answer) => {
            without_times(&mut answer);
            answer.to_string()
        }
        Err(failure) => {
            let cause = failure.cause.unwrap_or_default();
            format!("{}: {}", failure.error.unwrap_or_default(), cause.split(" (Service").next().unwrap())
        }
    }
}

fn without_times(value: &mut Value) {
    match value.clone() {
        Value::Object(map) => {
            let mut map = (*map).clone();
            if let Some(time) = map.remove("LastModified") {
                assert_eq!(time.as_str().unwrap().len(), "2026-01-01T00:00:00.000Z".len());
            }
            let members: Vec<_> = map.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            for (name, mut member) in members {
                without_times(&mut member);
                map.insert(name, member);
            }
            *value = map.into();
        }
        Value::Array(items) => {
            *value = items
                .iter()
                .cloned()
                .map(|mut item| {
                    without_times(&mut item);
                    item
                })
                .collect();
        }
        _ => {}
    }
}

#[test]
fn objects_are_put_got_copied_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let backends = backends(bucket(folder.path()));
    let steps = [
        (
            "putObject",
            r#"{"Bucket": "b", "Key": "a/x", "Body": "hello world", "ContentType": "text/plain", "Metadata": {"Who": "me"}}"#,
            r#"{"ETag":"\"5eb63bbbe01eeed093cb22bb8f5acdc3\""}"#,
        ),
        (
            "getObject",
            r#"{"Bucket": "b", "Key": "a/x"}"#,
            r#"{"AcceptRanges":"bytes","ContentLength":11,"ETag":"\"5eb63bbbe01eeed093cb22bb8f5acdc3\"","Metadata":{"who":"me"},"ContentType":"text/plain","Body":"hello world"}"#,
        ),
        (
            "getObject",
            r#"{"Bucket": "b", "Key": "a/x", "Range": "bytes=6-99"}"#,
            r#"{"AcceptRanges":"bytes","ContentLength":5,"ETag":"\"5eb63bbbe01eeed093cb22bb8f5acdc3\"","Metadata":{"who":"me"},"ContentType":"text/plain","ContentRange":"bytes 6-10/11","Body":"world"}"#,
        ),
        (
            "getObject",
            r#"{"Bucket": "b", "Key": "a/x", "Range": "bytes=11-"}"#,
            "S3.S3Exception: The requested range is not satisfiable",
        ),
        (
            "copyObject",
            r#"{"Bucket": "b", "Key": "c d", "CopySource": "/b/a%2Fx"}"#,
            r#"{"CopyObjectResult":{"ETag":"\"5eb63bbbe01eeed093cb22bb8f5acdc3\""}}"#,
        ),
        (
            "headObject",
            r#"{"Bucket": "b", "Key": "c d"}"#,
            r#"{"AcceptRanges":"bytes","ContentLength":11,"ETag":"\"5eb63bbbe01eeed093cb22bb8f5acdc3\"","Metadata":{"who":"me"},"ContentType":"text/plain"}"#,
        ),
        ("putObject", r#"{"Bucket": "b", "Key": "c d", "Body": {"json": [1]}}"#, r#"{"ETag":"\"47d0c8e3b7a0f6a2\""}"#),
        ("headObject", r#"{"Bucket": "b", "Key": "c d"}"#, "ContentType\":\"binary/octet-stream\""),
        (
            "putObject",
            r#"{"Bucket": "b", "Key": "c d", "Body": "x", "IfNoneMatch": "*"}"#,
            "S3.S3Exception: At least one of the pre-conditions you specified did not hold",
        ),
        ("listObjectsV2", r#"{"Bucket": "b", "Delimiter": "/"}"#, r#""CommonPrefixes":[{"Prefix":"a/"}]"#),
        ("headBucket", r#"{"Bucket": "b"}"#, "{}"),
        ("headBucket", r#"{"Bucket": "none"}"#, "S3.NoSuchBucketException: The specified bucket does not exist"),
        ("listBuckets", "{}", r#"{"Buckets":[{"Name":"b"}]}"#),
        ("getObject", r#"{"Bucket": "b", "Key": "none"}"#, "S3.NoSuchKeyException: The specified key does not exist."),
        ("getObject", r#"{"Bucket": "b", "Key": "../secret"}"#, "cannot be a file in a local bucket"),
        ("putObject", r#"{"Bucket": "b", "Key": "a//x", "Body": ""}"#, "cannot be a file in a local bucket"),
        ("deleteObject", r#"{"Bucket": "b", "Key": "a/x"}"#, "{}"),
        ("deleteObject", r#"{"Bucket": "b", "Key": "a/x"}"#, "{}"),
        ("getObject", r#"{"Bucket": "b", "Key": "a/x"}"#, "S3.NoSuchKeyException"),
        (
            "deleteObjects",
            r#"{"Bucket": "b", "Delete": {"Objects": [{"Key": "c d"}, {"Key": "none"}]}}"#,
            r#"{"Deleted":[{"Key":"c d"},{"Key":"none"}]}"#,
        ),
        (
            "listObjectsV2",
            r#"{"Bucket": "b"}"#,
            r#"{"IsTruncated":false,"MaxKeys":1000,"Name":"b","Prefix":"","KeyCount":0}"#,
        ),
    ];
    for (action, parameters, expected) in steps {
        let answer = call(&backends, action, parameters);
        if expected.contains("47d0c8e3b7a0f6a2") {
            assert!(answer.starts_with(r#"{"ETag":"#), "{answer}");
        } else {
            assert!(answer.contains(expected), "{action} {parameters}: {answer}");
        }
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().filter(|e| e.path().is_file()).collect();
    assert!(left.is_empty(), "what is kept of a file goes with it: {left:?}");
}

#[test]
fn pages_have_every_key_once_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let backends = backends(bucket(folder.path()));
    for key in ["a", "b/1", "b/2", "c/1", "d"] {
        call(
            &backends,
            "putObject",
            &format!(r#"{{"Bucket": "b", "Key": "{key}", "Body": "", "ContentType": "x/y"}}"#),
        );
    }
    for (delimiter, expected) in [("", "a b/1 b/2 c/1 d"), ("/", "a b/ c/ d")] {
        for size in 1..=6 {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let parameters = format!(
                    r#"{{"Bucket": "b", "Delimiter": "{delimiter}", "MaxKeys": {size}, "ContinuationToken": "{token}"}}"#
                );
                let page: Value = call(&backends, "listObjectsV2", &parameters).parse().unwrap();
                let of = |list: &str, name: &str| {
                    let entries = page[list].as_array().unwrap_or_default().iter();
                    entries.map(|one| one[name].as_str().unwrap().to_owned()).collect::<Vec<_>>()
                };
                let mut entries = [of("Contents", "Key"), of("CommonPrefixes", "Prefix")].concat();
                assert!(entries.len() <= size);
                entries.sort();
                seen.extend(entries);
                match page["NextContinuationToken"].as_str() {
                    Some(next) => token = next.to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen.join(" "), expected, "{size} at a time");
        }
    }
}

#[test]
fn a_file_that_was_changed_by_hand_has_lost_what_was_kept_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let backends = backends(bucket(folder.path()));
    call(&backends, "putObject", r#"{"Bucket": "b", "Key": "x", "Body": "1", "ContentType": "text/plain"}"#);
    std::fs::write(folder.path().join("x"), "by hand").unwrap();
    let head = call(&backends, "headObject", r#"{"Bucket": "b", "Key": "x"}"#);
    assert!(head.contains("binary/octet-stream") && head.contains("\"ContentLength\":7"), "{head}");
}

#[test]
fn what_is_deleted_over_a_folder_is_left_in_it() {
    let (folder, over) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("x"), "1").unwrap();
    let backends = backends(bucket(folder.path()).written_to(over.path()));
    call(&backends, "deleteObject", r#"{"Bucket": "b", "Key": "x"}"#);
    assert!(call(&backends, "getObject", r#"{"Bucket": "b", "Key": "x"}"#).starts_with("S3.NoSuchKeyException"));
    assert!(call(&backends, "listObjectsV2", r#"{"Bucket": "b"}"#).contains(r#""KeyCount":0"#));
    assert_eq!(std::fs::read_to_string(folder.path().join("x")).unwrap(), "1");
    call(&backends, "putObject", r#"{"Bucket": "b", "Key": "x", "Body": "2"}"#);
    assert!(call(&backends, "getObject", r#"{"Bucket": "b", "Key": "x"}"#).contains(r#""Body":"2""#));
}
