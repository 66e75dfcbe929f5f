//! Inputs for executions from processes that do not run them: a stop, the answer to a task token.
//!
//! They are on disk when the sender is told so. The worker that owns the execution reads them, and deletes them in the
//! transaction that records them ([`JournalWorker::append_mail`]); those of an execution that ends are deleted with its end. With
//! that goes a verdict, for the sender: the record has the input, or it had no place any more. So of two answers to one task
//! token one is taken, and both senders know which ([`Journal::verdict`]).

use crate::JournalError;
use crate::group::{Group, Job, Reply, Ticket};
use crate::known::Ready;
use crate::read::Numbers;
use crate::writer::Writer;
use crate::{Append, ExecutionId, Journal, JournalWorker, Mail, MailId, Record, Verdict, WorkerId};
use asl_core::{Input, Outcome, TokenKey};
use asl_value::Value;
use rusqlite::{Connection, OptionalExtension};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

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

    /// The oldest inputs that wait for this execution, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail_of(&self, execution: ExecutionId, limit: u32) -> Result<Vec<Mail>, JournalError> {
        self.mail_for(&Numbers::new(&[execution]), limit).await
    }

    /// The oldest inputs that wait for these executions, at most `limit`.
    pub(crate) async fn mail_for(&self, executions: &Numbers, limit: u32) -> Result<Vec<Mail>, JournalError> {
        let sql = "SELECT id, execution, input, payload FROM inbox \
                   WHERE execution IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?";
        let mut conn = self.reader().await?;
        self.letters(sqlx::query(sql).bind(&executions.0).bind(limit).fetch_all(&mut *conn).await)
    }

    fn letters(&self, rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<Mail>, JournalError> {
        rows.and_then(|rows| rows.iter().map(mail).collect()).map_err(|e| self.place.failed(e))
    }

    /// What became of an input; `None` while it waits in the inbox. Only of the last ten thousand inputs that is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn verdict(&self, mail: MailId) -> Result<Option<bool>, JournalError> {
        let mut conn = self.reader().await?;
        let query = sqlx::query_scalar("SELECT taken FROM verdict WHERE mail = ?").bind(mail.0);
        query.fetch_optional(&mut *conn).await.map_err(|e| self.place.failed(e))
    }

    /// The key of an execution's task tokens, without reading its history. None for one that began before there were keys.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token_key(&self, execution: ExecutionId) -> Result<Option<TokenKey>, JournalError> {
        let mut conn = self.reader().await?;
        let query = sqlx::query_scalar("SELECT token_key FROM execution WHERE id = ?").bind(execution.0);
        let key: Option<Option<Vec<u8>>> = query.fetch_optional(&mut *conn).await.map_err(|e| self.place.failed(e))?;
        Ok(key.flatten().and_then(|key| key.try_into().ok()).map(TokenKey::new))
    }
}

impl JournalWorker {
    /// The oldest inputs that wait for executions of this worker, at most `limit`; all of one execution's when it is named.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail(&self, only: Option<ExecutionId>, limit: u32) -> Result<Vec<Mail>, JournalError> {
        if let Some(execution) = only {
            return self.mail_of(execution, limit).await;
        }
        let sql = "SELECT i.id, i.execution, i.input, i.payload FROM inbox i JOIN execution x ON x.id = i.execution \
                   WHERE x.owner = ? ORDER BY i.id LIMIT ?";
        let mut conn = self.reader().await?;
        self.letters(sqlx::query(sql).bind(self.id.0).bind(limit).fetch_all(&mut *conn).await)
    }

    /// As [`JournalWorker::append`], and deletes these inputs from the inbox in the same transaction: the record has them, or
    /// they had no place in the execution any more. Their senders are told which.
    ///
    /// # Errors
    /// As for [`JournalWorker::append`].
    pub async fn append_mail(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
        mail: Vec<Verdict>,
    ) -> Result<(), JournalError> {
        let append = Append { execution, record, outcome: outcome.cloned() };
        let ticket = Ticket { owner: self.id, mail };
        // Where it does not go on from what is known here, the writer has the last word.
        let tail = self.tails.take(execution);
        let ready = tail.and_then(|tail| Ready::new(&append.record, execution, tail).ok());
        let append = Box::new((append, ready));
        self.ask(|reply| Job::Append(append, ticket, reply)).await.map(drop)
    }

    /// Deletes inputs that have no place in their execution any more: they are refused.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another has taken over, or when the database cannot be written. What waits for an execution of
    /// another worker stays.
    pub async fn discard(&self, mail: Vec<MailId>) -> Result<(), JournalError> {
        self.ask(|reply| Job::Mail(MailJob::Discard(self.id, mail, reply))).await
    }
}

fn mail(row: &SqliteRow) -> Result<Mail, sqlx::Error> {
    let decode = |e: String| sqlx::Error::Decode(e.into());
    let payload: Option<String> = row.try_get(3)?;
    let payload: Option<Value> =
        payload.map(|text| text.parse()).transpose().map_err(|e: asl_value::ParseError| decode(e.to_string()))?;
    let input: Input<u64> = serde_json::from_str(row.try_get(2)?).map_err(|e| decode(e.to_string()))?;
    let input = input.map(&mut |_| payload.clone().unwrap_or_default());
    Ok(Mail { id: MailId(row.try_get(0)?), execution: ExecutionId(row.try_get(1)?), input })
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
