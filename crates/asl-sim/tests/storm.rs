//! Storms: nothing that was acknowledged is lost, whatever goes wrong. A seed that fails is printed with the command
//! that runs it alone; add it to `seeds.txt`, and it is run for ever.

use asl_sim::{Dice, Report, Sabotage, Scenario, Sim, Stats, Weather};
use std::collections::BTreeSet;
use std::ops::Range;

const SEEDS: &str = include_str!("../seeds.txt");

fn scenario(seed: u64) -> Scenario {
    Scenario::roll(&mut Dice::seeded(seed), 3)
}

fn storm(seed: u64) -> Report {
    Sim::new(&scenario(seed), Weather::Storm, seed).run()
}

/// Runs storms; what happened in them, and the types of the events in their histories.
#[track_caller]
fn weather(seeds: impl Iterator<Item = u64>) -> (Stats, BTreeSet<String>) {
    let (mut stats, mut types) = (Stats::default(), BTreeSet::new());
    for seed in seeds {
        let report = storm(seed);
        let broken = report.broken.join("\n");
        assert!(broken.is_empty(), "{broken}\nseed {seed} alone: cargo run -p asl-sim -- --seed {seed}");
        stats.add(&report.stats);
        let records = report.store.rows().iter().flat_map(|row| &row.records);
        types.extend(records.flat_map(|record| &record.events).map(|event| event.type_name()));
    }
    (stats, types)
}

/// Seeds to run: `ASL_SEEDS=A..B` instead of the usual ones.
fn seeds(usual: Range<u64>) -> Range<u64> {
    let asked = std::env::var("ASL_SEEDS").ok();
    let range = asked
        .as_deref()
        .and_then(|text| text.split_once(".."))
        .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.unwrap_or(usual)
}

#[test]
fn two_thousand_storms() {
    let (stats, types) = weather(seeds(0..2000));
    eprintln!("{stats:?}\n{} types of events: {types:?}", types.len());
    // The machines are of all kinds, and the storms are worth their name.
    for state in ["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"] {
        assert!(types.contains(&format!("{state}StateEntered")), "{state}");
    }
    assert!(types.len() >= 56, "{types:?}");
    for count in [stats.crashes, stats.store_errors, stats.clock_jumps, stats.rejected, stats.repeated_calls] {
        assert!(count > stats.executions / 10, "{stats:?}");
    }
    // Executions left memory, signals came to them from elsewhere, and processes were succeeded while they lived, or drained.
    for count in [stats.evicted, stats.left, stats.taken_over, stats.fenced, stats.handed_over] {
        assert!(count > 100, "{stats:?}");
    }
    assert!(stats.stayed > 5, "{stats:?}");
}

#[test]
fn seeds_that_found_something_once() {
    let kept = SEEDS.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    weather(kept);
}

/// The same scenarios when nothing goes wrong: nothing is repeated, and the histories are as legal.
#[test]
fn calm_weather() {
    for seed in 0..500 {
        let report = Sim::new(&scenario(seed), Weather::Calm, seed).run();
        assert!(report.broken.is_empty(), "seed {seed}: {:?}", report.broken);
        assert_eq!((report.stats.crashes, report.stats.repeated_calls), (0, 0), "seed {seed}");
    }
}

/// An execution that ends every process is set aside after five of them; all others end, and so does it once it is cured.
#[test]
fn a_poison_is_found_and_stops_nobody() {
    let mut stats = Stats::default();
    for seed in seeds(0..500) {
        let report = Sim::new(&scenario(seed), Weather::Poison, seed).run();
        assert!(report.broken.is_empty(), "seed {seed}: {:?}", report.broken);
        // One that writes a record between two deaths is cleared, and dies again later.
        let (deaths, found) = (report.stats.crashes, report.stats.set_aside);
        assert!(deaths >= 5 * found.min(1) && deaths <= 24, "seed {seed}: {deaths} deaths, {found} set aside");
        stats.add(&report.stats);
    }
    eprintln!("{stats:?}");
    assert!(stats.set_aside > 200, "{stats:?}");
}

/// Where a process is killed from outside again and again, some innocent may be blamed: it is tried again by itself, and all
/// end without anybody's help.
#[test]
fn kills_from_outside_keep_nothing_from_its_end() {
    let mut stats = Stats::default();
    for seed in seeds(0..500) {
        let report = Sim::new(&scenario(seed), Weather::Kills, seed).run();
        assert!(report.broken.is_empty(), "seed {seed}: {:?}", report.broken);
        stats.add(&report.stats);
    }
    eprintln!("{stats:?}");
    // Some were blamed, or this says nothing about those.
    assert!(stats.crashes > 20_000 && stats.set_aside > 20, "{stats:?}");
}

#[test]
fn a_seed_is_a_whole_story() {
    for seed in 0..20 {
        let scenario = scenario(seed);
        let [first, second] = [(); 2].map(|()| Sim::new(&scenario, Weather::Storm, seed).logged().run());
        assert_eq!(first.log, second.log);
        assert_eq!(format!("{:?}", first.store), format!("{:?}", second.store));
    }
}

/// A simulation that cannot fail proves nothing: every rule that is broken on purpose is found out.
#[test]
fn every_sabotage_is_found_out() {
    for rule in Sabotage::ALL {
        let found = (0..600).find(|seed| {
            let scenario = scenario(*seed);
            let noticed = |weather| !Sim::new(&scenario, weather, *seed).sabotage(rule).run().broken.is_empty();
            match rule {
                Sabotage::LeaveForEver => noticed(Weather::Kills),
                _ => noticed(Weather::Storm) || noticed(Weather::Poison),
            }
        });
        eprintln!("{rule:?}: seed {found:?}");
        assert!(found.is_some(), "nobody notices {rule:?}");
    }
}
