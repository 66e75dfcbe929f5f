//! Waiting for the end of an execution: of one in memory its driver tells, of every other the store.

use crate::client::LOOK;
use crate::client::start::{End, Ended, Started};
use crate::engine::{Engine, NAP};
use crate::error::EngineError;
use crate::phase::Phase;
use crate::residency::Residence;
use asl_core::Outcome;
use tokio::sync::watch;

impl Engine {
    /// Waits until an execution has ended, in this or another process.
    ///
    /// # Errors
    /// When there is no such execution, it cannot go on, its journal fails, or the engine is shut down.
    pub async fn wait(&self, arn: &str) -> Result<Outcome, EngineError> {
        Ok(self.end_of(arn, None).await?.outcome)
    }

    /// As [`Engine::wait`], for an execution that was started here: its end is told by its driver, and nothing is read.
    ///
    /// # Errors
    /// As for [`Engine::wait`].
    pub async fn wait_for(&self, started: &Started) -> Result<Outcome, EngineError> {
        Ok(self.ended(started).await?.outcome)
    }

    /// As [`Engine::wait_for`], with the time of its end.
    ///
    /// # Errors
    /// As for [`Engine::wait`].
    pub async fn ended(&self, started: &Started) -> Result<Ended, EngineError> {
        self.end_of(&started.arn, started.end.clone()).await
    }

    async fn end_of(&self, arn: &str, told: Option<watch::Receiver<End>>) -> Result<Ended, EngineError> {
        if let Some(ended) = told.as_ref().and_then(|end| end.borrow().clone()) {
            return ended;
        }
        let mut told = told;
        let mut phase = self.inner.phase.subscribe();
        loop {
            let (mut end, mut here) = {
                let mut residency = self.inner.residency();
                let here = residency.running(arn).is_some();
                // The receiver of the start hears also of an end that came since.
                (told.take().unwrap_or_else(|| residency.subscribe(arn)), here)
            };
            here |= end.borrow().is_some();
            if !here {
                let row = self.row(arn).await?;
                if row.arn != arn {
                    // It was named otherwise.
                    return Box::pin(self.end_of(&row.arn, None)).await;
                }
                if let Some(outcome) = self.client().outcome(&row).await? {
                    return Ok(Ended { outcome, at: row.stopped.unwrap_or_else(|| self.inner.clock.now()) });
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
}
