//! Executions that tasks start in the engine itself.

mod common;

use asl_core::{Failure, Outcome};
use asl_engine::{Engine, EngineBuilder, StartExecution};
use asl_journal::{Filter, Status};
use asl_syntax::{Definition, Options, Source, load};
use asl_value::Value;
use common::{Home, on_every_store};
use std::sync::Arc;
use std::time::Duration;

on_every_store! {
    a_task_waits_for_an_execution_in_the_engines_time,
    what_a_child_ends_with_is_the_tasks_error,
    a_task_that_is_over_stops_its_execution,
    a_task_that_does_not_wait_has_the_arn,
    a_child_is_started_once_whatever_happens_to_its_engine,
}

fn definition(text: &str) -> Arc<Definition> {
    let loaded = load(&Source::new("test", text.to_owned()), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// State machines by name: one that ends well after a minute, one that fails, one that is not JSON to read.
fn known(name: &str) -> Option<Result<Arc<Definition>, String>> {
    let states = match name {
        "Slow" => r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}"#,
        "Fails" => r#"{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E","Cause":"c"}}}"#,
        "Broken" => return Some(Err("a comma is missing".to_owned())),
        _ => return None,
    };
    Some(Ok(definition(states)))
}

async fn builder(home: &Home) -> EngineBuilder {
    Engine::builder(home.open().await.store()).state_machines(known)
}

fn parent(suffix: &str, parameters: &str, more: &str) -> Arc<Definition> {
    definition(&format!(
        r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"arn:aws:states:::states:startExecution{suffix}",
            "Parameters":{parameters}{more},"End":true}}}}}}"#
    ))
}

fn start<'a>(definition: &Arc<Definition>, name: &'a str) -> StartExecution<'a> {
    StartExecution { definition: definition.clone(), state_machine: "Parent", name: Some(name), input: "{}" }
}

const SLOW: &str =
    r#"{"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:Slow","Name":"child","Input":{"a":1}}"#;

async fn ran(home: &Home, definition: &Arc<Definition>) -> (Outcome, Engine, Home) {
    let home = home.fresh();
    // One place in memory: a child takes none of its own.
    let engine = builder(&home).await.skip_time().max_active(1).build();
    let started = engine.start(start(definition, "p")).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(60), engine.wait_for(&started)).await.expect("it ends");
    (outcome.unwrap(), engine, home)
}

fn output(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Succeeded(output) => output,
        other => panic!("{other:?}"),
    }
}

fn failure(outcome: Outcome) -> (String, String) {
    match outcome {
        Outcome::Failed(Failure { error, cause }) => {
            (error.as_deref().unwrap_or_default().to_owned(), cause.as_deref().unwrap_or_default().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

async fn a_task_waits_for_an_execution_in_the_engines_time(home: Home) {
    for (suffix, input) in [(".sync", r#""{\"a\":1}""#), (".sync:2", r#"{"a":1}"#)] {
        let (outcome, ..) = ran(&home, &parent(suffix, SLOW, r#","TimeoutSeconds":61"#)).await;
        let output = output(outcome);
        assert_eq!((output["Input"].to_string(), output["Output"].to_string()), (input.into(), input.into()));
        assert_eq!((output["Name"].as_str(), output["Status"].as_str()), (Some("child"), Some("SUCCEEDED")));
        let took = output["StopDate"].as_i64().unwrap() - output["StartDate"].as_i64().unwrap();
        assert_eq!(took, 60_000, "{output}");
    }
}

async fn what_a_child_ends_with_is_the_tasks_error(home: Home) {
    let (outcome, ..) = ran(&home, &parent(".sync", r#"{"StateMachineArn":"Fails"}"#, "")).await;
    let (error, cause) = failure(outcome);
    let cause: Value = cause.parse().unwrap();
    let told = ["Status", "Error", "Cause"].map(|name| cause[name].as_str().unwrap_or_default().to_owned());
    assert_eq!((&*error, told), ("States.TaskFailed", ["FAILED", "E", "c"].map(str::to_owned)));

    for (wanted, error, text) in [
        ("Nobody", "StepFunctions.StateMachineDoesNotExistException", "State Machine Does Not Exist: 'Nobody'"),
        ("Broken", "StepFunctions.AWSStepFunctionsException", "Broken cannot be loaded: a comma is missing"),
    ] {
        let (outcome, ..) = ran(&home, &parent("", &format!(r#"{{"StateMachineArn":"{wanted}"}}"#), "")).await;
        let failed = failure(outcome);
        assert!(failed.0 == error && failed.1.starts_with(text), "{failed:?}");
    }
}

async fn a_task_that_is_over_stops_its_execution(home: Home) {
    let (outcome, engine, _home) = ran(&home, &parent(".sync", SLOW, r#","TimeoutSeconds":30"#)).await;
    assert_eq!(failure(outcome).0, "States.Timeout");
    assert!(matches!(engine.wait("child").await.unwrap(), Outcome::Aborted(_)));
}

async fn a_task_that_does_not_wait_has_the_arn(home: Home) {
    let two = definition(&format!(
        r#"{{"StartAt":"A","States":{{
            "A":{{"Type":"Task","Resource":"arn:aws:states:::states:startExecution","Parameters":{SLOW},"Next":"W"}},
            "W":{{"Type":"Wait","Seconds":90,"Next":"B"}},
            "B":{{"Type":"Task","Resource":"arn:aws:states:::states:startExecution","Parameters":{SLOW},"End":true}}}}}}"#
    ));
    let (outcome, engine, _home) = ran(&home, &two).await;
    let (error, cause) = failure(outcome);
    assert_eq!(error, "StepFunctions.ExecutionAlreadyExistsException", "{cause}");
    let history = format!("{:?}", engine.history("p").await.unwrap());
    assert!(history.contains("arn:aws:states:us-east-1:000000000000:execution:Slow:child"), "{history}");
    assert!(matches!(engine.wait("child").await.unwrap(), Outcome::Succeeded(_)));
}

async fn a_child_is_started_once_whatever_happens_to_its_engine(home: Home) {
    let parent = parent(".sync:2", r#"{"StateMachineArn":"Slow"}"#, "");
    let first = builder(&home).await.build();
    first.start(start(&parent, "p")).await.unwrap();
    while first.store().executions(&Filter { limit: Some(9), ..Filter::default() }).await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    first.shutdown().await.unwrap();
    let second = builder(&home).await.skip_time().build();
    second.resume().await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(60), second.wait("p")).await.expect("it ends");
    assert_eq!(output(outcome.unwrap())["Status"].as_str(), Some("SUCCEEDED"));
    let all = second.store().executions(&Filter { limit: Some(9), ..Filter::default() }).await.unwrap();
    assert_eq!(all.iter().filter(|row| row.status == Status::Succeeded).count(), 2, "{all:?}");
}
