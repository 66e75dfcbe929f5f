//! What a driver does between two commits: take in, work, write; and, once that is written, act.

use super::process::Delivery;
use super::writer::{Append, Create, Job, Who};
use super::{EPOCH_MS, Entry, Sim};
use crate::store::Exec;
use crate::world::is_embedded;
use crate::{Sabotage, sim::outside::Ask};
use asl_core::{Command, Execution, Failure, Input, Machine, MapCommand, MapRunId, Progress, TaskCall};
use asl_expr::Timestamp;
use asl_journal::Record;

/// How long a driver sleeps at most before it looks at the clock again; milliseconds.
const NAP_MS: i64 = 60_000;

impl Sim<'_> {
    /// One turn of a driver's loop.
    pub(super) fn go(&mut self, exec: Exec) {
        let deaf = self.has(Sabotage::DeafWhileBusy);
        let Some(driver) = self.driver(exec) else { return };
        if driver.writing {
            return;
        }
        if driver.machine.outcome().is_some() {
            return self.finish(exec);
        }
        if let Some(call) = driver.embedded.pop_front() {
            driver.writing = true;
            return self.queue(Job::Embedded(exec, Box::new(call)));
        }
        let busy = driver.progress == Progress::Yielded;
        let deliveries: Vec<Delivery> = if busy && deaf { Vec::new() } else { driver.inbox.drain(..).collect() };
        if !driver.inbox.is_empty() {
            return self.break_rule(format!("{exec:?} works on while something waits to be taken in"));
        }
        if !self.swallows_poison(exec, !deliveries.is_empty()) {
            self.step(exec, deliveries);
        }
    }

    /// The time a driver goes by: a clock that was set back does not take the machine back.
    pub(super) fn time_for(&self, machine: &Machine) -> Timestamp {
        if self.has(Sabotage::ClockBack) { self.clock() } else { self.clock().max(machine.now()) }
    }

    fn step(&mut self, exec: Exec, deliveries: Vec<Delivery>) {
        let (budget, keep) = (self.given(), self.has(Sabotage::RecordRejected));
        let Some(mut driver) = self.process.as_mut().and_then(|process| process.drivers.remove(&exec)) else { return };
        let now = self.time_for(&driver.machine);
        let (mut inputs, mut asks) = (Vec::new(), Vec::new());
        for Delivery { input, ask } in deliveries {
            let input = driver.machine.admit(input);
            if driver.machine.handle(input.clone(), now).is_ok() {
                inputs.push(input);
                asks.extend(ask);
                continue;
            }
            self.stats.rejected += 1;
            if keep {
                inputs.push(input);
            }
            if let Some(ask) = ask {
                self.refuse(ask);
            }
        }
        let step = driver.machine.run(now, budget);
        let effects = driver.machine.take_effects();
        let outcome = driver.machine.outcome().cloned();
        let nothing = inputs.is_empty() && step.steps == 0 && effects.events.is_empty();
        driver.writing = !nothing;
        if nothing {
            driver.progress = step.progress;
        }
        if let Some(process) = &mut self.process {
            process.drivers.insert(exec, driver);
        }
        if nothing {
            return self.sleep(exec);
        }
        let steps = step.steps + u32::from(self.has(Sabotage::WrongSteps));
        let record = Record { now, inputs, steps, events: effects.events };
        let mut commands = effects.commands;
        if self.has(Sabotage::ActBeforeWrite) {
            self.act(exec, std::mem::take(&mut commands));
        }
        let append = Append { exec, record, commands, progress: step.progress, outcome, asks };
        self.queue(Job::Append(Box::new(append)));
    }

    /// Until the next deadline, or an answer.
    fn sleep(&mut self, exec: Exec) {
        self.settle_trial(exec);
        let (clock, deaf) = (self.clock(), self.has(Sabotage::LoseTimers));
        let Some(driver) = self.driver(exec) else { return };
        if !driver.inbox.is_empty() {
            return self.soon(5, Entry::Go(exec));
        }
        if deaf && driver.resumed {
            return;
        }
        let nap_ms = match driver.machine.next_deadline() {
            Some(deadline) => {
                // A deadline finer than a millisecond must not be met a moment early.
                let finer = Timestamp::from_millis(deadline.millis()) < deadline;
                (deadline.millis() + i64::from(finer) - clock.millis()).clamp(0, NAP_MS)
            }
            None => NAP_MS,
        };
        if let Some(before) = driver.wake.take() {
            self.agenda.remove(&before);
        }
        let wake = self.plan(nap_ms, Entry::Wake(exec));
        if let Some(driver) = self.driver(exec) {
            driver.wake = Some(wake);
        }
    }

    /// The execution has ended, and its end is written: whoever waits for it hears of it.
    fn finish(&mut self, exec: Exec) {
        let Some(process) = &mut self.process else { return };
        let Some(driver) = process.drivers.remove(&exec) else { return };
        let follower = process.followers.remove(&exec);
        self.settle_trial(exec);
        for ask in driver.inbox.into_iter().filter_map(|delivery| delivery.ask) {
            self.refuse(ask);
        }
        if let Some(wake) = driver.wake {
            self.agenda.remove(&wake);
        }
        if self.store.row(exec).outcome.is_none() {
            self.break_rule(format!("the end of {exec:?} was told before it was written"));
        }
        if let Some((parent, run, child)) = follower {
            self.soon(20, Entry::ChildDone(parent, run, child));
        }
    }

    /// What was written may now be done.
    pub(super) fn act(&mut self, exec: Exec, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::RunTask(call) => self.dispatch(exec, *call),
                Command::CancelTask(task) => {
                    if let Some(driver) = self.driver(exec) {
                        driver.embedded.retain(|call| call.id != task);
                    }
                }
                Command::Map(command) => self.map_work(exec, command),
                Command::Finish(_) => {}
            }
        }
    }

    pub(super) fn dispatch(&mut self, exec: Exec, call: TaskCall) {
        let Some(driver) = self.driver(exec) else { return };
        if is_embedded(&call) {
            return driver.embedded.push_back(call);
        }
        let number = driver.number;
        self.hand_out(exec, number, call);
    }

    pub(super) fn map_work(&mut self, exec: Exec, command: MapCommand) {
        match command {
            MapCommand::Read(read) => self.soon(2000, Entry::Items(exec, read.run)),
            MapCommand::Write(write) => self.soon(2000, Entry::Written(exec, write.run)),
            MapCommand::Start(call) => {
                let (place, execution) = ((exec, call.run, call.child), call.execution);
                if let Some(process) = &mut self.process {
                    process.children.insert(place, execution);
                }
                self.soon(20, Entry::Begin(exec, call.run, call.child));
            }
            MapCommand::Stop { run, child } => {
                if let Some(process) = &mut self.process {
                    process.unwanted.insert((exec, run, child));
                }
                if let Some(of) = self.child(exec, run, child).and_then(|child| self.store.find(&child.arn)) {
                    self.soon(20, Entry::Halt(of));
                }
            }
        }
    }

    fn child(&self, exec: Exec, run: MapRunId, child: u64) -> Option<&Execution> {
        self.process.as_ref()?.children.get(&(exec, run, child))
    }

    /// Whether a child was stopped before it was there.
    pub(super) fn is_unwanted(&self, child: (Exec, MapRunId, u64)) -> bool {
        self.process.as_ref().is_some_and(|process| process.unwanted.contains(&child))
    }

    /// A child that is new is started; one that is there already is followed.
    pub(super) fn begin(&mut self, parent: Exec, run: MapRunId, child: u64) {
        if self.is_unwanted((parent, run, child)) {
            return;
        }
        let Some(execution) = self.child(parent, run, child).cloned() else { return };
        match self.store.find(&execution.arn) {
            None => self.create(execution, Who::Parent(parent, run, child)),
            Some(exec) => self.follow(exec, (parent, run, child)),
        }
    }

    pub(super) fn follow(&mut self, exec: Exec, (parent, run, child): (Exec, MapRunId, u64)) {
        if self.store.row(exec).outcome.is_some() {
            return self.soon(20, Entry::ChildDone(parent, run, child));
        }
        if let Some(process) = &mut self.process {
            process.followers.insert(exec, (parent, run, child));
        }
        if self.driver(exec).is_none() {
            self.adopt(exec);
        }
    }

    pub(super) fn halt(&mut self, exec: Exec) {
        self.deliver(exec, Delivery { input: Input::Stop(Failure::default()), ask: None });
    }

    pub(super) fn child_done(&mut self, parent: Exec, run: MapRunId, child: u64) {
        let found = self.child(parent, run, child).and_then(|execution| self.store.find(&execution.arn));
        let Some(outcome) = found.and_then(|exec| self.store.row(exec).outcome.clone()) else {
            return self.break_rule(format!("child {child} of {parent:?} is done, but that is not written"));
        };
        self.deliver(parent, Delivery { input: Input::ChildDone { run, child, outcome }, ask: None });
    }

    /// A client starts an execution. One that is there already is as good.
    pub(super) fn ask_start(&mut self, n: usize) {
        let execution = self.scenario.executions[n].clone();
        let ask = Ask::Start(n);
        if self.store.find(&execution.arn).is_some() {
            return self.acknowledge(ask);
        }
        self.asking.insert(ask);
        if self.has(Sabotage::AcknowledgeBeforeWrite) {
            self.acknowledge(ask);
        }
        self.create(execution, Who::Client(ask));
    }

    fn create(&mut self, execution: Execution, who: Who) {
        let now = Timestamp::from_millis(EPOCH_MS + self.now_ms + self.skew_ms);
        let mut machine = Machine::new(self.scenario.definition.clone());
        let start = Input::Start(Box::new(execution.clone()));
        if let Err(rejected) = machine.handle(start.clone(), now) {
            return self.break_rule(format!("a start is not taken: {rejected}"));
        }
        let step = machine.run(now, self.given());
        let effects = machine.take_effects();
        let record = Record { now, inputs: vec![start], steps: step.steps, events: effects.events };
        let create = Create { machine, execution, record, commands: effects.commands, progress: step.progress, who };
        self.queue(Job::Create(Box::new(create)));
    }
}
