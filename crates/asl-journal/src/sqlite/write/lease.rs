//! Who runs which execution: workers with leases, and the fence that keeps a worker from writing when it has lost its own.
//!
//! A worker is a row with a number that is never given twice. An execution belongs to one worker, or to none. A handle
//! made by [`Journal::as_worker`] writes only while its worker's row stands and is not marked as gone, which the writer
//! looks up once in each transaction; whoever takes over marks the row in a transaction of its own. So of two processes
//! that both believe to run an execution, one can write.

use crate::JournalError;
use crate::encoding::ready::Ready;
use crate::quarantine::deaths_after;
use crate::sqlite::error::Place;
use crate::sqlite::read::leases::{claimed, lists};
use crate::sqlite::write::group::{Group, Job, Reply};
use crate::sqlite::write::writer::Writer;
use crate::{Claim, Claimed, ExecutionId, Journal, JournalWorker, NewExecution, NewWorker, WorkerId};
use rusqlite::Connection;
use tokio::sync::oneshot;

/// What the writer is asked about workers.
pub(crate) enum LeaseJob {
    Register(NewWorker, Reply<WorkerId>),
    Renew(WorkerId, i64, Reply<()>),
    Release(WorkerId, Option<Reply<()>>),
    Claim(WorkerId, Claim, Reply<Vec<Claimed>>),
    GiveBack(WorkerId, Vec<ExecutionId>, Reply<()>),
}

impl LeaseJob {
    pub(crate) fn fail(self, error: &JournalError) {
        // Whoever does not wait any more wants no answer.
        match self {
            LeaseJob::Register(_, reply) => drop(reply.send(Err(error.clone()))),
            LeaseJob::Renew(_, _, reply) => drop(reply.send(Err(error.clone()))),
            LeaseJob::Release(_, reply) => drop(reply.map(|reply| reply.send(Err(error.clone())))),
            LeaseJob::Claim(_, _, reply) => drop(reply.send(Err(error.clone()))),
            LeaseJob::GiveBack(_, _, reply) => drop(reply.send(Err(error.clone()))),
        }
    }
}

impl Journal {
    /// Makes a worker.
    ///
    /// # Errors
    /// When the database cannot be written; as for every call that writes.
    pub async fn register(&self, worker: NewWorker) -> Result<WorkerId, JournalError> {
        self.ask(|reply| Job::Lease(LeaseJob::Register(worker, reply))).await
    }

    /// Makes a worker together with its first execution: [`Journal::register`] and [`JournalWorker::create`] in one transaction.
    ///
    /// # Errors
    /// As for every call that writes. The inner result is the execution's own: where its ARN is taken
    /// ([`JournalError::AlreadyExists`]) there is a worker all the same.
    pub async fn register_with(
        &self,
        worker: NewWorker,
        first: NewExecution,
    ) -> Result<(WorkerId, Result<ExecutionId, JournalError>), JournalError> {
        let ready = Ready::first(&first.record)?;
        let (created, answer) = oneshot::channel();
        let first = Box::new((first, Some(ready)));
        let worker = self.ask(|reply| Job::Begin(worker, first, reply, created)).await?;
        let first = answer.await.unwrap_or(Err(JournalError::Closed));
        Ok((worker, first.map(|(id, _)| id)))
    }

    /// A handle that writes as this worker: what it creates is the worker's own, and once the worker is gone it writes
    /// nothing ([`JournalError::Fenced`]).
    pub fn as_worker(&self, worker: WorkerId) -> JournalWorker {
        JournalWorker::new(self, worker)
    }
}

impl JournalWorker {
    /// Renews this worker's lease with a beat: a number that others have not seen in its row before. One that is not greater
    /// than the one before is replaced by the next.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another has taken over.
    pub async fn renew(&self, beat: i64) -> Result<(), JournalError> {
        self.ask(|reply| Job::Lease(LeaseJob::Renew(self.id, beat, reply))).await
    }

    /// Gives up this worker: others take its executions.
    ///
    /// # Errors
    /// As for [`JournalWorker::renew`].
    pub async fn release(&self) -> Result<(), JournalError> {
        self.ask(|reply| Job::Lease(LeaseJob::Release(self.id, Some(reply)))).await?;
        if let Some(lock) = &self.lock {
            lock.is_given_back();
        }
        Ok(())
    }

    /// As [`JournalWorker::release`], without waiting; if the queue is full the lease runs out instead.
    pub fn release_soon(&self) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.try_send(Job::Lease(LeaseJob::Release(self.id, None)));
        }
    }

    /// Takes executions for this worker that nobody runs, oldest first.
    ///
    /// # Errors
    /// As for [`JournalWorker::renew`].
    pub async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, JournalError> {
        self.ask(|reply| Job::Lease(LeaseJob::Claim(self.id, claim, reply))).await
    }

    /// Gives executions of this worker back: nobody runs them, whoever comes first takes them.
    ///
    /// # Errors
    /// As for [`JournalWorker::renew`].
    pub async fn give_back(&self, executions: Vec<ExecutionId>) -> Result<(), JournalError> {
        self.ask(|reply| Job::Lease(LeaseJob::GiveBack(self.id, executions, reply))).await
    }
}

impl Writer {
    /// Whether a worker may still write: looked up once in each transaction. The inner result is the job's, the outer
    /// one the group's.
    pub(crate) fn fence(
        &mut self,
        conn: &Connection,
        owner: Option<WorkerId>,
    ) -> Result<Result<(), JournalError>, JournalError> {
        let Some(worker) = owner else { return Ok(Ok(())) };
        if self.known.in_force(worker) {
            return Ok(Ok(()));
        }
        let look = || conn.prepare_cached("SELECT 1 FROM worker WHERE id = ? AND NOT gone")?.exists([worker.0]);
        if !look().map_err(|e| self.place.failed(e))? {
            return Ok(Err(JournalError::Fenced { worker }));
        }
        self.known.found_in_force(worker);
        Ok(Ok(()))
    }

    /// Does a job about workers; its caller is told with the group.
    pub(crate) fn lease(&mut self, conn: &Connection, group: &mut Group, job: LeaseJob) -> Result<(), JournalError> {
        match job {
            LeaseJob::Register(worker, reply) => {
                let id = register(conn, &worker).map_err(|e| self.place.failed(e));
                group.tell(reply, id.map(Ok))
            }
            LeaseJob::Renew(worker, beat, reply) => {
                // A program of before version 5 that is still at work reads a time in it, so it is one where it can be.
                let sql = "UPDATE worker SET lease_until_ms = max(?, lease_until_ms + 1) WHERE id = ?";
                let renew = |place: &Place| conn.execute(sql, (beat, worker.0)).map_err(|e| place.failed(e));
                let done = match self.fence(conn, Some(worker)) {
                    Ok(Ok(())) => renew(&self.place).map(|_| Ok(())),
                    refused => refused,
                };
                group.tell(reply, done)
            }
            LeaseJob::Release(worker, reply) => {
                self.known.forget_force();
                let marked = conn.execute("UPDATE worker SET gone = ? WHERE id = ?", (GAVE_UP, worker.0));
                let done = marked.and_then(|_| sweep(conn)).map_err(|e| self.place.failed(e));
                match reply {
                    Some(reply) => group.tell(reply, done.map(Ok)),
                    None => done,
                }
            }
            LeaseJob::Claim(worker, claim, reply) => {
                let done = match self.fence(conn, Some(worker)) {
                    Ok(Ok(())) => {
                        self.known.forget_force();
                        take_over(conn, worker, &claim).map(Ok).map_err(|e| self.place.failed(e))
                    }
                    refused => refused.map(|own| own.map(|()| Vec::new())),
                };
                if let Ok(Ok(claimed)) = &done {
                    self.known.own(worker, claimed);
                }
                group.tell(reply, done)
            }
            LeaseJob::GiveBack(worker, executions, reply) => {
                let done = match self.fence(conn, Some(worker)) {
                    Ok(Ok(())) => {
                        self.known.disown(&executions);
                        give_back(conn, worker, &executions).map(Ok).map_err(|e| self.place.failed(e))
                    }
                    refused => refused,
                };
                group.tell(reply, done)
            }
        }
    }
}

/// Why a worker is gone: it died, or was silent for too long.
const DIED: i64 = 1;
/// It ended in order, and gave its executions up.
const GAVE_UP: i64 = 2;

pub(crate) fn register(conn: &Connection, worker: &NewWorker) -> Result<WorkerId, rusqlite::Error> {
    mark_gone(conn, WorkerId(0), &worker.gone)?;
    sweep(conn)?;
    let sql = "INSERT INTO worker (what, process, lock, lease_until_ms, lease_ms) VALUES (?, ?, ?, ?, ?)";
    let lease_ms = i64::try_from(worker.lease_ms).unwrap_or(i64::MAX);
    conn.execute(sql, (&worker.what, worker.process, &worker.lock, worker.beat, lease_ms))?;
    Ok(WorkerId(conn.last_insert_rowid()))
}

/// Removes workers that are gone and have nothing left to take.
fn sweep(conn: &Connection) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM worker WHERE gone AND NOT EXISTS (SELECT 1 FROM execution INDEXED BY execution_open \
               WHERE status = 'RUNNING' AND owner = worker.id)";
    conn.execute(sql, ()).map(|_| ())
}

/// Marks workers that are known to be gone; all but `own`.
fn mark_gone(conn: &Connection, own: WorkerId, gone: &[WorkerId]) -> Result<(), rusqlite::Error> {
    let mut mark = conn.prepare_cached("UPDATE worker SET gone = ? WHERE id = ? AND NOT gone")?;
    gone.iter().filter(|worker| **worker != own).try_for_each(|worker| mark.execute([DIED, worker.0]).map(|_| ()))
}

fn take_over(conn: &Connection, worker: WorkerId, claim: &Claim) -> Result<Vec<Claimed>, rusqlite::Error> {
    mark_gone(conn, worker, &claim.gone)?;
    let (definitions, executions) = lists(&claim.except);
    let mut taken = Vec::new();
    let only = claim.only.map_or(-1, |only| only.0);
    let values = |limit: usize| (i64::try_from(limit).unwrap_or(i64::MAX), only, &definitions, &executions);
    let wanted = "x.status = 'RUNNING' AND (?2 = -1 OR x.id = ?2) AND x.definition NOT IN (SELECT value FROM json_each(?3)) \
                  AND x.id NOT IN (SELECT value FROM json_each(?4))";
    let sql = format!(
        "SELECT x.id, x.arn, x.definition, l.deaths FROM execution x INDEXED BY execution_open \
         LEFT JOIN latest l ON l.execution = x.id WHERE {wanted} AND x.owner IS NULL ORDER BY x.id LIMIT ?1"
    );
    let mut free = conn.prepare_cached(&sql)?;
    let rows = free.query_map(values(claim.limit as usize), |row| row.try_into())?;
    for row in rows {
        taken.push(claimed(row?));
    }
    let sql = format!(
        "SELECT x.id, x.arn, x.definition, l.deaths, w.gone = {DIED}, \
         (x.id IN (SELECT value FROM json_each(w.trial))) * json_array_length(w.trial) \
         FROM execution x INDEXED BY execution_open JOIN worker w ON w.id = x.owner \
         LEFT JOIN latest l ON l.execution = x.id \
         WHERE {wanted} AND x.owner IN (SELECT id FROM worker WHERE gone) ORDER BY x.id LIMIT ?1"
    );
    let mut left = conn.prepare_cached(&sql)?;
    let rows = left.query_map(values((claim.limit as usize).saturating_sub(taken.len())), |row| {
        type Left = (i64, String, String, Option<u32>, bool, Option<u32>);
        let (id, arn, definition, deaths, died, accused) = Left::try_from(row)?;
        let accused = usize::try_from(accused.unwrap_or(0)).unwrap_or(usize::MAX);
        Ok((claimed((id, arn, definition, deaths)), died, accused))
    })?;
    let mut blame = conn.prepare_cached("UPDATE latest SET deaths = ? WHERE execution = ?")?;
    for row in rows {
        let (mut suspect, died, accused) = row?;
        let deaths = if died { deaths_after(suspect.deaths, accused) } else { suspect.deaths };
        if deaths != suspect.deaths {
            blame.execute((deaths, suspect.id.0))?;
            suspect.deaths = deaths;
        }
        taken.push(suspect);
    }
    if let Some(again_ms) = claim.again_ms {
        let sql = format!(
            "SELECT x.id, x.arn, x.definition, l.deaths FROM execution x INDEXED BY execution_open \
             LEFT JOIN latest l ON l.execution = x.id \
             WHERE {wanted} AND x.owner = -1 AND x.again_ms <= ?5 ORDER BY x.again_ms LIMIT ?1"
        );
        let left = i64::try_from((claim.limit as usize).saturating_sub(taken.len())).unwrap_or(i64::MAX);
        let mut aside = conn.prepare_cached(&sql)?;
        let rows = aside.query_map((left, only, &definitions, &executions, again_ms), |row| row.try_into())?;
        for row in rows {
            taken.push(Claimed { again: true, ..claimed(row?) });
        }
    }
    let sql = "UPDATE execution SET owner = ?, set_aside = NULL, again_ms = NULL WHERE id = ?";
    let mut own = conn.prepare_cached(sql)?;
    for claimed in &taken {
        own.execute((worker.0, claimed.id.0))?;
    }
    sweep(conn)?;
    taken.sort_unstable_by_key(|claimed| claimed.id);
    Ok(taken)
}

fn give_back(conn: &Connection, worker: WorkerId, executions: &[ExecutionId]) -> Result<(), rusqlite::Error> {
    let mut give = conn.prepare_cached("UPDATE execution SET owner = NULL WHERE id = ? AND owner = ?")?;
    executions.iter().try_for_each(|execution| give.execute((execution.0, worker.0)).map(|_| ()))
}
