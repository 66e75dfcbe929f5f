//! Files: what is opened, what is refused, what survives, what damage is seen.

mod common;

use asl_core::Input;
use asl_journal::{Filter, Journal, JournalError, Options, Record, Status};
use asl_value::Value;
use common::{ids, last, new_execution, open, own, step, try_open};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::path::Path;

async fn sql(path: &Path, text: &str) {
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn files_that_are_not_ours_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    type Check = fn(&JournalError) -> bool;
    let cases: [(&str, &str, Check, &str); 4] = [
        (
            "newer",
            "PRAGMA application_id = 0x41534c4a; PRAGMA user_version = 999;",
            |e| matches!(e, JournalError::Newer { found: 999, .. }),
            "has version 999",
        ),
        (
            "foreign",
            "PRAGMA application_id = 42; CREATE TABLE theirs (x);",
            |e| matches!(e, JournalError::Foreign { application_id: 42, .. }),
            "another application",
        ),
        (
            "unmarked",
            "CREATE TABLE theirs (x);",
            |e| matches!(e, JournalError::Foreign { application_id: 0, .. }),
            "another application",
        ),
        ("text", "", |e| matches!(e, JournalError::NotADatabase { .. }), "is not a database"),
    ];
    for (name, make, check, says) in cases {
        if make.is_empty() {
            std::fs::write(&path, "This is a text, and a longer one than the header of a database: ".repeat(40))
                .unwrap();
        } else {
            sql(&path, make).await;
        }
        let before = std::fs::read(&path).unwrap();
        let read_only = Journal::open_read_only(&path, Options::default()).await;
        for error in [try_open(&path).await.unwrap_err(), read_only.unwrap_err()] {
            assert!(check(&error), "{name}: {error:?}");
            let told = error.to_string();
            assert!(told.contains(says) && told.contains("a.db"), "{name}: {told}");
            assert!(error.hint().is_some(), "{name}: it is told what to do");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = try_open(folder.path()).await.unwrap_err();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = try_open(&file.join("a.db")).await.unwrap_err();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    let missing = folder.path().join("missing.db");
    let error = Journal::open_read_only(&missing, Options::default()).await.unwrap_err();
    assert!(matches!(error, JournalError::Missing { .. }), "{error}");
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_database_is_made_with_its_folder_and_an_empty_file_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".asl/deeper/a.db");
    open(&path).await.close().await;
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    let error = Journal::open_read_only(&empty, Options::default()).await.unwrap_err();
    assert!(matches!(error, JournalError::Older { found: 0, .. }), "{error}");
    let journal = open(&empty).await;
    journal.create(new_execution("one")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_make_the_same_database_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let opened: Vec<_> = (0..8)
            .map(|_| {
                tokio::spawn({
                    let path = path.clone();
                    async move { try_open(&path).await }
                })
            })
            .collect();
        for (n, journal) in opened.into_iter().enumerate() {
            let journal = own(journal.await.unwrap().unwrap()).await;
            journal.create(new_execution(&format!("e{n}"))).await.unwrap();
        }
    }
}

/// The process dies: the files are as they are at that moment, and nothing is closed.
#[tokio::test]
async fn what_was_acknowledged_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let journal = open(&path).await;
    let id = journal.create(new_execution("one")).await.unwrap();
    for n in 3..50 {
        journal.append(id, step(n, Value::from(n)), None).await.unwrap();
        if n % 9 != 0 {
            continue;
        }
        let copy = folder.path().join(format!("copy-{n}.db"));
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(folder.path().join("a.db-wal"), folder.path().join(format!("copy-{n}.db-wal"))).unwrap();
        let copy = try_open(&copy).await.unwrap().as_worker(journal.id());
        assert_eq!(ids(&copy, id).await, (1..=n).collect::<Vec<_>>());
        assert_eq!(copy.open_executions().await.unwrap().len(), 1);
        // And it goes on.
        copy.append(id, step(n + 1, Value::Null), None).await.unwrap();
        assert_eq!(ids(&copy, id).await.len() as u64, n + 1);
    }
}

#[tokio::test]
async fn damage_is_seen_and_named() {
    let cases = [
        ("UPDATE journal SET body = replace(body, 'B', 'C') WHERE number = 3", 3, "checksum"),
        ("UPDATE journal SET checksum = checksum - 1 WHERE number = 1", 1, "checksum"),
        ("UPDATE journal SET first_event = first_event + 1 WHERE number = 3", 3, "checksum"),
        ("DELETE FROM journal WHERE number = 3", 5, "missing"),
    ];
    for (damage, number, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let journal = open(&path).await;
        let id = journal.create(new_execution("one")).await.unwrap();
        for n in 3..6 {
            journal.append(id, step(n, Value::from(n)), None).await.unwrap();
        }
        sql(&path, damage).await;
        let error = journal.records(id).await.unwrap_err();
        assert!(
            matches!(&error, JournalError::Corrupt { execution, record, .. } if *execution == id && *record == number),
            "{damage}: {error}"
        );
        let told = error.to_string();
        assert!(told.contains(says), "{told}");
        assert!(error.hint().is_some_and(|hint| hint.contains("restore")), "{told}");
    }
}

#[tokio::test]
async fn a_locked_database_is_told_and_nothing_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let options = Options { busy_timeout_ms: 50, ..Options::default() };
    let journal = own(Journal::open(&path, options.clone()).await.unwrap()).await;
    let id = journal.create(new_execution("one")).await.unwrap();
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();

    let error = journal.append(id, step(3, Value::Null), None).await.unwrap_err();
    assert!(matches!(error, JournalError::Locked { waited_ms: 50, .. }), "{error}");
    let error = journal.create(new_execution("two")).await.unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    // Readers are not in its way.
    assert_eq!(ids(&journal, id).await, [1, 2]);
    let reader = Journal::open_read_only(&path, options).await.unwrap();
    assert_eq!(ids(&reader, id).await, [1, 2]);
    let error = reader.as_worker(journal.id()).append(id, step(3, Value::Null), None).await.unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");

    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    journal.append(id, step(3, Value::Null), None).await.unwrap();
    assert_eq!(ids(&journal, id).await, [1, 2, 3]);

    // A journal can be closed under a lock, with a job that waits for it.
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (append, ()) = tokio::join!(journal.append(id, step(4, Value::Null), None), journal.clone().close());
    assert!(matches!(append.unwrap_err(), JournalError::Locked { .. }));
}

#[tokio::test]
async fn two_processes_share_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = open(&path).await;
    let b = try_open(&path).await.unwrap().as_worker(a.id());
    let (one, two) = tokio::join!(a.create(new_execution("one")), b.create(new_execution("two")));
    let (one, two) = (one.unwrap(), two.unwrap());
    for n in 3..20 {
        let (x, y) =
            tokio::join!(a.append(one, step(n, Value::from(n)), None), b.append(two, step(n, Value::from(n)), None));
        x.and(y).unwrap();
    }
    // One execution that goes from hand to hand: no number is given twice.
    for n in 20..30 {
        let journal = if n % 2 == 0 { &a } else { &b };
        journal.append(one, step(n, Value::from("same")), None).await.unwrap();
    }
    assert_eq!(ids(&b, one).await, (1..30).collect::<Vec<_>>());
    // Who has not seen what the other wrote is refused.
    let error = b.append(one, step(29, Value::Null), None).await.unwrap_err();
    assert!(matches!(error, JournalError::OutOfOrder { expected: 30, found: 29, .. }), "{error}");
    let (record, outcome) = last(30);
    a.append(one, record, Some(&outcome)).await.unwrap();
    let error = b.append(one, step(31, Value::Null), None).await.unwrap_err();
    assert!(matches!(error, JournalError::Ended { .. }), "{error}");
    // Only a redrive goes on with what has ended, and once.
    let redrive = |id| Record { inputs: vec![Input::Redrive], ..step(id, Value::Null) };
    b.append(one, redrive(31), None).await.unwrap();
    let row = a.executions(&Filter::default()).await.unwrap().into_iter().find(|row| row.id == one).unwrap();
    assert_eq!((row.status, row.redrive_count, row.stopped, &row.error), (Status::Running, 1, None, &None));
    assert_eq!(row.redriven, Some(redrive(31).now));
    let error = a.append(one, redrive(31), None).await.unwrap_err();
    assert!(matches!(error, JournalError::OutOfOrder { expected: 32, found: 31, .. }), "{error}");
    a.append(one, step(32, Value::Null), None).await.unwrap();
    let (record, outcome) = last(33);
    a.append(one, record, Some(&outcome)).await.unwrap();
    let row = b.executions(&Filter::default()).await.unwrap().into_iter().find(|row| row.id == one).unwrap();
    assert_eq!((row.status, row.redrive_count, row.last_event), (Status::Failed, 1, 33));
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn what_is_made_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("project/.asl");
    let path = ours.join("asl.db");
    let journal = open(&path).await;
    journal.create(new_execution("one")).await.unwrap();
    assert_eq!(mode(&ours), 0o700);
    for file in ["asl.db", "asl.db-wal", "asl.db-shm"] {
        assert_eq!(mode(&ours.join(file)), 0o600, "{file}");
    }
    assert_eq!(std::fs::read_to_string(ours.join(".gitignore")).unwrap(), "*\n");
    journal.close().await;
    // What an older version made is brought to that; what somebody put there stays.
    set_mode(&ours, 0o755);
    set_mode(&path, 0o644);
    std::fs::write(ours.join(".gitignore"), "mine\n").unwrap();
    open(&path).await.close().await;
    assert_eq!((mode(&ours), mode(&path)), (0o700, 0o600));
    assert_eq!(std::fs::read_to_string(ours.join(".gitignore")).unwrap(), "mine\n");
    // Elsewhere a file has the mode that its owner gave it.
    let shared = folder.path().join("shared.db");
    open(&shared).await.close().await;
    assert_eq!(mode(&shared), 0o600);
    set_mode(&shared, 0o660);
    open(&shared).await.close().await;
    assert_eq!(mode(&shared), 0o660);
    assert!(!folder.path().join(".gitignore").exists());
}

#[tokio::test]
async fn what_names_no_file_is_refused_everywhere_alike() {
    for name in ["", ":memory:", ":other", "file:a.db", "file::memory:?cache=shared", "file:///tmp/a.db?mode=ro"] {
        let read_only = Journal::open_read_only(Path::new(name), Options::default()).await;
        for error in [try_open(Path::new(name)).await.unwrap_err(), read_only.unwrap_err()] {
            assert!(matches!(&error, JournalError::NoFile { .. }), "{name}: {error}");
            assert!(error.to_string().ends_with("names no file"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_file_has_one_name_and_that_it_is_gone_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("a.db"), folder.path().join("link.db"));
    let journal = open(&path).await;
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let (linked, reader) = (open(&link).await, Journal::open_read_only(&link, Options::default()).await.unwrap());
    assert_eq!((linked.file(), reader.file()), (journal.file(), journal.file()));
    assert!(journal.file().is_absolute() && linked.path() == link);

    let mut watcher = journal.watcher().await.unwrap();
    watcher.changed().await.unwrap();
    std::fs::rename(&path, folder.path().join("moved.db")).unwrap();
    let error = watcher.changed().await.unwrap_err().to_string();
    assert!(error.contains("a.db was deleted or moved away while it was in use"), "{error}");
    std::fs::write(&path, "").unwrap();
    let error = watcher.changed().await.unwrap_err().to_string();
    assert!(error.contains("a.db was replaced by another file while it was in use"), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(folder.path().join("moved.db"), &path).unwrap();
    watcher.changed().await.unwrap();
}

#[tokio::test]
async fn a_log_that_a_reader_holds_is_told_and_cut_when_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let log = || std::fs::metadata(folder.path().join("a.db-wal")).map_or(0, |log| log.len());
    let options = Options { durability: asl_journal::Durability::Normal, ..Options::default() };
    let journal = own(Journal::open(&path, options).await.unwrap()).await;
    let watcher = journal.watcher().await.unwrap();
    let id = journal.create(new_execution("one")).await.unwrap();
    let mut reader = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM execution;").execute(&mut reader).await.unwrap();
    for n in 0..9 {
        journal.append(id, step(3 + n, Value::from("x".repeat(4 << 20))), None).await.unwrap();
    }
    let told = watcher.tend_log().await.unwrap();
    assert!(told.is_some_and(|bytes| bytes > 32 << 20 && bytes == log()), "{told:?} of {}", log());
    sqlx::raw_sql("ROLLBACK").execute(&mut reader).await.unwrap();
    assert_eq!(watcher.tend_log().await.unwrap(), None);
    assert_eq!(log(), 0, "nobody wrote meanwhile");
}

#[tokio::test]
async fn a_name_that_several_have_is_not_guessed() {
    let journal = common::memory().await;
    for machine in ["a", "b"] {
        journal.create(common::new_of("same", machine, "{}")).await.unwrap();
    }
    let arns: Vec<String> = journal.executions(&Filter::default()).await.unwrap().into_iter().map(|x| x.arn).collect();
    assert_eq!(arns.len(), 2);
    match journal.execution("same").await {
        Err(JournalError::Ambiguous { name, candidates }) => assert_eq!((name.as_str(), &candidates), ("same", &arns)),
        other => panic!("{other:?}"),
    }
    for arn in arns {
        assert_eq!(journal.execution(&arn).await.unwrap().unwrap().arn, arn);
    }
}
