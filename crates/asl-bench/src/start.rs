//! Acknowledged starts: how many executions a second the engine takes on, and how long each caller waits for the answer.

use crate::Bench;
use crate::durable::fdatasync_ms;
use crate::load::{Amount, Done, builder, close, runtime, settled, starts, wait};
use crate::measure::{ROUNDS, median};
use crate::report::Figure;
use std::path::Path;
use std::time::Duration;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("durable.start", start)];

const FLIGHTS: [usize; 3] = [1, 64, 1024];
/// How long each number in flight has in a round.
const SLICE: Duration = Duration::from_secs(1);

/// What a round found: of each number in flight, and how long the disk took to keep a block.
struct Round {
    starts: [Done; 3],
    disk_ms: f64,
}

/// A start goes through `Engine::start`, for that is what a caller gets an answer from: the checks, the first run of the
/// machine, the record, its commit. The execution then waits for a day. One that is over at once would be acknowledged by
/// the record that also ends it, and nothing would be promised any more; one that calls a function would measure what
/// comes after the answer. All rounds are in one database, which grows for all numbers in flight alike, and a slice begins
/// when the engine has let go of what the one before it started.
async fn rounds(folder: &Path) -> Vec<Round> {
    let engine = builder(&folder.join("asl.db")).await.build();
    let definition = wait();
    let (mut rounds, mut open) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let mut slices = Vec::new();
        for flight in FLIGHTS {
            let done = starts(&engine, &definition, flight, Amount::Time(SLICE)).await;
            open += done.count;
            settled(&engine, open).await;
            slices.push(done);
        }
        let starts = slices.try_into().unwrap_or_else(|_| unreachable!("a slice for each number in flight"));
        rounds.push(Round { starts, disk_ms: fdatasync_ms(folder) });
    }
    close(engine).await;
    rounds
}

fn start() -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let mut rounds = runtime().block_on(rounds(folder.path()));
    let mut figures = Vec::new();
    for (at, flight) in FLIGHTS.into_iter().enumerate() {
        let of = |what: &str| format!("acknowledged start, {flight} in flight: {what}");
        let mut each = |value: fn(&mut Done) -> f64| -> Vec<f64> {
            rounds.iter_mut().map(|round| value(&mut round.starts[at])).collect()
        };
        let (mut rates, mut p50s) = (each(|done| done.per_second()), each(|done| done.within_ms(0.5)));
        let mut p99s = each(|done| done.within_ms(0.99));
        let alone: Vec<_> = rates.iter().copied().zip(rounds.iter().map(|r| r.starts[0].per_second())).collect();
        let syncs: Vec<_> = p50s.iter().copied().zip(rounds.iter().map(|r| r.disk_ms)).collect();
        let rate = Figure::higher(of("starts"), median(&mut rates), "/s");
        let p50 = Figure::lower(of("p50"), median(&mut p50s), "ms");
        figures.extend(match flight {
            1 => [rate, p50.under(syncs, "fdatasync of 4 KiB").ratio_goal(3.0, 2.0)],
            1024 => [rate.beside(alone, "1 in flight").ratio_goal(10.0, 20.0), p50],
            _ => [rate, p50],
        });
        figures.push(Figure::lower(of("p99"), median(&mut p99s), "ms"));
    }
    figures
}
