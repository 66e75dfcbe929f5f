//! The one writer: takes what is queued, does it in one transaction, commits, answers.
//!
//! Which jobs a group has, and when it is committed, is in `commit.rs`; this file does the jobs. The writer has a thread of its own,
//! for SQLite's calls block: a lone record costs one switch to the thread and one back.

use super::commit::Before;
use crate::JournalError;
use crate::encoding::codec::Row;
use crate::encoding::payloads::{Numbering, Tails};
use crate::encoding::ready::Ready;
use crate::sqlite::error::Place;
use crate::sqlite::write::group::{Group, Job, Told, Transaction};
use crate::sqlite::write::known::{Known, Last, Remembered};
use crate::sqlite::write::lease::register;
use crate::sqlite::write::service::SqliteTx;
use crate::{Append, ExecutionId, WorkerId};
use futures_util::FutureExt;
use rusqlite::{Connection, OptionalExtension};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{Mutex, mpsc, oneshot};

/// The most bytes of a record. SQLite takes four times as much; but who reads it back needs several times that.
const RECORD_BYTES: usize = 256 * 1024 * 1024;

/// How well commits are shared, and the most bytes of a record.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) record_bytes: AtomicUsize,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts { commits: AtomicU64::new(0), records: AtomicU64::new(0), record_bytes: AtomicUsize::new(RECORD_BYTES) }
    }
}

pub(crate) struct Writer {
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(crate) place: Place,
    /// Held during a transaction, where readers may not read beside it.
    pub(super) gate: Option<Arc<Mutex<()>>>,
    pub(super) counts: Arc<Counts>,
    pub(crate) known: Known,
    pub(super) closing: Option<oneshot::Sender<()>>,
    pub(super) before: Before,
}

impl Writer {
    pub(crate) fn new(
        jobs: mpsc::Receiver<Job>,
        place: Place,
        gate: Option<Arc<Mutex<()>>>,
        counts: Arc<Counts>,
        tails: Tails,
    ) -> Writer {
        let before = Before::none();
        Writer { jobs, place, gate, counts, known: Known::new(tails), closing: None, before }
    }

    pub(crate) fn write(&mut self, conn: &Connection, group: &mut Group) -> Result<(), JournalError> {
        let written = group.write(conn, &mut self.known).and_then(|()| self.known.write_latest(conn));
        written.map_err(|e| self.place.failed(e))
    }

    pub(super) fn take(&mut self, conn: &mut Connection, group: &mut Group, job: Job) -> Result<(), JournalError> {
        match job {
            Job::Close(done) => self.closing = Some(done),
            Job::Create(new, owner, reply) => match self.fence(conn, owner)? {
                Ok(()) => group.create(new, owner, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Job::Begin(worker, first, registered, created) => {
                let id = register(conn, &worker).map_err(|e| self.place.failed(e));
                let owner = id.as_ref().ok().copied();
                group.tell(registered, id.map(Ok))?;
                group.create(first, owner, created);
            }
            Job::Lease(job) => self.lease(conn, group, job)?,
            Job::Inbox(job) => self.inbox(conn, group, job)?,
            Job::Quarantine(job) => self.quarantine(conn, group, job)?,
            Job::Change(change) => change.make(conn, &self.place, group)?,
            Job::Append(mut job, ticket, reply) => {
                let (append, ready) = &mut *job;
                let next = self.next_row(conn, append, ready.take(), ticket.owner);
                match next.and_then(|row| self.small_enough(conn, group, append.execution, row)) {
                    Ok(Ok(row)) => {
                        group.append(append, row, Some(ticket.owner));
                        group.verdicts.extend(ticket.verdicts);
                        group.appended.push((reply, job));
                    }
                    Ok(Err(error)) => drop(reply.send(Err(error))),
                    Err(error) => {
                        group.appended.push((reply, job));
                        return Err(error);
                    }
                }
            }
            Job::Transact(mut transaction, owner) => match self.transact(conn, group, &mut *transaction, owner) {
                Ok(Ok(())) => group.transactions.push(transaction),
                Ok(Err(Some(error))) => transaction.finish(Err(error)),
                Ok(Err(None)) => {}
                Err(error) => {
                    group.transactions.push(transaction);
                    return Err(error);
                }
            },
        }
        Ok(())
    }

    /// Runs a function in a savepoint; the inner result is its own (no error where its caller knows it), the outer one
    /// the group's.
    fn transact(
        &mut self,
        conn: &mut Connection,
        group: &mut Group,
        transaction: &mut dyn Transaction,
        owner: Option<WorkerId>,
    ) -> Result<Result<(), Option<JournalError>>, JournalError> {
        if let Err(fenced) = self.fence(conn, owner)? {
            return Ok(Err(Some(fenced)));
        }
        self.execute(conn, "SAVEPOINT task")?;
        let mut tx = SqliteTx::new(conn, &self.place);
        let ran = std::panic::catch_unwind(AssertUnwindSafe(|| transaction.run(&mut tx).now_or_never()));
        let result = match (ran, tx.failed.take()) {
            (Err(_), _) => Err(Some(JournalError::Panicked)),
            (Ok(None), _) => Err(Some(JournalError::Waited)),
            (Ok(Some(Err(Told))), _) => Err(None),
            (Ok(Some(Ok(_))), Some(error)) => Err(Some(error)),
            (Ok(Some(Ok(append))), None) => Ok(append),
        };
        let result = match result {
            Ok(None) => Ok(None),
            // Only a worker's transaction has a record; see `Journal::transact`.
            Ok(Some(append)) => match owner {
                Some(owner) => self.next_row(conn, &append, None, owner)?.map(|row| Some((append, row))).map_err(Some),
                None => Err(Some(JournalError::NotOwner { execution: append.execution })),
            },
            Err(error) => Err(error),
        };
        let too_large = match &result {
            Ok(Some((append, row))) => self.too_large(append.execution, row),
            _ => None,
        };
        if result.is_err() || too_large.is_some() {
            self.execute(conn, "ROLLBACK TO task")?;
        }
        self.execute(conn, "RELEASE task")?;
        if let (Ok(Some((append, row))), Some(_)) = (&result, &too_large) {
            let refused = self.small_enough(conn, group, append.execution, Ok(row.clone()))?;
            return Ok(refused.map(drop).map_err(Some));
        }
        Ok(result.map(|done| {
            if let Some((append, row)) = done {
                group.append(&append, row, owner);
            }
        }))
    }

    fn too_large(&self, execution: ExecutionId, row: &Row) -> Option<JournalError> {
        let (bytes, limit) = (row.body.len(), self.counts.record_bytes.load(Ordering::Relaxed));
        (bytes > limit).then_some(JournalError::TooLarge { execution, bytes, limit })
    }

    /// The row, or that it is too large. It was to be the next one: where the history ends is looked up again then.
    fn small_enough(
        &mut self,
        conn: &Connection,
        group: &mut Group,
        execution: ExecutionId,
        row: Result<Row, JournalError>,
    ) -> Result<Result<Row, JournalError>, JournalError> {
        let too_large = row.as_ref().ok().and_then(|row| self.too_large(execution, row));
        let Some(error) = too_large else { return Ok(row) };
        self.write(conn, group)?;
        self.known.forget(execution);
        Ok(Err(error))
    }

    /// The next row of an execution. The inner result is the record's own, the outer one the group's.
    fn next_row(
        &mut self,
        conn: &Connection,
        append: &Append,
        ready: Option<Ready>,
        owner: WorkerId,
    ) -> Result<Result<Row, JournalError>, JournalError> {
        if let Err(fenced) = self.fence(conn, Some(owner))? {
            return Ok(Err(fenced));
        }
        let execution = append.execution;
        if !self.known.knows(execution, owner) {
            match look_up(conn, execution).map_err(|e| self.place.failed(e))? {
                Some(found) => self.known.remember(execution, found),
                None => return Ok(Err(JournalError::NoSuchExecution { execution })),
            }
        }
        Ok(self.known.next_row(append, ready, owner))
    }
}

fn look_up(conn: &Connection, execution: ExecutionId) -> Result<Option<Remembered>, rusqlite::Error> {
    let sql = "SELECT x.status <> 'RUNNING', j.position, j.number, json_array_length(j.body, '$.payloads'), \
               j.first_event + j.event_count, x.owner FROM latest l CROSS JOIN journal j ON j.position = l.position \
               JOIN execution x ON x.id = l.execution WHERE l.execution = ?";
    let mut statement = conn.prepare_cached(sql)?;
    let row = statement
        .query_row([execution.0], |row| <(bool, i64, i64, i64, i64, Option<i64>)>::try_from(row))
        .optional()?;
    Ok(row.map(|(ended, position, number, payloads, next_event, owner)| {
        let next = number + 1 + payloads;
        let numbering = Numbering::at(next.unsigned_abs(), next_event.unsigned_abs());
        Remembered::new(numbering, Some(Last { position, number }), ended, owner.map(WorkerId))
    }))
}

/// Where the process dies, for the tests: `ASL_CRASH=before:3` at the third commit, just before it.
#[cfg(test)]
pub(super) mod crash {
    use std::sync::atomic::{AtomicU64, Ordering};

    static COMMITS: AtomicU64 = AtomicU64::new(0);

    pub(in crate::sqlite::write) fn at(place: &str) {
        let Ok(wanted) = std::env::var("ASL_CRASH") else { return };
        let commit = match place {
            "before" => COMMITS.fetch_add(1, Ordering::SeqCst) + 1,
            _ => COMMITS.load(Ordering::SeqCst),
        };
        if wanted == format!("{place}:{commit}") {
            std::process::abort();
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
