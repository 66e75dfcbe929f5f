//! `asl serve` over HTTP with keep-alive, from another process, beside the same engine in this process.

mod client;
mod rest;
mod server;

use crate::Bench;
use crate::load::{Amount, Done, INPUT, builder, close, in_flight_with, run, runs, runtime, saga_text, starts, wait};
use crate::machine::definition;
use crate::measure::{ROUNDS, median};
use crate::report::Figure;
use client::{Connection, Request};
use serde_json::{Value, json};
use server::Server;
use std::time::Duration;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[
    ("http.start", start),
    ("http.chain", chain),
    ("http.smallest", smallest),
    ("http.saga", sagas),
    ("http.rest", rest::memory),
    ("http.polling", rest::polling),
    ("http.restart", rest::restart),
];

const FLIGHTS: [usize; 3] = [1, 64, 1024];
const SLICE: Duration = Duration::from_secs(1);
/// States of the chain.
const CHAIN: usize = 1_000;
/// The saga: so many in flight, and how many in each round.
const SAGAS: [(usize, usize); 3] = [(1, 200), (64, 3_000), (512, 5_000)];

/// Sends the same request over so many connections, each with one in flight.
async fn calls(server: &Server, flight: usize, operation: &'static str, request: Value, amount: Amount) -> Done {
    let connections = Connection::several(server.address, flight).await;
    let request = std::sync::Arc::new(Request::new(operation, &request));
    let work = move |mut connection: Connection, _| {
        let request = request.clone();
        async move {
            let told = connection.ask(&request).await;
            let ended = |how: &[u8]| told.windows(how.len()).any(|part| part == how);
            assert!(!ended(b"\"FAILED\"") && !ended(b"\"TIMED_OUT\""), "{}", String::from_utf8_lossy(&told));
            connection
        }
    };
    in_flight_with(connections, amount, work).await
}

/// Acknowledged starts of an execution that then waits for a day, as `durable.start` has them in this process.
fn start() -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let other = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let Some(server) = Server::start(folder.path()) else { return Vec::new() };
    let mut rounds: Vec<[(Done, Done); 3]> = runtime().block_on(async {
        let waits = json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86400, "End": true}}});
        let machine = server.create("bench", "STANDARD", &waits).await;
        let request = json!({"stateMachineArn": machine, "input": INPUT});
        let (engine, definition) = (builder(&other.path().join("asl.db")).await.build(), wait());
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let mut slices = Vec::new();
            for flight in FLIGHTS {
                let over = calls(&server, flight, "StartExecution", request.clone(), Amount::Time(SLICE)).await;
                let here = starts(&engine, &definition, flight, Amount::Time(SLICE)).await;
                slices.push((over, here));
            }
            rounds.push(slices.try_into().unwrap_or_else(|_| unreachable!("a slice for each number in flight")));
        }
        close(engine).await;
        rounds
    });
    let mut figures = Vec::new();
    for (at, flight) in FLIGHTS.into_iter().enumerate() {
        let of = |what: &str| format!("StartExecution over HTTP, {flight} connections: {what}");
        let mut each = |value: fn(&mut Done) -> f64| -> Vec<(f64, f64)> {
            rounds.iter_mut().map(|round| (value(&mut round[at].0), value(&mut round[at].1))).collect()
        };
        let (rates, p50s) = (each(|done| done.per_second()), each(|done| done.within_ms(0.5)));
        let p99s = each(|done| done.within_ms(0.99));
        let rate = Figure::higher(of("starts"), 0.0, "/s").beside(rates, "in this process");
        figures.push(if flight == 64 { rate.ratio_goal(0.5, 0.8) } else { rate });
        if flight == 1 {
            let p50 = Figure::lower(of("p50"), 0.0, "ms").beside(p50s, "in this process");
            figures.push(p50.ratio_goal(2.0, 1.4));
            figures.push(Figure::lower(of("p99"), 0.0, "ms").beside(p99s, "in this process"));
        }
    }
    figures
}

/// A thousand Pass states with its records, one chain after the other.
fn chain() -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let other = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let Some(server) = Server::start(folder.path()) else { return Vec::new() };
    let states = (0..CHAIN).map(|at| {
        let last = at + 1 == CHAIN;
        let next = if last {
            json!({"Type": "Pass", "End": true})
        } else {
            json!({"Type": "Pass", "Next": format!("S{}", at + 1)})
        };
        (format!("S{at}"), next)
    });
    let text = json!({"StartAt": "S0", "States": states.collect::<serde_json::Map<_, _>>()});
    let rounds: Vec<(f64, f64)> = runtime().block_on(async {
        let machine = server.create("chain", "EXPRESS", &text).await;
        let request = json!({"stateMachineArn": machine, "input": INPUT});
        let (engine, definition) = (builder(&other.path().join("asl.db")).await.build(), definition(&text));
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let over = calls(&server, 1, "StartSyncExecution", request.clone(), Amount::Time(SLICE)).await;
            let here = runs(&engine, &definition, 1, Amount::Time(SLICE)).await;
            rounds.push((over.per_second() * CHAIN as f64, here.per_second() * CHAIN as f64));
        }
        close(engine).await;
        rounds
    });
    let figure = Figure::higher("1,000 Pass states over HTTP", 0.0, "transitions/s");
    vec![figure.beside(rounds, "in this process, with its records").ratio_goal(0.7, 0.9)]
}

/// One Pass state, started, awaited and answered.
fn smallest() -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let other = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let Some(server) = Server::start(folder.path()) else { return Vec::new() };
    let text = json!({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}});
    runtime().block_on(async {
        let machine = server.create("one", "EXPRESS", &text).await;
        let request = json!({"stateMachineArn": machine, "input": INPUT});
        let (engine, definition) = (builder(&other.path().join("asl.db")).await.build(), definition(&text));
        run(&engine, &definition, INPUT).await;
        let mut figures = Vec::new();
        for flight in [1, 64] {
            let (mut rates, mut p50s, mut p99s) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let mut over = calls(&server, flight, "StartSyncExecution", request.clone(), Amount::Time(SLICE)).await;
                let mut here = runs(&engine, &definition, flight, Amount::Time(SLICE)).await;
                rates.push((over.per_second(), here.per_second()));
                p50s.push((over.within_ms(0.5), here.within_ms(0.5)));
                p99s.push((over.within_ms(0.99), here.within_ms(0.99)));
            }
            let of = |what: &str| format!("StartSyncExecution of one Pass, {flight} connections: {what}");
            figures.extend([
                Figure::higher(of("executions"), 0.0, "/s").beside(rates, "in this process"),
                Figure::lower(of("p50"), 0.0, "ms").beside(p50s, "in this process"),
                Figure::lower(of("p99"), 0.0, "ms").beside(p99s, "in this process"),
            ]);
        }
        close(engine).await;
        figures
    })
}

/// The saga of five steps, each a function behind a URL in this process, which also starts and awaits it.
fn sagas() -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    runtime().block_on(async {
        let functions = client::functions().await.expect("a port");
        let project = format!("[functions.Step]\nUrl = \"http://{functions}/\"\nTimeout = 60\nConcurrency = 1000\n");
        std::fs::write(folder.path().join("asl.toml"), project).expect("written");
        let Some(server) = Server::start(folder.path()) else { return Vec::new() };
        let machine = server.create("saga", "EXPRESS", &saga_text()).await;
        let request = json!({"stateMachineArn": machine, "input": INPUT});
        let mut rounds: Vec<Vec<Done>> = Vec::new();
        for _ in 0..ROUNDS {
            let mut round = Vec::new();
            for (flight, count) in SAGAS {
                let amount = Amount::Count(count);
                round.push(calls(&server, flight, "StartSyncExecution", request.clone(), amount).await);
            }
            rounds.push(round);
        }
        let mut figures = Vec::new();
        for (at, (flight, _)) in SAGAS.into_iter().enumerate() {
            let of = |what: &str| format!("saga over HTTP, functions by URL, {flight} in flight: {what}");
            let mut middle = |value: fn(&mut Done) -> f64| {
                median(&mut rounds.iter_mut().map(|round| value(&mut round[at])).collect::<Vec<f64>>())
            };
            let rate = Figure::higher(of("executions"), middle(|done| done.per_second()), "/s");
            figures.push(if flight == 512 { rate.goal(3_000.0, 6_000.0) } else { rate });
            figures.push(Figure::lower(of("p50"), middle(|done| done.within_ms(0.5)), "ms"));
            figures.push(Figure::lower(of("p99"), middle(|done| done.within_ms(0.99)), "ms"));
        }
        figures
    })
}
