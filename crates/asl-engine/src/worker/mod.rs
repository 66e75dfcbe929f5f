//! An engine as a worker: takes on executions without an owner, until it is told to stop.
//!
//! `lease` makes it one and keeps it one, `poller` looks at what others write, `outbox` makes the deliveries that are owed, `fit` leaves
//! to others what cannot run here.

pub(crate) mod fit;
pub(crate) mod lease;
pub(crate) mod outbox;
pub(crate) mod poller;
pub(crate) mod status;

use crate::clock::wall_ms;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::phase::Phase;
use asl_store::{Store, StoreError, WorkerRow};
use fit::Left;
use lease::Lease;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, OnceCell};

/// What an engine is as a worker.
#[derive(Default)]
pub(crate) struct Ownership {
    /// Its row in the store, from the first execution on that it owns.
    pub(crate) lease: OnceCell<Lease>,
    /// True when it takes on executions without an owner.
    pub(crate) serving: AtomicBool,
    /// Wakes the poller: the store should be looked at.
    pub(crate) wake: Arc<Notify>,
    /// What is left to others.
    left: Mutex<Left>,
}

/// How often a drain looks whether something is still in flight.
const LOOK: Duration = Duration::from_millis(10);

/// A process that runs executions of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its row.
    pub worker: WorkerRow,
    /// False when it is gone, and others may take its executions over. One that is silent lives until somebody has watched
    /// it for as long as its lease.
    pub alive: bool,
    /// How many open executions it has.
    pub executions: u64,
}

/// The processes that run executions of a database, or did so last.
///
/// # Errors
/// When the database cannot be read.
pub async fn holders(store: &dyn Store) -> Result<Vec<Holder>, StoreError> {
    let gone = store.gone().await?;
    let alive = |worker: &WorkerRow| !worker.gone && !gone.contains(&worker.id);
    let workloads = store.workloads().await?;
    let holder = |worker: WorkerRow| {
        let executions = workloads.get(&worker.id).copied().unwrap_or(0);
        Holder { alive: alive(&worker), worker, executions }
    };
    Ok(store.workers().await?.into_iter().map(holder).collect())
}

impl Engine {
    /// Makes this engine a worker: from now on it takes on every execution that no living process runs, at once and as
    /// they appear, as many as there is room for in memory. Returns when it is at it.
    ///
    /// # Errors
    /// When the journal cannot be written, or the engine was shut down.
    pub async fn serve(&self) -> Result<(), EngineError> {
        self.inner.still_works()?;
        self.inner.leased().await?;
        self.inner.ownership.serving.store(true, Ordering::Relaxed);
        self.inner.ownership.wake.notify_one();
        Ok(())
    }

    /// Waits until the engine has stopped, and tells why: [`EngineError::ShutDown`], or that it has lost its lease.
    pub async fn stopped(&self) -> EngineError {
        let mut phase = self.inner.phase.subscribe();
        let stopped = phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))).await;
        match stopped.as_deref() {
            Ok(Phase::Stopped(error)) => error.clone(),
            _ => EngineError::ShutDown,
        }
    }

    /// How many executions this engine has in memory, and how many it has left in the journal until their time comes.
    pub fn load(&self) -> (usize, usize) {
        let residency = self.inner.residency();
        (residency.loaded(), residency.evicted())
    }

    /// How many of those left in the journal are due, and come into memory as there is room.
    pub fn due(&self) -> usize {
        self.inner.residency().due_count(wall_ms(), usize::MAX)
    }

    /// Shuts down in a bounded time: nothing new is taken on, tasks in flight may end for so long and what they answer is
    /// written, then as [`Engine::shutdown`]. Executions that have not ended stay in the journal.
    ///
    /// # Errors
    /// When deliveries that are due cannot be made because the journal fails.
    pub async fn drain(&self, timeout: Duration) -> Result<(), EngineError> {
        self.inner.phase.send_if_modified(|phase| {
            let running = phase.takes_on();
            if running {
                *phase = Phase::Draining;
            }
            running
        });
        let drained = tokio::time::timeout(timeout, async {
            while self.load().0 > 0 {
                tokio::time::sleep(LOOK).await;
            }
            outbox::last(&self.inner).await
        });
        let drained = drained.await.unwrap_or(Ok(()));
        self.inner.stop().await;
        drained
    }
}
