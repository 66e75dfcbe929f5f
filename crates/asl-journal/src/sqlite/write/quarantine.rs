//! Executions that are set aside, taken again, ended unread: the rows of [`crate::quarantine`].

use crate::JournalError;
use crate::quarantine::NOBODY;
use crate::sqlite::write::group::{Group, Job, Reply};
use crate::sqlite::write::writer::Writer;
use crate::{ExecutionId, Journal, JournalWorker, WorkerId};
use asl_core::Failure;
use rusqlite::Connection;

/// What the writer is asked about executions that are set aside.
pub(crate) enum QuarantineJob {
    SetAside(ExecutionId, Option<WorkerId>, String, i64, Reply<bool>),
    TakeBack(ExecutionId, Reply<bool>),
    EndUnread(ExecutionId, Option<WorkerId>, Failure, i64, Reply<bool>),
    OnTrial(WorkerId, Vec<ExecutionId>, Reply<()>),
}

impl QuarantineJob {
    pub(crate) fn fail(self, error: &JournalError) {
        // Whoever does not wait any more wants no answer.
        match self {
            QuarantineJob::SetAside(_, _, _, _, reply)
            | QuarantineJob::TakeBack(_, reply)
            | QuarantineJob::EndUnread(_, _, _, _, reply) => drop(reply.send(Err(error.clone()))),
            QuarantineJob::OnTrial(_, _, reply) => drop(reply.send(Err(error.clone()))),
        }
    }
}

impl Journal {
    /// Lets workers take an execution again that was set aside, as if no owner had died. False when it was not.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn take_back(&self, execution: ExecutionId) -> Result<bool, JournalError> {
        self.ask(|reply| Job::Quarantine(QuarantineJob::TakeBack(execution, reply))).await
    }
}

impl JournalWorker {
    /// Sets an open execution of this worker aside: nobody runs it until [`Journal::take_back`], or until a worker asks at
    /// `again_ms` or later (epoch milliseconds) for what may be tried again ([`crate::Claim::again_ms`]). `why` is shown to
    /// people. False when it is not this worker's, or has ended.
    ///
    /// # Errors
    /// When the database cannot be written, or this worker has lost its lease; as for every call of a worker.
    pub async fn set_aside(&self, execution: ExecutionId, why: String, again_ms: i64) -> Result<bool, JournalError> {
        let owner = Some(self.id);
        self.ask(|reply| Job::Quarantine(QuarantineJob::SetAside(execution, owner, why, again_ms, reply))).await
    }

    /// Ends an open execution of this worker as `ABORTED` in its header alone: for one whose records or whose definition
    /// cannot be read. Its history stays as it is and does not tell of that end ([`crate::ExecutionRow::unread_end`]).
    /// False when it is not this worker's, or has ended.
    ///
    /// # Errors
    /// As for [`JournalWorker::set_aside`].
    pub async fn end_unread(
        &self,
        execution: ExecutionId,
        failure: Failure,
        now_ms: i64,
    ) -> Result<bool, JournalError> {
        let owner = Some(self.id);
        self.ask(|reply| Job::Quarantine(QuarantineJob::EndUnread(execution, owner, failure, now_ms, reply))).await
    }

    /// Writes down which executions this worker has on trial: if it dies, they are to blame.
    ///
    /// # Errors
    /// As for [`JournalWorker::set_aside`].
    pub async fn on_trial(&self, executions: Vec<ExecutionId>) -> Result<(), JournalError> {
        self.ask(|reply| Job::Quarantine(QuarantineJob::OnTrial(self.id, executions, reply))).await
    }
}

impl Writer {
    /// Does a job about executions that are set aside; its caller is told with the group.
    pub(crate) fn quarantine(
        &mut self,
        conn: &Connection,
        group: &mut Group,
        job: QuarantineJob,
    ) -> Result<(), JournalError> {
        // What the group has of them comes first.
        if let Err(error) = self.write(conn, group) {
            job.fail(&error);
            return Err(error);
        }
        match job {
            QuarantineJob::SetAside(execution, owner, why, again_ms, reply) => {
                let done = self.changed(conn, execution, owner, |own| {
                    let sql = "UPDATE execution SET owner = ?1, set_aside = ?2, again_ms = ?3 \
                               WHERE id = ?4 AND status = 'RUNNING' AND owner IS ?5";
                    conn.execute(sql, (NOBODY.0, &why, again_ms, execution.0, own))
                });
                group.tell(reply, done)
            }
            QuarantineJob::TakeBack(execution, reply) => {
                let done = self.changed(conn, execution, None, |_| {
                    conn.execute("UPDATE latest SET deaths = 0 WHERE execution = ?", [execution.0])?;
                    let sql = "UPDATE execution SET owner = NULL, set_aside = NULL, again_ms = NULL WHERE id = ? AND owner = ?";
                    conn.execute(sql, (execution.0, NOBODY.0))
                });
                group.tell(reply, done)
            }
            QuarantineJob::EndUnread(execution, owner, Failure { error, cause }, now_ms, reply) => {
                let done = self.changed(conn, execution, owner, |own| {
                    let sql = "UPDATE execution SET status = 'ABORTED', stopped_ms = ?1, error = ?2, cause = ?3, \
                               set_aside = NULL, again_ms = NULL, unread_end = 1 WHERE id = ?4 AND status = 'RUNNING' AND owner IS ?5";
                    let ended = conn.execute(sql, (now_ms, &error, &cause, execution.0, own))?;
                    if ended == 1 {
                        conn.execute("DELETE FROM inbox WHERE execution = ?", [execution.0])?;
                    }
                    Ok(ended)
                });
                group.tell(reply, done)
            }
            QuarantineJob::OnTrial(worker, executions, reply) => {
                let list = crate::sqlite::read::Numbers::new(&executions).0;
                let mark = || conn.execute("UPDATE worker SET trial = ? WHERE id = ?", (list, worker.0));
                let done = match self.fence(conn, Some(worker)) {
                    Ok(Ok(())) => mark().map(|_| Ok(())).map_err(|e| self.place.failed(e)),
                    refused => refused,
                };
                group.tell(reply, done)
            }
        }
    }

    /// Changes the header of an execution on behalf of `owner`. True when it was changed.
    fn changed(
        &mut self,
        conn: &Connection,
        execution: ExecutionId,
        owner: Option<WorkerId>,
        change: impl FnOnce(Option<i64>) -> Result<usize, rusqlite::Error>,
    ) -> Result<Result<bool, JournalError>, JournalError> {
        if let Err(fenced) = self.fence(conn, owner)? {
            return Ok(Err(fenced));
        }
        let changed = change(owner.map(|worker| worker.0)).map_err(|e| self.place.failed(e))?;
        if changed > 0 {
            self.known.forget(execution);
        }
        Ok(Ok(changed > 0))
    }
}
