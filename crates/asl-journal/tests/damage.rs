//! Damage to the files: bytes that flip, ends that are cut off. What is read is what was written, or an error that says
//! where; never a panic, and never something else.

mod common;

use asl_core::{Failure, Input};
use asl_journal::{ExecutionId, Filter, Journal, JournalError, Options, Record, Records};
use asl_value::Value;
use common::{ids, new_execution, open, step};
use sqlx::{Connection, SqliteConnection};
use std::path::Path;

/// A database with two executions of a few records; closed, so all of it is in one file.
async fn written(path: &Path) -> Vec<(ExecutionId, Vec<Record>)> {
    let journal = open(path).await;
    let mut executions = Vec::new();
    for name in ["one", "two"] {
        let id = journal.create(new_execution(name)).await.unwrap();
        for n in 3..6 {
            let text = Value::from(format!("{name} é {n}"));
            journal.append(id, step(n, text), None).await.unwrap();
        }
        executions.push((id, journal.records(id).await.unwrap()));
    }
    journal.close().await;
    executions
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap()
}

#[track_caller]
fn names_its_place(error: &JournalError, id: ExecutionId, what: &str) {
    let JournalError::Corrupt { execution, record, .. } = error else { panic!("{what}: {error:?}") };
    assert_eq!(*execution, id, "{what}: {error}");
    let told = error.to_string();
    let name = if id.0 == 1 { "one" } else { "two" };
    assert!(
        told.contains(&format!("execution:fare:{name} is damaged")) && told.contains(&format!("record {record} of")),
        "{told}"
    );
}

/// Every bit of every body, one after the other.
#[tokio::test]
async fn every_flipped_bit_of_a_body_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (id, _) = written(&path).await[0];
    let journal = open(&path).await;
    let mut conn = connect(&path).await;
    let sql = "SELECT position, number, CAST(body AS BLOB) FROM journal WHERE execution = ? ORDER BY number";
    let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(sql).bind(id.0).fetch_all(&mut conn).await.unwrap();
    let update = "UPDATE journal SET body = CAST(? AS TEXT) WHERE position = ?";
    let mut flips = 0;
    for (position, number, body) in rows {
        for at in 0..body.len() {
            let mut flipped = body.clone();
            flipped[at] ^= 1 << (at % 8);
            sqlx::query(update).bind(&flipped).bind(position).execute(&mut conn).await.unwrap();
            let error = journal.records(id).await.unwrap_err();
            names_its_place(&error, id, &format!("byte {at} of record {number}"));
            assert!(
                matches!(error, JournalError::Corrupt { record, .. } if record == number.unsigned_abs()),
                "{error}"
            );
            flips += 1;
        }
        sqlx::query(update).bind(&body).bind(position).execute(&mut conn).await.unwrap();
    }
    eprintln!("{flips} flips");
    assert!(flips > 500, "{flips}");
    journal.records(id).await.unwrap();
}

/// Every bit of every number of a record.
#[tokio::test]
async fn every_flipped_bit_of_a_number_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (id, records) = written(&path).await.remove(0);
    let journal = open(&path).await;
    let mut conn = connect(&path).await;
    for column in ["number", "first_event", "event_count", "checksum"] {
        for record in 0..records.len() {
            let read = format!(
                "SELECT position, {column} FROM journal WHERE execution = 1 ORDER BY number LIMIT 1 OFFSET {record}"
            );
            let read = sqlx::AssertSqlSafe(read);
            let (position, value): (i64, i64) = sqlx::query_as(read).fetch_one(&mut conn).await.unwrap();
            let update = format!("UPDATE journal SET {column} = ? WHERE position = ?");
            for bit in 0..64 {
                let write = sqlx::query(sqlx::AssertSqlSafe(update.clone())).bind(value ^ (1 << bit)).bind(position);
                if write.execute(&mut conn).await.is_err() {
                    // Two records of one number: the database itself refuses.
                    continue;
                }
                let error = journal.records(id).await.unwrap_err();
                names_its_place(&error, id, &format!("bit {bit} of {column}"));
            }
            let restore = sqlx::query(sqlx::AssertSqlSafe(update)).bind(value).bind(position);
            restore.execute(&mut conn).await.unwrap();
        }
    }
    journal.records(id).await.unwrap();
}

/// Everything of one execution, or the first error.
async fn read_all(path: &Path) -> Result<Vec<(ExecutionId, Vec<Record>)>, JournalError> {
    let journal = Journal::open_read_only(path, Options::default()).await?;
    let mut read = Vec::new();
    for row in journal.executions(&Filter::default()).await?.into_iter().rev() {
        read.push((row.id, journal.records(row.id).await?));
    }
    journal.close().await;
    Ok(read)
}

/// The pages that hold records, as they are on disk: headers, cells, unused room. A flipped bit is found, or it is one
/// that carries no meaning.
#[tokio::test]
async fn a_flipped_bit_in_a_page_never_gives_other_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let executions = written(&path).await;
    let mut conn = connect(&path).await;
    let sql = "SELECT (rootpage - 1) * page_size, page_size FROM sqlite_master, pragma_page_size \
               WHERE name IN ('journal', 'latest') ORDER BY name";
    let pages: Vec<(i64, i64)> = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let file = std::fs::read(&path).unwrap();
    let copy = folder.path().join("copy.db");
    let mut kinds = Vec::new();
    for (page, size) in pages {
        let (mut found, mut harmless) = (0, 0);
        // The cells are at the end. Every eleventh byte takes seconds; with the bits that go round, all kinds of places are met.
        for at in (page..page + size).filter(|at| at % 11 == 0 || *at > page + size - 64) {
            let mut flipped = file.clone();
            flipped[at as usize] ^= 1 << (at % 8);
            std::fs::write(&copy, &flipped).unwrap();
            match read_all(&copy).await {
                Err(_) => found += 1,
                Ok(read) => {
                    assert_eq!(format!("{read:?}"), format!("{executions:?}"), "byte {at}");
                    harmless += 1;
                }
            }
        }
        eprintln!("{found} found, {harmless} harmless");
        kinds.push(found);
    }
    assert!(kinds[0] > 100 && kinds[1] > 10, "{kinds:?}");
}

/// A file that is cut off is an error at any length: with its path, or with what of it is missing.
#[tokio::test]
async fn a_database_that_is_cut_off_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let executions = written(&path).await;
    let file = std::fs::read(&path).unwrap();
    let copy = folder.path().join("copy.db");
    for length in (1..file.len()).step_by(509) {
        std::fs::write(&copy, &file[..length]).unwrap();
        match read_all(&copy).await {
            Err(error @ JournalError::Corrupt { execution, .. }) => names_its_place(&error, execution, "a cut"),
            Err(error) => assert!(error.to_string().contains("copy.db"), "{length}: {error}"),
            Ok(read) => assert_eq!(format!("{read:?}"), format!("{executions:?}"), "cut at {length}"),
        }
    }
}

/// A log whose end is torn, cut off or flipped: what is left is the beginning of the history, and goes on from there.
#[tokio::test]
async fn a_torn_log_gives_a_beginning_of_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let journal = open(&path).await;
    let (owner, id) = (journal.id(), journal.create(new_execution("one")).await.unwrap());
    // What is in the log by now goes to the file, so that only records are in the log.
    let mut conn = connect(&path).await;
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await.unwrap();
    for n in 3..9 {
        journal.append(id, step(n, Value::from(n)), None).await.unwrap();
    }
    let (file, log) = (std::fs::read(&path).unwrap(), std::fs::read(folder.path().join("a.db-wal")).unwrap());
    let copy = folder.path().join("copy.db");
    let mut lengths = Vec::new();
    for at in (0..log.len()).step_by(1021) {
        for torn in [log[..at].to_vec(), flip(&log, at)] {
            for end in ["-shm", "-wal"] {
                let _ = std::fs::remove_file(folder.path().join(format!("copy.db{end}")));
            }
            std::fs::write(&copy, &file).unwrap();
            std::fs::write(folder.path().join("copy.db-wal"), &torn).unwrap();
            let journal = common::try_open(&copy).await.unwrap().as_worker(owner);
            let read = ids(&journal, id).await;
            assert!(read.len() >= 2 && read == (1..=read.len() as u64).collect::<Vec<_>>(), "at {at}: {read:?}");
            let next = read.len() as u64 + 1;
            journal.append(id, step(next, Value::Null), None).await.unwrap();
            assert_eq!(ids(&journal, id).await.len() as u64, next);
            lengths.push(read.len());
            journal.close().await;
        }
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 4, "beginnings of all lengths: {lengths:?}");
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 0x10;
    flipped
}

/// What a restart reads at once: one that is damaged does not keep the others from going on.
#[tokio::test]
async fn many_executions_are_read_each_with_its_own_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let journal = open(&path).await;
    let mut executions = Vec::new();
    for name in ["one", "two", "three"] {
        let id = journal.create(new_execution(name)).await.unwrap();
        for n in 3..6 {
            journal.append(id, step(n, Value::from(n)), None).await.unwrap();
        }
        executions.push(id);
    }
    let [one, two, three] = executions[..] else { unreachable!() };
    let stop = || Input::Stop(Failure::default());
    for (to, at) in [(three, 1), (one, 2), (three, 3)] {
        journal.leave(to, stop(), at).await.unwrap();
    }
    let mut conn = connect(&path).await;
    let damage = "UPDATE journal SET body = replace(body, '4', '5') WHERE execution = ? AND previous IS NOT NULL";
    sqlx::query(damage).bind(two.0).execute(&mut conn).await.unwrap();

    let mut read = journal.recorded(&[three, ExecutionId(99), one, two], 2).await.unwrap();
    read.sort_by_key(|recorded| recorded.row.id);
    let whole = |records: &Result<Records, JournalError>| match records {
        Ok(Records::Whole(records)) => records.clone(),
        other => panic!("{other:?}"),
    };
    let [first, second, third] = &read[..] else { panic!("{read:?}") };
    assert_eq!((first.row.id, whole(&first.records)), (one, journal.records(one).await.unwrap()));
    assert_eq!((third.row.id, whole(&third.records)), (three, journal.records(three).await.unwrap()));
    let Err(error @ JournalError::Corrupt { execution, .. }) = &second.records else { panic!("{second:?}") };
    assert_eq!(*execution, two);
    assert!(error.to_string().contains("execution:fare:two is damaged"), "{error}");
    // The oldest two inputs; the third is read by whoever looks next.
    assert_eq!([first.signals.len(), second.signals.len(), third.signals.len()], [1, 0, 1]);
    assert_eq!(journal.signals(Some(three), 9).await.unwrap().len(), 2);
}
