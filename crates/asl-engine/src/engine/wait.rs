//! Waiting for the end of an execution: of one in memory its driver tells, of every other the store.

use crate::client::LOOK;
use crate::client::start::Started;
use crate::engine::{Engine, NAP};
use crate::error::EngineError;
use crate::phase::Phase;
use crate::residency::Residence;
use asl_core::Outcome;

impl Engine {
    /// Waits until an execution has ended, in this or another process.
    ///
    /// # Errors
    /// When there is no such execution, it cannot go on, its journal fails, or the engine is shut down.
    pub async fn wait(&self, arn: &str) -> Result<Outcome, EngineError> {
        let mut phase = self.inner.phase.subscribe();
        loop {
            let (mut end, mut here) = {
                let mut residency = self.inner.residency();
                (residency.subscribe(arn), residency.running(arn).is_some())
            };
            if !here {
                let row = self.row(arn).await?;
                if row.arn != arn {
                    // It was named otherwise.
                    return Box::pin(self.wait(&row.arn)).await;
                }
                if let Some(outcome) = self.client().outcome(&row).await? {
                    return Ok(outcome);
                }
                self.inner.still_works()?;
                here = match self.inner.residency().get(row.id) {
                    Some(Residence::Broken(error)) => return Err((**error).clone()),
                    held => held.is_some(),
                };
            }
            let ended = async { end.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone()) };
            let stopped = async { drop(phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))).await) };
            tokio::select! {
                biased;
                Some(ended) = ended => return ended,
                () = stopped => {
                    // A driver at work is about to say how it ends.
                    if self.inner.residency().running(arn).is_none() {
                        self.inner.still_works()?;
                    }
                    tokio::task::yield_now().await;
                }
                // Of those that others run, and of those that break while they are loaded, nobody tells us.
                () = tokio::time::sleep(if here { NAP } else { LOOK }) => {}
            }
        }
    }

    /// As [`Engine::wait`], for an execution that was started here: one that has ended meanwhile need not be looked up.
    ///
    /// # Errors
    /// As for [`Engine::wait`].
    pub async fn wait_for(&self, started: &Started) -> Result<Outcome, EngineError> {
        let ended = started.end.as_ref().and_then(|end| end.borrow().clone());
        match ended {
            Some(ended) => ended,
            None => self.wait(&started.arn).await,
        }
    }
}
