//! The protocol of one execution: when to take in, run, write, act, rest, leave memory, hand over. Pure, like the machine.
//!
//! A shell owns a [`Protocol`] and carries out what it asks for: with tokio and a store in this crate, in virtual time in the
//! simulator. There is no other copy of these decisions.
//!
//! # The contract
//! - [`Protocol::next`] gives one thing to do after the other ([`Todo`]), in the order in which they are to be done. `None`: the
//!   result of the last one is awaited.
//! - [`Todo::Run`] is answered with [`Protocol::ran`], [`Todo::Write`] with [`Protocol::written`] or [`Protocol::unwritable`],
//!   [`Todo::Transact`] with [`Protocol::transacted`] or [`Protocol::unwritable`], [`Todo::Rebuild`] with [`Protocol::rebuilt`],
//!   [`Todo::Evict`] with [`Protocol::stays`] or the end of the protocol. Whatever fails otherwise ends the protocol: the records
//!   have the truth, and the next owner goes on from them.
//! - [`Protocol::tell`] and [`Protocol::signal`] may come at any time, also while a result is awaited.
//! - After [`Todo::Wait`] the shell calls `next` again when something has come, or when the time has come.
//!
//! # Stages
//! | stage | waits for | then |
//! | --- | --- | --- |
//! | `TakingUp` | nothing | open calls and map work go out again; `Ready` |
//! | `Redriving` | nothing | `Running`, with the redrive as its input, though it has ended |
//! | `Ready` | nothing | `Transacting`, `Running`, `Leaving`, `Over`, or a rest in `Ready` |
//! | `Running` | the machine's run | `Writing`; `Ready` where nothing came of it |
//! | `Writing` | the commit | `Acting`; `Rebuilding` where the record can never be written |
//! | `Transacting` | the commit of a call with its record | `Acting`; `Rebuilding` |
//! | `Rebuilding` | the machine, as the records have it | `Running`, with the failure as its input |
//! | `Acting` | nothing | commands go out, callers are told; `Ready` |
//! | `Leaving` | whether something came at the last moment | `Ready`; else it is over |
//! | `Over` | | |

mod act;
mod contract;
mod flight;
mod recording;
mod rest;
mod stage;
#[cfg(test)]
mod tests;

pub use contract::{Around, Arrived, From, Integrations, Mode, News, Shown, Todo, Write};
use flight::InFlight;
pub use flight::Work;
pub use recording::{Recording, time_for};
use stage::{Committed, Stage, Suspicion, Taken};

use asl_core::{Budget, Failure, Input, Machine, Progress, Step, TaskCall};
use asl_expr::Timestamp;
use asl_store::Verdict;
use std::collections::VecDeque;

/// What drives one execution. `C` is how a caller of a signal is told.
#[derive(Debug)]
pub struct Protocol<C> {
    machine: Machine,
    stage: Stage<C>,
    todo: VecDeque<Todo<C>>,
    /// What came and is not taken in yet.
    inputs: VecDeque<Input>,
    signals: VecDeque<Arrived<C>>,
    transactional: VecDeque<TaskCall>,
    flight: InFlight,
    progress: Progress,
    linger_ms: i64,
    idle_since: Option<Timestamp>,
    suspicion: Option<Suspicion>,
}

impl<C> Protocol<C> {
    fn new(machine: Machine, stage: Stage<C>) -> Protocol<C> {
        Protocol {
            machine,
            stage,
            todo: VecDeque::new(),
            inputs: VecDeque::new(),
            signals: VecDeque::new(),
            transactional: VecDeque::new(),
            flight: InFlight::default(),
            progress: Progress::Yielded,
            linger_ms: rest::LINGER_MS,
            idle_since: None,
            suspicion: None,
        }
    }

    /// Of an execution that was created just now: its first record is committed.
    pub fn created(machine: Machine, first: Recording) -> Protocol<C> {
        let Recording { record, effects, step } = first;
        Protocol::new(machine, Stage::Acting(Committed { now: record.now, effects, step, callers: Vec::new() }))
    }

    /// Of an execution whose machine was rebuilt from its records.
    pub fn resumed(machine: Machine) -> Protocol<C> {
        Protocol { linger_ms: rest::LINGER_LOADED_MS, ..Protocol::new(machine, Stage::TakingUp) }
    }

    /// Of an execution that has ended and goes on: the machine was rebuilt, and can be redriven. Its first record says so.
    pub fn redriven(machine: Machine) -> Protocol<C> {
        let mut protocol = Protocol::new(machine, Stage::Redriving);
        protocol.inputs.push_back(Input::Redrive);
        protocol
    }

    /// Its owner died before: whether that is its doing is to be found out.
    pub fn suspected(mut self, on_trial: bool) -> Protocol<C> {
        self.suspicion = Some(if on_trial { Suspicion::OnTrial } else { Suspicion::Waits });
        self
    }

    /// Its machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Its machine, for [`Todo::Run`] and [`Todo::Transact`] alone: to run it, or to take it away and bring it back.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// True while children, or files of a map run, are worked on.
    pub fn waits_for_maps(&self) -> bool {
        self.flight.maps()
    }

    /// What work of this execution says.
    pub fn tell(&mut self, News { input, over }: News) {
        match (over, &input) {
            (Some(work), _) => drop(self.flight.remove(work)),
            // Its start is answered, and it goes on: a job.
            (None, Some(Input::TaskSubmitted { task, .. })) => self.flight.follows(*task),
            (None, _) => {}
        }
        self.inputs.extend(input);
    }

    /// A signal from outside.
    pub fn signal(&mut self, arrived: Arrived<C>) {
        self.signals.push_back(arrived);
    }

    /// The next thing to do; `None` while the result of the last one is awaited, and when it is over.
    pub fn next(&mut self, around: &Around<'_>) -> Option<Todo<C>> {
        loop {
            if let Some(todo) = self.todo.pop_front() {
                return Some(todo);
            }
            match std::mem::replace(&mut self.stage, Stage::Ready) {
                Stage::TakingUp => self.take_up(around),
                Stage::Redriving => self.step(around),
                Stage::Ready => self.decide(around),
                Stage::Acting(committed) => self.act(committed, around),
                awaited => {
                    self.stage = awaited;
                    return None;
                }
            }
        }
    }

    /// The machine was run.
    pub fn ran(&mut self, step: Step) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ready);
        let Stage::Running(taken) = stage else { panic!("a run that nobody asked for, in {}", stage.name()) };
        let Taken { now, inputs, callers, signals } = taken;
        let recording = Recording::of(&mut self.machine, now, inputs, step);
        if recording.is_nothing() {
            self.progress = recording.step.progress;
            if !signals.is_empty() {
                self.todo.push_back(Todo::Discard(signals.into_iter().map(|verdict| verdict.signal).collect()));
            }
            return self.tell_callers(callers);
        }
        self.is_at_work();
        let taken_in = signals.iter().map(|verdict| verdict.signal).collect();
        let Recording { record, effects, step } = recording;
        let outcome = self.machine.outcome().cloned();
        self.todo.push_back(Todo::Write(Box::new(Write { record, outcome, taken: signals })));
        self.stage = Stage::Writing(Committed { now, effects, step, callers }, taken_in);
    }

    /// The record is committed.
    pub fn written(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ready);
        let Stage::Writing(committed, _) = stage else { panic!("a commit that nobody asked for, in {}", stage.name()) };
        self.stage = Stage::Acting(committed);
    }

    /// The call is made, and its record committed. The machine is back.
    pub fn transacted(&mut self, committed: Recording) {
        assert!(
            matches!(self.stage, Stage::Transacting),
            "a transaction that nobody asked for, in {}",
            self.stage.name()
        );
        self.is_at_work();
        let Recording { record, effects, step } = committed;
        self.stage = Stage::Acting(Committed { now: record.now, effects, step, callers: Vec::new() });
    }

    /// The record cannot be written, now or ever: nothing of it has happened. The execution fails by name, from where it stood.
    pub fn unwritable(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Rebuilding) {
            Stage::Writing(committed, signals) => {
                if !signals.is_empty() {
                    self.todo.push_back(Todo::Discard(signals));
                }
                let refused = committed.callers.into_iter().map(|(caller, _)| (caller, false));
                self.tell_callers(refused.collect());
            }
            Stage::Transacting => {}
            stage => panic!("nothing was to be written, in {}", stage.name()),
        }
        self.todo.push_back(Todo::Rebuild);
    }

    /// The machine was rebuilt, and fails for this reason.
    pub fn rebuilt(&mut self, machine: Machine, failure: Failure, clock: Timestamp) {
        assert!(matches!(self.stage, Stage::Rebuilding), "a machine that nobody asked for, in {}", self.stage.name());
        self.machine = machine;
        let now = time_for(clock, &self.machine);
        let inputs = self.machine.accept(Input::Fail(failure), now).into_iter().collect();
        self.stage = Stage::Running(Taken { inputs, ..Taken::nothing(now) });
        self.todo.push_back(Todo::Run { now, budget: Budget::steps(0) });
    }

    /// Something came while it was to leave memory: it stays.
    pub fn stays(&mut self) {
        assert!(matches!(self.stage, Stage::Leaving), "it was not about to leave, in {}", self.stage.name());
        self.stage = Stage::Ready;
    }

    fn decide(&mut self, around: &Around<'_>) {
        if let Some(outcome) = self.machine.outcome() {
            self.todo.push_back(Todo::Finish(outcome.clone()));
            self.stage = Stage::Over;
            return;
        }
        if !around.draining
            && let Some(call) = self.transactional.pop_front()
        {
            self.stand_trial();
            self.todo.push_back(Todo::Transact(Box::new(call)));
            self.stage = Stage::Transacting;
            return;
        }
        let now = time_for(around.now, &self.machine);
        let is_due = self.machine.next_deadline().is_some_and(|at| at <= now);
        let goes_on = self.progress == Progress::Yielded && !around.draining;
        // What came meanwhile, a stop above all, does not wait until there is nothing else to do.
        if goes_on || is_due || !self.inputs.is_empty() || !self.signals.is_empty() {
            return self.step(around);
        }
        self.rest(around);
    }

    /// Takes in what came, and lets the machine run.
    fn step(&mut self, around: &Around<'_>) {
        self.stand_trial();
        let now = time_for(around.now, &self.machine);
        self.stage = Stage::Running(self.take_in(now, around.record.bytes));
        self.todo.push_back(Todo::Run { now, budget: around.record });
    }

    /// Hands the machine what came, as much of it as fits into a record; the rest is for the next one.
    fn take_in(&mut self, now: Timestamp, most: usize) -> Taken<C> {
        let mut taken = Taken::nothing(now);
        let mut bytes = 0;
        let mut fits = |input: &Input| {
            bytes += input.bytes();
            bytes <= most || bytes == input.bytes()
        };
        while self.inputs.front().is_some_and(&mut fits)
            && let Some(input) = self.inputs.pop_front()
        {
            // A late answer is refused, and leaves no trace.
            taken.inputs.extend(self.machine.accept(input, now));
        }
        while self.signals.front().is_some_and(|arrived| fits(&arrived.input))
            && let Some(Arrived { input, from }) = self.signals.pop_front()
        {
            let input = self.machine.accept(input, now);
            match from {
                From::Caller(caller) => taken.callers.push((caller, input.is_some())),
                From::Inbox(id) => taken.signals.push(Verdict { signal: id, taken: input.is_some() }),
            }
            taken.inputs.extend(input);
        }
        taken
    }
}
