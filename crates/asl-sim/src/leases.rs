//! Workers and those who watch them, on machines whose clocks are set, and that are paused: whoever is taken for gone must
//! not be at work.
//!
//! Real time passes in ticks of 100 ms. All processes share a machine, which may be paused as a whole: its monotonic clock
//! stands still then, or jumps when it goes on. Each process may be held alone. The wall clock is set by anything, any time.

use crate::Dice;
use asl_store::{Liveness, WorkerId, WorkerRow};
use std::time::Duration;

const TICK_MS: u64 = 100;
const LEASE_MS: u64 = 30_000;
/// A worker renews so often, and stops so long after its last renewal began.
const RENEW_MS: u64 = LEASE_MS / 3;
const SAFE_MS: u64 = LEASE_MS - LEASE_MS / 6;
/// An observer looks so often.
const LOOK_MS: u64 = 1_000;
/// When one of them has watched for so long, a worker that died must have been noticed.
const NOTICED_MS: u64 = LEASE_MS + 5_000;

/// How an observer judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// As the engine does.
    Watching,
    /// Broken on purpose: by its wall clock, and the time that a row has in it.
    WallClock,
    /// Broken on purpose: by all the time between two looks, whether it watched or was held.
    AllTime,
}

struct Worker {
    row: WorkerRow,
    /// It has not been killed, and has not stopped by itself.
    at_work: bool,
    /// When it was killed: for how long each observer has watched since, and could have taken over.
    watched_dead_ms: Option<[u64; 2]>,
    /// Held by somebody until then: it does nothing, neither good nor bad.
    held_until_ms: u64,
    /// Since when by the monotonic clock, until it has noticed.
    held_since_ms: Option<u64>,
    /// By the monotonic clock: when it renews next, and when its last renewal began.
    renews_ms: u64,
    renewed_ms: u64,
}

impl Worker {
    /// It was held for so long, which does not count, and asks before it goes on: it is refused if somebody has taken over.
    fn wake(&mut self, monotonic_ms: u64, held_ms: u64, after_ms: u64) {
        self.renews_ms = monotonic_ms + after_ms;
        self.renewed_ms += held_ms;
    }
}

struct Observer {
    liveness: Liveness,
    held_until_ms: u64,
    looks_ms: u64,
    /// For the judge that takes all time: the beats it saw, and when it saw each first.
    seen: Vec<(i64, u64)>,
}

/// Ten minutes of three workers and two observers. What went wrong: a worker at work was taken for gone, or one that died was
/// not noticed.
///
/// # Errors
/// Tells the first thing that went wrong, with its time.
pub fn watch(dice: &mut Dice, judge: Judge) -> Result<(), String> {
    let (mut monotonic_ms, mut wall_ms) = (1_000_u64, 1_700_000_000_000_i64);
    let beat = |wall_ms: i64| wall_ms.saturating_add(LEASE_MS as i64);
    let mut workers: Vec<Worker> = (1..=3).map(|n| worker(n, beat(wall_ms), monotonic_ms)).collect();
    let mut observers: Vec<Observer> = (0..2).map(|n| observer(monotonic_ms + 300 * n)).collect();
    let mut locked_until_ms = 0;
    let mut now_ms = 0;
    while now_ms < 600_000 {
        now_ms += TICK_MS;
        monotonic_ms += TICK_MS;
        wall_ms = wall_ms.saturating_add(TICK_MS as i64);
        happens(dice, now_ms, &mut monotonic_ms, &mut wall_ms, &mut workers, &mut observers, &mut locked_until_ms);
        for worker in workers.iter_mut().filter(|worker| worker.at_work && worker.held_until_ms <= now_ms) {
            if let Some(since_ms) = worker.held_since_ms.take() {
                worker.wake(monotonic_ms, monotonic_ms - since_ms, 0);
            }
            if monotonic_ms >= worker.renews_ms && locked_until_ms <= now_ms {
                worker.row.beat = beat(wall_ms).max(worker.row.beat.saturating_add(1));
                (worker.renewed_ms, worker.renews_ms) = (monotonic_ms, monotonic_ms + RENEW_MS);
            } else if monotonic_ms >= worker.renewed_ms + SAFE_MS && locked_until_ms > now_ms {
                worker.at_work = false;
            }
        }
        let rows: Vec<WorkerRow> = workers.iter().map(|worker| worker.row.clone()).collect();
        for observer in observers.iter_mut().filter(|o| o.held_until_ms <= now_ms && o.looks_ms <= monotonic_ms) {
            observer.looks_ms = monotonic_ms + LOOK_MS;
            let gone = judged(observer, judge, monotonic_ms, wall_ms, &rows);
            // To take over is to write, and who keeps the lock keeps it from all.
            for gone in gone.into_iter().filter(|_| locked_until_ms <= now_ms) {
                let worker = &workers[gone.0 as usize - 1];
                if worker.row.beat != rows[gone.0 as usize - 1].beat {
                    // The other one was quicker.
                    continue;
                }
                if worker.at_work && worker.held_until_ms <= now_ms {
                    return Err(format!("at {now_ms} ms worker {gone} is at work, and was taken for gone"));
                }
                // Its row is marked, so it never acts again; another begins in its place.
                let begins = beat(wall_ms).max(worker.row.beat.saturating_add(1));
                workers[gone.0 as usize - 1] = self::worker(gone.0, begins, monotonic_ms);
            }
        }
        for worker in &mut workers {
            let Some(watched) = &mut worker.watched_dead_ms else { continue };
            for (watched, observer) in watched.iter_mut().zip(&observers) {
                let could = observer.held_until_ms <= now_ms && locked_until_ms <= now_ms;
                *watched += if could { TICK_MS } else { 0 };
            }
            if watched.iter().any(|watched| *watched > NOTICED_MS) {
                return Err(format!("at {now_ms} ms worker {} is dead, and nobody has noticed", worker.row.id));
            }
        }
    }
    Ok(())
}

fn worker(number: i64, beat: i64, monotonic_ms: u64) -> Worker {
    let (what, lock, id) = (String::new(), None, WorkerId(number));
    let row = WorkerRow { id, what, process: 1, lock, beat, lease_ms: LEASE_MS, gone: false };
    let renews_ms = monotonic_ms + RENEW_MS;
    Worker {
        row,
        at_work: true,
        watched_dead_ms: None,
        held_until_ms: 0,
        held_since_ms: None,
        renews_ms,
        renewed_ms: monotonic_ms,
    }
}

fn observer(looks_ms: u64) -> Observer {
    Observer { liveness: Liveness::default(), held_until_ms: 0, looks_ms, seen: Vec::new() }
}

/// What may happen in a tick.
fn happens(
    dice: &mut Dice,
    now_ms: u64,
    monotonic_ms: &mut u64,
    wall_ms: &mut i64,
    workers: &mut [Worker],
    observers: &mut [Observer],
    locked_until_ms: &mut u64,
) {
    match dice.below(2_000) {
        // The wall clock is set: by seconds, or by years.
        1..=3 => *wall_ms += dice.below(120_000) as i64 - 60_000,
        4 => *wall_ms += (dice.below(200) as i64 - 100) * 31_536_000_000 / 50,
        // The machine was paused, and its monotonic clock did not stop with it: nobody did anything meanwhile.
        5 | 6 => {
            let pause_ms = dice.below(120_000);
            *monotonic_ms += pause_ms;
            *wall_ms += pause_ms as i64;
            // Some of them run again a moment later than others; who is held by itself stays so.
            let awake = workers.iter_mut().filter(|worker| worker.held_since_ms.is_none());
            awake.for_each(|worker| worker.wake(*monotonic_ms, pause_ms, dice.below(3_000)));
        }
        // One process is held.
        7 => {
            let n = dice.below(2) as usize;
            observers[n].held_until_ms = now_ms + dice.below(90_000);
        }
        8 => {
            let worker = &mut workers[dice.below(3) as usize];
            worker.held_until_ms = now_ms + dice.below(90_000);
            worker.held_since_ms.get_or_insert(*monotonic_ms);
        }
        // Somebody keeps the database's lock.
        9 => *locked_until_ms = now_ms + dice.below(40_000),
        // A worker dies, and nobody finds its lock.
        10 => {
            let worker = &mut workers[dice.below(3) as usize];
            worker.at_work = false;
            worker.watched_dead_ms.get_or_insert([0; 2]);
        }
        _ => {}
    }
}

fn judged(observer: &mut Observer, judge: Judge, monotonic_ms: u64, wall_ms: i64, rows: &[WorkerRow]) -> Vec<WorkerId> {
    match judge {
        Judge::Watching => observer.liveness.look(Duration::from_millis(monotonic_ms), rows),
        Judge::WallClock => rows.iter().filter(|row| row.beat < wall_ms).map(|row| row.id).collect(),
        Judge::AllTime => {
            observer.seen.resize(rows.len(), (i64::MIN, 0));
            let mut gone = Vec::new();
            for (row, seen) in rows.iter().zip(&mut observer.seen) {
                if seen.0 != row.beat {
                    *seen = (row.beat, monotonic_ms);
                }
                if monotonic_ms - seen.1 > LEASE_MS {
                    gone.push(row.id);
                }
            }
            gone
        }
    }
}
