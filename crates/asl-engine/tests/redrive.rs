//! Redrive: an execution that ended without success goes on from there, survives a crash meanwhile, and replays.

mod common;

use asl_core::{EventKind, Failure, Outcome};
use asl_engine::{Engine, EngineError, StartExecution, Started, replay};
use asl_journal::{Filter, Status};
use asl_store::Store;
use asl_syntax::{Definition, Options, Source, load};
use asl_value::Value;
use common::{Home, on_every_store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

on_every_store! {
    a_failed_execution_goes_on_and_its_row_says_so,
    children_of_a_map_run_go_on_with_their_parent,
    a_redrive_survives_its_engine,
}

fn definition(states: &str) -> Arc<Definition> {
    let source = Source::new("test", format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#));
    let loaded = load(&source, &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

const WORK: &str = r#""Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work", "End": true"#;

/// An engine whose function fails the first `failures` times, and says how often it was called.
fn engine(journal: &Arc<dyn Store>, failures: u32, calls: &Arc<AtomicU32>) -> Engine {
    let calls = calls.clone();
    let work = move |event: Value| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        async move { if call < failures { Err(Failure::new("Broken", "not yet")) } else { Ok(event) } }
    };
    Engine::builder(journal.clone()).function("Work", work).build()
}

async fn start(engine: &Engine, definition: &Arc<Definition>, input: &str) -> Started {
    let start = StartExecution { definition: definition.clone(), state_machine: "test", name: None, input };
    engine.start(start).await.unwrap()
}

async fn refused(engine: &Engine, arn: &str) -> String {
    match engine.redrive(arn).await {
        Err(EngineError::NotRedrivable { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

async fn a_failed_execution_goes_on_and_its_row_says_so(home: Home) {
    let journal = home.open().await.store();
    let calls = Arc::default();
    let engine = engine(&journal, 2, &calls);
    let started = start(&engine, &definition(&format!(r#""A": {{{WORK}}}"#)), "[1]").await;
    assert!(matches!(engine.wait(&started.arn).await.unwrap(), Outcome::Failed(_)));

    for count in 1..=2 {
        let before = journal.execution(&started.arn).await.unwrap().unwrap();
        assert_eq!((before.status, before.redrive_count), (Status::Failed, count - 1));
        engine.redrive(&started.arn).await.unwrap();
        let ended = engine.wait(&started.arn).await.unwrap();
        assert_eq!(matches!(ended, Outcome::Succeeded(_)), count == 2, "{ended:?}");
    }
    let row = journal.execution(&started.arn).await.unwrap().unwrap();
    assert_eq!((row.status, row.redrive_count, &row.error), (Status::Succeeded, 2, &None));
    assert!(row.redriven.is_some_and(|at| at <= row.stopped.unwrap()));
    let events = engine.history(&started.arn).await.unwrap();
    assert!((1..).zip(&events).all(|(id, event)| event.id == id), "the numbers go on");
    let redriven = |kind: &EventKind| matches!(kind, EventKind::ExecutionRedriven { .. });
    assert_eq!(events.iter().filter(|event| redriven(&event.kind)).count(), 2);
    let replayed = replay(&*journal, &row).await.unwrap();
    assert_eq!((replayed.events, replayed.outcome), (events.len(), Some(Outcome::Succeeded("[1]".parse().unwrap()))));
    assert_eq!(refused(&engine, &started.arn).await, "Execution is SUCCEEDED and cannot be redriven");
}

async fn children_of_a_map_run_go_on_with_their_parent(home: Home) {
    let journal = home.open().await.store();
    let calls = Arc::default();
    let engine = engine(&journal, 1, &calls);
    let map = format!(
        r#""A": {{"Type": "Map", "Label": "Each", "MaxConcurrency": 1, "End": true, "ToleratedFailureCount": 0,
            "ItemProcessor": {{"ProcessorConfig": {{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
                "StartAt": "W", "States": {{"W": {{{WORK}}}}}}}}}"#
    );
    let started = start(&engine, &definition(&map), "[1,2]").await;
    assert!(matches!(engine.wait(&started.arn).await.unwrap(), Outcome::Failed(_)));
    let children = Filter { state_machine: Some("test/Each".to_owned()), ..Filter::default() };
    let child = journal.executions(&children).await.unwrap().remove(0);
    assert!(refused(&engine, &child.arn).await.contains("a child of a map run"));

    engine.redrive(&started.arn).await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded("[1,2]".parse().unwrap()));
    let rows = journal.executions(&children).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.redrive_count).collect::<Vec<_>>(), [0, 1], "newest first");
    for row in journal.executions(&Filter::default()).await.unwrap() {
        assert_eq!(row.status, Status::Succeeded);
        replay(&*journal, &row).await.unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

async fn a_redrive_survives_its_engine(home: Home) {
    let definition = definition(&format!(r#""A": {{"Type": "Pass", "Next": "B"}}, "B": {{{WORK}}}"#));
    let called = Arc::new(Notify::new());
    let (told, calls) = (called.clone(), Arc::new(AtomicU32::new(0)));
    let count = calls.clone();
    let work = move |_: Value| {
        let (told, first) = (told.clone(), count.fetch_add(1, Ordering::SeqCst) == 0);
        async move {
            if !first {
                told.notify_one();
                std::future::pending::<()>().await;
            }
            Err::<Value, _>(Failure::new("Broken", "the first time"))
        }
    };
    let journal = home.open().await.store();
    let first = Engine::builder(journal.clone()).function("Work", work).build();
    let started = start(&first, &definition, "{}").await;
    assert!(matches!(first.wait(&started.arn).await.unwrap(), Outcome::Failed(_)));
    first.redrive(&started.arn).await.unwrap();
    called.notified().await;
    assert_eq!(refused(&first, &started.arn).await, "Execution is RUNNING and cannot be redriven");
    first.shutdown().await.unwrap();
    journal.close().await;

    let database = home.open().await;
    let journal = database.store();
    assert_eq!(database.open_executions().await.unwrap()[0].redrive_count, 1);
    let second = engine(&journal, 0, &Arc::default());
    assert_eq!(second.resume().await.unwrap(), std::slice::from_ref(&started.arn));
    assert_eq!(second.wait(&started.arn).await.unwrap(), Outcome::Succeeded("{}".parse().unwrap()));
}
