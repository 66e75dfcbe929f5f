//! Events from a workflow: with a task token to a queue, and through a rule to another state machine; and what clients call.

mod common;

use asl_core::Outcome;
use asl_engine::{CallError, Engine, StartExecution, Started};
use asl_expr::Timestamp;
use asl_journal::Filter;
use asl_store::StateMachineRow;
use asl_syntax::{Definition, Options, Source, load};
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_value::{Map, Value};
use common::{Home, on_every_store};
use std::sync::Arc;

on_every_store! {
    an_event_carries_a_token_that_a_client_of_a_queue_sends_back,
    a_rule_starts_a_state_machine_of_the_catalogue,
    what_a_service_refuses_leaves_nothing,
    a_rule_hears_what_executions_come_to,
    what_was_not_told_before_a_crash_is_told_after_it,
}

const PROJECT: &str = r#"
    [queues.Asked]
    [[rules.asks.Targets]]
    Arn = "sqs:Asked"
    [rules.asks.EventPattern]
    source = ["workflow"]
    [[rules.starts.Targets]]
    Arn = "states:other"
    InputPath = "$.detail"
    [rules.starts.EventPattern]
    source = ["starter"]
"#;

fn definition(state: &str) -> Arc<Definition> {
    let text = format!(r#"{{"StartAt": "A", "States": {{"A": {state}}}}}"#);
    let loaded = load(&Source::new("test", text), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn puts(source: &str, resource: &str, detail: &str) -> Arc<Definition> {
    definition(&format!(
        r#"{{"Type": "Task", "Resource": "arn:aws:states:::events:putEvents{resource}", "End": true,
            "Parameters": {{"Entries": [{{"Source": "{source}", "DetailType": "asks", "Detail": {detail}}}]}}}}"#
    ))
}

async fn engine(home: &Home) -> Engine {
    let spec: ServicesSpec = toml::from_str(PROJECT).unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    Engine::builder(home.open().await.store()).services(services).build()
}

async fn start(engine: &Engine, definition: &Arc<Definition>, machine: &str) -> Started {
    let start = StartExecution { definition: definition.clone(), state_machine: machine, name: None, input: "{}" };
    engine.start(start).await.unwrap()
}

/// What a client gets of the queue, once there is something.
async fn receive(engine: &Engine) -> Map {
    loop {
        let parameters: Value = r#"{"QueueUrl": "Asked"}"#.parse().unwrap();
        let answer = engine.call_service("sqs", "ReceiveMessage", parameters, "id").await.unwrap();
        match answer.get("Messages").and_then(Value::as_array).and_then(|all| all[0].as_object()) {
            Some(message) => return message.clone(),
            None => tokio::task::yield_now().await,
        }
    }
}

async fn an_event_carries_a_token_that_a_client_of_a_queue_sends_back(home: Home) {
    let engine = engine(&home).await;
    let waits = puts("workflow", ".waitForTaskToken", r#"{"token.$": "$$.Task.Token"}"#);
    let started = start(&engine, &waits, "test").await;
    let event: Value = receive(&engine).await.get("Body").unwrap().as_str().unwrap().parse().unwrap();
    let resources = event["resources"].as_array().unwrap();
    let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:test";
    assert_eq!(resources, [Value::from(&*started.arn), Value::from(machine)]);
    let token = event["detail"]["token"].as_str().unwrap();
    engine.send_task_success(token, Value::from("yes")).await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Succeeded(Value::from("yes")));
}

async fn a_rule_starts_a_state_machine_of_the_catalogue(home: Home) {
    let journal = home.open().await.store();
    let engine = engine(&home).await;
    // One execution, so that the database has the definition.
    let other = start(&engine, &definition(r#"{"Type": "Pass", "End": true}"#), "other").await;
    engine.wait(&other.arn).await.unwrap();
    let row = engine.store().execution(&other.arn).await.unwrap().unwrap();
    let machine = StateMachineRow {
        arn: row.state_machine_arn.clone(),
        name: "other".to_owned(),
        kind: "STANDARD".to_owned(),
        definition: row.definition,
        role_arn: "role".to_owned(),
        status: "ACTIVE".to_owned(),
        revision_id: None,
        configuration: "{}".to_owned(),
        last_version: 0,
        created: Timestamp::from_millis(1),
        updated: None,
    };
    assert!(journal.catalogue().unwrap().create_state_machine(&machine).await.unwrap());
    let started = start(&engine, &puts("starter", "", r#"{"k": [1]}"#), "test").await;
    assert_eq!(engine.wait(&started.arn).await.unwrap().status(), "SUCCEEDED");
    engine.shutdown().await.unwrap();
    let all = journal.executions(&Filter::default()).await.unwrap();
    let by_rule: Vec<_> = all.iter().filter(|row| row.state_machine == "other" && row.arn != *other.arn).collect();
    assert_eq!(by_rule.len(), 1, "started once, though the engine ended in between");
}

async fn what_a_service_refuses_leaves_nothing(home: Home) {
    let engine = engine(&home).await;
    let call = |operation: &'static str, parameters: &str| {
        let (engine, parameters) = (engine.clone(), parameters.parse::<Value>().unwrap());
        async move { engine.call_service("sqs", operation, parameters, "id").await }
    };
    let CallError::Refused(refused) = call("NoSuchThing", "{}").await.unwrap_err() else { panic!("a refusal") };
    assert_eq!(refused.code, "UnknownOperationException");
    let missing = call("SendMessage", r#"{"QueueUrl": "None", "MessageBody": "x"}"#).await.unwrap_err();
    let CallError::Refused(refused) = missing else { panic!("a refusal") };
    assert_eq!(refused.code, "com.amazonaws.sqs#QueueDoesNotExist");
    assert_eq!(refused.query_code.as_deref(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    call("CreateQueue", r#"{"QueueName": "New"}"#).await.unwrap();
    call("SendMessage", r#"{"QueueUrl": "New", "MessageBody": "x"}"#).await.unwrap();
    let answer = call("ReceiveMessage", r#"{"QueueUrl": "New"}"#).await.unwrap();
    assert_eq!(answer.get("Messages").unwrap().as_array().unwrap()[0]["Body"], Value::from("x"));
}

const STATUSES: &str = r#"
    [queues.Asked]
    [[rules.statuses.Targets]]
    Arn = "sqs:Asked"
    [rules.statuses.EventPattern]
    source = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
"#;

async fn engine_of(home: &Home, project: &str) -> Engine {
    let spec: ServicesSpec = toml::from_str(project).unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    Engine::builder(home.open().await.store()).services(services).build()
}

/// The next event of a queue, which is deleted; waits for it.
async fn next_event(engine: &Engine) -> Value {
    let message = receive(engine).await;
    let handle = message.get("ReceiptHandle").unwrap().clone();
    let delete = Value::from_iter([("QueueUrl", Value::from("Asked")), ("ReceiptHandle", handle)]);
    engine.call_service("sqs", "DeleteMessage", delete, "id").await.unwrap();
    message.get("Body").unwrap().as_str().unwrap().parse().unwrap()
}

async fn a_rule_hears_what_executions_come_to(home: Home) {
    let engine = engine_of(&home, STATUSES).await;
    let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
    let ends = r#"{"Type": "Pass", "Result": {"a": 1}, "End": true}"#;
    let fails = r#"{"Type": "Fail", "Error": "E", "Cause": "why"}"#;
    let waits = r#"{"Type": "Wait", "Seconds": 3600, "End": true}"#;
    let started = start(&engine, &definition(ends), "m").await;
    engine.wait(&started.arn).await.unwrap();
    let (running, ended) = (next_event(&engine).await, next_event(&engine).await);
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    let (began, stopped) = (row.started.millis(), row.stopped.unwrap().millis());
    let expected = |status: &str, stop: &str, output: &str| -> Value {
        let text = format!(
            r#"{{"executionArn": "{arn}", "stateMachineArn": "{machine}", "name": "{name}", "status": "{status}",
                "startDate": {began}, "stopDate": {stop}, "input": "{{}}", "inputDetails": {{"included": true}}, {output},
                "error": null, "cause": null, "redriveCount": 0, "redriveDate": null, "redriveStatus": "NOT_REDRIVABLE",
                "redriveStatusReason": "Execution is {status} and cannot be redriven", "stateMachineVersionArn": null,
                "stateMachineAliasArn": null}}"#,
            arn = started.arn,
            name = started.name
        );
        text.parse().unwrap()
    };
    assert_eq!(running["detail"], expected("RUNNING", "null", r#""output": null, "outputDetails": null"#));
    let output = r#""output": "{\"a\":1}", "outputDetails": {"included": true}"#;
    assert_eq!(ended["detail"], expected("SUCCEEDED", &stopped.to_string(), output));
    for event in [&running, &ended] {
        assert_eq!(event["source"], Value::from("aws.states"));
        assert_eq!(event["resources"], Value::from_iter([Value::from(&*started.arn)]));
    }
    assert_ne!(running["id"], ended["id"]);

    let failing = start(&engine, &definition(fails), "m").await;
    engine.wait(&failing.arn).await.unwrap();
    next_event(&engine).await;
    let failed = next_event(&engine).await["detail"].clone();
    let told = ["status", "error", "cause", "redriveStatus"].map(|name| failed[name].as_str().unwrap().to_owned());
    assert_eq!(told, ["FAILED", "E", "why", "REDRIVABLE"]);
    engine.redrive(&failing.arn).await.unwrap();
    let (again, failed) = (next_event(&engine).await, next_event(&engine).await);
    assert_eq!((&again["detail"]["status"], &again["detail"]["redriveCount"]), (&"RUNNING".into(), &1.into()));
    assert_eq!((&failed["detail"]["status"], &failed["detail"]["redriveCount"]), (&"FAILED".into(), &1.into()));

    let waiting = start(&engine, &definition(waits), "m").await;
    assert_eq!(next_event(&engine).await["detail"]["status"], "RUNNING".into());
    engine.stop(&waiting.arn, asl_core::Failure::new("Enough", "of it")).await.unwrap();
    assert_eq!(next_event(&engine).await["detail"]["status"], "ABORTED".into());

    // Express executions have no such events.
    let begin = StartExecution { definition: definition(ends), state_machine: "x", name: None, input: "{}" };
    let express = engine.start_as(begin, asl_engine::StartAs { express: true, ..Default::default() }).await.unwrap();
    engine.wait_for(&express).await.unwrap();
    let last = start(&engine, &definition(ends), "m").await;
    engine.wait(&last.arn).await.unwrap();
    assert_eq!(next_event(&engine).await["detail"]["executionArn"], Value::from(&*last.arn));
    engine.shutdown().await.unwrap();
}

/// An engine whose rules nobody watched in time: the records are there, and the next process tells of them.
async fn what_was_not_told_before_a_crash_is_told_after_it(home: Home) {
    let first = engine_of(&home, STATUSES).await;
    let started = start(&first, &definition(r#"{"Type": "Wait", "Seconds": 3600, "End": true}"#), "m").await;
    assert_eq!(next_event(&first).await["detail"]["status"], "RUNNING".into());
    first.shutdown().await.unwrap();
    // A process without rules stops it, as `asl stop` does: it tells nobody.
    let other = engine_of(&home, "").await;
    other.client().stop(&started.arn, asl_core::Failure::new("E", "c")).await.unwrap();
    other.shutdown().await.unwrap();
    let third = engine_of(&home, STATUSES).await;
    third.serve().await.unwrap();
    let told = next_event(&third).await["detail"].clone();
    assert_eq!((&told["status"], &told["error"]), (&"ABORTED".into(), &"E".into()));
    third.shutdown().await.unwrap();
}
