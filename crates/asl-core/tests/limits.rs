//! AWS's limits are the machine's, unless a driver sets others: what fits into those runs, what does not fails in AWS's words.

mod support;

use asl_core::{Failure, HISTORY_LIMIT, Input, Limits, Machine, Note, Outcome, PAYLOAD_LIMIT, Progress, TaskId};
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

/// The first task fails so, and what is caught is the output.
fn caught(failure: Failure) -> Failure {
    const CALL: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f"}}}"#;
    let mut machine = Machine::new(definition(CALL.into(), false));
    let now = Timestamp::from_millis(EPOCH_MS);
    machine.handle(Input::Start(Box::new(identity(Value::empty_object(), false))), now).unwrap();
    machine.run(now, 1000);
    machine.handle(Input::TaskFailed { task: TaskId(1), failure }, now).unwrap();
    machine.run(now, 1000);
    match machine.outcome() {
        Some(Outcome::Failed(failure)) => failure.clone(),
        other => panic!("it should fail: {other:?}"),
    }
}

#[test]
fn names_and_causes_of_errors_are_cut_at_the_lengths_of_aws() {
    let (name, cause) = ("line 1\nline 2 ü".repeat(100), "cü".repeat(20_000));
    let failure = caught(Failure::new(&*name, &*cause));
    assert_eq!(failure.error.unwrap().chars().count(), 256);
    assert_eq!(*failure.cause.unwrap(), *"cü".repeat(16_384));
    let short = Failure::new("One\nTwo", "é".repeat(32_768));
    assert_eq!(caught(short.clone()), short);

    let fails = |error: &str, cause: &str| {
        let text = format!(
            r#"{{"StartAt": "F", "States": {{"F": {{"Type": "Fail", "Error": "{error}", "Cause": "{cause}"}}}}}}"#
        );
        let (Outcome::Failed(failure), _) = run(&text, &Value::Null, None) else { panic!("it should fail") };
        (failure.error.unwrap().len(), failure.cause.unwrap().len())
    };
    assert_eq!(fails(&"E".repeat(300), &"c".repeat(40_000)), (256, 32_768));

    // The interpreter's own texts quote the input.
    let missing =
        r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"x.$": "$.nope"}, "End": true}}}"#;
    let input = Value::from_iter([("s", "x".repeat(100_000))]);
    let (Outcome::Failed(failure), _) = run(missing, &input, None) else { panic!("it should fail") };
    assert_eq!(failure.cause.unwrap().len(), 32_768);
}

/// Each would take gigabytes, or make a record that nothing reads back.
#[test]
fn no_state_makes_more_than_fits_into_a_record() {
    let pass =
        |fields: &str| format!(r#"{{"StartAt": "S", "States": {{"S": {{"Type": "Pass", {fields}, "End": true}}}}}}"#);
    let around = |wrap: &str| {
        format!(
            r#"{{"StartAt": "Begin", "States": {{"Begin": {{"Type": "Pass", "Assign": {{"v": 1}}, "Next": "Wrap"}},
               "Wrap": {{"Type": "Pass", {wrap}, "Next": "Wrap"}}, "End": {{"Type": "Succeed"}},
               "Never": {{"Type": "Choice", "Choices": [{{"Variable": "$.x", "IsNull": true, "Next": "End"}}]}}}}}}"#
        )
        .replace(r#""Next": "Wrap"}, "End""#, r#""Next": "Go"}, "Go": {"Type": "Choice", "Default": "Wrap", "Choices": [{"Variable": "$.never", "IsPresent": true, "Next": "Never"}]}, "End""#)
    };
    let deep = |open: &str, close: &str| format!("{}\"$v\"{}", open.repeat(200), close.repeat(200));
    let input = Value::from_iter([("s", Value::from("x".repeat(140_000))), ("items", vec![Value::from(1)].into())]);
    let (map, parallel) = (r#""ItemsPath": "$.items", "ItemSelector""#, r#""Parameters""#);
    let inner = r#"{"StartAt": "I", "States": {"I": {"Type": "Pass", "Result": 1, "End": true}}}"#;
    for (text, error) in [
        (
            pass(&format!(
                r#""Parameters": {{"t.$": "States.JsonToString(States.Array({}))"}}"#,
                vec!["$.s"; 5000].join(", ")
            )),
            "States.DataLimitExceeded",
        ),
        (
            pass(&format!(
                r#""Parameters": {{{}}}"#,
                (0..5000).map(|i| format!(r#""k{i}.$": "$.s""#)).collect::<Vec<_>>().join(", ")
            )),
            "States.DataLimitExceeded",
        ),
        (pass(r#""Parameters": {"d.$": "States.StringToJson($.deep)"}"#), "States.DataLimitExceeded"),
        (around(r#""Assign": {"v.$": "States.Array($v)"}"#), "States.DataLimitExceeded"),
        (around(r#""Assign": {"v": {"w.$": "$v"}}"#), "States.DataLimitExceeded"),
        (
            around(&format!(r#""Assign": {{"v": {}}}"#, deep(r#"{"a.$": "#, "}").replace(".$\": {", "\": {"))),
            "States.DataLimitExceeded",
        ),
        (around(r#""Parameters": {"w.$": "$"}"#), "States.DataLimitExceeded"),
        (around(r#""ResultPath": "$.a.b.c.d""#), "States.DataLimitExceeded"),
        (
            format!(
                r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", {map}: {{"a.$": "$.s", "b.$": "$.s"}}, "ItemProcessor": {inner}, "End": true}}}}}}"#
            ),
            "States.DataLimitExceeded",
        ),
        (
            format!(
                r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Parallel", {parallel}: {{"a.$": "$.s", "b.$": "$.s"}}, "Branches": [{inner}], "End": true}}}}}}"#
            ),
            "States.DataLimitExceeded",
        ),
    ] {
        let input = match text.contains("$.deep") {
            true => Value::from_iter([("deep", format!("{}{}", "[".repeat(500), "]".repeat(500)))]),
            false if text.contains("Begin") => Value::empty_object(),
            false => input.clone(),
        };
        let shown: String = text.chars().take(200).collect();
        assert_eq!(error_of(run(&text, &input, None)), error, "{shown}");
    }
}

fn error_of(end: (Outcome, u64)) -> String {
    error(end).0
}

/// The history has AWS's words alone; what people need to know besides is a note.
#[test]
fn a_path_that_leads_nowhere_is_noted_with_what_is_there() {
    for state in [
        r#"{"Type": "Pass", "Parameters": {"v.$": "$.order.lins"}, "End": true}"#,
        r#"{"Type": "Pass", "Parameters": {"v.$": "States.Array($.order.lins)"}, "End": true}"#,
        r#"{"Type": "Pass", "OutputPath": "$.order.lins", "End": true}"#,
        r#"{"Type": "Map", "ItemsPath": "$.order.lins", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}, "End": true}"#,
        r#"{"Type": "Wait", "SecondsPath": "$.order.lins", "End": true}"#,
        r#"{"Type": "Choice", "Choices": [{"Variable": "$.order.lins", "IsNull": true, "Next": "E"}], "Default": "E"}"#,
    ] {
        let text = format!(r#"{{"StartAt": "S", "States": {{"S": {state}, "E": {{"Type": "Succeed"}}}}}}"#);
        let text = if state.contains("Choice") { text } else { text.replace(r#", "E": {"Type": "Succeed"}}}"#, "}}") };
        let mut machine = Machine::new(definition(text, false));
        let now = Timestamp::from_millis(EPOCH_MS);
        let input: Value = r#"{"order": {"lines": []}}"#.parse().unwrap();
        machine.handle(Input::Start(Box::new(identity(input, false))), now).unwrap();
        machine.run(now, 100);
        let notes = machine.take_effects().notes;
        let hint = "`$.order` has no `lins`: did you mean `$.order.lines`?";
        assert_eq!(notes, [Note::Hint { state: "S".into(), hint: hint.into() }], "{state}");
        let Some(Outcome::Failed(failure)) = machine.outcome() else { panic!("it should fail") };
        assert!(!failure.cause.as_deref().unwrap_or_default().contains("did you mean"));
    }
}

/// All conditions of a Choice share what one evaluation may take.
#[test]
fn a_choice_with_any_conditions_ends_soon() {
    let long = "x".repeat(240_000);
    let compared = r#"{"Variable": "$.s", "IsNull": true, "Next": "E"}"#;
    let walked = r#"{"Variable": "$..*..*..*", "IsNull": true, "Next": "E"}"#;
    let both = |rule: &str, count: usize| {
        let rules = vec![rule; count].join(", ");
        format!(
            r#"{{"StartAt": "C", "States": {{"E": {{"Type": "Succeed"}},
                "C": {{"Type": "Choice", "Default": "E", "Choices": [{rules}]}}}}}}"#
        )
    };
    let wide = (0..300).fold(Value::Null, |inner, i| Value::from_iter([("a", inner), ("b", Value::from(i))]));
    let input = Value::from_iter([("s", Value::from(long)), ("wide", wide)]);
    for (rule, count) in [(compared, 12_000), (walked, 12_000)] {
        let (Outcome::Failed(failure), _) = run(&both(rule, count), &input, None) else { panic!("it should fail") };
        let cause = failure.cause.unwrap();
        assert!(cause.ends_with("take too many steps.") || cause.contains("references an invalid value"), "{cause}");
    }
    assert!(matches!(run(&both(compared, 1_000), &input, None).0, Outcome::Succeeded(_)));
}

/// Each expression is within its own bound; all of them together are within that of the state.
#[test]
fn conditions_in_jsonata_are_bounded_together() {
    let machine = |count: usize| {
        let rules = vec![r#"{"Condition": "{% $sum([1..200000]) < 0 %}", "Next": "E"}"#; count].join(", ");
        format!(
            r#"{{"QueryLanguage": "JSONata", "StartAt": "C", "States": {{"E": {{"Type": "Succeed"}},
                "C": {{"Type": "Choice", "Default": "E", "Choices": [{rules}]}}}}}}"#
        )
    };
    let (Outcome::Failed(failure), _) = run(&machine(400), &Value::empty_object(), None) else {
        panic!("it should fail")
    };
    assert_eq!(failure.error.as_deref(), Some("States.QueryEvaluationError"));
    let cause = failure.cause.unwrap();
    assert!(cause.ends_with("The conditions of the Choice state take too many steps."), "{cause}");
    assert!(matches!(run(&machine(3), &Value::empty_object(), None).0, Outcome::Succeeded(_)));
}

/// What a driver records in the place of what is too deep or too large.
#[test]
fn an_input_is_admitted_as_what_it_comes_to() {
    const CALL: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f"}}}"#;
    let mut machine = Machine::new(definition(CALL.into(), false));
    let now = Timestamp::from_millis(EPOCH_MS);
    machine.handle(Input::Start(Box::new(identity(Value::empty_object(), false))), now).unwrap();
    machine.run(now, 1000);
    let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::from(vec![inner]));
    let task = TaskId(1);
    let fits = Input::TaskSucceeded { task, output: nested(asl_core::DEPTH_LIMIT) };
    assert_eq!(machine.admit(fits.clone()), fits);
    for output in [nested(asl_core::DEPTH_LIMIT + 1), "x".repeat(PAYLOAD_LIMIT).into()] {
        let Input::TaskFailed { failure, .. } = machine.admit(Input::TaskSucceeded { task, output }) else {
            panic!("it should fail")
        };
        assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
        let cause = "The state/task 'arn:aws:lambda:us-east-1:123456789012:function:f' returned a result with a size \
                     exceeding the maximum number of bytes service limit.";
        assert_eq!(failure.cause.as_deref(), Some(cause));
    }
    const { assert!(asl_core::DEPTH_LIMIT < asl_value::MAX_DEPTH) };
}
