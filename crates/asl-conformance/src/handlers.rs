//! The standard functions that cases name by file: for tasks whose results nobody recorded.

use crate::execution::python_json;
use asl_core::{Failure, Input, TaskCall};
use asl_syntax::ResourceKind;
use asl_value::{Map, Value};

/// The case's functions.
pub(crate) struct Handlers<'c> {
    rows: &'c [Value],
}

impl<'c> Handlers<'c> {
    pub(crate) fn new(case: &'c Value) -> Handlers<'c> {
        Handlers { rows: case["fixtures"]["lambda"].as_array().unwrap_or_default() }
    }

    /// What the function answers; none for functions and services that are not known.
    pub(crate) fn answer(&self, call: &TaskCall) -> Option<Input> {
        let task = call.id;
        let (name, event, direct) = match &call.resource.kind {
            ResourceKind::Lambda { .. } => (&*call.resource.arn, call.parameters.clone(), true),
            ResourceKind::Service { service, .. } if &**service == "lambda" => {
                (call.parameters["FunctionName"].as_str()?, event(&call.parameters["Payload"])?, false)
            }
            _ => return None,
        };
        let named = |row: &&Value| [&row["name"], &row["arn"]].iter().any(|n| n.as_str() == Some(name));
        let file = self.rows.iter().find(named)?["file"].as_str()?;
        Some(match handle(file, event, direct)? {
            Ok(payload) if direct => Input::TaskSucceeded { task, output: payload },
            Ok(payload) => Input::TaskSucceeded { task, output: response(payload) },
            Err(failure) => Input::TaskFailed { task, failure },
        })
    }
}

/// The event of `lambda:invoke`: nothing is an empty object, a string is the payload's own text.
fn event(payload: &Value) -> Option<Value> {
    match payload {
        Value::Null => Some(Value::empty_object()),
        Value::String(text) => text.parse().ok(),
        other => Some(other.clone()),
    }
}

/// What a function of that file does with an event.
fn handle(file: &str, event: Value, direct: bool) -> Option<Result<Value, Failure>> {
    match file {
        "id_function.py" => Some(Ok(event)),
        "raise_exception.py" => {
            let message = "Some exception was raised.";
            Some(Err(raised("Exception", message, 2, &format!("raise Exception(\"{message}\")"), direct)))
        }
        "raise_custom_exception.py" => Some(Err(raised("CustomException", "", 9, "raise CustomException()", direct))),
        _ => None,
    }
}

/// An exception as the Python runtime reports it; a service integration writes it again.
fn raised(name: &str, message: &str, line: u32, code: &str, direct: bool) -> Failure {
    let trace = format!("  File \"/var/task/handler.py\", line {line}, in handler\n    {code}\n");
    let mut report = Map::new();
    report.insert("errorMessage", message);
    report.insert("errorType", name);
    report.insert("requestId", "5b5f4c9e-0000-4000-8000-00000000e8ec");
    report.insert("stackTrace", vec![Value::from(trace)]);
    let report = Value::from(report);
    Failure::new(name, if direct { python_json(&report) } else { report.to_string() })
}

/// The response of `lambda:invoke`.
fn response(payload: Value) -> Value {
    let mut out = Map::new();
    out.insert("ExecutedVersion", "$LATEST");
    out.insert("Payload", payload);
    out.insert("StatusCode", 200);
    Value::from(out)
}
