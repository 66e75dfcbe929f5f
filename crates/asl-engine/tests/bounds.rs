//! What one execution can take from the others: time, disk, memory, and the process itself.

use asl_core::{Budget, Failure, Input, Outcome};
use asl_engine::{Engine, EngineError, Notice, Observer, StartExecution, Started, Update, replay};
use asl_journal::{Durability, ExecutionRow, Filter, Journal, Options as JournalOptions, Status};
use asl_syntax::{Definition, Options, Source, load};
use asl_task::bucket::Buckets;
use asl_value::Value;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn definition(text: &str) -> Arc<Definition> {
    let loaded = load(&Source::new("test", text.to_owned()), &Options { lints: false, ..Options::default() });
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// A function of this name, and that is all.
fn calls(function: &str) -> Arc<Definition> {
    definition(&format!(
        r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:000000000000:function:{function}"}}}}}}"#
    ))
}

async fn journal(path: &Path) -> Journal {
    let options = JournalOptions { durability: Durability::Normal, ..JournalOptions::default() };
    Journal::open(path, options).await.unwrap()
}

async fn start(engine: &Engine, definition: &Arc<Definition>, name: &str, input: &str) -> Started {
    let start = StartExecution { definition: definition.clone(), state_machine: "test", name: Some(name), input };
    engine.start(start).await.unwrap()
}

async fn row(engine: &Engine, name: &str) -> ExecutionRow {
    engine.store().execution(name).await.unwrap().unwrap()
}

async fn ok(input: Value) -> Result<Value, Failure> {
    Ok(input)
}

/// Remembers what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn observe(&self, _: &Update<'_>) {}

    fn notify(&self, notice: &Notice) {
        eprintln!("told: {notice}");
        self.0.lock().unwrap().push(notice.to_string());
    }
}

impl Told {
    fn has(&self, words: &str) -> bool {
        self.0.lock().unwrap().iter().any(|said| said.contains(words))
    }
}

/// A state that works hard, again and again; by itself it would go on for minutes.
const BUSY: &str = r#"{"StartAt": "Sort", "QueryLanguage": "JSONata", "States": {"Sort": {"Type": "Pass", "Next": "Again",
    "Assign": {"n": "{% $count($sort([1..1500], function($a, $b) { $a < $b })) %}"}},
    "Again": {"Type": "Choice", "Default": "End", "Choices": [{"Condition": "{% true %}", "Next": "Sort"}]},
    "End": {"Type": "Succeed"}}}"#;

/// On one thread, which is all that `asl run` has: three that work hard keep nobody from anything.
#[tokio::test]
async fn executions_that_work_hard_leave_time_for_others_and_are_stopped_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::builder(journal(&folder.path().join("asl.db")).await).function("Ok", ok).build();
    let busy = definition(BUSY);
    for name in ["one", "two", "three"] {
        start(&engine, &busy, name, "{}").await;
    }
    let began = Instant::now();
    let quick = start(&engine, &calls("Ok"), "quick", "7").await;
    assert_eq!(engine.wait(&quick.arn).await.unwrap(), Outcome::Succeeded(Value::from(7)));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    // What they do is written down as they go on.
    while row(&engine, "three").await.last_event < 12 {
        assert!(began.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for name in ["one", "two", "three"] {
        let (asked, row) = (Instant::now(), row(&engine, name).await);
        engine.stop(&row.arn, Failure::default()).await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert!(matches!(engine.wait(&row.arn).await.unwrap(), Outcome::Aborted(_)));
    }
    let row = row(&engine, "one").await;
    replay(engine.store(), &row).await.unwrap();
}

/// A shutdown does not wait for them either.
#[tokio::test]
async fn an_engine_that_works_hard_is_shut_down_at_once() {
    let engine = Engine::builder(Journal::in_memory().await.unwrap()).build();
    start(&engine, &definition(BUSY), "one", "{}").await;
    let asked = Instant::now();
    engine.drain(Duration::from_secs(60)).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
}

fn bytes_of(record: &asl_journal::Record) -> usize {
    record.events.iter().map(|event| format!("{:?}", event.kind).len()).sum::<usize>()
        + record.inputs.iter().map(Input::bytes).sum::<usize>()
}

/// A loop that makes a new text each time fills many records, none of which is large.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_when_its_record_has_its_bytes() {
    let text = r#"{"StartAt": "Make", "QueryLanguage": "JSONata", "States": {
        "Make": {"Type": "Pass", "Next": "Again", "Output": "{% {'n': $states.input.n + 1, 'text': $pad($string($states.input.n), 2000)} %}"},
        "Again": {"Type": "Choice", "Default": "Done", "Choices": [{"Condition": "{% $states.input.n < 100 %}", "Next": "Make"}]},
        "Done": {"Type": "Succeed"}}}"#;
    let budget = Budget { steps: 10_000, work: u64::MAX, bytes: 10_000 };
    let engine = Engine::builder(Journal::in_memory().await.unwrap()).record_budget(budget).build();
    let started = start(&engine, &definition(text), "one", r#"{"n": 0}"#).await;
    assert!(matches!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(_)));
    let row = row(&engine, "one").await;
    let records = engine.store().records(row.id).await.unwrap();
    assert!(records.len() >= 20, "{} records", records.len());
    assert!(records.iter().all(|record| record.events.len() <= 20), "each has about five texts");
    replay(engine.store(), &row).await.unwrap();
}

const DISTRIBUTED: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true, "MaxConcurrency": 8,
    "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "in", "Key": "items.json"}},
    "ItemSelector": {"n.$": "$$.Map.Item.Index"},
    "ResultPath": null,
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Ok", "States": {"Ok": {"Type": "Pass", "End": true}}}}}}"#;

/// Items that would make a large record come in pieces; an object's members too.
#[tokio::test(flavor = "multi_thread")]
async fn items_are_written_in_pieces() {
    let array: Value = (0..60).map(|_| Value::from("x".repeat(1_000))).collect();
    let object: Value = (0..60).map(|n| (format!("k{n}"), Value::from("x".repeat(1_000)))).collect();
    for items in [array, object] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("items.json"), items.to_string()).unwrap();
        let buckets = Buckets::new([("in".to_owned(), folder.path().to_owned())].into());
        let budget = Budget { steps: 10_000, work: u64::MAX, bytes: 20_000 };
        let engine =
            Engine::builder(Journal::in_memory().await.unwrap()).buckets(buckets).record_budget(budget).build();
        let started = start(&engine, &definition(DISTRIBUTED), "one", "{}").await;
        assert!(matches!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(_)));
        let all = engine.store().executions(&Filter::default()).await.unwrap();
        assert_eq!(all.len(), 61, "each item has its child");
        let row = row(&engine, &started.arn).await;
        let records = engine.store().records(row.id).await.unwrap();
        let largest = records.iter().map(bytes_of).max().unwrap();
        assert!(largest < 30_000, "{largest} bytes in a record");
        replay(engine.store(), &row).await.unwrap();
    }
}

/// What can never be written is not tried again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_fails_its_execution_by_name_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(&folder.path().join("asl.db")).await;
    journal.limit_records(20_000);
    let told = Arc::new(Told::default());
    let large = |_: Value| async { Ok::<_, Failure>(Value::from("x".repeat(100_000))) };
    let builder = Engine::builder(journal).function("Large", large).function("Ok", ok).observer(told.clone());
    let engine = builder.build();
    engine.serve().await.unwrap();
    let (bad, good) = (calls("Large"), calls("Ok"));
    let (bad, good) = tokio::join!(start(&engine, &bad, "bad", "{}"), start(&engine, &good, "good", "7"));
    match engine.wait(&bad.arn).await.unwrap() {
        Outcome::Failed(failure) => {
            assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
            assert!(failure.cause.unwrap().contains("more than the limit of 20000"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.wait(&good.arn).await.unwrap(), Outcome::Succeeded(Value::from(7)));
    assert!(told.has("bad fails: "), "{:?}", told.0);
    let row = row(&engine, "bad").await;
    assert_eq!(row.status, Status::Failed);
    replay(engine.store(), &row).await.unwrap();
}

/// Memory lets one in after the other where one alone fills it.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_memory_waits_outside() {
    let folder = tempfile::tempdir().unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (in_now, in_most) = (now.clone(), most.clone());
    let work = move |input: Value| {
        let (now, most) = (in_now.clone(), in_most.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Failure>(input)
        }
    };
    let journal = journal(&folder.path().join("asl.db")).await;
    let engine = Engine::builder(journal).function("Work", work).max_memory(250_000).build();
    let definition = calls("Work");
    let input = format!("\"{}\"", "x".repeat(100_000));
    let mut all = tokio::task::JoinSet::new();
    for n in 0..12 {
        let (engine, definition, input) = (engine.clone(), definition.clone(), input.clone());
        all.spawn(async move {
            let started = start(&engine, &definition, &format!("n{n}"), &input).await;
            engine.wait(&started.arn).await.unwrap()
        });
    }
    while let Some(ended) = all.join_next().await {
        assert!(matches!(ended.unwrap(), Outcome::Succeeded(_)));
    }
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?} at once");
}

/// Changes the database behind everybody's back.
async fn tamper(path: &Path, sql: &'static str) {
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(sql).execute(&mut conn).await.unwrap();
}

const WAITS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 36000, "End": true}}}"#;

/// An execution whose records or whose definition a worker cannot read is left to others, told of once, and stopped.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_left_to_others_and_can_be_stopped() {
    for sql in [
        "UPDATE journal SET body = replace(body, 'Wait', 'Wa1t')",
        "UPDATE definition SET text = '{}'",
        "UPDATE definition SET text = replace(text, 'Wait', 'Pass')",
        "DELETE FROM journal",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asl.db");
        let first = Engine::builder(journal(&path).await).build();
        // Each has a text of its own: what was parsed once is remembered.
        let text = WAITS.replace("36000", &format!("3{:04}", sql.len()));
        let started = start(&first, &definition(&text), "one", "{}").await;
        first.shutdown().await.unwrap();
        first.store().close().await;
        tamper(&path, sql).await;

        let told = Arc::new(Told::default());
        let worker = Engine::builder(journal(&path).await).observer(told.clone()).build();
        worker.serve().await.unwrap();
        let began = Instant::now();
        while !told.has("left to others: ") || row(&worker, "one").await.owner.is_some() {
            assert!(began.elapsed() < Duration::from_secs(30), "{sql}: {:?}", told.0);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let found = row(&worker, "one").await;
        assert_eq!((found.status, &found.set_aside), (Status::Running, &None), "{found:?}");
        // Another process ends it, beside the worker.
        let other = Engine::builder(journal(&path).await).build();
        other.stop(&started.arn, Failure::new("Gone", "by hand")).await.unwrap();
        let found = row(&other, "one").await;
        assert_eq!((found.status, found.unread_end, found.set_aside), (Status::Aborted, true, None), "{sql}");
        let aborted = Outcome::Aborted(Failure::new("Gone", "by hand"));
        assert_eq!(other.wait(&started.arn).await.unwrap(), aborted, "{sql}");
        worker.shutdown().await.unwrap();
    }
}

/// What is set aside goes on by itself when its time has come, though nobody asks for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_is_tried_again_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let client = Engine::builder(journal(&path).await).function("Ok", ok).build();
    let calls = calls("Ok");
    for name in ["now", "later"] {
        let start = StartExecution { definition: calls.clone(), state_machine: "test", name: Some(name), input: "{}" };
        client.submit(start).await.unwrap();
    }
    tamper(&path, "UPDATE latest SET deaths = 5").await;
    tamper(&path, "UPDATE execution SET owner = -1, set_aside = 'why', again_ms = 1 WHERE name = 'now'").await;
    tamper(&path, "UPDATE execution SET owner = -1, set_aside = 'why', again_ms = 9e15 WHERE name = 'later'").await;
    let worker = Engine::builder(journal(&path).await).function("Ok", ok).build();
    worker.serve().await.unwrap();
    let now = row(&client, "now").await;
    assert!(matches!(client.wait(&now.arn).await.unwrap(), Outcome::Succeeded(_)));
    let later = row(&client, "later").await;
    assert_eq!((later.status, later.set_aside.as_deref()), (Status::Running, Some("why")));
    worker.shutdown().await.unwrap();
}

/// The engine that found it broken stops it as well.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_stops_what_it_cannot_read_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let first = Engine::builder(journal(&path).await).build();
    let started = start(&first, &definition(WAITS), "one", "{}").await;
    first.shutdown().await.unwrap();
    first.store().close().await;
    tamper(&path, "UPDATE journal SET checksum = checksum + 1").await;
    let engine = Engine::builder(journal(&path).await).build();
    engine.resume().await.unwrap();
    assert!(matches!(engine.wait(&started.arn).await, Err(EngineError::Replay(_))));
    engine.stop(&started.arn, Failure::default()).await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Aborted(Failure::default()));
}

/// The worker of the test below: runs until every innocent has ended and every poison is set aside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by a_poison_is_set_aside, as a process that dies"]
async fn works_until_it_is_poisoned() {
    let path = std::env::var("ASL_POISONED").unwrap();
    let dies = |_: Value| async { std::process::abort() };
    let told = Arc::new(Told::default());
    let journal = journal(Path::new(&path)).await;
    let builder = Engine::builder(journal.clone()).function("Ok", ok).function("Kill", dies).observer(told.clone());
    let engine = builder.build();
    engine.serve().await.unwrap();
    loop {
        let open = journal.open_executions().await.unwrap();
        let left = |row: &&ExecutionRow| row.set_aside.is_none() && !row.name.starts_with("waits");
        if open.iter().filter(left).count() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    engine.shutdown().await.unwrap();
}

/// Two executions end every process that runs them. They are found among many, at the price of eight processes, or some more
/// where a process dies before it has marked whom it tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_poison_is_set_aside_and_taken_again_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let client = Engine::builder(journal(&path).await).function("Ok", ok).function("Kill", ok).build();
    let (kill, fine, waits) = (calls("Kill"), calls("Ok"), definition(WAITS));
    let names = ["poison-1", "poison-2"].map(str::to_owned).into_iter();
    let names = (0..20).map(|n| format!("waits-{n}")).chain(names).chain((0..20).map(|n| format!("fine-{n}")));
    for name in names {
        let definition = match &name[..4] {
            "pois" => &kill,
            "fine" => &fine,
            _ => &waits,
        };
        let start =
            StartExecution { definition: definition.clone(), state_machine: "test", name: Some(&name), input: "{}" };
        client.submit(start).await.unwrap();
    }
    let (mut deaths, mut said) = (0, String::new());
    loop {
        let worker = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "works_until_it_is_poisoned", "--ignored", "--nocapture"])
            .env("ASL_POISONED", &path)
            .output()
            .unwrap();
        said += &String::from_utf8_lossy(&worker.stderr);
        if worker.status.success() {
            break;
        }
        deaths += 1;
        assert!(deaths <= 20, "{}", String::from_utf8_lossy(&worker.stderr));
    }
    assert!(deaths >= 5, "{deaths} deaths");
    for poison in ["poison-1", "poison-2"] {
        assert!(said.contains(&format!("told: {poison} is set aside: ")), "{said}");
    }
    for row in client.store().executions(&Filter::default()).await.unwrap() {
        let expected = match &row.name[..4] {
            "pois" => (Status::Running, true),
            "fine" => (Status::Succeeded, false),
            _ => (Status::Running, false),
        };
        assert_eq!((row.status, row.set_aside.is_some()), expected, "{row:?}");
    }
    // What is not asked for stays where it is.
    let taken = client.resume().await.unwrap();
    assert_eq!(taken.len(), 20, "those that wait");
    let (one, two) = (row(&client, "poison-1").await, row(&client, "poison-2").await);
    assert!(client.take_back(&one.arn).await.unwrap());
    assert!(client.resume_only(&one.arn).await.unwrap());
    assert!(matches!(client.wait(&one.arn).await.unwrap(), Outcome::Succeeded(_)), "it is cured");
    client.stop(&two.arn, Failure::default()).await.unwrap();
    let two = row(&client, "poison-2").await;
    assert_eq!((two.status, two.unread_end, &two.set_aside), (Status::Aborted, false, &None));
    replay(client.store(), &two).await.unwrap();
}
