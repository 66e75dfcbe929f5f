//! The one writer: takes what is queued, does it in one transaction, commits, answers.
//!
//! There is no timer: an idle journal commits a lone record at once, and while a commit waits for the disk the next group
//! gathers in the queue. Nobody is answered before the commit of his group.

use crate::codec::{Row, encode};
use crate::error::{JournalError, Place};
use crate::group::{Group, Job, Known, Remembered, Told, Transaction};
use crate::lease::WorkerId;
use crate::payloads::Numbering;
use crate::service::SqliteTx;
use crate::{Append, ExecutionId};
use futures_util::FutureExt;
use sqlx::{Connection, SqliteConnection};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many jobs may wait; beyond that callers wait to queue theirs.
pub(crate) const QUEUE: usize = 1024;
/// The most jobs in one transaction.
const GROUP_JOBS: usize = 1024;
/// A group that has so many bytes to write takes no further job.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// How well commits are shared.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
}

pub(crate) struct Writer {
    pub(crate) conn: Arc<Mutex<SqliteConnection>>,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) place: Place,
    pub(crate) counts: Arc<Counts>,
    pub(crate) known: Known,
    pub(crate) closing: Option<oneshot::Sender<()>>,
}

impl Writer {
    /// Works until the journal is closed, or all its handles are gone.
    pub(crate) async fn run(mut self) {
        while let Some(job) = self.jobs.recv().await {
            match job {
                Job::Close(done) => self.closing = Some(done),
                job => {
                    let conn = self.conn.clone();
                    self.group(&mut *conn.lock().await, job).await;
                }
            }
            if self.closing.is_some() {
                // No further jobs are taken; those that wait are still done.
                self.jobs.close();
            }
        }
        // In memory the readers share the connection; it ends with the last of them.
        if let Some(conn) = Arc::into_inner(self.conn)
            && let Err(error) = conn.into_inner().close().await
        {
            tracing::warn!(%error, "closing the database failed");
        }
        if let Some(done) = self.closing {
            let _ = done.send(());
        }
    }

    /// One transaction: the job at hand, and all that wait behind it.
    async fn group(&mut self, conn: &mut SqliteConnection, first: Job) {
        if let Err(error) = self.begin(conn).await {
            // Whoever is in the queue by now has waited for the same lock.
            let mut next = Some(first);
            while let Some(job) = next {
                self.closing = job.fail(&error).or(self.closing.take());
                next = self.jobs.try_recv().ok();
            }
            return self.give_up(conn, &error).await;
        }
        let mut group = Group::default();
        let result = match self.fill(conn, &mut group, first).await {
            Ok(()) => self.commit(conn, &mut group).await,
            Err(error) => Err(error),
        };
        match &result {
            Ok(()) => self.known.forget(),
            Err(error) => self.give_up(conn, error).await,
        }
        group.answer(&result);
    }

    async fn begin(&mut self, conn: &mut SqliteConnection) -> Result<(), JournalError> {
        self.execute(conn, "BEGIN IMMEDIATE").await?;
        let version = sqlx::query_scalar("SELECT data_version FROM pragma_data_version").fetch_one(conn).await;
        self.known.begin_group(version.map_err(|e| self.place.failed(e))?);
        Ok(())
    }

    async fn commit(&mut self, conn: &mut SqliteConnection, group: &mut Group) -> Result<(), JournalError> {
        let written = group.write(conn, &mut self.known).await.map_err(|e| self.place.failed(e))?;
        #[cfg(test)]
        crash::at("before");
        self.execute(conn, "COMMIT").await?;
        #[cfg(test)]
        crash::at("after");
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        self.counts.records.fetch_add(written, Ordering::Relaxed);
        Ok(())
    }

    async fn give_up(&mut self, conn: &mut SqliteConnection, error: &JournalError) {
        tracing::warn!(%error, "a group of records was not written");
        self.known.clear();
        // Fails when there is no transaction any more: after some errors SQLite has rolled back by itself.
        let _ = sqlx::query("ROLLBACK").execute(conn).await;
    }

    async fn execute(&self, conn: &mut SqliteConnection, sql: &'static str) -> Result<(), JournalError> {
        sqlx::query(sql).execute(conn).await.map(|_| ()).map_err(|e| self.place.failed(e))
    }

    /// Takes jobs while there are any. A job at fault is answered at once; an error is the whole group's.
    async fn fill(&mut self, conn: &mut SqliteConnection, group: &mut Group, first: Job) -> Result<(), JournalError> {
        let mut next = Some(first);
        let mut jobs = 0;
        while let Some(job) = next {
            jobs += 1;
            self.take(conn, group, job).await?;
            let more = jobs < GROUP_JOBS && group.bytes < GROUP_BYTES;
            next = if more { self.jobs.try_recv().ok() } else { None };
        }
        Ok(())
    }

    async fn take(&mut self, conn: &mut SqliteConnection, group: &mut Group, job: Job) -> Result<(), JournalError> {
        match job {
            Job::Close(done) => self.closing = Some(done),
            Job::Create(new, owner, reply) => match self.fence(conn, owner).await? {
                Ok(()) => group.create(*new, owner, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Job::Lease(job) => {
                let tell = self.lease(conn, job).await?;
                group.others.push(tell);
            }
            Job::Mail(job) => {
                let tell = self.mail(conn, job).await?;
                group.others.push(tell);
            }
            Job::Append(append, ticket, reply) => match self.encode(conn, &append, ticket.owner).await {
                Ok(Ok(row)) => {
                    group.append(&append, row, ticket.owner);
                    group.mail.extend(ticket.mail);
                    group.appended.push(reply);
                }
                Ok(Err(error)) => {
                    let _ = reply.send(Err(error));
                }
                Err(error) => {
                    group.appended.push(reply);
                    return Err(error);
                }
            },
            Job::Transact(mut transaction, owner) => {
                let ran = self.transact(conn, group, &mut *transaction, owner).await;
                match ran {
                    Ok(Ok(())) => group.transactions.push(transaction),
                    Ok(Err(Some(error))) => transaction.finish(Err(error)),
                    Ok(Err(None)) => {}
                    Err(error) => {
                        group.transactions.push(transaction);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs a function in a savepoint; the inner result is its own (no error where its caller knows it), the outer one
    /// the group's.
    async fn transact(
        &mut self,
        conn: &mut SqliteConnection,
        group: &mut Group,
        transaction: &mut dyn Transaction,
        owner: Option<WorkerId>,
    ) -> Result<Result<(), Option<JournalError>>, JournalError> {
        if let Err(fenced) = self.fence(conn, owner).await? {
            return Ok(Err(Some(fenced)));
        }
        self.execute(conn, "SAVEPOINT task").await?;
        let mut tx = SqliteTx::new(conn, &self.place);
        let ran = AssertUnwindSafe(transaction.run(&mut tx)).catch_unwind().await;
        let result = match (ran, tx.failed.take()) {
            (Err(_), _) => Err(Some(JournalError::Panicked)),
            (Ok(Err(Told)), _) => Err(None),
            (Ok(Ok(_)), Some(error)) => Err(Some(error)),
            (Ok(Ok(append)), None) => Ok(append),
        };
        let result = match result {
            Ok(None) => Ok(None),
            Ok(Some(append)) => self.encode(conn, &append, owner).await?.map(|row| Some((append, row))).map_err(Some),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.execute(conn, "ROLLBACK TO task").await?;
        }
        self.execute(conn, "RELEASE task").await?;
        Ok(result.map(|done| {
            if let Some((append, row)) = done {
                group.append(&append, row, owner);
            }
        }))
    }

    /// The next row of an execution. The inner result is the record's own, the outer one the group's.
    async fn encode(
        &mut self,
        conn: &mut SqliteConnection,
        append: &Append,
        owner: Option<WorkerId>,
    ) -> Result<Result<Row, JournalError>, JournalError> {
        if let Err(fenced) = self.fence(conn, owner).await? {
            return Ok(Err(fenced));
        }
        let execution = append.execution;
        let recalled = self.known.recall(execution).filter(|known| owner.is_none() || known.owner == owner);
        let mut remembered = match recalled {
            Some(remembered) => remembered,
            None => match self.look_up(conn, execution).await? {
                Some(remembered) => remembered,
                None => return Ok(Err(JournalError::NoSuchExecution { execution })),
            },
        };
        let redrives = append.record.redrives();
        let result = if remembered.ended && !redrives {
            Err(JournalError::Ended { execution })
        } else if owner.is_some() && remembered.owner != owner && !remembered.ended {
            Err(JournalError::NotOwner { execution })
        } else {
            encode(&append.record, execution, &mut remembered.numbering)
        };
        if result.is_ok() {
            remembered.ended = append.outcome.is_some();
            if redrives {
                remembered.owner = owner;
            }
        }
        self.known.remember(execution, remembered);
        Ok(result)
    }

    async fn look_up(
        &self,
        conn: &mut SqliteConnection,
        execution: ExecutionId,
    ) -> Result<Option<Remembered>, JournalError> {
        let sql = "SELECT x.status <> 'RUNNING', j.number + 1 + json_array_length(j.body, '$.payloads'), \
                   j.first_event + j.event_count, x.owner FROM execution x JOIN journal j ON j.execution = x.id \
                   WHERE x.id = ? ORDER BY j.number DESC LIMIT 1";
        let row = sqlx::query_as(sql).bind(execution.0).fetch_optional(conn).await;
        let row: Option<(bool, i64, i64, Option<i64>)> = row.map_err(|e| self.place.failed(e))?;
        Ok(row.map(|(ended, next, next_event, owner)| Remembered {
            numbering: Numbering::at(next.unsigned_abs(), next_event.unsigned_abs()),
            ended,
            owner: owner.map(WorkerId),
        }))
    }
}

/// Where the process dies, for the tests: `ASL_CRASH=before:3` at the third commit, just before it.
#[cfg(test)]
mod crash {
    use std::sync::atomic::{AtomicU64, Ordering};

    static COMMITS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn at(place: &str) {
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
mod tests {
    use crate::read::Readers;
    use crate::{Definition, Journal, JournalError, NewExecution, Record};
    use asl_core::{Execution, ExecutionType, Input};
    use asl_expr::Timestamp;
    use asl_value::Value;
    use sqlx::AssertSqlSafe;
    use std::sync::Arc;

    fn new(name: &str, bytes: usize) -> NewExecution {
        let input = Value::from("x".repeat(bytes));
        let execution = Execution {
            arn: name.into(),
            name: name.into(),
            state_machine_arn: "m".into(),
            state_machine_name: "m".into(),
            role_arn: "".into(),
            region: "".into(),
            execution_type: ExecutionType::Standard,
            seed: 0,
            input_text: input.to_string().into(),
            input,
        };
        let inputs = vec![Input::Start(Box::new(execution.clone()))];
        let record = Record { now: Timestamp::default(), inputs, steps: 0, events: Vec::new() };
        let definition = Definition { hash: "h".into(), name: "m".into(), text: "{}".into() };
        NewExecution { definition: Arc::new(definition), execution: Arc::new(execution), record, outcome: None }
    }

    /// What a process wrote down as acknowledged before it died, and what the database has afterwards.
    async fn crashed(place: &str) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer::tests::writes_until_it_crashes", "--ignored", "--nocapture"])
            .env("ASL_CRASH", place)
            .env("ASL_CRASH_DB", &path)
            .output()
            .unwrap();
        assert!(!child.status.success(), "it did not crash");
        let said = String::from_utf8(child.stdout).unwrap();
        let mut acknowledged: Vec<String> =
            said.lines().filter_map(|l| l.strip_prefix("has ")).map(str::to_owned).collect();
        let journal = Journal::open_read_only(&path, crate::Options::default()).await.unwrap();
        let mut stored = Vec::new();
        for row in journal.executions(&crate::Filter::default()).await.unwrap() {
            stored.extend((0..journal.records(row.id).await.unwrap().len()).map(|n| format!("{} {n}", row.arn)));
        }
        acknowledged.sort();
        stored.sort();
        (acknowledged, stored)
    }

    #[tokio::test]
    #[ignore = "run by nobody_is_answered_before_the_commit, as a process that dies"]
    async fn writes_until_it_crashes() {
        let path = std::env::var("ASL_CRASH_DB").unwrap();
        let journal = Journal::open(std::path::Path::new(&path), crate::Options::default()).await.unwrap();
        let has = |what: String| {
            use std::io::Write;
            writeln!(std::io::stdout(), "has {what}").unwrap();
        };
        // One after the other, so that each has a commit of its own, and then all at once.
        let one = journal.create(new("one", 10)).await.unwrap();
        has("one 0".into());
        for n in 1..4 {
            journal.append(one, Record { inputs: Vec::new(), ..new("", 10).record }, None).await.unwrap();
            has(format!("one {n}"));
        }
        let many = (0..20).map(|n| {
            let journal = journal.clone();
            async move {
                journal.create(new(&format!("m{n:02}"), 10)).await.unwrap();
                has(format!("m{n:02} 0"));
            }
        });
        futures_util::future::join_all(many).await;
    }

    /// The crash comes between the commit and the answer, on either side of the commit.
    #[tokio::test]
    async fn nobody_is_answered_before_the_commit() {
        for (commit, sooner) in [(1, 0), (2, 1), (4, 3), (5, 4)] {
            let (acknowledged, stored) = crashed(&format!("before:{commit}")).await;
            assert_eq!(acknowledged, stored, "what was about to be committed is neither told nor there");
            assert_eq!(stored.len(), sooner);
            let (acknowledged, stored) = crashed(&format!("after:{commit}")).await;
            assert_eq!(acknowledged.len(), sooner, "nobody is told before the writer goes on");
            assert!(stored.len() > sooner && acknowledged.iter().all(|told| stored.contains(told)));
        }
    }

    async fn pages(journal: &Journal, more: u32) {
        let Readers::Shared(conn) = &journal.readers else { unreachable!("it is in memory") };
        let mut conn = conn.lock().await;
        let count: u32 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *conn).await.unwrap();
        let sql = format!("PRAGMA max_page_count = {}", count + more);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await.unwrap();
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_written_fails_whole_and_leaves_nothing() {
        let journal = Journal::in_memory().await.unwrap();
        let id = journal.create(new("one", 10)).await.unwrap();
        pages(&journal, 2).await;
        let append = |n| Record { steps: n, ..new("", 100_000).record };
        let (small, large, created) = tokio::join!(
            journal.append(id, Record { inputs: Vec::new(), ..append(1) }, None),
            journal.append(id, append(2), None),
            journal.create(new("two", 10)),
        );
        for error in [small.unwrap_err(), large.unwrap_err(), created.unwrap_err()] {
            assert!(matches!(error, JournalError::Full { .. }), "{error}");
        }
        assert_eq!(journal.records(id).await.unwrap().len(), 1);
        assert!(journal.execution("two").await.unwrap().is_none());
        // With room again it goes on where it was.
        pages(&journal, 1000).await;
        journal.append(id, append(3), None).await.unwrap();
        journal.create(new("two", 10)).await.unwrap();
        let steps: Vec<u32> = journal.records(id).await.unwrap().iter().map(|record| record.steps).collect();
        assert_eq!(steps, [0, 3]);
    }
}
