//! The wire: what a request may look like, what is bounded, and how the server ends.

mod common;

use asl_server::Limits;
use asl_server::door::Door;
use common::{Client, PASS, Place, ROLE, WAIT, request};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn raw(place: &Place, head: &str, body: &str) -> common::Reply {
    let mut client = place.client();
    client.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    client.reply().unwrap()
}

const TARGET: &str = "X-Amz-Target: AWSStepFunctions.ListStateMachines\r\n";

#[test]
fn requests_are_known_by_their_target_alone() {
    let place = Place::new();
    for host in ["localhost", "sync-localhost:8083", "states.eu-west-1.amazonaws.com"] {
        for version in ["1.0", "1.1"] {
            let kind = format!("application/x-amz-json-{version}");
            let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n{TARGET}");
            let reply = raw(&place, &head, "{}");
            assert_eq!((reply.status, &*reply.text), (200, r#"{"stateMachines":[]}"#), "{host}");
            assert_eq!(reply.header("content-type"), Some(&*kind));
            assert_eq!(reply.header("x-amzn-requestid").map(str::len), Some(36));
        }
    }
    // No body is no member.
    assert_eq!(raw(&place, &format!("POST / HTTP/1.1\r\nHost: a\r\n{TARGET}"), "").status, 200);
}

#[test]
fn what_is_no_request_is_told_by_name() {
    let place = Place::new();
    let table = [
        ("X-Amz-Target: AWSStepFunctions.Nothing\r\n", "{}", "com.amazon.coral.service#UnknownOperationException"),
        ("X-Amz-Target: AWSStepFunctions\r\n", "{}", "com.amazon.coral.service#UnknownOperationException"),
        ("X-Amz-Target: Kinesis_20131202.ListStreams\r\n", "{}", "com.amazon.coral.service#UnknownOperationException"),
        ("", "{}", "com.amazon.coral.service#UnknownOperationException"),
        (TARGET, "{", "com.amazon.coral.service#SerializationException"),
        (TARGET, "[]", "com.amazon.coral.service#SerializationException"),
        (TARGET, "7", "com.amazon.coral.service#SerializationException"),
        (TARGET, "\u{7f}\u{0}", "com.amazon.coral.service#SerializationException"),
    ];
    for (target, body, kind) in table {
        let reply = raw(&place, &format!("POST / HTTP/1.1\r\nHost: a\r\n{target}"), body);
        assert_eq!((reply.status, reply.body["__type"].as_str()), (400, Some(kind)), "{target}{body}");
        assert_eq!(reply.header("x-amzn-errortype"), kind.split('#').nth(1));
    }
    let signed = "Authorization: AWS4-HMAC-SHA256 Credential=k/20261201/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n";
    let reply = raw(&place, &format!("GET /bucket?list-type=2&a=b HTTP/1.1\r\nHost: a\r\n{signed}"), "");
    assert_eq!((reply.status, reply.header("content-type")), (501, Some("application/xml")));
    assert!(
        reply.text.contains("<Code>NotImplemented</Code><Message>s3 GET /bucket list-type is not"),
        "{}",
        reply.text
    );
    let deep = "[".repeat(100_000);
    let reply = raw(&place, &format!("POST / HTTP/1.1\r\nHost: a\r\n{TARGET}"), &deep);
    assert_eq!(reply.status, 400, "{}", reply.text);
    // A browser's page of another site is turned away.
    let origin = "POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.com\r\n";
    assert!(raw(&place, &format!("{origin}{TARGET}"), "{}").refusal().starts_with("AccessDeniedException"));
    let get = raw(&place, "GET / HTTP/1.1\r\nHost: localhost\r\n", "");
    assert!(get.status == 200 && get.text.starts_with("<!doctype html>"), "{}", get.text);
}

#[test]
fn bodies_and_slow_clients_are_bounded() {
    let limits = Limits { body_bytes: 1000, all_bytes: 2000, read: Duration::from_millis(300), ..Limits::default() };
    let place = Place::with(limits, Door::open(), |builder| builder);
    let reply = raw(&place, &format!("POST / HTTP/1.1\r\nHost: a\r\n{TARGET}"), &" ".repeat(1001));
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    // A length that is not told is found out.
    let mut client = place.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{TARGET}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    client.send(format!("7d0\r\n{}\r\n0\r\n\r\n", " ".repeat(2000)).as_bytes());
    assert_eq!(client.reply().unwrap().status, 400);
    // Half a body, and half a head.
    let mut half = place.client();
    half.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{TARGET}Content-Length: 100\r\n\r\n{{").as_bytes());
    assert_eq!(half.reply().unwrap().status, 408);
    let mut head = place.client();
    head.send(b"POST / HTTP/1.1\r\nHost: a\r\n");
    assert!(head.reply().is_none_or(|reply| reply.status == 408));
    for garbage in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"\r\n\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(place.address).unwrap();
        stream.write_all(garbage).unwrap();
    }
    assert_eq!(place.client().call("ListStateMachines", "{}").status, 200);
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let place = Place::new();
    let mut client = place.client();
    let one = format!("POST / HTTP/1.1\r\nHost: a\r\n{TARGET}Content-Length: 2\r\n\r\n{{}}");
    client.send(one.repeat(20).as_bytes());
    let mut ids: Vec<String> =
        (0..20).map(|_| client.reply().unwrap().header("x-amzn-requestid").unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[test]
fn too_many_requests_are_told_to_come_again() {
    let limits = Limits { requests: 1, ..Limits::default() };
    let place = Place::with(limits, Door::open(), |builder| builder);
    let mut client = place.client();
    let machine = request(&[("name", "slow"), ("roleArn", ROLE), ("type", "EXPRESS"), ("definition", WAIT)]);
    client.ok("CreateStateMachine", &machine);
    let start = request(&[("stateMachineArn", &format!("{}:stateMachine:slow", common::PREFIX))]);
    let body = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: AWSStepFunctions.StartSyncExecution\r\nContent-Length: {}\r\n\r\n{start}",
        start.len()
    );
    let began = Instant::now();
    let mut waiting = Vec::new();
    loop {
        // One that comes while the list below is still at work is refused itself.
        let mut one = place.client();
        one.send(body.as_bytes());
        waiting.push(one);
        let reply = client.call("ListStateMachines", "{}");
        if reply.status == 400 {
            assert_eq!(reply.refusal(), "ThrottlingException: Rate exceeded");
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the first request never took its place");
    }
}

#[test]
fn what_has_begun_is_answered_at_the_end() {
    let mut place = Place::new();
    let mut client = place.client();
    client.ok("CreateActivity", r#"{"name": "a"}"#);
    let machine = request(&[("name", "m"), ("roleArn", ROLE), ("definition", PASS)]);
    client.ok("CreateStateMachine", &machine);
    let poll = request(&[("activityArn", &format!("{}:activity:a", common::PREFIX))]);
    let mut worker = place.client();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: AWSStepFunctions.GetActivityTask\r\nContent-Length: {}\r\n\r\n{poll}",
        poll.len()
    );
    worker.send(head.as_bytes());
    // It is there when another request of its connection's age is answered.
    client.ok("ListActivities", "{}");
    let began = Instant::now();
    place.stop();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let reply = worker.reply();
    assert!(reply.is_none_or(|reply| reply.text == "{}"));
    assert!(TcpStream::connect(place.address).is_err() || Client::new(place.address).reply().is_none());
}
