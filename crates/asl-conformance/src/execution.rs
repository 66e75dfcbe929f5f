//! Execution cases: who runs, and what is answered.

use crate::world::{Fixtures, World};
use crate::{dated, definition_text};
use asl_core::{Event, Execution, ExecutionType, Failure, Input, Machine, Outcome};
use asl_expr::Timestamp;
use asl_syntax::{Kind, Options, Source, load};
use asl_value::{Map, Value};

/// When virtual time begins, unless the case counts from another instant: 2026-01-01T00:00:00Z.
pub(crate) const EPOCH_MS: i64 = 1_767_225_600_000;

/// The role of every execution. Not the case's own: the checker renames that one in what the engine says, which some
/// recordings do not, and where they do any role will do.
const ROLE: &str = "arn:aws:iam::111111111111:role/asl-conformance";

/// Runs the case to its end.
pub(crate) fn run(case: &Value) -> Result<Value, String> {
    let express = case["type"].as_str() == Some("EXPRESS");
    let kind = if express { Kind::Express } else { Kind::Standard };
    let source = Source::new("definition", definition_text(case));
    let loaded = load(&source, &Options { kind, lints: false, ..Options::default() });
    let Some(definition) = loaded.definition else {
        let messages: Vec<String> = loaded.diagnostics.iter().map(|d| d.message.clone()).collect();
        return Err(format!("the definition does not load: {}", messages.join("; ")));
    };
    let clock = case["clock"].as_str().and_then(|t| Timestamp::parse(t).ok());
    let now = clock.unwrap_or(Timestamp::from_millis(EPOCH_MS));
    let fixtures = Fixtures::new(case);
    let mut world = World::new(Machine::new(definition), &fixtures, now);
    let outcome = world.run(Input::Start(Box::new(identity(case, express))));
    Ok(dated::answer(case, report(case, outcome.as_ref(), &world.events, express)))
}

fn identity(case: &Value, express: bool) -> Execution {
    let names = &case["names"];
    let machine = names["state_machine"].as_str().unwrap_or("state-machine");
    let name = names["execution"].as_str().unwrap_or("b6a8c1f0-0000-4000-8000-00000000e8ec");
    let account = "arn:aws:states:us-east-1:111111111111";
    let arn = if express {
        format!("{account}:express:{machine}:{name}:0b6a8c1f-0000-4000-8000-00000000e8ec")
    } else {
        format!("{account}:execution:{machine}:{name}")
    };
    let input = case.get("input").cloned().unwrap_or_else(Value::empty_object);
    Execution {
        arn: arn.into(),
        name: name.into(),
        state_machine_arn: format!("{account}:stateMachine:{machine}").into(),
        state_machine_name: machine.into(),
        role_arn: ROLE.into(),
        region: "us-east-1".into(),
        execution_type: if express { ExecutionType::Express } else { ExecutionType::Standard },
        seed: 1,
        token_key: None,
        input_text: python_json(&input).into(),
        input,
    }
}

fn report(case: &Value, outcome: Option<&Outcome>, events: &[Event], express: bool) -> Value {
    let mut out = Map::new();
    out.insert("status", outcome.map_or("RUNNING", Outcome::status));
    // Nobody can ask an asynchronous Express execution for its output; nor does its log answer.
    let asynchronous = express && case["api"].as_str() == Some("start_execution");
    if asynchronous || case["snapshot_key"].as_str() == Some("logged_execution_events") {
        return Value::from(out);
    }
    match outcome {
        Some(Outcome::Succeeded(output)) => {
            out.insert("output", output.clone());
        }
        Some(Outcome::Failed(failure) | Outcome::Aborted(failure)) => put(&mut out, failure),
        Some(Outcome::TimedOut(failure)) if express => put(&mut out, failure),
        Some(Outcome::TimedOut(_)) | None => {}
    }
    let events = events.iter().map(asl_core::event::to_aws).collect();
    out.insert("events", dated::as_recorded(case, events));
    Value::from(out)
}

fn put(out: &mut Map, failure: &Failure) {
    failure.error.iter().for_each(|e| drop(out.insert("error", e)));
    failure.cause.iter().for_each(|c| drop(out.insert("cause", c)));
}

/// JSON as Python's `json.dumps` writes it, a blank after `,` and `:`. The recording's client wrote inputs so, whose text
/// the history keeps, and so did the recorded functions their errors.
pub(crate) fn python_json(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(python_json).collect();
            format!("[{}]", parts.join(", "))
        }
        Value::Object(map) => {
            let parts: Vec<String> =
                map.iter().map(|(k, v)| format!("{}: {}", Value::from(k.clone()), python_json(v))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
