//! The store: events appended by many executions at once, beside SQLite without anything of ours.

use crate::Bench;
use crate::load::{INPUT, runtime};
use crate::machine::definition;
use crate::measure::{io_bytes, median};
use crate::report::Figure;
use asl_core::{Execution, ExecutionType, Input, Machine, TaskId};
use asl_expr::Timestamp;
use asl_journal::{Definition, Journal, NewExecution, Options, Record};
use asl_value::Value;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("durable.append", || [1, 64, 1024].into_iter().flat_map(append).collect())];

/// How many records each execution writes.
pub(crate) const RECORDS: usize = 40;

/// A loop around a function, as its records: what went in and what came of it, and the events.
pub(crate) fn records() -> (Arc<Definition>, Execution, Vec<Record>) {
    let text = json!({"StartAt": "Step", "States": {
        "Step": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Step", "ResultPath": "$.step", "Next": "Step",
                 "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "End"}]},
        "End": {"Type": "Succeed"},
    }});
    let loaded = definition(&text);
    let now = Timestamp::from_millis(1_767_225_600_000);
    let input: Value = INPUT.parse().expect("JSON");
    let execution = Execution {
        arn: "".into(),
        name: "".into(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:bench".into(),
        state_machine_name: "bench".into(),
        role_arn: "arn:aws:iam::000000000000:role/bench".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: 1,
        token_key: None,
        input_text: input.to_string().into(),
        input,
    };
    let mut machine = Machine::new(loaded);
    let answer: Value =
        r#"{"chargeId": "ch_8Jx0QmZr5TgWc3LpVn7YkBd2A", "chargeToken": "tok_f4Kq9", "fareAmount": 1249}"#
            .parse()
            .expect("JSON");
    let mut records = Vec::new();
    for number in 0..RECORDS as u64 {
        let input = match number {
            0 => Input::Start(Box::new(execution.clone())),
            n => Input::TaskSucceeded { task: TaskId(n), output: answer.clone() },
        };
        machine.handle(input.clone(), now).expect("the task waits");
        let step = machine.run(now, 1_000);
        records.push(Record { now, inputs: vec![input], steps: step.steps, events: machine.take_effects().events });
    }
    let stored = Definition { hash: "bench".into(), name: "bench".into(), text: text.to_string().into() };
    (Arc::new(stored), execution, records)
}

pub(crate) fn new(number: usize, definition: &Arc<Definition>, execution: &Execution, record: &Record) -> NewExecution {
    let name = format!("execution-{number:08}");
    let execution = Execution {
        arn: format!("arn:aws:states:us-east-1:000000000000:execution:bench:{name}").into(),
        name: name.into(),
        ..execution.clone()
    };
    NewExecution {
        definition: definition.clone(),
        execution: Arc::new(execution),
        record: record.clone(),
        outcome: None,
        started_as: None,
    }
}

/// What a run through the store came to.
struct Written {
    seconds: f64,
    events: usize,
    records: usize,
    disk_bytes: u64,
}

/// `flight` executions append at once, each waiting for its commit, until `rounds` of them are through.
async fn through_the_journal(folder: &Path, flight: usize, rounds: usize) -> Written {
    let (definition, execution, records) = records();
    let journal = Journal::open(&folder.join("journal.db"), Options::default()).await.expect("opens");
    let worker = asl_journal::NewWorker {
        what: "bench".into(),
        process: 1,
        lock: None,
        beat: 1,
        lease_ms: 30_000,
        gone: Vec::new(),
    };
    let journal = journal.as_worker(journal.register(worker).await.expect("registered"));
    let records = Arc::new(records);
    // Named in the order of their creation, as the engine names them.
    let created = Arc::new(AtomicUsize::new(0));
    let (start, io) = (Instant::now(), io_bytes());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..flight {
        let (journal, definition, execution, records, created) =
            (journal.clone(), definition.clone(), execution.clone(), records.clone(), created.clone());
        tasks.spawn(async move {
            for _ in 0..rounds {
                let number = created.fetch_add(1, Ordering::Relaxed);
                let first = new(number, &definition, &execution, &records[0]);
                let id = journal.create(first).await.expect("created");
                for record in &records[1..] {
                    journal.append(id, record.clone(), None).await.expect("appended");
                }
            }
        });
    }
    tasks.join_all().await;
    let seconds = start.elapsed().as_secs_f64();
    let disk_bytes = io_bytes() - io;
    journal.close().await;
    let events = records.iter().map(|r| r.events.len()).sum::<usize>();
    Written { seconds, events: events * flight * rounds, records: RECORDS * flight * rounds, disk_bytes }
}

/// The bytes that a record's row holds, on average, as they are in the file.
fn body_bytes(folder: &Path) -> u32 {
    let db = rusqlite::Connection::open(folder.join("journal.db")).expect("opens");
    db.query_row("SELECT CAST(avg(length(CAST(body AS BLOB))) AS INTEGER) FROM journal", (), |row| row.get(0))
        .expect("rows")
}

/// The ceiling: rows of `bytes` bytes, `flight` of them in each commit.
fn raw_rows(folder: &Path, bytes: usize, flight: usize, commits: usize) -> f64 {
    let mut db = rusqlite::Connection::open(folder.join("raw.db")).expect("opens");
    db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    db.pragma_update(None, "synchronous", "FULL").expect("FULL");
    db.execute("CREATE TABLE IF NOT EXISTS row (position INTEGER PRIMARY KEY, body TEXT NOT NULL)", ())
        .expect("a table");
    let body = "x".repeat(bytes);
    let start = Instant::now();
    for _ in 0..commits {
        let tx = db.transaction().expect("begins");
        let mut insert = tx.prepare("INSERT INTO row (body) VALUES (?)").expect("prepares");
        for _ in 0..flight {
            insert.execute([&body]).expect("inserts");
        }
        drop(insert);
        tx.commit().expect("commits");
    }
    (flight * commits) as f64 / start.elapsed().as_secs_f64()
}

/// How many executions each lane writes in a round, and how many rounds there are: shorter and more where fewer are in flight,
/// for there a moment in which the disk is slow is most of a round. Long enough that the log has reached its size early on:
/// while it grows, ours and the ceiling measure the file system.
fn size(flight: usize) -> (usize, usize) {
    match flight {
        1 => (12, 11),
        64 => (12, 7),
        _ => (4, 5),
    }
}

/// Ours and the ceiling take turns, each in a new file. The bytes of a row are those that ours turned out to have.
fn append(flight: usize) -> Vec<Figure> {
    let (executions, rounds) = size(flight);
    let round = |_| {
        let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
        let written = runtime().block_on(through_the_journal(folder.path(), flight, executions));
        let bytes = body_bytes(folder.path());
        let raw = raw_rows(folder.path(), bytes as usize, flight, written.records / flight);
        (written, raw, bytes)
    };
    let rounds: Vec<(Written, f64, u32)> = (0..rounds).map(round).collect();
    let pair = |(written, raw, _): &(Written, f64, u32)| {
        let per_record = written.events as f64 / written.records as f64;
        (written.events as f64 / written.seconds, raw * per_record)
    };
    let mut rates: Vec<f64> = rounds.iter().map(|round| pair(round).0).collect();
    let mut figures = vec![
        Figure::higher(format!("durable append, {flight} in flight"), median(&mut rates), "events/s")
            .under(rounds.iter().map(pair), "raw SQLite group commit of the same bytes")
            .ratio_goal(0.6, 0.8),
    ];
    if flight == 1024 {
        let sum =
            |of: fn(&Written, u32) -> f64| rounds.iter().map(|(written, _, bytes)| of(written, *bytes)).sum::<f64>();
        let disk = sum(|written, _| written.disk_bytes as f64);
        let payload = sum(|written, bytes| f64::from(bytes) * written.records as f64);
        let events = sum(|written, _| written.events as f64);
        figures.push(Figure::lower("bytes to disk / payload bytes", disk / payload, "x").goal(5.0, 3.0));
        figures.push(Figure::lower("bytes to disk for each event", disk / events, "bytes"));
    }
    figures
}

/// How long the disk takes to keep a block: milliseconds, the median of a hundred.
pub(crate) fn fdatasync_ms(folder: &Path) -> f64 {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(folder.join("sync")).expect("a file");
    file.write_at(&[0; 1 << 20], 0).expect("written");
    file.sync_all().expect("synced");
    let mut times: Vec<f64> = (0..100)
        .map(|n| {
            let start = Instant::now();
            file.write_at(&[1; 4096], n * 4096).expect("written");
            file.sync_data().expect("synced");
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    median(&mut times)
}
