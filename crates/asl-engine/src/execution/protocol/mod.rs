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

mod flight;
mod rest;
#[cfg(test)]
mod tests;

use flight::InFlight;
pub use flight::Work;

use asl_core::{
    Budget, Command, Effects, Event, Failure, Input, Machine, MapCommand, Note, Outcome, Progress, Step, TaskCall,
    TaskId,
};
use asl_expr::Timestamp;
use asl_store::{Record, SignalId, Verdict};
use std::collections::VecDeque;

/// How a call of a task is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Inside the store's transaction: its effect is committed with the record that has its answer.
    Transactional,
    /// Outside, with an idempotency key: it may be made again after a crash.
    Remote,
    /// Outside; what is started goes on by itself and is followed to its end, by the next owner if this one hands over.
    Job,
}

/// What the protocol asks about calls.
pub trait Integrations {
    /// How a call is made.
    fn mode(&self, call: &TaskCall) -> Mode;
    /// Whether a call whose start was answered already is made again when the execution is taken up: a job that has to be watched.
    fn again(&self, call: &TaskCall) -> bool;
    /// True when remote calls run inside this process, so that one that ends the process is the execution's doing.
    fn run_here(&self) -> bool;
}

/// What the protocol knows of its surroundings when it decides.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The clock. It may be set back; the machine's own time is not.
    pub now: Timestamp,
    /// The process ends what is in flight, and begins nothing.
    pub draining: bool,
    /// Others wait for a place in memory.
    pub pressed: bool,
    /// An execution that waits may leave memory: not where time is skipped, a wait is over at once there.
    pub evicts: bool,
    /// What a record may cost.
    pub record: Budget,
    /// What runs calls.
    pub integrations: &'a dyn Integrations,
}

/// An input from outside, and who is told what becomes of it. `C` is how a caller is told.
#[derive(Clone, Debug)]
pub struct Arrived<C> {
    /// What it says.
    pub input: Input,
    /// Where it came from.
    pub from: From<C>,
}

/// Where a signal came from.
#[derive(Clone, Debug)]
pub enum From<C> {
    /// A caller in this process.
    Caller(C),
    /// The inbox, which it leaves when it is recorded or refused.
    Inbox(SignalId),
}

/// What work of this execution says: an input for its machine, and whether the work is over with that.
#[derive(Clone, Debug)]
pub struct News {
    /// The input, if it has one.
    pub input: Option<Input>,
    /// What is over.
    pub over: Option<Work>,
}

/// A thing to do.
#[derive(Debug)]
pub enum Todo<C> {
    /// Write down that this execution is on trial: what it does next may end the process.
    StandTrial,
    /// It is not on trial any more.
    Cleared,
    /// Run the machine ([`Protocol::machine_mut`]) at this time, for at most this budget.
    Run {
        /// The time of the record.
        now: Timestamp,
        /// What the run may cost.
        budget: Budget,
    },
    /// Commit this record, with the verdicts on the signals that it took in.
    Write(Box<Write>),
    /// Refuse signals of the inbox; there is nothing to record.
    Discard(Vec<SignalId>),
    /// Make this call inside the store's transaction, and commit it with the record of its answer ([`Recording::answer`]).
    Transact(Box<TaskCall>),
    /// Rebuild the machine from the records: what came since can never be written.
    Rebuild,
    /// Show what was committed to those who watch.
    Show(Box<Shown>),
    /// Make a call.
    Call(Box<TaskCall>),
    /// Give a call up.
    Cancel(TaskId),
    /// Do what a map run asks for.
    Map(Box<MapCommand>),
    /// Tell a caller what became of a signal: true when it is recorded, false when it had no place any more.
    Tell(C, bool),
    /// Nothing is to be done before something comes, or this time.
    Wait {
        /// When to call [`Protocol::next`] again at the latest.
        until: Option<Timestamp>,
    },
    /// Take it out of memory, unless something has come meanwhile; it is due at this time.
    Evict {
        /// When it is to be taken up again, if no signal comes before.
        due: Option<Timestamp>,
    },
    /// It has ended, and that is committed.
    Finish(Outcome),
    /// The process drains, and nothing of this execution is in flight: others go on with it.
    HandOver,
}

/// What is to be committed.
#[derive(Debug)]
pub struct Write {
    /// The record.
    pub record: Record,
    /// How the execution ends with it.
    pub outcome: Option<Outcome>,
    /// What becomes of signals of the inbox.
    pub taken: Vec<Verdict>,
}

/// What was committed.
#[derive(Debug)]
pub struct Shown {
    /// The time of the record.
    pub now: Timestamp,
    /// Its events.
    pub events: Vec<Event>,
    /// What the events do not say.
    pub notes: Vec<Note>,
}

/// A run that is made into a record: the same for the start of an execution, a transaction, and a run of the protocol.
#[derive(Debug)]
pub struct Recording {
    /// The record.
    pub record: Record,
    /// What else came of the run; its events are in the record.
    pub effects: Effects,
    /// How the run went.
    pub step: Step,
}

impl Recording {
    /// What a run gave.
    pub fn of(machine: &mut Machine, now: Timestamp, inputs: Vec<Input>, step: Step) -> Recording {
        let effects = machine.take_effects();
        let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
        Recording { record, effects, step }
    }

    /// Hands a machine an answer, if that still has a place, and runs it: inside the transaction that makes the call.
    pub fn answer(
        machine: &mut Machine,
        now: Timestamp,
        answer: Option<Input>,
        run: impl FnOnce(&mut Machine) -> Step,
    ) -> Recording {
        let inputs = answer.and_then(|input| machine.accept(input, now)).into_iter().collect();
        let step = run(machine);
        Recording::of(machine, now, inputs, step)
    }

    /// True when there is nothing to write.
    fn is_nothing(&self) -> bool {
        self.record.inputs.is_empty() && self.record.steps == 0 && self.record.events.is_empty()
    }
}

/// The time of the next record. Where the clock was set back it is the machine's own, which does not go back: a record must say
/// the time that its events have, or it would not replay.
pub fn time_for(clock: Timestamp, machine: &Machine) -> Timestamp {
    clock.max(machine.now())
}

/// What a record takes in, and who wants to hear of it.
#[derive(Debug)]
struct Taken<C> {
    now: Timestamp,
    inputs: Vec<Input>,
    callers: Vec<(C, bool)>,
    signals: Vec<Verdict>,
}

impl<C> Taken<C> {
    fn nothing(now: Timestamp) -> Taken<C> {
        Taken { now, inputs: Vec::new(), callers: Vec::new(), signals: Vec::new() }
    }
}

/// A record that is committed, with what is to be done about it.
#[derive(Debug)]
struct Committed<C> {
    now: Timestamp,
    effects: Effects,
    step: Step,
    callers: Vec<(C, bool)>,
}

#[derive(Debug)]
enum Stage<C> {
    TakingUp,
    Redriving,
    Ready,
    Running(Taken<C>),
    Writing(Committed<C>, Vec<SignalId>),
    Transacting,
    Rebuilding,
    Acting(Committed<C>),
    Leaving,
    Over,
}

/// A suspect until its next record: whether its end of the process is written down as its doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suspicion {
    OnTrial,
    /// It waits for something outside this process.
    Waits,
}

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
        let Stage::Running(taken) = stage else { panic!("a run that nobody asked for, in {}", name(&stage)) };
        let Taken { now, inputs, callers, signals } = taken;
        let recording = Recording::of(&mut self.machine, now, inputs, step);
        if recording.is_nothing() {
            self.progress = recording.step.progress;
            if !signals.is_empty() {
                self.todo.push_back(Todo::Discard(signals.into_iter().map(|verdict| verdict.mail).collect()));
            }
            return self.tell_callers(callers);
        }
        self.is_at_work();
        let taken_in = signals.iter().map(|verdict| verdict.mail).collect();
        let Recording { record, effects, step } = recording;
        let outcome = self.machine.outcome().cloned();
        self.todo.push_back(Todo::Write(Box::new(Write { record, outcome, taken: signals })));
        self.stage = Stage::Writing(Committed { now, effects, step, callers }, taken_in);
    }

    /// The record is committed.
    pub fn written(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ready);
        let Stage::Writing(committed, _) = stage else { panic!("a commit that nobody asked for, in {}", name(&stage)) };
        self.stage = Stage::Acting(committed);
    }

    /// The call is made, and its record committed. The machine is back.
    pub fn transacted(&mut self, committed: Recording) {
        assert!(
            matches!(self.stage, Stage::Transacting),
            "a transaction that nobody asked for, in {}",
            name(&self.stage)
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
            stage => panic!("nothing was to be written, in {}", name(&stage)),
        }
        self.todo.push_back(Todo::Rebuild);
    }

    /// The machine was rebuilt, and fails for this reason.
    pub fn rebuilt(&mut self, machine: Machine, failure: Failure, clock: Timestamp) {
        assert!(matches!(self.stage, Stage::Rebuilding), "a machine that nobody asked for, in {}", name(&self.stage));
        self.machine = machine;
        let now = time_for(clock, &self.machine);
        let inputs = self.machine.accept(Input::Fail(failure), now).into_iter().collect();
        self.stage = Stage::Running(Taken { inputs, ..Taken::nothing(now) });
        self.todo.push_back(Todo::Run { now, budget: Budget::steps(0) });
    }

    /// Something came while it was to leave memory: it stays.
    pub fn stays(&mut self) {
        assert!(matches!(self.stage, Stage::Leaving), "it was not about to leave, in {}", name(&self.stage));
        self.stage = Stage::Ready;
    }

    /// After a crash, or a time outside memory: what is open goes out again.
    fn take_up(&mut self, around: &Around<'_>) {
        let (tasks, map_work) = (self.machine.open_tasks(), self.machine.open_map_work());
        let mut again = self.machine.submitted_tasks();
        again.retain(|call| around.integrations.again(call));
        // Nothing is done for one that is to end: not even what ended the process before it. But its children and jobs are
        // stopped by its end, so they have to be known.
        let ends = self.signals.iter().any(|arrived| matches!(arrived.input, Input::Stop(_)));
        if ends {
            let children = map_work.into_iter().filter(|work| matches!(work, MapCommand::Start(_)));
            children.for_each(|command| self.map_work(command, around));
            let jobs = again.into_iter().filter(|call| around.integrations.mode(call) == Mode::Job);
            jobs.for_each(|call| self.dispatch(call, around));
        } else {
            tasks.into_iter().chain(again).for_each(|call| self.dispatch(call, around));
            map_work.into_iter().for_each(|command| self.map_work(command, around));
        }
        // It may have been in the middle of something.
        self.progress = Progress::Yielded;
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
            // A late answer has no place any more, and leaves no trace.
            taken.inputs.extend(self.machine.accept(input, now));
        }
        while self.signals.front().is_some_and(|arrived| fits(&arrived.input))
            && let Some(Arrived { input, from }) = self.signals.pop_front()
        {
            let input = self.machine.accept(input, now);
            match from {
                From::Caller(caller) => taken.callers.push((caller, input.is_some())),
                From::Inbox(id) => taken.signals.push(Verdict { mail: id, taken: input.is_some() }),
            }
            taken.inputs.extend(input);
        }
        taken
    }

    /// What is committed may now be seen and done.
    fn act(&mut self, committed: Committed<C>, around: &Around<'_>) {
        let Committed { now, effects, step, callers } = committed;
        self.progress = step.progress;
        let Effects { events, commands, notes, .. } = effects;
        self.todo.push_back(Todo::Show(Box::new(Shown { now, events, notes })));
        for command in commands {
            match command {
                Command::RunTask(call) => self.dispatch(*call, around),
                Command::CancelTask(task) => {
                    self.transactional.retain(|call| call.id != task);
                    if self.flight.remove(Work::Call(task)) {
                        self.todo.push_back(Todo::Cancel(task));
                    }
                }
                Command::Map(command) => self.map_work(command, around),
                Command::Finish(_) => {}
            }
        }
        self.settle(None);
        self.tell_callers(callers);
    }

    fn dispatch(&mut self, call: TaskCall, around: &Around<'_>) {
        if around.draining {
            // The next owner hands it out.
            return;
        }
        match around.integrations.mode(&call) {
            Mode::Transactional => self.transactional.push_back(call),
            Mode::Remote | Mode::Job => {
                self.flight.insert(Work::Call(call.id));
                if call.submitted.is_some() {
                    self.flight.follows(call.id);
                }
                self.todo.push_back(Todo::Call(Box::new(call)));
            }
        }
    }

    fn map_work(&mut self, command: MapCommand, around: &Around<'_>) {
        if around.draining {
            return;
        }
        match &command {
            MapCommand::Start(call) => self.flight.insert(Work::Child(call.run, call.child)),
            MapCommand::Read(read) => self.flight.insert(Work::File(read.run)),
            MapCommand::Write(write) => self.flight.insert(Work::File(write.run)),
            // It is in flight until its end is heard of.
            MapCommand::Stop { .. } => {}
        }
        self.todo.push_back(Todo::Map(Box::new(command)));
    }

    fn tell_callers(&mut self, callers: Vec<(C, bool)>) {
        self.todo.extend(callers.into_iter().map(|(caller, has_place)| Todo::Tell(caller, has_place)));
    }

    /// It goes on: a suspect is on trial again.
    fn stand_trial(&mut self) {
        if self.suspicion == Some(Suspicion::Waits) {
            self.suspicion = Some(Suspicion::OnTrial);
            self.todo.push_back(Todo::StandTrial);
        }
    }

    /// It is not to blame for what happens from now on: it has written a record, or waits for something outside.
    fn settle(&mut self, then: Option<Suspicion>) {
        if self.suspicion == Some(Suspicion::OnTrial) {
            self.todo.push_back(Todo::Cleared);
        }
        self.suspicion = self.suspicion.and(then);
    }

    fn is_at_work(&mut self) {
        self.linger_ms = rest::LINGER_MS;
        self.idle_since = None;
    }
}

fn name<C>(stage: &Stage<C>) -> &'static str {
    match stage {
        Stage::TakingUp => "TakingUp",
        Stage::Redriving => "Redriving",
        Stage::Ready => "Ready",
        Stage::Running(_) => "Running",
        Stage::Writing(..) => "Writing",
        Stage::Transacting => "Transacting",
        Stage::Rebuilding => "Rebuilding",
        Stage::Acting(_) => "Acting",
        Stage::Leaving => "Leaving",
        Stage::Over => "Over",
    }
}
