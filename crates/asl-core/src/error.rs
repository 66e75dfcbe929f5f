//! Errors of states, and which retriers and catchers they match (spec: Errors).

use crate::event::Failure;
use asl_value::{Map, Value};
use std::sync::Arc;

/// What kind of error it is: decides what can match it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// `States.Runtime`: never retried, never caught, fails the execution.
    Runtime,
    /// `States.DataLimitExceeded`: its own name and `States.ALL` match it (recorded AWS behaviour).
    DataLimit,
    /// `States.Timeout` of a task or an execution.
    Timeout,
    /// A missed heartbeat: matches `States.HeartbeatTimeout` and `States.Timeout`.
    Heartbeat,
    /// An error of the work itself: `States.TaskFailed` matches it.
    Task,
    /// An error of a map run: its items, its results, or too many failed children.
    MapRun,
    /// `States.QueryEvaluationError`, before the history has it; with the field whose expression failed, if it was one.
    Query(Option<Arc<str>>),
    /// Any other.
    Other,
}

/// An error inside a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError {
    /// Error and cause, as the history shows them.
    pub failure: Failure,
    /// What can match it.
    pub class: Class,
    /// What was there instead, for people. No part of the history: a [`crate::Note`].
    pub hint: Option<Arc<str>>,
}

impl StateError {
    /// `States.Runtime` with its cause.
    pub fn runtime(cause: impl Into<Arc<str>>) -> StateError {
        StateError { failure: Failure::new("States.Runtime", cause), class: Class::Runtime, hint: None }
    }

    /// With what was there instead.
    pub fn hint(self, hint: Option<String>) -> StateError {
        StateError { hint: hint.map(Arc::from), ..self }
    }

    /// Another error of the language, by name.
    pub fn named(error: &str, cause: impl Into<Arc<str>>) -> StateError {
        let class = match error {
            "States.Runtime" => Class::Runtime,
            "States.DataLimitExceeded" => Class::DataLimit,
            _ => Class::Other,
        };
        StateError { failure: Failure::new(error, cause), class, hint: None }
    }

    /// `States.QueryEvaluationError`: something is wrong with a value in JSONata.
    pub fn query(field: Option<&str>, cause: impl Into<Arc<str>>) -> StateError {
        let failure = Failure::new("States.QueryEvaluationError", cause);
        StateError { failure, class: Class::Query(field.map(Arc::from)), hint: None }
    }

    /// An error of the work: a task's answer or a Fail state.
    pub fn of_work(failure: Failure) -> StateError {
        let class = match failure.error.as_deref() {
            Some("States.DataLimitExceeded") => Class::DataLimit,
            Some("States.Timeout") => Class::Timeout,
            Some("States.HeartbeatTimeout") => Class::Heartbeat,
            Some("States.Runtime") => Class::Runtime,
            _ => Class::Task,
        };
        StateError { failure, class, hint: None }
    }

    /// A payload over the limit; `what` is the state or the task it belongs to.
    pub fn data_limit(what: &str, verb: &str, noun: &str) -> StateError {
        let cause = format!(
            "The state/task '{what}' {verb} {noun} with a size exceeding the maximum number of bytes service limit."
        );
        StateError::named("States.DataLimitExceeded", cause)
    }

    /// True when one of the names in `ErrorEquals` stands for this error.
    pub fn matches(&self, error_equals: &[Arc<str>]) -> bool {
        error_equals.iter().any(|name| match (&**name, &self.class) {
            (_, Class::Runtime) => false,
            ("States.ALL", _) => true,
            ("States.TaskFailed", Class::Task) => true,
            ("States.Timeout" | "States.HeartbeatTimeout", Class::Heartbeat) => true,
            (name, _) => self.failure.error.as_deref() == Some(name),
        })
    }

    /// The Error Output a catcher passes on: `{"Error", "Cause"}`. What is absent is null; a timeout's cause is empty.
    pub fn output(&self) -> Value {
        let cause = match (&self.failure.cause, &self.class) {
            (Some(cause), _) => Value::from(cause),
            (None, Class::Timeout | Class::Heartbeat) => Value::from(""),
            (None, _) => Value::Null,
        };
        Value::from(Map::from_iter([("Error", Value::from(self.failure.error.clone())), ("Cause", cause)]))
    }
}
