//! Growth of the store by what else is in it: what a start, a saga and a restart cost beside 1,000, 10,000 and 100,000 other
//! executions. Whatever has to look at more than its own rows shows here.

use crate::Bench;
use crate::growth::sized;
use crate::load::{Amount, Echo, builder, close, pass, runs, runtime, saga, settled, starts, wait};
use crate::measure::{io_bytes, median};
use crate::report::Figure;
use asl_engine::Engine;
use asl_syntax::Definition;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] =
    &[("growth.open", || beside(Others::Open)), ("growth.finished", || beside(Others::Finished))];

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// How many are in flight while a database is filled.
const FILL: usize = 1024;
/// How many are in flight while it is measured: enough that commits are shared, few enough that the smallest size notices.
const FLIGHT: usize = 64;
/// How often everything is measured, and how many of each.
const ROUNDS: usize = 5;
const STARTS: usize = 4_000;
const SAGAS: usize = 1_500;
/// A restart is measured as often, unless that takes longer.
const LONG: Duration = Duration::from_secs(2);

/// What a database is full of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Open,
    Finished,
}

impl Others {
    fn name(self) -> &'static str {
        match self {
            Others::Open => "open executions beside it",
            Others::Finished => "finished executions beside it",
        }
    }

    fn filling(self) -> Arc<Definition> {
        match self {
            Others::Open => wait(),
            Others::Finished => pass(),
        }
    }

    /// What is started to be measured is of the other kind, so the size stays what it is; the other kind grows with it, by
    /// the same number in each of the three databases.
    fn measured(self) -> Arc<Definition> {
        match self {
            Others::Open => pass(),
            Others::Finished => wait(),
        }
    }
}

/// A database of one size.
struct Store {
    // Removed when this is dropped.
    _folder: TempDir,
    file: PathBuf,
    engine: Engine,
    /// How many wait.
    open: usize,
}

impl Store {
    async fn filled(others: Others, size: usize) -> Store {
        let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
        let file = folder.path().join("asl.db");
        let engine = builder(&file).await.function("Step", Echo).build();
        starts(&engine, &others.filling(), FILL, Amount::Count(size)).await;
        let open = if others == Others::Open { size } else { 0 };
        settled(&engine, open).await;
        Store { _folder: folder, file, engine, open }
    }

    /// What a start costs, in microseconds and in bytes to disk, and a saga, in microseconds.
    async fn measure(&mut self, others: Others) -> [f64; 3] {
        let io = io_bytes();
        let started = starts(&self.engine, &others.measured(), FLIGHT, Amount::Count(STARTS)).await;
        let disk = (io_bytes() - io) as f64 / STARTS as f64;
        self.open += if others == Others::Finished { STARTS } else { 0 };
        settled(&self.engine, self.open).await;
        let ran = runs(&self.engine, &saga(), FLIGHT, Amount::Count(SAGAS)).await;
        [started.cost_us(), disk, ran.cost_us()]
    }

    /// What the recovery of one of those that wait costs, in microseconds.
    async fn recovery(self) -> f64 {
        close(self.engine).await;
        let (begun, mut costs) = (Instant::now(), Vec::new());
        while costs.is_empty() || (costs.len() < ROUNDS && begun.elapsed() < LONG) {
            let start = Instant::now();
            let engine = builder(&self.file).await.build();
            engine.resume().await.expect("resumes");
            settled(&engine, self.open).await;
            costs.push(start.elapsed().as_secs_f64() * 1e6 / self.open as f64);
            close(engine).await;
        }
        median(&mut costs)
    }
}

/// The three sizes take turns, but for the recoveries.
fn beside(others: Others) -> Vec<Figure> {
    let (rounds, recoveries) = runtime().block_on(async {
        let [one, ten, hundred] = SIZES.map(|size| Store::filled(others, size as usize));
        let mut stores = [one.await, ten.await, hundred.await];
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let [one, ten, hundred] = stores.each_mut().map(|store| store.measure(others));
            rounds.push([one.await, ten.await, hundred.await]);
        }
        let [one, ten, hundred] = stores.map(Store::recovery);
        (rounds, [one.await, ten.await, hundred.await])
    });
    let rows = |at: usize, what, unit| {
        let costs = rounds.iter().map(|round| round.map(|costs| costs[at]));
        sized(what, others.name(), unit, SIZES, costs)
    };
    [
        rows(0, "a start", "us"),
        rows(1, "disk for a start", "bytes"),
        rows(2, "a saga", "us"),
        sized("a recovery", others.name(), "us", SIZES, [recoveries]),
    ]
    .concat()
}
