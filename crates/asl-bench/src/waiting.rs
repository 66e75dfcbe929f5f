//! Executions that wait: what each costs in memory and on disk, and how long a restart takes to have them all again.

use crate::Bench;
use crate::durable::runtime;
use crate::machine::definition;
use crate::measure::status_bytes;
use crate::report::Figure;
use asl_engine::{Engine, StartExecution};
use asl_journal::{Journal, Options};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("waiting", || [10_000, 100_000].into_iter().flat_map(waiting).collect())];

/// How many are started at once.
const LANES: usize = 256;

async fn engine(file: &Path) -> Engine {
    let journal = Journal::open(file, Options::default()).await.expect("opens");
    Engine::builder(journal).build()
}

/// Returns when all executions are left in the journal until their time comes.
async fn all_wait(engine: &Engine, count: usize) {
    while engine.load() != (0, count) || engine.due() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn start_all(engine: &Engine, count: usize) {
    let wait =
        definition(&json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86400, "End": true}}}));
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..LANES {
        let (engine, wait) = (engine.clone(), Arc::clone(&wait));
        lanes.spawn(async move {
            for _ in (lane..count).step_by(LANES) {
                let input = r#"{"customerId": "cust-00017", "fareId": "fare-000042", "fareAmount": 1249}"#;
                let start = StartExecution { definition: wait.clone(), state_machine: "wait", name: None, input };
                engine.start(start).await.expect("starts");
            }
        });
    }
    lanes.join_all().await;
}

fn waiting(count: usize) -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let file = folder.path().join("asl.db");
    runtime().block_on(async {
        let first = engine(&file).await;
        // What every engine has, whatever it runs.
        start_all(&first, LANES).await;
        all_wait(&first, LANES).await;
        let before = status_bytes("VmRSS:").unwrap_or(0);
        start_all(&first, count).await;
        all_wait(&first, LANES + count).await;
        let after = status_bytes("VmRSS:").unwrap_or(0);
        first.shutdown().await.expect("stops");
        first.journal().clone().close().await;
        let disk = std::fs::metadata(&file).map_or(0, |file| file.len());

        let start = Instant::now();
        let second = engine(&file).await;
        second.resume().await.expect("resumes");
        all_wait(&second, LANES + count).await;
        let recovered = start.elapsed().as_secs_f64();
        second.shutdown().await.expect("stops");
        let of = |what: &str| format!("waiting, {count}: {what}");
        vec![
            Figure::lower(of("memory for each"), after.saturating_sub(before) as f64 / count as f64, "bytes")
                .goal(500.0, 200.0),
            Figure::lower(of("disk for each"), disk as f64 / (LANES + count) as f64, "bytes"),
            Figure::lower(of("until a restart has them"), recovered, "s"),
        ]
    })
}
