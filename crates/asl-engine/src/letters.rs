//! Inputs from outside: a stop, the answer to a task token. They reach the driver that has the execution, or the inbox of
//! whoever runs it. Nobody is told that one was taken before it is on disk.

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::registry::Held;
use crate::{BUDGET, replay};
use asl_core::{Failure, Input, Machine, MapCommand, TaskId};
use asl_journal::{Claim, ExecutionId, ExecutionRow, JournalError, MailId, Record, Status};
use asl_value::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long to wait for an execution that is on its way into memory before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How many inputs of an inbox are looked at.
pub(crate) const MAIL: u32 = 1000;

/// An input for a driver, and who is told when it is on disk.
pub(crate) struct Letter {
    pub(crate) input: Input,
    pub(crate) from: From,
}

pub(crate) enum From {
    /// A caller in this process; true when the input was taken, false when it had no place any more.
    Caller(oneshot::Sender<bool>),
    /// The inbox, where it is deleted when it is recorded.
    Inbox(MailId),
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivered {
    /// It is recorded.
    Taken,
    /// It had no place any more.
    Refused,
    /// It waits in the inbox for whoever runs the execution.
    Posted,
}

impl Engine {
    /// Stops an execution: it ends as `ABORTED`. One that has ended already is left as it is.
    ///
    /// When this returns the stop is on disk. If another process runs the execution, that process takes the stop in;
    /// if none does, this one does.
    ///
    /// # Errors
    /// When there is no such execution, or the journal fails.
    pub async fn stop(&self, arn: &str, failure: Failure) -> Result<(), EngineError> {
        let row = self.row(arn).await?;
        if row.status == Status::Running && !self.stop_unowned(&row, &failure).await? {
            self.deliver(&row, Input::Stop(failure)).await?;
        }
        Ok(())
    }

    /// Ends an execution that nobody runs, without its tasks being handed out for that. False when somebody runs it.
    async fn stop_unowned(&self, row: &ExecutionRow, failure: &Failure) -> Result<bool, EngineError> {
        if self.inner.registry().get(row.id).is_some() {
            return Ok(false);
        }
        let journal = &self.inner.own().await?.journal;
        let claim = Claim { only: Some(row.id), ..self.inner.claim(1).await? };
        if journal.claim(claim).await?.is_empty() {
            return Ok(false);
        }
        let (mut machine, _) = replay::rebuild(journal, row).await.map_err(Arc::new)?;
        let children = children(&machine);
        let (now, input) = (self.inner.clock.now(), machine.admit(Input::Stop(failure.clone())));
        if machine.handle(input.clone(), now).is_ok() {
            let step = machine.run(now, BUDGET);
            let events = machine.take_effects().events;
            let record = Record { now, inputs: vec![input], steps: step.steps, events };
            journal.append(row.id, record, machine.outcome()).await?;
        }
        for child in children {
            match Box::pin(self.stop(&child, Failure::default())).await {
                // It was to start, and has not.
                Ok(()) | Err(EngineError::NoSuchExecution(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Answers a `.waitForTaskToken` task: it succeeded (AWS: SendTaskSuccess). When this returns the answer is on disk.
    ///
    /// # Errors
    /// [`EngineError::InvalidToken`] when the token names no task, [`EngineError::TaskTimedOut`] when its task has ended,
    /// or when the journal fails.
    pub async fn send_task_success(&self, token: &str, output: Value) -> Result<(), EngineError> {
        self.answer(token, |task| Input::TaskSucceeded { task, output }).await
    }

    /// Answers a `.waitForTaskToken` task: it failed (AWS: SendTaskFailure).
    ///
    /// # Errors
    /// As [`Engine::send_task_success`].
    pub async fn send_task_failure(&self, token: &str, failure: Failure) -> Result<(), EngineError> {
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
        let row = self.inner.journal.execution(&arn).await?.ok_or(EngineError::InvalidToken)?;
        let (mut machine, _) = replay::rebuild(&self.inner.journal, &row).await.map_err(Arc::new)?;
        // The token holds a secret part that only the execution's own seed makes.
        let genuine = machine.execution().is_some_and(|e| *asl_core::task_token(e, task) == *token);
        if !genuine {
            return Err(EngineError::InvalidToken);
        }
        let now = self.inner.clock.now();
        // What came before this answer and is not taken in yet: other answers, deadlines.
        for mail in self.inner.journal.mail(Some(row.id), MAIL).await? {
            let _ = machine.handle(mail.input, now);
        }
        machine.run(now, BUDGET);
        let waits = machine.open_tasks().into_iter().chain(machine.submitted_tasks()).any(|call| call.id == task);
        if !waits {
            return Err(EngineError::TaskTimedOut);
        }
        match self.deliver(&row, input(task)).await? {
            Delivered::Taken | Delivered::Posted => Ok(()),
            Delivered::Refused => Err(EngineError::TaskTimedOut),
        }
    }

    /// Brings an input to whoever runs an execution.
    async fn deliver(&self, row: &ExecutionRow, input: Input) -> Result<Delivered, EngineError> {
        loop {
            let (letter, answer) = letter(input.clone());
            match self.inner.whereabouts(row.id)? {
                // Whoever drops the letter drops the answer with it.
                Whereabouts::Running(letters) => drop(letters.send(letter).await),
                Whereabouts::Parked if self.inner.load_with(row.id, vec![letter]).await => {}
                Whereabouts::Parked | Whereabouts::Loading => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                Whereabouts::Elsewhere => return self.leave(row, input).await,
            }
            match answer.await {
                Ok(true) => return Ok(Delivered::Taken),
                Ok(false) => return Ok(Delivered::Refused),
                // The driver went away before it took the letter: it ended, was parked, or failed.
                Err(_) => self.inner.still_works()?,
            }
            let ended =
                self.inner.journal.execution_numbered(row.id).await?.is_none_or(|r| r.status != Status::Running);
            if ended {
                return Ok(Delivered::Refused);
            }
        }
    }

    /// Leaves an input in the inbox.
    async fn leave(&self, row: &ExecutionRow, input: Input) -> Result<Delivered, EngineError> {
        match self.inner.journal.post(row.id, input, self.inner.clock.now().millis()).await {
            Ok(_) => Ok(Delivered::Posted),
            Err(JournalError::Ended { .. }) => Ok(Delivered::Refused),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where an execution is, seen from this engine.
enum Whereabouts {
    Running(mpsc::Sender<Letter>),
    Parked,
    Loading,
    Elsewhere,
}

impl Inner {
    fn whereabouts(&self, id: ExecutionId) -> Result<Whereabouts, EngineError> {
        Ok(match self.registry().get(id) {
            Some(Held::Running(active)) => Whereabouts::Running(active.letters.clone()),
            Some(Held::Parked { .. }) => Whereabouts::Parked,
            Some(Held::Loading) => Whereabouts::Loading,
            Some(Held::Broken(error)) => return Err((**error).clone()),
            None => Whereabouts::Elsewhere,
        })
    }
}

fn letter(input: Input) -> (Letter, oneshot::Receiver<bool>) {
    let (tell, answer) = oneshot::channel();
    (Letter { input, from: From::Caller(tell) }, answer)
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
