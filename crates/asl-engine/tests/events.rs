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
