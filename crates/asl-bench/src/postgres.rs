//! The store on PostgreSQL, beside the same server without anything of ours: `--db postgres://...`. Each run makes a schema of its own,
//! and drops it.

use crate::Bench;
use crate::durable::{RECORDS, new, records};
use crate::load::runtime;
use crate::measure::{median, percentile};
use crate::report::Figure;
use asl_journal::PgStore;
use asl_store::{Registration, Store};
use sqlx::{Connection, Executor, PgConnection, Row};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The server that is measured.
pub(crate) static URL: OnceLock<String> = OnceLock::new();

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[
    ("postgres.append", || [1, 64, 1024].into_iter().flat_map(append).collect()),
    ("postgres.start", || vec![start()]),
];

/// How many starts are measured one after the other.
const STARTS: usize = 400;

/// A schema that is there while this is.
pub(crate) struct Place {
    conn: PgConnection,
    schema: String,
}

impl Place {
    pub(crate) async fn new() -> Place {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("bench{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let url = URL.get().expect("--db was given");
        Place { conn: PgConnection::connect(url).await.expect("connects"), schema }
    }

    /// Where its store is.
    pub(crate) fn url(&self) -> String {
        let url = URL.get().expect("--db was given");
        let joint = if url.contains('?') { '&' } else { '?' };
        format!("{url}{joint}schema={}", self.schema)
    }

    pub(crate) async fn store(&self) -> PgStore {
        PgStore::open(&self.url()).await.expect("opens")
    }

    async fn run(&mut self, sql: &str) {
        self.conn.execute(sqlx::AssertSqlSafe(sql.replace('@', &self.schema))).await.expect("runs");
    }

    pub(crate) async fn ask<T>(&mut self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let row = self.conn.fetch_one(sqlx::AssertSqlSafe(sql.replace('@', &self.schema))).await.expect("answers");
        row.get(0)
    }

    /// A table of bare rows, as the ceiling has it.
    async fn raw_table(&mut self) {
        self.run("CREATE TABLE @.raw (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)")
            .await;
    }

    /// Inserts bare rows, `flight` in each statement; how long that took.
    async fn raw_rows(&mut self, bytes: usize, flight: usize, statements: usize) -> Duration {
        let bodies = vec!["x".repeat(bytes); flight];
        let sql = format!("INSERT INTO {}.raw (body) SELECT * FROM unnest($1::text[])", self.schema);
        let start = Instant::now();
        for _ in 0..statements {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(&bodies);
            query.execute(&mut self.conn).await.expect("inserts");
        }
        start.elapsed()
    }

    pub(crate) async fn drop(mut self) {
        self.run("DROP SCHEMA @ CASCADE").await;
    }
}

async fn worker(store: &PgStore) -> Arc<dyn asl_store::Worker> {
    let registration = Registration { what: "bench".into(), process: 1, beat: 1, lease_ms: 30_000 };
    store.register(registration, None).await.expect("registered").worker
}

/// What one round came to: events a second, those of bare rows, and bytes of the write-ahead log for each byte of payload.
struct Round {
    ours: f64,
    raw: f64,
    log: f64,
    groups: f64,
}

async fn round(flight: usize, executions: usize) -> Round {
    let mut place = Place::new().await;
    let store = place.store().await;
    let worker = worker(&store).await;
    let (definition, execution, records) = records();
    let records = Arc::new(records);
    let created = Arc::new(AtomicUsize::new(0));
    let log_before: String = place.ask("SELECT pg_current_wal_lsn()::text").await;
    let (start, groups) = (Instant::now(), store.commits());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..flight {
        let (worker, definition, execution, records, created) =
            (worker.clone(), definition.clone(), execution.clone(), records.clone(), created.clone());
        tasks.spawn(async move {
            for _ in 0..executions {
                let number = created.fetch_add(1, Ordering::Relaxed);
                let id = worker.create(new(number, &definition, &execution, &records[0])).await.expect("created");
                for record in &records[1..] {
                    worker.append(id, record.clone(), None, Vec::new()).await.expect("appended");
                }
            }
        });
    }
    tasks.join_all().await;
    let seconds = start.elapsed().as_secs_f64();
    let groups = store.commits() - groups;
    let log: i64 = place.ask(&format!("SELECT (pg_current_wal_lsn() - '{log_before}'::pg_lsn)::bigint")).await;
    let bytes: i64 = place.ask("SELECT sum(octet_length(body))::bigint FROM @.journal").await;
    store.close().await;
    let written = RECORDS * flight * executions;
    let events = records.iter().map(|record| record.events.len()).sum::<usize>() * flight * executions;
    place.raw_table().await;
    let raw = place.raw_rows(bytes as usize / written, flight, written / flight).await.as_secs_f64();
    place.drop().await;
    Round {
        ours: events as f64 / seconds,
        raw: events as f64 / raw,
        log: log as f64 / bytes as f64,
        groups: groups as f64 / written as f64,
    }
}

fn append(flight: usize) -> Vec<Figure> {
    let (executions, rounds) = match flight {
        1 => (12, 5),
        64 => (6, 5),
        _ => (2, 3),
    };
    let rounds: Vec<Round> = (0..rounds).map(|_| runtime().block_on(round(flight, executions))).collect();
    let name = format!("append to PostgreSQL, {flight} in flight");
    let mut rates: Vec<f64> = rounds.iter().map(|round| round.ours).collect();
    let figure = Figure::higher(name, median(&mut rates), "events/s").under(
        rounds.iter().map(|round| (round.ours, round.raw)),
        "raw UNNEST inserts of the same bytes, one connection",
    );
    if flight < 1024 {
        return vec![figure];
    }
    let mut log: Vec<f64> = rounds.iter().map(|round| round.log).collect();
    let mut groups: Vec<f64> = rounds.iter().map(|round| round.groups).collect();
    vec![
        figure.ratio_goal(0.5, 0.8),
        Figure::lower("bytes of PostgreSQL's log / payload bytes", median(&mut log), "x").goal(6.0, 3.5),
        Figure::lower("round trips for each record, 1024 in flight", median(&mut groups), ""),
    ]
}

/// A start that is acknowledged, beside one row inserted in one round trip.
fn start() -> Figure {
    let one = runtime().block_on(async {
        let mut place = Place::new().await;
        let store = place.store().await;
        let worker = worker(&store).await;
        let (definition, execution, records) = records();
        place.raw_table().await;
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for number in 0..STARTS {
            let first = new(number, &definition, &execution, &records[0]);
            let begun = Instant::now();
            worker.create(first).await.expect("created");
            ours.push(begun.elapsed().as_secs_f64() * 1e3);
            raw.push(place.raw_rows(500, 1, 1).await.as_secs_f64() * 1e3);
        }
        store.close().await;
        place.drop().await;
        (percentile(&mut ours, 0.5), percentile(&mut raw, 0.5))
    });
    Figure::lower("start on PostgreSQL, one at a time, p50", one.0, "ms")
        .ceiling(one.1, "one row, one round trip, one commit")
        .ratio_goal(2.5, 1.5)
}
