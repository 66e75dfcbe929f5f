//! Inputs from outside: a stop, the answer to a task token. They reach the driver that has the execution, or the inbox of
//! whoever runs it. Nobody is told that one was taken before it is on disk.
//!
//! What becomes of an answer its execution alone can say, so the owner decides, and the sender waits for that: of several
//! answers to one token one is taken, and each sender knows whether it was his. Where nobody runs the execution, the sender
//! owns it for as long as that takes, and begins none of its tasks.

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::registry::Held;
use asl_core::{Failure, Input, TaskId};
use asl_journal::{
    Claim, ExecutionId, ExecutionRow, JournalError, JournalWorker, Mail, MailId, Record, Status, Verdict,
};
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
pub(crate) enum Delivered {
    /// It is recorded.
    Taken,
    /// It had no place any more.
    Refused,
    /// It waits in the inbox for whoever runs the execution.
    Posted(MailId),
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
            true => self.inner.journal.execution(&arn).await?,
            false => None,
        };
        let row = row.ok_or(EngineError::InvalidToken)?;
        let genuine = match self.inner.journal.token_key(row.id).await? {
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
            Delivered::Posted(mail) => self.verdict(&row, mail).await?,
        };
        if taken { Ok(()) } else { Err(EngineError::TaskTimedOut) }
    }

    /// The token of a task, from the start of its execution in the records.
    async fn drawn_token(&self, row: &ExecutionRow, task: TaskId) -> Result<Arc<str>, EngineError> {
        let records = self.inner.journal.records(row.id).await?;
        let start = records.iter().flat_map(|record| &record.inputs).find_map(|input| match input {
            Input::Start(execution) => Some(asl_core::task_token(execution, task)),
            _ => None,
        });
        start.ok_or(EngineError::InvalidToken)
    }

    /// Waits until it is decided what becomes of an input in the inbox: whether a record has it.
    async fn verdict(&self, row: &ExecutionRow, mail: MailId) -> Result<bool, EngineError> {
        let asked = Instant::now();
        let mut looked: Option<Instant> = None;
        loop {
            if let Some(taken) = self.inner.journal.verdict(mail).await? {
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

    /// True when no living process runs an execution.
    async fn is_unowned(&self, id: ExecutionId) -> Result<bool, EngineError> {
        let journal = &self.inner.journal;
        let row = journal.execution_numbered(id).await?;
        let Some(owner) = row.filter(|row| row.status == Status::Running).map(|row| row.owner) else {
            return Ok(false);
        };
        let Some(owner) = owner else { return Ok(true) };
        if self.inner.gone(journal).await?.contains(&owner) {
            return Ok(true);
        }
        let in_force = journal.workers().await?.into_iter().any(|worker| worker.id == owner && !worker.gone);
        Ok(!in_force)
    }

    /// Takes in what waits for an execution that nobody runs, and leaves it to nobody again: its tasks are begun by whoever
    /// runs it next. In vain when somebody was quicker.
    async fn decide(&self, row: &ExecutionRow) -> Result<(), EngineError> {
        let journal = &self.inner.own().await?.journal;
        // Whatever else finds that it is this engine's own for a moment leaves it alone.
        if !self.inner.registry().begin_load(row.id) {
            return Ok(());
        }
        let decided = self.claim_and_take_in(journal, row).await;
        self.inner.registry().forget(row.id);
        self.inner.post.notify_one();
        decided
    }

    async fn claim_and_take_in(&self, journal: &JournalWorker, row: &ExecutionRow) -> Result<(), EngineError> {
        let claim = Claim { only: Some(row.id), ..self.inner.claim(1).await? };
        if journal.claim(claim).await?.is_empty() {
            return Ok(());
        }
        let decided = self.take_in(journal, row).await;
        journal.give_back(vec![row.id]).await?;
        decided
    }

    async fn take_in(&self, journal: &JournalWorker, row: &ExecutionRow) -> Result<(), EngineError> {
        let mut machine = self.inner.rebuild(journal, row, None).await?;
        let now = self.inner.clock.now().max(machine.now());
        // What fell due while nobody ran it comes first: an answer that is late is refused.
        let step = machine.run(now, 0);
        let events = machine.take_effects().events;
        if !events.is_empty() {
            let record = Record { now, inputs: Vec::new(), steps: step.steps, events };
            journal.append(row.id, record, machine.outcome()).await?;
        }
        let (mut inputs, mut mail) = (Vec::new(), Vec::new());
        for Mail { id, input, .. } in journal.mail(Some(row.id), MAIL).await? {
            let input = machine.accept(input, now);
            mail.push(Verdict { mail: id, taken: input.is_some() });
            inputs.extend(input);
        }
        if inputs.is_empty() {
            return Ok(journal.discard(mail.into_iter().map(|verdict| verdict.mail).collect()).await?);
        }
        let step = machine.run(now, 0);
        let record = Record { now, inputs, steps: step.steps, events: machine.take_effects().events };
        Ok(journal.append_mail(row.id, record, machine.outcome(), mail).await?)
    }

    /// Brings an input to whoever runs an execution.
    pub(crate) async fn deliver(&self, row: &ExecutionRow, input: Input) -> Result<Delivered, EngineError> {
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
        let posted = self.inner.journal.post(row.id, input, self.inner.clock.now().millis()).await;
        // It may be this engine's own, and on its way into memory.
        self.inner.post.notify_one();
        match posted {
            Ok(mail) => Ok(Delivered::Posted(mail)),
            Err(JournalError::Ended { .. }) => Ok(Delivered::Refused),
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
            Some(Held::Loading | Held::Suspect) => Whereabouts::Loading,
            Some(Held::Broken(error)) => return Err((**error).clone()),
            None => Whereabouts::Elsewhere,
        })
    }
}

fn letter(input: Input) -> (Letter, oneshot::Receiver<bool>) {
    let (tell, answer) = oneshot::channel();
    (Letter { input, from: From::Caller(tell) }, answer)
}
