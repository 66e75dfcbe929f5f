//! The law of the machine: run straight, run with a crash after every record and resumed, replayed from zero: the same
//! bytes. Over random definitions, inputs and answers. `ASL_CASES=100000 cargo test -p asl-sim --test law` tries more.

use asl_core::Input;
use asl_journal::{Definition, Durability, Journal, NewExecution, Options, Record};
use asl_sim::{Dice, Row, Scenario, Sim, Store, Weather};
use proptest::prelude::*;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use std::sync::Arc;

fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("ASL_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(usual),
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..160)
}

/// Straight on, and with a crash after every record.
fn both(scenario: &Scenario) -> (Store, Store) {
    let [straight, crashed] = [Weather::Calm, Weather::CrashAfterEachRecord].map(|weather| {
        let report = Sim::new(scenario, weather, 0).run();
        assert!(report.broken.is_empty(), "{weather:?}: {:?}\n{}", report.broken, scenario.text);
        report.store
    });
    (straight, crashed)
}

/// A child of a Distributed Map that was stopped. A crash between the record that gives it up and the stop lets it run to
/// an end of its own, so it is not compared.
fn is_given_up(row: &Row) -> bool {
    let inputs = row.records.iter().flat_map(|record| &record.inputs);
    let parentless = |input: &Input| matches!(input, Input::Stop(failure) if failure.error.is_none());
    inputs.into_iter().any(parentless)
}

/// The same to the letter; else the first record that differs.
fn same(scenario: &Scenario, left: &[Record], right: &[Record]) -> Result<(), TestCaseError> {
    let letters = |record: Option<&Record>| format!("{record:?}");
    for n in 0..left.len().max(right.len()) {
        let (left, right) = (letters(left.get(n)), letters(right.get(n)));
        prop_assert!(left == right, "record {n} differs:\n  {left}\n  {right}\n{}", scenario.text);
    }
    Ok(())
}

/// What the machine makes of the inputs alone.
fn again(row: &Row, records: &[Record]) -> Vec<Record> {
    let mut machine = asl_core::Machine::new(row.definition.clone());
    let again = records.iter().map(|record| {
        for input in &record.inputs {
            machine.handle(input.clone(), record.now).expect("a recorded input is taken");
        }
        let steps = machine.run(record.now, record.steps).steps;
        Record { now: record.now, inputs: record.inputs.clone(), steps, events: machine.take_effects().events }
    });
    again.collect()
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn straight_crashed_and_replayed_are_the_same(bytes in bytes()) {
        let scenario = Scenario::roll(&mut Dice::of_bytes(bytes), 2);
        let (straight, crashed) = both(&scenario);
        if !straight.rows().iter().any(is_given_up) {
            prop_assert_eq!(straight.rows().len(), crashed.rows().len(), "{}", scenario.text);
        }
        for row in straight.rows() {
            if !is_given_up(row) {
                same(&scenario, &row.records, of(&crashed, row))?;
            }
            same(&scenario, &row.records, &again(row, &row.records))?;
        }
    }
}

proptest! {
    #![proptest_config(cases(60))]

    /// The same with the journal's own bytes: rows as they are on disk, written, read back and replayed.
    #[test]
    fn the_rows_on_disk_are_the_same(bytes in bytes()) {
        let scenario = Scenario::roll(&mut Dice::of_bytes(bytes), 1);
        let (straight, crashed) = both(&scenario);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for row in straight.rows().iter().filter(|row| !is_given_up(row)) {
            let [first, second] = [&row.records, of(&crashed, row)].map(|records| runtime.block_on(on_disk(row, records)));
            prop_assert_eq!(&first, &second);
        }
    }
}

/// The records of the same execution in another store.
fn of<'s>(store: &'s Store, row: &Row) -> &'s [Record] {
    let found = store.find(&row.execution.arn).unwrap_or_else(|| panic!("{} is not there", row.execution.arn));
    &store.row(found).records
}

type DiskRow = (i64, i64, i64, i64, String, i64);

/// Writes a history, reads it back, replays that from zero and writes what came of it: the rows.
async fn on_disk(row: &Row, records: &[Record]) -> Vec<DiskRow> {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first.db", "second.db"].map(|name| folder.path().join(name));
    let read_back = write(&first, row, records).await;
    assert_eq!(format!("{read_back:?}"), format!("{records:?}"));
    write(&second, row, &again(row, &read_back)).await;
    read(&second).await
}

async fn write(path: &Path, row: &Row, records: &[Record]) -> Vec<Record> {
    let options = Options { durability: Durability::Normal, ..Options::default() };
    let journal = Journal::open(path, options).await.unwrap();
    let worker = asl_journal::NewWorker {
        what: "law".into(),
        process: 1,
        lock: None,
        beat: 1,
        lease_ms: 30_000,
        gone: Vec::new(),
    };
    let journal = journal.as_worker(journal.register(worker).await.unwrap());
    let text = row.definition.source.clone();
    let definition = Definition { hash: "hash".into(), name: "machine".into(), text };
    let outcome = |n: usize| (n + 1 == records.len()).then(|| row.outcome.clone()).flatten();
    let new = NewExecution {
        definition: Arc::new(definition),
        execution: Arc::new(row.execution.clone()),
        record: records[0].clone(),
        outcome: outcome(0),
        started_as: None,
    };
    let id = journal.create(new).await.unwrap();
    for (n, record) in records.iter().enumerate().skip(1) {
        journal.append(id, record.clone(), outcome(n).as_ref()).await.unwrap();
    }
    let read_back = journal.records(id).await.unwrap();
    journal.close().await;
    read_back
}

async fn read(path: &Path) -> Vec<DiskRow> {
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let sql = "SELECT execution, number, first_event, event_count, body, checksum FROM journal ORDER BY position";
    sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
}
