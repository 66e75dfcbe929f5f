//! What this engine leaves to others: definitions that it cannot run, executions that it could not load.
//!
//! Workers of different projects, or of two versions of one, may share a database. Each takes what it can run. What it cannot
//! it gives back, says so once, and asks for no more.

use crate::engine::Inner;
use crate::error::EngineError;
use crate::load_stored;
use crate::notice::Notice;
use asl_store::{Claim, Claimed, Except, ExecutionId, Worker};
use asl_task::Unsupported;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError};

#[derive(Default)]
pub(crate) struct Left {
    /// Whether executions of a definition can run here, by its hash.
    fits: HashMap<Arc<str>, bool>,
    executions: BTreeSet<ExecutionId>,
}

impl Left {
    /// An execution is no more left to others.
    pub(crate) fn ask_again(&mut self, execution: ExecutionId) {
        self.executions.remove(&execution);
    }

    /// What is not to be claimed.
    pub(crate) fn except(&self) -> Except {
        let definitions = self.fits.iter().filter(|(_, fits)| !**fits).map(|(hash, _)| hash.clone()).collect();
        Except { definitions, executions: self.executions.iter().copied().collect() }
    }
}

impl Inner {
    pub(crate) fn left(&self) -> MutexGuard<'_, Left> {
        self.ownership.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims executions, and gives those back that cannot run here.
    pub(crate) async fn claim_fitting(
        &self,
        worker: &Arc<dyn Worker>,
        claim: Claim,
    ) -> Result<Vec<Claimed>, EngineError> {
        let except = self.left().except();
        let claimed = worker.claim(Claim { except, ..claim }).await?;
        let (mut fitting, mut back) = (Vec::new(), Vec::new());
        for claimed in claimed {
            match self.fits(&claimed).await {
                Ok(true) => fitting.push(claimed),
                Ok(false) => back.push(claimed.id),
                // Whether it can run is found out when it is loaded.
                Err(_) => fitting.push(claimed),
            }
        }
        if !back.is_empty() {
            worker.give_back(back).await?;
        }
        Ok(fitting)
    }

    async fn fits(&self, claimed: &Claimed) -> Result<bool, EngineError> {
        if let Some(known) = self.left().fits.get(&claimed.definition) {
            return Ok(*known);
        }
        let Some(stored) = self.store.definition(&claimed.definition).await? else { return Ok(true) };
        let state_machine = stored.name.to_string();
        let notice = match load_stored(&stored.text) {
            Err(why) => Some(Notice::CannotRun { state_machine, why: format!("the definition does not load: {why}") }),
            Ok(definition) => match self.backends.unsupported(&definition) {
                missing if missing.is_empty() => None,
                missing => Some(Notice::CannotRun { state_machine, why: list(&missing) }),
            },
        };
        let fits = notice.is_none();
        let known = self.left().fits.insert(claimed.definition.clone(), fits);
        if let Some(notice) = notice.filter(|_| known.is_none()) {
            self.notify(&notice);
        }
        Ok(fits)
    }

    /// Leaves an execution of this engine to others: it cannot be loaded here.
    pub(crate) fn leave_to_others(&self, execution: ExecutionId, error: &EngineError) {
        let is_new = self.left().executions.insert(execution);
        let Some(lease) = self.ownership.lease.get() else { return };
        let (worker, why, observer) = (lease.worker.clone(), error.to_string(), self.notices.observer.clone());
        tokio::spawn(async move {
            if is_new {
                let row = worker.store().execution_numbered(execution).await;
                let name = row.ok().flatten().map_or_else(|| execution.to_string(), |row| row.arn);
                let notice = Notice::CannotLoad { execution: name, why };
                tracing::error!("{notice}");
                if let Some(observer) = observer {
                    observer.notify(&notice);
                }
            }
            if let Err(error) = worker.give_back(vec![execution]).await {
                tracing::warn!(%execution, %error, "an execution could not be given back");
            }
        });
    }
}

fn list(missing: &[Unsupported]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
