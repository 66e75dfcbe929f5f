//! AWS's limits are the machine's, unless a driver sets others: what fits into those runs, what does not fails in AWS's words.

mod support;

use asl_core::{HISTORY_LIMIT, Input, Limits, Machine, Outcome, PAYLOAD_LIMIT, Progress};
use asl_expr::Timestamp;
use asl_value::Value;
use support::{EPOCH_MS, definition, identity};

const LOOP: &str = r#"{"StartAt": "Again", "States": {"Done": {"Type": "Succeed"},
    "Again": {"Type": "Choice", "Choices": [{"Variable": "$.done", "IsPresent": true, "Next": "Done"}], "Default": "Again"}}}"#;
const EACH: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true,
    "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}}}}}"#;
const TOLD: &str = r#"{"StartAt": "Told", "States": {"Told": {"Type": "Pass", "Result": "123456789", "End": true}}}"#;
const KEPT: &str =
    r#"{"StartAt": "Kept", "States": {"Kept": {"Type": "Pass", "Assign": {"a": "123456789"}, "End": true}}}"#;

/// How it ends, and the number of its last event.
fn run(text: &str, input: &Value, limits: Option<Limits>) -> (Outcome, u64) {
    let definition = definition(text.into(), false);
    let mut machine = match limits {
        Some(limits) => Machine::with_limits(definition, limits),
        None => Machine::new(definition),
    };
    let now = Timestamp::from_millis(EPOCH_MS);
    machine.handle(Input::Start(Box::new(identity(input.clone(), false))), now).expect("it starts");
    while machine.run(now, 1000).progress == Progress::Yielded {
        machine.take_effects();
    }
    (machine.outcome().expect("nothing to wait for").clone(), machine.last_event())
}

fn error((outcome, last): (Outcome, u64)) -> (String, u64) {
    match outcome {
        Outcome::Failed(failure) => (failure.error.as_deref().unwrap_or_default().into(), last),
        other => panic!("it should fail: {other:?}"),
    }
}

#[test]
fn the_last_event_of_a_full_history_is_the_end() {
    for limit in [2, 3, 10, 2_000] {
        let limits = Limits { history_events: limit, ..Limits::default() };
        assert_eq!(error(run(LOOP, &Value::empty_object(), Some(limits))), ("States.Runtime".into(), limit));
    }
    assert_eq!(error(run(LOOP, &Value::empty_object(), None)).1, HISTORY_LIMIT);
    // Fewer than the start and the end cannot be.
    let none = Limits { history_events: 0, ..Limits::default() };
    assert_eq!(error(run(LOOP, &Value::empty_object(), Some(none))).1, 2);
}

#[test]
fn payloads_are_held_to_the_limit_to_the_byte() {
    for (text, bytes) in [(TOLD, r#""123456789""#.len()), (KEPT, r#"{"a":"123456789"}"#.len())] {
        let of = |payload_bytes| run(text, &Value::Null, Some(Limits { payload_bytes, ..Limits::default() }));
        assert!(matches!(of(bytes).0, Outcome::Succeeded(_)), "{text}");
        assert_eq!(error(of(bytes - 1)).0, "States.DataLimitExceeded", "{text}");
    }
}

#[test]
fn a_map_beyond_aws_runs_where_its_driver_lets_it() {
    let items: Value = (0..60_000).map(|n| Value::from(i64::from(n))).collect();
    let over = items.measure().bytes;
    assert!(over > PAYLOAD_LIMIT);
    let limits = Limits { payload_bytes: over, history_events: 1 << 40 };
    let (outcome, last) = run(EACH, &items, Some(limits));
    assert_eq!(outcome, Outcome::Succeeded(items.clone()));
    assert!(last > 4 * 60_000);
    // The same on AWS ends with its history.
    assert_eq!(error(run(EACH, &items, None)), ("States.Runtime".into(), HISTORY_LIMIT));
}
