//! Validation cases: what CreateStateMachine and ValidateStateMachineDefinition say.

use crate::definition_text;
use asl_syntax::{Kind, Options, Severity, Source, create_error_message, load, validate};
use asl_value::{Map, Value};

/// The verdict with AWS's codes, messages and locations.
pub(crate) fn run(case: &Value) -> Value {
    let kind = if case["type"].as_str() == Some("EXPRESS") { Kind::Express } else { Kind::Standard };
    let source = Source::new("definition", definition_text(case));
    let options = Options { kind, lints: false, ..Options::default() };
    let diagnostics = load(&source, &options).diagnostics;
    let mut out = Map::new();
    if case["operation"].as_str() == Some("validate") {
        return validate(&diagnostics, Severity::Error, 0).to_value();
    }
    if diagnostics.iter().any(asl_syntax::Diagnostic::is_error) {
        out.insert("result", "FAIL");
        out.insert("code", "InvalidDefinition");
        out.insert("message", message(case, create_error_message(&diagnostics)));
    } else {
        out.insert("result", "OK");
    }
    Value::from(out)
}

/// A recorded exception has the text of the client that raised it around the service's message.
fn message(case: &Value, message: String) -> String {
    let operation = match case["operation"].as_str() {
        Some("update") => "UpdateStateMachine",
        _ => "CreateStateMachine",
    };
    match case["snapshot_key"].as_str() {
        Some("exception") => {
            format!("An error occurred (InvalidDefinition) when calling the {operation} operation: {message}")
        }
        _ => message,
    }
}
