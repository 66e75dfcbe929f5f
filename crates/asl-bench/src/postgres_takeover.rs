//! How soon others go on with the executions of a worker that is killed, on PostgreSQL: `--db postgres://...`.

use crate::Bench;
use crate::load::{Amount, Echo, INPUT, close, runtime, saga, starts};
use crate::postgres::Place;
use crate::postgres_saga::engine;
use crate::report::Figure;
use asl_core::Failure;
use asl_engine::StartExecution;
use asl_journal::PgStore;
use asl_task::function::Handler;
use asl_value::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("postgres.takeover", || vec![takeover()])];

/// The option by which a copy of this program is made the worker that is killed.
const HOLDS: &str = "--holds";
/// How many executions it has, and how often one is killed.
const HELD: usize = 1_000;
const KILLS: usize = 5;
/// How often it is looked whether all have ended.
const LOOK: Duration = Duration::from_millis(20);

/// A function that never answers.
struct Stuck;

#[async_trait::async_trait]
impl Handler for Stuck {
    async fn handle(&self, _event: Value, _request_id: &str) -> Result<Value, Failure> {
        std::future::pending().await
    }
}

/// A worker whose executions all wait in their first task; says so, and stays until it is killed.
pub(crate) fn hold(url: &str) -> std::io::Result<ExitCode> {
    runtime().block_on(async {
        let engine = engine(&PgStore::open(url).await.expect("opens"), Stuck);
        let definition = saga();
        for n in 0..HELD {
            let name = format!("held-{n}");
            let start = StartExecution {
                definition: definition.clone(),
                state_machine: "held",
                name: Some(&name),
                input: INPUT,
            };
            engine.start(start).await.expect("starts");
        }
        writeln!(std::io::stdout(), "ready")?;
        std::future::pending().await
    })
}

/// From the kill until the last of its executions has ended, in a worker that was at work before.
fn takeover() -> Figure {
    let mut times = Vec::new();
    for _ in 0..KILLS {
        times.push(runtime().block_on(async {
            let mut place = Place::new().await;
            let other = engine(&place.store().await, Echo);
            other.serve().await.expect("serves");
            starts(&other, &saga(), 16, Amount::Count(16)).await;
            let program = std::env::current_exe().expect("this program");
            let mut held = Command::new(program);
            held.args([HOLDS, &place.url()]).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut held = held.spawn().expect("it starts");
            let mut line = String::new();
            BufReader::new(held.stdout.take().expect("its stdout"))
                .read_line(&mut line)
                .expect("it says that it is ready");
            assert_eq!(line, "ready\n");
            held.kill().expect("killed");
            let killed = Instant::now();
            held.wait().expect("gone");
            // Watched from aside: a thousand callers who wait would be work for the server, too.
            let open = "SELECT count(*) FROM @.execution WHERE status = 'RUNNING'";
            while place.ask::<i64>(open).await > 0 {
                tokio::time::sleep(LOOK).await;
            }
            let took = killed.elapsed().as_secs_f64();
            close(other).await;
            place.drop().await;
            took
        }));
    }
    let last = times.into_iter().fold(0.0, f64::max);
    let name =
        format!("a worker with {HELD} sagas is killed, on PostgreSQL: until the last has ended, worst of {KILLS}");
    Figure::lower(name, last, "s").goal(5.0, 1.0)
}
