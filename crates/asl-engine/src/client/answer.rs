//! Answers to task tokens. No sender is told that one was taken before it is on disk.
//!
//! What becomes of an answer its execution alone can say, so the owner decides, and the sender waits for that: of several
//! answers to one token one is taken, and each sender knows whether it was its own. Where nobody runs the execution, the sender
//! owns it for as long as that takes ([`super::unowned`]).

use crate::client::Client;
use crate::error::EngineError;
use asl_core::{Failure, Input, TaskId};
use asl_store::{ExecutionRow, SignalId, Status, StoreError};
use asl_value::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for a verdict before looking again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How often a client looks whether an execution that is to take an answer in still has an owner.
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
    /// It has come too late.
    Refused,
    /// It waits in the inbox for the worker that owns the execution.
    Left(SignalId),
}

impl Client {
    /// Answers a `.waitForTaskToken` task: it succeeded (AWS: SendTaskSuccess). When this returns the answer is recorded, and
    /// no other answer to this token is. The worker that owns the execution takes it in; if none does, this client does that.
    ///
    /// # Errors
    /// [`EngineError::InvalidToken`] when the token names no task, [`EngineError::TaskTimedOut`] when its task has ended: it
    /// was answered by somebody else, say. [`EngineError::Undecided`] when the process that runs the execution says nothing
    /// for 45 seconds, [`EngineError::SetAside`] when nobody is to run the execution now, [`EngineError::TooLong`] when AWS
    /// would not take the answer: the token is good for another. Or when the store fails.
    pub async fn send_task_success(&self, token: &str, output: Value) -> Result<(), EngineError> {
        check_output(&output)?;
        self.answer(token, |task| Input::TaskSucceeded { task, output }).await
    }

    /// Answers a `.waitForTaskToken` task: it failed (AWS: SendTaskFailure).
    ///
    /// # Errors
    /// As [`Client::send_task_success`].
    pub async fn send_task_failure(&self, token: &str, failure: Failure) -> Result<(), EngineError> {
        check_lengths(&failure)?;
        self.answer(token, |task| Input::TaskFailed { task, failure }).await
    }

    /// Tells a waiting task that its worker is alive (AWS: SendTaskHeartbeat).
    ///
    /// # Errors
    /// As [`Client::send_task_success`].
    pub async fn send_task_heartbeat(&self, token: &str) -> Result<(), EngineError> {
        self.answer(token, |task| Input::TaskHeartbeat { task }).await
    }

    async fn answer(&self, token: &str, input: impl FnOnce(TaskId) -> Input) -> Result<(), EngineError> {
        let _hold = self.clock.hold();
        let (row, task) = self.addressee(token).await?;
        let taken = match self.leave(&row, input(task)).await? {
            Delivered::Taken => true,
            Delivered::Refused => false,
            Delivered::Left(signal) => self.verdict(&row, signal).await?,
        };
        if taken { Ok(()) } else { Err(EngineError::TaskTimedOut) }
    }

    /// Whose task a token is. No history is read for that.
    pub(crate) async fn addressee(&self, token: &str) -> Result<(ExecutionRow, TaskId), EngineError> {
        let (arn, task) = asl_core::read_task_token(token).ok_or(EngineError::InvalidToken)?;
        let row = match arn.starts_with("arn:") {
            true => self.store.execution(&arn).await?,
            false => None,
        };
        let row = row.ok_or(EngineError::InvalidToken)?;
        let genuine = match self.store.token_key(row.id).await? {
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
        Ok((row, task))
    }

    /// The token of a task, from the start of its execution in the records.
    async fn drawn_token(&self, row: &ExecutionRow, task: TaskId) -> Result<Arc<str>, EngineError> {
        let records = self.store.records(row.id).await?;
        let start = records.iter().flat_map(|record| &record.inputs).find_map(|input| match input {
            Input::Start(execution) => Some(asl_core::task_token(execution, task)),
            _ => None,
        });
        start.ok_or(EngineError::InvalidToken)
    }

    /// Leaves an input in the inbox of an execution.
    pub(crate) async fn leave(&self, row: &ExecutionRow, input: Input) -> Result<Delivered, EngineError> {
        match self.store.signal(row.id, input, self.clock.now().millis()).await {
            Ok(signal) => Ok(Delivered::Left(signal)),
            Err(StoreError::Ended { .. }) => Ok(Delivered::Refused),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it is decided what becomes of an input in the inbox: whether a record has it. Where nobody runs the execution, it
    /// is decided here.
    pub(crate) async fn verdict(&self, row: &ExecutionRow, signal: SignalId) -> Result<bool, EngineError> {
        let asked = Instant::now();
        let mut looked: Option<Instant> = None;
        loop {
            if let Some(taken) = self.store.verdict(signal).await? {
                return Ok(taken);
            }
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
}

/// AWS's limit of what SendTaskSuccess takes (spec: API).
pub(crate) fn check_output(output: &Value) -> Result<(), EngineError> {
    let length = output.measure().bytes;
    if length > asl_core::PAYLOAD_LIMIT {
        return Err(EngineError::TooLong { what: "output", length, unit: "bytes", limit: asl_core::PAYLOAD_LIMIT });
    }
    Ok(())
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
