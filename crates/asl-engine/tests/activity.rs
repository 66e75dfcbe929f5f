//! Activities: their tasks wait in order, each for one worker, and survive the process.

mod common;

use asl_core::{Event, EventKind, Failure, Outcome};
use asl_engine::{ActivityTask, Engine, EngineError, StartExecution, Started, replay};
use asl_syntax::{Definition, Options, Source, load};
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_value::Value;
use common::{Home, on_every_store};
use std::sync::Arc;
use std::time::Duration;

on_every_store! {
    tasks_are_taken_in_order_and_answered,
    a_worker_that_waits_is_told_at_once_and_each_task_has_one_worker,
    what_waits_survives_the_process_and_is_given_once,
    a_task_of_an_execution_that_has_ended_is_given_to_nobody,
    a_worker_that_falls_silent_loses_its_task,
    an_activity_that_does_not_exist_is_told_by_name,
}

const ARN: &str = "arn:aws:states:us-east-1:000000000000:activity:ask";
const LONG: Duration = Duration::from_secs(60);

fn asks(rest: &str) -> Arc<Definition> {
    let text = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Task", "Resource": "{ARN}", {rest} "End": true}}}}}}"#
    );
    let loaded = load(&Source::new("test", text), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn services(toml: &str) -> Services {
    let spec: ServicesSpec = toml::from_str(toml).unwrap();
    Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap()
}

async fn engine(home: &Home) -> Engine {
    Engine::builder(home.open().await.store()).services(services("[activities.ask]")).build()
}

async fn start(engine: &Engine, definition: &Arc<Definition>, input: &str) -> Started {
    let start = StartExecution { definition: definition.clone(), state_machine: "test", name: None, input };
    engine.start(start).await.unwrap()
}

async fn next(engine: &Engine, worker: &str) -> ActivityTask {
    engine.get_activity_task(ARN, Some(worker), LONG).await.unwrap().expect("a task within a minute")
}

async fn history(engine: &Engine, started: &Started) -> Vec<String> {
    let events = engine.history(&started.arn).await.unwrap();
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    replay(engine.store(), &row).await.unwrap();
    events.iter().map(Event::type_name).collect()
}

/// Waits until an execution has scheduled its task.
async fn scheduled(engine: &Engine, started: &Started) {
    while !engine.history(&started.arn).await.unwrap().iter().any(|event| event.type_name() == "ActivityScheduled") {
        tokio::task::yield_now().await;
    }
}

async fn tasks_are_taken_in_order_and_answered(home: Home) {
    let engine = engine(&home).await;
    let asks = asks("");
    let first = start(&engine, &asks, r#"{"n": 1}"#).await;
    scheduled(&engine, &first).await;
    let second = start(&engine, &asks, r#"{"n": 2}"#).await;
    scheduled(&engine, &second).await;
    let (one, two) = (next(&engine, "anna").await, next(&engine, "bert").await);
    assert_eq!((&*one.input, &*two.input), (r#"{"n":1}"#, r#"{"n":2}"#));
    engine.send_task_heartbeat(&one.token).await.unwrap();
    engine.send_task_success(&one.token, Value::from("yes")).await.unwrap();
    engine.send_task_failure(&two.token, Failure::new("No", "because")).await.unwrap();
    assert_eq!(engine.wait(&first.arn).await.unwrap(), Outcome::Succeeded(Value::from("yes")));
    assert_eq!(engine.wait(&second.arn).await.unwrap(), Outcome::Failed(Failure::new("No", "because")));
    let told = ["ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted"];
    assert_eq!(
        history(&engine, &first).await,
        [&told[..], &["ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]].concat()
    );
    assert_eq!(history(&engine, &second).await, [&told[..], &["ActivityFailed", "ExecutionFailed"]].concat());
    let events = engine.history(&second.arn).await.unwrap();
    let worker =
        events.iter().find(|event| event.type_name() == "ActivityStarted").map(|event| format!("{:?}", event.kind));
    assert!(worker.unwrap().contains("bert"));
    assert!(matches!(events.last().unwrap().kind, EventKind::ExecutionFailed { .. }));
    assert_eq!(engine.get_activity_task(ARN, None, Duration::ZERO).await.unwrap(), None);
}

async fn a_worker_that_waits_is_told_at_once_and_each_task_has_one_worker(home: Home) {
    let engine = engine(&home).await;
    let workers: Vec<_> = (0..8)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move { next(&engine, &format!("w{n}")).await })
        })
        .collect();
    let asks = asks("");
    let mut all = Vec::new();
    for n in 0..8 {
        all.push(start(&engine, &asks, &n.to_string()).await);
    }
    let mut inputs = Vec::new();
    for worker in workers {
        let task = worker.await.unwrap();
        engine.send_task_success(&task.token, task.input.parse().unwrap()).await.unwrap();
        inputs.push(task.input);
    }
    inputs.sort();
    assert_eq!(inputs, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    for (n, started) in (0..8).zip(&all) {
        assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(Value::from(n)));
    }
}

async fn what_waits_survives_the_process_and_is_given_once(home: Home) {
    let asks = asks("");
    let (waits, taken, token) = {
        let engine = engine(&home).await;
        let taken = start(&engine, &asks, "1").await;
        let token = next(&engine, "a").await.token;
        let waits = start(&engine, &asks, "2").await;
        scheduled(&engine, &waits).await;
        engine.shutdown().await.unwrap();
        (waits, taken, token)
    };
    let engine = engine(&home).await;
    assert_eq!(engine.resume().await.unwrap().len(), 2);
    let task = next(&engine, "b").await;
    assert_eq!(task.input, "2");
    assert_eq!(engine.get_activity_task(ARN, None, Duration::ZERO).await.unwrap(), None, "nothing is there twice");
    engine.send_task_success(&task.token, Value::from(2)).await.unwrap();
    engine.send_task_success(&token, Value::from(1)).await.unwrap();
    assert_eq!(engine.wait(&waits.arn).await.unwrap(), Outcome::Succeeded(Value::from(2)));
    assert_eq!(engine.wait(&taken.arn).await.unwrap(), Outcome::Succeeded(Value::from(1)));
    assert_eq!(history(&engine, &waits).await.iter().filter(|kind| *kind == "ActivityScheduled").count(), 1);
}

async fn a_task_of_an_execution_that_has_ended_is_given_to_nobody(home: Home) {
    let engine = engine(&home).await;
    let asks = asks("");
    let stopped = start(&engine, &asks, "1").await;
    scheduled(&engine, &stopped).await;
    engine.stop(&stopped.arn, Failure::default()).await.unwrap();
    let next_one = start(&engine, &asks, "2").await;
    scheduled(&engine, &next_one).await;
    assert_eq!(next(&engine, "a").await.input, "2");
}

async fn a_worker_that_falls_silent_loses_its_task(home: Home) {
    let engine = Engine::builder(home.open().await.store()).services(services("[activities.ask]"));
    let engine = engine.skip_time().build();
    // Until the worker has its task, no time is skipped.
    let hold = engine.clock().hold();
    let started = start(&engine, &asks(r#""TimeoutSeconds": 600, "HeartbeatSeconds": 60,"#), "1").await;
    let task = next(&engine, "a").await;
    drop(hold);
    let Outcome::Failed(failure) = engine.wait(&started.arn).await.unwrap() else { panic!("a failure") };
    assert_eq!(failure.error.as_deref(), Some("States.Timeout"));
    assert!(matches!(engine.send_task_heartbeat(&task.token).await, Err(EngineError::TaskTimedOut)));
    assert!(history(&engine, &started).await.contains(&"ActivityTimedOut".to_owned()));
}

async fn an_activity_that_does_not_exist_is_told_by_name(home: Home) {
    let journal = home.open().await.store();
    let strict = Engine::builder(journal.clone()).build();
    let told = strict.unsupported(&asks(""));
    assert_eq!(
        told[0].missing.to_string(),
        "the activity 'ask' is not declared: add [activities.ask] to the project file"
    );
    let refused = strict.get_activity_task(ARN, None, Duration::ZERO).await;
    assert!(matches!(refused, Err(EngineError::NoSuchActivity(arn)) if arn == ARN));
    let open = Engine::builder(journal).services(services("").open_to_clients()).build();
    let started = start(&open, &asks(""), "1").await;
    let Outcome::Failed(failure) = open.wait(&started.arn).await.unwrap() else { panic!("a failure") };
    let cause = failure.cause.as_deref().unwrap_or_default();
    assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
    assert!(cause.contains(&format!("The activity {ARN} does not exist.")), "{cause}");
}
