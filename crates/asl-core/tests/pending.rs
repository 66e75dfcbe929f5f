//! What a machine says that it does now, at each turn of an execution.

mod support;

use asl_core::{Doing, Failure, Input, Machine, TaskId};
use asl_expr::Timestamp;
use asl_value::Value;
use support::{EPOCH_MS, definition, identity};

const MACHINE: &str = r#"{"StartAt": "Call", "States": {
  "Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "F"}, "TimeoutSeconds": 60,
           "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxAttempts": 2}], "Next": "Each", "ResultPath": null},
  "Each": {"Type": "Map", "ItemsPath": "$.items", "Next": "Rest", "ResultPath": null, "ItemProcessor": {"StartAt": "Ask", "States": {
    "Ask": {"Type": "Task", "End": true, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "HeartbeatSeconds": 30,
            "Parameters": {"QueueUrl": "Q", "MessageBody.$": "$$.Task.Token"}}}}},
  "Rest": {"Type": "Wait", "Seconds": 100, "End": true}}}"#;

struct Run {
    machine: Machine,
    now: Timestamp,
}

impl Run {
    fn take(&mut self, input: Input) {
        self.machine.handle(input, self.now).expect("it is taken");
        self.go(0);
    }

    fn go(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        self.machine.run(self.now, 1_000);
        self.machine.take_effects();
    }

    /// Each state with its iteration, and what it is at; times in seconds since the start.
    fn says(&self) -> Vec<String> {
        let seconds = |at: Timestamp| (at.millis() - EPOCH_MS) / 1000;
        let told = self.machine.pending().into_iter().map(|pending| {
            let iteration: String = pending.iterations.iter().map(|(_, index)| format!("[{index}]")).collect();
            let doing = match pending.doing {
                Doing::Ready => "ready".to_owned(),
                Doing::Waiting { until } => format!("waits until {}", seconds(until)),
                Doing::Retrying { retry, until } => format!("retry {retry} at {}", seconds(until)),
                Doing::Calling { resource, retries, until } => {
                    format!("calls {resource} after {retries} until {:?}", until.map(seconds))
                }
                Doing::Awaiting { token, until, .. } => {
                    let (arn, task) = asl_core::read_task_token(&token).expect("a token");
                    assert!(arn.contains(":execution:"), "{arn}");
                    format!("awaits task {} until {:?}", task.0, until.map(seconds))
                }
                Doing::Mapping { running, started } => format!("maps {running} of {started}"),
            };
            format!("{}{iteration} since {}: {doing}", pending.state, seconds(pending.since))
        });
        told.collect()
    }
}

#[test]
fn what_is_at_work_is_told_at_each_turn() {
    let mut run =
        Run { machine: Machine::new(definition(MACHINE.into(), false)), now: Timestamp::from_millis(EPOCH_MS) };
    assert_eq!(run.says(), [""; 0], "it has not begun");
    let input: Value = r#"{"items": [1, 2]}"#.parse().expect("JSON");
    run.take(Input::Start(Box::new(identity(input, false))));
    assert_eq!(run.says(), ["Call since 0: calls arn:aws:states:::lambda:invoke after 0 until Some(60)"]);
    run.now = run.now.plus_ms(2_000);
    let task = run.machine.open_tasks()[0].id;
    run.take(Input::TaskFailed { task, failure: Failure::new("E", "c") });
    assert_eq!(run.says(), ["Call since 0: retry 1 at 7"]);
    run.go(5_000);
    assert_eq!(run.says(), ["Call since 0: calls arn:aws:states:::lambda:invoke after 1 until Some(67)"]);
    let task = run.machine.open_tasks()[0].id;
    run.take(Input::TaskSucceeded { task, output: Value::Null });
    let tasks: Vec<TaskId> = run.machine.open_tasks().iter().map(|call| call.id).collect();
    let asks = |index: usize| format!("Ask[{index}] since 7: awaits task {} until Some(37)", tasks[index].0);
    assert_eq!(run.says(), [asks(0), asks(1)]);
    run.take(Input::TaskSubmitted { task: tasks[0], output: Value::Null });
    run.take(Input::TaskSucceeded { task: tasks[1], output: Value::Null });
    assert_eq!(run.says(), [asks(0)]);
    run.take(Input::TaskSucceeded { task: tasks[0], output: Value::Null });
    assert_eq!(run.says(), ["Rest since 7: waits until 107"]);
    run.go(100_000);
    assert!(run.machine.outcome().is_some() && run.says().is_empty(), "it has ended");
}
