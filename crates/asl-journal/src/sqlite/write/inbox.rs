//! Inputs for executions from processes that do not run them: a stop, the answer to a task token.
//!
//! They are on disk when the sender is told so. The worker that owns the execution reads them, and deletes them in the
//! transaction that records them ([`JournalWorker::append_taking`]); those of an execution that ends are deleted with its end. With
//! that goes a verdict, for the sender: the record has the input, or it came too late. So of two answers to one task
//! token one is taken, and both senders know which ([`Journal::verdict`]).

use crate::JournalError;
use crate::sqlite::write::group::{Group, Job, Reply};
use crate::sqlite::write::writer::Writer;
use crate::{ExecutionId, Journal, JournalWorker, SignalId, WorkerId};
use asl_core::Input;
use rusqlite::{Connection, OptionalExtension};

/// How many inputs may wait for one execution.
const LIMIT: i64 = 1000;
/// For how many of the last inputs it is kept what became of them.
const VERDICTS: i64 = 10_000;

/// What the writer is asked about the inbox.
pub(crate) enum InboxJob {
    Leave(ExecutionId, Input, i64, Reply<SignalId>),
    Discard(WorkerId, Vec<SignalId>, Reply<()>),
}

impl InboxJob {
    pub(crate) fn fail(self, error: &JournalError) {
        match self {
            InboxJob::Leave(_, _, _, reply) => drop(reply.send(Err(error.clone()))),
            InboxJob::Discard(_, _, reply) => drop(reply.send(Err(error.clone()))),
        }
    }
}

impl Journal {
    /// Leaves an input for whoever runs an execution. Returns when it is committed.
    ///
    /// # Errors
    /// [`JournalError::Ended`] when the execution has ended or does not exist, [`JournalError::InboxFull`], or when the
    /// database cannot be written.
    pub async fn leave(&self, execution: ExecutionId, input: Input, now_ms: i64) -> Result<SignalId, JournalError> {
        self.ask(|reply| Job::Inbox(InboxJob::Leave(execution, input, now_ms, reply))).await
    }
}

impl JournalWorker {
    /// Deletes inputs that came too late: they are refused.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another has taken over, or when the database cannot be written. What waits for an execution of
    /// another worker stays.
    pub async fn discard(&self, signals: Vec<SignalId>) -> Result<(), JournalError> {
        self.ask(|reply| Job::Inbox(InboxJob::Discard(self.id, signals, reply))).await
    }
}

impl Writer {
    /// Does a job about the inbox; its caller is told with the group.
    pub(crate) fn inbox(&mut self, conn: &Connection, group: &mut Group, job: InboxJob) -> Result<(), JournalError> {
        match job {
            InboxJob::Leave(execution, input, now_ms, reply) => {
                let left = leave(conn, execution, input, now_ms).map_err(|e| self.place.failed(e));
                group.tell(reply, left)
            }
            InboxJob::Discard(worker, signals, reply) => {
                let sql = "DELETE FROM inbox WHERE id = ? AND execution IN (SELECT id FROM execution WHERE owner = ?)";
                let delete = |id: SignalId| conn.execute(sql, (id.0, worker.0)).map(|_| ());
                let done = match self.fence(conn, Some(worker)) {
                    Ok(Ok(())) => signals.into_iter().try_for_each(delete).map(Ok).map_err(|e| self.place.failed(e)),
                    refused => refused,
                };
                group.tell(reply, done)
            }
        }
    }
}

fn leave(
    conn: &Connection,
    execution: ExecutionId,
    input: Input,
    now_ms: i64,
) -> Result<Result<SignalId, JournalError>, rusqlite::Error> {
    let sql =
        "SELECT status = 'RUNNING', (SELECT count(*) FROM inbox WHERE execution = x.id) FROM execution x WHERE id = ?";
    let found = conn.query_row(sql, [execution.0], |row| <(bool, i64)>::try_from(row)).optional()?;
    match found {
        Some((true, waiting)) if waiting >= LIMIT => return Ok(Err(JournalError::InboxFull { execution })),
        Some((true, _)) => {}
        _ => return Ok(Err(JournalError::Ended { execution })),
    }
    let mut payload = None;
    let input = input.map(&mut |value| {
        payload = Some(value.to_string());
        0
    });
    let text = serde_json::to_string(&input).expect("inputs have string keys and no other way to fail");
    let sql = "INSERT INTO inbox (execution, input, payload, sent_ms) VALUES (?, ?, ?, ?)";
    conn.execute(sql, (execution.0, text, payload, now_ms))?;
    let id = conn.last_insert_rowid();
    conn.execute("DELETE FROM verdict WHERE mail <= ?", [id - VERDICTS])?;
    Ok(Ok(SignalId(id)))
}
