//! Whether an engine takes on work.

use crate::error::EngineError;

/// Whether an engine takes on work.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It does.
    Running,
    /// It ends what is in flight, and begins nothing.
    Draining,
    /// It does nothing any more: it was shut down, or has lost its lease.
    Stopped(EngineError),
}

impl Phase {
    pub(crate) fn takes_on(&self) -> bool {
        matches!(self, Phase::Running)
    }
}
