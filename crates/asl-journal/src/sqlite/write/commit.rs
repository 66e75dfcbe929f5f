//! Group commit: what goes into one transaction, and when that is committed. All of its tuning is here.
//!
//! There is no timer: an idle journal commits a lone record at once, and while a commit waits for the disk the next group
//! gathers in the queue. Right after a commit those whom it answered have a moment to come back, or else many callers become
//! a large and a small group that take turns. Nobody is answered before the commit of the group.

use super::group::{Group, Job};
use super::writer::Writer;
#[cfg(test)]
use super::writer::crash;
use crate::JournalError;
use rusqlite::Connection;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How many jobs may wait; beyond that callers wait to queue theirs.
pub(crate) const QUEUE: usize = 1024;
/// The most jobs in one transaction.
const GROUP_JOBS: usize = 1024;
/// A group that has so many bytes to write takes no further job.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// How long those who were just answered may take to come back before a smaller group is committed without them: about as
/// long as it takes to wake a thread. At most half of what the last commit took, for that is what a larger group saves.
pub(super) const PATIENCE: Duration = Duration::from_micros(60);

/// The group before.
#[derive(Clone, Copy)]
pub(super) struct Before {
    /// How many were answered, and when.
    pub(super) callers: usize,
    pub(super) answered: Instant,
    /// How long after that they may come back, before a group with fewer callers is committed.
    pub(super) patience: Duration,
}

impl Before {
    pub(super) fn none() -> Before {
        Before { callers: 0, answered: Instant::now(), patience: Duration::ZERO }
    }
}

impl Writer {
    /// Works until the journal is closed, or all its handles are gone.
    pub(crate) fn run(mut self, mut conn: Connection) {
        while let Some(job) = self.jobs.blocking_recv() {
            match job {
                Job::Close(done) => self.closing = Some(done),
                job => {
                    let gate = self.gate.clone();
                    let _held = gate.as_ref().map(|gate| gate.blocking_lock());
                    self.group(&mut conn, job);
                }
            }
            if self.closing.is_some() {
                // No further jobs are taken; those that wait are still done.
                self.jobs.close();
            }
        }
        if let Err((_, error)) = conn.close() {
            tracing::warn!(%error, "closing the database failed");
        }
        if let Some(done) = self.closing {
            let _ = done.send(());
        }
    }

    /// One transaction: the job at hand, and all that wait behind it.
    pub(super) fn group(&mut self, conn: &mut Connection, first: Job) {
        if let Err(error) = self.begin(conn) {
            // Whoever is in the queue by now has waited for the same lock; who comes when the first is told has not.
            let mut failed = vec![first];
            failed.extend(std::iter::from_fn(|| self.jobs.try_recv().ok()));
            for job in failed {
                self.closing = job.fail(&error).or(self.closing.take());
            }
            return self.give_up(conn, &error);
        }
        let mut group = Group::default();
        let result = match self.fill(conn, &mut group, first) {
            Ok(()) => self.commit(conn, &group),
            Err(error) => Err(error),
        };
        match &result {
            Ok(()) => self.known.committed(),
            Err(error) => self.give_up(conn, error),
        }
        self.before.callers = group.callers();
        self.before.answered = Instant::now();
        group.answer(&result);
    }

    fn begin(&mut self, conn: &Connection) -> Result<(), JournalError> {
        self.execute(conn, "BEGIN IMMEDIATE")?;
        let version = || conn.prepare_cached("PRAGMA data_version")?.query_row((), |row| row.get(0));
        self.known.begin_group(version().map_err(|e| self.place.failed(e))?);
        Ok(())
    }

    fn commit(&mut self, conn: &Connection, group: &Group) -> Result<(), JournalError> {
        #[cfg(test)]
        crash::at("before");
        let begun = Instant::now();
        self.execute(conn, "COMMIT")?;
        self.before.patience = PATIENCE.min(begun.elapsed() / 2);
        #[cfg(test)]
        crash::at("after");
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        self.counts.records.fetch_add(group.records, Ordering::Relaxed);
        Ok(())
    }

    fn give_up(&mut self, conn: &Connection, error: &JournalError) {
        tracing::warn!(%error, "a group of records was not written");
        self.known.clear();
        // Fails when there is no transaction any more: after some errors SQLite has rolled back by itself.
        let _ = conn.execute_batch("ROLLBACK");
    }

    pub(super) fn execute(&self, conn: &Connection, sql: &'static str) -> Result<(), JournalError> {
        let done = conn.prepare_cached(sql).and_then(|mut statement| statement.execute(()));
        done.map(|_| ()).map_err(|e| self.place.failed(e))
    }

    /// Takes jobs while there are any, and writes them. A job at fault is answered at once; an error is the whole group's.
    fn fill(&mut self, conn: &mut Connection, group: &mut Group, first: Job) -> Result<(), JournalError> {
        let mut next = Some(first);
        let mut jobs = 0;
        while let Some(job) = next {
            jobs += 1;
            self.take(conn, group, job)?;
            if jobs == GROUP_JOBS || group.bytes >= GROUP_BYTES {
                return self.write(conn, group);
            }
            next = self.jobs.try_recv().ok();
            if next.is_none() {
                // While that is written, those who were answered a moment ago may bring more.
                self.write(conn, group)?;
                next = self.came_back(jobs);
            }
        }
        Ok(())
    }

    /// A job that has come since the queue was empty. When the group has fewer than the one before, whose callers have just
    /// been answered, they have a moment to come back.
    fn came_back(&mut self, jobs: usize) -> Option<Job> {
        loop {
            let next = self.jobs.try_recv().ok();
            let Before { callers, answered, patience } = self.before;
            if next.is_some() || jobs >= callers || answered.elapsed() >= patience {
                return next;
            }
            std::thread::yield_now();
        }
    }
}
