//! Replay: what was recorded goes through a machine again.
//!
//! - [`replay`]: an execution of a journal, from its own records; every event must come out the same, to the byte. The same
//!   code continues an execution after a crash.
//! - [`replay_exported`]: a history that `aws stepfunctions get-execution-history` gave, with its definition: its task
//!   results are the inputs, its timestamps the clock.
//! - [`try_definition`]: what another definition would have done with a recorded execution.

mod exported;
mod facts;
mod follow;
mod names;
mod same;
mod stored;
mod trail;
mod trial;

pub use exported::{ExportError, Exported, Whose};
pub use follow::replay_exported;
pub use same::Difference;
pub(crate) use stored::{Redo, definition, redo_all};
pub use stored::{pending, replay, replay_kept};
pub use trial::{ChangedCall, Fork, Needed, Trial, Verdict, try_definition, try_kept};

use asl_core::{Outcome, Rejected};
use asl_store::StoreError;
use asl_value::Value;
use std::fmt;
use std::sync::Arc;

/// What a replay found to be the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// How many records went through the machine; 0 for an exported history, which has none.
    pub records: usize,
    /// How many events they made, all as recorded.
    pub events: usize,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
}

/// The first event that differs. Events are in AWS's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The execution's ARN; what an exported history is called.
    pub execution: Arc<str>,
    /// The number of the event.
    pub event: u64,
    /// The state it belongs to, if it belongs to one.
    pub state: Option<Arc<str>>,
    /// The recorded event, if there is one.
    pub recorded: Option<Value>,
    /// The event the machine makes, if it makes one.
    pub replayed: Option<Value>,
    /// The fields that differ, where there are both.
    pub differences: Vec<Difference>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the replay of {} differs at event {}", self.execution, self.event)?;
        if let Some(state) = &self.state {
            write!(f, ", in the state '{state}'")?;
        }
        if self.differences.is_empty() {
            let shown = |event: &Option<Value>| event.as_ref().map_or_else(|| "(nothing)".to_owned(), Value::to_string);
            return write!(f, ":\n  recorded  {}\n  replayed  {}", shown(&self.recorded), shown(&self.replayed));
        }
        f.write_str(":")?;
        self.differences.iter().try_for_each(|difference| write!(f, "\n{difference}"))
    }
}

impl std::error::Error for Divergence {}

/// Why an execution could not be replayed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The machine makes other events than were recorded.
    #[error(transparent)]
    Divergence(Box<Divergence>),
    /// The machine does not take a recorded input.
    #[error("record {record} of {execution} holds an input that its machine does not take: {rejected}")]
    Rejected {
        /// The execution's ARN.
        execution: Arc<str>,
        /// The record, from 1.
        record: usize,
        /// Why.
        rejected: Rejected,
    },
    /// The definition it ran is not in the database, or no longer loads.
    #[error("the definition of {execution} {why}")]
    Definition {
        /// The execution's ARN.
        execution: Arc<str>,
        /// What is wrong.
        why: String,
    },
    /// Its records take longer to be replayed than there is patience for.
    #[error("the records of {execution} take too long to be replayed: there was time for {records}")]
    TooLong {
        /// The execution's ARN.
        execution: Arc<str>,
        /// How many were replayed.
        records: usize,
    },
    /// The exported history does not hold what a replay needs.
    #[error("event {event} of {execution} {why}")]
    NotInRecord {
        /// What the history is called.
        execution: Arc<str>,
        /// The event.
        event: u64,
        /// What is missing, and what to do.
        why: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
