//! This engine as a worker of its database: its lease, its heartbeat, and how it learns that another is gone.
//!
//! A worker writes under a fence, so two of them can never write the history of one execution. The lease is about *when* another
//! may take over: when it has watched the worker's row for as long as the lease without seeing it renewed
//! ([`asl_store::Liveness`]), or at once when the process is provably gone. Which workers are gone is the store's to tell
//! ([`asl_store::Store::gone`]); the worker's handle keeps the store's proof of life while this engine lives.
//!
//! A worker that cannot renew its lease stops before the end of it, so that its functions are not at work beside those of
//! its successor.

use crate::client::unowned::{beat, registration};
use crate::engine::Inner;
use crate::error::{EngineError, passes};
use crate::phase::Phase;
use asl_expr::Timestamp;
use asl_store::{ExecutionId, NewExecution, Registered, StoreError, Worker};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// What this engine holds while it runs executions.
pub(crate) struct Lease {
    pub(crate) worker: Arc<dyn Worker>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.worker.release_soon();
    }
}

/// How the execution went that was to be written with the worker that runs it.
type First = Option<Result<ExecutionId, StoreError>>;

/// Makes this engine a worker, and writes the start of its first execution with that, if there is one.
async fn register(inner: &Inner, first: Option<NewExecution>) -> Result<(Lease, First), EngineError> {
    let registration = registration(&inner.settings.what, inner.settings.lease);
    let Registered { worker, first } = inner.store.register(registration, first).await?;
    Ok((Lease { worker }, first))
}

/// Renews the lease while the engine lives. When it cannot do so in time, or another has taken over, the engine stops.
pub(crate) async fn keep(inner: Weak<Inner>, worker: Weak<dyn Worker>, lease: Duration) {
    // What is safe: a sixth of the lease before its end, counted from before it was asked for.
    let safe = lease - lease / 6;
    let mut until = Instant::now() + safe;
    let mut pause = lease / 3;
    loop {
        let awake = Instant::now() + pause;
        tokio::time::sleep(pause).await;
        // The task keeps neither the engine nor the worker alive while it sleeps.
        let Some(worker) = worker.upgrade() else { return };
        let asked = Instant::now();
        if asked > awake + lease / 6 {
            // The process was held (Ctrl-Z, a debugger, a pause of its machine), and acted as little as it renewed. If nobody has
            // taken over, it goes on; that time does not count.
            until += asked - awake;
        }
        match tokio::time::timeout_at(until, worker.renew(beat(lease))).await {
            Ok(Ok(())) => {
                until = asked + safe;
                pause = lease / 3;
            }
            // A locked database or a full disk may be better soon.
            Ok(Err(error)) if Instant::now() < until && passes(&error) => pause = lease / 30,
            late_or_fenced => {
                let fenced = StoreError::Fenced { worker: worker.id() };
                let error = late_or_fenced.ok().and_then(Result::err).unwrap_or(fenced);
                if let Some(inner) = inner.upgrade() {
                    inner.lose(error.into());
                }
                return;
            }
        }
    }
}

impl Inner {
    /// This engine's lease: taken when it is first needed, together with the tasks that an engine at work has.
    pub(crate) async fn leased(self: &Arc<Inner>) -> Result<&Lease, EngineError> {
        self.ownership.lease.get_or_try_init(|| async { self.take_lease(None).await.map(|(lease, _)| lease) }).await
    }

    /// Writes the start of an execution. The one that an engine starts first is written with its lease.
    pub(crate) async fn write_start(
        self: &Arc<Inner>,
        new: NewExecution,
    ) -> Result<(Arc<dyn Worker>, ExecutionId), EngineError> {
        let (mut new, mut first) = (Some(new), None);
        let taken = self.ownership.lease.get_or_try_init(|| async {
            let (lease, written) = self.take_lease(new.take()).await?;
            first = written;
            Ok::<_, EngineError>(lease)
        });
        let worker = taken.await?.worker.clone();
        let written = match (first, new) {
            (Some(written), _) => written,
            (None, Some(new)) => worker.create(new).await,
            (None, None) => Err(StoreError::Closed),
        };
        Ok((worker, written?))
    }

    async fn take_lease(self: &Arc<Inner>, first: Option<NewExecution>) -> Result<(Lease, First), EngineError> {
        // In one transaction, where the writer is quick enough to take both and not so quick that it takes one.
        if !self.settings.client {
            crate::worker::status::begin(self).await?;
        }
        let next = async { if self.settings.client { None } else { crate::worker::outbox::first(self).await } };
        let (registered, next) = tokio::join!(register(self, first), next);
        let (lease, written) = registered?;
        self.outbox.found(next.is_some());
        self.spawn_tasks(&lease.worker, next);
        Ok((lease, written))
    }

    fn spawn_tasks(self: &Arc<Inner>, worker: &Arc<dyn Worker>, next_delivery: Option<Timestamp>) {
        let weak = Arc::downgrade(self);
        let worker = Arc::downgrade(worker);
        if !self.store.in_this_process_only() {
            tokio::spawn(keep(weak.clone(), worker.clone(), self.settings.lease));
        }
        let phase = || self.phase.subscribe();
        // Taken once: the lease is made once.
        let bell = self.outbox.listen();
        if let Some(bell) = bell.filter(|_| !self.settings.client) {
            tokio::spawn(crate::worker::outbox::run(weak.clone(), self.clock.hold(), bell, phase(), next_delivery));
        }
        tokio::spawn(crate::residency::load::run(weak.clone(), self.due.clone(), phase()));
        tokio::spawn(crate::residency::trial::run(weak.clone(), self.quarantine.bell.clone(), phase()));
        tokio::spawn(crate::worker::poller::run(
            weak,
            worker,
            self.settings.lease,
            self.ownership.wake.clone(),
            phase(),
        ));
    }

    /// The lease is lost: nothing here may act any more.
    pub(crate) fn lose(&self, error: EngineError) {
        tracing::error!(%error, "this process stops running executions");
        self.phase.send_if_modified(|phase| {
            let lost = !matches!(phase, Phase::Stopped(_));
            if lost {
                *phase = Phase::Stopped(error);
            }
            lost
        });
    }
}
