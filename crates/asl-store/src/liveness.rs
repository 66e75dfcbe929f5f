//! Whether a worker is silent for too long: judged by whoever watches it, by a clock that nobody sets.
//!
//! A worker's row changes with each renewal of its lease (its *beat*). An observer that has watched a row for as long as the
//! lease is, without seeing it change, may take its worker for gone. No time of one process is compared with that of
//! another, and no wall clock is read. Time counts as watched only in small pieces between two looks: an observer that was
//! held itself (a virtual machine that was paused, Ctrl-Z) has not watched, and those it watches may have been held with it.
//!
//! A worker that renews stops a sixth of its lease before the end, counted from before it asked. An observer counts from
//! when it saw the row change, which is later, so the one has stopped when the other takes over.

use crate::{WorkerId, WorkerRow};
use std::collections::HashMap;
use std::time::Duration;

/// Between two looks at most this part of the lease counts as watched. A worker may stand still a few times between two of its
/// renewals before these pieces add up to the sixth that it stops early.
const PIECES: u32 = 20;

/// What one observer has seen of the workers of a database.
#[derive(Clone, Debug, Default)]
pub struct Liveness {
    watched: HashMap<WorkerId, Watched>,
    looked: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    beat: i64,
    /// For how long it was watched without a new beat.
    silent: Duration,
}

impl Liveness {
    /// Looks at the workers' rows, and tells which have been silent for longer than their lease. `now` is the observer's
    /// monotonic clock, from any beginning; the rows were read after it was.
    pub fn look<'w>(&mut self, now: Duration, workers: impl IntoIterator<Item = &'w WorkerRow>) -> Vec<WorkerId> {
        let since = self.looked.map_or(Duration::ZERO, |looked| now.saturating_sub(looked));
        self.looked = Some(now);
        let mut watched = HashMap::new();
        let mut silent = Vec::new();
        for worker in workers {
            let lease = Duration::from_millis(worker.lease_ms);
            let before = self.watched.get(&worker.id).filter(|before| before.beat == worker.beat);
            let piece = since.min(lease / PIECES);
            let seen = Watched {
                beat: worker.beat,
                silent: before.map_or(Duration::ZERO, |before| before.silent.saturating_add(piece)),
            };
            if seen.silent > lease {
                silent.push(worker.id);
            }
            watched.insert(worker.id, seen);
        }
        self.watched = watched;
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE_MS: u64 = 30_000;

    fn row(beat: i64) -> WorkerRow {
        let (what, lock) = (String::new(), None);
        WorkerRow { id: WorkerId(1), what, process: 1, lock, beat, lease_ms: LEASE_MS, gone: false }
    }

    /// When it is first taken for gone, looked at every `every_ms` while its beat is as told.
    fn gone_at(every_ms: u64, beat: impl Fn(u64) -> i64) -> Option<u64> {
        let mut liveness = Liveness::default();
        let looks = (0..1000).map(|n| n * every_ms);
        looks.into_iter().find(|at| !liveness.look(Duration::from_millis(*at), &[row(beat(*at))]).is_empty())
    }

    #[test]
    fn a_silent_worker_is_gone_when_it_was_watched_for_its_lease() {
        assert_eq!(gone_at(1_000, |_| 7), Some(31_000));
        // It counts from when it was last seen to have renewed.
        assert_eq!(gone_at(1_000, |at| if at < 20_500 { 1 } else { 2 }), Some(52_000));
    }

    #[test]
    fn one_that_renews_lives_whatever_its_wall_clock_says() {
        // Its beats go back by days, and forward by years: they are other beats.
        let beats = [0, -86_400_000 * 3, i64::MAX, 25_000, i64::MIN, 1];
        assert_eq!(gone_at(1_000, |at| beats[(at / 25_000) as usize % beats.len()]), None);
    }

    #[test]
    fn an_observer_that_was_held_has_not_watched() {
        // Two looks with a day between them are a piece of watching, not a day.
        let mut liveness = Liveness::default();
        let day = Duration::from_secs(86_400);
        for n in 0..=PIECES {
            assert_eq!(liveness.look(day * n, &[row(7)]), [], "{n}");
        }
        assert_eq!(liveness.look(day * (PIECES + 1), &[row(7)]), [WorkerId(1)]);
        // A clock that would run back adds nothing.
        let mut liveness = Liveness::default();
        assert!((0..100).all(|n| liveness.look(day * (100 - n), &[row(7)]).is_empty()));
    }
}
