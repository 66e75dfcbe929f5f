//! The driver of one execution: owns its machine, writes first, then acts.

use crate::BUDGET;
use crate::calls::{self, Calls};
use crate::clock::Hold;
use crate::engine::{Inner, Phase, Update};
use crate::error::EngineError;
use crate::letters::{From, Letter};
use crate::maps::MapWork;
use crate::registry::Active;
use asl_core::{Command, Effects, Execution, Failure, Input, Machine, MapCommand, Outcome, Progress, Step, TaskCall};
use asl_expr::Timestamp;
use asl_journal::{Append, Definition as Stored, ExecutionId, Journal, JournalError, NewExecution, Record, Verdict};
use asl_syntax::Definition;
use asl_task::Backend;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

/// How many answers may wait for a driver; whoever has another one waits.
const INBOX: usize = 64;
/// An execution that has waited so long for an answer stays in the journal only, until its time comes; milliseconds. One
/// that waits for its time alone stays no longer than it must.
const LINGER_MS: i64 = 250;
/// So long where it was loaded just now, and is found to wait still; milliseconds.
const LINGER_LOADED_MS: i64 = 50;
/// So long where others wait for its place; milliseconds.
const LINGER_PRESSED_MS: i64 = 5;
/// An execution whose time comes so soon stays in memory; milliseconds. For each event of its history, which would have to
/// be replayed, it is a millisecond more.
const SOON_MS: i64 = 1_000;

pub(crate) struct Driver {
    inner: Arc<Inner>,
    journal: Journal,
    id: ExecutionId,
    machine: Machine,
    definition: Arc<Definition>,
    inbox: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Input>,
    post: mpsc::Receiver<Letter>,
    poster: mpsc::Sender<Letter>,
    /// Letters that came before the driver was at work.
    letters: Vec<Letter>,
    calls: Calls,
    maps: MapWork,
    embedded: VecDeque<TaskCall>,
    progress: Progress,
    linger_ms: i64,
    phase: watch::Receiver<Phase>,
    /// Its place in memory.
    permit: Option<OwnedSemaphorePermit>,
}

/// What a driver waits for.
enum Came {
    Input(Option<Input>),
    Letter(Option<Letter>),
    Phase,
    /// A child of a map run cannot go on, and no answer will come from it.
    Broken(EngineError),
}

/// Why a driver goes on.
enum Woken {
    By(Vec<Input>, Vec<Letter>),
    /// Nothing happened, and nothing will for long.
    Idle,
    /// It is to end what is in flight and begin nothing.
    Drained,
    /// It cannot go on.
    Broken(EngineError),
}

impl Driver {
    /// Starts an execution: definition, header and first record are written together.
    pub(crate) async fn create(
        inner: Arc<Inner>,
        mut machine: Machine,
        execution: Execution,
        definition: Stored,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Driver, EngineError> {
        let now = inner.clock.now();
        let (new, effects, step) = begin(now, &mut machine, execution, definition, BUDGET)?;
        let name = new.execution.name.clone();
        let (journal, id) = inner.write_start(new).await.map_err(|error| taken(error, &name))?;
        let mut driver = Driver::new(inner, journal, machine, id, permit);
        driver.act(now, effects, step);
        Ok(driver)
    }

    /// Writes the start of an execution, and no more: whoever takes it on runs it from there.
    pub(crate) async fn submit(
        journal: &Journal,
        now: Timestamp,
        mut machine: Machine,
        execution: Execution,
        definition: Stored,
    ) -> Result<(), EngineError> {
        let (new, _, _) = begin(now, &mut machine, execution, definition, 0)?;
        let name = new.execution.name.clone();
        journal.create(new).await.map(drop).map_err(|error| taken(error.into(), &name))
    }

    /// Continues an execution whose machine was rebuilt from its records.
    pub(crate) fn resume(
        inner: Arc<Inner>,
        journal: Journal,
        machine: Machine,
        id: ExecutionId,
        letters: Vec<Letter>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Driver {
        let (tasks, map_work) = (machine.open_tasks(), machine.open_map_work());
        // A mock answers twice, its call and its end: only the first may have been written.
        let submitted = machine.submitted_tasks().into_iter();
        let mocked: Vec<TaskCall> = submitted.filter(|call| inner.backends.mocks.contains(&call.state)).collect();
        let mut driver = Driver::new(inner, journal, machine, id, permit);
        driver.letters = letters;
        driver.linger_ms = LINGER_LOADED_MS;
        tasks.into_iter().chain(mocked).for_each(|call| driver.dispatch(call));
        map_work.into_iter().for_each(|command| driver.map_work(command));
        // It may have been in the middle of something.
        driver.progress = Progress::Yielded;
        driver
    }

    /// Redrives an execution whose machine was rebuilt from its records and can be redriven. It becomes this worker's.
    pub(crate) async fn redrive(
        inner: Arc<Inner>,
        journal: Journal,
        machine: Machine,
        id: ExecutionId,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Driver, EngineError> {
        let mut driver = Driver::new(inner, journal, machine, id, permit);
        driver.step(vec![Input::Redrive], Vec::new()).await?;
        Ok(driver)
    }

    fn new(
        inner: Arc<Inner>,
        journal: Journal,
        machine: Machine,
        id: ExecutionId,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Driver {
        let (sender, inbox) = mpsc::channel(INBOX);
        let (poster, post) = mpsc::channel(INBOX);
        let phase = inner.phase.subscribe();
        let definition = machine.definition().clone();
        Driver {
            inner,
            journal,
            id,
            machine,
            definition,
            inbox,
            sender,
            post,
            poster,
            letters: Vec::new(),
            calls: Calls::default(),
            maps: MapWork::default(),
            embedded: VecDeque::new(),
            progress: Progress::Yielded,
            linger_ms: LINGER_MS,
            phase,
            permit,
        }
    }

    pub(crate) fn id(&self) -> ExecutionId {
        self.id
    }

    pub(crate) fn letters(&self) -> mpsc::Sender<Letter> {
        self.poster.clone()
    }

    /// Runs the execution to its end; `None` when it is left in the journal until its time comes. Time is skipped only
    /// while it waits.
    pub(crate) async fn drive(mut self, hold: &mut Hold) -> Result<Option<Outcome>, EngineError> {
        loop {
            if let Some(outcome) = self.machine.outcome() {
                return Ok(Some(outcome.clone()));
            }
            let takes_on = self.phase.borrow().takes_on();
            if takes_on && let Some(call) = self.embedded.pop_front() {
                self = self.run_embedded(call).await?;
                continue;
            }
            if self.progress == Progress::Yielded && takes_on {
                let letters = std::mem::take(&mut self.letters);
                self.step(Vec::new(), letters).await?;
                continue;
            }
            match self.wait(hold).await {
                Woken::By(inputs, letters) => self.step(inputs, letters).await?,
                Woken::Drained => return Err(EngineError::ShutDown),
                Woken::Broken(error) => return Err(error),
                Woken::Idle => match self.park() {
                    None => return Ok(None),
                    Some(driver) => self = driver,
                },
            }
        }
    }

    fn in_flight(&self) -> bool {
        self.calls.at_work() || self.maps.at_work()
    }

    /// Waits for answers, letters or the next deadline.
    async fn wait(&mut self, hold: &mut Hold) -> Woken {
        let draining = !self.phase.borrow_and_update().takes_on();
        if draining && !self.calls.at_work() && self.inbox.is_empty() && self.post.is_empty() {
            return Woken::Drained;
        }
        if self.maps.at_work() {
            // Its children may need the place.
            self.permit = None;
        }
        let deadline = self.machine.next_deadline();
        let now = self.inner.clock.now();
        let soon_ms = SOON_MS + i64::try_from(self.machine.last_event()).unwrap_or(0);
        let soon = deadline.is_some_and(|at| at <= now.plus_ms(soon_ms));
        // Where time is skipped a wait is over at once.
        let idle = self.inner.clock.is_real() && !soon && !draining && !self.in_flight();
        let linger_ms = match self.inner.slots.available_permits() {
            // Nobody can answer it: it waits for its time alone.
            _ if idle && self.machine.submitted_tasks().is_empty() => 0,
            0 => LINGER_PRESSED_MS,
            _ => self.linger_ms,
        };
        let until = match deadline {
            _ if idle => Some(now.plus_ms(linger_ms)),
            // What ends is noticed by this alone: a call may end without an answer.
            _ if draining => Some(deadline.map_or(now.plus_ms(LINGER_MS), |at| at.min(now.plus_ms(LINGER_MS)))),
            deadline => deadline,
        };
        let (mut inputs, mut letters) = (Vec::new(), std::mem::take(&mut self.letters));
        match self.come(hold, until).await {
            Some(Came::Input(first)) => inputs.extend(first),
            Some(Came::Letter(first)) => letters.extend(first),
            Some(Came::Phase) => {}
            Some(Came::Broken(error)) => return Woken::Broken(error),
            None if idle && letters.is_empty() => return Woken::Idle,
            None => {}
        }
        while let Ok(more) = self.inbox.try_recv() {
            inputs.push(more);
        }
        while let Ok(more) = self.post.try_recv() {
            letters.push(more);
        }
        Woken::By(inputs, letters)
    }

    /// Waits for the first thing that comes; `None` when the time has come, or the clock should be looked at.
    async fn come(&mut self, hold: &mut Hold, until: Option<Timestamp>) -> Option<Came> {
        let (sender, poster) = (self.sender.clone(), self.poster.clone());
        let told = move || sender.capacity() < sender.max_capacity() || poster.capacity() < poster.max_capacity();
        let (inbox, post, phase, maps) = (&mut self.inbox, &mut self.post, &mut self.phase, &mut self.maps);
        let first = async move {
            tokio::select! {
                biased;
                // The driver holds a sender itself, so the channels are never closed.
                first = inbox.recv() => Came::Input(first),
                first = post.recv() => Came::Letter(first),
                error = maps.failed() => Came::Broken(error),
                _ = phase.changed() => Came::Phase,
            }
        };
        hold.idle(until, told, first).await
    }

    /// Leaves memory, but for a number and a deadline. Not when something came at the last moment.
    fn park(mut self) -> Option<Driver> {
        let inner = self.inner.clone();
        let mut registry = inner.registry();
        // From here on nobody new gets a sender, and those who have one find the channel closed.
        let active = registry.forget(self.id)?;
        self.post.close();
        while let Ok(letter) = self.post.try_recv() {
            self.letters.push(letter);
        }
        if self.letters.is_empty() && self.inbox.is_empty() {
            let due = self.machine.next_deadline().map_or(i64::MAX, |at| at.millis().saturating_add(1));
            registry.park(self.id, due);
            drop(registry);
            inner.due.notify_one();
            return None;
        }
        (self.poster, self.post) = mpsc::channel(INBOX);
        registry.run(self.id, Active { letters: self.poster.clone(), ..active });
        drop(registry);
        Some(self)
    }

    /// One run of the machine: take in, work, write, act, and tell those who wait for that.
    async fn step(&mut self, inputs: Vec<Input>, letters: Vec<Letter>) -> Result<(), EngineError> {
        let now = time_for(&self.inner, &self.machine);
        // A late answer has no place any more, and leaves no trace.
        let mut taken: Vec<Input> = inputs.into_iter().filter_map(|input| self.machine.accept(input, now)).collect();
        let mut mail: Vec<Verdict> = Vec::new();
        let mut callers = Vec::new();
        for letter in letters {
            let input = self.machine.accept(letter.input, now);
            match letter.from {
                From::Caller(caller) => callers.push((caller, input.is_some())),
                From::Inbox(id) => mail.push(Verdict { mail: id, taken: input.is_some() }),
            }
            taken.extend(input);
        }
        let step = self.machine.run(now, BUDGET);
        let effects = self.machine.take_effects();
        if taken.is_empty() && step.steps == 0 && effects.events.is_empty() {
            self.progress = step.progress;
            if !mail.is_empty() {
                self.journal.discard(mail.into_iter().map(|verdict| verdict.mail).collect()).await?;
            }
        } else {
            self.linger_ms = LINGER_MS;
            let record = Record { now, inputs: taken, steps: step.steps, events: effects.events.clone() };
            self.journal.append_mail(self.id, record, self.machine.outcome(), mail).await?;
            self.act(now, effects, step);
        }
        for (caller, has_place) in callers {
            // A caller that has gone away wants no answer.
            let _ = caller.send(has_place);
        }
        Ok(())
    }

    /// What was written may now be seen and done.
    fn act(&mut self, now: Timestamp, effects: Effects, step: Step) {
        self.progress = step.progress;
        if let (Some(observer), Some(execution)) = (&self.inner.observer, self.machine.execution()) {
            observer.observe(&Update { execution, now, events: &effects.events, notes: &effects.notes });
        }
        for command in effects.commands {
            match command {
                Command::RunTask(call) => self.dispatch(*call),
                Command::CancelTask(task) => {
                    self.calls.cancel(task);
                    self.embedded.retain(|call| call.id != task);
                }
                Command::Map(command) => self.map_work(command),
                Command::Finish(_) => {}
            }
        }
    }

    fn dispatch(&mut self, call: TaskCall) {
        if !self.phase.borrow().takes_on() {
            // Whoever goes on with the execution hands it out.
            return;
        }
        if let Some(answer) = self.inner.backends.mocks.answer(&call.state, call.invocation, &call.parameters) {
            let due = answer.after_ms.map(|ms| self.inner.clock.now().plus_ms(ms));
            return self.calls.say(&self.inner, call.id, calls::mocked(&call, answer), due, self.sender.clone());
        }
        match self.inner.backends.resolve(&call.resource) {
            Ok(Backend::Embedded { .. }) => self.embedded.push_back(call),
            Ok(backend) => {
                let Some(execution) = self.machine.execution().cloned() else { return };
                self.calls.spawn(self.inner.clone(), execution, backend, call, self.sender.clone());
            }
            // The definition was stored by an engine with more backends.
            Err(missing) => {
                let failure = Failure::new("States.Runtime", missing.to_string());
                let inputs = vec![Input::TaskFailed { task: call.id, failure }];
                self.calls.say(&self.inner, call.id, inputs, None, self.sender.clone());
            }
        }
    }

    fn map_work(&mut self, command: MapCommand) {
        if !self.phase.borrow().takes_on() {
            return;
        }
        let definition = self.definition.clone();
        self.maps.work(self.inner.clone(), definition, command, self.sender.clone());
    }

    /// Runs a task of an embedded service: its effect and the record of it are one transaction. The machine goes into the
    /// transaction and comes back out of it; if the transaction fails, the driver ends and the records have the truth.
    async fn run_embedded(mut self, call: TaskCall) -> Result<Driver, EngineError> {
        let (id, mut machine) = (self.id, std::mem::replace(&mut self.machine, Machine::new(self.definition.clone())));
        let backends = self.inner.clone();
        let (machine, now, effects, step) = self
            .journal
            .transact(move |tx| {
                Box::pin(async move {
                    let now = time_for(&backends, &machine);
                    let answers = calls::call_embedded(&backends, tx, &machine, &call, now).await?;
                    let inputs: Vec<Input> =
                        answers.into_iter().filter_map(|input| machine.accept(input, now)).collect();
                    let step = machine.run(now, BUDGET);
                    let effects = machine.take_effects();
                    let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
                    let append = Append { execution: id, record, outcome: machine.outcome().cloned() };
                    Ok::<_, EngineError>(((machine, now, effects, step), Some(append)))
                })
            })
            .await?;
        self.inner.ring();
        self.machine = machine;
        self.linger_ms = LINGER_MS;
        self.act(now, effects, step);
        Ok(self)
    }
}

/// The first run of an execution, to be written.
fn begin(
    now: Timestamp,
    machine: &mut Machine,
    execution: Execution,
    definition: Stored,
    budget: u32,
) -> Result<(NewExecution, Effects, Step), EngineError> {
    let start = Input::Start(Box::new(execution.clone()));
    let inputs = vec![start.clone()];
    let name = || execution.name.to_string();
    machine.handle(start, now).map_err(|_| EngineError::AlreadyExists { name: name() })?;
    let step = machine.run(now, budget);
    let effects = machine.take_effects();
    let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
    let outcome = machine.outcome().cloned();
    let new = NewExecution { definition: Arc::new(definition), execution: Arc::new(execution), record, outcome };
    Ok((new, effects, step))
}

/// Who asked for an execution named it, not its ARN.
fn taken(error: EngineError, name: &str) -> EngineError {
    match error {
        EngineError::Journal(JournalError::AlreadyExists { .. }) => {
            EngineError::AlreadyExists { name: name.to_owned() }
        }
        other => other,
    }
}

/// The time of the next record. Where the clock was set back it is the machine's own, which does not go back: a record
/// must say the time that its events have, or it would not replay.
fn time_for(inner: &Inner, machine: &Machine) -> Timestamp {
    inner.clock.now().max(machine.now())
}
