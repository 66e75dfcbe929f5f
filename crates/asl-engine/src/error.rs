//! What can go wrong for a caller of the engine.

use crate::replay::ReplayError;
use asl_store::{ErrorKind, StoreError};
use asl_task::Unsupported;
use std::sync::Arc;

/// An error of the engine: its text says what is wrong, [`EngineError::hint`] what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The name is taken.
    #[error("an execution named '{name}' exists already")]
    AlreadyExists {
        /// The name.
        name: String,
    },
    /// The name cannot be one (AWS: 1 to 80 characters, without blanks, brackets, wildcards and the like).
    #[error("'{name}' cannot be the name of {what}: {why}")]
    InvalidName {
        /// `an execution` or `a state machine`.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The input is not JSON.
    #[error("the input is not JSON: {0}")]
    InvalidInput(asl_value::ParseError),
    /// The input is larger than 262,144 bytes.
    #[error("the input has {bytes} bytes, more than the limit of {limit}", limit = asl_core::PAYLOAD_LIMIT)]
    InputTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// An answer to a task token, or the reason of a stop, is longer than AWS takes. Nothing has happened.
    #[error("the {what} has {length} {unit}, more than the limit of {limit}")]
    TooLong {
        /// `output`, `error` or `cause`.
        what: &'static str,
        /// Its length.
        length: usize,
        /// `bytes` or `characters`.
        unit: &'static str,
        /// The most there may be.
        limit: usize,
    },
    /// The input is nested too deep.
    #[error("the input is nested deeper than the limit of {limit} levels", limit = asl_core::DEPTH_LIMIT)]
    InputTooDeep,
    /// States that nothing here can run.
    #[error("{} cannot run here: {}", if .0.len() == 1 { "one task" } else { "some tasks" }, list(.0))]
    Unsupported(Vec<Unsupported>),
    /// No such execution.
    #[error("there is no execution '{0}'")]
    NoSuchExecution(String),
    /// The execution cannot be redriven.
    #[error("the execution '{execution}' cannot be redriven: {why}")]
    NotRedrivable {
        /// Its name.
        execution: String,
        /// Why: AWS's words for it, where it has some.
        why: String,
    },
    /// No other execution can begin with a part of this one.
    #[error("'{execution}' cannot be rerun: {why}")]
    NotRerun {
        /// Its name.
        execution: String,
        /// Why.
        why: String,
    },
    /// The state does not wait for a time.
    #[error("nothing of '{execution}' is brought forward: the state does not wait for a time any more")]
    NotWaiting {
        /// Its name.
        execution: String,
    },
    /// The task token names no task that waits.
    #[error("the task token is not valid: no execution here has given it out")]
    InvalidToken,
    /// The task of the token has ended (AWS: TaskTimedOut).
    #[error("the task of this token does not wait any more: it was answered, timed out, or its execution has ended")]
    TaskTimedOut,
    /// The process that runs the execution has not taken the answer in, for so long that it was not waited for any more.
    #[error(
        "the process that runs the execution has not said whether it takes the answer: it stays in the database, and is taken in if it still has a place then"
    )]
    Undecided,
    /// The execution cannot be continued from its records.
    #[error(transparent)]
    Replay(#[from] Arc<ReplayError>),
    /// The store could not be written or read.
    #[error(transparent)]
    Store(StoreError),
    /// There is no such activity: it is neither declared nor was it made.
    #[error("Activity Does Not Exist: '{0}'")]
    NoSuchActivity(String),
    /// The embedded services could not be read or written.
    #[error("the embedded services could not be reached: {0}")]
    Services(String),
    /// The execution is set aside: nobody runs it until it is asked for, or a while has passed.
    #[error("{execution} is set aside: {why}")]
    SetAside {
        /// Its name.
        execution: String,
        /// Why.
        why: String,
    },
    /// The machine of an execution panicked: a mistake of this program.
    #[error("the machine of the execution panicked, which is a mistake of this program")]
    Panicked,
    /// The engine was shut down.
    #[error("the engine was shut down; the execution stays in the database")]
    ShutDown,
}

impl EngineError {
    /// What to do about it; the text of the error does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            EngineError::AlreadyExists { .. } => Some("choose another name, or leave it out to get a new one"),
            EngineError::NotRedrivable { .. } => Some(
                "only executions that failed, timed out or were aborted in the last 14 days can be; `asl run` starts anew",
            ),
            EngineError::NotRerun { .. } => Some("`asl history` shows which states it came to, and what they got"),
            EngineError::NotWaiting { .. } => Some("`asl describe` says what it waits for now"),
            EngineError::Store(error) => error.hint(),
            _ => None,
        }
    }

    /// The same in the words of a caller that gave a name, not an ARN.
    pub(crate) fn of_name(self, name: &str) -> EngineError {
        match self {
            EngineError::Store(StoreError::AlreadyExists { .. }) => {
                EngineError::AlreadyExists { name: name.to_owned() }
            }
            other => other,
        }
    }

    /// True for failures that may be over in a while.
    pub(crate) fn passes(&self) -> bool {
        match self {
            EngineError::Store(error) => passes(error),
            EngineError::Replay(error) => matches!(&**error, ReplayError::Store(error) if passes(error)),
            EngineError::Services(_) => true,
            _ => false,
        }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> EngineError {
        match error {
            error @ StoreError::Service { .. } => EngineError::Services(error.to_string()),
            error => EngineError::Store(error),
        }
    }
}

/// True for failures that may be over in a while: the execution is tried again then.
pub(crate) fn passes(error: &StoreError) -> bool {
    error.kind() == ErrorKind::Transient
}

fn list(unsupported: &[Unsupported]) -> String {
    unsupported.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
