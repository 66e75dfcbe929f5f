//! What the benches of the engine share: an engine over a file, definitions, and work of which so much is in flight.

use crate::machine::definition;
use crate::measure::percentile;
use asl_core::{Failure, Outcome};
use asl_engine::{Engine, EngineBuilder, StartExecution};
use asl_journal::{Journal, Options};
use asl_syntax::Definition;
use asl_task::function::Handler;
use asl_value::Value;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What the executions are started with.
pub(crate) const INPUT: &str = r#"{"customerId": "cust-00017", "fareId": "fare-000042", "fareAmount": 1249}"#;

/// The function of the saga: it answers what it was asked.
pub(crate) struct Echo;

#[async_trait::async_trait]
impl Handler for Echo {
    async fn handle(&self, event: Value, _request_id: &str) -> Result<Value, Failure> {
        Ok(event)
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// An engine over a database with full durability, without functions.
pub(crate) async fn builder(file: &Path) -> EngineBuilder {
    Engine::builder(Journal::open(file, Options::default()).await.expect("opens"))
}

/// Ends an engine and closes its database.
pub(crate) async fn close(engine: Engine) {
    engine.shutdown().await.expect("shuts down");
    engine.store().close().await;
}

/// Returns when nothing is in memory and so many executions are left in the journal until their time comes.
pub(crate) async fn settled(engine: &Engine, waiting: usize) {
    while engine.load() != (0, waiting) || engine.due() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One that is over at once: its start and its end are one record.
pub(crate) fn pass() -> Arc<Definition> {
    definition(&json!({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}}))
}

/// One that stays open for a day.
pub(crate) fn wait() -> Arc<Definition> {
    definition(&json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86400, "End": true}}}))
}

/// Five calls of the function `Step`, each of which is asked again when it fails, and compensated at last.
pub(crate) fn saga() -> Arc<Definition> {
    definition(&saga_text())
}

/// Its text.
pub(crate) fn saga_text() -> serde_json::Value {
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
    json!({"StartAt": "Register", "States": {
        "Register": step(Some("Charge")), "Charge": step(Some("Credit")), "Credit": step(Some("Complete")),
        "Complete": step(Some("Notify")), "Notify": step(None),
        "Compensate": {"Type": "Fail", "Error": "Compensated"},
    }})
}

/// Starts an execution, and returns when it is on disk; its ARN.
pub(crate) async fn start(engine: &Engine, definition: &Arc<Definition>, input: &str) -> Arc<str> {
    let start = StartExecution { definition: definition.clone(), state_machine: "bench", name: None, input };
    engine.start(start).await.expect("starts").arn
}

/// Starts an execution, and returns when it has succeeded.
pub(crate) async fn run(engine: &Engine, definition: &Arc<Definition>, input: &str) {
    let arn = start(engine, definition, input).await;
    let outcome = engine.wait(&arn).await.expect("ends");
    assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
}

/// How much is done.
#[derive(Clone, Copy)]
pub(crate) enum Amount {
    /// So many.
    Count(usize),
    /// As many as are begun in this time.
    Time(Duration),
}

/// What doing it came to.
pub(crate) struct Done {
    pub(crate) count: usize,
    pub(crate) seconds: f64,
    /// How long each took.
    times_ms: Vec<f64>,
}

impl Done {
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// How long each of them kept the whole, in microseconds.
    pub(crate) fn cost_us(&self) -> f64 {
        1e6 / self.per_second()
    }

    /// The time in which that part of them was through, in milliseconds.
    pub(crate) fn within_ms(&mut self, part: f64) -> f64 {
        percentile(&mut self.times_ms, part)
    }
}

/// Keeps `flight` of `work` in flight until the amount is done; `work` is told which it is, from 0 on.
pub(crate) async fn in_flight<F>(
    flight: usize,
    amount: Amount,
    work: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Done
where
    F: Future<Output = ()> + Send + 'static,
{
    in_flight_with(vec![(); flight], amount, move |(), number| work(number)).await
}

/// The same, with something for each of those in flight that goes from one piece of work to the next: its connection.
pub(crate) async fn in_flight_with<S, F>(
    lanes: Vec<S>,
    amount: Amount,
    work: impl Fn(S, usize) -> F + Clone + Send + 'static,
) -> Done
where
    S: Send + 'static,
    F: Future<Output = S> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for mut lane in lanes {
        let (next, work) = (next.clone(), work.clone());
        running.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let enough = match amount {
                    Amount::Count(count) => number >= count,
                    Amount::Time(time) => begun.elapsed() >= time,
                };
                if enough {
                    return times;
                }
                let start = Instant::now();
                lane = work(lane, number).await;
                times.push(start.elapsed().as_secs_f64() * 1000.0);
            }
        });
    }
    let times_ms = running.join_all().await.concat();
    Done { count: times_ms.len(), seconds: begun.elapsed().as_secs_f64(), times_ms }
}

/// Starts so many executions of a definition, `flight` at once, each until it is on disk.
pub(crate) async fn starts(engine: &Engine, definition: &Arc<Definition>, flight: usize, amount: Amount) -> Done {
    let (engine, definition) = (engine.clone(), definition.clone());
    let work = move |_| {
        let (engine, definition) = (engine.clone(), definition.clone());
        async move { drop(start(&engine, &definition, INPUT).await) }
    };
    in_flight(flight, amount, work).await
}

/// Runs so many executions of a definition to their end, `flight` at once.
pub(crate) async fn runs(engine: &Engine, definition: &Arc<Definition>, flight: usize, amount: Amount) -> Done {
    let (engine, definition) = (engine.clone(), definition.clone());
    let work = move |_| {
        let (engine, definition) = (engine.clone(), definition.clone());
        async move { run(&engine, &definition, INPUT).await }
    };
    in_flight(flight, amount, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_no_more_are_in_flight_than_said() {
        let (now, most, seen) = (AtomicUsize::new(0), AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
        let shared = Arc::new((now, most, seen));
        let work = {
            let shared = shared.clone();
            move |number| {
                let shared = shared.clone();
                async move {
                    let (now, most, seen) = &*shared;
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    seen.lock().expect("nothing panics").push(number);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                }
            }
        };
        let done = runtime().block_on(in_flight(7, Amount::Count(500), work));
        let (_, most, seen) = &*shared;
        let mut seen = seen.lock().expect("nothing panics").clone();
        seen.sort_unstable();
        assert_eq!((done.count, seen), (500, (0..500).collect::<Vec<_>>()));
        assert!((1..=7).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    }
}
