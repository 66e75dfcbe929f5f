//! TestState cases: the operation itself, on the request as a client would send it.

use crate::execution::EPOCH_MS;
use crate::handlers::Handlers;
use crate::{definition_text, execution};
use asl::test_state::{Setting, test_state};
use asl_core::{Failure, Input, TaskCall};
use asl_expr::Timestamp;
use asl_value::{Map, Value};

/// The answer, or the exception as a client shows it.
pub(crate) fn run(case: &Value) -> Value {
    let handlers = Handlers::new(case);
    let mut call = |call: &TaskCall| answer(&handlers, call);
    let setting = Setting {
        account: "111111111111".into(),
        seed: 1,
        run: Some(&mut call),
        ..Setting::at(Timestamp::from_millis(EPOCH_MS))
    };
    let answer = match test_state(&request(case), setting) {
        Ok(response) => ("response", response),
        Err(exception) => ("exception", exception.to_value()),
    };
    Value::from(Map::from_iter([answer]))
}

/// The case's request, with the texts that the case holds beside it.
fn request(case: &Value) -> Value {
    let mut request = case["request"].as_object().cloned().unwrap_or_default();
    request.insert("definition", definition_text(case));
    if !case["input"].is_null() {
        request.insert("input", execution::python_json(&case["input"]));
    }
    Value::from(request)
}

/// A task that is not mocked: the case's function, if it names one.
fn answer(handlers: &Handlers<'_>, call: &TaskCall) -> Result<Value, Failure> {
    match handlers.answer(call).into_iter().next_back() {
        Some(Input::TaskSucceeded { output, .. }) => Ok(output),
        Some(Input::TaskFailed { failure, .. }) => Err(failure),
        _ => Err(Failure::new("States.Runtime", "the case says nothing of this task")),
    }
}
