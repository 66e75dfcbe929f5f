//! Executions that end the processes that run them: how the one that is to blame is found, and when it is tried again.
//! Pure: a store writes the counts down, a driver loads what is on trial.
//!
//! # Who is to blame
//! When a worker dies, one of its executions may be the reason: an evaluation that overflows the stack, a function inside
//! the process that aborts, data that take all memory. Any one of them may be it, so all that have written nothing since
//! are *suspects* ([`deaths_after`]). A suspect is tried before it is believed ([`Trials`]): which ones are on trial stands
//! in the worker's row before they are loaded, and if that worker dies too, those on trial are to blame and no others. First
//! many are tried together, then one at a time, so five deaths find the one among thousands. A record clears an execution,
//! and nothing else does: what waits, for its time or for a function in another process, is not on trial meanwhile, and on
//! trial again when it goes on.
//!
//! An execution whose owners died [`DEATHS`] times so is set aside: no worker owns it.
//!
//! # The innocent
//! A process that is killed from outside dies beside whatever is on trial just then, and nothing tells the two apart. So
//! only a death beside at most [`FEW`] others counts towards the end, three such deaths are needed, and what is set aside is
//! tried again by itself, alone, after a pause that grows with each death ([`pause_ms`]): an innocent goes on then, and a
//! poison ends one process in each pause.

use std::collections::BTreeSet;

/// After so many deaths of its owners an execution is set aside, unless another number is asked for.
pub const DEATHS: u32 = 5;

/// How many suspects are tried together when their owner died once.
const TOGETHER: usize = 256;
/// How long a trial keeps the next one waiting; milliseconds. What is not over by then stays on trial.
pub const TRIAL_MS: i64 = 1_000;

/// Among so many on trial each is blamed in full: one at a time is tried, and what takes long stays on trial beside it.
pub const FEW: usize = 4;

/// How many deaths are counted for an execution when its owner has died with `accused` executions on trial, this one among
/// them; 0 when it was not. It is suspect then. One more is counted beside few; of many each is only worth a trial of its own.
pub fn deaths_after(deaths: u32, accused: usize) -> u32 {
    match accused {
        0 => deaths.max(1),
        1..=FEW => deaths.saturating_add(1),
        _ => deaths.max(deaths.saturating_add(1).min(2)),
    }
}

/// How long an execution stays set aside before it is tried again by itself; milliseconds. `over` deaths were counted beyond
/// those that set it aside first.
pub fn pause_ms(over: u32) -> i64 {
    const MINUTE_MS: i64 = 60_000;
    match over {
        0 => MINUTE_MS,
        1 => 10 * MINUTE_MS,
        2 => 60 * MINUTE_MS,
        3 => 6 * 60 * MINUTE_MS,
        _ => 24 * 60 * MINUTE_MS,
    }
}

/// Suspects: which are to be tried next, and which are on trial. Knows neither clock nor store, a driver tells it.
#[derive(Clone, Debug)]
pub struct Trials<K> {
    waiting: BTreeSet<(u32, K)>,
    on_trial: BTreeSet<K>,
    /// Those of them that keep the next ones waiting.
    current: BTreeSet<K>,
    until_ms: i64,
    /// What is written down to be on trial.
    written: BTreeSet<K>,
}

impl<K> Default for Trials<K> {
    fn default() -> Trials<K> {
        Trials {
            waiting: BTreeSet::new(),
            on_trial: BTreeSet::new(),
            current: BTreeSet::new(),
            until_ms: 0,
            written: BTreeSet::new(),
        }
    }
}

/// What is to be done about suspects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial<K> {
    /// To be written down first: all that are on trial from now on.
    pub marked: Vec<K>,
    /// To be loaded then.
    pub begin: Vec<K>,
}

impl<K: Ord + Copy> Trials<K> {
    /// An execution is suspect: its owners died so often.
    pub fn suspect(&mut self, execution: K, deaths: u32) {
        self.waiting.insert((deaths, execution));
    }

    /// It is not on trial any more: it has written a record, ended, or waits for something outside. True when it was.
    pub fn settled(&mut self, execution: K) -> bool {
        self.current.remove(&execution);
        self.on_trial.remove(&execution)
    }

    /// One that was tried goes on, with an answer or because its time has come: it is on trial again. What is to be written
    /// down first.
    pub fn again(&mut self, execution: K) -> Vec<K> {
        self.on_trial.insert(execution);
        self.written.clone_from(&self.on_trial);
        self.on_trial.iter().copied().collect()
    }

    /// Whether some wait to be tried.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When to ask again, if nothing settles before; milliseconds, by the clock of [`Trials::next`].
    pub fn look_again_ms(&self) -> Option<i64> {
        (!self.waiting.is_empty() && !self.current.is_empty()).then_some(self.until_ms)
    }

    /// What is to be done now, for at most `room` executions; `None` while a trial goes on, or when there is nothing to do.
    pub fn next(&mut self, now_ms: i64, room: usize) -> Option<Trial<K>> {
        if !self.current.is_empty() && now_ms < self.until_ms && self.until_ms <= now_ms.saturating_add(TRIAL_MS) {
            // Those that have settled are not to be blamed for what the others do.
            return (self.written != self.on_trial).then(|| {
                self.written.clone_from(&self.on_trial);
                Trial { marked: self.on_trial.iter().copied().collect(), begin: Vec::new() }
            });
        }
        let most = match self.waiting.first() {
            Some((deaths, _)) if *deaths > 1 => 1,
            _ => TOGETHER.min(room),
        };
        let alike = |(deaths, _): &&(u32, K)| most == 1 || *deaths <= 1;
        let begin: Vec<(u32, K)> = self.waiting.iter().take_while(alike).take(most.min(room)).copied().collect();
        for suspect in &begin {
            self.waiting.remove(suspect);
        }
        let begin: Vec<K> = begin.into_iter().map(|(_, execution)| execution).collect();
        self.on_trial.extend(&begin);
        self.current = begin.iter().copied().collect();
        self.until_ms = now_ms.saturating_add(TRIAL_MS);
        if begin.is_empty() && self.written == self.on_trial {
            return None;
        }
        self.written.clone_from(&self.on_trial);
        Some(Trial { marked: self.on_trial.iter().copied().collect(), begin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where one of many is the poison, five deaths find it, and nobody else is blamed more than twice.
    #[test]
    fn five_deaths_find_the_one_among_thousands() {
        for poison in [0, 255, 256, 700, 1999] {
            let mut deaths = vec![1u32; 2000];
            let mut died = 1;
            while deaths[poison] < DEATHS {
                let mut trials = Trials::default();
                deaths.iter().enumerate().for_each(|(n, deaths)| trials.suspect(n, *deaths));
                let on_trial = loop {
                    let trial = trials.next(0, 1000).expect("the poison is tried some time");
                    if trial.begin.contains(&poison) {
                        break trial.marked;
                    }
                    trial.begin.iter().for_each(|innocent| assert!(trials.settled(*innocent)));
                };
                died += 1;
                for (n, deaths) in deaths.iter_mut().enumerate() {
                    *deaths = deaths_after(*deaths, if on_trial.contains(&n) { on_trial.len() } else { 0 });
                }
            }
            assert_eq!(died, DEATHS);
            assert_eq!(deaths.iter().filter(|deaths| **deaths >= DEATHS).count(), 1, "only the poison");
            assert!(deaths.iter().enumerate().all(|(n, deaths)| n == poison || *deaths <= 2), "{deaths:?}");
        }
    }

    #[test]
    fn a_trial_that_takes_long_keeps_nobody_waiting_for_ever_and_stays_one() {
        let mut trials = Trials::default();
        trials.suspect('a', 2);
        trials.suspect('b', 2);
        assert_eq!(trials.next(0, 9), Some(Trial { marked: vec!['a'], begin: vec!['a'] }));
        assert_eq!((trials.next(TRIAL_MS - 1, 9), trials.look_again_ms()), (None, Some(TRIAL_MS)));
        assert_eq!(trials.next(TRIAL_MS, 9), Some(Trial { marked: vec!['a', 'b'], begin: vec!['b'] }));
        assert!(trials.settled('b') && !trials.settled('b'));
        assert_eq!(trials.next(TRIAL_MS, 9), Some(Trial { marked: vec!['a'], begin: vec![] }));
        assert!(trials.settled('a'));
        assert_eq!(trials.next(TRIAL_MS, 9), Some(Trial { marked: vec![], begin: vec![] }));
        assert_eq!(trials.next(TRIAL_MS, 9), None);
    }
}
