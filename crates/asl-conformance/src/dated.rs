//! What AWS did differently when a case was recorded. The machine does what AWS does now; the cases span years, and say
//! when they were recorded.

use asl_core::Failure;
use asl_value::Value;

/// Since redrive was launched the context object has a `RedriveCount`.
const REDRIVE: &str = "2023-11-15";
/// Until some day between 2024-03-29 and 2024-08-19 the first state's event kept the caller's text of the input.
const FIRST_INPUT_COMPACT: &str = "2024-06-01";
/// Until some day between 2024-08-19 and 2024-11-13 the exit of a Distributed Map followed `MapRunSucceeded`.
const EXIT_FOLLOWS_START: &str = "2024-10-01";
/// Since then an object in a file is a list of its members.
const OBJECTS_ARE_ITEMS: &str = "2025-09-11";

/// The history as AWS would have recorded it at the case's date.
pub(crate) fn as_recorded(case: &Value, mut events: Vec<Value>) -> Value {
    let Some(date) = date(case) else { return Value::from(events) };
    if *date < *FIRST_INPUT_COMPACT {
        keep_first_input(&mut events);
    }
    if *date < *EXIT_FOLLOWS_START {
        exits_follow_success(&mut events);
    }
    Value::from(events)
}

/// The answer as AWS would have given it at the case's date.
pub(crate) fn answer(case: &Value, answer: Value) -> Value {
    if date(case).is_none_or(|date| *date >= *REDRIVE) {
        return answer;
    }
    // As a value, and as JSON text inside of one.
    let text = answer.to_string().replace(r#","RedriveCount":0"#, "").replace(r#",\"RedriveCount\":0"#, "");
    text.parse().unwrap_or(answer)
}

/// The items of a file as AWS would have taken them at the case's date.
pub(crate) fn items(case: &Value, items: Value) -> Result<Value, Failure> {
    let early = date(case).is_some_and(|date| *date < *OBJECTS_ARE_ITEMS);
    if early && items.as_object().is_some() {
        return Err(Failure::new("States.ItemReaderFailed", "Attempting to map over non-iterable node."));
    }
    Ok(items)
}

fn keep_first_input(events: &mut [Value]) {
    let text = events.first().map(|e| e["executionStartedEventDetails"]["input"].clone());
    let Some(Value::Object(first)) = events.get_mut(1) else { return };
    let details = std::sync::Arc::make_mut(first).get_mut("stateEnteredEventDetails");
    if let (Some(text), Some(Value::Object(details))) = (text, details) {
        std::sync::Arc::make_mut(details).insert("input", text);
    }
}

fn exits_follow_success(events: &mut [Value]) {
    let kind = |e: &Value, name: &str| e["type"].as_str() == Some(name);
    for at in 2..events.len() {
        let done = kind(&events[at], "MapStateExited") && kind(&events[at - 2], "MapRunSucceeded");
        let success = events[at - 2]["id"].clone();
        if let (true, Value::Object(exit)) = (done, &mut events[at]) {
            std::sync::Arc::make_mut(exit).insert("previousEventId", success);
        }
    }
}

/// When the case was recorded, as `YYYY-MM-DD`.
fn date(case: &Value) -> Option<String> {
    if let Some(validated) = case["source"]["validated"].as_str().and_then(|t| t.get(..10)) {
        return iso(validated);
    }
    case["source"]["recorded"].as_str().and_then(|t| t.get(..10)).and_then(iso)
}

/// A date that may be written `DD-MM-YYYY`.
fn iso(date: &str) -> Option<String> {
    let parts: Vec<&str> = date.split('-').collect();
    match parts[..] {
        [year, month, day] if year.len() == 4 => Some(format!("{year}-{month}-{day}")),
        [day, month, year] => Some(format!("{year}-{month}-{day}")),
        _ => None,
    }
}
