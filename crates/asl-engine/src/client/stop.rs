//! Stopping an execution, wherever it runs, and whether or not its records can be read.

use super::answer::check_lengths;
use super::unowned::Borrower;
use crate::client::Client;
use crate::error::EngineError;
use crate::execution::protocol::{Recording, time_for};
use crate::notice::Notice;
use asl_core::{Budget, Failure, Input, Machine, MapCommand};
use asl_store::{ExecutionRow, Status, Worker};
use std::sync::Arc;
use std::time::Duration;

/// How long the records of an execution may take to be read and replayed for its end to be recorded with them.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of the stop of an execution that nobody was believed to run.
pub(crate) enum Stopped {
    /// A worker that lives runs it.
    Elsewhere,
    /// It has ended, and its map runs have these children out.
    Ended(Vec<Arc<str>>),
    /// It has ended in its header alone: its records could not be read.
    Unread(EngineError),
}

impl Client {
    /// Stops an execution: it ends as `ABORTED`. One that has ended already is left as it is.
    ///
    /// When this returns the stop is on disk. If a process runs the execution, that process takes the stop in;
    /// if none does, this client does, also where the execution is set aside. One whose records or whose definition cannot be
    /// read ends all the same: its header says so, and its history stays as it is.
    ///
    /// # Errors
    /// When there is no such execution, error or cause are longer than AWS takes, or the store fails.
    pub async fn stop(&self, arn: &str, failure: Failure) -> Result<(), EngineError> {
        check_lengths(&failure)?;
        let mut borrower = self.borrower();
        let mut children = self.stop_one(&self.execution(arn).await?, failure, &mut borrower).await?;
        while let Some(child) = children.pop() {
            // One that was to start, and has not, is not there.
            if let Some(row) = self.store.execution(&child).await? {
                children.extend(self.stop_one(&row, Failure::default(), &mut borrower).await?);
            }
        }
        Ok(borrower.release().await?)
    }

    /// Stops one; returns the children that are to be stopped with it, where their parent does not do that.
    async fn stop_one(
        &self,
        row: &ExecutionRow,
        failure: Failure,
        borrower: &mut Borrower<'_>,
    ) -> Result<Vec<Arc<str>>, EngineError> {
        if row.status != Status::Running {
            return Ok(Vec::new());
        }
        match self.stop_unowned(row, &failure, borrower).await? {
            Stopped::Elsewhere => self.leave(row, Input::Stop(failure)).await.map(|_| Vec::new()),
            Stopped::Ended(children) => Ok(children),
            Stopped::Unread(error) => {
                tracing::warn!("{}", Notice::EndedUnread { execution: row.name.clone(), error });
                Ok(Vec::new())
            }
        }
    }

    /// Ends an execution that nobody runs, without its tasks being handed out for that.
    pub(crate) async fn stop_unowned(
        &self,
        row: &ExecutionRow,
        failure: &Failure,
        borrower: &mut Borrower<'_>,
    ) -> Result<Stopped, EngineError> {
        if row.set_aside.is_none() && row.owner.is_some() && !self.is_unowned(row.id).await? {
            // Nobody becomes a worker for that.
            return Ok(Stopped::Elsewhere);
        }
        let worker = borrower.worker().await?;
        loop {
            // It may be on its way to be set aside.
            let Some(row) = self.store.execution_numbered(row.id).await? else { return Ok(Stopped::Ended(Vec::new())) };
            if row.status != Status::Running {
                return Ok(Stopped::Ended(Vec::new()));
            }
            if row.set_aside.is_some() {
                self.store.take_back(row.id).await?;
            }
            // An attempt that could neither read nor end it has it already.
            let is_own = row.owner == Some(worker.id());
            if !is_own && worker.claim(self.claim_of(row.id).await?).await?.is_empty() {
                return Ok(Stopped::Elsewhere);
            }
            match self.end(&worker, &row, failure).await {
                Ok(children) => return Ok(Stopped::Ended(children)),
                Err(error) if error.passes() => return Err(error),
                Err(error) => {
                    if worker.end_unread(row.id, failure.clone(), self.clock.now().millis()).await? {
                        return Ok(Stopped::Unread(error));
                    }
                }
            }
        }
    }

    /// Ends it with a record; returns the children that its map runs have out.
    async fn end(
        &self,
        worker: &Arc<dyn Worker>,
        row: &ExecutionRow,
        failure: &Failure,
    ) -> Result<Vec<Arc<str>>, EngineError> {
        let mut machine = self.rebuild(row, Some(PATIENCE)).await?;
        let children = children(&machine);
        let (now, input) = (time_for(self.clock.now(), &machine), Input::Stop(failure.clone()));
        if let Some(input) = machine.accept(input, now) {
            let step = machine.run(now, Budget::steps(0));
            let stopped = Recording::of(&mut machine, now, vec![input], step);
            worker.append(row.id, stopped.record, machine.outcome(), Vec::new()).await?;
        }
        Ok(children)
    }
}

/// The children that the map runs of an execution have out.
fn children(machine: &Machine) -> Vec<Arc<str>> {
    let work = machine.open_map_work().into_iter();
    work.filter_map(|command| match command {
        MapCommand::Start(call) => Some(call.execution.arn.clone()),
        _ => None,
    })
    .collect()
}
