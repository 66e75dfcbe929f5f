//! Drives machines on tokio: starts, deadlines, dispatch of tasks, recovery, replay.
//!
//! Every execution is one [`asl_core::Machine`] with a driver, a tokio task that owns it. The driver hands facts to the
//! machine, writes what came of them to the journal, and only then sends commands out: **write first, then act**.
//! A task of the embedded table, topic and queue runs inside the journal's transaction, so that its effect and the event
//! that records it are one.
//!
//! Architecture invariant: nothing here interprets ASL. What an input means is the machine's business; where the time
//! comes from, who runs a task and what is stored is this crate's.
#![forbid(unsafe_code)]

mod activity;
mod builder;
mod client;
mod clock;
mod definitions;
mod engine;
mod error;
mod execution;
mod machines;
mod memory;
mod notice;
mod pace;
mod phase;
mod replay;
mod residency;
mod services;
mod start_in;
mod worker;

pub use activity::ActivityTask;
pub use asl_task::{Missing, Unsupported};
pub use builder::EngineBuilder;
pub use client::Client;
pub use client::children::map_run_children;
pub use client::start::{Ended, StartAs, StartExecution, Started};
pub use clock::{Clock, Hold};
pub(crate) use definitions::load_stored;
pub use definitions::stored_options;
pub use engine::rerun::{RerunAs, rerun_of};
pub use engine::{Engine, Observer, Update};
pub use error::EngineError;
pub use execution::protocol;
pub use notice::Notice;
pub use replay::{
    ChangedCall, Difference, Divergence, ExportError, Exported, Fork, Needed, ReplayError, Replayed, Trial, Verdict,
    Whose, pending, replay, replay_exported, replay_kept, try_definition, try_kept,
};
pub use services::CallError;
pub use worker::{Holder, holders};
