//! `states:startExecution`: executions that tasks start, run by the engine that runs the task.
//!
//! The engine gives what it can do as [`Executions`]; the shapes of results and errors are here.

use super::sfn::{Refused, TokenAnswer};
use super::{Dialect, ServiceKind, answer};
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode, Progress};
use asl_core::Failure;
use asl_syntax::Pattern;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// An execution that a task wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The ARN of its state machine, of a version or of an alias, or the name of a state machine.
    pub state_machine: &'a str,
    /// Its name, where the task gives one; else the key is its name.
    pub name: Option<&'a str>,
    /// Its input, JSON text.
    pub input: &'a str,
    /// The X-Ray trace header.
    pub trace_header: Option<&'a str>,
    /// It is waited for as an Express execution (StartSyncExecution): another kind of state machine is refused.
    pub sync: bool,
    /// The key of the task, as in [`Call::key`]: an execution that was started with it is not started again.
    pub key: &'a str,
}

/// An execution that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its ARN.
    pub arn: Arc<str>,
    /// When, in epoch milliseconds.
    pub started_ms: i64,
}

/// What an engine does for tasks that start executions.
#[async_trait]
pub trait Executions: Send + Sync {
    /// Starts an execution; the one that this task has started already is found again.
    ///
    /// # Errors
    /// The error the state machine sees: `StepFunctions.StateMachineDoesNotExistException` and its like.
    async fn start(&self, wanted: &Wanted<'_>) -> Result<Begun, Failure>;

    /// An execution as DescribeExecution tells it, with names as in optimized integrations; input and output are texts.
    ///
    /// # Errors
    /// It cannot be read now.
    async fn describe(&self, arn: &str) -> Result<Value, Failure>;

    /// Stops an execution, as well as can be.
    async fn stop(&self, arn: &str);

    /// Stops an execution that somebody asked for, by its ARN; when it ended, in epoch milliseconds.
    ///
    /// # Errors
    /// There is none, or it cannot be stopped.
    async fn end(&self, arn: &str, failure: Failure) -> Result<i64, Refused>;

    /// Answers a task token.
    ///
    /// # Errors
    /// No task waits for it, or the answer is not acceptable.
    async fn answer(&self, token: &str, answer: TokenAnswer) -> Result<(), Refused>;

    /// The newest executions of a state machine, at most so many, as [`Executions::describe`] has them, without input and output.
    ///
    /// # Errors
    /// They cannot be read now, or there is no such status.
    async fn list(&self, state_machine: &str, status: Option<&str>, most: u32) -> Result<Vec<Value>, Refused>;
}

/// Where an engine says that it runs executions for tasks. Clones are one; empty where definitions are only checked.
#[derive(Clone, Default)]
pub struct Nest(Arc<OnceLock<Box<dyn Executions>>>);

impl Nest {
    /// The engine that runs them, once: a second one is ignored.
    pub fn run_by(&self, executions: impl Executions + 'static) {
        let _ = self.0.set(Box::new(executions));
    }

    pub(super) fn get(&self) -> Result<&dyn Executions, Failure> {
        let none = || Failure::new("States.Runtime", "no engine runs executions for tasks here");
        self.0.get().map(|executions| &**executions).ok_or_else(none)
    }
}

/// `states:startExecution` in the pattern that a task wants.
pub(crate) struct Nested {
    pub(crate) nest: Nest,
    pub(crate) pattern: Pattern,
}

impl fmt::Debug for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "states:startExecution{}", self.pattern.suffix())
    }
}

impl Nested {
    fn waits(&self) -> bool {
        matches!(self.pattern, Pattern::Sync | Pattern::Sync2)
    }
}

#[async_trait]
impl Integration for Nested {
    fn title(&self) -> String {
        "this engine".to_owned()
    }

    fn mode(&self) -> Mode {
        if self.waits() { Mode::Nested } else { Mode::Remote }
    }

    fn check(&self, _parameters: Option<&Payload>) -> Result<(), Missing> {
        // State machines are made while the engine runs, as at AWS.
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let text = |name: &str| call.parameters[name].as_str();
        let input = match &call.parameters["Input"] {
            Value::Null => "{}".to_owned(),
            Value::String(text) => text.to_string(),
            value => value.to_string(),
        };
        let missing = || {
            let complaint = "[The field 'StateMachineArn' is required but was missing]";
            let cause =
                format!("The Parameters '{}' could not be used to start the Task: {complaint}", call.parameters);
            Failure::new("States.Runtime", cause)
        };
        let wanted = Wanted {
            state_machine: text("StateMachineArn").ok_or_else(missing)?,
            name: text("Name"),
            input: &input,
            trace_header: text("TraceHeader"),
            sync: false,
            key: call.key,
        };
        let begun = self.nest.get()?.start(&wanted).await?;
        let mut body = Map::new();
        body.insert("ExecutionArn", Value::from(&*begun.arn));
        body.insert("StartDate", Value::from(begun.started_ms));
        Ok(answer::result(ServiceKind::Queue, Dialect::Optimized, body, call.key, begun.started_ms))
    }

    async fn poll(&self, _call: &Call<'_>, started: &Value) -> Result<Progress, Failure> {
        let arn = started["ExecutionArn"].as_str().unwrap_or_default();
        let described = self.nest.get()?.describe(arn).await?;
        let status = described["Status"].as_str().unwrap_or_default().to_owned();
        if status == "RUNNING" {
            return Ok(Progress::Running);
        }
        let result = if self.pattern == Pattern::Sync2 { crate::aws::job::read(&described) } else { described };
        Ok(Progress::Ended(if status == "SUCCEEDED" { Ok(result) } else { Err(crate::aws::job::failed(&result)) }))
    }

    async fn stop(&self, _call: &Call<'_>, started: &Value) {
        if let (Ok(executions), Some(arn)) = (self.nest.get(), started["ExecutionArn"].as_str()) {
            executions.stop(arn).await;
        }
    }
}
