//! Whole executions on PostgreSQL: sagas by one worker and by four, and many that wait. `--db postgres://...`.

use crate::Bench;
use crate::load::{Amount, Echo, INPUT, close, runs, runtime, saga, settled, starts, wait};
use crate::measure::median;
use crate::postgres::Place;
use crate::report::Figure;
use asl_core::Failure;
use asl_engine::Engine;
use asl_journal::PgStore;
use asl_task::function::Handler;
use asl_value::Value;
use std::time::{Duration, Instant};

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[
    ("postgres.saga", || [(1, 100), (512, 4_000)].into_iter().flat_map(sagas).collect()),
    ("postgres.workers", || vec![workers()]),
    ("postgres.waiting", waiting),
];

const ROUNDS: usize = 3;
/// How many wait.
const WAITING: usize = 100_000;

fn engine(store: &PgStore, function: impl Handler + 'static) -> Engine {
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

/// Many that wait for a day: what they take in the database, and how long a restart takes until it has them all again.
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
        let store = place.store().await;
        let second = engine(&store, Echo);
        let begun = Instant::now();
        second.resume().await.expect("resumes");
        settled(&second, WAITING).await;
        let seconds = begun.elapsed().as_secs_f64();
        close(second).await;
        place.drop().await;
        let each = format!("{WAITING} waiting executions on PostgreSQL, {} bytes of input", INPUT.len());
        vec![
            Figure::lower(format!("{each}: database for each"), bytes as f64 / WAITING as f64, "bytes").goal(2_000.0, 1_300.0),
            Figure::lower(format!("{each}: restart"), seconds, "s").goal(6.0, 2.0),
        ]
    })
}
