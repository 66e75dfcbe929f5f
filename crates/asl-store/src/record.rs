//! What is written and read: records, executions, definitions.

use asl_core::{Event, EventId, Execution, Input, Outcome};
use asl_expr::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The number of an execution in its database: in the order they were created, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId(pub i64);

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The number of a worker in its store: the fencing token, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub i64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One run of an execution: what went in and what came of it. Replay hands the inputs to the machine at `now`, runs it
/// with a budget of `steps`, and expects these events.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The time of the run.
    pub now: Timestamp,
    /// The inputs it began with, in order; none when a deadline or a used-up budget was its reason.
    pub inputs: Vec<Input>,
    /// How many steps it used.
    pub steps: u32,
    /// The events that came of it, numbered on from those before.
    pub events: Vec<Event>,
}

impl Record {
    /// True when it redrives its execution: one that ended goes on.
    pub fn redrives(&self) -> bool {
        self.inputs.iter().any(|input| matches!(input, Input::Redrive))
    }
}

/// A state machine's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The hash of its text, by which it is found.
    pub hash: Arc<str>,
    /// The name of the state machine.
    pub name: Arc<str>,
    /// Its text: JSON or YAML, as it was loaded.
    pub text: Arc<str>,
}

/// What the caller of StartExecution named beside the state machine. Descriptions and lists show it; no history depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartedAs {
    /// The number of the version that runs, where a version or an alias was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The name of the alias that chose the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The revision of the state machine that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    /// The X-Ray trace header of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    /// The key of the task that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// An execution that begins, with the record of its first run.
#[derive(Clone, Debug)]
pub struct NewExecution {
    /// What it runs; stored when its hash is not there yet.
    pub definition: Arc<Definition>,
    /// Who it is.
    pub execution: Arc<Execution>,
    /// Its first run.
    pub record: Record,
    /// How it ended, if it did so in its first run.
    pub outcome: Option<Outcome>,
    /// What its caller named, if it was started through the API.
    pub started_as: Option<StartedAs>,
}

/// The record of a further run.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose.
    pub execution: ExecutionId,
    /// The run.
    pub record: Record,
    /// How the execution ended, if it did so in this run.
    pub outcome: Option<Outcome>,
}

/// The status of an execution, as AWS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It has not ended.
    Running,
    /// It ended with an output.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Its time ran out.
    TimedOut,
    /// It was stopped.
    Aborted,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 5] =
        [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted];

    /// AWS's name: `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a status; one of RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED is meant")]
pub struct UnknownStatus(pub String);

impl FromStr for Status {
    type Err = UnknownStatus;

    /// AWS's name, in capitals or not.
    fn from_str(name: &str) -> Result<Status, UnknownStatus> {
        let found = Status::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownStatus(name.to_owned()))
    }
}

/// What the database tells about an execution without reading its history.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionRow {
    /// Its number in the database.
    pub id: ExecutionId,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The name of its state machine.
    pub state_machine: String,
    /// The ARN of its state machine.
    pub state_machine_arn: String,
    /// The hash of its definition.
    pub definition: String,
    /// Where it stands.
    pub status: Status,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
    /// The error it ended with.
    pub error: Option<String>,
    /// The cause of that error.
    pub cause: Option<String>,
    /// The number of its last event.
    pub last_event: EventId,
    /// The worker that runs it, or ran it last.
    pub owner: Option<WorkerId>,
    /// Why it is set aside, if it is: it is open, and nobody runs it.
    pub set_aside: Option<String>,
    /// From when on a worker tries it again, where it is set aside.
    pub tried_again: Option<Timestamp>,
    /// How often an owner of it died since its last record, as far as it may be to blame.
    pub deaths: u32,
    /// True when it was stopped without its records being read: they do not tell how it ended.
    pub unread_end: bool,
    /// How often it was redriven.
    pub redrive_count: u64,
    /// When it was redriven last.
    pub redriven: Option<Timestamp>,
    /// What its caller named, if it was started through the API.
    pub started_as: Option<StartedAs>,
}

impl ExecutionRow {
    /// True for a child of a map run.
    pub fn is_child(&self) -> bool {
        asl_core::is_child(&self.state_machine_arn)
    }
}

/// Executions that somebody started, and those that Distributed Maps did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Both.
    #[default]
    All,
    /// Only those that are no children of map runs.
    Parents,
    /// Only children of map runs.
    Children,
    /// Only children of the map runs of this Distributed Map, by its state machine's ARN: `...:stateMachine:sm/label`.
    OfFamily(String),
}

/// Which executions to list. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only those of the state machine with this name or ARN.
    pub state_machine: Option<String>,
    /// Only these of parents and children.
    pub which: Which,
    /// Only those whose name begins so.
    pub name_prefix: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Only those that run this version.
    pub version: Option<i64>,
    /// Only those whose version this alias chose.
    pub alias: Option<String>,
    /// Only those created before this one: the last of the page before.
    pub before: Option<ExecutionId>,
}
