//! The shell of an execution in virtual time: carries out what the engine's protocol asks for, and decides nothing.

use super::process::{Caller, Delivery, Driver};
use super::writer::{Append, Create, Job, Who};
use super::{EPOCH_MS, Entry, Sim};
use crate::Sabotage;
use crate::sim::outside::Ask;
use crate::store::Exec;
use crate::world::{is_embedded, waits_for_token};
use asl_core::{Budget, Execution, Failure, Input, Machine, MapCommand, MapRunId, Progress, TaskCall};
use asl_engine::protocol::{Around, Integrations, Mode, News, Recording, Shown, Todo, Work, Write};
use asl_expr::Timestamp;
use asl_store::Verdict;
use asl_syntax::Pattern;

/// How long a driver sleeps at most before it looks at the clock again; milliseconds.
pub(super) const NAP_MS: i64 = 60_000;

/// How calls are made in this world.
struct Calls {
    effect_again: bool,
    call_again: bool,
}

impl Integrations for Calls {
    fn mode(&self, call: &TaskCall) -> Mode {
        match is_embedded(call) {
            true => Mode::Transactional,
            false if matches!(call.resource.pattern(), Pattern::Sync | Pattern::Sync2) => Mode::Job,
            false => Mode::Remote,
        }
    }

    /// A callback whose call was answered only waits for its token, a job has to be watched again.
    fn again(&self, call: &TaskCall) -> bool {
        let sabotaged = if is_embedded(call) { self.effect_again } else { self.call_again };
        !waits_for_token(call) || sabotaged
    }

    fn run_here(&self) -> bool {
        false
    }
}

/// Whether a driver goes on at once.
enum Then {
    On,
    /// A result is awaited, or something that comes.
    Rests,
    /// The writer is asked for something; and whether the driver waits for its answer.
    Asks(Job, bool),
    Gone,
}

impl Sim<'_> {
    /// A driver does what there is to do, until it has to wait.
    pub(super) fn go(&mut self, exec: Exec) {
        loop {
            let Some(process) = &mut self.process else { return };
            let (draining, number) = (process.draining, process.number);
            let Some(mut driver) = process.drivers.remove(&exec) else { return };
            if driver.awaits {
                process.drivers.insert(exec, driver);
                return;
            }
            self.gather(&mut driver);
            let calls =
                Calls { effect_again: self.has(Sabotage::EffectAgain), call_again: self.has(Sabotage::CallAgain) };
            let around = Around {
                now: self.clock(),
                draining,
                pressed: self.pressed,
                evicts: true,
                record: self.given(),
                integrations: &calls,
            };
            let todo = driver.protocol.next(&around);
            let then = match todo {
                Some(todo) => self.carry_out(exec, &mut driver, todo),
                None => Then::Rests,
            };
            if !matches!(then, Then::Gone)
                && let Some(process) = &mut self.process
                && process.number == number
            {
                process.drivers.insert(exec, driver);
            }
            let goes_on = match then {
                Then::On => true,
                Then::Rests | Then::Gone => false,
                Then::Asks(job, is_awaited) => {
                    // In calm weather it is committed, and answered, here and now.
                    self.queue(job);
                    !is_awaited
                }
            };
            if !goes_on || !self.broken.is_empty() {
                return;
            }
        }
    }

    /// What has come goes to the protocol.
    fn gather(&mut self, driver: &mut Driver) {
        if self.has(Sabotage::DeafWhileBusy) && driver.busy {
            return;
        }
        for delivery in driver.inbox.drain(..) {
            driver.told = true;
            match delivery {
                Delivery::News(news) => {
                    driver.raw.extend(news.input.clone());
                    driver.protocol.tell(news);
                }
                Delivery::Signal(arrived) => {
                    driver.raw.push(arrived.input.clone());
                    driver.protocol.signal(arrived);
                }
            }
        }
    }

    fn carry_out(&mut self, exec: Exec, driver: &mut Driver, todo: Todo<Caller>) -> Then {
        match todo {
            Todo::StandTrial => {
                if let Some(process) = &mut self.process {
                    self.store.on_trial = process.trials.again(exec);
                }
            }
            Todo::Cleared => self.settle_trial(exec),
            Todo::Run { now, budget } => return self.run_machine(exec, driver, now, budget),
            Todo::Write(write) => return self.write_record(exec, driver, *write),
            Todo::Discard(signals) => {
                let refused = |signal| Verdict { signal, taken: false };
                self.store.decide(&signals.into_iter().map(refused).collect::<Vec<_>>());
                self.tell_verdicts();
            }
            Todo::Transact(call) => {
                driver.awaits = true;
                return Then::Asks(Job::Embedded(exec, call), true);
            }
            Todo::Rebuild => self.break_rule(format!("{exec:?} has a record that could not be written")),
            Todo::Show(shown) => self.show(exec, &shown),
            Todo::Call(call) if driver.taking_up && self.has(Sabotage::LoseCalls) => drop(call),
            Todo::Call(call) => self.hand_out(exec, driver.number, *call),
            Todo::Cancel(_) => {}
            Todo::Map(command) if driver.taking_up && self.has(Sabotage::LoseChildren) => drop(command),
            Todo::Map(command) => self.map_work(exec, *command),
            Todo::Tell(None, _) => {}
            Todo::Tell(Some(ask), true) => self.acknowledge(ask),
            Todo::Tell(Some(ask), false) => self.refuse(ask),
            Todo::Wait { until } => {
                self.sleep(exec, driver, until);
                return Then::Rests;
            }
            Todo::Evict { due } => {
                driver.awaits = true;
                driver.due = due;
                // Something may come at the last moment.
                self.soon(300, Entry::Leave(exec));
                return Then::Rests;
            }
            Todo::Finish(_) => {
                self.finish(exec, driver);
                return Then::Gone;
            }
            Todo::HandOver => {
                self.hands_over(exec, driver);
                return Then::Gone;
            }
        }
        if self.process.is_none() { Then::Gone } else { Then::On }
    }

    fn run_machine(&mut self, exec: Exec, driver: &mut Driver, now: Timestamp, budget: Budget) -> Then {
        driver.taking_up = false;
        let takes_in = std::mem::take(&mut driver.told);
        if !driver.inbox.is_empty() {
            self.break_rule(format!("{exec:?} works on while something waits to be taken in"));
            return Then::Rests;
        }
        if self.swallows_poison(exec, takes_in) {
            return Then::Gone;
        }
        let step = driver.protocol.machine_mut().run(now, budget);
        driver.busy = step.progress == Progress::Yielded;
        driver.protocol.ran(step);
        Then::On
    }

    fn write_record(&mut self, exec: Exec, driver: &mut Driver, write: Write) -> Then {
        let Write { mut record, outcome, taken } = write;
        let raw = std::mem::take(&mut driver.raw);
        let rejected: Vec<Input> = raw.into_iter().filter(|input| !record.inputs.contains(input)).collect();
        self.stats.rejected += rejected.len() as u64;
        if self.has(Sabotage::RecordRejected) {
            record.inputs.extend(rejected);
        } else if self.has(Sabotage::RecordBothAnswers) {
            let answers = |input: &Input| matches!(input, Input::TaskSucceeded { .. } | Input::TaskFailed { .. });
            record.inputs.extend(rejected.into_iter().filter(answers));
        }
        record.steps += u32::from(self.has(Sabotage::WrongSteps));
        if self.has(Sabotage::ClockBack) {
            record.now = self.clock();
        }
        let mut taken = taken;
        if self.has(Sabotage::TakeEachAnswer) {
            taken.iter_mut().for_each(|verdict| verdict.taken = true);
        }
        let early = self.has(Sabotage::ActBeforeWrite);
        driver.awaits = !early;
        if early {
            driver.protocol.written();
        }
        let worker = self.process.as_ref().map_or(0, |process| process.number);
        Then::Asks(Job::Append(Box::new(Append { exec, worker, record, outcome, taken, early })), !early)
    }

    /// What is shown is committed.
    fn show(&mut self, exec: Exec, shown: &Shown) {
        let last = shown.events.last().map_or(0, |event| event.id);
        if self.store.row(exec).last_event < last {
            self.break_rule(format!("event {last} of {exec:?} was shown before it was written"));
        }
    }

    /// Until a time, or until something comes.
    fn sleep(&mut self, exec: Exec, driver: &mut Driver, until: Option<Timestamp>) {
        if self.has(Sabotage::LoseTimers) && driver.resumed {
            return;
        }
        let nap_ms = until.map_or(NAP_MS, |at| self.until_ms(at).min(NAP_MS));
        if let Some(before) = driver.wake.take() {
            self.agenda.remove(&before);
        }
        driver.wake = Some(self.plan(nap_ms, Entry::Wake(exec)));
    }

    /// How long it is until a time of the clock. A deadline finer than a millisecond must not be met a moment early.
    pub(super) fn until_ms(&self, at: Timestamp) -> i64 {
        let finer = Timestamp::from_millis(at.millis()) < at;
        (at.millis() + i64::from(finer) - self.clock().millis()).max(0)
    }

    /// The execution has ended, and its end is written: whoever waits for it hears of it.
    fn finish(&mut self, exec: Exec, driver: &mut Driver) {
        self.forget_driver(exec, driver);
        if self.store.row(exec).outcome.is_none() {
            self.break_rule(format!("the end of {exec:?} was told before it was written"));
        }
        let follower = self.process.as_mut().and_then(|process| process.followers.remove(&exec));
        if let Some((parent, run, child)) = follower {
            self.soon(20, Entry::ChildDone(parent, run, child));
        }
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
            let over = Some(Work::Child(run, child));
            self.deliver(parent, Delivery::News(News { input: None, over }));
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
        if !self.has_at_hand(exec) {
            self.adopt(exec);
        }
    }

    pub(super) fn halt(&mut self, exec: Exec) {
        self.signal_here(exec, Input::Stop(Failure::default()), None);
    }

    pub(super) fn child_done(&mut self, parent: Exec, run: MapRunId, child: u64) {
        let found = self.child(parent, run, child).and_then(|execution| self.store.find(&execution.arn));
        let Some(outcome) = found.and_then(|exec| self.store.row(exec).outcome.clone()) else {
            return self.break_rule(format!("child {child} of {parent:?} is done, but that is not written"));
        };
        let news = News { input: Some(Input::ChildDone { run, child, outcome }), over: Some(Work::Child(run, child)) };
        self.deliver(parent, Delivery::News(news));
    }

    /// A client starts an execution. One that is there already is as good.
    pub(super) fn ask_start(&mut self, n: usize) {
        let execution = self.scenario.executions[n].clone();
        let ask = Ask::Start(n);
        if self.store.find(&execution.arn).is_some() {
            return self.acknowledge(ask);
        }
        if self.process.as_ref().is_some_and(|process| process.draining) {
            return self.ask_again(ask);
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
        let first = Recording::of(&mut machine, now, vec![start], step);
        let worker = self.process.as_ref().map_or(0, |process| process.number);
        self.queue(Job::Create(Box::new(Create { machine, execution, first, who, worker })));
    }
}
