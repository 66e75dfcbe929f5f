//! Signals: a stop, the answer to a task token. They reach the driver that has the execution, or the inbox that its owner reads.
//! No sender is told that one was taken before it is on disk.
//!
//! What becomes of an answer its execution alone can say, so the owner decides, and the sender waits for that: of several
//! answers to one token one is taken, and each sender knows whether it was its own. Where nobody runs the execution, the sender
//! owns it for as long as that takes ([`super::unowned`]).

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::execution::Caller;
use crate::execution::protocol::{Arrived, From};
use crate::residency::Residence;
use asl_core::{Failure, Input, TaskId};
use asl_store::{ExecutionId, ExecutionRow, SignalId, Status, StoreError};
use asl_value::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long to wait for an execution that is on its way into memory before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How often it is looked whether somebody still runs an execution that is to take an answer in.
const LOOK_FOR_OWNER: Duration = Duration::from_secs(1);
/// How long the owner has to take an answer in: one that hangs is succeeded within that.
const PATIENCE: Duration = Duration::from_secs(45);
/// How many inputs of an inbox are looked at.
pub(crate) const SIGNALS: u32 = 1000;

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It is recorded.
    Taken,
    /// It had no place any more.
    Refused,
    /// It waits in the inbox for whoever runs the execution.
    Left(SignalId),
}

impl Engine {
    /// Answers a `.waitForTaskToken` task: it succeeded (AWS: SendTaskSuccess). When this returns the answer is recorded, and
    /// no other answer to this token is. Whoever runs the execution takes it in; if nobody does, this engine does that.
    ///
    /// # Errors
    /// [`EngineError::InvalidToken`] when the token names no task, [`EngineError::TaskTimedOut`] when its task has ended: it
    /// was answered by somebody else, say. [`EngineError::Undecided`] when the process that runs the execution says nothing
    /// for 45 seconds, [`EngineError::SetAside`] when nobody is to run the execution now, [`EngineError::TooLong`] when AWS
    /// would not take the answer: the token is good for another. Or when the journal fails.
    pub async fn send_task_success(&self, token: &str, output: Value) -> Result<(), EngineError> {
        let length = output.measure().bytes;
        if length > asl_core::PAYLOAD_LIMIT {
            return Err(EngineError::TooLong { what: "output", length, unit: "bytes", limit: asl_core::PAYLOAD_LIMIT });
        }
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
        let (arn, task) = asl_core::read_task_token(token).ok_or(EngineError::InvalidToken)?;
        let row = match arn.starts_with("arn:") {
            true => self.inner.store.execution(&arn).await?,
            false => None,
        };
        let row = row.ok_or(EngineError::InvalidToken)?;
        let genuine = match self.inner.store.token_key(row.id).await? {
            Some(key) => key.token(&row.arn, task),
            // It began before there were keys.
            None => self.drawn_token(&row, task).await?,
        };
        if !asl_core::same_token(&genuine, token) {
            return Err(EngineError::InvalidToken);
        }
        if row.status != Status::Running {
            return Err(EngineError::TaskTimedOut);
        }
        if let Some(why) = row.set_aside {
            // To take it in would count as a record, and let the execution end further processes.
            return Err(EngineError::SetAside { execution: row.name, why });
        }
        let taken = match self.deliver(&row, input(task)).await? {
            Delivered::Taken => true,
            Delivered::Refused => false,
            Delivered::Left(signal) => self.verdict(&row, signal).await?,
        };
        if taken { Ok(()) } else { Err(EngineError::TaskTimedOut) }
    }

    /// The token of a task, from the start of its execution in the records.
    async fn drawn_token(&self, row: &ExecutionRow, task: TaskId) -> Result<Arc<str>, EngineError> {
        let records = self.inner.store.records(row.id).await?;
        let start = records.iter().flat_map(|record| &record.inputs).find_map(|input| match input {
            Input::Start(execution) => Some(asl_core::task_token(execution, task)),
            _ => None,
        });
        start.ok_or(EngineError::InvalidToken)
    }

    /// Waits until it is decided what becomes of an input in the inbox: whether a record has it.
    pub(crate) async fn verdict(&self, row: &ExecutionRow, signal: SignalId) -> Result<bool, EngineError> {
        let asked = Instant::now();
        let mut looked: Option<Instant> = None;
        loop {
            if let Some(taken) = self.inner.store.verdict(signal).await? {
                return Ok(taken);
            }
            self.inner.still_works()?;
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK_FOR_OWNER) {
                looked = Some(Instant::now());
                if self.is_unowned(row.id).await? {
                    self.decide(row).await?;
                    continue;
                }
            }
            if asked.elapsed() >= PATIENCE {
                return Err(EngineError::Undecided);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Brings an input to the owner of an execution.
    pub(crate) async fn deliver(&self, row: &ExecutionRow, input: Input) -> Result<Delivered, EngineError> {
        loop {
            let (caller, answer) = oneshot::channel();
            let arrived = Arrived { input: input.clone(), from: From::Caller(caller) };
            let is_on_its_way = match self.inner.whereabouts(row.id)? {
                // What drops the signal drops its caller with it.
                Whereabouts::Running(signals) => {
                    drop(signals.send(arrived).await);
                    true
                }
                Whereabouts::Evicted => self.inner.load_with(row.id, vec![arrived]).await,
                Whereabouts::Loading => false,
                Whereabouts::Elsewhere => return self.leave(row, input).await,
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

    /// Leaves an input in the inbox.
    async fn leave(&self, row: &ExecutionRow, input: Input) -> Result<Delivered, EngineError> {
        let left = self.inner.store.signal(row.id, input, self.inner.clock.now().millis()).await;
        // It may be this engine's own, and on its way into memory.
        self.inner.wake.notify_one();
        match left {
            Ok(signal) => Ok(Delivered::Left(signal)),
            Err(StoreError::Ended { .. }) => Ok(Delivered::Refused),
            Err(error) => Err(error.into()),
        }
    }
}

/// AWS's limits of what SendTaskFailure and StopExecution take (spec: API).
pub(crate) fn check_lengths(failure: &Failure) -> Result<(), EngineError> {
    let parts = [("error", &failure.error, asl_core::ERROR_LIMIT), ("cause", &failure.cause, asl_core::CAUSE_LIMIT)];
    for (what, text, limit) in parts {
        let length = text.as_deref().map_or(0, |text| text.chars().count());
        if length > limit {
            return Err(EngineError::TooLong { what, length, unit: "characters", limit });
        }
    }
    Ok(())
}

/// Where an execution is, seen from this engine.
enum Whereabouts {
    Running(mpsc::Sender<Arrived<Caller>>),
    Evicted,
    Loading,
    Elsewhere,
}

impl Inner {
    fn whereabouts(&self, id: ExecutionId) -> Result<Whereabouts, EngineError> {
        Ok(match self.residency().get(id) {
            Some(Residence::Running(active)) => Whereabouts::Running(active.signals.clone()),
            Some(Residence::Evicted { .. }) => Whereabouts::Evicted,
            Some(Residence::Loading | Residence::Suspect) => Whereabouts::Loading,
            Some(Residence::Broken(error)) => return Err((**error).clone()),
            None => Whereabouts::Elsewhere,
        })
    }
}
