//! Workers are pooled, replaced, killed, and never mixed up.

use std::{collections::BTreeSet, future::Future, pin::pin, task::Poll, time::Duration};

use asl_function::{InvokeError, LogStream};
use serde_json::{Value, json};

use crate::harness::{Harness, eventually, invocation, is_running, python};

/// Polls a future once and says whether it is done.
async fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
}

#[tokio::test]
async fn a_worker_stays_and_keeps_its_state() {
    let functions = Harness::new(python("cases.py", "counting"));
    let first = functions.invoke(json!({})).await.expect("a result");
    for calls in 2..20 {
        let next = functions.invoke(json!({})).await.expect("a result");
        assert_eq!(next, json!({"calls": calls, "pid": first["pid"]}));
    }
}

#[tokio::test]
async fn no_more_workers_than_allowed_run_and_the_rest_wait_in_line() {
    let mut spec = python("cases.py", "counting");
    spec.concurrency = 2;
    let functions = Harness::new(spec);
    let mut calls: Vec<_> = (0..20).map(|_| Box::pin(functions.invoke(json!({})))).collect();
    for call in &mut calls {
        assert!(poll_once(call).await.is_pending());
    }
    let (mut pids, mut total) = (BTreeSet::new(), 0);
    for call in calls {
        pids.insert(call.await.expect("a result")["pid"].to_string());
        total += 1;
    }
    assert_eq!((pids.len(), total), (2, 20));
}

#[tokio::test]
async fn workers_run_at_the_same_time() {
    let mut spec = python("cases.py", "meets");
    (spec.concurrency, spec.timeout_ms) = (2, 20_000);
    let functions = Harness::new(spec);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (one, other) = tokio::join!(
        functions.invoke(json!({"mine": file("a"), "other": file("b")})),
        functions.invoke(json!({"mine": file("b"), "other": file("a")})),
    );
    assert_eq!((one, other), (Ok(json!("met")), Ok(json!("met"))));
}

#[tokio::test]
async fn a_worker_that_died_is_replaced() {
    let functions = Harness::new(python("cases.py", "exits"));
    for _ in 0..3 {
        assert_eq!(functions.invoke(1).await.expect_err("a crash").error, "Runtime.ExitError");
    }
    assert_eq!(functions.texts(LogStream::Stdout), ["about to exit"; 3], "last words are not lost");
}

#[tokio::test]
async fn a_worker_that_dies_between_invocations_costs_none() {
    let functions = Harness::new(python("cases.py", "dies_afterwards"));
    let mut pids = BTreeSet::new();
    for _ in 0..5 {
        let pid = functions.invoke(json!({})).await.expect("a result").to_string();
        eventually("the worker's end", || !is_running(&pid)).await;
        pids.insert(pid);
    }
    assert_eq!(pids.len(), 5);
}

#[tokio::test]
async fn a_timeout_kills_the_worker_and_all_that_it_started() {
    let mut spec = python("cases.py", "starts_a_child");
    spec.timeout_ms = 300;
    let functions = Harness::new(spec);
    assert_eq!(functions.invoke(json!({})).await.expect_err("a timeout").error, "Sandbox.Timedout");
    let pid = functions.texts(LogStream::Stdout).remove(0);
    eventually("the child's end", || !is_running(&pid)).await;
}

#[tokio::test]
async fn a_dropped_invocation_kills_its_worker_and_frees_its_place() {
    let mut spec = python("cases.py", "sleeps");
    (spec.concurrency, spec.timeout_ms) = (1, 60_000);
    let functions = Harness::new(spec);
    for _ in 0..3 {
        let seen = functions.lines().len();
        let mut call = pin!(functions.invoke(1000));
        while functions.lines().len() == seen {
            assert!(poll_once(&mut call).await.is_pending());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    // Its place is free, and no late answer of the others gets in the way.
    assert_eq!(functions.invoke(0).await, Ok(json!("awake")));
}

#[tokio::test]
async fn dropping_a_call_at_any_moment_never_mixes_up_answers() {
    let mut spec = python("cases.py", "echo");
    spec.concurrency = 2;
    let functions = Harness::new(spec);
    for number in 0..40_u64 {
        let limit = Duration::from_micros(number * 400);
        let _ = tokio::time::timeout(limit, functions.invoke(json!({"abandoned": number}))).await;
        assert_eq!(functions.invoke(number).await, Ok(json!(number)));
    }
}

#[tokio::test]
async fn shutdown_ends_the_processes_and_fails_the_callers() {
    let mut spec = python("cases.py", "loops");
    (spec.concurrency, spec.timeout_ms) = (1, 60_000);
    let functions = Harness::new(spec);
    let mut running = pin!(functions.functions.invoke("F", invocation(json!({}))));
    let mut waiting = pin!(functions.functions.invoke("F", invocation(json!({}))));
    while functions.lines().is_empty() {
        assert!(poll_once(&mut running).await.is_pending());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(poll_once(&mut waiting).await.is_pending());
    let pid = functions.texts(LogStream::Stdout).remove(0);
    assert!(is_running(&pid));
    functions.functions.shutdown().await;
    assert!(!is_running(&pid));
    assert_eq!(running.await, Err(InvokeError::ShutDown));
    assert_eq!(waiting.await, Err(InvokeError::ShutDown));
    assert_eq!(functions.functions.invoke("F", invocation(json!({}))).await, Err(InvokeError::ShutDown));
}

#[tokio::test]
async fn dropping_the_functions_ends_idle_workers() {
    let functions = Harness::new(python("cases.py", "counting"));
    let pid = functions.invoke(json!({})).await.expect("a result")["pid"].to_string();
    assert!(is_running(&pid));
    drop(functions);
    eventually("the worker's end", || !is_running(&pid)).await;
}

#[test]
fn a_tokio_runtime_that_goes_down_takes_the_workers_along() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let functions = Harness::new(python("cases.py", "counting"));
    let pid = runtime.block_on(functions.invoke(json!({}))).expect("a result")["pid"].to_string();
    assert!(is_running(&pid));
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(eventually("the worker's end", || !is_running(&pid)));
    // The pool has noticed: the next runtime gets a worker of its own.
    assert_eq!(runtime.block_on(functions.invoke(json!({}))).expect("a result")["calls"], 1);
}

#[tokio::test]
async fn calls_that_cannot_be_made_are_refused() {
    let functions = Harness::new(python("cases.py", "echo"));
    assert!(functions.functions.contains("F") && !functions.functions.contains("G"));
    let missing = functions.functions.invoke("G", invocation(json!({}))).await;
    assert_eq!(missing, Err(InvokeError::NoSuchFunction { name: "G".to_owned() }));

    for id in ["", "a b", "a/b", "a\r\nb", "ü", &"x".repeat(257)] {
        let mut bad = invocation(json!({}));
        bad.request_id = id.to_owned();
        let expected = InvokeError::BadRequestId { request_id: id.to_owned() };
        assert_eq!(functions.functions.invoke("F", bad).await, Err(expected));
    }

    let mut largest = invocation(Value::String("x".repeat(6_291_456 - 2)));
    assert!(functions.functions.invoke("F", largest.clone()).await.is_ok());
    largest.payload = [&largest.payload[..], b" "].concat().into();
    let failure = functions.functions.invoke("F", largest).await.expect_err("too large");
    let InvokeError::Failed { error, cause } = failure else { panic!("{failure}") };
    assert_eq!(error, "Lambda.AWSLambdaException");
    let message = "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)";
    assert!(cause.starts_with(message) && cause.contains("Status Code: 413"), "{cause}");
}

#[tokio::test]
async fn an_event_that_is_not_json_is_the_functions_failure() {
    let functions = Harness::new(python("cases.py", "echo"));
    let mut bad = invocation(json!({}));
    bad.payload = "{oops".into();
    let failure = functions.functions.invoke("F", bad).await.expect_err("not JSON");
    assert!(matches!(&failure, InvokeError::Failed { error, .. } if error == "Runtime.UnmarshalError"), "{failure}");
}
