//! Durable executions from start to end: a saga of five steps, its functions in this process.

use crate::Bench;
use crate::durable::fdatasync_ms;
use crate::load::{Amount, Echo, builder, close, runs, runtime, saga};
use crate::measure::{ROUNDS, cpu_seconds, io_bytes, median};
use crate::report::Figure;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("saga", sagas)];

/// So many in flight, and how many in each round.
const LOADS: [(usize, usize); 4] = [(1, 200), (64, 3_000), (512, 5_000), (1024, 6_000)];

/// What running many sagas came to.
struct Ran {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
    disk_bytes: f64,
    /// How long the disk took to keep as many blocks as a saga has commits, one after the other: its start, and each answer.
    six_syncs_ms: f64,
}

/// Runs so many of them in a new database.
fn ran((flight, count): (usize, usize)) -> Ran {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let six_syncs_ms = 6.0 * fdatasync_ms(folder.path());
    runtime().block_on(async {
        let engine = builder(&folder.path().join("asl.db")).await.function("Step", Echo).build();
        let definition = saga();
        let (cpu, io) = (cpu_seconds(), io_bytes());
        let mut done = runs(&engine, &definition, flight, Amount::Count(count)).await;
        let (cpu, io) = (cpu_seconds() - cpu, io_bytes() - io);
        close(engine).await;
        Ran {
            per_second: done.per_second(),
            p50_ms: done.within_ms(0.5),
            p99_ms: done.within_ms(0.99),
            cpu_ms: cpu * 1000.0 / count as f64,
            disk_bytes: io as f64 / count as f64,
            six_syncs_ms,
        }
    })
}

/// The numbers in flight take turns.
fn sagas() -> Vec<Figure> {
    let rounds: [[Ran; 4]; ROUNDS] = std::array::from_fn(|_| LOADS.map(ran));
    let mut figures = Vec::new();
    for (at, (flight, _)) in LOADS.into_iter().enumerate() {
        let of = |what: &str| format!("saga, {flight} in flight: {what}");
        let middle = |value: fn(&Ran) -> f64| median(&mut rounds.each_ref().map(|round| value(&round[at])));
        let rate = Figure::higher(of("executions"), middle(|ran| ran.per_second), "/s");
        let p50 = Figure::lower(of("p50"), middle(|ran| ran.p50_ms), "ms");
        let cpu = Figure::lower(of("CPU for each"), middle(|ran| ran.cpu_ms), "ms");
        let syncs = rounds.iter().map(|round| (round[at].p50_ms, round[at].six_syncs_ms));
        let alone = rounds.iter().map(|round| (round[at].per_second, round[0].per_second));
        figures.extend(match flight {
            1 => [rate, p50.under(syncs, "six fdatasyncs of 4 KiB").goal(4.0, 2.0), cpu],
            512 => [rate.goal(2_000.0, 6_000.0), p50, cpu.goal(1.0, 0.3)],
            1024 => [rate.beside(alone, "1 in flight"), p50, cpu],
            _ => [rate, p50, cpu],
        });
        figures.push(Figure::lower(of("p99"), middle(|ran| ran.p99_ms), "ms"));
        figures.push(Figure::lower(of("disk for each"), middle(|ran| ran.disk_bytes), "bytes"));
    }
    figures
}
