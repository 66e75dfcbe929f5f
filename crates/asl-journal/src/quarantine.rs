//! Executions that are set aside. Which ones are to blame for the end of a process is [`asl_store::quarantine`]'s to say.

use crate::WorkerId;

pub use asl_store::quarantine::*;

/// The owner of executions that are set aside.
pub(crate) const NOBODY: WorkerId = WorkerId(-1);
