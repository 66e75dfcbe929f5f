//! The process: what is gone when it dies, and how it comes back.

use super::writer::Job;
use super::{Entry, STORM_MS, Sim, Weather};
use crate::store::{Exec, rebuild};
use crate::world::{is_embedded, waits_for_token};
use crate::{Sabotage, sim::outside::Ask};
use asl_core::{Execution, Input, Machine, MapRunId, Progress, TaskCall};
use asl_journal::quarantine::Trials;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An input on its way into a driver, and who wants to hear of it.
pub(super) struct Delivery {
    pub(super) input: Input,
    pub(super) ask: Option<Ask>,
}

/// What drives one execution.
pub(super) struct Driver {
    pub(super) number: u64,
    pub(super) machine: Machine,
    pub(super) inbox: VecDeque<Delivery>,
    pub(super) embedded: VecDeque<TaskCall>,
    pub(super) progress: Progress,
    /// It waits for its commit.
    pub(super) writing: bool,
    /// When it looks again.
    pub(super) wake: Option<(i64, u64, Entry)>,
    /// It was rebuilt after a crash.
    pub(super) resumed: bool,
}

/// Everything that a crash takes away.
#[derive(Default)]
pub(super) struct Process {
    pub(super) drivers: BTreeMap<Exec, Driver>,
    pub(super) queue: VecDeque<Job>,
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

    /// Puts an input into a driver's inbox; false when there is no driver.
    pub(super) fn deliver(&mut self, exec: Exec, delivery: Delivery) -> bool {
        let Some(driver) = self.driver(exec) else { return false };
        driver.inbox.push_back(delivery);
        self.soon(5, Entry::Go(exec));
        true
    }

    pub(super) fn crash(&mut self) {
        if self.process.take().is_none() {
            return;
        }
        self.stats.crashes += 1;
        self.blame();
        let storm = self.weather == Weather::Storm;
        let forgets = storm || self.tries();
        // What was going on inside is gone, and with it the connections to functions; those outside go on asking.
        self.agenda.retain(|(_, _, entry)| match entry {
            Entry::Restart | Entry::Jump | Entry::Crash | Entry::Cure(_) | Entry::Ask(_) => true,
            Entry::Answer(..) => !forgets,
            _ => false,
        });
        for ask in std::mem::take(&mut self.asking) {
            // Without a storm it is written by now, and the client takes it for granted.
            if forgets { self.ask_again(ask) } else { self.acknowledge(ask) }
        }
        let away_ms = if storm { self.dice.below(8000) as i64 } else { 0 };
        self.plan(away_ms, Entry::Restart);
    }

    /// A new process takes up what has not ended.
    pub(super) fn restart(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.process = Some(Process::default());
        for exec in self.store.open() {
            self.adopt(exec);
        }
    }

    pub(super) fn resume(&mut self, exec: Exec) {
        let machine = match rebuild(self.store.row(exec)) {
            Ok((machine, _)) => machine,
            Err(differs) => return self.break_rule(format!("{exec:?} cannot go on: {differs}")),
        };
        let (calls, submitted) = (machine.open_tasks(), machine.submitted_tasks());
        let work = machine.open_map_work();
        self.launch(exec, machine, true);
        let submitted = submitted.into_iter().filter(|call| self.is_to_be_repeated(call)).collect::<Vec<_>>();
        if !self.has(Sabotage::LoseCalls) {
            calls.into_iter().chain(submitted).for_each(|call| self.dispatch(exec, call));
        }
        if !self.has(Sabotage::LoseChildren) {
            work.into_iter().for_each(|command| self.map_work(exec, command));
        }
        // It may have been in the middle of something.
        self.soon(5, Entry::Go(exec));
    }

    /// Of the tasks whose call was answered: a callback only waits for its token, a job has to be watched again.
    fn is_to_be_repeated(&self, call: &TaskCall) -> bool {
        let again = if is_embedded(call) { Sabotage::EffectAgain } else { Sabotage::CallAgain };
        !waits_for_token(call) || self.has(again)
    }

    pub(super) fn launch(&mut self, exec: Exec, machine: Machine, resumed: bool) {
        self.drivers += 1;
        let driver = Driver {
            number: self.drivers,
            machine,
            inbox: VecDeque::new(),
            embedded: VecDeque::new(),
            progress: Progress::Yielded,
            writing: false,
            wake: None,
            resumed,
        };
        if let Some(process) = &mut self.process {
            process.drivers.insert(exec, driver);
        }
    }

    /// A driver ends because its record could not be written. Somebody starts the process again, sooner or later.
    pub(super) fn lose(&mut self, exec: Exec) {
        let Some(process) = &mut self.process else { return };
        let follower = process.followers.remove(&exec);
        let Some(driver) = process.drivers.remove(&exec) else { return };
        if let Some(wake) = driver.wake {
            self.agenda.remove(&wake);
        }
        self.agenda.retain(|(_, _, entry)| !matches!(entry, Entry::Answer(of, ..) if *of == exec));
        self.ask_for_lost(exec);
        let after_ms = 100 + self.dice.below(5000) as i64;
        self.plan(after_ms, Entry::Crash);
        // No answer will come of it.
        if let Some((parent, ..)) = follower {
            self.lose(parent);
        }
    }

    /// Whoever asked a driver that is gone asks again.
    fn ask_for_lost(&mut self, exec: Exec) {
        let arn = &self.store.row(exec).execution.arn;
        let scenario = self.scenario;
        let of = |ask: &Ask| match ask {
            Ask::Start(_) => false,
            Ask::Stop(n) => scenario.executions[*n].arn == *arn,
            Ask::Token(of, ..) => *of == exec,
        };
        let lost: Vec<Ask> = self.asking.iter().copied().filter(of).collect();
        for ask in lost {
            self.asking.remove(&ask);
            self.ask_again(ask);
        }
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
