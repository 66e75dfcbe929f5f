//! The law between the machine and the journal: whatever the machine accepts, the journal reads back, and a machine that is
//! fed what was read does the same again.

mod common;

use asl_core::{Command, Event, Failure, Input, Machine, Outcome, Progress};
use asl_expr::Timestamp;
use asl_journal::{NewExecution, Record};
use asl_syntax::{Options, Source, load, plain_text};
use asl_value::Value;
use common::{NOW_MS, definition, execution};
use proptest::prelude::*;
use std::sync::Arc;

const TASK: &str = r#""Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f""#;

/// What a definition does with the number that it gets, and what its task answers.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A task answers so many levels.
    Answer,
    /// The same, in the envelope of an invocation, with a catcher.
    Envelope,
    /// A task fails with so many characters.
    Failure,
    /// A text of so many levels becomes a value.
    Text,
    /// A loop wraps its variable so often, some levels at a time.
    Assign,
    /// A loop puts its input into itself.
    ResultPath,
    /// A path of so many names is made.
    LongPath,
}

fn text(shape: Shape, levels: usize) -> String {
    let states = match shape {
        Shape::Answer | Shape::Failure => format!(r#""S": {{{TASK}, "End": true}}"#),
        Shape::Envelope => r#""S": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "ResultPath": "$.r.s",
                "End": true, "Parameters": {"FunctionName": "f"}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E"}]},
               "E": {"Type": "Succeed"}"#
            .to_owned(),
        Shape::Text => {
            r#""S": {"Type": "Pass", "Assign": {"v.$": "States.StringToJson($.t)"}, "End": true}"#.to_owned()
        }
        Shape::Assign | Shape::ResultPath => {
            let open = r#"{"w": "#.repeat(levels % 40);
            let wrap = match shape {
                Shape::Assign => format!(r#""Assign": {{"v": {open}{{"w.$": "$v"}}{}}}"#, "}".repeat(levels % 40)),
                _ => r#""ResultPath": "$.a""#.to_owned(),
            };
            format!(
                r#""S": {{"Type": "Pass", "Assign": {{"v": 1, "n": 0}}, "Next": "W"}},
                   "W": {{"Type": "Pass", {wrap}, "Next": "N"}},
                   "N": {{"Type": "Pass", "Assign": {{"n.$": "States.MathAdd($n, 1)"}}, "Next": "C"}},
                   "C": {{"Type": "Choice", "Default": "E", "Choices": [{{"Variable": "$n", "NumericLessThan": {levels}, "Next": "W"}}]}},
                   "E": {{"Type": "Succeed"}}"#
            )
        }
        Shape::LongPath => {
            let path = ".a".repeat(levels.clamp(1, 512));
            format!(r#""S": {{"Type": "Pass", "ResultPath": "${path}", "End": true}}"#)
        }
    };
    format!(r#"{{"StartAt": "S", "States": {{{states}}}}}"#)
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::from(vec![inner]))
}

fn answer(shape: Shape, levels: usize, command: Command) -> Option<Input> {
    let Command::RunTask(call) = command else { return None };
    let task = call.id;
    Some(match shape {
        Shape::Failure => Input::TaskFailed {
            task,
            failure: Failure::new("Nö\n".repeat(levels), "cause \u{1f600}".repeat(levels * 10)),
        },
        Shape::Envelope => Input::TaskSucceeded { task, output: Value::from_iter([("Payload", nested(levels))]) },
        _ => Input::TaskSucceeded { task, output: nested(levels) },
    })
}

/// The records of an execution, as a driver would have written them.
fn records(machine: &mut Machine, shape: Shape, levels: usize, start: Input) -> Vec<Record> {
    let mut records = Vec::new();
    let mut inputs = vec![start];
    loop {
        let now = Timestamp::from_millis(NOW_MS + records.len() as i64);
        let taken: Vec<Input> = inputs.drain(..).filter_map(|input| machine.accept(input, now)).collect();
        let step = machine.run(now, 400);
        let effects = machine.take_effects();
        records.push(Record { now, inputs: taken, steps: step.steps, events: effects.events });
        inputs.extend(effects.commands.into_iter().filter_map(|command| answer(shape, levels, command)));
        match step.progress {
            Progress::Finished => return records,
            Progress::Yielded => {}
            Progress::Quiescent => assert!(!inputs.is_empty(), "nothing moves it on"),
        }
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    use Shape::{Answer, Assign, Envelope, Failure, LongPath, ResultPath, Text};
    prop::sample::select(vec![Answer, Envelope, Failure, Text, Assign, ResultPath, LongPath])
}

/// Mostly around the limit.
fn levels() -> impl Strategy<Value = usize> {
    prop_oneof![490..520usize, 0..700usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_the_machine_accepts_the_journal_reads_back(shape in shapes(), levels in levels()) {
        let source = Source::new("law", text(shape, levels));
        let loaded = load(&source, &Options::default());
        let Some(loaded) = loaded.definition else { panic!("{}", plain_text(&source, &loaded.diagnostics)) };
        let input = match shape {
            Shape::Text => format!(r#"{{"t": "{}{}"}}"#, "[".repeat(levels.min(512)), "]".repeat(levels.min(512))),
            _ => "{}".to_owned(),
        };
        let execution = Arc::new(execution("one", "law", &input));
        let mut machine = Machine::new(loaded.clone());
        let start = Input::Start(Box::new((*execution).clone()));
        let records = records(&mut machine, shape, levels, start);

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let read = runtime.block_on(async {
            let journal = common::memory().await;
            let (first, rest) = records.split_first().unwrap();
            let ended = |last: bool| if last { machine.outcome().cloned() } else { None };
            let definition = Arc::new(definition("law"));
            let new = NewExecution { definition, execution, record: first.clone(), outcome: ended(rest.is_empty()), started_as: None };
            let id = journal.create(new).await.unwrap();
            for (at, record) in rest.iter().enumerate() {
                let outcome = ended(at + 1 == rest.len());
                journal.append(id, record.clone(), outcome.as_ref()).await.unwrap();
            }
            journal.records(id).await.expect("what was accepted can be read")
        });
        prop_assert!(read == records);

        let mut again = Machine::new(loaded);
        let mut events: Vec<Event> = Vec::new();
        for record in read {
            for input in record.inputs {
                again.handle(input, record.now).expect("it was taken before");
            }
            again.run(record.now, record.steps);
            events.extend(again.take_effects().events);
        }
        prop_assert!(events == records.into_iter().flat_map(|record| record.events).collect::<Vec<_>>());
        prop_assert_eq!(again.outcome().map(Outcome::status), machine.outcome().map(Outcome::status));
    }
}
