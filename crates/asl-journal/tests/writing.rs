//! Writing: groups, acknowledgement, who fails alone and who does not, transactions with the embedded services, lists.

mod common;

use asl_journal::{Append, ExecutionId, Filter, Journal, JournalError, JournalWorker, Options, Record, Status};
use asl_store::{ItemKey, ItemRange};
use asl_value::Value;
use common::{definition, ids, json, last, new_execution, new_of, open, step};
use futures_util::FutureExt;
use futures_util::future::join_all;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;

async fn lock(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut conn).await.unwrap();
    conn
}

#[tokio::test]
async fn many_appends_share_a_commit_and_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let journal = open(&path).await;
    let creates = (0..300).map(|n| journal.create(new_execution(&format!("e{n}"))).boxed());
    let all: Vec<ExecutionId> = join_all(creates).await.into_iter().map(Result::unwrap).collect();
    let before = journal.commits();

    let mut other = lock(&path).await;
    let mut appends =
        join_all(all.iter().map(|id| journal.append(*id, step(3, Value::from(id.0)), None).boxed())).boxed();
    // While another holds the lock there is no commit, so nobody is answered; however often one asks.
    for _ in 0..100 {
        assert!((&mut appends).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    let written: i64 = sqlx::query_scalar("SELECT count(*) FROM journal").fetch_one(&mut other).await.unwrap();
    assert_eq!(written, 300);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(appends.await.into_iter().all(|result| result.is_ok()));
    // On another connection everything that was acknowledged is there.
    let written: i64 = sqlx::query_scalar("SELECT count(*) FROM journal").fetch_one(&mut other).await.unwrap();
    assert_eq!(written, 600);
    assert!(journal.commits() - before <= 3, "{} commits", journal.commits() - before);
    assert_eq!(journal.records_written(), 600);
}

#[tokio::test]
async fn in_a_group_only_the_job_at_fault_fails() {
    let folder = tempfile::tempdir().unwrap();
    for journal in [common::memory().await, open(&folder.path().join("a.db")).await] {
        let one = journal.create(new_execution("one")).await.unwrap();
        let (record, outcome) = last(3);
        let results = join_all([
            journal.append(one, step(3, Value::Null), None).boxed(),
            journal.append(one, step(3, Value::Null), None).boxed(),
            journal.append(ExecutionId(77), step(3, Value::Null), None).boxed(),
            journal.create(new_execution("one")).map(|r| r.map(drop)).boxed(),
            journal.create(new_execution("two")).map(|r| r.map(drop)).boxed(),
            journal.create(new_execution("two")).map(|r| r.map(drop)).boxed(),
            journal.append(one, step(5, Value::Null), None).boxed(),
            journal.append(one, step(4, Value::Null), None).boxed(),
            journal.append(one, last(5).0, Some(&outcome)).boxed(),
            journal.append(one, record, Some(&outcome)).boxed(),
        ])
        .await;
        let told: Vec<String> =
            results.into_iter().map(|r| r.map_or_else(|e| e.to_string(), |()| "ok".into())).collect();
        let says = [
            "ok",
            "event 4 comes next, not 3",
            "no execution #77",
            "exists already",
            "ok",
            "exists already",
            "event 4 comes next, not 5",
            "ok",
            "ok",
            "has ended",
        ];
        for (told, says) in told.iter().zip(says) {
            assert!(told.contains(says), "{told}: {says}");
        }
        assert_eq!(ids(&journal, one).await, [1, 2, 3, 4, 5]);
        let header = journal.execution("one").await.unwrap().unwrap();
        assert_eq!((header.status, header.last_event), (Status::Failed, 5));
        assert_eq!(header.error.as_deref(), Some("States.TaskFailed"));
        assert_eq!(
            journal.counts().await.unwrap().into_iter().collect::<Vec<_>>(),
            [(Status::Running, 1), (Status::Failed, 1)]
        );
    }
}

/// Records are encoded where they are made, with references to payloads of the records before. Where those were not written
/// after all, or another process wrote others in their place, that does not hold; what is written does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_are_right_where_groups_fail_and_others_write() {
    const LAST: u64 = 40;
    let value = |n: u64, by: usize| Value::from(format!("{}{}", "a payload by ".repeat(by), n % 5));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let first = open(&path).await;
    let both = [first.clone(), common::try_open(&path).await.unwrap().as_worker(first.id())];
    let trigger = "CREATE TRIGGER fails BEFORE INSERT ON journal WHEN abs(random()) % 30 = 0 \
                   BEGIN SELECT RAISE(ABORT, 'for the test'); END";
    let created = (0..16).map(|n| both[n % 2].create(new_execution(&format!("e{n}"))).boxed());
    let created = join_all(created).await;
    let mut conn = lock(&path).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{trigger}; COMMIT"))).execute(&mut conn).await.unwrap();
    let mut lanes = tokio::task::JoinSet::new();
    for id in created.into_iter().map(Result::unwrap) {
        let both = both.clone();
        lanes.spawn(async move {
            let mut wanted = Vec::new();
            let (mut next, mut failed) = (3, 0);
            while next <= LAST {
                // Now one writes and now the other, and each record stands on the one before, in whichever group that is.
                let by = (next as usize / 3 + failed) % 2;
                // A record without events has numbers too.
                let quiet = Record { events: Vec::new(), ..step(next, value(next, 1)) };
                if both[1 - by].append(id, quiet.clone(), None).await.is_ok() {
                    wanted.push(quiet);
                }
                let batch: Vec<_> = (next..=LAST.min(next + 3)).map(|n| step(n, value(n, by + failed % 3))).collect();
                let results = join_all(batch.iter().map(|record| both[by].append(id, record.clone(), None))).await;
                let written = results.iter().take_while(|result| result.is_ok()).count();
                wanted.extend(batch.into_iter().take(written));
                next += written as u64;
                for error in results.into_iter().filter_map(Result::err) {
                    let expected = matches!(error, JournalError::OutOfOrder { .. });
                    assert!(expected || error.to_string().contains("for the test"), "{error}");
                    failed += 1;
                }
                assert!(failed < 20_000, "its history does not go on");
            }
            (id, wanted, failed)
        });
    }
    let lanes = lanes.join_all().await;
    assert!(lanes.iter().any(|(_, _, failed)| *failed > 0), "nothing was tested");
    for (id, wanted, _) in lanes {
        assert_eq!(both[0].records(id).await.unwrap()[1..], wanted);
    }
}

#[tokio::test]
async fn a_record_without_events_has_its_place() {
    let journal = common::memory().await;
    let id = journal.create(new_execution("one")).await.unwrap();
    let mut quiet = step(3, Value::from("x".repeat(400)));
    quiet.events.clear();
    for _ in 0..3 {
        journal.append(id, quiet.clone(), None).await.unwrap();
    }
    journal.append(id, step(3, Value::Null), None).await.unwrap();
    let records = journal.records(id).await.unwrap();
    assert_eq!(records[1..4], [quiet.clone(), quiet.clone(), quiet]);
    assert_eq!(ids(&journal, id).await, [1, 2, 3]);
}

#[tokio::test]
async fn more_executions_than_the_writer_remembers() {
    let journal = common::memory().await;
    let all = join_all((0..9000).map(|n| journal.create(new_execution(&format!("e{n}"))).boxed())).await;
    let all: Vec<ExecutionId> = all.into_iter().map(Result::unwrap).collect();
    for n in 3..5 {
        let appends = all.iter().map(|id| journal.append(*id, step(n, json(r#"{"fareId":"f1"}"#)), None).boxed());
        assert!(join_all(appends).await.into_iter().all(|result| result.is_ok()));
    }
    for id in [all[0], all[4999], all[8999]] {
        assert_eq!(ids(&journal, id).await, [1, 2, 3, 4]);
    }
    let (records, commits) = (journal.records_written(), journal.commits());
    assert!(records == 27_000 && commits < records / 20, "{commits}");
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let journal = open(&path).await;
    let id = journal.create(new_execution("one")).await.unwrap();
    let mut appends: Vec<_> = (3..40).map(|n| journal.append(id, step(n, Value::Null), None).boxed()).collect();
    // None of them is written before all are queued.
    let mut other = lock(&path).await;
    for append in &mut appends {
        assert!(append.now_or_never().is_none());
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    journal.clone().close().await;
    assert!(join_all(appends).await.into_iter().all(|result| result.is_ok()));
    assert!(!folder.path().join("a.db-wal").exists(), "the last to close tidies up");
    let error = journal.append(id, step(40, Value::Null), None).await.unwrap_err();
    assert!(matches!(error, JournalError::Closed), "{error}");
    assert!(matches!(journal.records(id).await.unwrap_err(), JournalError::Closed));
    assert_eq!(ids(&*open(&path).await, id).await.len(), 39);
}

#[derive(Debug)]
enum Failed {
    Own(&'static str),
    Journal(JournalError),
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Failed {
        Failed::Journal(error)
    }
}

fn key(hash: &str) -> ItemKey {
    ItemKey { hash: hash.to_owned(), range: String::new() }
}

/// What a task that puts an item does then.
type Then = fn(Append) -> Result<(&'static str, Option<Append>), Failed>;

/// A task: puts an item, and goes on as told.
async fn put(journal: &JournalWorker, item: &'static str, append: Append, then: Then) -> Result<&'static str, Failed> {
    let task = journal.transact(move |tx| {
        Box::pin(async move {
            let body = json(r#"{"id":{"S":"1"}}"#);
            tx.put_item("Fares", &key(item), &body).await.map_err(|_| Failed::Own("store"))?;
            then(append)
        })
    });
    task.await
}

async fn items(journal: &Journal) -> Vec<String> {
    let looked = journal.inspect(|tx| {
        Box::pin(async move {
            let range = ItemRange { limit: 100, ..ItemRange::default() };
            let items = tx.items("Fares", range).await.map_err(|_| Failed::Own("store"))?;
            Ok(items.into_iter().map(|(key, _)| key.hash).collect())
        })
    });
    let looked: Result<_, Failed> = looked.await;
    looked.unwrap()
}

#[tokio::test]
async fn an_effect_and_its_record_happen_both_or_neither() {
    let folder = tempfile::tempdir().unwrap();
    for journal in [common::memory().await, open(&folder.path().join("a.db")).await] {
        let id = journal.create(new_execution("one")).await.unwrap();
        let append = |n| Append { execution: id, record: step(n, Value::Null), outcome: None };
        let done = put(&journal, "kept", append(3), |append| Ok(("done", Some(append)))).await;
        assert_eq!(done.unwrap(), "done");

        // All in one group, with appends that are not at fault.
        let keep: Then = |append| Ok(("done", Some(append)));
        let (own, panicked, late, plain, kept, bare) = tokio::join!(
            put(&journal, "own", append(4), |_| Err(Failed::Own("no"))),
            put(&journal, "panicked", append(4), |_| panic!("this one panics")),
            put(&journal, "late", append(3), keep),
            journal.append(id, step(4, Value::Null), None),
            put(&journal, "kept too", append(5), keep),
            put(&journal, "bare", append(5), |_| Ok(("bare", None))),
        );
        assert!(matches!(own.unwrap_err(), Failed::Own("no")));
        assert!(matches!(panicked.unwrap_err(), Failed::Journal(JournalError::Panicked)));
        assert!(matches!(late.unwrap_err(), Failed::Journal(JournalError::OutOfOrder { expected: 4, found: 3, .. })));
        plain.unwrap();
        assert_eq!((kept.unwrap(), bare.unwrap()), ("done", "bare"));
        assert_eq!(items(&journal).await, ["bare", "kept", "kept too"]);
        assert_eq!(ids(&journal, id).await, [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn an_effect_is_not_kept_when_the_group_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let options = Options { busy_timeout_ms: 20, ..Options::default() };
    let journal = common::own(Journal::open(&path, options).await.unwrap()).await;
    let id = journal.create(new_execution("one")).await.unwrap();
    let append = || Append { execution: id, record: step(3, Value::Null), outcome: None };
    let mut other = lock(&path).await;
    let error = put(&journal, "lost", append(), |append| Ok(("done", Some(append)))).await.unwrap_err();
    assert!(matches!(error, Failed::Journal(JournalError::Locked { .. })), "{error:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(items(&journal).await.is_empty());
    put(&journal, "kept", append(), |append| Ok(("done", Some(append)))).await.unwrap();
    assert_eq!(items(&journal).await, ["kept"]);
}

#[tokio::test]
async fn a_look_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for journal in [common::memory().await, open(&folder.path().join("a.db")).await] {
        let looked = journal.inspect(|tx| {
            Box::pin(async move {
                let _ = tx.put_item("Fares", &key("seen"), &json("{}")).await;
                Ok(())
            })
        });
        let looked: Result<(), Failed> = looked.await;
        looked.unwrap();
        assert!(items(&journal).await.is_empty());
    }
}

#[tokio::test]
async fn executions_are_listed_newest_first() {
    let journal = common::memory().await;
    for (name, machine) in [("a1", "fare"), ("a2", "trip"), ("b%", "fare"), ("b_2", "trip"), ("a1", "trip")] {
        let id = journal.create(new_of(name, machine, "{}")).await.unwrap();
        if name == "a2" {
            let (record, outcome) = last(3);
            journal.append(id, record, Some(&outcome)).await.unwrap();
        }
    }
    let all = Filter::default;
    let some = |text: &str| Some(text.to_owned());
    let machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:fare";
    let cases = [
        (all(), vec![5, 4, 3, 2, 1]),
        (Filter { limit: Some(2), ..all() }, vec![5, 4]),
        (Filter { limit: Some(2), before: Some(ExecutionId(4)), ..all() }, vec![3, 2]),
        (Filter { status: Some(Status::Failed), ..all() }, vec![2]),
        (Filter { status: Some(Status::Running), state_machine: some("trip"), ..all() }, vec![5, 4]),
        (Filter { state_machine: some(machine_arn), ..all() }, vec![3, 1]),
        (Filter { name_prefix: some("b"), ..all() }, vec![4, 3]),
        (Filter { name_prefix: some("b_"), ..all() }, vec![4]),
        (Filter { name_prefix: some("b%"), limit: Some(9), ..all() }, vec![3]),
    ];
    for (filter, expected) in cases {
        let found = journal.executions(&filter).await.unwrap();
        assert_eq!(found.iter().map(|row| row.id.0).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let open = journal.open_executions().await.unwrap();
    assert_eq!(open.iter().map(|row| row.id.0).collect::<Vec<_>>(), [1, 3, 4, 5]);
    let arn = "arn:aws:states:us-east-1:123456789012:execution:fare:a1";
    assert_eq!(journal.execution(arn).await.unwrap().unwrap().id, ExecutionId(1));
    assert_eq!(journal.execution("nobody").await.unwrap(), None);
    assert_eq!(journal.definition("hash-of-fare").await.unwrap(), Some(definition("fare")));
    assert_eq!(journal.definition("other").await.unwrap(), None);
}

#[test]
fn statuses_have_the_names_of_aws() {
    for status in Status::ALL {
        assert_eq!(status.name().to_lowercase().parse(), Ok(status));
    }
    assert!("DONE".parse::<Status>().unwrap_err().to_string().contains("TIMED_OUT"));
}

/// A function that waits would hold up everybody, and wait for ever where it waits for the journal itself.
#[tokio::test]
async fn a_function_that_waits_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    for journal in [common::memory().await, open(&folder.path().join("a.db")).await] {
        let writes = journal.clone();
        let waits = journal.transact(move |tx| {
            Box::pin(async move {
                let _ = tx.put_item("Fares", &key("lost"), &json("{}")).await;
                writes.create(new_execution("inside")).await?;
                Ok::<_, JournalError>(((), None))
            })
        });
        assert!(matches!(waits.await.unwrap_err(), JournalError::Waited));
        let looks = journal.inspect(|_| Box::pin(async { std::future::pending::<Result<(), JournalError>>().await }));
        assert!(matches!(looks.await.unwrap_err(), JournalError::Waited));
        assert!(items(&journal).await.is_empty());
        journal.create(new_execution("after")).await.unwrap();
    }
}
