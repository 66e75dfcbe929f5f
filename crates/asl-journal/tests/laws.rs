//! Laws: what is written is read; the view shows every event.

mod common;

use asl_core::event::{EventKind, Failure, Family, TaskStage};
use asl_core::{Event, Input};
use asl_expr::Timestamp;
use asl_journal::Kept;
use asl_value::{Map, Value};
use common::{NOW_MS, history, json, kept, new_of, open, step, store};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::{Connection, SqliteConnection};

/// A record as text.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    body: Body<'a>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    inputs: Vec<&'a RawValue>,
    #[serde(borrow)]
    events: Vec<Vec<&'a RawValue>>,
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(records in history()) {
        block_on(async {
            let journal = common::memory().await;
            let id = store(&journal, "one", &records).await;
            let read = journal.records(id).await.unwrap();
            // Equal as values, and to the letter.
            assert_eq!(format!("{read:?}"), format!("{records:?}"));
        });
    }

    #[test]
    fn what_is_kept_is_read(records in history()) {
        let read = Kept::parse(&kept(records.clone())).unwrap().records;
        assert_eq!(format!("{read:?}"), format!("{records:?}"));
    }

    /// Reading is serde's, writing is ours: that goes well as long as serde would write the same.
    #[test]
    fn what_is_written_is_what_serde_writes(records in history()) {
        let text = kept(records);
        let (_, lines) = text.split_once('\n').unwrap();
        for line in serde_json::Deserializer::from_str(lines).into_iter::<Line<'_>>() {
            let line = line.unwrap();
            for text in line.body.inputs {
                let input: Input<u64> = serde_json::from_str(text.get()).unwrap();
                assert_eq!(serde_json::to_string(&input).unwrap(), text.get());
            }
            for parts in line.body.events {
                let kind: EventKind<u64> = serde_json::from_str(parts[1].get()).unwrap();
                assert_eq!(serde_json::to_string(&kind).unwrap(), parts[1].get());
            }
        }
    }

    #[test]
    fn the_view_shows_every_event(records in history()) {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.db");
            let journal = open(&path).await;
            store(&journal, "one", &records).await;
            journal.close().await;
            let events: Vec<Event> = records.into_iter().flat_map(|record| record.events).collect();
            compare(&path, &events).await;
        });
    }
}

async fn compare(path: &std::path::Path, events: &[Event]) {
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let sql = "SELECT execution, id, previous, type, timestamp, details FROM history ORDER BY id";
    let rows: Vec<(String, i64, i64, String, String, String)> = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
    assert_eq!(rows.len(), events.len());
    for ((execution, id, previous, kind, timestamp, details), event) in rows.into_iter().zip(events) {
        assert_eq!((execution.as_str(), id as u64, previous as u64), ("one", event.id, event.previous));
        assert_eq!(kind, event.type_name());
        assert_eq!(Timestamp::parse(&timestamp), Ok(event.timestamp), "{timestamp}");
        assert_eq!(json(&details), Value::from(expected(&event.kind)), "{kind}");
    }
}

/// The details of an event as the view shows them.
fn expected(kind: &EventKind) -> Map {
    let mut out = Map::new();
    match kind {
        EventKind::ExecutionStarted { input, role_arn } => {
            out.insert("input", input.parse().unwrap_or_else(|_| Value::from(input)));
            out.insert("role_arn", role_arn);
        }
        EventKind::ExecutionSucceeded { output } => drop(out.insert("output", output.clone())),
        EventKind::ExecutionFailed(f)
        | EventKind::ExecutionAborted(f)
        | EventKind::ExecutionTimedOut(f)
        | EventKind::MapRunFailed(f) => fail(&mut out, f),
        EventKind::StateEntered { state, name, input } => {
            out.insert("state", state.name());
            out.insert("name", name);
            out.insert("input", input.clone());
        }
        EventKind::StateExited { state, name, output, assigned } => {
            out.insert("state", state.name());
            out.insert("name", name);
            out.insert("output", output.clone());
            if !assigned.is_empty() {
                out.insert("assigned", assigned.iter().cloned().collect::<Map>());
            }
        }
        EventKind::StateAborted(state) => drop(out.insert("state", state.name())),
        EventKind::ParallelStateStarted
        | EventKind::ParallelStateSucceeded
        | EventKind::ParallelStateFailed
        | EventKind::MapStateSucceeded
        | EventKind::MapStateFailed
        | EventKind::MapRunSucceeded
        | EventKind::MapRunAborted => {}
        EventKind::MapStateStarted { length } => drop(out.insert("length", *length)),
        EventKind::MapIteration { stage, name, index } => {
            out.insert("stage", format!("{stage:?}"));
            out.insert("name", name);
            out.insert("index", *index);
        }
        EventKind::MapRunStarted { arn } => drop(out.insert("arn", arn)),
        EventKind::ExecutionRedriven { redrive_count } => drop(out.insert("redrive_count", *redrive_count)),
        EventKind::MapRunRedriven { arn, redrive_count } => {
            out.insert("arn", arn);
            out.insert("redrive_count", *redrive_count);
        }
        EventKind::Task { family, stage } => task(&mut out, family, stage),
        EventKind::EvaluationFailed { failure, location, state } => {
            fail(&mut out, failure);
            out.insert("location", location);
            out.insert("state", state);
        }
    }
    out
}

fn fail(out: &mut Map, failure: &Failure) {
    for (key, text) in [("error", &failure.error), ("cause", &failure.cause)] {
        if let Some(text) = text {
            out.insert(key, text);
        }
    }
}

fn task(out: &mut Map, family: &Family, stage: &TaskStage) {
    match family {
        Family::Service { resource_type, resource } => {
            out.insert("resource_type", resource_type);
            out.insert("resource", resource);
        }
        Family::Lambda => drop(out.insert("family", "lambda")),
        Family::Activity => drop(out.insert("family", "activity")),
    }
    match stage {
        TaskStage::Scheduled(scheduled) => {
            out.insert("resource_or_region", &scheduled.resource_or_region);
            out.insert("parameters", scheduled.parameters.clone());
            let seconds = [("timeout_seconds", scheduled.timeout_seconds)];
            for (key, n) in seconds.into_iter().chain([("heartbeat_seconds", scheduled.heartbeat_seconds)]) {
                if let Some(n) = n {
                    out.insert(key, n);
                }
            }
            if let Some(role) = &scheduled.role_arn {
                out.insert("role_arn", role);
            }
        }
        TaskStage::Started { worker: Some(worker) } => drop(out.insert("worker", worker)),
        TaskStage::Started { worker: None } => {}
        TaskStage::Submitted { output } | TaskStage::Succeeded { output } => drop(out.insert("output", output.clone())),
        TaskStage::Failed(f)
        | TaskStage::TimedOut(f)
        | TaskStage::ScheduleFailed(f)
        | TaskStage::StartFailed(f)
        | TaskStage::SubmitFailed(f) => fail(out, f),
    }
}

#[test]
fn a_payload_is_stored_once_in_an_execution() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let journal = open(&path).await;
        let text = format!("{{\"text\":\"{}\"}}\n", "x".repeat(10_000));
        let id = journal.create(new_of("one", "fare", &text)).await.unwrap();
        let document = json(&text);
        for n in 3..40 {
            journal.append(id, step(n, document.clone()), None).await.unwrap();
        }
        journal.close().await;
        let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        let sum: i64 = sqlx::query_scalar("SELECT sum(length(body)) FROM journal").fetch_one(&mut conn).await.unwrap();
        // Once as the input, and once as the document, another node with the same text.
        assert!((20_000..30_000).contains(&sum), "{sum}");
    });
}

#[test]
fn times_are_kept_to_the_nanosecond() {
    block_on(async {
        let journal = common::memory().await;
        let mut new = new_of("one", "fare", "{}");
        new.record.now = "2024-02-29T12:00:00.000000001Z".parse().unwrap();
        let id = journal.create(new.clone()).await.unwrap();
        assert_eq!(journal.records(id).await.unwrap(), [new.record]);
        let header = journal.execution("one").await.unwrap().unwrap();
        assert_eq!(header.started, Timestamp::from_millis(NOW_MS + 1));
    });
}

#[test]
fn payloads_at_the_edges_of_json_are_kept() {
    let deep = format!("{}{}", "[".repeat(asl_value::MAX_DEPTH), "]".repeat(asl_value::MAX_DEPTH));
    let digits = "123456789".repeat(40);
    let long = Value::from("\u{0}\u{7f}\u{2028}\u{10ffff}\"\\".repeat(30_000));
    for text in [deep, format!("[{digits},-{digits},1.0E300,5E-324,-0.0]"), long.to_string()] {
        block_on(async {
            let journal = common::memory().await;
            let new = new_of("one", "fare", &text);
            let id = journal.create(new.clone()).await.unwrap();
            journal.append(id, step(3, json(&text)), None).await.unwrap();
            let read = journal.records(id).await.unwrap();
            assert_eq!(format!("{read:?}"), format!("{:?}", [new.record, step(3, json(&text))]));
        });
    }
}
