//! Where histories are written: a start, and the hottest call of all, a further record.

use super::group::{Job, Ticket};
use crate::encoding::ready::Ready;
use crate::{Append, ExecutionId, JournalError, JournalWorker, NewExecution, Record, Verdict};
use asl_core::Outcome;

impl JournalWorker {
    /// Starts the history of an execution: its definition (if it is new), its header and its first record, together.
    ///
    /// # Errors
    /// [`JournalError::AlreadyExists`] when its ARN is taken. After any error nothing is written.
    pub async fn create(&self, new: NewExecution) -> Result<ExecutionId, JournalError> {
        let ready = Ready::first(&new.record)?;
        let new = Box::new((new, Some(ready)));
        self.ask(|reply| Job::Create(new, Some(self.id), reply)).await.map(|(id, _)| id)
    }

    /// Adds a record to the history of an execution, and with an `outcome` ends it. Returns when it is committed. Whoever
    /// does not wait for that (drops the future) does not know whether it is written.
    ///
    /// # Errors
    /// When the record does not continue the history, the execution has ended or does not exist, or the database
    /// cannot be written. Nothing is written then.
    pub async fn append(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
    ) -> Result<(), JournalError> {
        self.append_taking(execution, record, outcome, Vec::new()).await
    }

    /// As [`JournalWorker::append`], and deletes these inputs from the inbox in the same transaction: the record has them, or
    /// they had no place in the execution any more. Their senders are told which.
    ///
    /// # Errors
    /// As for [`JournalWorker::append`].
    pub async fn append_taking(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
        verdicts: Vec<Verdict>,
    ) -> Result<(), JournalError> {
        let append = Append { execution, record, outcome: outcome.cloned() };
        let ticket = Ticket { owner: self.id, verdicts };
        // Where it does not go on from what is known here, the writer has the last word.
        let tail = self.tails.take(execution);
        let ready = tail.and_then(|tail| Ready::new(&append.record, execution, tail).ok());
        let append = Box::new((append, ready));
        self.ask(|reply| Job::Append(append, ticket, reply)).await.map(drop)
    }
}
