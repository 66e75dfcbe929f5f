//! A client of a database: no engine, no functions, and no lease but for an execution that nobody runs.

use asl_core::{Failure, Outcome};
use asl_engine::{Client, Engine, EngineError, StartExecution};
use asl_journal::{Journal, Options as JournalOptions, Status};
use asl_syntax::{Definition, Options, Source, load};
use asl_value::Value;
use std::path::Path;
use std::sync::{Arc, Mutex};

const TOKEN: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "Work", "Payload": {"token.$": "$$.Task.Token"}}}}}"#;

fn definition() -> Arc<Definition> {
    let loaded = load(&Source::new("test", TOKEN), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

async fn open(path: &Path) -> Journal {
    Journal::open(path, JournalOptions::default()).await.unwrap()
}

fn execution(name: &str) -> StartExecution<'_> {
    StartExecution { definition: definition(), state_machine: "test", name: Some(name), input: "{}" }
}

/// The token of the next call of `Work`.
async fn token(tokens: &Mutex<Vec<String>>) -> String {
    for _ in 0..2000 {
        if let Some(token) = tokens.lock().unwrap().pop() {
            return token;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("no call came");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_runs_a_client_starts_answers_stops_and_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let kept = tokens.clone();
    let worker = Engine::builder(open(&path).await)
        .function("Work", move |event: Value| {
            kept.lock().unwrap().push(event["token"].as_str().unwrap_or_default().to_owned());
            async { Ok(Value::Null) }
        })
        .build();
    worker.serve().await.unwrap();
    let client = Client::new(open(&path).await);

    let answered = client.submit(execution("answered")).await.unwrap();
    let token_of_it = token(&tokens).await;
    client.send_task_heartbeat(&token_of_it).await.unwrap();
    client.send_task_success(&token_of_it, Value::from("done")).await.unwrap();
    let late = client.send_task_failure(&token_of_it, Failure::default()).await;
    assert!(matches!(late, Err(EngineError::TaskTimedOut)), "{late:?}");
    assert_eq!(client.wait("answered").await.unwrap(), Outcome::Succeeded(Value::from("done")));
    let described = client.describe(&answered.arn).await.unwrap();
    assert_eq!((described.row.status, described.output), (Status::Succeeded, Some(Value::from("done"))));
    assert!(client.history(&answered.arn).await.unwrap().len() > 5);

    client.submit(execution("stopped")).await.unwrap();
    token(&tokens).await;
    client.stop("stopped", Failure::new("Enough", "of it")).await.unwrap();
    assert_eq!(client.wait("stopped").await.unwrap().status(), "ABORTED");
    // None of that made the client a worker.
    let workers = client.store().workers().await.unwrap();
    assert_eq!(workers.len(), 1, "{workers:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_nobody_runs_a_client_is_the_owner_for_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let client = Client::new(open(&path).await).called("a test");
    let started = client.submit(execution("nobody")).await.unwrap();
    assert!(matches!(client.execution("other").await, Err(EngineError::NoSuchExecution(_))));
    client.stop(&started.arn, Failure::new("Enough", "of it")).await.unwrap();
    assert_eq!(client.wait(&started.arn).await.unwrap().status(), "ABORTED");
    client.stop(&started.arn, Failure::default()).await.unwrap();
    assert_eq!(client.store().workers().await.unwrap(), [], "it has given its row back");
}
