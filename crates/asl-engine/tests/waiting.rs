//! Executions that wait are not in memory: what they cost, how they come back, how many of them a restart recovers.
//!
//! `ASL_WAITING=100000 cargo test -p asl-engine --release --test waiting -- --nocapture` for larger figures.

mod common;

use asl_core::{Failure, Input, Outcome, TaskId};
use asl_engine::{Engine, EngineError, StartExecution, Started};
use asl_journal::Status;
use asl_syntax::{Definition, Options, Source, load};
use asl_task::embedded::{Identity, Services};
use asl_value::Value;
use common::{Home, on_every_store};
use std::sync::Arc;
use std::time::{Duration, Instant};

on_every_store! {
    waiting_costs_a_header_and_a_restart_recovers_in_batches,
    one_that_waits_comes_back_when_its_time_has_come,
    more_than_may_be_in_memory_all_end,
    one_that_waits_for_a_token_comes_back_for_its_answer,
}

/// What a waiting execution may cost; bytes.
const BOUND: usize = 500;
/// What the allocator and the database's caches may take besides, however many there are; bytes.
const SLACK: usize = 4 << 20;
const MAX_ACTIVE: usize = 200;
/// So many fill the caches, which have bounds of their own.
const WARM: usize = 4_500;

fn definition(states: &str) -> Arc<Definition> {
    let source = Source::new("test", format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#));
    let loaded = load(&source, &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

async fn engine(home: &Home) -> Engine {
    Engine::builder(home.open().await.store()).max_active(MAX_ACTIVE).build()
}

async fn start(engine: &Engine, definition: &Arc<Definition>, input: &str) -> Started {
    let start = StartExecution { definition: definition.clone(), state_machine: "test", name: None, input };
    engine.start(start).await.unwrap()
}

/// Starts many at once, and waits until all of them wait.
async fn start_many(engine: &Engine, definition: &Arc<Definition>, count: usize) {
    let (_, before) = engine.load();
    let mut tasks = tokio::task::JoinSet::new();
    for part in 0..64 {
        let (engine, definition) = (engine.clone(), definition.clone());
        tasks.spawn(async move {
            // A document, as real executions have one.
            let input = format!(r#"{{"text": "{}"}}"#, "x".repeat(2_000));
            for _ in (part..count).step_by(64) {
                start(&engine, &definition, &input).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    until_parked(engine, before + count).await;
}

async fn until_parked(engine: &Engine, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while engine.load() != (0, count) || engine.due() > 0 {
        assert!(engine.load().0 <= MAX_ACTIVE + 1, "{} in memory", engine.load().0);
        assert!(Instant::now() < deadline, "{:?} instead of {count}", engine.load());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Resident memory of this process; bytes.
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

/// Memory is of the whole process: one store at a time.
static MEASURING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn waiting_costs_a_header_and_a_restart_recovers_in_batches(home: Home) {
    let _measuring = MEASURING.lock().await;
    let count: usize = std::env::var("ASL_WAITING").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let wait = definition(r#""A": {"Type": "Wait", "Seconds": 36000, "End": true}"#);
    let first = engine(&home).await;
    // Caches and queues grow to their size first.
    start_many(&first, &wait, WARM).await;
    let (before, began) = (resident(), Instant::now());
    start_many(&first, &wait, count).await;
    let took = began.elapsed();
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        let each = grown / count;
        println!("{count} waiting executions: {each} resident bytes each, started and parked in {took:?}");
        assert!(grown <= SLACK + BOUND * count, "{each} bytes for each of {count}");
    }
    first.shutdown().await.unwrap();
    drop(first);

    let second = engine(&home).await;
    let began = Instant::now();
    let resumed = second.resume().await.unwrap();
    assert_eq!(resumed.len(), WARM + count);
    until_parked(&second, WARM + count).await;
    println!("{} recovered in {:?}", resumed.len(), began.elapsed());
    // They are all there, and can be reached.
    for arn in [&resumed[0], &resumed[resumed.len() - 1]] {
        second.stop(arn, Failure::new("Enough", "")).await.unwrap();
        assert_eq!(second.wait(arn).await.unwrap(), Outcome::Aborted(Failure::new("Enough", "")));
    }
    second.shutdown().await.unwrap();
}

async fn one_that_waits_comes_back_when_its_time_has_come(home: Home) {
    let engine = engine(&home).await;
    let wait = definition(
        r#""A": {"Type": "Wait", "Seconds": 2, "Next": "B"}, "B": {"Type": "Wait", "Seconds": 2, "End": true}"#,
    );
    let began = Instant::now();
    let started = start(&engine, &wait, "7").await;
    // Somebody who waits does not keep it in memory.
    let waiting = tokio::spawn({
        let (engine, arn) = (engine.clone(), started.arn.clone());
        async move { engine.wait(&arn).await.unwrap() }
    });
    until_parked(&engine, 1).await;
    assert_eq!(waiting.await.unwrap(), Outcome::Succeeded(Value::from(7)));
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(8), "{took:?}");
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    assert_eq!((row.status, row.last_event), (Status::Succeeded, 6));
    asl_engine::replay(engine.store(), &row).await.unwrap();
    engine.shutdown().await.unwrap();
}

async fn more_than_may_be_in_memory_all_end(home: Home) {
    let journal = home.open().await.store();
    let engine = Engine::builder(journal).max_active(3).build();
    let wait = definition(r#""A": {"Type": "Wait", "Seconds": 1, "End": true}"#);
    let starts = (0..12).map(|_| {
        let (engine, wait) = (engine.clone(), wait.clone());
        tokio::spawn(async move {
            let started = start(&engine, &wait, "1").await;
            engine.wait(&started.arn).await.unwrap()
        })
    });
    for ended in starts.collect::<Vec<_>>() {
        assert_eq!(ended.await.unwrap(), Outcome::Succeeded(Value::from(1)));
    }
    engine.shutdown().await.unwrap();
}

async fn one_that_waits_for_a_token_comes_back_for_its_answer(home: Home) {
    let journal = home.open().await.store();
    let spec = toml::from_str("[queues.Jobs]").unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    let engine = Engine::builder(journal).services(services).build();
    let ask = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
            "HeartbeatSeconds": 600, "Parameters": {"QueueUrl": "Jobs", "MessageBody": {"token.$": "$$.Task.Token"}}}"#,
    );
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let started = start(&engine, &ask, "{}").await;
        let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
        let Input::Start(execution) = engine.store().records(row.id).await.unwrap().remove(0).inputs.remove(0) else {
            panic!("it begins with its start")
        };
        tokens.push((started.arn, asl_core::task_token(&execution, TaskId(1))));
    }
    until_parked(&engine, 2).await;
    // One is answered here, the other from another process.
    let (arn, token) = &tokens[0];
    engine.send_task_heartbeat(token).await.unwrap();
    until_parked(&engine, 2).await;
    engine.send_task_success(token, Value::from(1)).await.unwrap();
    assert_eq!(engine.wait(arn).await.unwrap(), Outcome::Succeeded(Value::from(1)));
    assert!(matches!(engine.send_task_success(token, Value::from(2)).await, Err(EngineError::TaskTimedOut)));
    let (arn, token) = &tokens[1];
    let other = Engine::builder(home.open().await.store()).build();
    other.send_task_success(token, Value::from(3)).await.unwrap();
    assert!(matches!(other.send_task_success(token, Value::from(4)).await, Err(EngineError::TaskTimedOut)));
    assert_eq!(other.wait(arn).await.unwrap(), Outcome::Succeeded(Value::from(3)));
    for (arn, _) in &tokens {
        let row = engine.store().execution(arn).await.unwrap().unwrap();
        asl_engine::replay(engine.store(), &row).await.unwrap();
    }
    engine.shutdown().await.unwrap();
}
