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

mod builder;
mod calls;
mod children;
mod clock;
mod definitions;
mod deliveries;
mod driver;
mod engine;
mod error;
mod fit;
mod lease;
mod letters;
mod maps;
mod memory;
mod notice;
mod pace;
mod parked;
mod post;
mod redrive;
mod registry;
mod replay;
mod stop;
mod trial;
mod worker;

pub use asl_task::{Missing, Unsupported};
pub use builder::EngineBuilder;
pub use children::map_run_children;
pub use clock::{Clock, Hold};
pub(crate) use definitions::load_stored;
pub use definitions::stored_options;
pub use engine::{Engine, Observer, StartExecution, Started, Update};
pub use error::EngineError;
pub use notice::Notice;
pub use replay::{
    ChangedCall, Difference, Divergence, ExportError, Exported, Fork, Needed, ReplayError, Replayed, Trial, Verdict,
    Whose, pending, replay, replay_exported, replay_kept, try_definition, try_kept,
};
pub use worker::{Holder, holders};
