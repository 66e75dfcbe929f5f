//! Inputs for executions from processes that do not run them: a stop, the answer to a task token.
//!
//! They are on disk when the sender is told so. The worker that owns the execution reads them, and deletes them in the
//! transaction that records them ([`JournalWorker::append_mail`]); those of an execution that ends are deleted with its end. With
//! that goes a verdict, for the sender: the record has the input, or it had no place any more. So of two answers to one task
//! token one is taken, and both senders know which ([`Journal::verdict`]).

use crate::JournalError;
use crate::sqlite::write::group::{Group, Job, Reply};
use crate::sqlite::write::writer::Writer;
use crate::{ExecutionId, Journal, JournalWorker, MailId, WorkerId};
use asl_core::Input;
use rusqlite::{Connection, OptionalExtension};

/// How many inputs may wait for one execution.
const LIMIT: i64 = 1000;
/// For how many of the last inputs it is kept what became of them.
const VERDICTS: i64 = 10_000;

/// What the writer is asked about the inbox.
pub(crate) enum MailJob {
    Post(ExecutionId, Input, i64, Reply<MailId>),
    Discard(WorkerId, Vec<MailId>, Reply<()>),
}

impl MailJob {
    pub(crate) fn fail(self, error: &JournalError) {
        match self {
            MailJob::Post(_, _, _, reply) => drop(reply.send(Err(error.clone()))),
            MailJob::Discard(_, _, reply) => drop(reply.send(Err(error.clone()))),
        }
    }
}

impl Journal {
    /// Leaves an input for whoever runs an execution. Returns when it is committed.
    ///
    /// # Errors
    /// [`JournalError::Ended`] when the execution has ended or does not exist, [`JournalError::InboxFull`], or when the
    /// database cannot be written.
    pub async fn post(&self, execution: ExecutionId, input: Input, now_ms: i64) -> Result<MailId, JournalError> {
        self.ask(|reply| Job::Mail(MailJob::Post(execution, input, now_ms, reply))).await
    }
}

impl JournalWorker {
    /// Deletes inputs that have no place in their execution any more: they are refused.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another has taken over, or when the database cannot be written. What waits for an execution of
    /// another worker stays.
    pub async fn discard(&self, mail: Vec<MailId>) -> Result<(), JournalError> {
        self.ask(|reply| Job::Mail(MailJob::Discard(self.id, mail, reply))).await
    }
}

impl Writer {
    /// Does a job about the inbox; its caller is told with the group.
    pub(crate) fn mail(&mut self, conn: &Connection, group: &mut Group, job: MailJob) -> Result<(), JournalError> {
        match job {
            MailJob::Post(execution, input, now_ms, reply) => {
                let posted = post(conn, execution, input, now_ms).map_err(|e| self.place.failed(e));
                group.tell(reply, posted)
            }
            MailJob::Discard(worker, mail, reply) => {
                let sql = "DELETE FROM inbox WHERE id = ? AND execution IN (SELECT id FROM execution WHERE owner = ?)";
                let delete = |id: MailId| conn.execute(sql, (id.0, worker.0)).map(|_| ());
                let done = match self.fence(conn, Some(worker)) {
                    Ok(Ok(())) => mail.into_iter().try_for_each(delete).map(Ok).map_err(|e| self.place.failed(e)),
                    refused => refused,
                };
                group.tell(reply, done)
            }
        }
    }
}

fn post(
    conn: &Connection,
    execution: ExecutionId,
    input: Input,
    now_ms: i64,
) -> Result<Result<MailId, JournalError>, rusqlite::Error> {
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
    Ok(Ok(MailId(id)))
}
