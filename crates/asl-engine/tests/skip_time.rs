//! Skipped time: nobody waits, and histories have the times they would have had.

use asl_core::{Event, EventKind, Execution, Failure, Input, Machine, Outcome};
use asl_engine::{Clock, Engine, EngineBuilder, Observer, StartExecution, Update};
use asl_expr::Timestamp;
use asl_journal::{Filter, Journal};
use asl_syntax::{Definition, Options, Source, load};
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_task::mock::{Answer, MockRule, MockedState, Mocks, Reply};
use asl_value::Value;
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestRunner};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const DAY_S: i64 = 24 * 3600;
/// Far more than any of these takes, far less than what they wait for.
const REAL: Duration = Duration::from_secs(20);

fn definition(states: &str) -> Arc<Definition> {
    let loaded = load(&Source::new("t", format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#)), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

async fn builder() -> EngineBuilder {
    let start = Timestamp::parse("2030-01-01T00:00:00Z").unwrap();
    Engine::builder(Journal::in_memory().await.unwrap()).clock(Clock::skipping(start)).seed(1)
}

async fn run(engine: &Engine, definition: &Arc<Definition>, input: &str) -> (Outcome, Vec<Event>) {
    let start = StartExecution { definition: definition.clone(), state_machine: "t", name: Some("x"), input };
    let started = engine.start(start).await.unwrap();
    let outcome = engine.wait(&started.arn).await.unwrap();
    (outcome, engine.history(&started.arn).await.unwrap())
}

/// Seconds from the first event to the last.
fn seconds(events: &[Event]) -> f64 {
    (events.last().unwrap().timestamp.millis() - events[0].timestamp.millis()) as f64 / 1000.0
}

/// When each state was left, in seconds from the start.
fn exits(events: &[Event]) -> Vec<(String, i64)> {
    let exit = |event: &Event| match &event.kind {
        EventKind::StateExited { name, .. } => {
            Some((name.to_string(), (event.timestamp.millis() - events[0].timestamp.millis()) / 1000))
        }
        _ => None,
    };
    events.iter().filter_map(exit).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_of_a_year_returns_at_once() {
    let began = Instant::now();
    let year = definition(&format!(r#""A": {{"Type": "Wait", "Seconds": {}, "End": true}}"#, 364 * DAY_S));
    let (outcome, events) = run(&builder().await.build(), &year, "{}").await;
    assert_eq!(outcome.status(), "SUCCEEDED");
    assert_eq!(seconds(&events), (364 * DAY_S) as f64);
    assert_eq!(events[0].timestamp.to_string(), "2030-01-01T00:00:00Z");
    assert!(began.elapsed() < REAL);
    // What skips nothing of its own accord is the real clock.
    let now = Clock::real().now().millis();
    let skips = Engine::builder(Journal::in_memory().await.unwrap()).skip_time().build();
    assert!((now..now + 60_000).contains(&skips.clock().now().millis()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_run_has_the_same_history_whatever_waits_in_it() {
    let parallel = definition(
        r#""A": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "W1", "States": {"W1": {"Type": "Wait", "Seconds": 3600, "Next": "T1"},
                "T1": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
                       "Parameters": {"QueueUrl": "q", "MessageBody": "m"},
                       "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "JitterStrategy": "FULL"}]}}},
            {"StartAt": "W2", "States": {"W2": {"Type": "Wait", "Seconds": 1800, "Next": "T2"},
                "T2": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "End": true,
                       "Parameters": {}, "TimeoutSeconds": 7200}}}]}"#,
    );
    let mocks = || {
        let busy = || Reply::Throw(Failure::new("Busy", "try again"));
        let slow = Answer { reply: Reply::Return(Value::from("slow")), after_ms: Some(7_000_000) };
        let rules = vec![MockRule::always(slow)];
        let mut mocks = Mocks::default().sequence("T1", [busy(), busy(), Reply::Return(Value::from("quick"))]);
        mocks.set("T2", MockedState { rules, ..MockedState::default() });
        mocks
    };
    let first = run(&builder().await.mocks(mocks()).build(), &parallel, "{}").await;
    assert_eq!(first.0, Outcome::Succeeded(r#"["quick", "slow"]"#.parse().unwrap()));
    assert_eq!(seconds(&first.1), 8800.0);
    let jitter = exits(&first.1).into_iter().find(|(state, _)| state == "T1").unwrap().1 - 3600;
    assert!((0..=30).contains(&jitter), "{jitter}");
    for _ in 0..5 {
        assert_eq!(run(&builder().await.mocks(mocks()).build(), &parallel, "{}").await, first);
    }
}

/// Notes when children of a map run start and end.
#[derive(Default)]
struct Times(Mutex<Vec<(String, i64)>>);

impl Observer for Times {
    fn observe(&self, update: &Update<'_>) {
        let ends = update.events.iter().filter(|event| event.kind.ends_execution());
        let mut times = self.0.lock().unwrap();
        times.extend(ends.map(|event| (update.execution.name.to_string(), event.timestamp.millis() / 1000)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_distributed_map_agree_on_the_time() {
    let map = definition(
        r#""A": {"Type": "Map", "End": true, "MaxConcurrency": 3, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "W",
            "States": {"W": {"Type": "Wait", "SecondsPath": "$", "Next": "T"},
                       "T": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true,
                             "Parameters": {"TopicArn": "t", "Message": "m"}}}}}"#,
    );
    // Three at once: 100, 200 and 300 seconds; then 400 from 100 on and 10 from 200 on.
    for _ in 0..10 {
        let times = Arc::new(Times::default());
        let mocks = Mocks::default().returns("T", Value::from("ok"));
        let engine = builder().await.mocks(mocks).observer(times.clone()).build();
        let (outcome, events) = run(&engine, &map, "[100, 200, 300, 400, 10]").await;
        assert_eq!(outcome.status(), "SUCCEEDED");
        assert_eq!(seconds(&events), 500.0);
        let start = events[0].timestamp.millis() / 1000;
        let mut ended: Vec<i64> = times.0.lock().unwrap().iter().map(|(_, at)| at - start).collect();
        ended.sort_unstable();
        assert_eq!(ended, [100, 200, 210, 300, 500, 500]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_call_is_held_to_its_real_timeout() {
    let calls = definition(
        r#""A": {"Type": "Wait", "Seconds": 1000, "Next": "Call"},
           "Call": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Hangs",
                    "TimeoutSeconds": 1, "End": true}"#,
    );
    let engine = builder().await.function("Hangs", |_: Value| std::future::pending()).build();
    let began = Instant::now();
    let (outcome, events) = run(&engine, &calls, "{}").await;
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.error.as_deref(), Some("States.Timeout"));
    assert!(began.elapsed() >= Duration::from_secs(1), "it really took its time");
    assert!((1001.0..1020.0).contains(&seconds(&events)), "{}", seconds(&events));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_as_long_as_it_takes_and_nothing_is_skipped_meanwhile() {
    let calls = definition(
        r#""A": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}},
            {"StartAt": "F", "States": {"F": {"Type": "Task", "TimeoutSeconds": 60, "End": true,
                "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Yields"}}}]}"#,
    );
    let yields = |event: Value| async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        Ok(event)
    };
    let (outcome, events) = run(&builder().await.function("Yields", yields).build(), &calls, "{}").await;
    assert_eq!(outcome.status(), "SUCCEEDED", "the wait did not run the task into its timeout");
    let exits = exits(&events);
    assert!(exits[0].0 == "F" && exits[0].1 < 60, "{exits:?}");
    assert!((3600.0..3601.0).contains(&seconds(&events)), "{}", seconds(&events));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_answers_runs_into_its_timeout() {
    let task = |resource: &str, rest: &str| {
        definition(&format!(
            r#""A": {{"Type": "Task", "Resource": "{resource}", "Parameters": {{"TopicArn": "t", "Message": "m"}}, {rest} "End": true}}"#
        ))
    };
    let activity = "arn:aws:states:us-east-1:000000000000:activity:a";
    for (definition, wanted_s) in [
        (task(activity, r#""TimeoutSeconds": 600, "HeartbeatSeconds": 60,"#), 60.0),
        (task("arn:aws:states:::sns:publish.waitForTaskToken", r#""TimeoutSeconds": 600,"#), 600.0),
        (task("arn:aws:states:::glue:startJobRun.sync", ""), (365 * DAY_S) as f64),
    ] {
        let mut mocks = Mocks::default();
        mocks.set("A", MockedState { rules: vec![MockRule::always(Reply::Never.into())], ..MockedState::default() });
        let (outcome, events) = run(&builder().await.mocks(mocks).build(), &definition, "{}").await;
        assert!(matches!(outcome, Outcome::Failed(_) | Outcome::TimedOut(_)), "{outcome:?}");
        assert_eq!(seconds(&events), wanted_s);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_clock_can_answer_a_token_in_time() {
    let waits = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 60,
                 "Parameters": {"FunctionName": "Ask", "Payload": {"token.$": "$$.Task.Token"}}, "End": true}"#,
    );
    let (asked, mut tokens) = mpsc::channel(1);
    let ask = move |event: Value| {
        let asked = asked.clone();
        async move {
            asked.send(event["token"].clone()).await.map_err(|e| Failure::new("Gone", e.to_string()))?;
            Ok(Value::Null)
        }
    };
    let engine = builder().await.function("Ask", ask).build();
    let hold = engine.clock().hold();
    let start = StartExecution { definition: waits, state_machine: "t", name: None, input: "{}" };
    let started = engine.start(start).await.unwrap();
    let token = tokens.recv().await.unwrap();
    engine.send_task_success(token.as_str().unwrap(), Value::from("yes")).await.unwrap();
    drop(hold);
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(Value::from("yes")));
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_tried_again_by_the_same_clock() {
    let publishes = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": "W",
                 "Parameters": {"TopicArn": "News", "Message": "hear"}},
           "W": {"Type": "Wait", "Seconds": 3600, "End": true}"#,
    );
    let spec = "functions = ['Hears']\n[[topics.News.Subscriptions]]\nProtocol = 'lambda'\nEndpoint = 'Hears'\n";
    let spec: ServicesSpec = toml::from_str(spec).unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    // The third attempt comes after one and two minutes.
    let hears = move |_: Value| {
        let nth = counted.fetch_add(1, Ordering::SeqCst);
        async move { if nth < 2 { Err(Failure::new("Deaf", "what?")) } else { Ok(Value::Null) } }
    };
    let engine = builder().await.services(services).function("Hears", hears).build();
    let (outcome, events) = run(&engine, &publishes, "{}").await;
    assert_eq!(outcome.status(), "SUCCEEDED");
    assert_eq!(count.load(Ordering::SeqCst), 3, "all attempts lie within the hour");
    assert!((3600.0..3601.0).contains(&seconds(&events)));
    assert_eq!(engine.store().executions(&Filter::default()).await.unwrap().len(), 1);
}

/// Waits in Parallels and Maps, nested; the seconds decide who is first.
fn flow(depth: u32) -> BoxedStrategy<String> {
    let wait = (0..500_u32).prop_map(|seconds| format!(r#"{{"Type": "Wait", "Seconds": {seconds}, "End": true}}"#));
    if depth == 0 {
        return wait.boxed();
    }
    let branches = proptest::collection::vec(flow(depth - 1), 1..4).prop_map(|states| {
        let branch = |state: &String| format!(r#"{{"StartAt": "S@", "States": {{"S@": {state}}}}}"#);
        let branches: Vec<String> = states.iter().map(branch).collect();
        format!(r#"{{"Type": "Parallel", "Branches": [{}], "End": true}}"#, branches.join(", "))
    });
    let map = (1..4_u32, flow(depth - 1)).prop_map(|(limit, state)| {
        format!(
            r#"{{"Type": "Map", "ItemsPath": "$$.Execution.Input", "MaxConcurrency": {limit}, "End": true,
                "ItemProcessor": {{"StartAt": "S@", "States": {{"S@": {state}}}}}}}"#
        )
    });
    prop_oneof![wait, branches, map].boxed()
}

/// State names are unique in the whole machine: each `@` pair gets its number.
fn named(state: &str) -> String {
    let mut out = String::new();
    for (number, part) in state.split(r#""StartAt": "S@""#).enumerate() {
        if number > 0 {
            out += &format!(r#""StartAt": "S{number}""#);
        }
        out += &part.replacen(r#""S@":"#, &format!(r#""S{number}":"#), 1);
    }
    out
}

/// What the machine does by itself when `now` is set to its next deadline each time.
fn alone(definition: &Arc<Definition>, execution: Execution, start: Timestamp) -> Vec<Event> {
    let mut machine = Machine::new(definition.clone());
    machine.handle(Input::Start(Box::new(execution)), start).unwrap();
    machine.run(start, u32::MAX);
    while let Some(deadline) = machine.next_deadline() {
        machine.run(deadline, u32::MAX);
    }
    machine.take_effects().events
}

#[test]
fn skipping_time_is_setting_now_to_the_next_deadline() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) });
    let law = |state: String| {
        runtime.block_on(async {
            let definition = definition(&format!(r#""A": {}"#, named(&state)));
            let engine = builder().await.build();
            let (outcome, events) = run(&engine, &definition, "[1, 2, 3, 4]").await;
            prop_assert_eq!(outcome.status(), "SUCCEEDED");
            let row = engine.store().executions(&Filter::default()).await.unwrap().remove(0);
            let record = engine.store().records(row.id).await.unwrap().remove(0);
            let Input::Start(execution) = &record.inputs[0] else { panic!("an execution starts") };
            prop_assert_eq!(events, alone(&definition, (**execution).clone(), record.now));
            Ok(())
        })
    };
    runner.run(&flow(3), law).unwrap();
}
