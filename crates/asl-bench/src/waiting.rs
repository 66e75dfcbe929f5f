//! Executions that wait: what each costs in memory and on disk, and how long a restart takes to have them all again.

use crate::Bench;
use crate::load::{Amount, builder, close, runtime, settled, starts, wait};
use crate::measure::status_bytes;
use crate::process::said_by_a_copy;
use crate::report::Figure;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("waiting", || [10_000, 100_000].into_iter().flat_map(waiting).collect())];

/// The option by which a copy of this program is asked for the memory.
const WAITING: &str = "--waiting";
/// How many are started at once.
const LANES: usize = 256;

/// What so many cost beyond what an engine has that has started a few, in bytes: said by a copy of this program, for a process
/// that has done other things has memory already.
pub(crate) fn tell(count: usize) -> std::io::Result<ExitCode> {
    let folder = tempfile::tempdir_in(".")?;
    let bytes = runtime().block_on(async {
        let (engine, definition) = (builder(&folder.path().join("asl.db")).await.build(), wait());
        starts(&engine, &definition, LANES, Amount::Count(LANES)).await;
        settled(&engine, LANES).await;
        let before = status_bytes("VmRSS:").unwrap_or(0);
        starts(&engine, &definition, LANES, Amount::Count(count)).await;
        settled(&engine, LANES + count).await;
        let after = status_bytes("VmRSS:").unwrap_or(0);
        close(engine).await;
        after.saturating_sub(before)
    });
    writeln!(std::io::stdout(), "{bytes}")?;
    Ok(ExitCode::SUCCESS)
}

fn waiting(count: usize) -> Vec<Figure> {
    let memory = said_by_a_copy([WAITING, &count.to_string()]) / count as f64;
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let file = folder.path().join("asl.db");
    runtime().block_on(async {
        let (first, definition) = (builder(&file).await.build(), wait());
        starts(&first, &definition, LANES, Amount::Count(count)).await;
        settled(&first, count).await;
        close(first).await;
        let disk = std::fs::metadata(&file).map_or(0, |file| file.len());

        let start = Instant::now();
        let second = builder(&file).await.build();
        second.resume().await.expect("resumes");
        settled(&second, count).await;
        let recovered = start.elapsed().as_secs_f64();
        close(second).await;
        let of = |what: &str| format!("waiting, {count}: {what}");
        let memory = Figure::lower(of("memory for each"), memory, "bytes");
        vec![
            // The smaller number shows what the engine itself comes to have at work.
            if count < 100_000 { memory } else { memory.goal(500.0, 200.0) },
            Figure::lower(of("disk for each"), disk as f64 / count as f64, "bytes"),
            Figure::lower(of("until a restart has them"), recovered, "s"),
        ]
    })
}
