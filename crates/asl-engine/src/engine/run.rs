//! How executions get their drivers, what is done when a driver ends, and how the engine goes on with them after a crash.

use crate::client::start::Ended;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::execution::Driver;
use crate::notice::Notice;
use crate::phase::Phase;
use crate::residency::Active;
use crate::residency::admission::Admission;
use crate::worker::outbox;
use asl_core::{Execution, Machine, Rerun};
use asl_expr::Timestamp;
use asl_store::{Claimed, Definition as Stored, ExecutionId, SignalId, StartedAs, StoreError};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a shutdown waits for jobs to be stopped.
const STOPS: Duration = Duration::from_secs(10);

impl Engine {
    /// Goes on with every execution in the journal that has not ended and that no living process runs: from its records,
    /// with its tasks handed out again. Those of this engine that a failure of the journal ended are among them. Returns
    /// their ARNs. One that cannot go on says why to those who wait for it; those that cannot run here are left to others, and
    /// one whose owners died too often without a record is set aside, and not among them ([`Engine::take_back`]).
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn resume(&self) -> Result<Vec<Arc<str>>, EngineError> {
        self.inner.still_works()?;
        let _hold = self.inner.clock.hold();
        let worker = &self.inner.leased().await?.worker;
        let own = worker.claimed().await?;
        let left: Vec<_> = own.into_iter().filter(|own| self.inner.residency().can_be_adopted(own.id)).collect();
        let mut claimed = Vec::new();
        loop {
            // A store may give fewer at once than it is asked for.
            match self.inner.claim_fitting(worker, self.inner.claim(u32::MAX).await?).await? {
                more if more.is_empty() => break,
                more => claimed.extend(more),
            }
        }
        let resumed = || left.iter().chain(&claimed);
        let condemned: Vec<Claimed> = [&left, &claimed].into_iter().flat_map(|list| self.inner.adopt(list)).collect();
        let aside: HashSet<ExecutionId> = condemned.iter().map(|claimed| claimed.id).collect();
        self.inner.clone().set_all_aside(condemned).await;
        let goes_on = |claimed: &&Claimed| !aside.contains(&claimed.id);
        Ok(resumed().filter(goes_on).map(|claimed| claimed.arn.clone()).collect())
    }

    /// Ends the drivers and the functions' processes. Executions that have not ended stay in the journal, for others to
    /// go on with. Deliveries from topics to functions that are due are made first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn shutdown(&self) -> Result<(), EngineError> {
        let drained = if self.inner.still_works().is_ok() { outbox::last(&self.inner).await } else { Ok(()) };
        self.inner.stop().await;
        let _ = tokio::time::timeout(STOPS, self.inner.stops.write()).await;
        drained
    }
}

impl Inner {
    /// Stops at once, and leaves the executions to others.
    pub(crate) async fn stop(&self) {
        self.phase.send_if_modified(|phase| {
            let works = !matches!(phase, Phase::Stopped(_));
            if works {
                *phase = Phase::Stopped(EngineError::ShutDown);
            }
            works
        });
        let left = self.residency().held();
        if left > 0 && self.ownership.serving.load(Ordering::Relaxed) {
            self.notify(&Notice::GaveBack { executions: left });
        }
        if let Some(lease) = self.ownership.lease.get()
            && let Err(error) = lease.worker.release().await
        {
            tracing::debug!(%error, "the lease was not given back; others find that this process is gone");
        }
        self.backends.functions.shutdown().await;
    }

    /// Creates an execution and lets it go, also when the caller does not wait for that. Says when it started.
    pub(crate) async fn create(
        self: &Arc<Inner>,
        machine: Machine,
        execution: Execution,
        definition: Stored,
        started_as: Option<StartedAs>,
        rerun: Option<Rerun>,
        admission: Admission,
    ) -> Result<Timestamp, EngineError> {
        let inner = self.clone();
        let creating = tokio::spawn(async move {
            let arn = execution.arn.clone();
            inner.residency().announce(&arn);
            let created =
                Driver::create(inner.clone(), machine, execution, definition, started_as, rerun, admission).await;
            let created = created.map(|(driver, at)| {
                inner.launch(&arn, driver, HashSet::new());
                inner.status_changed();
                at
            });
            inner.residency().announced(&arn);
            created
        });
        creating.await.unwrap_or(Err(EngineError::ShutDown))
    }

    /// Lets a driver go.
    pub(crate) fn launch(self: &Arc<Inner>, arn: &Arc<str>, driver: Driver, handed: HashSet<SignalId>) {
        let id = driver.id();
        self.residency().run(id, Active { arn: arn.clone(), signals: driver.signals(), handed });
        let (inner, arn, mut phase) = (self.clone(), arn.clone(), self.phase.subscribe());
        let mut hold = self.clock.hold();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = driver.drive(&mut hold) => ended,
                _ = phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))) => Err(EngineError::ShutDown),
            };
            let outcome = match ended {
                Ok(None) => return inner.settled(id),
                Ok(Some(ended)) => Ok(ended),
                Err(EngineError::ShutDown) => Err(inner.still_works().err().unwrap_or(EngineError::ShutDown)),
                Err(error) => Err(error),
            };
            inner.ended(id, &arn, outcome);
            // Whoever waits for the end has it now, so time may be skipped.
            drop(hold);
        });
    }

    fn ended(self: &Arc<Inner>, id: ExecutionId, arn: &str, outcome: Result<Ended, EngineError>) {
        self.settled(id);
        let works = self.still_works().is_ok();
        if let Err(error) = &outcome {
            tracing::debug!(execution = %arn, %error, "the driver stopped");
            if matches!(error, EngineError::Store(StoreError::Fenced { .. })) {
                self.lose(error.clone());
            } else if works && error.passes() && self.ownership.serving.load(Ordering::Relaxed) {
                self.residency().forget(id);
                return self.not_loaded(id, arn, error.clone());
            }
        }
        if let (true, Err(error @ EngineError::Panicked)) = (works, &outcome) {
            self.leave_to_others(id, error);
        }
        let mut residency = self.residency();
        match &outcome {
            // Whoever asks later is told the same.
            Err(error) if works => residency.fail(id, error.clone()),
            _ => drop(residency.forget(id)),
        }
        residency.publish(arn, outcome);
    }
}
