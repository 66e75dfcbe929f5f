//! The process: what is gone when it dies, and how it comes back.

use super::writer::Job;
use super::{Entry, STORM_MS, Sim, Weather};
use crate::store::{Exec, rebuild};
use crate::{Sabotage, sim::outside::Ask};
use asl_core::{Execution, Input, MapRunId};
use asl_engine::protocol::{Arrived, From, News, Protocol};
use asl_expr::Timestamp;
use asl_store::SignalId;
use asl_store::quarantine::Trials;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who is told what becomes of a signal; nobody, where a parent stops its child.
pub(super) type Caller = Option<Ask>;

/// Something on its way to a driver.
pub(super) enum Delivery {
    News(News),
    Signal(Arrived<Caller>),
}

/// What drives one execution.
pub(super) struct Driver {
    pub(super) number: u64,
    pub(super) protocol: Protocol<Caller>,
    /// What has come, and the protocol does not know yet.
    pub(super) inbox: VecDeque<Delivery>,
    /// It waits for its commit, or for its turn to leave memory.
    pub(super) awaits: bool,
    /// When it looks again.
    pub(super) wake: Option<(i64, u64, Entry)>,
    /// When it is due, while it leaves memory.
    pub(super) due: Option<Timestamp>,
    /// It was rebuilt.
    pub(super) resumed: bool,
    /// It has not run since it was rebuilt.
    pub(super) taking_up: bool,
    /// Its machine has more to do.
    pub(super) busy: bool,
    /// The protocol was told something since the last run; and all that it was told since the last record.
    pub(super) told: bool,
    pub(super) raw: Vec<Input>,
}

/// Everything that a crash takes away.
#[derive(Default)]
pub(super) struct Process {
    /// As which worker it writes.
    pub(super) number: u64,
    pub(super) drivers: BTreeMap<Exec, Driver>,
    /// What has left memory, and when it is due.
    pub(super) evicted: BTreeMap<Exec, Option<Timestamp>>,
    /// Signals of the inbox that drivers have got.
    pub(super) handed: BTreeSet<SignalId>,
    pub(super) queue: VecDeque<Job>,
    /// It ends what is in flight, and begins nothing.
    pub(super) draining: bool,
    /// Children that a map run asked for.
    pub(super) children: BTreeMap<(Exec, MapRunId, u64), Execution>,
    /// Those of them that were stopped.
    pub(super) unwanted: BTreeSet<(Exec, MapRunId, u64)>,
    /// Executions that may have ended the process before.
    pub(super) trials: Trials<Exec>,
    /// Who waits for whom.
    pub(super) followers: BTreeMap<Exec, (Exec, MapRunId, u64)>,
}

impl Sim<'_> {
    pub(super) fn driver(&mut self, exec: Exec) -> Option<&mut Driver> {
        self.process.as_mut()?.drivers.get_mut(&exec)
    }

    /// True when the process has an execution, in memory or out of it.
    pub(super) fn has_at_hand(&self, exec: Exec) -> bool {
        let has = |process: &Process| process.drivers.contains_key(&exec) || process.evicted.contains_key(&exec);
        self.process.as_ref().is_some_and(has)
    }

    /// Brings something to a driver; false when there is none.
    pub(super) fn deliver(&mut self, exec: Exec, delivery: Delivery) -> bool {
        let Some(driver) = self.driver(exec) else { return false };
        driver.inbox.push_back(delivery);
        self.soon(5, Entry::Go(exec));
        true
    }

    /// Brings a signal to an execution of this process, which is taken into memory for that; false when it is not at hand.
    pub(super) fn signal_here(&mut self, exec: Exec, input: Input, caller: Caller) -> bool {
        if self.process.as_ref().is_some_and(|process| process.evicted.contains_key(&exec) && !process.draining) {
            self.load(exec);
        }
        self.deliver(exec, Delivery::Signal(Arrived { input, from: From::Caller(caller) }))
    }

    /// The process looks into the inbox.
    pub(super) fn poll(&mut self) {
        let waiting: Vec<(SignalId, Exec, Input)> =
            self.store.inbox.iter().map(|(id, left)| (*id, left.exec, left.input.clone())).collect();
        for (id, exec, input) in waiting {
            let Some(process) = &mut self.process else { return };
            if process.evicted.contains_key(&exec) && !process.draining {
                // It reads its signals when it is loaded.
                self.load(exec);
            } else if process.drivers.contains_key(&exec) && process.handed.insert(id) {
                self.hand(id, exec, input);
            }
        }
    }

    fn hand(&mut self, id: SignalId, exec: Exec, input: Input) {
        if self.has(Sabotage::EmptyInboxEarly) {
            self.store.decide(&[asl_store::Verdict { signal: id, taken: true }]);
            self.tell_verdicts();
        }
        self.deliver(exec, Delivery::Signal(Arrived { input, from: From::Inbox(id) }));
    }

    /// Clients hear what became of the signals that they left in the inbox.
    pub(super) fn tell_verdicts(&mut self) {
        for (ask, taken) in std::mem::take(&mut self.store.verdicts) {
            if taken { self.acknowledge(ask) } else { self.refuse(ask) }
        }
    }

    /// A driver leaves memory, unless something has come.
    pub(super) fn leave(&mut self, exec: Exec) {
        let loses = self.has(Sabotage::LoseAtEviction);
        let Some(driver) = self.driver(exec) else { return };
        if loses {
            driver.inbox.clear();
        }
        driver.awaits = false;
        if !driver.inbox.is_empty() {
            driver.protocol.stays();
            self.stats.stayed += 1;
            return self.go(exec);
        }
        let due = driver.due;
        self.stats.evicted += 1;
        let signals: Vec<SignalId> = self.store.signals(exec).into_iter().map(|(id, _)| id).collect();
        let Some(process) = &mut self.process else { return };
        process.drivers.remove(&exec);
        process.evicted.insert(exec, due);
        process.handed.retain(|id| !signals.contains(id));
        if !signals.is_empty() {
            self.soon(30, Entry::Poll);
        }
        if let [ask, ..] = self.asked_of(exec)[..] {
            self.break_rule(format!("{exec:?} has left memory, and {ask:?} waits for an answer"));
        }
        self.wake_when_due(exec, due);
    }

    fn wake_when_due(&mut self, exec: Exec, due: Option<Timestamp>) {
        if let (Some(at), false) = (due, self.has(Sabotage::LoseEvicted)) {
            let nap_ms = self.until_ms(at).min(super::driver::NAP_MS);
            self.plan(nap_ms, Entry::Due(exec));
        }
    }

    /// What has left memory may be due.
    pub(super) fn due(&mut self, exec: Exec) {
        let Some(process) = &self.process else { return };
        let Some(Some(at)) = process.evicted.get(&exec).copied() else { return };
        if process.draining {
            return;
        }
        if at <= self.clock() { self.load(exec) } else { self.wake_when_due(exec, Some(at)) }
    }

    fn load(&mut self, exec: Exec) {
        if let Some(process) = &mut self.process {
            process.evicted.remove(&exec);
        }
        self.resume(exec, false);
    }

    pub(super) fn crash(&mut self) {
        if self.process.take().is_none() {
            return;
        }
        self.stats.crashes += 1;
        self.blame();
        let storm = self.weather == Weather::Storm;
        let forgets = storm || self.tries();
        self.forget_inside(!forgets);
        for ask in std::mem::take(&mut self.asking) {
            // Without a storm it is written by now, and the client takes it for granted.
            if forgets { self.ask_again(ask) } else { self.acknowledge(ask) }
        }
        let away_ms = if storm { self.dice.below(8000) as i64 } else { 0 };
        self.plan(away_ms, Entry::Restart);
    }

    /// What was going on inside is gone, and mostly with it the connections to functions; those outside go on asking.
    fn forget_inside(&mut self, answers: bool) -> Vec<(i64, Entry)> {
        let is_inside = |entry: &Entry| match entry {
            Entry::Answer(..) => !answers,
            entry => !entry.is_outside(),
        };
        let (inside, outside): (Vec<_>, Vec<_>) = self.agenda.iter().copied().partition(|(_, _, of)| is_inside(of));
        self.agenda = outside.into_iter().collect();
        inside.into_iter().map(|(at, _, entry)| (at - self.now_ms, entry)).collect()
    }

    /// A new process takes up what has not ended, and takes over from the one before.
    pub(super) fn restart(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.processes += 1;
        self.store.in_force = self.processes;
        self.process = Some(Process { number: self.processes, ..Process::default() });
        for exec in self.store.open() {
            self.adopt(exec);
        }
    }

    /// The process is held: Ctrl-Z, a pause of its machine. Another takes over, or it goes on before.
    pub(super) fn freeze(&mut self) {
        if self.frozen.is_some() {
            return;
        }
        let Some(process) = self.process.take() else { return };
        let inside = self.forget_inside(false);
        self.frozen = Some((process, inside));
        for ask in std::mem::take(&mut self.asking) {
            self.ask_again(ask);
        }
        let (lease_ms, held_ms) = (1000 + self.dice.below(8000) as i64, 500 + self.dice.below(20_000) as i64);
        self.plan(lease_ms, Entry::Restart);
        self.plan(held_ms, Entry::Thaw);
    }

    /// The process that was held wakes: it goes on, or what it wants to write is refused.
    pub(super) fn thaw(&mut self) {
        let Some((process, inside)) = self.frozen.take() else { return };
        if self.store.in_force == process.number && self.process.is_none() {
            self.process = Some(process);
            for (after_ms, entry) in inside {
                self.plan(after_ms, entry);
            }
            return self.soon(12, Entry::Commit);
        }
        self.stats.taken_over += 1;
        for job in process.queue {
            self.write_too_late(job);
        }
    }

    /// The process is told to end: what is in flight may end.
    pub(super) fn drain(&mut self) {
        let early = self.has(Sabotage::DrainEarly);
        let Some(process) = &mut self.process else { return };
        process.draining = true;
        let (number, drivers) = (process.number, process.drivers.keys().copied().collect::<Vec<_>>());
        if early {
            let numbers: Vec<u64> = process.drivers.values().map(|driver| driver.number).collect();
            self.handed_over.extend(numbers);
            return self.end_process();
        }
        drivers.into_iter().for_each(|exec| self.soon(5, Entry::Go(exec)));
        self.plan(10_000, Entry::DrainOver(number));
        self.ends_when_empty();
    }

    pub(super) fn drain_over(&mut self, number: u64) {
        if self.process.as_ref().is_some_and(|process| process.number == number) {
            self.end_process();
        }
    }

    /// A driver has nothing in flight, and its process drains.
    pub(super) fn hands_over(&mut self, exec: Exec, driver: &mut Driver) {
        self.handed_over.insert(driver.number);
        self.stats.handed_over += 1;
        self.forget_driver(exec, driver);
        self.ends_when_empty();
    }

    fn ends_when_empty(&mut self) {
        if self.process.as_ref().is_some_and(|process| process.draining && process.drivers.is_empty()) {
            self.end_process();
        }
    }

    fn end_process(&mut self) {
        self.process = None;
        self.forget_inside(false);
        for ask in std::mem::take(&mut self.asking) {
            self.ask_again(ask);
        }
        let away_ms = self.dice.below(2000) as i64;
        self.plan(away_ms, Entry::Restart);
    }

    pub(super) fn resume(&mut self, exec: Exec, on_trial: bool) {
        let machine = match rebuild(self.store.row(exec)) {
            Ok((machine, _)) => machine,
            Err(differs) => return self.break_rule(format!("{exec:?} cannot go on: {differs}")),
        };
        let protocol = Protocol::resumed(machine);
        let is_suspect = self.tries() && self.store.row(exec).deaths > 0;
        self.launch(exec, if is_suspect { protocol.suspected(on_trial) } else { protocol }, true);
        for (id, input) in self.store.signals(exec) {
            if self.process.as_mut().is_some_and(|process| process.handed.insert(id)) {
                self.hand(id, exec, input);
            }
        }
        self.soon(5, Entry::Go(exec));
    }

    pub(super) fn launch(&mut self, exec: Exec, protocol: Protocol<Caller>, resumed: bool) {
        self.drivers += 1;
        let driver = Driver {
            number: self.drivers,
            protocol,
            inbox: VecDeque::new(),
            awaits: false,
            wake: None,
            due: None,
            resumed,
            taking_up: resumed,
            busy: false,
            told: false,
            raw: Vec::new(),
        };
        if let Some(process) = &mut self.process {
            process.drivers.insert(exec, driver);
        }
    }

    /// A driver ends because its record could not be written. Somebody starts the process again, sooner or later.
    pub(super) fn lose(&mut self, exec: Exec) {
        let Some(process) = &mut self.process else { return };
        let follower = process.followers.remove(&exec);
        let Some(mut driver) = process.drivers.remove(&exec) else { return };
        self.forget_driver(exec, &mut driver);
        self.agenda.retain(|(_, _, entry)| !matches!(entry, Entry::Answer(of, ..) if *of == exec));
        let after_ms = 100 + self.dice.below(5000) as i64;
        self.plan(after_ms, Entry::Crash);
        // No answer will come of it.
        if let Some((parent, ..)) = follower {
            self.lose(parent);
        }
    }

    /// A driver is gone. A client that asked it asks again, or hears that it is too late.
    pub(super) fn forget_driver(&mut self, exec: Exec, driver: &mut Driver) {
        if let Some(wake) = driver.wake.take() {
            self.agenda.remove(&wake);
        }
        self.settle_trial(exec);
        let has_ended = self.store.row(exec).outcome.is_some();
        for ask in self.asked_of(exec) {
            self.refuse(ask);
            if !has_ended {
                self.ask_again(ask);
            }
        }
    }

    /// What clients in this process wait to hear of an execution.
    fn asked_of(&self, exec: Exec) -> Vec<Ask> {
        let arn = &self.store.row(exec).execution.arn;
        let of = |ask: &Ask| match ask {
            Ask::Start(_) => false,
            Ask::Stop(n) => self.scenario.executions[*n].arn == *arn,
            Ask::Token(of, ..) => *of == exec,
        };
        self.asking.iter().copied().filter(of).collect()
    }

    /// Whether something goes wrong now.
    pub(super) fn goes_wrong(&mut self) -> bool {
        if self.trouble == 0 || self.now_ms > STORM_MS || !self.dice.percent(self.rough) {
            return false;
        }
        self.trouble -= 1;
        true
    }
}
