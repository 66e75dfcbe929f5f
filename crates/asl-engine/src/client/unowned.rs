//! Executions that nobody runs: a process that has a signal for one owns it for as long as that takes, and begins none of its
//! tasks. It is a worker of its own for that ([`Borrower`]).

use super::answer::SIGNALS;
use crate::client::Client;
use crate::clock::wall_ms;
use crate::error::EngineError;
use crate::execution::protocol::{Recording, time_for};
use asl_store::{Claim, ExecutionId, ExecutionRow, Registration, Signal, Status, StoreError, Verdict, Worker};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::AbortHandle;

/// What a process that becomes a worker says of itself.
pub(crate) fn registration(what: &str, lease: Duration) -> Registration {
    Registration {
        what: what.to_owned(),
        process: std::process::id(),
        beat: beat(lease),
        lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What a renewal writes: a number that was not there before. It is the time at which programs of before version 5 would take
/// over, for they may still be at work beside this one.
pub(crate) fn beat(lease: Duration) -> i64 {
    wall_ms().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// A client as a worker, from when it first needs to be one until it is dropped.
pub(crate) struct Borrower<'c> {
    client: &'c Client,
    worker: Option<(Arc<dyn Worker>, AbortHandle)>,
}

impl Borrower<'_> {
    /// The worker. A call that takes long does not lose it: it is renewed meanwhile.
    pub(super) async fn worker(&mut self) -> Result<Arc<dyn Worker>, EngineError> {
        if let Some((worker, _)) = &self.worker {
            return Ok(worker.clone());
        }
        let client = self.client;
        let worker = client.store.register(registration(&client.what, client.lease), None).await?.worker;
        let renewal = tokio::spawn(renew(Arc::downgrade(&worker), client.lease)).abort_handle();
        self.worker = Some((worker.clone(), renewal));
        Ok(worker)
    }

    /// Gives the worker up, and with it what it still owns.
    pub(crate) async fn release(mut self) -> Result<(), StoreError> {
        match self.worker.take() {
            Some((worker, renewal)) => {
                renewal.abort();
                worker.release().await
            }
            None => Ok(()),
        }
    }
}

impl Drop for Borrower<'_> {
    fn drop(&mut self) {
        if let Some((worker, renewal)) = self.worker.take() {
            renewal.abort();
            worker.release_soon();
        }
    }
}

async fn renew(worker: Weak<dyn Worker>, lease: Duration) {
    loop {
        tokio::time::sleep(lease / 3).await;
        let Some(worker) = worker.upgrade() else { return };
        // Where it fails, the fence refuses what the worker writes, and says so.
        drop(worker.renew(beat(lease)).await);
    }
}

impl Client {
    /// Makes this client a worker when one is needed.
    pub(crate) fn borrower(&self) -> Borrower<'_> {
        Borrower { client: self, worker: None }
    }

    /// True when no living process runs an execution.
    pub(crate) async fn is_unowned(&self, id: ExecutionId) -> Result<bool, EngineError> {
        let store = &self.store;
        let row = store.execution_numbered(id).await?;
        let Some(owner) = row.filter(|row| row.status == Status::Running).map(|row| row.owner) else {
            return Ok(false);
        };
        let Some(owner) = owner else { return Ok(true) };
        if store.gone().await?.contains(&owner) {
            return Ok(true);
        }
        let in_force = store.workers().await?.into_iter().any(|worker| worker.id == owner && !worker.gone);
        Ok(!in_force)
    }

    /// A claim of one execution, also from a worker that is gone.
    pub(super) async fn claim_of(&self, execution: ExecutionId) -> Result<Claim, EngineError> {
        Ok(Claim { gone: self.store.gone().await?, limit: 1, only: Some(execution), ..Claim::default() })
    }

    /// Takes in the inbox of an execution without an owner, and gives the execution back: the next owner begins its tasks. Does
    /// nothing where another process owns it by then.
    pub(super) async fn decide(&self, row: &ExecutionRow) -> Result<(), EngineError> {
        let mut borrower = self.borrower();
        let worker = borrower.worker().await?;
        if !worker.claim(self.claim_of(row.id).await?).await?.is_empty() {
            let decided = self.take_in(&worker, row).await;
            worker.give_back(vec![row.id]).await?;
            decided?;
        }
        Ok(borrower.release().await?)
    }

    async fn take_in(&self, worker: &Arc<dyn Worker>, row: &ExecutionRow) -> Result<(), EngineError> {
        let mut machine = self.rebuild(row, None).await?;
        let now = time_for(self.clock.now(), &machine);
        // What fell due while nobody ran it comes first: an answer that is late is refused.
        let step = machine.run(now, 0);
        let due = Recording::of(&mut machine, now, Vec::new(), step);
        if !due.record.events.is_empty() {
            worker.append(row.id, due.record, machine.outcome(), Vec::new()).await?;
        }
        let (mut inputs, mut verdicts) = (Vec::new(), Vec::new());
        for Signal { id, input, .. } in worker.store().signals(row.id, SIGNALS).await? {
            let input = machine.accept(input, now);
            verdicts.push(Verdict { signal: id, taken: input.is_some() });
            inputs.extend(input);
        }
        if inputs.is_empty() {
            return Ok(worker.discard(verdicts.into_iter().map(|verdict| verdict.signal).collect()).await?);
        }
        let step = machine.run(now, 0);
        let recording = Recording::of(&mut machine, now, inputs, step);
        Ok(worker.append(row.id, recording.record, machine.outcome(), verdicts).await?)
    }
}
