//! Execution cases: the real machine in virtual time.

use crate::definition_text;
use crate::mocks::Mocks;
use asl_core::{Command, Event, Execution, ExecutionType, Input, Machine, Outcome, Progress};
use asl_expr::Timestamp;
use asl_syntax::{Kind, Options, Source, load};
use asl_value::{Map, Value};
use std::collections::VecDeque;

/// When virtual time begins, unless the case counts from another instant: 2026-01-01T00:00:00Z.
const EPOCH_MS: i64 = 1_767_225_600_000;

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
    let mut world = World {
        machine: Machine::new(definition),
        mocks: Mocks::new(case),
        now: clock.unwrap_or(Timestamp::from_millis(EPOCH_MS)),
        events: Vec::new(),
        inputs: VecDeque::new(),
    };
    world.inputs.push_back(Input::Start(Box::new(identity(case, express))));
    let outcome = world.drive();
    Ok(report(outcome.as_ref(), &world.events, express))
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
        role_arn: names["role_arn"].as_str().unwrap_or("arn:aws:iam::111111111111:role/sfn-role").into(),
        region: "us-east-1".into(),
        execution_type: if express { ExecutionType::Express } else { ExecutionType::Standard },
        seed: 1,
        input_text: python_json(&input).into(),
        input,
    }
}

/// A driver in virtual time: answers come from the record, and time jumps to the next deadline.
struct World<'c> {
    machine: Machine,
    mocks: Mocks<'c>,
    now: Timestamp,
    events: Vec<Event>,
    inputs: VecDeque<Input>,
}

impl World<'_> {
    fn drive(&mut self) -> Option<Outcome> {
        loop {
            if let Some(input) = self.inputs.pop_front() {
                // A late answer of an aborted sibling is nobody's; the machine says so.
                let _ = self.machine.handle(input, self.now);
            }
            let progress = self.machine.run(self.now, 10_000).progress;
            let effects = self.machine.take_effects();
            self.events.extend(effects.events);
            for command in effects.commands {
                if let Command::RunTask(call) = command {
                    self.inputs.extend(self.mocks.answer(&call));
                }
            }
            match progress {
                Progress::Finished => return self.machine.outcome().cloned(),
                Progress::Quiescent if self.inputs.is_empty() => match self.machine.next_deadline() {
                    Some(deadline) => self.now = deadline,
                    None => return None,
                },
                Progress::Quiescent | Progress::Yielded => {}
            }
        }
    }
}

fn report(outcome: Option<&Outcome>, events: &[Event], express: bool) -> Value {
    let mut out = Map::new();
    out.insert("status", outcome.map_or("RUNNING", Outcome::status));
    match outcome {
        Some(Outcome::Succeeded(output)) => {
            out.insert("output", output.clone());
        }
        Some(Outcome::Failed(f) | Outcome::Aborted(f)) => {
            f.error.iter().for_each(|e| drop(out.insert("error", e)));
            f.cause.iter().for_each(|c| drop(out.insert("cause", c)));
        }
        Some(Outcome::TimedOut(f)) if express => {
            f.error.iter().for_each(|e| drop(out.insert("error", e)));
        }
        Some(Outcome::TimedOut(_)) | None => {}
    }
    out.insert("events", events.iter().map(|e| asl_core::event::to_aws(e)).collect::<Value>());
    Value::from(out)
}

/// JSON as the recording's client wrote it (Python's `json.dumps`: a blank after `,` and `:`): the history keeps the
/// caller's own text.
fn python_json(value: &Value) -> String {
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
