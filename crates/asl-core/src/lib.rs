//! The pure state machine of Amazon States Language: inputs in, events and commands out.
//!
//! No I/O, no clock, no randomness, no threads. A driver tells the machine what happened ([`Machine::handle`]), lets it
//! work ([`Machine::run`]), takes what came of it ([`Machine::take_effects`]), and calls again at the next deadline
//! ([`Machine::next_deadline`]) or when the world has answered a [`Command`]. The same inputs at the same times give the
//! same events, to the byte: resume, replay and simulation are drivers around this one machine.
//!
//! Three nouns, used everywhere:
//! - an **[`Input`]** is a fact from outside (started, task answered, stop …); each comes with the time it happened;
//! - an **[`Event`]** is a record of the execution history, in AWS's terms; it is derived, never an input;
//! - a **[`Command`]** is a request to the world: run a task, cancel it, finish.
//!
//! Inside, an execution is an arena of *scopes*: the top level, each Parallel branch and each Map iteration is one, with
//! the state it is in and its variables. A scope in a Parallel or Map state waits in a *join* for its children; in a
//! Distributed Map it waits in a *map run*, whose children are executions with machines of their own.
#![forbid(unsafe_code)]

mod admit;
mod budget;
mod context;
mod data;
mod error;
pub mod event;
mod input;
pub mod items;
mod join;
mod machine;
mod map_run;
mod pending;
mod probe;
mod recover;
mod redrive;
mod rehearsal;
mod rerun;
mod scope;
mod state;
mod timers;
mod token;

pub use budget::Budget;
pub use context::{draw, uuid};
pub use error::{Class, StateError};
pub use event::{Event, EventId, EventKind, Failure};
pub use input::{Command, Execution, ExecutionType, Input, Outcome, Rejected, Rerun, TaskCall, TaskId};
pub use machine::{Effects, Machine, Note, Progress, Step};
pub use map_run::{ChildCall, MapCommand, MapRunId, ReadItems, ResultFile, WriteResults, flow_of_machine, is_child};
pub use pending::{Doing, Pending};
pub use probe::{DataStage, Sight};
pub use redrive::NotRedrivable;
pub use rehearsal::Rehearsal;
pub use token::{TokenKey, read_task_token, same_token, task_token};

/// The most events a history can hold (AWS limit). The last one ends the execution.
pub const HISTORY_LIMIT: EventId = 25_000;

/// The largest payload in bytes of UTF-8: inputs, outputs, parameters, results (AWS limit).
pub const PAYLOAD_LIMIT: usize = 262_144;

/// How deep arrays and objects may be nested in whatever goes into a record: inputs, outputs, parameters, results, variables,
/// items. It lies below [`asl_value::MAX_DEPTH`], so that what a machine takes can be read back, in an envelope too.
pub const DEPTH_LIMIT: usize = 500;

/// How long the name of an error may be, in characters (AWS limit). A longer one is cut.
pub const ERROR_LIMIT: usize = 256;

/// How long the cause of an error may be, in characters (AWS limit). A longer one is cut.
pub const CAUSE_LIMIT: usize = 32_768;

/// How much an execution may hold. AWS's limits, unless a driver sets others for all who work on its executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload in bytes of UTF-8.
    pub payload_bytes: usize,
    /// The most events of a history, at least 2; the last one ends the execution.
    pub history_events: EventId,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { payload_bytes: PAYLOAD_LIMIT, history_events: HISTORY_LIMIT }
    }
}

/// The version of the rules by which inputs become events. Recorded when an execution starts; a machine of another
/// number does not continue it.
pub const SEMANTICS: u32 = 1;
