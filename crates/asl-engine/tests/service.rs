//! Engines beside each other on one database: each is a process as far as the other can tell.

mod common;

use asl_core::{Failure, Outcome};
use asl_engine::{Engine, EngineBuilder, EngineError, StartExecution, Started, holders, replay};
use asl_journal::{Claim, Filter, Journal, JournalError, NewWorker, Options as JournalOptions, Status};
use asl_syntax::{Definition, Options, Source, load};
use asl_task::bucket::Buckets;
use asl_task::function::Handler;
use asl_value::Value;
use common::{Home, on_every_store};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

on_every_store! {
    a_process_that_stops_what_another_runs_becomes_no_worker,
    a_worker_takes_on_what_is_submitted_and_nothing_twice,
    resume_takes_only_what_nobody_runs,
    a_drain_waits_for_what_is_in_flight_but_not_for_ever,
    a_distributed_map_goes_on_in_several_processes,
}

fn definition(states: &str) -> Arc<Definition> {
    let source = Source::new("test", format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#));
    let loaded = load(&source, &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn call() -> Arc<Definition> {
    definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work", "Next": "B"},
           "B": {"Type": "Pass", "End": true}"#,
    )
}

async fn builder(path: &Path) -> EngineBuilder {
    Engine::builder(Journal::open(path, JournalOptions::default()).await.unwrap())
}

async fn on(home: &Home) -> EngineBuilder {
    Engine::builder(home.open().await.store())
}

fn starting<'a>(definition: &Arc<Definition>, name: &'a str) -> StartExecution<'a> {
    StartExecution { definition: definition.clone(), state_machine: "test", name: Some(name), input: "{}" }
}

async fn start(engine: &Engine, definition: &Arc<Definition>, name: &str) -> Started {
    engine.start(starting(definition, name)).await.unwrap()
}

/// A function that says when it is called, and answers when it is told to.
#[derive(Clone, Default)]
struct Gate {
    called: Arc<Notify>,
    open: Arc<Notify>,
    ids: Arc<Mutex<Vec<String>>>,
}

#[async_trait::async_trait]
impl Handler for Gate {
    async fn handle(&self, event: Value, request_id: &str) -> Result<Value, Failure> {
        self.ids.lock().unwrap().push(request_id.to_owned());
        self.called.notify_one();
        self.open.notified().await;
        Ok(event)
    }
}

async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if ask().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}

#[tokio::test]
async fn what_a_dead_worker_left_is_found_by_who_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let lock = folder.path().join("a.db-worker-dead");
    std::fs::write(&lock, "").unwrap();
    let journal = Journal::open(&path, JournalOptions::default()).await.unwrap();
    let engine = Engine::builder(journal.clone()).build();
    let (what, lock_name) = ("dead".to_owned(), Some("a.db-worker-dead".to_owned()));
    let dead = NewWorker { what, process: 1, lock: lock_name, beat: 1, lease_ms: 30_000, gone: Vec::new() };
    journal.register(dead).await.unwrap();
    let pass = definition(r#""A": {"Type": "Pass", "End": true}"#);
    let started = start(&engine, &pass, "one").await;
    assert!(!lock.exists());
    let workers: Vec<String> = journal.workers().await.unwrap().into_iter().map(|worker| worker.what).collect();
    assert_eq!(workers, ["an engine"]);
    // Its end is known here: nothing is read, so nothing can fail.
    engine.wait(&started.arn).await.unwrap();
    journal.clone().close().await;
    assert!(matches!(engine.wait_for(&started).await, Ok(Outcome::Succeeded(_))));
}

/// A process that only stops what another one runs owns nothing, so it takes no lease, and makes none of its deliveries.
async fn a_process_that_stops_what_another_runs_becomes_no_worker(home: Home) {
    let owner = on(&home).await.build();
    let started = start(&owner, &definition(r#""A": {"Type": "Wait", "Seconds": 3600, "End": true}"#), "one").await;
    let client = on(&home).await.called("a client").client().build();
    client.stop(&started.arn, Failure::default()).await.unwrap();
    assert_eq!(owner.wait(&started.arn).await.unwrap().status(), "ABORTED");
    let workers: Vec<String> = client.store().workers().await.unwrap().into_iter().map(|worker| worker.what).collect();
    assert_eq!(workers, ["an engine"]);
}

async fn a_worker_takes_on_what_is_submitted_and_nothing_twice(home: Home) {
    let submitter = on(&home).await.build();
    let count = Arc::new(Mutex::new(Vec::new()));
    let mut workers = Vec::new();
    for _ in 0..2 {
        let seen = count.clone();
        let work = move |event: Value| {
            seen.lock().unwrap().push(event["n"].clone());
            async move { Ok(event) }
        };
        let worker = on(&home).await.function("Work", work).max_active(5).build();
        worker.serve().await.unwrap();
        workers.push(worker);
    }
    let call = call();
    let accepts = on(&home).await.function("Work", |event: Value| async move { Ok(event) }).build();
    let mut arns = Vec::new();
    for n in 0..40 {
        let input = format!(r#"{{"n": {n}}}"#);
        let start = StartExecution { definition: call.clone(), state_machine: "test", name: None, input: &input };
        assert!(matches!(submitter.submit(start.clone()).await, Err(EngineError::Unsupported(_))));
        arns.push(accepts.submit(start).await.unwrap().arn);
    }
    for arn in &arns {
        // Whoever runs it, anybody can wait for it.
        assert_eq!(submitter.wait(arn).await.unwrap().status(), "SUCCEEDED");
        let row = submitter.store().execution(arn).await.unwrap().unwrap();
        replay(submitter.store(), &row).await.unwrap();
    }
    assert_eq!(count.lock().unwrap().len(), 40, "no call was made twice");
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_lost_its_lease_writes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let gate = Gate::default();
    let first = builder(&path).await.function("Work", gate.clone()).build();
    let started = start(&first, &call(), "one").await;
    gate.called.notified().await;

    // It seems dead to somebody: as if it had slept for longer than its lease.
    let other = Journal::open(&path, JournalOptions::default()).await.unwrap();
    let worker = asl_journal::NewWorker {
        what: "the other".to_owned(),
        process: 1,
        lock: None,
        beat: 1,
        lease_ms: 30_000,
        gone: Vec::new(),
    };
    let other = other.as_worker(other.register(worker).await.unwrap());
    let all = |gone: Vec<_>| Claim { gone, limit: 10, ..Claim::default() };
    assert_eq!(
        other.claim(all(Vec::new())).await.unwrap(),
        [],
        "nobody takes anything of one that is not known to be gone"
    );
    let first_worker = other.workers().await.unwrap()[0].id;
    let claimed = other.claim(all(vec![first_worker])).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].arn, started.arn);

    let before = other.records(claimed[0].id).await.unwrap();
    gate.open.notify_one();
    match first.wait(&started.arn).await {
        Err(EngineError::Store(JournalError::Fenced { .. })) => {}
        other => panic!("{other:?}"),
    }
    let refused = first.start(starting(&call(), "two")).await;
    assert!(matches!(refused, Err(EngineError::Store(JournalError::Fenced { .. }))), "{refused:?}");
    assert_eq!(other.records(claimed[0].id).await.unwrap(), before);
    assert_eq!(other.executions(&Filter::default()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_cannot_renew_stops_before_its_lease_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let gate = Gate::default();
    let lease = Duration::from_millis(900);
    let engine = builder(&path).await.function("Work", gate.clone()).lease(lease).build();
    let started = start(&engine, &call(), "one").await;
    gate.called.notified().await;
    // It renews: much later it is still at work, and nobody can take its execution.
    tokio::time::sleep(2 * lease).await;
    assert!(holders(engine.store()).await.unwrap()[0].alive);
    // The disk is busy with something else for longer than the lease.
    let mut blocker = sqlx_lock(&path);
    let renewed = std::time::Instant::now();
    let lost = tokio::time::timeout(Duration::from_secs(10), engine.stopped()).await.unwrap();
    assert!(renewed.elapsed() < lease, "it stopped too late");
    assert!(matches!(lost, EngineError::Store(JournalError::Fenced { .. })), "{lost}");
    assert!(engine.wait(&started.arn).await.is_err());
    blocker.kill().unwrap();
    blocker.wait().unwrap();
}

/// One thread, so that to block it is to hold the whole engine.
#[tokio::test]
async fn an_engine_that_was_held_goes_on_if_nobody_has_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let gate = Gate::default();
    let lease = Duration::from_millis(600);
    let engine = builder(&path).await.function("Work", gate.clone()).lease(lease).build();
    let started = start(&engine, &call(), "one").await;
    gate.called.notified().await;
    std::thread::sleep(2 * lease);
    until("a renewal", async || holders(engine.store()).await.unwrap()[0].alive).await;
    gate.open.notify_one();
    assert_eq!(engine.wait(&started.arn).await.unwrap().status(), "SUCCEEDED");
    engine.shutdown().await.unwrap();
}

/// A process that holds the database's write lock until it is killed.
fn sqlx_lock(path: &Path) -> std::process::Child {
    let script = "import sqlite3, sys, time\n\
                  c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  c.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\ntime.sleep(60)\n";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line).unwrap();
    assert_eq!(line, "locked\n");
    child
}

async fn resume_takes_only_what_nobody_runs(home: Home) {
    let gate = Gate::default();
    let first = on(&home).await.function("Work", gate.clone()).called("the first").build();
    let started = start(&first, &call(), "one").await;
    gate.called.notified().await;

    let second = on(&home).await.function("Work", gate.clone()).build();
    assert_eq!(second.resume().await.unwrap(), Vec::<Arc<str>>::new());
    let alive: Vec<_> = holders(second.store()).await.unwrap().into_iter().filter(|h| h.alive).collect();
    assert_eq!((alive[0].worker.what.as_str(), alive[0].executions), ("the first", 1));
    // A stop goes through the inbox of the first.
    second.stop(&started.arn, Failure::new("Enough", "")).await.unwrap();
    assert_eq!(first.wait(&started.arn).await.unwrap(), Outcome::Aborted(Failure::new("Enough", "")));
    assert_eq!(second.wait(&started.arn).await.unwrap().status(), "ABORTED");
    assert_eq!(gate.ids.lock().unwrap().len(), 1);
    let row = second.store().execution(&started.arn).await.unwrap().unwrap();
    assert_eq!(second.store().signals(row.id, 10).await.unwrap(), [], "the inbox is empty again");

    // The first goes away without a word: its lock is free, so nobody waits for the lease.
    let left = start(&first, &call(), "two").await;
    gate.called.notified().await;
    first.shutdown().await.unwrap();
    assert_eq!(second.resume().await.unwrap(), std::slice::from_ref(&left.arn));
    gate.called.notified().await;
    gate.open.notify_one();
    assert_eq!(second.wait(&left.arn).await.unwrap().status(), "SUCCEEDED");
    let ids = gate.ids.lock().unwrap().clone();
    assert_eq!((ids.len(), &ids[1]), (3, &ids[2]));
}

async fn a_drain_waits_for_what_is_in_flight_but_not_for_ever(home: Home) {
    let gate = Gate::default();
    let twice = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work", "Next": "B"},
           "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work", "End": true}"#,
    );
    let engine = on(&home).await.function("Work", gate.clone()).build();
    let started = start(&engine, &twice, "one").await;
    gate.called.notified().await;
    let draining = tokio::spawn({
        let engine = engine.clone();
        async move { engine.drain(Duration::from_secs(30)).await.unwrap() }
    });
    until("the drain", async || engine.serve().await.is_err()).await;
    gate.open.notify_one();
    draining.await.unwrap();
    assert!(matches!(engine.wait(&started.arn).await, Err(EngineError::ShutDown)));
    assert_eq!(gate.ids.lock().unwrap().len(), 1, "the next task is not begun");
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    assert_eq!((row.status, row.last_event), (Status::Running, 9), "what came was written, and the next step too");

    let engine = on(&home).await.function("Work", gate.clone()).build();
    engine.resume().await.unwrap();
    gate.called.notified().await;
    let began = std::time::Instant::now();
    engine.drain(Duration::from_millis(200)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(gate.ids.lock().unwrap().len(), 2, "the second task, once");
}

const DISTRIBUTED: &str = r#""A": {"Type": "Map", "Label": "Each", "MaxConcurrency": 4, "End": true,
    "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
                   "Parameters": {"Bucket": "in", "Key": "items.json"}},
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "B",
        "States": {"B": {"Type": "Task", "Next": "C", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work"},
                   "C": {"Type": "Wait", "Seconds": 2, "End": true}}}}"#;

/// Parent and children may end up in different processes, and with less room than there are of them.
async fn a_distributed_map_goes_on_in_several_processes(home: Home) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("items.json"), "[1, 2, 3, 4, 5, 6]").unwrap();
    let buckets = Buckets::new([("in".to_owned(), folder.path().to_owned())].into());
    let gate = Gate::default();
    let first = on(&home).await.buckets(buckets.clone()).function("Work", gate.clone()).build();
    let started = start(&first, &definition(DISTRIBUTED), "one").await;
    until("four calls", async || gate.ids.lock().unwrap().len() == 4).await;
    first.shutdown().await.unwrap();

    let mut workers = Vec::new();
    for _ in 0..2 {
        let work = |n: Value| async move { Ok(n) };
        let worker = on(&home).await.buckets(buckets.clone()).function("Work", work).max_active(2).build();
        worker.serve().await.unwrap();
        workers.push(worker);
    }
    let outcome = workers[0].wait(&started.arn).await.unwrap();
    assert_eq!(outcome, Outcome::Succeeded("[1, 2, 3, 4, 5, 6]".parse().unwrap()));
    let all = first.store().executions(&Filter::default()).await.unwrap();
    assert_eq!(all.len(), 7);
    for row in &all {
        replay(first.store(), row).await.unwrap();
    }
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}
