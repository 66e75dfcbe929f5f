//! Executions that nobody runs: a process that has a signal for one owns it for as long as that takes, and begins none of its
//! tasks.

use super::signal::SIGNALS;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::execution::protocol::{Recording, time_for};
use asl_store::{Claim, ExecutionId, ExecutionRow, Signal, Status, Verdict, Worker};
use std::sync::Arc;

impl Engine {
    /// True when no living process runs an execution.
    pub(super) async fn is_unowned(&self, id: ExecutionId) -> Result<bool, EngineError> {
        let store = &self.inner.store;
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

    /// True when another worker that lives, as far as is known, runs an execution.
    pub(super) async fn is_elsewhere(&self, id: ExecutionId) -> Result<bool, EngineError> {
        let row = self.inner.store.execution_numbered(id).await?;
        let owner = row.filter(|row| row.status == Status::Running).and_then(|row| row.owner);
        let own = self.inner.lease.get().map(|lease| lease.worker.id());
        Ok(owner.is_some() && owner != own && !self.is_unowned(id).await?)
    }

    /// Takes in the inbox of an execution without an owner, and gives the execution back: the next owner begins its tasks. Does
    /// nothing where another process owns it by then.
    pub(super) async fn decide(&self, row: &ExecutionRow) -> Result<(), EngineError> {
        let worker = &self.inner.leased().await?.worker;
        // Whatever else finds that it is this engine's own for a moment leaves it alone.
        if !self.inner.residency().begin_load(row.id) {
            return Ok(());
        }
        let decided = self.claim_and_take_in(worker, row).await;
        self.inner.residency().forget(row.id);
        self.inner.wake.notify_one();
        decided
    }

    async fn claim_and_take_in(&self, worker: &Arc<dyn Worker>, row: &ExecutionRow) -> Result<(), EngineError> {
        let claim = Claim { only: Some(row.id), ..self.inner.claim(1).await? };
        if worker.claim(claim).await?.is_empty() {
            return Ok(());
        }
        let decided = self.take_in(worker, row).await;
        worker.give_back(vec![row.id]).await?;
        decided
    }

    async fn take_in(&self, worker: &Arc<dyn Worker>, row: &ExecutionRow) -> Result<(), EngineError> {
        let mut machine = self.inner.rebuild(row, None).await?;
        let now = time_for(self.inner.clock.now(), &machine);
        // What fell due while nobody ran it comes first: an answer that is late is refused.
        let step = machine.run(now, 0);
        let due = Recording::of(&mut machine, now, Vec::new(), step);
        if !due.record.events.is_empty() {
            worker.append(row.id, due.record, machine.outcome(), Vec::new()).await?;
        }
        let (mut inputs, mut verdicts) = (Vec::new(), Vec::new());
        for Signal { id, input, .. } in worker.store().signals(row.id, SIGNALS).await? {
            let input = machine.accept(input, now);
            verdicts.push(Verdict { mail: id, taken: input.is_some() });
            inputs.extend(input);
        }
        if inputs.is_empty() {
            return Ok(worker.discard(verdicts.into_iter().map(|verdict| verdict.mail).collect()).await?);
        }
        let step = machine.run(now, 0);
        let recording = Recording::of(&mut machine, now, inputs, step);
        Ok(worker.append(row.id, recording.record, machine.outcome(), verdicts).await?)
    }
}
