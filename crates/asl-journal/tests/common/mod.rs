//! Records to store: small ones by hand, and any at all for the laws.
#![allow(dead_code, reason = "each test binary uses its part")]

#[cfg(feature = "postgres")]
pub(crate) mod postgres;

use asl_core::event::{EventKind, Failure, Family, IterationStage, Scheduled, TaskStage};
use asl_core::{Event, Execution, ExecutionType, Input, MapRunId, Outcome, TaskId};
use asl_expr::Timestamp;
use asl_journal::{
    Definition, Durability, ExecutionId, Journal, JournalError, JournalWorker, Kept, NewExecution, NewWorker, Options,
    Record,
};
use asl_syntax::model::StateType;
use asl_value::Value;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// Without waiting for the disk: what the tests prove does not depend on it.
pub(crate) async fn open(path: &Path) -> JournalWorker {
    own(try_open(path).await.unwrap()).await
}

pub(crate) async fn memory() -> JournalWorker {
    own(Journal::in_memory().await.unwrap()).await
}

/// As a new worker: only a worker writes histories.
pub(crate) async fn own(journal: Journal) -> JournalWorker {
    let id = journal.register(new_worker()).await.unwrap();
    journal.as_worker(id)
}

pub(crate) fn new_worker() -> NewWorker {
    NewWorker { what: "test".into(), process: 1, lock: None, beat: 7, lease_ms: 30_000, gone: Vec::new() }
}

pub(crate) async fn try_open(path: &Path) -> Result<Journal, JournalError> {
    Journal::open(path, Options { durability: Durability::Normal, ..Options::default() }).await
}

pub(crate) fn json(text: &str) -> Value {
    text.parse().unwrap()
}

pub(crate) fn execution(name: &str, machine: &str, input_text: &str) -> Execution {
    Execution {
        arn: format!("arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}").into(),
        name: name.into(),
        state_machine_arn: format!("arn:aws:states:us-east-1:123456789012:stateMachine:{machine}").into(),
        state_machine_name: machine.into(),
        role_arn: "arn:aws:iam::123456789012:role/asl".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: u64::MAX,
        token_key: Some(asl_core::TokenKey::new(std::array::from_fn(|n| n as u8))),
        input_text: input_text.into(),
        input: input_text.parse().unwrap_or_default(),
    }
}

pub(crate) fn event(id: u64, kind: EventKind) -> Event {
    Event { id, previous: id - 1, timestamp: Timestamp::from_millis(NOW_MS + id as i64), kind }
}

pub(crate) fn new_execution(name: &str) -> NewExecution {
    new_of(name, "fare", r#"{"fareId": "f1"}"#)
}

pub(crate) fn new_of(name: &str, machine: &str, input_text: &str) -> NewExecution {
    let execution = Arc::new(execution(name, machine, input_text));
    let started =
        EventKind::ExecutionStarted { input: execution.input_text.clone(), role_arn: execution.role_arn.clone() };
    let record = Record {
        now: Timestamp::from_millis(NOW_MS),
        inputs: vec![Input::Start(Box::new((*execution).clone()))],
        steps: 1,
        events: vec![event(1, started), entered(2, "A", execution.input.clone())],
    };
    NewExecution { definition: Arc::new(definition(machine)), execution, record, outcome: None, started_as: None }
}

pub(crate) fn definition(machine: &str) -> Definition {
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
    Definition { hash: format!("hash-of-{machine}").into(), name: machine.into(), text: text.into() }
}

pub(crate) fn entered(id: u64, name: &str, input: Value) -> Event {
    event(id, EventKind::StateEntered { state: StateType::Task, name: name.into(), input })
}

/// A record with one event.
pub(crate) fn step(id: u64, value: Value) -> Record {
    let now = Timestamp::from_millis(NOW_MS + id as i64);
    let inputs = vec![Input::TaskSucceeded { task: TaskId(id), output: value.clone() }];
    Record { now, inputs, steps: 2, events: vec![entered(id, "B", value)] }
}

/// A record that ends an execution.
pub(crate) fn last(id: u64) -> (Record, Outcome) {
    let failure = Failure::new("States.TaskFailed", "because");
    let mut record = step(id, Value::Null);
    record.events = vec![event(id, EventKind::ExecutionFailed(failure.clone()))];
    (record, Outcome::Failed(failure))
}

pub(crate) async fn ids(journal: &Journal, id: ExecutionId) -> Vec<u64> {
    let records = journal.records(id).await.unwrap();
    records.iter().flat_map(|record| record.events.iter().map(|event| event.id)).collect()
}

// Any records at all. Payloads are chosen from a pool, so that the same node comes again.

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "-?[1-9][0-9]{0,60}".prop_map(|digits| json(&digits)),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(Value::from_iter),
        ]
    })
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "[^\\x00]{0,12}".prop_map(Arc::from)
}

fn failure() -> impl Strategy<Value = Failure> {
    (prop::option::of(text()), prop::option::of(text())).prop_map(|(error, cause)| Failure { error, cause })
}

fn state_type() -> impl Strategy<Value = StateType> {
    use StateType::*;
    prop::sample::select(vec![Pass, Task, Choice, Wait, Succeed, Fail, Parallel, Map])
}

fn stage() -> impl Strategy<Value = TaskStage<usize>> {
    let seconds = || prop::option::of(0..100_000_000u64);
    let scheduled = (text(), any::<usize>(), seconds(), seconds(), prop::option::of(text()));
    prop_oneof![
        scheduled.prop_map(|(resource_or_region, parameters, timeout_seconds, heartbeat_seconds, role_arn)| {
            TaskStage::Scheduled(Box::new(Scheduled {
                resource_or_region,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                role_arn,
            }))
        }),
        prop::option::of(text()).prop_map(|worker| TaskStage::Started { worker }),
        any::<usize>().prop_map(|output| TaskStage::Submitted { output }),
        any::<usize>().prop_map(|output| TaskStage::Succeeded { output }),
        failure().prop_map(TaskStage::Failed),
        failure().prop_map(TaskStage::TimedOut),
        failure().prop_map(TaskStage::ScheduleFailed),
        failure().prop_map(TaskStage::StartFailed),
        failure().prop_map(TaskStage::SubmitFailed),
    ]
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![
        (text(), text()).prop_map(|(resource_type, resource)| Family::Service { resource_type, resource }),
        Just(Family::Lambda),
        Just(Family::Activity),
    ]
}

/// All kinds but `ExecutionStarted`, which is the first of a history.
fn kind() -> impl Strategy<Value = EventKind<usize>> {
    use EventKind as K;
    use IterationStage::*;
    let assigned = prop::collection::vec(any::<usize>(), 0..4).prop_map(|values| {
        let named = values.into_iter().enumerate();
        named.map(|(i, value)| (Arc::from(format!("v{i}")), value)).collect::<Vec<_>>()
    });
    prop_oneof![
        any::<usize>().prop_map(|output| K::ExecutionSucceeded { output }),
        failure().prop_map(K::ExecutionFailed),
        failure().prop_map(K::ExecutionAborted),
        failure().prop_map(K::ExecutionTimedOut),
        (state_type(), text(), any::<usize>()).prop_map(|(state, name, input)| K::StateEntered { state, name, input }),
        (state_type(), text(), any::<usize>(), assigned).prop_map(|(state, name, output, assigned)| K::StateExited {
            state,
            name,
            output,
            assigned
        }),
        state_type().prop_map(K::StateAborted),
        Just(K::ParallelStateStarted),
        Just(K::ParallelStateSucceeded),
        Just(K::ParallelStateFailed),
        (0..40_000_000u64).prop_map(|length| K::MapStateStarted { length }),
        Just(K::MapStateSucceeded),
        Just(K::MapStateFailed),
        (prop::sample::select(vec![Started, Succeeded, Failed, Aborted]), text(), 0..40_000_000u64)
            .prop_map(|(stage, name, index)| K::MapIteration { stage, name, index }),
        text().prop_map(|arn| K::MapRunStarted { arn }),
        Just(K::MapRunSucceeded),
        failure().prop_map(K::MapRunFailed),
        Just(K::MapRunAborted),
        any::<u32>().prop_map(|n| K::ExecutionRedriven { redrive_count: n.into() }),
        (text(), any::<u32>()).prop_map(|(arn, n)| K::MapRunRedriven { arn, redrive_count: n.into() }),
        (family(), stage()).prop_map(|(family, stage)| K::Task { family, stage }),
        (failure(), text(), text()).prop_map(|(failure, location, state)| K::EvaluationFailed {
            failure,
            location,
            state
        }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome<usize>> {
    prop_oneof![
        any::<usize>().prop_map(Outcome::Succeeded),
        failure().prop_map(Outcome::Failed),
        failure().prop_map(Outcome::TimedOut),
        failure().prop_map(Outcome::Aborted),
    ]
}

fn input() -> impl Strategy<Value = Input<usize>> {
    let task = || any::<u64>().prop_map(TaskId);
    let run = || any::<u64>().prop_map(MapRunId);
    prop_oneof![
        task().prop_map(|task| Input::TaskScheduled { task }),
        (task(), text()).prop_map(|(task, cause)| Input::TaskRejected { task, cause }),
        (task(), prop::option::of(text())).prop_map(|(task, worker)| Input::TaskStarted { task, worker }),
        (task(), any::<usize>()).prop_map(|(task, output)| Input::TaskSubmitted { task, output }),
        (task(), any::<usize>()).prop_map(|(task, output)| Input::TaskSucceeded { task, output }),
        (task(), failure()).prop_map(|(task, failure)| Input::TaskFailed { task, failure }),
        task().prop_map(|task| Input::TaskHeartbeat { task }),
        (run(), any::<usize>()).prop_map(|(run, items)| Input::MapItems { run, items }),
        (run(), any::<u64>(), any::<usize>()).prop_map(|(run, from, items)| Input::MapPiece { run, from, items }),
        failure().prop_map(Input::Fail),
        (run(), failure()).prop_map(|(run, failure)| Input::MapFailed { run, failure }),
        (run(), any::<u64>(), outcome()).prop_map(|(run, child, outcome)| Input::ChildDone { run, child, outcome }),
        run().prop_map(|run| Input::MapWritten { run }),
        (run(), outcome()).prop_map(|(run, outcome)| Input::MapRunDone { run, outcome }),
        failure().prop_map(Input::Stop),
        Just(Input::Redrive),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => (0..253_402_300_800_000i64).prop_map(Timestamp::from_millis),
        1 => (0..1_000_000_000u32).prop_map(|n| format!("2024-02-29T23:59:59.{n:09}Z").parse().unwrap()),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let events = prop::collection::vec((kind(), prop::option::of(time()), 0..25_000u64), 0..6);
    let pool = prop::collection::vec(value(), 1..4);
    (time(), prop::collection::vec(input(), 0..3), any::<u32>(), events, pool).prop_map(
        |(now, inputs, steps, events, pool)| {
            let mut take = |i: usize| pool[i % pool.len()].clone();
            let inputs = inputs.into_iter().map(|input| input.map(&mut take)).collect();
            let events = events.into_iter().map(|(kind, time, previous)| {
                Event { id: 0, previous, timestamp: time.unwrap_or(now), kind }.map(&mut take)
            });
            Record { now, inputs, steps, events: events.collect() }
        },
    )
}

/// The input's text as a caller may give it.
fn input_text() -> impl Strategy<Value = String> {
    prop_oneof![
        value().prop_map(|v| v.to_string()),
        value().prop_map(|v| format!("{v:#}\n")),
        value().prop_map(|v| format!(" {v}\r\n\t")),
        Just(r#"{"a": 1.50, "a\u0041": 1e2, "é": "\/"}"#.to_owned()),
        any::<String>(),
    ]
}

/// The records of an execution, its events numbered; the first record starts it.
pub(crate) fn history() -> impl Strategy<Value = Vec<Record>> {
    (input_text(), prop::collection::vec(record(), 1..6)).prop_map(|(input_text, mut records)| {
        let execution = execution("any", "any", &input_text);
        let started =
            EventKind::ExecutionStarted { input: execution.input_text.clone(), role_arn: execution.role_arn.clone() };
        let first = &mut records[0];
        first.inputs.insert(0, Input::Start(Box::new(execution)));
        first.events.insert(0, Event { id: 0, previous: 0, timestamp: first.now, kind: started });
        for (id, event) in (1..).zip(records.iter_mut().flat_map(|record| &mut record.events)) {
            event.id = id;
        }
        records
    })
}

/// A history as text.
pub(crate) fn kept(records: Vec<Record>) -> String {
    Kept { name: "any".to_owned(), definition: "{}".to_owned(), records }.text().unwrap()
}

/// Stores a history under a name; some of it in one go.
pub(crate) async fn store(journal: &JournalWorker, name: &str, records: &[Record]) -> ExecutionId {
    let mut new = new_execution(name);
    new.record = records[0].clone();
    let id = journal.create(new).await.unwrap();
    for record in &records[1..] {
        journal.append(id, record.clone(), None).await.unwrap();
    }
    id
}
