//! What the engine promises to whoever embeds it: write first then act, resume, replay, stop, callbacks, deliveries.

mod common;

use asl_core::{Event, EventKind, Failure, Outcome, TaskId};
use asl_engine::{Engine, EngineBuilder, EngineError, Observer, ReplayError, StartExecution, Started, Update, replay};
use asl_journal::{Filter, Status};
use asl_store::contract::transact;
use asl_syntax::{Definition, Options, Source, load};
use asl_task::bucket::Buckets;
use asl_task::embedded::{Identity, Receive, Services, ServicesSpec};
use asl_task::function::Handler;
use asl_value::Value;
use common::{Home, on_every_store};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

on_every_store! {
    what_a_function_can_see_is_written_before_it_is_called,
    an_execution_goes_on_after_its_engine_is_gone,
    a_stopped_execution_is_aborted_and_its_function_given_up,
    a_history_that_was_tampered_with_does_not_replay,
    a_callback_finds_its_task_by_the_token_and_a_false_one_does_not,
    a_topic_reaches_a_function_once,
    what_cannot_start_leaves_nothing_behind,
    mocked_states_need_no_backend_and_answer_by_invocation,
    a_distributed_map_runs_its_children_as_executions_of_their_own,
    a_distributed_map_goes_on_after_its_engine_is_gone,
    an_undeclared_bucket_is_refused_by_name,
    many_at_once_share_commits_and_all_replay,
    observers_see_every_event_once_and_in_order,
}

fn definition(states: &str) -> Arc<Definition> {
    let source = Source::new("test", format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#));
    let loaded = load(&source, &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn call(function: &str, rest: &str) -> Arc<Definition> {
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
    definition(&format!(r#""A": {{"Type": "Task", "Resource": "{arn}", {rest} "End": true}}"#))
}

async fn memory(home: &Home) -> EngineBuilder {
    Engine::builder(home.open().await.store())
}

async fn start(engine: &Engine, definition: &Arc<Definition>, input: &str) -> Result<Started, EngineError> {
    engine.start(StartExecution { definition: definition.clone(), state_machine: "test", name: None, input }).await
}

fn services(toml: &str) -> Services {
    let spec: ServicesSpec = toml::from_str(toml).unwrap();
    Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap()
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

fn types(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::type_name).collect()
}

/// A function that says when it was called, and never answers.
struct Hangs {
    called: Arc<Notify>,
    ids: Arc<Mutex<Vec<String>>>,
}

#[async_trait::async_trait]
impl Handler for Hangs {
    async fn handle(&self, _: Value, request_id: &str) -> Result<Value, Failure> {
        self.ids.lock().unwrap().push(request_id.to_owned());
        self.called.notify_one();
        std::future::pending().await
    }
}

/// A function that remembers its request ids and echoes.
struct Echo(Arc<Mutex<Vec<String>>>);

#[async_trait::async_trait]
impl Handler for Echo {
    async fn handle(&self, event: Value, request_id: &str) -> Result<Value, Failure> {
        self.0.lock().unwrap().push(request_id.to_owned());
        Ok(event)
    }
}

async fn what_a_function_can_see_is_written_before_it_is_called(home: Home) {
    let journal = home.open().await.store();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (reader, shared) = (journal.clone(), seen.clone());
    let look = move |event: Value| {
        let (reader, shared) = (reader.clone(), shared.clone());
        async move {
            let row = reader.executions(&Filter::default()).await.unwrap().remove(0);
            let records = reader.records(row.id).await.unwrap();
            shared.lock().unwrap().extend(records.into_iter().flat_map(|r| r.events));
            Ok(event)
        }
    };
    let engine = Engine::builder(journal).function("Look", look).build();
    let started = start(&engine, &call("Look", ""), "{}").await.unwrap();
    engine.wait(&started.arn).await.unwrap();
    assert_eq!(
        types(&seen.lock().unwrap()),
        ["ExecutionStarted", "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted"]
    );
}

async fn an_execution_goes_on_after_its_engine_is_gone(home: Home) {
    let (called, ids) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let definition = call("Work", r#""ResultPath": "$.result","#);

    let hangs = Hangs { called: called.clone(), ids: ids.clone() };
    let first = Engine::builder(home.open().await.store()).function("Work", hangs).build();
    let started = start(&first, &definition, r#"{"n": 1}"#).await.unwrap();
    called.notified().await;
    first.shutdown().await.unwrap();
    assert!(matches!(first.wait(&started.arn).await, Err(EngineError::ShutDown)));

    let second = Engine::builder(home.open().await.store()).function("Work", Echo(ids.clone())).build();
    assert_eq!(second.resume().await.unwrap(), std::slice::from_ref(&started.arn));
    let outcome = second.wait(&started.arn).await.unwrap();
    assert_eq!(outcome, Outcome::Succeeded(r#"{"n": 1, "result": {"n": 1}}"#.parse().unwrap()));

    let ids = ids.lock().unwrap().clone();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "the call is repeated under the same request id");
    let history = second.history(&started.arn).await.unwrap();
    let numbers: Vec<u64> = history.iter().map(|e| e.id).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    let row = second.store().execution(&started.arn).await.unwrap().unwrap();
    assert_eq!(replay(second.store(), &row).await.unwrap().events, 7);
    assert!(second.resume().await.unwrap().is_empty(), "nothing is open any more");
}

async fn a_stopped_execution_is_aborted_and_its_function_given_up(home: Home) {
    struct Dropped(Arc<Notify>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (called, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, gone) = (called.clone(), dropped.clone());
    let hang = move |_: Value| {
        let (tell, guard) = (tell.clone(), Dropped(gone.clone()));
        async move {
            let _guard = guard;
            tell.notify_one();
            std::future::pending().await
        }
    };
    let engine = memory(&home).await.function("Hang", hang).build();
    let started = start(&engine, &call("Hang", ""), "{}").await.unwrap();
    called.notified().await;
    engine.stop(&started.arn, Failure::new("Enough", "it takes too long")).await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Aborted(Failure::new("Enough", "it takes too long")));
    dropped.notified().await;
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    assert_eq!(row.status, Status::Aborted);
    engine.stop(&started.arn, Failure::default()).await.unwrap();
    assert!(matches!(engine.stop("arn:none", Failure::default()).await, Err(EngineError::NoSuchExecution(_))));
}

async fn a_history_that_was_tampered_with_does_not_replay(home: Home) {
    let engine = memory(&home).await.build();
    let pass = definition(r#""A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": true}"#);
    let started = start(&engine, &pass, r#"{"x": 1}"#).await.unwrap();
    engine.wait(&started.arn).await.unwrap();
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    let mut record = engine.store().records(row.id).await.unwrap().remove(0);
    let EventKind::StateEntered { input, .. } = &mut record.events[3].kind else { panic!("{:?}", record.events) };
    *input = Value::from("forged");

    let other = home.fresh();
    let forged = other.open().await.store();
    let stored = engine.store().definition(&row.definition).await.unwrap().unwrap();
    let asl_core::Input::Start(execution) = record.inputs[0].clone() else { panic!() };
    let outcome = Some(engine.wait(&started.arn).await.unwrap());
    let new = asl_journal::NewExecution {
        definition: Arc::new(stored),
        execution: Arc::new(*execution),
        record,
        outcome,
        started_as: None,
    };
    forged.submit(new).await.unwrap();
    let row = forged.execution(&started.arn).await.unwrap().unwrap();
    match replay(&*forged, &row).await {
        Err(ReplayError::Divergence(divergence)) => {
            assert_eq!(divergence.event, 4);
            assert!(divergence.to_string().contains("forged"), "{divergence}");
        }
        other => panic!("{other:?}"),
    }
}

async fn a_callback_finds_its_task_by_the_token_and_a_false_one_does_not(home: Home) {
    let engine = memory(&home).await.services(services("[queues.Jobs]")).build();
    let wait = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
            "Parameters": {"QueueUrl": "Jobs", "MessageBody": {"token.$": "$$.Task.Token"}}}"#,
    );
    let started = start(&engine, &wait, "{}").await.unwrap();
    let token = loop {
        let services = services("[queues.Jobs]");
        let received = transact(engine.store(), move |tx| {
            let services = services.clone();
            Box::pin(async move {
                let receive = Receive { limit: 1, visibility_timeout_ms: Some(0), now_ms: now_ms(), seed: 1 };
                let messages = services.receive_messages(tx, "Jobs", &receive).await;
                let messages = messages.map_err(|e| EngineError::Services(e.to_string()))?;
                let tokens: Vec<Value> = messages.iter().map(|m| m.body.parse().unwrap()).collect();
                Ok::<_, EngineError>(tokens)
            })
        });
        if let Some(body) = received.await.unwrap().first() {
            break body["token"].as_str().unwrap().to_owned();
        }
        tokio::task::yield_now().await;
    };
    let (arn, task) = asl_core::read_task_token(&token).unwrap();
    assert_eq!((arn.as_str(), task), (&*started.arn, TaskId(1)));
    let forged = format!("{}{}", if token.starts_with('0') { '1' } else { '0' }, &token[1..]);
    for bad in ["", "no token", &forged] {
        let refused = engine.send_task_success(bad, Value::Null).await;
        assert!(matches!(refused, Err(EngineError::InvalidToken)), "{bad}: {refused:?}");
    }
    engine.send_task_heartbeat(&token).await.unwrap();
    engine.send_task_success(&token, Value::from("done")).await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(Value::from("done")));
    assert!(engine.send_task_success(&token, Value::Null).await.is_err(), "a token works once");
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    replay(engine.store(), &row).await.unwrap();
}

async fn a_topic_reaches_a_function_once(home: Home) {
    let calls = Arc::new(AtomicU32::new(0));
    let count = calls.clone();
    let (told, heard) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Value::Null)));
    let (tell, hear) = (told.clone(), heard.clone());
    let function = move |event: Value| {
        count.fetch_add(1, Ordering::SeqCst);
        *hear.lock().unwrap() = event["Records"][0]["Sns"]["Message"].clone();
        tell.notify_one();
        async { Ok(Value::Null) }
    };
    let spec = r#"
        functions = ["Audit"]
        [[topics.News.Subscriptions]]
        Protocol = "lambda"
        Endpoint = "Audit"
    "#;
    let engine = memory(&home).await.services(services(spec)).function("Audit", function).build();
    let publish = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true,
            "Parameters": {"TopicArn": "News", "Message.$": "$"}}"#,
    );
    let started = start(&engine, &publish, r#"{"hello": "world"}"#).await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap().status(), "SUCCEEDED");
    told.notified().await;
    assert_eq!(*heard.lock().unwrap(), Value::from(r#"{"hello":"world"}"#));
    engine.shutdown().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1, "a delivery that was made is not made again");
}

async fn what_cannot_start_leaves_nothing_behind(home: Home) {
    let engine = memory(&home).await.services(services("[tables.Fares]\nHashKey = \"id\"")).build();
    let pass = definition(r#""A": {"Type": "Pass", "End": true}"#);
    let named = |name, input| StartExecution { definition: pass.clone(), state_machine: "test", name, input };
    let (long, large) = ("x".repeat(81), format!("\"{}\"", "x".repeat(262_143)));
    let refused = [
        engine.start(named(Some("a b"), "{}")).await,
        engine.start(named(Some(&long), "{}")).await,
        engine.start(named(None, "{")).await,
        engine.start(named(None, &large)).await,
        start(&engine, &call("Nobody", ""), "{}").await,
    ];
    for (refused, words) in
        refused.into_iter().zip(["'a b'", "80 characters", "not JSON", "262144", "[functions.Nobody]"])
    {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    let table = |name: &str| {
        definition(&format!(
            r#""A": {{"Type": "Task", "Resource": "arn:aws:states:::dynamodb:getItem", "End": true,
                "Parameters": {{"TableName": "{name}", "Key": {{"id": {{"S": "1"}}}}}}}}"#
        ))
    };
    let message = start(&engine, &table("Fars"), "{}").await.unwrap_err().to_string();
    assert!(message.contains("Fars") && message.contains("[tables.Fars]"), "{message}");
    assert!(engine.store().executions(&Filter::default()).await.unwrap().is_empty());

    engine.start(named(Some("once"), "{}")).await.unwrap();
    assert!(matches!(engine.start(named(Some("once"), "{}")).await, Err(EngineError::AlreadyExists { .. })));
    start(&engine, &table("Fares"), "{}").await.unwrap();
}

async fn mocked_states_need_no_backend_and_answer_by_invocation(home: Home) {
    let config = r#"{
        "StateMachines": {"test": {"TestCases": {"Flaky": {"A": "Flaky"}}}},
        "MockedResponses": {"Flaky": {"0": {"Throw": {"Error": "Busy", "Cause": "later"}}, "1": {"Return": {"id": 7}}}}
    }"#;
    let mocks = asl_task::mock::Mocks::load(config, "test", "Flaky").unwrap();
    let engine = memory(&home).await.mocks(mocks).build();
    let states = r#""A": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "End": true,
        "Parameters": {"JobName": "j"}, "Catch": [{"ErrorEquals": ["Busy"], "Next": "A"}]}"#;
    let started = start(&engine, &definition(states), "{}").await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(r#"{"id": 7}"#.parse().unwrap()));
    let history = types(&engine.history(&started.arn).await.unwrap());
    assert!(
        history
            .ends_with(&["TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"].map(str::to_owned))
    );
}

const DISTRIBUTED: &str = r#""A": {"Type": "Map", "Label": "Each", "MaxConcurrency": 2, "End": true,
    "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
                   "Parameters": {"Bucket": "in", "Key": "items.json"}},
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "B",
        "States": {"B": {"Type": "Task", "End": true,
                         "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work"}}}}"#;

fn items(folder: &Path) -> Buckets {
    std::fs::write(folder.join("items.json"), "[1, 2, 3]").unwrap();
    Buckets::new([("in".to_owned(), folder.to_owned())].into())
}

async fn a_distributed_map_runs_its_children_as_executions_of_their_own(home: Home) {
    let folder = tempfile::tempdir().unwrap();
    let double = |n: Value| async move { Ok(Value::from(2 * n.as_i64().unwrap())) };
    let engine = memory(&home).await.buckets(items(folder.path())).function("Work", double).build();
    let started = start(&engine, &definition(DISTRIBUTED), "{}").await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded("[2, 4, 6]".parse().unwrap()));
    let all = engine.store().executions(&Filter::default()).await.unwrap();
    assert_eq!(all.iter().filter(|row| row.arn.contains("execution:test/Each:")).count(), 3);
    for row in all {
        assert_eq!(row.status, Status::Succeeded);
        replay(engine.store(), &row).await.unwrap();
    }
}

async fn a_distributed_map_goes_on_after_its_engine_is_gone(home: Home) {
    let folder = tempfile::tempdir().unwrap();
    let (called, ids) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let hangs = Hangs { called: called.clone(), ids: ids.clone() };
    let first =
        Engine::builder(home.open().await.store()).buckets(items(folder.path())).function("Work", hangs).build();
    let started = start(&first, &definition(DISTRIBUTED), "{}").await.unwrap();
    called.notified().await;
    first.shutdown().await.unwrap();

    let second = Engine::builder(home.open().await.store())
        .buckets(items(folder.path()))
        .function("Work", |n: Value| async move { Ok(n) })
        .build();
    second.resume().await.unwrap();
    assert_eq!(second.wait(&started.arn).await.unwrap(), Outcome::Succeeded("[1, 2, 3]".parse().unwrap()));
    let all = second.store().executions(&Filter::default()).await.unwrap();
    assert_eq!(all.len(), 4, "the children of before went on, no others were made");
}

async fn an_undeclared_bucket_is_refused_by_name(home: Home) {
    let engine = memory(&home).await.function("Work", |n: Value| async move { Ok(n) }).build();
    let message = start(&engine, &definition(DISTRIBUTED), "{}").await.unwrap_err().to_string();
    assert!(message.contains("[buckets.in]"), "{message}");
}

async fn many_at_once_share_commits_and_all_replay(home: Home) {
    const MANY: usize = 200;
    let journal = home.open().await;
    let engine = Engine::builder(journal.store())
        .services(services("[tables.Fares]\nHashKey = \"id\""))
        .function("Charge", |event: Value| async move { Ok(event) })
        .build();
    let saga = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "ResultPath": null, "Next": "B",
            "Parameters": {"TableName": "Fares", "Item": {"id": {"S.$": "$.id"}},
                           "ConditionExpression": "attribute_not_exists(id)"}},
          "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Charge", "Next": "C"},
          "C": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "End": true,
            "Parameters": {"TableName": "Fares", "Key": {"id": {"S.$": "$.id"}}, "UpdateExpression": "ADD charged :one",
                           "ExpressionAttributeValues": {":one": {"N": "1"}}, "ReturnValues": "UPDATED_NEW"}}"#,
    );
    let mut running = Vec::new();
    for n in 0..MANY {
        let (engine, saga) = (engine.clone(), saga.clone());
        running.push(tokio::spawn(async move {
            let started = start(&engine, &saga, &format!(r#"{{"id": "{n}"}}"#)).await.unwrap();
            engine.wait(&started.arn).await.unwrap()
        }));
    }
    for outcome in running {
        let Outcome::Succeeded(output) = outcome.await.unwrap() else { panic!("one did not succeed") };
        assert_eq!(output["Attributes"]["charged"]["N"], Value::from("1"));
    }
    let all = engine.store().executions(&Filter { limit: Some(1000), ..Filter::default() }).await.unwrap();
    assert_eq!(all.len(), MANY);
    for row in all {
        assert_eq!(replay(engine.store(), &row).await.unwrap().events, 17);
    }
    let (commits, records) = (journal.commits(), journal.records_written());
    assert!(commits < records, "{commits} commits for {records} records");
}

/// Everything an observer is told was in the journal by then.
async fn observers_see_every_event_once_and_in_order(home: Home) {
    struct Watch(Mutex<Vec<u64>>);
    impl Observer for Watch {
        fn observe(&self, update: &Update<'_>) {
            self.0.lock().unwrap().extend(update.events.iter().map(|e| e.id));
        }
    }
    let watch = Arc::new(Watch(Mutex::default()));
    let engine = memory(&home).await.observer(watch.clone()).function("Echo", |e: Value| async { Ok(e) }).build();
    let started = start(&engine, &call("Echo", ""), "{}").await.unwrap();
    engine.wait(&started.arn).await.unwrap();
    assert_eq!(*watch.0.lock().unwrap(), [1, 2, 3, 4, 5, 6, 7]);
}
