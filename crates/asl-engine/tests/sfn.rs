//! Tasks that ask the engine itself: `aws-sdk:sfn`.

mod common;

use asl_core::{Failure, Outcome};
use asl_engine::{Engine, StartExecution, Started};
use asl_syntax::{Definition, Options, Source, load};
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_value::Value;
use common::{Home, on_every_store};
use std::sync::Arc;

on_every_store! {
    a_task_answers_the_token_of_another,
    a_task_stops_describes_and_lists_executions,
    what_is_refused_has_the_names_of_the_sdk,
    a_synchronous_execution_is_part_of_the_result,
}

const WAITS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "Q", "MessageBody.$": "$$.Task.Token"}}}}"#;
const LONG: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;

fn definition(text: &str) -> Arc<Definition> {
    let loaded = load(&Source::new("test", text), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn asks(action: &str, parameters: &str) -> Arc<Definition> {
    definition(&format!(
        r#"{{"StartAt": "Ask", "States": {{"Ask": {{"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:{action}",
            "Parameters": {parameters}, "End": true}}}}}}"#
    ))
}

async fn engine(home: &Home) -> Engine {
    let spec: ServicesSpec = toml::from_str("[queues.Q]\n").unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    Engine::builder(home.open().await.store()).services(services).build()
}

async fn start(engine: &Engine, definition: &Arc<Definition>, machine: &str, input: &str) -> Started {
    let start = StartExecution { definition: definition.clone(), state_machine: machine, name: None, input };
    engine.start(start).await.unwrap()
}

async fn ask(engine: &Engine, action: &str, parameters: &str, input: &Value) -> Outcome {
    let started = start(engine, &asks(action, parameters), "asks", &input.to_string()).await;
    engine.wait_for(&started).await.unwrap()
}

/// An execution that waits, and its token.
async fn waiting(engine: &Engine) -> (Started, String) {
    let started = start(engine, &definition(WAITS), "waits", "{}").await;
    loop {
        let receive: Value = r#"{"QueueUrl": "Q"}"#.parse().unwrap();
        let answer = engine.call_service("sqs", "ReceiveMessage", receive, "id").await.unwrap();
        let Some(messages) = answer.get("Messages").and_then(Value::as_array) else {
            tokio::task::yield_now().await;
            continue;
        };
        let delete =
            Value::from_iter([("QueueUrl", Value::from("Q")), ("ReceiptHandle", messages[0]["ReceiptHandle"].clone())]);
        engine.call_service("sqs", "DeleteMessage", delete, "id").await.unwrap();
        return (started, messages[0]["Body"].as_str().unwrap().to_owned());
    }
}

fn failed(outcome: &Outcome) -> (String, String) {
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    (text(&failure.error), text(&failure.cause))
}

async fn a_task_answers_the_token_of_another(home: Home) {
    let engine = engine(&home).await;
    let (waits, token) = waiting(&engine).await;
    let input = Value::from_iter([("token", token)]);
    let beat = ask(&engine, "sendTaskHeartbeat", r#"{"TaskToken.$": "$.token"}"#, &input).await;
    assert_eq!(beat, Outcome::Succeeded(Value::empty_object()));
    let sends = r#"{"TaskToken.$": "$.token", "Output": "{\"ok\": true}"}"#;
    let sent = ask(&engine, "sendTaskSuccess", sends, &input).await;
    assert_eq!(sent, Outcome::Succeeded(Value::empty_object()));
    let ended = engine.wait_for(&waits).await.unwrap();
    assert_eq!(ended, Outcome::Succeeded(r#"{"ok": true}"#.parse().unwrap()));
    let (error, cause) = failed(&ask(&engine, "sendTaskSuccess", sends, &input).await);
    assert_eq!(error, "Sfn.TaskTimedOutException");
    assert!(cause.starts_with("Task Timed Out: 'Provided task does not exist anymore' (Service: Sfn, "), "{cause}");

    let (waits, token) = waiting(&engine).await;
    let fails = r#"{"TaskToken.$": "$.token", "Error": "Refused", "Cause": "no"}"#;
    ask(&engine, "sendTaskFailure", fails, &Value::from_iter([("token", token)])).await;
    assert_eq!(engine.wait_for(&waits).await.unwrap(), Outcome::Failed(Failure::new("Refused", "no")));
    engine.shutdown().await.unwrap();
}

async fn a_task_stops_describes_and_lists_executions(home: Home) {
    let engine = engine(&home).await;
    let long = start(&engine, &definition(LONG), "long", r#"{"a": 1}"#).await;
    let input = Value::from_iter([("arn", &*long.arn)]);
    let running = Value::from_iter([("status", "RUNNING")]);
    let lists = r#"{"StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:long", "StatusFilter.$": "$.status"}"#;
    let Outcome::Succeeded(listed) = ask(&engine, "listExecutions", lists, &running).await else { panic!("listed") };
    assert_eq!(listed["Executions"].as_array().unwrap().len(), 1);
    assert_eq!(listed["Executions"][0]["ExecutionArn"], Value::from(&*long.arn));
    let stops = r#"{"ExecutionArn.$": "$.arn", "Error": "Enough", "Cause": "of it"}"#;
    let Outcome::Succeeded(stopped) = ask(&engine, "stopExecution", stops, &input).await else { panic!("stopped") };
    assert!(stopped["StopDate"].as_str().is_some_and(|date| date.ends_with('Z')), "{stopped}");
    assert_eq!(engine.wait_for(&long).await.unwrap(), Outcome::Aborted(Failure::new("Enough", "of it")));
    let describes = r#"{"ExecutionArn.$": "$.arn"}"#;
    let Outcome::Succeeded(told) = ask(&engine, "describeExecution", describes, &input).await else { panic!("told") };
    let texts = ["Status", "Error", "Cause", "Input"].map(|name| told[name].as_str().unwrap().to_owned());
    assert_eq!(texts, ["ABORTED", "Enough", "of it", r#"{"a": 1}"#]);
    assert!(told["StartDate"].as_str().is_some_and(|date| date.ends_with('Z')), "{told}");
    let Outcome::Succeeded(listed) = ask(&engine, "listExecutions", lists, &running).await else { panic!("listed") };
    assert_eq!(listed["Executions"], Value::empty_array());
    engine.shutdown().await.unwrap();
}

async fn what_is_refused_has_the_names_of_the_sdk(home: Home) {
    let engine = engine(&home).await;
    for (action, parameters, error, cause) in [
        ("sendTaskHeartbeat", r#"{"TaskToken": "x"}"#, "Sfn.InvalidTokenException", "Invalid Token: 'Invalid token'"),
        ("sendTaskSuccess", r#"{"TaskToken": "x", "Output": "{"}"#, "Sfn.InvalidOutputException", "Invalid output"),
        ("sendTaskHeartbeat", "{}", "States.Runtime", "The Parameters '{}' could not be used to start the Task"),
        (
            "stopExecution",
            r#"{"ExecutionArn": "none"}"#,
            "Sfn.ExecutionDoesNotExistException",
            "Execution Does Not Exist",
        ),
        ("describeExecution", r#"{"ExecutionArn": "none"}"#, "Sfn.ExecutionDoesNotExistException", ""),
        ("startExecution", r#"{"StateMachineArn": "none"}"#, "Sfn.StateMachineDoesNotExistException", ""),
        (
            "listExecutions",
            r#"{"StateMachineArn": "m", "StatusFilter": "DONE"}"#,
            "Sfn.ValidationException",
            "Value 'DONE'",
        ),
    ] {
        let (told, why) = failed(&ask(&engine, action, parameters, &Value::empty_object()).await);
        assert_eq!(told, error, "{action}: {why}");
        assert!(why.contains(cause), "{action}: {why}");
    }
    engine.shutdown().await.unwrap();
}

async fn a_synchronous_execution_is_part_of_the_result(home: Home) {
    let spec: ServicesSpec = toml::from_str("").unwrap();
    let services = Services::new(&spec, Identity::new("us-east-1", "000000000000")).unwrap();
    let machines = |name: &str| match name {
        "good" => Some(Ok(definition(r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#))),
        "bad" => {
            Some(Ok(definition(r#"{"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "c"}}}"#)))
        }
        _ => None,
    };
    let engine = Engine::builder(home.open().await.store()).services(services).state_machines(machines).build();
    let sync = r#"{"StateMachineArn.$": "$.machine", "Input": "{\"a\": 1}"}"#;
    let run = |name: &'static str| {
        let engine = engine.clone();
        async move {
            let input = Value::from_iter([("machine", name)]);
            let Outcome::Succeeded(result) = ask(&engine, "startSyncExecution", sync, &input).await else {
                panic!("a child that fails does not fail the task")
            };
            result
        }
    };
    let good = run("good").await;
    assert!(good["ExecutionArn"].as_str().unwrap().contains(":express:"), "{good}");
    assert_eq!([&good["Status"], &good["Output"]], [&Value::from("SUCCEEDED"), &Value::from(r#"{"a":1}"#)]);
    assert_eq!(good["BillingDetails"]["BilledDurationInMilliseconds"], Value::from(100));
    let bad = run("bad").await;
    let texts = ["Status", "Error", "Cause"].map(|name| bad[name].as_str().unwrap().to_owned());
    assert_eq!(texts, ["FAILED", "E", "c"]);
    engine.shutdown().await.unwrap();
}
