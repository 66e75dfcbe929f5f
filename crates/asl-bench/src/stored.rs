//! Growth of the store by what an execution is itself: what an event costs in histories of 100, 1,000 and 10,000, and what a
//! kilobyte costs in documents of 1, 10 and 100. The work is the same at each size, cut into fewer and larger pieces.

use crate::Bench;
use crate::growth::sized;
use crate::load::{Amount, builder, close, in_flight, run, runtime, saga, settled, starts};
use crate::machine::{definition, document_of};
use crate::measure::{ROUNDS, io_bytes};
use crate::report::Figure;
use asl_core::Failure;
use asl_engine::{Engine, EngineBuilder};
use asl_journal::Filter;
use asl_syntax::Definition;
use asl_value::{Step, Value};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("growth.history", histories), ("growth.stored-document", documents)];

/// `N` costs at each of three sizes, which take turns: the rounds of each cost.
fn in_turns<const N: usize>(sizes: [u32; 3], mut costs: impl FnMut(u32) -> [f64; N]) -> [Vec<[f64; 3]>; N] {
    let rounds: [[[f64; N]; 3]; ROUNDS] = std::array::from_fn(|_| sizes.map(&mut costs));
    std::array::from_fn(|cost| rounds.iter().map(|round| round.map(|costs| costs[cost])).collect())
}

/// Events of a history.
const HISTORIES: [u32; 3] = [100, 1_000, 10_000];
/// Events that are written at each size.
const EVENTS: u32 = 40_000;
/// Executions at work at once; as many as there are of the longest.
const AT_ONCE: usize = (EVENTS / HISTORIES[2]) as usize;
/// Events of a round of the loop: two of the Choice, five of the function.
const ROUND: u32 = 7;

/// Counts from 0, calls a function until it has counted far enough, one commit for each call; then waits, so that a restart has to bring it
/// back.
fn long(events: u32) -> Arc<Definition> {
    let rounds = events / ROUND;
    definition(&json!({"StartAt": "Begin", "States": {
        "Begin": {"Type": "Pass", "Result": {"count": 0}, "Next": "More"},
        "More": {"Type": "Choice", "Choices": [{"Variable": "$.count", "NumericLessThan": rounds, "Next": "Count"}], "Default": "Wait"},
        "Count": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Count", "Next": "More"},
        "Wait": {"Type": "Wait", "Seconds": 86400, "End": true},
    }}))
}

async fn count(event: Value) -> Result<Value, Failure> {
    let count = event["count"].as_i64().unwrap_or(0);
    Ok(asl_value::Map::from_iter([("count", Value::from(count + 1))]).into())
}

/// An engine that counts, with so few at once that the number in flight is the same at each size.
async fn counting(file: &Path) -> EngineBuilder {
    builder(file).await.function("Count", count).max_active(AT_ONCE)
}

fn histories() -> Vec<Figure> {
    let [appended, read, recovered] = in_turns(HISTORIES, |events| {
        let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
        runtime().block_on(history(&folder.path().join("asl.db"), events))
    });
    let rows = |what, costs| sized(what, "events of an execution", "us", HISTORIES, costs);
    [rows("an event appended", appended), rows("an event read", read), rows("an event recovered", recovered)].concat()
}

/// What an event costs when it is written, when the history is read, and when the execution is brought back; microseconds.
async fn history(file: &Path, events: u32) -> [f64; 3] {
    let executions = (EVENTS / events) as usize;
    let (engine, definition) = (counting(file).await.build(), long(events));
    let begun = Instant::now();
    starts(&engine, &definition, AT_ONCE, Amount::Count(executions)).await;
    settled(&engine, executions).await;
    let appended = begun.elapsed();

    let rows = engine.store().executions(&Filter::default()).await.expect("executions");
    let (begun, mut total) = (Instant::now(), 0);
    for row in &rows {
        total += engine.history(&row.arn).await.expect("a history").len();
    }
    let read = begun.elapsed();
    close(engine).await;

    let begun = Instant::now();
    let engine = counting(file).await.build();
    engine.resume().await.expect("resumes");
    settled(&engine, executions).await;
    let recovered = begun.elapsed();
    close(engine).await;
    [appended, read, recovered].map(|time| time.as_secs_f64() * 1e6 / total as f64)
}

/// Kilobytes of a document.
const DOCUMENTS: [u32; 3] = [1, 10, 100];
/// Kilobytes that go through sagas at each size.
const KILOBYTES: u32 = 2_400;
/// Sagas at once: a third of those of the largest size.
const SAGAS: usize = 8;

/// A saga whose functions each write a number into the document that no other call writes, so no two of its states have the
/// same document.
fn documents() -> Vec<Figure> {
    let [time, disk] = in_turns(DOCUMENTS, |kilobytes| {
        let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
        runtime().block_on(async {
            let engine = stamping(&folder.path().join("asl.db")).await;
            let costs = through_sagas(&engine, kilobytes).await;
            close(engine).await;
            costs
        })
    });
    let rows = |what, unit, costs| sized(what, "KB of document", unit, DOCUMENTS, costs);
    [rows("a KB through a saga", "us", time), rows("disk for a KB through a saga", "bytes", disk)].concat()
}

async fn stamping(file: &Path) -> Engine {
    let calls = Arc::new(AtomicI64::new(0));
    let stamp = move |mut event: Value| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            event.set_path(&[Step::key("count")], Value::from(call)).expect("an order is an object");
            Ok(event)
        }
    };
    builder(file).await.function("Step", stamp).build()
}

/// What a kilobyte of document costs: microseconds, and bytes to disk.
async fn through_sagas(engine: &Engine, kilobytes: u32) -> [f64; 2] {
    let (definition, document): (_, Arc<str>) = (saga(), document_of(kilobytes).to_string().into());
    let total = f64::from(KILOBYTES) / f64::from(kilobytes) * document.len() as f64 / 1024.0;
    let io = io_bytes();
    let work = {
        let engine = engine.clone();
        move |_| {
            let (engine, definition, document) = (engine.clone(), definition.clone(), document.clone());
            async move { run(&engine, &definition, &document).await }
        }
    };
    let done = in_flight(SAGAS, Amount::Count((KILOBYTES / kilobytes) as usize), work).await;
    [done.seconds * 1e6 / total, (io_bytes() - io) as f64 / total]
}
