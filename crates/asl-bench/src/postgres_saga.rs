//! Whole executions on PostgreSQL: sagas by one worker and by four, and many that wait. `--db postgres://...`.

use crate::Bench;
use crate::load::{Amount, Echo, close, runs, runtime, saga, settled, starts, wait};
use crate::measure::{median, status_bytes};
use crate::postgres::Place;
use crate::process::all_said_by_a_copy;
use crate::report::Figure;
use asl_core::Failure;
use asl_engine::Engine;
use asl_journal::PgStore;
use asl_task::function::Handler;
use asl_value::Value;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[
    ("postgres.saga", || [(1, 100), (512, 4_000)].into_iter().flat_map(sagas).collect()),
    ("postgres.workers", || vec![workers()]),
    ("postgres.waiting", waiting),
];

const ROUNDS: usize = 3;
/// How many wait.
const WAITING: usize = 1_000_000;
/// The option by which a copy of this program is made a worker that takes them over.
const TAKES_OVER: &str = "--takes-over";

/// An engine over the store whose function `Step` is this.
pub(crate) fn engine(store: &PgStore, function: impl Handler + 'static) -> Engine {
    Engine::builder(std::sync::Arc::new(store.clone()) as std::sync::Arc<dyn asl_store::Store>)
        .function("Step", function)
        .build()
}

/// Groups and other transactions that a handle has committed.
fn committed(store: &PgStore) -> u64 {
    store.metrics().into_iter().filter(|(name, _)| matches!(*name, "groups" | "transactions")).map(|(_, n)| n).sum()
}

fn sagas((flight, count): (usize, usize)) -> Vec<Figure> {
    let rounds: Vec<[f64; 3]> = (0..ROUNDS)
        .map(|_| {
            runtime().block_on(async {
                let place = Place::new().await;
                let store = place.store().await;
                let engine = engine(&store, Echo);
                let definition = saga();
                runs(&engine, &definition, flight, Amount::Count(flight.min(64))).await;
                let before = committed(&store);
                let mut done = runs(&engine, &definition, flight, Amount::Count(count)).await;
                let trips = (committed(&store) - before) as f64 / count as f64;
                close(engine).await;
                place.drop().await;
                [done.per_second(), done.within_ms(0.5), trips]
            })
        })
        .collect();
    let of = |what: &str| format!("saga on PostgreSQL, {flight} in flight: {what}");
    let middle = |n: usize| median(&mut rounds.iter().map(|round| round[n]).collect::<Vec<_>>());
    let trips = Figure::lower(of("round trips for each"), middle(2), "");
    vec![
        Figure::higher(of("executions"), middle(0), "/s"),
        Figure::lower(of("p50"), middle(1), "ms"),
        if flight == 1 { trips.goal(7.0, 6.0) } else { trips.goal(1.0, 0.3) },
    ]
}

/// A function that takes its time without a processor.
struct Slow;

#[async_trait::async_trait]
impl Handler for Slow {
    async fn handle(&self, event: Value, _request_id: &str) -> Result<Value, Failure> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(event)
    }
}

/// Four workers beside one, each with 16 sagas in flight whose functions take 5 ms.
fn workers() -> Figure {
    let rate = |count: usize| {
        runtime().block_on(async {
            let place = Place::new().await;
            let (mut engines, definition) = (Vec::new(), saga());
            for _ in 0..count {
                engines.push(engine(&place.store().await, Slow));
            }
            let begun = Instant::now();
            let all = engines.iter().map(|engine| {
                let (engine, definition) = (engine.clone(), definition.clone());
                tokio::spawn(async move { runs(&engine, &definition, 16, Amount::Count(400)).await.count })
            });
            let mut done = 0;
            for one in all.collect::<Vec<_>>() {
                done += one.await.expect("runs");
            }
            let seconds = begun.elapsed().as_secs_f64();
            for engine in engines {
                close(engine).await;
            }
            place.drop().await;
            done as f64 / seconds
        })
    };
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (rate(4), rate(1))).collect();
    let mut rates: Vec<f64> = rounds.iter().map(|(four, _)| *four).collect();
    Figure::higher("sagas on PostgreSQL by four workers, functions of 5 ms", median(&mut rates), "/s")
        .under(rounds, "one worker")
        .ratio_goal(3.0, 3.8)
}

/// Many that wait for a day: what they take in the database, and how long a restart takes until it has them all again, and what
/// memory it has then: said by a copy of this program, which is the worker that takes them over.
fn waiting() -> Vec<Figure> {
    runtime().block_on(async {
        let mut place = Place::new().await;
        let store = place.store().await;
        let first = engine(&store, Echo);
        starts(&first, &wait(), 512, Amount::Count(WAITING)).await;
        settled(&first, WAITING).await;
        close(first).await;
        let bytes: i64 = place
            .ask("SELECT sum(pg_total_relation_size(oid))::int8 FROM pg_class WHERE relnamespace = '@'::regnamespace AND relkind = 'r'")
            .await;
        let said = all_said_by_a_copy([TAKES_OVER, &place.url()]);
        place.drop().await;
        let of = |what: &str| format!("{WAITING} waiting executions on PostgreSQL: {what}");
        vec![
            Figure::lower(of("database"), bytes as f64 / 1e9, "GB").goal(2.0, 1.3),
            Figure::lower(of("restart"), said[0], "s").goal(60.0, 20.0),
            Figure::lower(of("resident memory of a worker that has them"), said[1] / 1e6, "MB").goal(400.0, 250.0),
        ]
    })
}

/// Takes over what waits in the store of this URL; says how long that took, in seconds, and the resident memory, in bytes.
pub(crate) fn take_over(url: &str) -> std::io::Result<ExitCode> {
    let (seconds, bytes) = runtime().block_on(async {
        let store = PgStore::open(url).await.expect("opens");
        let engine = engine(&store, Echo);
        let begun = Instant::now();
        let count = engine.resume().await.expect("resumes").len();
        settled(&engine, count).await;
        let seconds = begun.elapsed().as_secs_f64();
        let bytes = status_bytes("VmRSS:").unwrap_or(0);
        close(engine).await;
        (seconds, bytes)
    });
    writeln!(std::io::stdout(), "{seconds} {bytes}")?;
    Ok(ExitCode::SUCCESS)
}
