//! `cargo run -p asl-sim -- --seed N` runs one storm and tells what happened; `--seeds A..B` runs many.

use asl_sim::{Dice, Report, Scenario, Sim, Stats, Weather};
use std::ops::Range;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--seed", seed] => seed.parse().map_or_else(|_| usage(), one),
        ["--seeds", seeds] => range(seeds).map_or_else(usage, many),
        [] => many(0..2000),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: asl-sim [--seed N | --seeds A..B]");
    ExitCode::from(2)
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

/// One seed, with everything that happened.
fn one(seed: u64) -> ExitCode {
    let scenario = Scenario::roll(&mut Dice::seeded(seed), 3);
    println!("{}", scenario.text);
    for execution in &scenario.executions {
        println!("{} {}", execution.name, execution.input_text);
    }
    let report = Sim::new(&scenario, Weather::Storm, seed).logged().run();
    report.log.iter().for_each(|line| println!("{line}"));
    println!("{:?}", report.stats);
    tell(seed, &report)
}

fn many(seeds: Range<u64>) -> ExitCode {
    let (mut stats, mut failed) = (Stats::default(), 0);
    for seed in seeds.clone() {
        let scenario = Scenario::roll(&mut Dice::seeded(seed), 3);
        let report = Sim::new(&scenario, Weather::Storm, seed).run();
        stats.add(&report.stats);
        if tell(seed, &report) != ExitCode::SUCCESS {
            failed += 1;
        }
    }
    println!("seeds {seeds:?}: {failed} failed; {stats:?}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(seed: u64, report: &Report) -> ExitCode {
    if report.broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    report.broken.iter().for_each(|what| eprintln!("seed {seed}: {what}"));
    eprintln!("seed {seed} alone: cargo run -p asl-sim -- --seed {seed}");
    ExitCode::FAILURE
}
