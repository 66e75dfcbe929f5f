//! A wait that ends before its time: the end of a Wait state, or the next retry.

use super::Engine;
use crate::error::EngineError;
use asl_core::{EventId, Input};
use asl_store::Status;

impl Engine {
    /// Ends now what the state entered by that event waits for: its Wait goes on, its retry is made. When this returns that is
    /// recorded. Whoever runs the execution decides; if nobody does, this engine does that.
    ///
    /// # Errors
    /// [`EngineError::NotWaiting`] when the state waits for no time: it went on meanwhile, say. When there is no such execution,
    /// it is set aside, or the journal fails.
    pub async fn hurry(&self, arn: &str, entered: EventId) -> Result<(), EngineError> {
        let _hold = self.inner.clock.hold();
        let row = self.row(arn).await?;
        if let Some(why) = row.set_aside {
            return Err(EngineError::SetAside { execution: row.name, why });
        }
        let not_waiting = || EngineError::NotWaiting { execution: row.name.clone() };
        if row.status != Status::Running {
            return Err(not_waiting());
        }
        if self.deliver(&row, Input::Hurry { entered }).await? { Ok(()) } else { Err(not_waiting()) }
    }
}
