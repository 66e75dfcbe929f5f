//! What goes in and what is asked for: inputs and commands.

use crate::event::{EventId, Failure};
use crate::map_run::{MapCommand, MapRunId};
use crate::redrive::NotRedrivable;
use crate::token::TokenKey;
use asl_syntax::Resource;
use asl_value::Value;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The number of a task within its execution: every attempt of every Task state gets the next one.
/// With the execution it is the idempotency key of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// The type of a state machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionType {
    /// Up to a year, exactly once, with a history.
    #[default]
    Standard,
    /// Up to five minutes.
    Express,
}

/// Who an execution is: fixed when it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution<P = Value> {
    /// Its ARN.
    pub arn: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The ARN of its state machine.
    pub state_machine_arn: Arc<str>,
    /// The name of its state machine.
    pub state_machine_name: Arc<str>,
    /// The role of the state machine.
    pub role_arn: Arc<str>,
    /// The region that task events name.
    pub region: Arc<str>,
    /// Standard or Express.
    #[serde(rename = "type")]
    pub execution_type: ExecutionType,
    /// From which random values are drawn that others may see: `States.UUID`, jitter, request ids.
    pub seed: u64,
    /// From which its task tokens are made. None for one that was started before there were keys: then they are drawn from
    /// the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_key: Option<TokenKey>,
    /// The input's text as the caller gave it.
    pub input_text: Arc<str>,
    /// The input.
    pub input: P,
}

/// Where an execution begins that does a part of another one again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerun<P = Value> {
    /// The ARN of the other one.
    pub of: Arc<str>,
    /// The state, one of the top level.
    pub state: Arc<str>,
    /// What the state gets.
    pub input: P,
    /// The variables that are set there, an object.
    pub variables: P,
}

/// A fact from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input<P = Value> {
    /// The execution starts. The first input, and only that.
    Start(Box<Execution<P>>),
    /// The execution begins at another state than the definition says. Comes right after `Start`, before the first step.
    Rerun(Box<Rerun<P>>),
    /// The end of a Wait, or the next retry, comes now instead of when its time has come.
    Hurry {
        /// The event that entered the state that waits.
        entered: EventId,
    },
    /// An activity exists and the task waits for a worker.
    TaskScheduled {
        /// The task.
        task: TaskId,
    },
    /// The task cannot be scheduled at all (an activity that does not exist): fails the execution with `States.Runtime`.
    TaskRejected {
        /// The task.
        task: TaskId,
        /// Why.
        cause: Arc<str>,
    },
    /// A worker took the activity task: its clock starts.
    TaskStarted {
        /// The task.
        task: TaskId,
        /// The worker's name.
        worker: Option<Arc<str>>,
    },
    /// The call of a `.sync` or `.waitForTaskToken` task was answered.
    TaskSubmitted {
        /// The task.
        task: TaskId,
        /// The answer.
        output: P,
    },
    /// The task is done.
    TaskSucceeded {
        /// The task.
        task: TaskId,
        /// Its result.
        output: P,
    },
    /// The task failed.
    TaskFailed {
        /// The task.
        task: TaskId,
        /// Error and cause.
        failure: Failure,
    },
    /// The worker is alive.
    TaskHeartbeat {
        /// The task.
        task: TaskId,
    },
    /// The items of a map run are read.
    MapItems {
        /// The map run.
        run: MapRunId,
        /// An array, or an object whose members are the items.
        items: P,
    },
    /// A piece of the items of a map run: there are more than fit into a record. The last ones come as `MapItems`.
    MapPiece {
        /// The map run.
        run: MapRunId,
        /// How many items were in the pieces before; with 0 the reading begins anew.
        from: u64,
        /// An array, or an object, as all of them.
        items: P,
    },
    /// The items of a map run could not be read, or its results not written.
    MapFailed {
        /// The map run.
        run: MapRunId,
        /// `States.ItemReaderFailed` or `States.ResultWriterFailed`, and the cause.
        failure: Failure,
    },
    /// A child of a map run ended.
    ChildDone {
        /// The map run.
        run: MapRunId,
        /// The number of the child.
        child: u64,
        /// How it ended.
        outcome: Outcome<P>,
    },
    /// The result files of a map run are written.
    MapWritten {
        /// The map run.
        run: MapRunId,
    },
    /// The map run ended so. For drivers that know its result but not its children: an exported history has no more.
    MapRunDone {
        /// The map run.
        run: MapRunId,
        /// With its result, or why it failed.
        outcome: Outcome<P>,
    },
    /// Somebody stops the execution.
    Stop(Failure),
    /// The world cannot go on with the execution, and never will: it fails, and no catcher sees that.
    Fail(Failure),
    /// Somebody redrives the execution after it failed, timed out or was stopped: it goes on from there.
    Redrive,
}

impl Input {
    /// About how many bytes it takes in a record.
    pub fn bytes(&self) -> usize {
        let mut bytes = 64;
        let mut add = |value: &Value| bytes += value.measure().bytes;
        match self {
            Input::Start(execution) => add(&execution.input),
            Input::Rerun(rerun) => {
                add(&rerun.input);
                add(&rerun.variables);
            }
            Input::TaskSubmitted { output, .. }
            | Input::TaskSucceeded { output, .. }
            | Input::ChildDone { outcome: Outcome::Succeeded(output), .. }
            | Input::MapRunDone { outcome: Outcome::Succeeded(output), .. } => add(output),
            Input::MapItems { items, .. } | Input::MapPiece { items, .. } => add(items),
            Input::TaskFailed { failure, .. } | Input::MapFailed { failure, .. } | Input::Stop(failure) => {
                bytes += failure.cause.as_ref().map_or(0, |cause| cause.len());
            }
            _ => {}
        }
        bytes
    }
}

impl<P> Input<P> {
    /// The same input with another payload.
    pub fn map<Q>(self, f: &mut impl FnMut(P) -> Q) -> Input<Q> {
        match self {
            Input::Start(e) => Input::Start(Box::new(Execution {
                arn: e.arn,
                name: e.name,
                state_machine_arn: e.state_machine_arn,
                state_machine_name: e.state_machine_name,
                role_arn: e.role_arn,
                region: e.region,
                execution_type: e.execution_type,
                seed: e.seed,
                token_key: e.token_key,
                input_text: e.input_text,
                input: f(e.input),
            })),
            Input::Rerun(rerun) => Input::Rerun(Box::new(Rerun {
                of: rerun.of,
                state: rerun.state,
                input: f(rerun.input),
                variables: f(rerun.variables),
            })),
            Input::Hurry { entered } => Input::Hurry { entered },
            Input::TaskScheduled { task } => Input::TaskScheduled { task },
            Input::TaskRejected { task, cause } => Input::TaskRejected { task, cause },
            Input::TaskStarted { task, worker } => Input::TaskStarted { task, worker },
            Input::TaskSubmitted { task, output } => Input::TaskSubmitted { task, output: f(output) },
            Input::TaskSucceeded { task, output } => Input::TaskSucceeded { task, output: f(output) },
            Input::TaskFailed { task, failure } => Input::TaskFailed { task, failure },
            Input::TaskHeartbeat { task } => Input::TaskHeartbeat { task },
            Input::MapItems { run, items } => Input::MapItems { run, items: f(items) },
            Input::MapPiece { run, from, items } => Input::MapPiece { run, from, items: f(items) },
            Input::MapFailed { run, failure } => Input::MapFailed { run, failure },
            Input::ChildDone { run, child, outcome } => Input::ChildDone { run, child, outcome: outcome.map(f) },
            Input::MapWritten { run } => Input::MapWritten { run },
            Input::MapRunDone { run, outcome } => Input::MapRunDone { run, outcome: outcome.map(f) },
            Input::Stop(failure) => Input::Stop(failure),
            Input::Fail(failure) => Input::Fail(failure),
            Input::Redrive => Input::Redrive,
        }
    }
}

/// Why an input was not taken. Nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The execution has ended.
    Finished,
    /// No such task is waiting: it was answered, timed out or cancelled.
    NoSuchTask(TaskId),
    /// No such map run waits for that: it is over, or the child was stopped.
    NoSuchMapRun(MapRunId),
    /// A child starts of a Map that the definition does not have.
    NoSuchMap,
    /// The definition has no state of that name at its top level.
    NoSuchState,
    /// The state waits for no time: it was left, or does something else by now.
    NotWaiting,
    /// `Start` came twice, or another input came before it.
    OutOfOrder,
    /// It cannot be redriven.
    NotRedrivable(NotRedrivable),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::Finished => f.write_str("the execution has ended"),
            Rejected::NoSuchTask(TaskId(n)) => {
                write!(f, "task {n} is not waiting for an answer: it was answered, timed out or cancelled")
            }
            Rejected::NoSuchMapRun(MapRunId(n)) => {
                write!(f, "map run {n} is not waiting for that: it is over, or its child was stopped")
            }
            Rejected::NoSuchMap => f.write_str("the definition has no Distributed Map of that label"),
            Rejected::NoSuchState => f.write_str("the definition has no state of that name at its top level"),
            Rejected::NotWaiting => {
                f.write_str("the state waits for no time: it was left, or does something else by now")
            }
            Rejected::NotRedrivable(why) => why.fmt(f),
            Rejected::OutOfOrder => f.write_str("an execution starts once, and before anything else"),
        }
    }
}

impl std::error::Error for Rejected {}

/// A request to the world.
#[derive(Clone, Debug)]
pub enum Command {
    /// Run a task; answer with `TaskSucceeded` or `TaskFailed` (for activities with `TaskScheduled` first).
    RunTask(Box<TaskCall>),
    /// The task timed out or its scope was given up: stop it if you can; its answer is not wanted.
    CancelTask(TaskId),
    /// What the map run of a Distributed Map needs: items, children, result files.
    Map(MapCommand),
    /// The execution ended.
    Finish(Outcome),
}

/// A task to run.
#[derive(Clone, Debug)]
pub struct TaskCall {
    /// Its number.
    pub id: TaskId,
    /// The name of the Task state.
    pub state: Arc<str>,
    /// The event that entered the state.
    pub entered: EventId,
    /// Which attempt this is: 0, then the number of retries.
    pub attempt: u64,
    /// How often this state has been tried before in this execution: retries, loops and iterations all count.
    pub invocation: u64,
    /// The Map iterations around the state, outermost first: the Map's name and the index.
    pub iterations: Vec<(Arc<str>, u64)>,
    /// What to call.
    pub resource: Resource,
    /// With what.
    pub parameters: Value,
    /// The task token of `.waitForTaskToken` tasks and activities.
    pub token: Option<Arc<str>>,
    /// `TimeoutSeconds`; seconds.
    pub timeout_seconds: Option<u64>,
    /// `HeartbeatSeconds`; seconds.
    pub heartbeat_seconds: Option<u64>,
    /// The role of `Credentials`.
    pub role_arn: Option<Arc<str>>,
    /// What the start of a job was answered, once that is recorded: the job is followed, and not started again.
    pub submitted: Option<Value>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<P = Value> {
    /// With this output.
    Succeeded(P),
    /// With an error.
    Failed(Failure),
    /// `TimeoutSeconds` of the machine ran out.
    TimedOut(Failure),
    /// It was stopped.
    Aborted(Failure),
}

impl<P> Outcome<P> {
    /// The same outcome with another payload.
    pub fn map<Q>(self, f: &mut impl FnMut(P) -> Q) -> Outcome<Q> {
        match self {
            Outcome::Succeeded(output) => Outcome::Succeeded(f(output)),
            Outcome::Failed(failure) => Outcome::Failed(failure),
            Outcome::TimedOut(failure) => Outcome::TimedOut(failure),
            Outcome::Aborted(failure) => Outcome::Aborted(failure),
        }
    }

    /// AWS's execution status: `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`.
    pub fn status(&self) -> &'static str {
        match self {
            Outcome::Succeeded(_) => "SUCCEEDED",
            Outcome::Failed(_) => "FAILED",
            Outcome::TimedOut(_) => "TIMED_OUT",
            Outcome::Aborted(_) => "ABORTED",
        }
    }
}
