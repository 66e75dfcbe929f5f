//! TestState: the project's own cases (`fixtures/test_state`), and what holds of every test.

use asl::test_state::{Setting, test_state};
use asl::{Failure, Map, Timestamp, Value};
use std::path::Path;

const NOW: i64 = 1_767_225_600_000;

/// The documents of a request, which the wire has as texts and the cases as JSON.
const DOCUMENTS: [&str; 4] = ["definition", "input", "variables", "context"];

fn cases() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/test_state/cases.json");
    let text = std::fs::read_to_string(file).expect("the cases are there");
    text.parse::<Value>().expect("they are JSON").as_array().expect("an array").to_vec()
}

fn with_text(object: &Value, fields: &[&str]) -> Map {
    let mut out = object.as_object().cloned().unwrap_or_default();
    for field in fields {
        if let Some(document) = out.get(field).cloned() {
            out.insert(*field, document.to_string());
        }
    }
    out
}

fn on_the_wire(request: &Value) -> Value {
    let mut out = with_text(request, &DOCUMENTS);
    for (field, document) in [("mock", "result"), ("stateConfiguration", "mapItemReaderData")] {
        if out.contains_key(field) {
            out.insert(field, with_text(&request[field], &[document]));
        }
    }
    Value::from(out)
}

/// The documents of a response as JSON again; `result` and the like are texts below `inspectionData`.
fn opened(response: &Value) -> Value {
    let open = |(key, value): (&str, &Value)| {
        let is_text = !["status", "error", "cause", "nextState"].contains(&key);
        match (value.as_str(), key) {
            (_, "inspectionData") => (key.to_owned(), opened(value)),
            (Some(text), _) if is_text => (key.to_owned(), text.parse().expect("a document is JSON")),
            _ => (key.to_owned(), value.clone()),
        }
    };
    response.as_object().expect("an object").iter().map(|(key, value)| open((key, value))).collect::<Map>().into()
}

#[test]
fn the_cases_are_answered_as_written() {
    for case in cases() {
        let answer = test_state(&on_the_wire(&case["request"]), Setting::at(Timestamp::from_millis(NOW)));
        let name = &case["name"];
        match (answer, &case["exception"]) {
            (Ok(response), Value::Null) => assert_eq!(opened(&response), case["response"], "{name}"),
            (Err(exception), expected) => {
                assert_eq!(Some(exception.code), expected[0].as_str(), "{name}: {exception}");
                let message = expected[1].as_str().expect("a message");
                assert!(message == "*" || exception.message == message, "{name}: {exception}");
            }
            (Ok(response), _) => panic!("{name}: {response}"),
        }
    }
}

/// What is tested alone does what it does in an execution: the level changes what is told, not what happens.
#[test]
fn a_level_tells_more_and_changes_nothing() {
    for case in cases() {
        let answers: Vec<_> = ["INFO", "DEBUG", "TRACE"]
            .into_iter()
            .map(|level| {
                let mut request = case["request"].as_object().cloned().expect("a request");
                request.insert("inspectionLevel", level);
                let request = on_the_wire(&Value::from(request));
                test_state(&request, Setting::at(Timestamp::from_millis(NOW))).map(|response| {
                    let mut response = response.as_object().cloned().expect("a response");
                    assert_eq!(response.remove("inspectionData").is_some(), level != "INFO", "{}", case["name"]);
                    response
                })
            })
            .collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{}: {answers:?}", case["name"]);
    }
}

#[test]
fn a_task_without_a_mock_is_called() {
    let definition = r#"{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:1:function:f","Next":"N"}"#;
    let fields = [("definition", definition), ("roleArn", "arn:aws:iam::1:role/r"), ("input", "[1]")];
    let request = Value::from(Map::from_iter(fields));
    let mut calls = 0;
    let mut answer = |failure: Option<Failure>| {
        let mut run = |call: &asl_core::TaskCall| {
            calls += 1;
            failure.clone().map_or_else(|| Ok(call.parameters.clone()), Err)
        };
        let setting = Setting { run: Some(&mut run), ..Setting::at(Timestamp::from_millis(NOW)) };
        test_state(&request, setting).expect("a response")
    };
    assert_eq!(answer(None).to_string(), r#"{"status":"SUCCEEDED","output":"[1]","nextState":"N"}"#);
    let failed = answer(Some(Failure::new("E", "c")));
    assert_eq!(failed.to_string(), r#"{"status":"FAILED","error":"E","cause":"c"}"#);
    assert_eq!(calls, 2);
}

/// A selector that makes much of little is stopped.
#[test]
fn what_is_told_of_items_is_bounded() {
    let long = "x".repeat(200_000);
    let definition = format!(
        r#"{{"Type":"Map","End":true,"ItemSelector":{{"a":"{long}"}},
            "ItemProcessor":{{"StartAt":"P","States":{{"P":{{"Type":"Pass","End":true}}}}}}}}"#
    );
    let input = Value::from(vec![Value::Null; 10_000]).to_string();
    let mut request = Map::from_iter([("definition", definition), ("input", input)]);
    request.insert("mock", Map::from_iter([("result", "[]")]));
    let response = test_state(&Value::from(request), Setting::at(Timestamp::from_millis(NOW))).expect("a response");
    assert_eq!(response["error"].as_str(), Some("States.DataLimitExceeded"));
}

/// Whatever stands in a member, the request is answered or refused: each member of each case, and of what is in it, is
/// replaced by what does not belong there.
#[test]
fn no_request_is_too_odd_to_answer() {
    let odd = ["null", "true", "-1", "\"\"", "\"{\"", "\"[]\"", "\"{\\\"Type\\\":1}\"", "[]", "{}", "1e300"];
    let odd: Vec<Value> = odd.iter().map(|text| text.parse().expect("JSON")).collect();
    let members = [
        "definition",
        "stateName",
        "roleArn",
        "input",
        "variables",
        "context",
        "mock",
        "inspectionLevel",
        "revealSecrets",
        "stateConfiguration",
    ];
    let inner = [
        ("mock", "result"),
        ("mock", "errorOutput"),
        ("mock", "fieldValidationMode"),
        ("stateConfiguration", "retrierRetryCount"),
        ("stateConfiguration", "errorCausedByState"),
        ("stateConfiguration", "mapIterationFailureCount"),
        ("stateConfiguration", "mapItemReaderData"),
    ];
    let ask = |request: Map| {
        if let Ok(response) = test_state(&Value::from(request), Setting::at(Timestamp::from_millis(NOW))) {
            assert!(response["status"].as_str().is_some(), "{response}");
        }
    };
    for case in cases() {
        let request = on_the_wire(&case["request"]).as_object().cloned().expect("a request");
        for odd in &odd {
            for member in members {
                let mut request = request.clone();
                request.insert(member, odd.clone());
                ask(request);
            }
            for (member, field) in inner {
                let mut outer = request.get(member).and_then(Value::as_object).cloned().unwrap_or_default();
                outer.insert(field, odd.clone());
                let mut request = request.clone();
                request.insert(member, outer);
                ask(request);
            }
        }
    }
    ask(Map::new());
}
