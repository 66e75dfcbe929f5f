//! Executions that wait: what each costs in memory and on disk, and how long a restart takes to have them all again.

use crate::Bench;
use crate::load::{Amount, builder, close, runtime, settled, starts, wait};
use crate::measure::status_bytes;
use crate::report::Figure;
use std::time::Instant;

/// The benches of this file.
// The larger number first: a process that had many has the memory already.
pub(crate) const BENCHES: &[Bench] = &[("waiting", || [100_000, 10_000].into_iter().flat_map(waiting).collect())];

/// How many are started at once.
const LANES: usize = 256;
/// How many an engine has started before it is looked at: enough that its caches are full. What it keeps for them is not for
/// those that wait.
const BEFORE: usize = 5_000;

fn waiting(count: usize) -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let file = folder.path().join("asl.db");
    runtime().block_on(async {
        let (first, definition) = (builder(&file).await.build(), wait());
        // What every engine has, whatever it runs.
        starts(&first, &definition, LANES, Amount::Count(BEFORE)).await;
        settled(&first, BEFORE).await;
        let before = status_bytes("VmRSS:").unwrap_or(0);
        starts(&first, &definition, LANES, Amount::Count(count)).await;
        settled(&first, BEFORE + count).await;
        let after = status_bytes("VmRSS:").unwrap_or(0);
        close(first).await;
        let disk = std::fs::metadata(&file).map_or(0, |file| file.len());

        let start = Instant::now();
        let second = builder(&file).await.build();
        second.resume().await.expect("resumes");
        settled(&second, BEFORE + count).await;
        let recovered = start.elapsed().as_secs_f64();
        close(second).await;
        let of = |what: &str| format!("waiting, {count}: {what}");
        vec![
            Figure::lower(of("memory for each"), after.saturating_sub(before) as f64 / count as f64, "bytes")
                .goal(500.0, 200.0),
            Figure::lower(of("disk for each"), disk as f64 / (BEFORE + count) as f64, "bytes"),
            Figure::lower(of("until a restart has them"), recovered, "s"),
        ]
    })
}
