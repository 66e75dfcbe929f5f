//! A poison: an execution that ends every process that goes on with it. It is found, set aside, and, once it is cured, taken
//! again and ended as all others. So is an innocent that was on trial whenever somebody killed the process from outside.

use super::outside::Ask;
use super::{Entry, Sim, Weather};
use crate::Sabotage;
use crate::store::{Exec, rebuild};
use asl_core::{Budget, Input};
use asl_engine::protocol::time_for;
use asl_store::Record;
use asl_store::quarantine::{DEATHS, deaths_after, pause_ms};

/// After so long somebody has cured what was set aside; milliseconds.
const CURED_MS: i64 = 120_000;

/// Which execution of the scenario is the poison, and after how many records it is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poison {
    pub(super) execution: usize,
    pub(super) records: usize,
    /// Only when it takes something in: an answer, or what its time has brought.
    pub(super) later: bool,
}

impl Sim<'_> {
    /// Whether suspects are tried before they are believed.
    pub(super) fn tries(&self) -> bool {
        matches!(self.weather, Weather::Poison | Weather::Kills)
    }

    /// The process goes on with an execution. True when that was its end.
    pub(super) fn swallows_poison(&mut self, exec: Exec, takes_in: bool) -> bool {
        let Some(Poison { execution, records, later }) = self.poison else { return false };
        if later && !takes_in {
            return false;
        }
        let row = self.store.row(exec);
        let is_poison = row.execution.arn == self.scenario.executions[execution].arn && row.records.len() >= records;
        if is_poison {
            self.note(|| format!("{exec:?} is poison"));
            self.crash();
        }
        is_poison
    }

    /// The process died: who is to blame.
    pub(super) fn blame(&mut self) {
        let on_trial = std::mem::take(&mut self.store.on_trial);
        let all = self.has(Sabotage::BlameAll);
        for exec in self.store.open() {
            let row = self.store.row_mut(exec);
            if row.set_aside {
                continue;
            }
            let accused = if on_trial.contains(&exec) { on_trial.len() } else { 0 };
            row.deaths = deaths_after(row.deaths, if all { 1 } else { accused });
        }
    }

    /// Takes an open execution up, by what is known of it.
    pub(super) fn adopt(&mut self, exec: Exec) {
        if !self.tries() {
            return self.resume(exec, false);
        }
        match self.store.row(exec).deaths {
            _ if self.store.row(exec).set_aside && self.has(Sabotage::LeaveForEver) => {}
            _ if self.store.row(exec).set_aside => {
                let again_ms = self.store.row(exec).again_ms;
                self.plan(again_ms - self.now_ms, Entry::Again(exec));
            }
            0 => self.resume(exec, false),
            deaths if deaths >= DEATHS && !self.has(Sabotage::NeverSetAside) => self.set_aside(exec),
            deaths => self.suspect(exec, deaths),
        }
    }

    fn suspect(&mut self, exec: Exec, deaths: u32) {
        if let Some(process) = &mut self.process {
            process.trials.suspect(exec, deaths);
        }
        self.soon(1, Entry::Try);
    }

    /// What is set aside is tried again by itself.
    pub(super) fn try_again(&mut self, exec: Exec) {
        let row = self.store.row_mut(exec);
        if row.set_aside && row.outcome.is_none() {
            row.set_aside = false;
            let deaths = row.deaths;
            self.suspect(exec, deaths);
        }
    }

    fn set_aside(&mut self, exec: Exec) {
        self.note(|| format!("{exec:?} is set aside"));
        let pause_ms = pause_ms(self.store.row(exec).deaths.saturating_sub(DEATHS));
        let again_ms = self.now_ms + pause_ms;
        let row = self.store.row_mut(exec);
        (row.set_aside, row.again_ms) = (true, again_ms);
        self.stats.set_aside += 1;
        if !self.has(Sabotage::LeaveForEver) {
            self.plan(pause_ms, Entry::Again(exec));
        }
        if self.weather == Weather::Kills {
            return;
        }
        let poison = self.poison.map(|poison| &self.scenario.executions[poison.execution].arn);
        if poison != Some(&self.store.row(exec).execution.arn) {
            self.break_rule(format!("{exec:?} is set aside, and is innocent"));
        }
        self.plan(CURED_MS, Entry::Cure(exec));
    }

    pub(super) fn cure(&mut self, exec: Exec) {
        self.poison = None;
        let row = self.store.row_mut(exec);
        let was = row.set_aside;
        (row.set_aside, row.deaths) = (false, 0);
        if was && self.process.is_some() && row.outcome.is_none() {
            self.resume(exec, false);
        }
    }

    /// The next trial.
    pub(super) fn try_suspects(&mut self) {
        let now_ms = self.now_ms;
        let Some(process) = &mut self.process else { return };
        let Some(trial) = process.trials.next(now_ms, 1000) else {
            if let Some(at) = process.trials.look_again_ms() {
                self.plan(at - now_ms, Entry::Try);
            }
            return;
        };
        self.store.on_trial = trial.marked;
        for exec in trial.begin {
            self.resume(exec, true);
        }
        self.plan(1, Entry::Try);
    }

    /// It has written a record, ended, or waits.
    pub(super) fn settle_trial(&mut self, exec: Exec) {
        if !self.tries() {
            return;
        }
        if let Some(process) = &mut self.process {
            process.trials.settled(exec);
            if process.trials.is_waiting() || !self.store.on_trial.is_empty() {
                self.soon(1, Entry::Try);
            }
        }
    }

    /// Somebody stops an execution that nobody runs: it ends without anything being done for it.
    pub(super) fn stop_set_aside(&mut self, exec: Exec, input: Input, ask: Ask) {
        let Ok((mut machine, _)) = rebuild(self.store.row(exec)) else { return };
        let now = time_for(self.clock(), &machine);
        if machine.handle(input.clone(), now).is_err() {
            return;
        }
        let steps = machine.run(now, Budget::steps(0)).steps;
        let record = Record { now, inputs: vec![input], steps, events: machine.take_effects().events };
        match self.store.append(exec, record, machine.outcome().cloned()) {
            Ok(()) => {
                self.acknowledge(ask);
                self.tell_verdicts();
            }
            Err(why) => self.break_rule(why),
        }
    }
}
