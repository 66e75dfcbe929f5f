//! TestState cases: the operation itself, on the request as a client sends it.

use crate::client::{Called, call};
use crate::world_server::Served;
use crate::{definition_text, execution};
use asl_value::{Map, Value};
use std::sync::OnceLock;

/// The answer, or the exception as a client shows it.
pub(crate) fn run(case: &Value) -> Result<Value, String> {
    // A test of a state leaves nothing behind: one server does for all.
    static SERVED: OnceLock<Result<Served, String>> = OnceLock::new();
    let served = SERVED.get_or_init(|| Served::new(&[])).as_ref()?;
    let answer = match call(served.address, "TestState", &request(case))? {
        Called::Answered(response, _) => ("response", Value::from(response)),
        Called::Refused { code, message, .. } => ("exception", exception(&code, &message)),
        Called::Invalid(text) => ("exception", exception("ParamValidationError", &text)),
    };
    Ok(Value::from(Map::from_iter([answer])))
}

fn exception(code: &str, message: &str) -> Value {
    let error = Map::from_iter([("Code", code), ("Message", message)]);
    Value::from(Map::from_iter([("Error", error)]))
}

/// The case's request, with the texts that the case holds beside it.
fn request(case: &Value) -> Map {
    let mut request = case["request"].as_object().cloned().unwrap_or_default();
    request.insert("definition", definition_text(case));
    if !case["input"].is_null() {
        request.insert("input", execution::python_json(&case["input"]));
    }
    request
}
