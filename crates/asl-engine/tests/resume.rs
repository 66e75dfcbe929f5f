//! What is not done again when an execution goes on after a crash, and how it goes on after a write that failed.

mod common;

use asl_core::{EventKind, Failure, Outcome};
use asl_engine::{Engine, EngineError, Notice, Observer, StartExecution, Update, replay};
use asl_journal::{Durability, Journal, JournalError, Options as JournalOptions};
use asl_syntax::{Definition, Options, Source, load};
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_value::Value;
use common::{Home, on_every_store};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

on_every_store! {
    the_call_of_a_callback_that_was_answered_is_not_made_again,
}

fn definition(states: &str) -> Arc<Definition> {
    let source = Source::new("test", format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#));
    load(&source, &Options::default()).definition.unwrap()
}

async fn engine(home: &Home, calls: &Arc<AtomicU32>) -> Engine {
    let spec: ServicesSpec = toml::from_str("[queues.Jobs]").unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    let calls = calls.clone();
    let count = move |_: Value| {
        calls.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Failure>(Value::Null) }
    };
    Engine::builder(home.open().await.store()).services(services).function("Ask", count).build()
}

async fn messages(engine: &Engine) -> usize {
    let spec: ServicesSpec = toml::from_str("[queues.Jobs]").unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    let peeked = asl_store::contract::transact(engine.store(), move |tx| {
        let services = services.clone();
        Box::pin(async move {
            let peeked = services.peek_messages(tx, "Jobs", 0, 10, 0).await;
            Ok(peeked.map_err(|e| EngineError::Services(e.to_string()))?.len())
        })
    });
    let peeked: Result<usize, EngineError> = peeked.await;
    peeked.unwrap()
}

/// The effect of a callback's call is recorded when the call is answered; after that only its token is awaited.
async fn the_call_of_a_callback_that_was_answered_is_not_made_again(home: Home) {
    for (resource, parameters) in [
        ("sqs:sendMessage", r#"{"QueueUrl": "Jobs", "MessageBody": {"t.$": "$$.Task.Token"}}"#),
        ("lambda:invoke", r#"{"FunctionName": "Ask", "Payload": {"t.$": "$$.Task.Token"}}"#),
    ] {
        let wait = definition(&format!(
            r#""A": {{"Type": "Task", "Resource": "arn:aws:states:::{resource}.waitForTaskToken", "End": true,
                "Parameters": {parameters}}}"#
        ));
        let home = home.fresh();
        let calls = Arc::new(AtomicU32::new(0));
        let first = engine(&home, &calls).await;
        let start = StartExecution { definition: wait, state_machine: "test", name: Some("one"), input: "{}" };
        let started = first.start(start).await.unwrap();
        let submitted = |kind: &EventKind| format!("{kind:?}").contains("Submitted");
        while !first.history(&started.arn).await.unwrap().iter().any(|event| submitted(&event.kind)) {
            tokio::task::yield_now().await;
        }
        let done = (messages(&first).await, calls.load(Ordering::SeqCst));
        first.shutdown().await.unwrap();
        first.store().close().await;

        let second = engine(&home, &calls).await;
        second.resume().await.unwrap();
        // What it would do again, it would do before it takes this in.
        second.stop(&started.arn, Failure::default()).await.unwrap();
        second.wait(&started.arn).await.unwrap();
        assert_eq!((messages(&second).await, calls.load(Ordering::SeqCst)), done, "{resource}");
        let row = second.store().execution(&started.arn).await.unwrap().unwrap();
        replay(second.store(), &row).await.unwrap();
    }
}

/// Another process that writes, and takes longer than anybody has patience for.
async fn hold(path: &Path, options: JournalOptions) -> (std::sync::mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let other = Journal::open(path, options).await.unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let locked = Arc::new(Semaphore::new(0));
    let is_locked = locked.clone();
    let lock = tokio::spawn(async move {
        let held = other.transact(move |_| {
            Box::pin(async move {
                is_locked.add_permits(1);
                // It has the writer's thread to itself.
                let _ = released.recv();
                Ok::<_, JournalError>(())
            })
        });
        held.await.unwrap();
    });
    locked.acquire().await.unwrap().forget();
    (release, lock)
}

/// Remembers what people are told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn observe(&self, _: &Update<'_>) {}

    fn notify(&self, notice: &Notice) {
        self.0.lock().unwrap().push(notice.to_string());
    }
}

/// A write that fails ends the driver. Whoever waits hears why, also who begins to wait only then; and when the database
/// can be written again, the same engine goes on.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_write_that_failed_the_same_engine_goes_on() {
    let call = r#"{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Ask", "End": true}"#;
    let each = format!(
        r#""A": {{"Type": "Map", "End": true, "ItemsPath": "$", "ItemProcessor": {{"StartAt": "B", "States": {{"B": {call}}},
            "ProcessorConfig": {{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}}}}}"#
    );
    for states in [format!(r#""A": {call}"#), each] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asl.db");
        let options = JournalOptions { durability: Durability::Normal, busy_timeout_ms: 50 };
        let (called, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (calls, gate) = (called.clone(), go.clone());
        let ask = move |_: Value| {
            let (calls, gate) = (calls.clone(), gate.clone());
            async move {
                calls.add_permits(1);
                gate.acquire().await.unwrap().forget();
                Ok::<_, Failure>(Value::Null)
            }
        };
        let engine = Engine::builder(Journal::open(&path, options.clone()).await.unwrap()).function("Ask", ask).build();
        let definition = definition(&states);
        let start = StartExecution { definition, state_machine: "test", name: Some("one"), input: "[1]" };
        let started = engine.start(start).await.unwrap();
        called.acquire().await.unwrap().forget();

        let (release, lock) = hold(&path, options).await;
        go.add_permits(1);
        for _ in 0..2 {
            let error = engine.wait(&started.arn).await.unwrap_err();
            assert!(matches!(error, EngineError::Store(JournalError::Locked { .. })), "{error}");
        }
        release.send(()).unwrap();
        lock.await.unwrap();

        go.add_permits(1);
        engine.resume().await.unwrap();
        assert!(matches!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(_)));
    }
}

/// A worker says what it cannot write, and goes on by itself when the database can be written again.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_what_it_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let options = JournalOptions { durability: Durability::Normal, busy_timeout_ms: 50 };
    let (told, go) = (Arc::new(Told::default()), Arc::new(Semaphore::new(0)));
    let gate = go.clone();
    let ask = move |_: Value| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, Failure>(Value::Null)
        }
    };
    let journal = Journal::open(&path, options.clone()).await.unwrap();
    let engine = Engine::builder(journal).function("Ask", ask).observer(told.clone()).build();
    engine.serve().await.unwrap();
    let states =
        r#""A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Ask", "End": true}"#;
    let definition = definition(states);
    let start = StartExecution { definition, state_machine: "test", name: Some("one"), input: "{}" };
    let started = engine.start(start).await.unwrap();
    let (release, lock) = hold(&path, options).await;
    // It is called again after what could not be written.
    go.add_permits(2);
    let began = std::time::Instant::now();
    while !told.0.lock().unwrap().iter().any(|said| said.starts_with("one cannot go on now and is tried again in ")) {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", told.0);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    release.send(()).unwrap();
    lock.await.unwrap();
    assert!(matches!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(_)));
    engine.shutdown().await.unwrap();
}
