//! Definitions and their executions, for the tests.
#![allow(clippy::disallowed_methods, dead_code, reason = "tests read their data from files, and each uses a part")]

use asl_core::{Command, Event, Execution, ExecutionType, Failure, Input, Machine, Progress, TaskCall};
use asl_expr::Timestamp;
use asl_syntax::{Definition, Options, Source, load};
use asl_value::{Map, Value, parse};
use std::path::PathBuf;
use std::sync::Arc;

/// A path relative to this crate.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

pub(crate) fn definition(text: &str) -> Arc<Definition> {
    let loaded = load(&Source::new("test", text), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}\n{text}", loaded.diagnostics))
}

pub(crate) fn definition_file(relative: &str) -> Arc<Definition> {
    definition(&std::fs::read_to_string(path(relative)).unwrap())
}

/// What a task answers: an output, a failure, or nothing yet.
pub(crate) enum Answer {
    Output(Value),
    Failure(&'static str),
    Never,
}

/// Runs an execution in virtual time; `stop_at` ends it by hand once nothing moves any more.
pub(crate) fn run(
    definition: &Arc<Definition>,
    input: &str,
    stop: bool,
    mut answer: impl FnMut(&TaskCall) -> Answer,
) -> Vec<Event> {
    let mut machine = Machine::new(definition.clone());
    let mut now = Timestamp::from_millis(1_767_225_600_000);
    let mut events = Vec::new();
    let mut inputs = vec![Input::Start(Box::new(execution(input)))];
    loop {
        for input in std::mem::take(&mut inputs) {
            // An aborted sibling's answer is nobody's.
            let _ = machine.handle(input, now);
        }
        let progress = machine.run(now, 10_000).progress;
        let effects = machine.take_effects();
        events.extend(effects.events);
        for command in effects.commands {
            let Command::RunTask(call) = command else { continue };
            match answer(&call) {
                Answer::Output(output) => inputs.push(Input::TaskSucceeded { task: call.id, output }),
                Answer::Failure(error) => {
                    inputs.push(Input::TaskFailed { task: call.id, failure: Failure::new(error, "told to") })
                }
                Answer::Never => {}
            }
        }
        match progress {
            Progress::Finished => return events,
            Progress::Quiescent if inputs.is_empty() => match machine.next_deadline() {
                // The execution's own limit is a year away: then it waits for an answer.
                Some(at) if at.millis() - now.millis() < 86_400_000 => now = at,
                _ if stop => inputs.push(Input::Stop(Failure::default())),
                _ => return events,
            },
            Progress::Quiescent | Progress::Yielded => {}
        }
    }
}

fn execution(input: &str) -> Execution {
    Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        state_machine_name: "m".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: 1,
        token_key: None,
        input_text: input.into(),
        input: parse(input).unwrap(),
    }
}

/// The payload of a function that was invoked as a service integration.
pub(crate) fn invoked(payload: &str) -> Answer {
    Answer::Output(Value::from(Map::from_iter([("Payload", parse(payload).unwrap())])))
}
