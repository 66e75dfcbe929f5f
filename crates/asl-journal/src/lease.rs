//! Who runs which execution: workers with leases, and the fence that keeps a worker from writing when it has lost its own.
//!
//! A worker is a row with a number that is never given twice. An execution belongs to one worker, or to none. A handle
//! made by [`Journal::as_worker`] writes only while its worker's row stands and is not marked as gone, which the writer
//! looks up once in each transaction; whoever takes over marks the row in a transaction of its own. So of two processes
//! that both believe to run an execution, one can write.

use crate::error::{JournalError, Place};
use crate::group::{Group, Job, Reply};
use crate::known::Ready;
use crate::writer::Writer;
use crate::{ExecutionId, Journal, NewExecution, WorkerId};
use rusqlite::{Connection, params_from_iter};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A worker that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorker {
    /// The command, for people: `asl worker`.
    pub what: String,
    /// Its process.
    pub process: u32,
    /// The name of the file beside the database that it holds locked while it lives.
    pub lock: Option<String>,
    /// Until when its executions are its own; epoch milliseconds.
    pub lease_until_ms: i64,
    /// The time; epoch milliseconds. Workers whose leases have run out are gone.
    pub now_ms: i64,
    /// Workers that are known to be gone.
    pub gone: Vec<WorkerId>,
}

/// A worker, as its row shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerRow {
    /// Its number.
    pub id: WorkerId,
    /// The command.
    pub what: String,
    /// Its process.
    pub process: u32,
    /// The file that it holds locked.
    pub lock: Option<String>,
    /// Until when its executions are its own; epoch milliseconds.
    pub lease_until_ms: i64,
    /// True when its executions can be taken by others, whatever the time.
    pub gone: bool,
}

/// Which executions a worker asks for.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The time; epoch milliseconds. Workers whose leases have run out are gone.
    pub now_ms: i64,
    /// Workers that are known to be gone.
    pub gone: Vec<WorkerId>,
    /// Only this execution.
    pub only: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

/// An execution that is a worker's now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its number.
    pub id: ExecutionId,
    /// Its ARN.
    pub arn: Arc<str>,
}

impl Claimed {
    fn new((id, arn): (i64, String)) -> Claimed {
        Claimed { id: ExecutionId(id), arn: arn.into() }
    }
}

/// What the writer is asked about workers.
pub(crate) enum LeaseJob {
    Register(NewWorker, Reply<WorkerId>),
    Renew(WorkerId, i64, Reply<()>),
    Release(WorkerId, Option<Reply<()>>),
    Claim(WorkerId, Claim, Reply<Vec<Claimed>>),
}

impl LeaseJob {
    pub(crate) fn fail(self, error: &JournalError) {
        // Whoever does not wait any more wants no answer.
        match self {
            LeaseJob::Register(_, reply) => drop(reply.send(Err(error.clone()))),
            LeaseJob::Renew(_, _, reply) => drop(reply.send(Err(error.clone()))),
            LeaseJob::Release(_, reply) => drop(reply.map(|reply| reply.send(Err(error.clone())))),
            LeaseJob::Claim(_, _, reply) => drop(reply.send(Err(error.clone()))),
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

    /// Makes a worker together with its first execution: [`Journal::register`] and [`Journal::create`] in one transaction.
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
    pub fn as_worker(&self, worker: WorkerId) -> Journal {
        Journal { owner: Some(worker), ..self.clone() }
    }

    /// Moves the end of this worker's lease.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] when another has taken over, or the handle is no worker's.
    pub async fn renew(&self, lease_until_ms: i64) -> Result<(), JournalError> {
        let worker = self.worker()?;
        self.ask(|reply| Job::Lease(LeaseJob::Renew(worker, lease_until_ms, reply))).await
    }

    /// Gives up this worker: others take its executions.
    ///
    /// # Errors
    /// As for [`Journal::renew`].
    pub async fn release(&self) -> Result<(), JournalError> {
        let worker = self.worker()?;
        self.ask(|reply| Job::Lease(LeaseJob::Release(worker, Some(reply)))).await
    }

    /// As [`Journal::release`], without waiting; if the queue is full the lease runs out instead.
    pub fn release_soon(&self) {
        if let (Some(worker), Some(jobs)) = (self.owner, &self.jobs) {
            let _ = jobs.try_send(Job::Lease(LeaseJob::Release(worker, None)));
        }
    }

    /// Takes executions for this worker that nobody runs, oldest first.
    ///
    /// # Errors
    /// As for [`Journal::renew`].
    pub async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, JournalError> {
        let worker = self.worker()?;
        self.ask(|reply| Job::Lease(LeaseJob::Claim(worker, claim, reply))).await
    }

    /// How many open executions each worker has; those of nobody are not among them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workloads(&self) -> Result<BTreeMap<WorkerId, u64>, JournalError> {
        let sql = "SELECT owner, count(*) FROM execution INDEXED BY execution_open \
                   WHERE status = 'RUNNING' AND owner IS NOT NULL GROUP BY owner";
        let mut conn = self.reader().await?;
        let rows: Result<Vec<(i64, i64)>, _> = sqlx::query_as(sql).fetch_all(&mut *conn).await;
        let rows = rows.map_err(|e| self.place.failed(e))?.into_iter();
        Ok(rows.map(|(owner, count)| (WorkerId(owner), count.unsigned_abs())).collect())
    }

    /// The open executions that are this worker's already.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn claimed(&self) -> Result<Vec<Claimed>, JournalError> {
        let sql = "SELECT id, arn FROM execution INDEXED BY execution_open WHERE status = 'RUNNING' AND owner = ? ORDER BY id";
        let own = self.owner.map_or(0, |worker| worker.0);
        let mut conn = self.reader().await?;
        let rows: Result<Vec<(i64, String)>, _> = sqlx::query_as(sql).bind(own).fetch_all(&mut *conn).await;
        Ok(rows.map_err(|e| self.place.failed(e))?.into_iter().map(Claimed::new).collect())
    }

    fn worker(&self) -> Result<WorkerId, JournalError> {
        self.owner.ok_or(JournalError::Fenced { worker: WorkerId(0) })
    }

    /// True when a [`Journal::claim`] at this time would find something. Cheap: no execution is looked at but the first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn claimable(&self, now_ms: i64) -> Result<bool, JournalError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM execution INDEXED BY execution_open \
                                  WHERE status = 'RUNNING' AND owner IS NULL) \
                   OR EXISTS (SELECT 1 FROM worker w WHERE (w.gone OR w.lease_until_ms < ?) AND w.id <> ? AND EXISTS (\
                              SELECT 1 FROM execution INDEXED BY execution_open \
                              WHERE status = 'RUNNING' AND owner = w.id))";
        let own = self.owner.map_or(0, |worker| worker.0);
        let mut conn = self.reader().await?;
        let query = sqlx::query_scalar(sql).bind(now_ms).bind(own);
        query.fetch_one(&mut *conn).await.map_err(|e| self.place.failed(e))
    }

    /// The workers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workers(&self) -> Result<Vec<WorkerRow>, JournalError> {
        let sql = "SELECT w.id, w.what, w.process, w.lock, w.lease_until_ms, w.gone FROM worker w ORDER BY w.id";
        let mut conn = self.reader().await?;
        type Row = (i64, String, u32, Option<String>, i64, bool);
        let rows: Result<Vec<Row>, _> = sqlx::query_as(sql).fetch_all(&mut *conn).await;
        let rows = rows.map_err(|e| self.place.failed(e))?;
        let worker = |(id, what, process, lock, lease_until_ms, gone): Row| WorkerRow {
            id: WorkerId(id),
            what,
            process,
            lock,
            lease_until_ms,
            gone,
        };
        Ok(rows.into_iter().map(worker).collect())
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
            LeaseJob::Renew(worker, until_ms, reply) => {
                let sql = "UPDATE worker SET lease_until_ms = ? WHERE id = ?";
                let renew = |place: &Place| conn.execute(sql, (until_ms, worker.0)).map_err(|e| place.failed(e));
                let done = match self.fence(conn, Some(worker)) {
                    Ok(Ok(())) => renew(&self.place).map(|_| Ok(())),
                    refused => refused,
                };
                group.tell(reply, done)
            }
            LeaseJob::Release(worker, reply) => {
                self.known.forget_force();
                let marked = conn.execute("UPDATE worker SET gone = 1 WHERE id = ?", [worker.0]);
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
        }
    }
}

pub(crate) fn register(conn: &Connection, worker: &NewWorker) -> Result<WorkerId, rusqlite::Error> {
    mark_gone(conn, WorkerId(0), worker.now_ms, &worker.gone)?;
    sweep(conn)?;
    let sql = "INSERT INTO worker (what, process, lock, lease_until_ms) VALUES (?, ?, ?, ?)";
    conn.execute(sql, (&worker.what, worker.process, &worker.lock, worker.lease_until_ms))?;
    Ok(WorkerId(conn.last_insert_rowid()))
}

/// Removes workers that are gone and have nothing left to take.
fn sweep(conn: &Connection) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM worker WHERE gone AND NOT EXISTS (SELECT 1 FROM execution INDEXED BY execution_open \
               WHERE status = 'RUNNING' AND owner = worker.id)";
    conn.execute(sql, ()).map(|_| ())
}

/// Marks workers that are silent for too long, or known to be gone; all but `own`.
fn mark_gone(conn: &Connection, own: WorkerId, now_ms: i64, gone: &[WorkerId]) -> Result<(), rusqlite::Error> {
    let known = vec!["?"; gone.len()].join(", ");
    let sql =
        format!("UPDATE worker SET gone = 1 WHERE NOT gone AND id <> ? AND (lease_until_ms < ? OR id IN ({known}))");
    let values = [own.0, now_ms].into_iter().chain(gone.iter().map(|worker| worker.0));
    conn.execute(&sql, params_from_iter(values)).map(|_| ())
}

fn take_over(conn: &Connection, worker: WorkerId, claim: &Claim) -> Result<Vec<Claimed>, rusqlite::Error> {
    mark_gone(conn, worker, claim.now_ms, &claim.gone)?;
    let mut taken = Vec::new();
    for whose in ["owner IS NULL", "owner IN (SELECT id FROM worker WHERE gone)"] {
        let left = i64::from(claim.limit) - taken.len() as i64;
        let only = claim.only.map_or("", |_| "AND id = ?3");
        let mut take = conn.prepare_cached(&format!(
            "UPDATE execution SET owner = ?1 WHERE id IN (SELECT id FROM execution INDEXED BY execution_open \
             WHERE status = 'RUNNING' AND {whose} {only} ORDER BY id LIMIT ?2) RETURNING id, arn"
        ))?;
        let values = [worker.0, left.max(0)].into_iter().chain(claim.only.map(|only| only.0));
        let rows = take.query_map(params_from_iter(values), |row| <(i64, String)>::try_from(row))?;
        for row in rows {
            taken.push(Claimed::new(row?));
        }
    }
    sweep(conn)?;
    taken.sort_unstable_by_key(|claimed| claimed.id);
    Ok(taken)
}
