use super::super::commit::{PATIENCE, QUEUE};
use super::*;
use crate::sqlite::write::group::{Created, Ticket};
use crate::sqlite::write::inbox::InboxJob;
use crate::sqlite::write::lease::LeaseJob;
use crate::{Definition, Journal, NewExecution, NewWorker, Record, SignalId, sqlite::schema};
use asl_core::{Execution, ExecutionType, Input};
use asl_expr::Timestamp;
use asl_store::ServiceTx;
use asl_value::Value;
use futures_util::future::BoxFuture;
use std::time::{Duration, Instant};

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
    NewExecution {
        definition: Arc::new(definition),
        execution: Arc::new(execution),
        record,
        outcome: None,
        started_as: None,
    }
}

/// What a process wrote down as acknowledged before it died, and what the database has afterwards.
async fn crashed(place: &str) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::write::writer::tests::writes_until_it_crashes", "--ignored", "--nocapture"])
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
    let ticket = Ticket { owner, verdicts: Vec::new() };
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
    let worker = NewWorker { what: String::new(), process: 1, lock: None, beat: 9, lease_ms: 30_000, gone: Vec::new() };
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
    let worker = NewWorker { what: String::new(), process: 1, lock: None, beat: 0, lease_ms: 30_000, gone: Vec::new() };
    let (reply, mut registered) = oneshot::channel();
    writer.group(&mut conn, Job::Lease(LeaseJob::Register(worker, reply)));
    let (reply, mut renewed) = oneshot::channel();
    writer.group(&mut conn, Job::Lease(LeaseJob::Renew(WorkerId(1), 0, reply)));
    let (reply, mut discarded) = oneshot::channel();
    writer.group(&mut conn, Job::Inbox(InboxJob::Discard(WorkerId(1), vec![SignalId(1)], reply)));
    let told = [
        registered.try_recv().unwrap().unwrap_err(),
        renewed.try_recv().unwrap().unwrap_err(),
        discarded.try_recv().unwrap().unwrap_err(),
    ];
    assert!(told.iter().all(|error| error.to_string().contains("no such table")), "{told:?}");
}
