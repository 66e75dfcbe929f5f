//! A soak: four workers on one database, and everything that can go wrong at once, for as long as one likes.
//!
//!     cargo test --release -p asl-cli --test soak                       # ten minutes
//!     cargo test --release -p asl-cli --test soak -- --minutes 180 --seed 7
//!
//! Random definitions, hostile ones and hostile functions, while workers are killed, told to stop, frozen and given a disk that is
//! full, executions are stopped, tokens are answered by two commands at once, and the clock is set. At the end nothing is lost,
//! doubled, stuck, left running or leaked. It is no part of a plain `cargo test`.

mod chaos;
#[path = "../cli/common/mod.rs"]
mod common;
mod load;
mod verdict;
mod world;

use asl_sim::Dice;
use chaos::Chaos;
use load::Load;
use std::time::{Duration, Instant};

/// What a soak is asked for on its command line.
struct Args {
    minutes: f64,
    seed: u64,
    workers: usize,
}

impl Args {
    fn read() -> Args {
        let mut args = Args { minutes: 10.0, seed: 1, workers: 4 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let value = words.next().unwrap_or_default();
            match word.as_str() {
                "--minutes" => args.minutes = number(&word, &value),
                "--seed" => args.seed = number(&word, &value),
                "--workers" => args.workers = number(&word, &value),
                _ => panic!("{word}: {USAGE}"),
            }
        }
        args
    }
}

const USAGE: &str = "usage: --minutes N --seed N --workers N";

fn number<T: std::str::FromStr>(word: &str, value: &str) -> T {
    value.parse().unwrap_or_else(|_| panic!("{word} {value}: not a number; {USAGE}"))
}

fn main() {
    let args = Args::read();
    println!("soak: {} minutes, seed {}, {} workers", args.minutes, args.seed, args.workers);
    let mut place = world::place();
    let mut chaos = Chaos::new(&place, Dice::seeded(args.seed), args.workers);
    let mut load = Load::new(&place, Dice::seeded(args.seed + 1));
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(args.minutes * 60.0);
    let mut told = Instant::now();
    while Instant::now() < until {
        chaos.one();
        load.one();
        if told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            println!("{:4.0} s: {}; {}", begun.elapsed().as_secs_f64(), load.summary(), chaos.summary());
        }
    }
    // Calm: whole workers, a clock that stands where it is, and time.
    chaos.calm();
    load.finish(Duration::from_secs(420), &mut chaos);
    println!("{}; {}", load.summary(), chaos.summary());
    let left = chaos.end();
    verdict::check(&place, &load, &left);
    drop(load);
    place.folder.disable_cleanup(false);
    println!("soak: nothing lost, doubled, stuck, left running or leaked in {:.0} s", begun.elapsed().as_secs_f64());
}
