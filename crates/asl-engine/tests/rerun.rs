//! Rerun: with nothing changed it ends as the original did, from whatever state; and waits that are brought forward.

use asl_core::{Doing, EventKind, Failure, Outcome};
use asl_engine::{Clock, Engine, EngineError, RerunAs, StartExecution, pending, replay};
use asl_journal::Journal;
use asl_syntax::{Definition, Options, Source, load};
use asl_value::Value;
use std::sync::Arc;
use std::time::Duration;

fn definition(text: &str) -> Arc<Definition> {
    let loaded = load(&Source::new("test", text), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// Definitions and inputs. The function answers by what it gets, so that the same call has the same answer.
const TABLE: &[(&str, &str)] = &[
    (
        r#"{"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Parameters": {"k": 1, "n.$": "$.n"}, "Assign": {"n.$": "$.n", "who": "me"}, "Next": "B"},
            "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work",
                  "Parameters": {"n.$": "$n", "k.$": "$.k"}, "Assign": {"n.$": "$.n"}, "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Variable": "$n", "NumericGreaterThan": 3, "Next": "D"}], "Default": "B"},
            "D": {"Type": "Pass", "Parameters": {"first.$": "$$.Execution.Input.n", "n.$": "$n", "who.$": "$who"}, "End": true}}}"#,
        r#"{"n": 1}"#,
    ),
    (
        r#"{"StartAt": "P", "States": {
            "P": {"Type": "Parallel", "Branches": [
                {"StartAt": "X", "States": {"X": {"Type": "Pass", "Assign": {"inner": 1}, "End": true}}},
                {"StartAt": "Y", "States": {"Y": {"Type": "Wait", "Seconds": 1, "End": true}}}], "Next": "M"},
            "M": {"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}, "Next": "F"},
            "F": {"Type": "Fail", "ErrorPath": "$[0].e", "Cause": "as it was"}}}"#,
        r#"{"e": "E.One"}"#,
    ),
    (
        r#"{"QueryLanguage": "JSONata", "StartAt": "A", "States": {
            "A": {"Type": "Pass", "Assign": {"list": "{% $states.input.items %}"}, "Output": "{% $sum($states.input.items) %}", "Next": "B"},
            "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work", "Arguments": {"fail": true},
                  "Catch": [{"ErrorEquals": ["Broken"], "Assign": {"why": "{% $states.errorOutput.Cause %}"}, "Next": "C"}], "Next": "C"},
            "C": {"Type": "Succeed", "Output": "{% {'why': $why, 'all': $list, 'was': $states.context.Execution.Input} %}"}}}"#,
        r#"{"items": [1, 2, 3]}"#,
    ),
];

fn engine(journal: &Journal) -> Engine {
    let work = |event: Value| async move {
        if event.get("fail").is_some() {
            return Err(Failure::new("Broken", "always"));
        }
        let n = event.get("n").and_then(Value::as_i64).unwrap_or(0);
        Ok(format!(r#"{{"n": {}, "k": 2}}"#, n + 1).parse().unwrap())
    };
    Engine::builder(journal.clone())
        .function("Work", work)
        .clock(Clock::skipping(asl_expr::Timestamp::from_millis(0)))
        .build()
}

async fn run(engine: &Engine, definition: &Arc<Definition>, input: &str) -> (Arc<str>, Outcome) {
    let start = StartExecution { definition: definition.clone(), state_machine: "test", name: None, input };
    let started = engine.start(start).await.unwrap();
    (started.arn.clone(), engine.wait(&started.arn).await.unwrap())
}

/// The states that were entered, with their inputs.
async fn entered(engine: &Engine, arn: &str) -> Vec<(Arc<str>, Value)> {
    let events = engine.history(arn).await.unwrap().into_iter();
    let of = |kind| match kind {
        EventKind::StateEntered { name, input, .. } => Some((name, input)),
        _ => None,
    };
    events.filter_map(|event| of(event.kind)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_changed_it_ends_as_the_original_did() {
    let journal = Journal::in_memory().await.unwrap();
    let engine = engine(&journal);
    let mut reruns = 0;
    for (text, input) in TABLE {
        let definition = definition(text);
        let (arn, outcome) = run(&engine, &definition, input).await;
        let came_to = entered(&engine, &arn).await;
        for (at, (state, _)) in came_to.iter().enumerate() {
            let from = RerunAs { from: state, ..RerunAs::default() };
            let is_top = definition.states.iter().any(|known| known.name == *state && known.flow.0 == 0);
            let again = match engine.rerun(&arn, from).await {
                Err(EngineError::NotRerun { why, .. }) if !is_top => {
                    assert!(why.contains("at its top level"), "{why}");
                    continue;
                }
                again => again.unwrap(),
            };
            let ended = engine.wait(&again.arn).await.unwrap();
            assert_eq!(ended, outcome, "from {state}");
            // From the last time that it came there on, its way is the same.
            let last = came_to.iter().rposition(|(name, _)| name == state).unwrap().max(at);
            assert_eq!(entered(&engine, &again.arn).await, came_to[last..], "from {state}");
            let row = journal.execution(&again.arn).await.unwrap().unwrap();
            assert_eq!(replay(&journal, &row).await.unwrap().outcome, Some(outcome.clone()));
            // A rerun of a rerun has the same variables.
            let from = RerunAs { from: state, ..RerunAs::default() };
            let third = engine.rerun(&again.arn, from).await.unwrap();
            assert_eq!(engine.wait(&third.arn).await.unwrap(), outcome, "twice from {state}");
            reruns += 1;
        }
    }
    assert!(reruns >= 10, "{reruns}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_input_and_another_definition_make_another_end() {
    let journal = Journal::in_memory().await.unwrap();
    let engine = engine(&journal);
    let (text, input) = TABLE[0];
    let (arn, _) = run(&engine, &definition(text), input).await;
    let mended = definition(&text.replace(r#""n.$": "$n", "who.$""#, r#""n": "mended", "who.$""#));
    let again = RerunAs { from: "C", input: Some(r#"{"mine": 1}"#), definition: Some(mended), name: Some("again") };
    let again = engine.rerun(&arn, again).await.unwrap();
    let expected = r#"{"first": 1, "n": "mended", "who": "me"}"#.parse().unwrap();
    assert_eq!(engine.wait(&again.arn).await.unwrap(), Outcome::Succeeded(expected));
    assert_eq!(entered(&engine, &again.arn).await[0].1, r#"{"mine": 1}"#.parse().unwrap());
    for (from, told) in [("Z", "no state 'Z'"), ("D", "exists already")] {
        let refused =
            engine.rerun(&arn, RerunAs { from, name: Some("again"), ..RerunAs::default() }).await.unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
    let bad = engine.rerun(&arn, RerunAs { from: "B", input: Some("{"), ..RerunAs::default() }).await;
    assert!(matches!(bad, Err(EngineError::InvalidInput(_))), "{bad:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_and_a_retry_are_brought_forward() {
    let text = r#"{"StartAt": "W", "States": {
        "W": {"Type": "Wait", "Seconds": 86400, "Next": "T"},
        "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work", "Parameters": {"fail": 1},
              "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 86400, "MaxAttempts": 1}], "End": true}}}"#;
    let journal = Journal::in_memory().await.unwrap();
    let work = |_: Value| async { Err::<Value, _>(Failure::new("Broken", "always")) };
    let engine = Engine::builder(journal.clone()).function("Work", work).build();
    let start = StartExecution { definition: definition(text), state_machine: "test", name: None, input: "{}" };
    let started = engine.start(start).await.unwrap();
    let doing = |wanted: fn(&Doing) -> bool| {
        let (journal, arn) = (journal.clone(), started.arn.clone());
        async move {
            loop {
                let row = journal.execution(&arn).await.unwrap().unwrap();
                let pending = pending(&journal, &row).await.unwrap();
                if let Some(pending) = pending.into_iter().find(|pending| wanted(&pending.doing)) {
                    return pending.entered;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let waits = doing(|doing| matches!(doing, Doing::Waiting { .. })).await;
    engine.hurry(&started.arn, waits).await.unwrap();
    let retries = doing(|doing| matches!(doing, Doing::Retrying { .. })).await;
    let refused = engine.hurry(&started.arn, waits).await.unwrap_err();
    assert!(matches!(refused, EngineError::NotWaiting { .. }), "{refused}");
    engine.hurry(&started.arn, retries).await.unwrap();
    assert_eq!(engine.wait(&started.arn).await.unwrap(), Outcome::Failed(Failure::new("Broken", "always")));
    let row = journal.execution(&started.arn).await.unwrap().unwrap();
    assert!(replay(&journal, &row).await.unwrap().events > 8);
    assert!(matches!(engine.hurry(&started.arn, retries).await, Err(EngineError::NotWaiting { .. })));
}
