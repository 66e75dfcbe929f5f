//! Durable executions from start to end: a saga of five steps, its functions in this process.

use crate::Bench;
use crate::durable::{fdatasync_ms, runtime};
use crate::machine::definition;
use crate::measure::{cpu_seconds, io_bytes, percentile};
use crate::report::Figure;
use asl_core::{Failure, Outcome};
use asl_engine::{Engine, StartExecution};
use asl_journal::{Journal, Options};
use asl_task::function::Handler;
use asl_value::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("saga", saga)];

struct Echo;

#[async_trait::async_trait]
impl Handler for Echo {
    async fn handle(&self, event: Value, _request_id: &str) -> Result<Value, Failure> {
        Ok(event)
    }
}

/// What running many sagas came to.
struct Ran {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
    disk_bytes: f64,
}

fn saga_definition() -> Arc<asl_syntax::Definition> {
    let step = |next: Option<&str>| {
        let mut state = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 60,
            "Parameters": {"FunctionName": "Step", "Payload.$": "$"}, "OutputPath": "$.Payload",
            "Retry": [{"ErrorEquals": ["Lambda.ServiceException"], "IntervalSeconds": 2, "MaxAttempts": 6}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Compensate"}],
        });
        match next {
            Some(next) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        state
    };
    definition(&json!({"StartAt": "Register", "States": {
        "Register": step(Some("Charge")), "Charge": step(Some("Credit")), "Credit": step(Some("Complete")),
        "Complete": step(Some("Notify")), "Notify": step(None),
        "Compensate": {"Type": "Fail", "Error": "Compensated"},
    }}))
}

async fn run(folder: &std::path::Path, flight: usize, count: usize) -> Ran {
    let journal = Journal::open(&folder.join("asl.db"), Options::default()).await.expect("opens");
    let engine = Engine::builder(journal.clone()).function("Step", Echo).build();
    let definition = saga_definition();
    let input = r#"{"customerId": "cust-00017", "fareId": "fare-000042", "fareAmount": 1249}"#;
    let left = Arc::new(AtomicUsize::new(count));
    let (start, cpu, io) = (Instant::now(), cpu_seconds(), io_bytes());
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..flight {
        let (engine, definition, left) = (engine.clone(), definition.clone(), left.clone());
        lanes.spawn(async move {
            let mut times = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                let begun = Instant::now();
                let start = StartExecution { definition: definition.clone(), state_machine: "saga", name: None, input };
                let started = engine.start(start).await.expect("starts");
                let outcome = engine.wait(&started.arn).await.expect("ends");
                assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
            times
        });
    }
    let mut times = lanes.join_all().await.concat();
    let seconds = start.elapsed().as_secs_f64();
    let (cpu, io) = (cpu_seconds() - cpu, io_bytes() - io);
    engine.shutdown().await.expect("shuts down");
    journal.close().await;
    Ran {
        per_second: count as f64 / seconds,
        p50_ms: percentile(&mut times, 0.5),
        p99_ms: percentile(&mut times, 0.99),
        cpu_ms: cpu * 1000.0 / count as f64,
        disk_bytes: io as f64 / count as f64,
    }
}

fn saga() -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut alone = 1.0;
    for (flight, count) in [(1, 300), (64, 4_000), (512, 10_000), (1024, 10_000)] {
        let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
        let disk_ms = fdatasync_ms(folder.path());
        let ran = runtime().block_on(run(folder.path(), flight, count));
        let of = |what: &str| format!("saga, {flight} in flight: {what}");
        let rate = Figure::higher(of("executions"), ran.per_second, "/s");
        let p50 = Figure::lower(of("p50"), ran.p50_ms, "ms");
        let cpu = Figure::lower(of("CPU for each"), ran.cpu_ms, "ms");
        match flight {
            1 => {
                alone = ran.per_second;
                figures.push(rate);
                // Six commits one after the other: the start, and each answer.
                figures.push(p50.ceiling(6.0 * disk_ms, "six fdatasyncs of 4 KiB").goal(4.0, 2.0));
                figures.push(cpu);
            }
            512 => {
                figures.push(rate.goal(2_000.0, 6_000.0));
                figures.push(p50);
                figures.push(cpu.goal(1.0, 0.3));
            }
            1024 => {
                figures.push(rate.ceiling(alone, "1 in flight").ratio_goal(10.0, 20.0));
                figures.push(p50);
                figures.push(cpu);
            }
            _ => figures.extend([rate, p50, cpu]),
        }
        figures.push(Figure::lower(of("p99"), ran.p99_ms, "ms"));
        figures.push(Figure::lower(of("disk for each"), ran.disk_bytes, "bytes"));
    }
    figures
}
