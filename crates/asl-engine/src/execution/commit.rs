//! What a driver commits: a record, or a call inside the store's transaction together with the record of its answer.

use super::calls;
use super::driver::Driver;
use super::protocol::{Recording, Todo, Write, time_for};
use crate::activity;
use crate::error::EngineError;
use crate::notice::Notice;
use asl_core::{Failure, Machine, TaskCall};
use asl_store::{Append, StoreError, contract};
use asl_syntax::ResourceKind;

impl Driver {
    pub(super) async fn write(&mut self, write: Write) -> Result<(), EngineError> {
        let Write { record, outcome, taken } = write;
        match self.worker.append(self.id, record, outcome.as_ref(), taken).await {
            Err(error @ StoreError::TooLarge { .. }) => self.fail(error).await,
            written => {
                written?;
                self.protocol.written();
                if outcome.is_some() {
                    self.inner.status_changed();
                }
                Ok(())
            }
        }
    }

    /// The record cannot be written, now or ever: the execution fails by name, from where the records have it.
    pub(super) async fn fail(&mut self, error: StoreError) -> Result<(), EngineError> {
        self.protocol.unwritable();
        let row = self.inner.store.execution_numbered(self.id).await?;
        let row = row.ok_or(StoreError::NoSuchExecution { execution: self.id })?;
        self.inner.notify(&Notice::Failed { execution: row.name.clone(), error: error.clone().into() });
        let failure = Failure::new("States.DataLimitExceeded", error.to_string());
        while let Some(todo) = self.next() {
            match todo {
                Todo::Rebuild => {
                    let machine = self.inner.client.rebuild(&row, None).await?;
                    self.protocol.rebuilt(machine, failure, self.inner.clock.now());
                    break;
                }
                Todo::Discard(signals) => self.worker.discard(signals).await?,
                Todo::Tell(caller, has_place) => drop(caller.send(has_place)),
                _ => unreachable!("nothing else is done about a record that was not written"),
            }
        }
        Ok(())
    }

    /// Makes a call inside the store's transaction. The machine goes into it and comes back out of it; if the transaction fails,
    /// the driver ends and the records have the truth.
    pub(super) async fn transact(&mut self, call: TaskCall) -> Result<(), EngineError> {
        // What is asked outside of the transaction.
        let rejected = activity::rejected(&self.inner, &call).await?;
        let scheduled = matches!(call.resource.kind, ResourceKind::Activity { .. }).then(|| call.resource.arn.clone());
        let (id, machine) = (self.id, self.lend());
        let (inner, pace, repeats) = (self.inner.clone(), self.pace, self.inner.store.may_repeat());
        let mut lent = Some(machine);
        let ran = contract::transact_as(&*self.worker, move |tx| {
            // A store that may undo the transaction and run it again gets a copy each time.
            let machine = if repeats { lent.clone() } else { lent.take() };
            let (inner, call, mut pace, rejected) = (inner.clone(), call.clone(), pace, rejected.clone());
            Box::pin(async move {
                let mut machine = machine.ok_or(StoreError::Closed)?;
                let now = time_for(inner.clock.now(), &machine);
                let answer = match rejected {
                    Some(rejected) => Some(rejected),
                    None => calls::within(&inner, tx, &machine, &call, now).await?,
                };
                let run = |machine: &mut Machine| pace.run_here(machine, now, inner.settings.record);
                let recording = Recording::answer(&mut machine, now, answer, run);
                let (record, outcome) = (recording.record.clone(), machine.outcome().cloned());
                let append = Append { execution: id, record, outcome };
                Ok::<_, EngineError>(((machine, recording, pace), Some(append)))
            })
        });
        let (machine, recording, pace) = match ran.await {
            Err(EngineError::Store(error @ StoreError::TooLarge { .. })) => return self.fail(error).await,
            ran => ran?,
        };
        match scheduled {
            Some(arn) => self.inner.activities.ring(&arn),
            None => self.inner.outbox.ring(),
        }
        self.inner.status_changed();
        (*self.protocol.machine_mut(), self.pace) = (machine, pace);
        self.protocol.transacted(recording);
        Ok(())
    }
}
