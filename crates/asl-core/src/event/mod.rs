//! History events: what the execution history records, in AWS's terms (spec: Execution history).
//!
//! Events are generic over their payload `P`. The machine makes them with [`asl_value::Value`]s; a journal may keep
//! them with references to payloads it stores once ([`Event::map`]).

mod aws;

pub use aws::to_aws;

use asl_expr::Timestamp;
use asl_syntax::model::StateType;
use asl_value::Value;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The number of an event: 1, 2, 3 … over the whole execution. 0 is «none».
pub type EventId = u64;

/// One record of the execution history.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<P = Value> {
    /// Its number.
    pub id: EventId,
    /// The event it follows; 0 for none.
    pub previous: EventId,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub kind: EventKind<P>,
}

/// `error` and `cause`; both may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error name.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<str>>,
    /// The cause: a text, often JSON.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Arc<str>>,
}

impl Failure {
    /// A failure with a name and a cause.
    pub fn new(error: impl Into<Arc<str>>, cause: impl Into<Arc<str>>) -> Failure {
        Failure { error: Some(error.into()), cause: Some(cause.into()) }
    }

    /// With the name and the cause cut at AWS's lengths, [`crate::ERROR_LIMIT`] and [`crate::CAUSE_LIMIT`].
    pub fn within_limits(self) -> Failure {
        let cut = |text: Arc<str>, limit: usize| match text.char_indices().nth(limit) {
            // Most are short: the bytes alone say so.
            _ if text.len() <= limit => text,
            Some((end, _)) => text[..end].into(),
            None => text,
        };
        Failure {
            error: self.error.map(|error| cut(error, crate::ERROR_LIMIT)),
            cause: self.cause.map(|cause| cut(cause, crate::CAUSE_LIMIT)),
        }
    }
}

/// What happened. Variants that AWS gives one shape are one variant here; see [`Event::type_name`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind<P = Value> {
    /// The execution began. The input is the caller's text, to the letter.
    ExecutionStarted {
        /// The input's text.
        input: Arc<str>,
        /// The role of the state machine.
        role_arn: Arc<str>,
    },
    /// It ended well.
    ExecutionSucceeded {
        /// Its output.
        output: P,
    },
    /// It failed.
    ExecutionFailed(Failure),
    /// It was stopped.
    ExecutionAborted(Failure),
    /// `TimeoutSeconds` of the machine ran out.
    ExecutionTimedOut(Failure),
    /// It was redriven: it goes on from where it failed.
    ExecutionRedriven {
        /// Which redrive this is, from 1.
        redrive_count: u64,
    },
    /// A state was entered.
    StateEntered {
        /// Its type.
        #[serde(with = "StateTypeName")]
        state: StateType,
        /// Its name.
        name: Arc<str>,
        /// Its raw input.
        input: P,
    },
    /// A state was left.
    StateExited {
        /// Its type.
        #[serde(with = "StateTypeName")]
        state: StateType,
        /// Its name.
        name: Arc<str>,
        /// Its output.
        output: P,
        /// What its `Assign` set, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        assigned: Vec<(Arc<str>, P)>,
    },
    /// A state was given up because a sibling failed: `TaskStateAborted`, `MapStateAborted` …
    StateAborted(#[serde(with = "StateTypeName")] StateType),
    /// A Parallel started its branches.
    ParallelStateStarted,
    /// All branches of a Parallel are done.
    ParallelStateSucceeded,
    /// A branch of a Parallel failed, and no retrier took it.
    ParallelStateFailed,
    /// A Map started.
    MapStateStarted {
        /// How many items it has; 0 while an ItemReader has not read them.
        length: u64,
    },
    /// All iterations of a Map are done.
    MapStateSucceeded,
    /// An iteration of a Map failed, and no retrier took it.
    MapStateFailed,
    /// An iteration of an inline Map.
    MapIteration {
        /// What became of it.
        stage: IterationStage,
        /// The Map's name.
        name: Arc<str>,
        /// The item's index.
        index: u64,
    },
    /// A Distributed Map started its children.
    MapRunStarted {
        /// The ARN of the map run.
        arn: Arc<str>,
    },
    /// All children are done, within the tolerated failures.
    MapRunSucceeded,
    /// The map run failed.
    MapRunFailed(Failure),
    /// The map run was given up.
    MapRunAborted,
    /// The map run was redriven with its execution: its unsuccessful children go on.
    MapRunRedriven {
        /// The ARN of the map run.
        arn: Arc<str>,
        /// Which redrive of it this is, from 1.
        redrive_count: u64,
    },
    /// A step in the life of a task.
    Task {
        /// Which family of events it has.
        family: Family,
        /// The step.
        stage: TaskStage<P>,
    },
    /// A JSONata expression failed.
    EvaluationFailed {
        /// Error and cause.
        failure: Failure,
        /// The field, such as `Output/total`; empty when it was not that of a field.
        location: Arc<str>,
        /// The state.
        state: Arc<str>,
    },
}

/// What became of an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the suffix of the event type")]
pub enum IterationStage {
    Started,
    Succeeded,
    Failed,
    Aborted,
}

/// The families of task events: AWS names and fills them differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// A service integration: `TaskScheduled` …
    Service {
        /// `dynamodb`, `aws-sdk:s3`
        resource_type: Arc<str>,
        /// `putItem`, `startExecution.sync`
        resource: Arc<str>,
    },
    /// A function by its ARN: `LambdaFunctionScheduled` …
    Lambda,
    /// An activity: `ActivityScheduled` …
    Activity,
}

/// The steps in the life of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStage<P = Value> {
    /// It was decided to do it.
    Scheduled(Box<Scheduled<P>>),
    /// Its clock runs.
    Started {
        /// The worker that took an activity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<Arc<str>>,
    },
    /// The call was made; the job or the callback is awaited.
    Submitted {
        /// The answer to the call.
        output: P,
    },
    /// Done.
    Succeeded {
        /// The result.
        output: P,
    },
    /// Failed.
    Failed(Failure),
    /// Its time ran out, or a heartbeat was missed.
    TimedOut(Failure),
    /// It could not be scheduled.
    ScheduleFailed(Failure),
    /// It could not be started.
    StartFailed(Failure),
    /// The call that starts the job failed.
    SubmitFailed(Failure),
}

/// The details of a scheduled task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheduled<P = Value> {
    /// The ARN of a function or an activity; the region of a service.
    #[serde(rename = "at")]
    pub resource_or_region: Arc<str>,
    /// The parameters, or the input of a function or an activity.
    #[serde(rename = "in")]
    pub parameters: P,
    /// `TimeoutSeconds`, where the state sets it; seconds.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// `HeartbeatSeconds`, where the state sets it; seconds.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<u64>,
    /// The role of `Credentials`.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<Arc<str>>,
}

impl<P> Event<P> {
    /// The AWS event type, such as `PassStateEntered`.
    pub fn type_name(&self) -> String {
        self.kind.type_name()
    }

    /// The same event with other payloads: `f` is called for each, in the order of the event's fields.
    pub fn map<Q>(self, f: &mut impl FnMut(P) -> Q) -> Event<Q> {
        Event { id: self.id, previous: self.previous, timestamp: self.timestamp, kind: self.kind.map(f) }
    }
}

impl<P> EventKind<P> {
    /// The AWS event type, such as `PassStateEntered`.
    pub fn type_name(&self) -> String {
        let fixed = match self {
            EventKind::StateEntered { state, .. } => return format!("{}StateEntered", state.name()),
            EventKind::StateExited { state, .. } => return format!("{}StateExited", state.name()),
            EventKind::StateAborted(state) => return format!("{}StateAborted", state.name()),
            EventKind::MapIteration { stage, .. } => return format!("MapIteration{stage:?}"),
            EventKind::Task { family, stage } => return format!("{}{}", family.prefix(), stage.suffix()),
            EventKind::ExecutionStarted { .. } => "ExecutionStarted",
            EventKind::ExecutionSucceeded { .. } => "ExecutionSucceeded",
            EventKind::ExecutionFailed(_) => "ExecutionFailed",
            EventKind::ExecutionAborted(_) => "ExecutionAborted",
            EventKind::ExecutionTimedOut(_) => "ExecutionTimedOut",
            EventKind::ExecutionRedriven { .. } => "ExecutionRedriven",
            EventKind::ParallelStateStarted => "ParallelStateStarted",
            EventKind::ParallelStateSucceeded => "ParallelStateSucceeded",
            EventKind::ParallelStateFailed => "ParallelStateFailed",
            EventKind::MapStateStarted { .. } => "MapStateStarted",
            EventKind::MapStateSucceeded => "MapStateSucceeded",
            EventKind::MapStateFailed => "MapStateFailed",
            EventKind::MapRunStarted { .. } => "MapRunStarted",
            EventKind::MapRunSucceeded => "MapRunSucceeded",
            EventKind::MapRunFailed(_) => "MapRunFailed",
            EventKind::MapRunAborted => "MapRunAborted",
            EventKind::MapRunRedriven { .. } => "MapRunRedriven",
            EventKind::EvaluationFailed { .. } => "EvaluationFailed",
        };
        fixed.to_owned()
    }

    /// The failure that this event tells of: a task's in any of its stages, an evaluation's, a map run's, or the execution's.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            EventKind::Task {
                stage:
                    TaskStage::Failed(failure)
                    | TaskStage::TimedOut(failure)
                    | TaskStage::ScheduleFailed(failure)
                    | TaskStage::StartFailed(failure)
                    | TaskStage::SubmitFailed(failure),
                ..
            }
            | EventKind::EvaluationFailed { failure, .. }
            | EventKind::MapRunFailed(failure)
            | EventKind::ExecutionFailed(failure)
            | EventKind::ExecutionAborted(failure)
            | EventKind::ExecutionTimedOut(failure) => Some(failure),
            _ => None,
        }
    }

    /// True for the events that end an execution.
    pub fn ends_execution(&self) -> bool {
        matches!(
            self,
            EventKind::ExecutionSucceeded { .. }
                | EventKind::ExecutionFailed(_)
                | EventKind::ExecutionAborted(_)
                | EventKind::ExecutionTimedOut(_)
        )
    }

    fn map<Q>(self, f: &mut impl FnMut(P) -> Q) -> EventKind<Q> {
        match self {
            EventKind::ExecutionStarted { input, role_arn } => EventKind::ExecutionStarted { input, role_arn },
            EventKind::ExecutionSucceeded { output } => EventKind::ExecutionSucceeded { output: f(output) },
            EventKind::ExecutionFailed(failure) => EventKind::ExecutionFailed(failure),
            EventKind::ExecutionAborted(failure) => EventKind::ExecutionAborted(failure),
            EventKind::ExecutionTimedOut(failure) => EventKind::ExecutionTimedOut(failure),
            EventKind::ExecutionRedriven { redrive_count } => EventKind::ExecutionRedriven { redrive_count },
            EventKind::StateEntered { state, name, input } => EventKind::StateEntered { state, name, input: f(input) },
            EventKind::StateExited { state, name, output, assigned } => EventKind::StateExited {
                state,
                name,
                output: f(output),
                assigned: assigned.into_iter().map(|(k, v)| (k, f(v))).collect(),
            },
            EventKind::StateAborted(state) => EventKind::StateAborted(state),
            EventKind::ParallelStateStarted => EventKind::ParallelStateStarted,
            EventKind::ParallelStateSucceeded => EventKind::ParallelStateSucceeded,
            EventKind::ParallelStateFailed => EventKind::ParallelStateFailed,
            EventKind::MapStateStarted { length } => EventKind::MapStateStarted { length },
            EventKind::MapStateSucceeded => EventKind::MapStateSucceeded,
            EventKind::MapStateFailed => EventKind::MapStateFailed,
            EventKind::MapIteration { stage, name, index } => EventKind::MapIteration { stage, name, index },
            EventKind::MapRunStarted { arn } => EventKind::MapRunStarted { arn },
            EventKind::MapRunSucceeded => EventKind::MapRunSucceeded,
            EventKind::MapRunFailed(failure) => EventKind::MapRunFailed(failure),
            EventKind::MapRunAborted => EventKind::MapRunAborted,
            EventKind::MapRunRedriven { arn, redrive_count } => EventKind::MapRunRedriven { arn, redrive_count },
            EventKind::Task { family, stage } => EventKind::Task { family, stage: stage.map(f) },
            EventKind::EvaluationFailed { failure, location, state } => {
                EventKind::EvaluationFailed { failure, location, state }
            }
        }
    }
}

impl Family {
    fn prefix(&self) -> &'static str {
        match self {
            Family::Service { .. } => "Task",
            Family::Lambda => "LambdaFunction",
            Family::Activity => "Activity",
        }
    }
}

impl<P> TaskStage<P> {
    fn suffix(&self) -> &'static str {
        match self {
            TaskStage::Scheduled(_) => "Scheduled",
            TaskStage::Started { .. } => "Started",
            TaskStage::Submitted { .. } => "Submitted",
            TaskStage::Succeeded { .. } => "Succeeded",
            TaskStage::Failed(_) => "Failed",
            TaskStage::TimedOut(_) => "TimedOut",
            TaskStage::ScheduleFailed(_) => "ScheduleFailed",
            TaskStage::StartFailed(_) => "StartFailed",
            TaskStage::SubmitFailed(_) => "SubmitFailed",
        }
    }

    fn map<Q>(self, f: &mut impl FnMut(P) -> Q) -> TaskStage<Q> {
        match self {
            TaskStage::Scheduled(s) => TaskStage::Scheduled(Box::new(Scheduled {
                resource_or_region: s.resource_or_region,
                parameters: f(s.parameters),
                timeout_seconds: s.timeout_seconds,
                heartbeat_seconds: s.heartbeat_seconds,
                role_arn: s.role_arn,
            })),
            TaskStage::Started { worker } => TaskStage::Started { worker },
            TaskStage::Submitted { output } => TaskStage::Submitted { output: f(output) },
            TaskStage::Succeeded { output } => TaskStage::Succeeded { output: f(output) },
            TaskStage::Failed(failure) => TaskStage::Failed(failure),
            TaskStage::TimedOut(failure) => TaskStage::TimedOut(failure),
            TaskStage::ScheduleFailed(failure) => TaskStage::ScheduleFailed(failure),
            TaskStage::StartFailed(failure) => TaskStage::StartFailed(failure),
            TaskStage::SubmitFailed(failure) => TaskStage::SubmitFailed(failure),
        }
    }
}

/// How a [`StateType`] is written and read: by its name.
#[derive(Serialize, Deserialize)]
#[serde(remote = "StateType")]
enum StateTypeName {
    Pass,
    Task,
    Choice,
    Wait,
    Succeed,
    Fail,
    Parallel,
    Map,
}
