//! Signals to what this engine has in memory. They go to the driver at once; for every other execution the client leaves them in the
//! inbox.

use crate::client::answer::{Delivered, LOOK_AGAIN, check_lengths, check_output};
use crate::client::stop::Stopped;
use crate::client::unowned::Borrower;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::execution::Caller;
use crate::execution::protocol::{Arrived, From};
use crate::notice::Notice;
use crate::phase::Phase;
use crate::residency::Residence;
use asl_core::{Failure, Input, TaskId};
use asl_store::{ExecutionRow, SignalId, Status};
use asl_value::Value;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

impl Engine {
    /// Answers a `.waitForTaskToken` task: it succeeded (AWS: SendTaskSuccess). When this returns the answer is recorded, and
    /// no other answer to this token is. The worker that owns the execution takes it in; if none does, this engine does that.
    ///
    /// # Errors
    /// [`EngineError::InvalidToken`] when the token names no task, [`EngineError::TaskTimedOut`] when its task has ended: it
    /// was answered by somebody else, say. [`EngineError::Undecided`] when the process that runs the execution says nothing
    /// for 45 seconds, [`EngineError::SetAside`] when nobody is to run the execution now, [`EngineError::TooLong`] when AWS
    /// would not take the answer: the token is good for another. Or when the journal fails.
    pub async fn send_task_success(&self, token: &str, output: Value) -> Result<(), EngineError> {
        check_output(&output)?;
        self.answer(token, |task| Input::TaskSucceeded { task, output }).await
    }

    /// Answers a `.waitForTaskToken` task: it failed (AWS: SendTaskFailure).
    ///
    /// # Errors
    /// As [`Engine::send_task_success`].
    pub async fn send_task_failure(&self, token: &str, failure: Failure) -> Result<(), EngineError> {
        check_lengths(&failure)?;
        self.answer(token, |task| Input::TaskFailed { task, failure }).await
    }

    /// Tells a waiting task that its worker is alive (AWS: SendTaskHeartbeat).
    ///
    /// # Errors
    /// As [`Engine::send_task_success`].
    pub async fn send_task_heartbeat(&self, token: &str) -> Result<(), EngineError> {
        self.answer(token, |task| Input::TaskHeartbeat { task }).await
    }

    async fn answer(&self, token: &str, input: impl FnOnce(TaskId) -> Input) -> Result<(), EngineError> {
        let _hold = self.inner.clock.hold();
        let (row, task) = self.client().addressee(token).await?;
        if self.deliver(&row, input(task)).await? { Ok(()) } else { Err(EngineError::TaskTimedOut) }
    }

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
        let mut borrower = self.client().borrower();
        let mut children = self.stop_one(&self.row(arn).await?, failure, &mut borrower).await?;
        while let Some(child) = children.pop() {
            // One that was to start, and has not, is not there.
            if let Some(row) = self.inner.store.execution(&child).await? {
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
        if !self.inner.is_at_hand(row) {
            let row = self.give_back_broken(row).await?;
            match self.client().stop_unowned(&row, &failure, borrower).await? {
                Stopped::Elsewhere => {}
                Stopped::Ended(children) => return Ok(children),
                Stopped::Unread(error) => {
                    self.inner.notify(&Notice::EndedUnread { execution: row.name, error });
                    return Ok(Vec::new());
                }
            }
        }
        // What another process runs has the stop in its inbox; what becomes of it there is not waited for.
        self.hand_or_leave(row, Input::Stop(failure)).await.map(|_| Vec::new())
    }

    /// An execution of this engine that cannot go on here is nobody's from now on.
    async fn give_back_broken(&self, row: &ExecutionRow) -> Result<ExecutionRow, EngineError> {
        let own = self.inner.ownership.lease.get().map(|lease| lease.worker.clone());
        let Some(worker) = own.filter(|worker| row.owner == Some(worker.id())) else { return Ok(row.clone()) };
        worker.give_back(vec![row.id]).await?;
        self.inner.residency().forget(row.id);
        Ok(ExecutionRow { owner: None, ..row.clone() })
    }

    /// Brings an input to an execution, and waits until it is decided whether a record has it.
    pub(crate) async fn deliver(&self, row: &ExecutionRow, input: Input) -> Result<bool, EngineError> {
        match self.hand_or_leave(row, input).await? {
            Delivered::Taken => Ok(true),
            Delivered::Refused => Ok(false),
            Delivered::Left(signal) => self.verdict(row, signal).await,
        }
    }

    /// Waits for a verdict as long as the engine works.
    async fn verdict(&self, row: &ExecutionRow, signal: SignalId) -> Result<bool, EngineError> {
        let mut phase = self.inner.phase.subscribe();
        let decided = tokio::select! {
            biased;
            decided = self.client().verdict(row, signal) => decided?,
            _ = phase.wait_for(|phase| !matches!(phase, Phase::Running)) => {
                return Err(self.inner.still_works().err().unwrap_or(EngineError::ShutDown));
            }
        };
        // Where it was decided here, the execution is nobody's now.
        self.inner.ownership.wake.notify_one();
        Ok(decided)
    }

    /// Brings an input to the driver that has the execution in this engine, or leaves it in the inbox.
    async fn hand_or_leave(&self, row: &ExecutionRow, input: Input) -> Result<Delivered, EngineError> {
        loop {
            let (caller, answer) = oneshot::channel();
            let arrived = Arrived { input: input.clone(), from: From::Caller(caller) };
            let is_on_its_way = match self.inner.whereabouts(row)? {
                // What drops the signal drops its caller with it.
                Whereabouts::Running(signals) => {
                    drop(signals.send(arrived).await);
                    true
                }
                Whereabouts::Evicted => self.inner.load_with(row.id, vec![arrived]).await,
                Whereabouts::Loading => false,
                Whereabouts::Elsewhere => {
                    let left = self.client().leave(row, input).await;
                    // It may be this engine's own, and on its way into memory.
                    self.inner.ownership.wake.notify_one();
                    return left;
                }
            };
            if !is_on_its_way {
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            }
            match answer.await {
                Ok(true) => return Ok(Delivered::Taken),
                Ok(false) => return Ok(Delivered::Refused),
                // The driver went away before it took the signal: it ended, left memory, or failed.
                Err(_) => self.inner.still_works()?,
            }
            let row = self.inner.store.execution_numbered(row.id).await?;
            if row.is_none_or(|row| row.status != Status::Running) {
                return Ok(Delivered::Refused);
            }
        }
    }
}

/// Where an execution is, seen from this engine.
enum Whereabouts {
    Running(mpsc::Sender<Arrived<Caller>>),
    Evicted,
    Loading,
    Elsewhere,
}

impl Inner {
    fn whereabouts(&self, row: &ExecutionRow) -> Result<Whereabouts, EngineError> {
        let residency = self.residency();
        Ok(match residency.get(row.id) {
            Some(Residence::Running(active)) => Whereabouts::Running(active.signals.clone()),
            Some(Residence::Evicted { .. }) => Whereabouts::Evicted,
            Some(Residence::Loading | Residence::Suspect) => Whereabouts::Loading,
            Some(Residence::Broken(error)) => return Err((**error).clone()),
            // It is created here, and its driver follows.
            None if residency.is_starting(&row.arn) => Whereabouts::Loading,
            None => Whereabouts::Elsewhere,
        })
    }

    /// True when this engine has an execution, and can go on with it.
    fn is_at_hand(&self, row: &ExecutionRow) -> bool {
        let residency = self.residency();
        match residency.get(row.id) {
            Some(Residence::Broken(_)) => false,
            Some(_) => true,
            None => residency.is_starting(&row.arn),
        }
    }
}
