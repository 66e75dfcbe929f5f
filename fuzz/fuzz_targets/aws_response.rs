//! An answer of an AWS service, in each of its protocols: the first byte chooses the operation, the second the status.
#![no_main]

use asl_aws::protocol::{Fault, Response, read_cbor, read_xml, result};
use asl_aws::{dialect, model};
use libfuzzer_sys::fuzz_target;

/// Operations whose results have every kind of shape in every protocol.
const OPERATIONS: [(&str, &str); 10] = [
    ("dynamodb", "getItem"),
    ("ecs", "describeTasks"),
    ("lambda", "invoke"),
    ("lexruntime", "postContent"),
    ("s3", "listObjectsV2"),
    ("s3", "getBucketAcl"),
    ("rds", "describeDBInstances"),
    ("sns", "getTopicAttributes"),
    ("ec2", "describeInstances"),
    ("eventbridgev2", "listEventBuses"),
];

fuzz_target!(|data: &[u8]| {
    let [choice, status, body @ ..] = data else { return };
    let (name, action) = OPERATIONS[usize::from(*choice) % OPERATIONS.len()];
    let service = model::service(name).expect("a service of the table");
    let operation = service.operation(action).expect("an operation of the service");
    let header = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
    let response = Response {
        status: 200 + u16::from(*status) * 2,
        headers: vec![("x-amz-lex-session-attributes".to_owned(), header.clone()), ("last-modified".to_owned(), header)],
        body: body.to_vec(),
    };
    if let Ok(value) = result(&service, operation, &response) {
        // What was read is a document like any other, and not larger than what it was read of allows.
        assert!(value.measure().bytes <= body.len() * 64 + 4096);
    }
    let fault = Fault::read(&service, &response);
    assert!(!dialect::error_name(&service, &fault).is_empty());
    let _ = dialect::cause(&service, &fault);
    let _ = (read_cbor(body), std::str::from_utf8(body).map(read_xml));
});
