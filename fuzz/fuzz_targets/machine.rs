//! A machine: how the world answers (first line) and a definition (the rest). Whatever loads runs, with any answers:
//! events are numbered without gaps, one event ends the execution, and the same steps taken one at a time, with a
//! snapshot at each, and taken again from what was recorded, give the same events.
#![no_main]

use asl_core::event::to_aws;
use asl_core::{
    Command, Event, Execution, ExecutionType, Failure, Input, Machine, MapCommand, MapRunId, Outcome, Progress,
    TaskCall, TaskId, items,
};
use asl_expr::Timestamp;
use asl_fuzz::{document, parts, reads_back};
use asl_syntax::{Definition, Options, Source, load};
use asl_value::Value;
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// 2026-01-01T00:00:00Z
const EPOCH_MS: i64 = 1_767_225_600_000;
/// How many steps one execution may take: definitions may loop.
const MAX_STEPS: u32 = 400;
/// How many children all executions together may have.
const MAX_CHILDREN: u32 = 40;

fuzz_target!(|text: &str| {
    let [answers, definition] = parts(text);
    let options = Options { lints: false, ..Options::default() };
    let Some(definition) = load(&Source::new("fuzz", definition), &options).definition else { return };

    let straight = run(&definition, answers.as_bytes(), MAX_STEPS, false);
    numbered(&straight);
    for event in &straight.events {
        let _ = (event.type_name(), to_aws(event).to_string());
    }
    let stepwise = run(&definition, answers.as_bytes(), 1, true);
    if straight.stuck || stepwise.stuck {
        return;
    }
    assert_eq!(stepwise.events, straight.events, "one step at a time, with snapshots");
    assert_eq!(stepwise.machine.outcome(), straight.machine.outcome());

    let mut machine = Machine::new(definition);
    for record in straight.records {
        for input in record.inputs {
            machine.handle(input, record.now).expect("a recorded input was taken");
        }
        machine.run(record.now, record.steps);
    }
    assert_eq!(machine.take_effects().events, straight.events, "a replay");
    assert_eq!(machine.outcome(), straight.machine.outcome());
});

fn numbered(run: &Run) {
    for (at, event) in (1..).zip(&run.events) {
        assert_eq!(event.id, at);
        assert!(event.previous < event.id, "{event:?}");
    }
    let ends = run.events.iter().filter(|event| event.kind.ends_execution()).count();
    match run.machine.outcome() {
        Some(outcome) => {
            assert!(ends == 1 && run.events.last().is_some_and(|event| event.kind.ends_execution()));
            if let Outcome::Succeeded(output) = outcome {
                reads_back(output);
            }
        }
        None => assert_eq!(ends, 0),
    }
}

struct Record {
    now: Timestamp,
    inputs: Vec<Input>,
    steps: u32,
}

struct Run {
    machine: Machine,
    events: Vec<Event>,
    records: Vec<Record>,
    /// It was not followed to its end: too many steps or children, or nothing moves it on.
    stuck: bool,
}

fn run(definition: &Arc<Definition>, answers: &[u8], budget: u32, snapshots: bool) -> Run {
    let mut children = MAX_CHILDREN;
    let machine = Machine::new(definition.clone());
    let start = execution();
    Driver { answers, budget, snapshots, children: &mut children }
        .run(machine, start, Timestamp::from_millis(EPOCH_MS))
        .0
}

fn execution() -> Execution {
    let account = "arn:aws:states:us-east-1:123456789012";
    let input = document();
    Execution {
        arn: format!("{account}:execution:machine:run").into(),
        name: "run".into(),
        state_machine_arn: format!("{account}:stateMachine:machine").into(),
        state_machine_name: "machine".into(),
        role_arn: "arn:aws:iam::123456789012:role/machine".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: 7,
        input_text: input.to_string().into(),
        input,
    }
}

/// A driver in virtual time. What it answers depends on the task alone, not on when it is asked.
struct Driver<'a> {
    answers: &'a [u8],
    budget: u32,
    snapshots: bool,
    children: &'a mut u32,
}

impl Driver<'_> {
    fn run(&mut self, mut machine: Machine, start: Execution, mut now: Timestamp) -> (Run, Timestamp) {
        let (mut events, mut records, mut later) = (Vec::new(), Vec::new(), BTreeMap::<(Timestamp, u64), Input>::new());
        let mut count = 0;
        let mut inputs = VecDeque::from([Input::Start(Box::new(start))]);
        let (mut steps_left, mut stuck) = (MAX_STEPS, true);
        while steps_left > 0 {
            let mut taken: Vec<Input> = inputs.drain(..).filter(|i| machine.handle(i.clone(), now).is_ok()).collect();
            loop {
                if self.snapshots {
                    machine = machine.clone();
                }
                let step = machine.run(now, self.budget.min(steps_left));
                records.push(Record { now, inputs: std::mem::take(&mut taken), steps: step.steps });
                steps_left = steps_left.saturating_sub(step.steps);
                if step.progress != Progress::Yielded || steps_left == 0 {
                    break;
                }
            }
            // A turn without a step counts too, so that this comes to an end.
            steps_left = steps_left.saturating_sub(1);
            let effects = machine.take_effects();
            events.extend(effects.events);
            for command in effects.commands {
                for (after_ms, input) in self.obey(&machine, command, now) {
                    count += 1;
                    later.insert((now.plus_ms(after_ms), count), input);
                }
            }
            if machine.outcome().is_some() {
                stuck = false;
                break;
            }
            let answer = later.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = [answer, machine.next_deadline()].into_iter().flatten().min() else { break };
            now = now.max(next);
            if answer == Some(next) {
                inputs.extend(later.pop_first().map(|(_, input)| input));
            }
        }
        (Run { machine, events, records, stuck }, now)
    }

    fn obey(&mut self, machine: &Machine, command: Command, now: Timestamp) -> Vec<(i64, Input)> {
        match command {
            Command::RunTask(call) => self.task(&call),
            Command::Map(MapCommand::Read(read)) => {
                let bytes =
                    if self.byte(1).is_multiple_of(4) { self.answers } else { b"[1,{\"a\":2},\"x\"]".as_slice() };
                let run = read.run;
                vec![match items::parse(&read.config, bytes, read.max_items) {
                    Ok(items) => (0, Input::MapItems { run, items }),
                    Err(failure) => (0, Input::MapFailed { run, failure }),
                }]
            }
            Command::Map(MapCommand::Write(write)) => vec![(0, Input::MapWritten { run: write.run })],
            Command::Map(MapCommand::Start(call)) => {
                if *self.children == 0 {
                    return Vec::new();
                }
                *self.children -= 1;
                let child = Machine::new(machine.definition().clone());
                let (run, ended) = self.run(child, call.execution, now);
                numbered(&run);
                let outcome = run.machine.outcome().cloned().unwrap_or(Outcome::TimedOut(Failure::default()));
                vec![(ended.millis() - now.millis(), Input::ChildDone { run: call.run, child: call.child, outcome })]
            }
            Command::Map(MapCommand::Stop { .. }) | Command::CancelTask(_) | Command::Finish(_) => Vec::new(),
        }
    }

    fn byte(&self, at: u64) -> u8 {
        match self.answers.len() {
            0 => 0,
            len => self.answers[at as usize % len],
        }
    }

    fn task(&self, call: &TaskCall) -> Vec<(i64, Input)> {
        let (task, dice) = (call.id, self.byte(call.id.0));
        let after_ms = i64::from(dice >> 4) * 700;
        let cause = format!("{{\"errorMessage\":\"{dice}\"}}");
        match dice % 16 {
            0 => vec![(after_ms, Input::TaskFailed { task, failure: Failure::new("E1", cause) })],
            1 => vec![(after_ms, Input::TaskFailed { task, failure: Failure::default() })],
            2 => vec![(after_ms, Input::TaskFailed { task, failure: Failure::new("States.Timeout", "") })],
            // Nobody answers.
            3 => Vec::new(),
            // Answers that do not fit.
            4 => vec![
                (0, Input::TaskScheduled { task }),
                (0, Input::TaskStarted { task: TaskId(task.0 + 1), worker: None }),
                (0, Input::MapWritten { run: MapRunId(1) }),
                (0, Input::MapItems { run: MapRunId(task.0), items: Value::from(1) }),
                (after_ms, Input::TaskSubmitted { task, output: Value::Null }),
                (after_ms, Input::TaskSucceeded { task, output: Value::from(1) }),
                (after_ms, Input::ChildDone { run: MapRunId(1), child: 0, outcome: Outcome::Succeeded(Value::Null) }),
                (9000, Input::TaskHeartbeat { task }),
            ],
            // An activity.
            5 => vec![
                (0, Input::TaskScheduled { task }),
                (after_ms, Input::TaskStarted { task, worker: Some("worker".into()) }),
                (after_ms + 1500, Input::TaskHeartbeat { task }),
                (after_ms * 2 + 1500, Input::TaskSucceeded { task, output: document() }),
            ],
            6 => vec![(0, Input::TaskRejected { task, cause: cause.into() })],
            7 => vec![(after_ms, Input::Stop(Failure::new("Stopped", cause)))],
            8 => vec![(after_ms, Input::TaskSucceeded { task, output: Value::Null })],
            9 => vec![(after_ms, Input::TaskSucceeded { task, output: Value::from(cause) })],
            10 => vec![
                (0, Input::TaskSubmitted { task, output: document() }),
                (after_ms, Input::TaskSucceeded { task, output: call.parameters.clone() }),
            ],
            _ => vec![(after_ms, Input::TaskSucceeded { task, output: document() })],
        }
    }
}
