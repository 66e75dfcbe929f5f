//! Stopping an execution, whoever runs it, and whether or not anybody can read it.

use super::signal::check_lengths;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::execution::protocol::{Recording, time_for};
use crate::notice::Notice;
use crate::replay::Redo;
use crate::residency::Residence;
use crate::{pace, replay};
use asl_core::{Budget, Failure, Input, Machine, MapCommand};
use asl_store::{Claim, ExecutionId, ExecutionRow, Status, Worker};
use asl_syntax::Definition;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the records of an execution may take to be read and replayed for its end to be recorded with them.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Stops an execution: it ends as `ABORTED`. One that has ended already is left as it is.
    ///
    /// When this returns the stop is on disk. If another process runs the execution, that process takes the stop in;
    /// if none does, this one does, also where the execution is set aside. One whose records or whose definition cannot be
    /// read ends all the same: its header says so, and its history stays as it is.
    ///
    /// # Errors
    /// When there is no such execution, error or cause are longer than AWS takes, or the journal fails.
    pub async fn stop(&self, arn: &str, failure: Failure) -> Result<(), EngineError> {
        check_lengths(&failure)?;
        let row = self.row(arn).await?;
        if row.status == Status::Running && !self.stop_unowned(&row, &failure).await? {
            self.deliver(&row, Input::Stop(failure)).await?;
        }
        Ok(())
    }

    /// Ends an execution that nobody runs, without its tasks being handed out for that. False when somebody runs it.
    async fn stop_unowned(&self, row: &ExecutionRow, failure: &Failure) -> Result<bool, EngineError> {
        let inner = &self.inner;
        if inner.is_at_hand(row.id) || (row.set_aside.is_none() && self.is_elsewhere(row.id).await?) {
            // No lease is taken for that.
            return Ok(false);
        }
        let worker = &inner.leased().await?.worker;
        let children = loop {
            if inner.is_at_hand(row.id) {
                return Ok(false);
            }
            // It may be on its way to be set aside, by this engine too.
            let Some(row) = inner.store.execution_numbered(row.id).await? else { return Ok(true) };
            if row.status != Status::Running {
                return Ok(true);
            }
            if row.set_aside.is_some() {
                inner.store.take_back(row.id).await?;
            }
            let claim = Claim { only: Some(row.id), ..inner.claim(1).await? };
            if worker.claim(claim).await?.is_empty() && row.owner != Some(worker.id()) {
                return Ok(false);
            }
            inner.residency().forget(row.id);
            match self.end(worker, &row, failure).await {
                Ok(children) => break children,
                Err(error) if error.passes() => return Err(error),
                Err(error) => {
                    if worker.end_unread(row.id, failure.clone(), inner.clock.now().millis()).await? {
                        inner.notify(&Notice::EndedUnread { execution: row.name.clone(), error });
                        break Vec::new();
                    }
                }
            }
        };
        for child in children {
            match Box::pin(self.stop(&child, Failure::default())).await {
                // It was to start, and has not.
                Ok(()) | Err(EngineError::NoSuchExecution(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Ends it with a record; returns the children that its map runs have out.
    async fn end(
        &self,
        worker: &Arc<dyn Worker>,
        row: &ExecutionRow,
        failure: &Failure,
    ) -> Result<Vec<Arc<str>>, EngineError> {
        let mut machine = self.inner.rebuild(row, Some(PATIENCE)).await?;
        let children = children(&machine);
        let (now, input) = (time_for(self.inner.clock.now(), &machine), Input::Stop(failure.clone()));
        if let Some(input) = machine.accept(input, now) {
            let step = machine.run(now, Budget::steps(0));
            let stopped = Recording::of(&mut machine, now, vec![input], step);
            worker.append(row.id, stopped.record, machine.outcome(), Vec::new()).await?;
        }
        Ok(children)
    }
}

impl Inner {
    /// True when this engine has an execution, and can go on with it.
    fn is_at_hand(&self, id: ExecutionId) -> bool {
        !matches!(self.residency().get(id), None | Some(Residence::Broken(_)))
    }

    /// The machine of an execution, from its records; off the threads that answer.
    pub(crate) async fn rebuild(&self, row: &ExecutionRow, patience: Option<Duration>) -> Result<Machine, EngineError> {
        let definition = replay::definition(&*self.store, row).await.map_err(Arc::new)?;
        self.rebuild_with(definition, row, patience).await
    }

    /// The same with a definition that is there already.
    pub(crate) async fn rebuild_with(
        &self,
        definition: Arc<Definition>,
        row: &ExecutionRow,
        patience: Option<Duration>,
    ) -> Result<Machine, EngineError> {
        let began = Instant::now();
        let mut redo = Redo::new(Machine::new(definition), row.arn.as_str().into());
        let mut records = self.store.read_records(row.id).await?;
        loop {
            let piece = records.next().await?;
            if piece.is_empty() {
                return Ok(redo.done().0);
            }
            let in_time = move || patience.is_none_or(|patience| began.elapsed() < patience);
            let taken = pace::aside(&self.heavy, move || redo.take(&piece, in_time).map(|()| redo));
            redo = match taken.await? {
                Ok(redo) => redo,
                Err(ends) => return Err(Arc::new(ends.told(&*self.store, row).await).into()),
            };
        }
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
