//! The one writer: takes what is queued, does it in one transaction, commits, answers.
//!
//! There is no timer: an idle journal commits a lone record at once, and while a commit waits for the disk the next group
//! gathers in the queue. Right after a commit those whom it answered have a moment to come back, or else many callers become
//! a large and a small group that take turns. Nobody is answered before the commit of his group. It has a thread of its own,
//! for SQLite's calls block: a lone record costs one switch to the thread and one back.

use crate::JournalError;
use crate::codec::Row;
use crate::error::Place;
use crate::group::{Group, Job, Told, Transaction};
use crate::known::{Known, Last, Ready, Remembered};
use crate::lease::register;
use crate::payloads::{Numbering, Tails};
use crate::service::SqliteTx;
use crate::{Append, ExecutionId, WorkerId};
use futures_util::FutureExt;
use rusqlite::{Connection, OptionalExtension};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many jobs may wait; beyond that callers wait to queue theirs.
pub(crate) const QUEUE: usize = 1024;
/// The most jobs in one transaction.
const GROUP_JOBS: usize = 1024;
/// A group that has so many bytes to write takes no further job.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// How long those who were just answered may take to come back before a smaller group is committed without them: about as
/// long as it takes to wake a thread. At most half of what the last commit took, for that is what a larger group saves.
const PATIENCE: Duration = Duration::from_micros(60);

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
    jobs: mpsc::Receiver<Job>,
    pub(crate) place: Place,
    /// Held during a transaction, where readers may not read beside it.
    gate: Option<Arc<Mutex<()>>>,
    counts: Arc<Counts>,
    pub(crate) known: Known,
    closing: Option<oneshot::Sender<()>>,
    before: Before,
}

/// The group before.
#[derive(Clone, Copy)]
struct Before {
    /// How many were answered, and when.
    callers: usize,
    answered: Instant,
    /// How long after that they may come back, before a group with fewer callers is committed.
    patience: Duration,
}

impl Writer {
    pub(crate) fn new(
        jobs: mpsc::Receiver<Job>,
        place: Place,
        gate: Option<Arc<Mutex<()>>>,
        counts: Arc<Counts>,
        tails: Tails,
    ) -> Writer {
        let before = Before { callers: 0, answered: Instant::now(), patience: Duration::ZERO };
        Writer { jobs, place, gate, counts, known: Known::new(tails), closing: None, before }
    }

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
    fn group(&mut self, conn: &mut Connection, first: Job) {
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

    fn execute(&self, conn: &Connection, sql: &'static str) -> Result<(), JournalError> {
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

    pub(crate) fn write(&mut self, conn: &Connection, group: &mut Group) -> Result<(), JournalError> {
        let written = group.write(conn, &mut self.known).and_then(|()| self.known.write_latest(conn));
        written.map_err(|e| self.place.failed(e))
    }

    fn take(&mut self, conn: &mut Connection, group: &mut Group, job: Job) -> Result<(), JournalError> {
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
            Job::Mail(job) => self.mail(conn, group, job)?,
            Job::Quarantine(job) => self.quarantine(conn, group, job)?,
            Job::Change(change) => change.make(conn, &self.place, group)?,
            Job::Append(mut job, ticket, reply) => {
                let (append, ready) = &mut *job;
                let next = self.next_row(conn, append, ready.take(), ticket.owner);
                match next.and_then(|row| self.small_enough(conn, group, append.execution, row)) {
                    Ok(Ok(row)) => {
                        group.append(append, row, Some(ticket.owner));
                        group.mail.extend(ticket.mail);
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
    use super::*;
    use crate::group::{Created, Ticket};
    use crate::inbox::MailJob;
    use crate::lease::LeaseJob;
    use crate::{Definition, Journal, MailId, NewExecution, NewWorker, Record, schema};
    use asl_core::{Execution, ExecutionType, Input};
    use asl_expr::Timestamp;
    use asl_store::ServiceTx;
    use asl_value::Value;
    use futures_util::future::BoxFuture;

    fn started(bytes: usize) -> Input {
        new("", bytes).record.inputs.remove(0)
    }

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
            token_key: None,
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
        let (worker, one) = journal.register_with(new_worker(), new("one", 10)).await.unwrap();
        let (journal, one) = (journal.as_worker(worker), one.unwrap());
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

    /// A writer without its thread, and how to give it jobs.
    fn writer() -> (Writer, Connection, mpsc::Sender<Job>) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let place = Place { path: std::path::Path::new(":memory:").into(), busy_timeout_ms: 0 };
        let conn = Connection::open_in_memory().unwrap();
        schema::migrate(&conn, &place, schema::MIGRATIONS).unwrap();
        assert_eq!(register(&conn, &new_worker()).unwrap(), FIRST);
        (Writer::new(queue, place, None, Arc::default(), Tails::default()), conn, jobs)
    }

    /// The worker that the tests write as.
    const FIRST: WorkerId = WorkerId(1);

    fn new_worker() -> NewWorker {
        NewWorker { what: String::new(), process: 1, lock: None, beat: 9, lease_ms: 30_000, gone: Vec::new() }
    }

    type Answer = Box<dyn FnOnce() -> Result<ExecutionId, JournalError>>;

    fn append(queue: &mpsc::Sender<Job>, execution: ExecutionId, steps: u32, bytes: usize, owner: WorkerId) -> Answer {
        let (reply, mut answer) = oneshot::channel();
        let record = Record { steps, inputs: vec![started(bytes)], ..new("", 0).record };
        let append = Append { execution, record, outcome: None };
        let ticket = Ticket { owner, mail: Vec::new() };
        queue.try_send(Job::Append(Box::new((append, None)), ticket, reply)).ok().unwrap();
        Box::new(move || answer.try_recv().unwrap().map(|_| execution))
    }

    /// Lets the writer do these in one group.
    fn together<const N: usize>(
        (writer, conn, queue): &mut (Writer, Connection, mpsc::Sender<Job>),
        asked: [Asked; N],
    ) -> [Result<ExecutionId, JournalError>; N] {
        let answers = asked.map(|asked| match asked {
            Asked::Create(name) => {
                let (job, mut answer) = create(name);
                queue.try_send(job).ok().unwrap();
                Box::new(move || answer.try_recv().unwrap().map(|(id, _)| id)) as Answer
            }
            Asked::Append(execution, steps, bytes) => append(queue, execution, steps, bytes, FIRST),
            Asked::By(worker, execution) => append(queue, execution, 1, 10, worker),
        });
        let first = writer.jobs.try_recv().unwrap();
        writer.group(conn, first);
        assert!(writer.jobs.try_recv().is_err(), "it took them all");
        answers.map(|answer| answer())
    }

    enum Asked {
        Create(&'static str),
        Append(ExecutionId, u32, usize),
        /// As [`Asked::Append`], by a worker.
        By(WorkerId, ExecutionId),
    }

    /// Registers a worker.
    fn worker((writer, conn, _): &mut (Writer, Connection, mpsc::Sender<Job>)) -> WorkerId {
        let worker =
            NewWorker { what: String::new(), process: 1, lock: None, beat: 9, lease_ms: 30_000, gone: Vec::new() };
        let (reply, mut registered) = oneshot::channel();
        writer.group(conn, Job::Lease(LeaseJob::Register(worker, reply)));
        registered.try_recv().unwrap().unwrap()
    }

    fn count(conn: &Connection, table: &str) -> i64 {
        conn.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_group_that_cannot_be_written_fails_whole_and_leaves_nothing() {
        let mut test = writer();
        let [one] = together(&mut test, [Asked::Create("one")]);
        let one = one.unwrap();
        let pages: i64 = test.1.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        test.1.pragma_update(None, "max_page_count", pages + 2).unwrap();
        let asked = [Asked::Append(one, 1, 10), Asked::Append(one, 2, 100_000), Asked::Create("two")];
        for error in together(&mut test, asked).map(Result::unwrap_err) {
            assert!(matches!(error, JournalError::Full { .. }), "{error}");
        }
        assert_eq!((count(&test.1, "journal"), count(&test.1, "execution")), (1, 1));
        // With room again it goes on where it was.
        test.1.pragma_update(None, "max_page_count", pages + 1000).unwrap();
        for answer in together(&mut test, [Asked::Append(one, 3, 100_000), Asked::Create("two")]) {
            answer.unwrap();
        }
        assert_eq!((count(&test.1, "journal"), count(&test.1, "execution")), (3, 2));
    }

    /// Who is refused in the middle of a group does not make the writer forget what the group has written so far.
    #[test]
    fn an_execution_is_one_chain_whoever_wants_to_write_it() {
        let mut test = writer();
        let (owner, other) = (worker(&mut test), worker(&mut test));
        let [one, two] = together(&mut test, [Asked::Create("one"), Asked::Create("two")]).map(Result::unwrap);
        let taken = test.1.execute("UPDATE execution SET owner = ? WHERE arn = 'one'", [owner.0]).unwrap();
        assert_eq!(taken, 1);
        test.0.known.clear();
        let by = |worker| Asked::By(worker, one);
        let asked = [by(owner), by(other), Asked::Append(two, 1, 10), by(owner), by(owner)];
        let [a, b, c, d, e] = together(&mut test, asked);
        assert!(matches!(b, Err(JournalError::NotOwner { .. })), "{b:?}");
        assert!([a, c, d, e].iter().all(Result::is_ok));
        let [f] = together(&mut test, [by(owner)]);
        f.unwrap();
        // Each goes on from another one, and all but the last are gone on from.
        let sql = "SELECT count(*), count(DISTINCT previous), count(DISTINCT number), max(position) = \
                   (SELECT position FROM latest l WHERE l.execution = j.execution) FROM journal j WHERE execution = ?";
        let of_one: (i64, i64, i64, bool) = test.1.query_row(sql, [one.0], |row| row.try_into()).unwrap();
        assert_eq!(of_one, (5, 4, 5, true));
    }

    type Started = Result<(ExecutionId, Created), JournalError>;

    fn create(name: &str) -> (Job, oneshot::Receiver<Started>) {
        let (reply, answer) = oneshot::channel();
        let new = new(name, 10);
        let ready = Ready::first(&new.record).unwrap();
        (Job::Create(Box::new((new, Some(ready))), Some(FIRST), reply), answer)
    }

    /// A group that is smaller than the one before waits a moment for its callers, and not when it is as large.
    #[test]
    fn who_was_just_answered_shares_the_next_commit() {
        let (mut writer, mut conn, queue) = writer();
        let answered = Instant::now();
        let patience = Duration::from_secs(60);
        writer.before = Before { callers: 2, answered, patience };
        let ((first, mut one), (second, mut two)) = (create("one"), create("two"));
        let late = std::thread::spawn(move || queue.blocking_send(second).ok().unwrap());
        writer.group(&mut conn, first);
        late.join().unwrap();
        assert!(one.try_recv().unwrap().is_ok() && two.try_recv().unwrap().is_ok());
        assert_eq!(writer.counts.commits.load(Ordering::Relaxed), 1);
        assert_eq!(writer.before.callers, 2);
        assert!(writer.before.patience <= PATIENCE);

        writer.before = Before { callers: 1, answered, patience };
        writer.group(&mut conn, create("three").0);
        assert!(answered.elapsed() < patience, "nobody else was to come");
    }

    /// Asks for something else as soon as it is told how it went.
    struct AsksAgain(mpsc::Sender<Job>, Job);

    impl Transaction for AsksAgain {
        fn run<'t>(&'t mut self, _: &'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<Option<Append>, Told>> {
            unreachable!("the transaction does not begin")
        }

        fn finish(self: Box<Self>, result: Result<(), JournalError>) {
            result.unwrap_err();
            self.0.try_send(self.1).ok().unwrap();
        }
    }

    /// Those who wait when a transaction cannot begin are told why; who asks after that is another matter.
    #[test]
    fn a_failure_is_not_told_to_who_asks_after_it() {
        let (mut writer, mut conn, queue) = writer();
        let ((waits, mut one), (after, mut two)) = (create("one"), create("two"));
        queue.try_send(waits).ok().unwrap();
        conn.execute_batch("BEGIN").unwrap();
        writer.group(&mut conn, Job::Transact(Box::new(AsksAgain(queue, after)), None));
        assert!(one.try_recv().unwrap().is_err() && two.try_recv().is_err());
        let next = writer.jobs.try_recv().unwrap();
        writer.group(&mut conn, next);
        assert!(two.try_recv().unwrap().is_ok());
    }

    /// What the database says reaches who asked, whatever he asked for.
    #[test]
    fn a_failure_is_told_to_who_asked_about_leases_and_the_inbox() {
        let (mut writer, mut conn, _queue) = writer();
        conn.execute_batch("ALTER TABLE worker RENAME TO w; ALTER TABLE inbox RENAME TO i").unwrap();
        let worker =
            NewWorker { what: String::new(), process: 1, lock: None, beat: 0, lease_ms: 30_000, gone: Vec::new() };
        let (reply, mut registered) = oneshot::channel();
        writer.group(&mut conn, Job::Lease(LeaseJob::Register(worker, reply)));
        let (reply, mut renewed) = oneshot::channel();
        writer.group(&mut conn, Job::Lease(LeaseJob::Renew(WorkerId(1), 0, reply)));
        let (reply, mut discarded) = oneshot::channel();
        writer.group(&mut conn, Job::Mail(MailJob::Discard(WorkerId(1), vec![MailId(1)], reply)));
        let told = [
            registered.try_recv().unwrap().unwrap_err(),
            renewed.try_recv().unwrap().unwrap_err(),
            discarded.try_recv().unwrap().unwrap_err(),
        ];
        assert!(told.iter().all(|error| error.to_string().contains("no such table")), "{told:?}");
    }
}
