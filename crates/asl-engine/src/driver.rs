//! The driver of one execution: owns its machine, writes first, then acts.

use crate::calls::{self, Calls};
use crate::clock::Hold;
use crate::engine::{Inner, Phase, Place, Update};
use crate::error::EngineError;
use crate::letters::{From, Letter};
use crate::maps::MapWork;
use crate::memory::Share;
use crate::notice::Notice;
use crate::pace::{self, Pace};
use crate::registry::Active;
use asl_core::{
    Budget, Command, Effects, Execution, Failure, Input, Machine, MapCommand, Outcome, Progress, Step, TaskCall,
};
use asl_expr::Timestamp;
use asl_journal::{
    Append, Definition as Stored, ExecutionId, Journal, JournalError, JournalWorker, NewExecution, Record, Verdict,
};
use asl_syntax::Definition;
use asl_task::Backend;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

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
    journal: JournalWorker,
    id: ExecutionId,
    machine: Machine,
    definition: Arc<Definition>,
    inbox: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Input>,
    post: mpsc::Receiver<Letter>,
    poster: mpsc::Sender<Letter>,
    /// What came and is not taken in yet.
    inputs: VecDeque<Input>,
    letters: VecDeque<Letter>,
    calls: Calls,
    maps: MapWork,
    embedded: VecDeque<TaskCall>,
    progress: Progress,
    linger_ms: i64,
    phase: watch::Receiver<Phase>,
    /// Its place in memory, and its bytes.
    permit: Option<OwnedSemaphorePermit>,
    share: Share,
    pace: Pace,
    /// It may be what ended the process that had it before.
    suspicion: Option<Suspicion>,
}

/// A suspect until its next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suspicion {
    /// It is written down that it is to blame for what happens now.
    OnTrial,
    /// It waits for something outside this process.
    Waits,
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
    /// Something came, or its time has come.
    Again,
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
        place: Place,
    ) -> Result<Driver, EngineError> {
        let now = inner.clock.now();
        let mut pace = Pace::Light;
        let run = |machine: &mut Machine| pace.run_here(machine, now, inner.settings.record);
        let (new, effects, step) = begin(now, &mut machine, execution, definition, run)?;
        let name = new.execution.name.clone();
        let (journal, id) = inner.write_start(new).await.map_err(|error| taken(error, &name))?;
        let mut driver = Driver::new(inner, journal, machine, id, place);
        driver.pace = pace;
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
        let run = |machine: &mut Machine| machine.run(now, Budget::steps(0));
        let (new, _, _) = begin(now, &mut machine, execution, definition, run)?;
        let name = new.execution.name.clone();
        journal.submit(new).await.map(drop).map_err(|error| taken(error.into(), &name))
    }

    /// Continues an execution whose machine was rebuilt from its records.
    pub(crate) fn resume(
        inner: Arc<Inner>,
        journal: JournalWorker,
        machine: Machine,
        id: ExecutionId,
        letters: Vec<Letter>,
        place: Place,
    ) -> Driver {
        let (tasks, map_work) = (machine.open_tasks(), machine.open_map_work());
        // A mock answers twice, its call and its end: only the first may have been written.
        let submitted = machine.submitted_tasks().into_iter();
        let mocked: Vec<TaskCall> = submitted.filter(|call| inner.backends.mocks.contains(&call.state)).collect();
        let mut driver = Driver::new(inner, journal, machine, id, place);
        // Nothing is done for one that is to end: not even what ended the process before it.
        let ends = letters.iter().any(|letter| matches!(letter.input, Input::Stop(_)));
        driver.letters = letters.into();
        driver.linger_ms = LINGER_LOADED_MS;
        if ends {
            // Its children are stopped by its end, so they have to be known.
            let children = map_work.into_iter().filter(|work| matches!(work, MapCommand::Start(_)));
            children.for_each(|command| driver.map_work(command));
        } else {
            tasks.into_iter().chain(mocked).for_each(|call| driver.dispatch(call));
            map_work.into_iter().for_each(|command| driver.map_work(command));
        }
        // It may have been in the middle of something.
        driver.progress = Progress::Yielded;
        driver
    }

    /// Redrives an execution whose machine was rebuilt from its records and can be redriven. It becomes this worker's.
    pub(crate) async fn redrive(
        inner: Arc<Inner>,
        journal: JournalWorker,
        machine: Machine,
        id: ExecutionId,
        place: Place,
    ) -> Result<Driver, EngineError> {
        let mut driver = Driver::new(inner, journal, machine, id, place);
        driver.inputs.push_back(Input::Redrive);
        driver.step().await?;
        Ok(driver)
    }

    fn new(
        inner: Arc<Inner>,
        journal: JournalWorker,
        machine: Machine,
        id: ExecutionId,
        Place { permit, share }: Place,
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
            inputs: VecDeque::new(),
            letters: VecDeque::new(),
            calls: Calls::default(),
            maps: MapWork::default(),
            embedded: VecDeque::new(),
            progress: Progress::Yielded,
            linger_ms: LINGER_MS,
            phase,
            permit,
            share,
            pace: Pace::Light,
            suspicion: None,
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
            if (self.progress == Progress::Yielded && takes_on) || !self.inputs.is_empty() {
                // What came meanwhile, a stop above all, does not wait until there is nothing else to do.
                self.gather();
                self.step().await?;
                continue;
            }
            match self.wait(hold).await {
                Woken::Again => self.step().await?,
                Woken::Drained => return Err(EngineError::ShutDown),
                Woken::Broken(error) => return Err(error),
                Woken::Idle => match self.park() {
                    None => return Ok(None),
                    Some(driver) => self = driver,
                },
            }
        }
    }

    /// Takes in what is in its inbox.
    fn gather(&mut self) {
        while let Ok(more) = self.inbox.try_recv() {
            self.inputs.push_back(more);
        }
        while let Ok(more) = self.post.try_recv() {
            self.letters.push_back(more);
        }
    }

    /// Whether the end of the process may be its doing, and whether that is written down.
    pub(crate) fn suspected(mut self, on_trial: bool) -> Driver {
        self.suspicion = Some(if on_trial { Suspicion::OnTrial } else { Suspicion::Waits });
        self
    }

    /// It goes on: a suspect is on trial again.
    async fn stand_trial(&mut self) -> Result<(), EngineError> {
        if self.suspicion == Some(Suspicion::Waits) {
            let marked = self.inner.trials().again(self.id);
            self.journal.on_trial(marked).await?;
            self.suspicion = Some(Suspicion::OnTrial);
        }
        Ok(())
    }

    /// It is not to blame for what happens from now on: it has written a record, or waits for something outside.
    fn settle(&mut self, then: Option<Suspicion>) {
        if self.suspicion == Some(Suspicion::OnTrial) {
            self.inner.settled(self.id);
        }
        self.suspicion = self.suspicion.and(then);
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
        self.share.set(self.machine.held_bytes(), self.maps.at_work());
        let works_here = (self.calls.at_work() && self.inner.backends.functions.run_here()) || self.maps.at_files();
        if !works_here {
            self.settle(Some(Suspicion::Waits));
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
        match self.come(hold, until).await {
            Some(Came::Input(first)) => self.inputs.extend(first),
            Some(Came::Letter(first)) => self.letters.extend(first),
            Some(Came::Phase) => {}
            Some(Came::Broken(error)) => return Woken::Broken(error),
            None if idle && self.letters.is_empty() => return Woken::Idle,
            None => {}
        }
        self.gather();
        Woken::Again
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
            self.letters.push_back(letter);
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
    async fn step(&mut self) -> Result<(), EngineError> {
        self.stand_trial().await?;
        let now = time_for(&self.inner, &self.machine);
        let Taken { inputs, callers, mail } = self.take_in(now);
        let step = self.run(now).await?;
        let effects = self.machine.take_effects();
        if inputs.is_empty() && step.steps == 0 && effects.events.is_empty() {
            self.progress = step.progress;
            if !mail.is_empty() {
                self.journal.discard(mail.into_iter().map(|verdict| verdict.mail).collect()).await?;
            }
        } else {
            self.linger_ms = LINGER_MS;
            let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
            match self.journal.append_mail(self.id, record, self.machine.outcome(), mail).await {
                Err(error @ JournalError::TooLarge { .. }) => self.fail(error).await?,
                written => {
                    written?;
                    self.act(now, effects, step);
                }
            }
            self.settle(None);
        }
        for (caller, has_place) in callers {
            // A caller that has gone away wants no answer.
            let _ = caller.send(has_place);
        }
        Ok(())
    }

    /// Hands the machine what came, as much of it as fits into a record; the rest is for the next one.
    fn take_in(&mut self, now: Timestamp) -> Taken {
        let mut taken = Taken { inputs: Vec::new(), callers: Vec::new(), mail: Vec::new() };
        let (mut bytes, most) = (0, self.inner.settings.record.bytes);
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
        while self.letters.front().is_some_and(|letter| fits(&letter.input))
            && let Some(letter) = self.letters.pop_front()
        {
            let input = self.machine.accept(letter.input, now);
            match letter.from {
                From::Caller(caller) => taken.callers.push((caller, input.is_some())),
                From::Inbox(id) => taken.mail.push(Verdict { mail: id, taken: input.is_some() }),
            }
            taken.inputs.extend(input);
        }
        taken
    }

    /// Lets the machine work, here while it is quick, elsewhere when it is not.
    async fn run(&mut self, now: Timestamp) -> Result<Step, EngineError> {
        let record = self.inner.settings.record;
        let mut steps = 0;
        if self.pace == Pace::Light {
            let step = self.pace.run_here(&mut self.machine, now, record);
            let is_over = step.progress != Progress::Yielded
                || step.steps >= record.steps
                || step.work >= record.work
                || step.bytes >= record.bytes;
            if is_over {
                return Ok(step);
            }
            steps = step.steps;
        }
        let left = Budget { steps: record.steps - steps, ..record };
        let machine = std::mem::replace(&mut self.machine, Machine::new(self.definition.clone()));
        let run = pace::heavy(&self.inner.heavy, self.phase.clone(), machine, now, left);
        let (machine, step, pace) = run.await?;
        (self.machine, self.pace) = (machine, pace);
        Ok(Step { steps: steps + step.steps, ..step })
    }

    /// The record that came next cannot be written, now or ever: the execution fails by name, from where it stood before.
    async fn fail(&mut self, error: JournalError) -> Result<(), EngineError> {
        let row = self.journal.execution_numbered(self.id).await?;
        let row = row.ok_or(JournalError::NoSuchExecution { execution: self.id })?;
        self.inner.notify(&Notice::Failed { execution: row.name.clone(), error: error.clone().into() });
        self.machine = self.inner.rebuild(&self.journal, &row, None).await?;
        let now = time_for(&self.inner, &self.machine);
        let input = Input::Fail(Failure::new("States.DataLimitExceeded", error.to_string()));
        if let Some(input) = self.machine.accept(input, now) {
            let step = self.machine.run(now, Budget::steps(0));
            let effects = self.machine.take_effects();
            let record = Record { now, inputs: vec![input], steps: step.steps, events: effects.events.clone() };
            self.journal.append(self.id, record, self.machine.outcome()).await?;
            self.act(now, effects, step);
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
        self.stand_trial().await?;
        let (id, mut machine) = (self.id, std::mem::replace(&mut self.machine, Machine::new(self.definition.clone())));
        let (backends, mut pace) = (self.inner.clone(), self.pace);
        let ran = self.journal.transact(move |tx| {
            Box::pin(async move {
                let now = time_for(&backends, &machine);
                let answers = calls::call_embedded(&backends, tx, &machine, &call, now).await?;
                let inputs: Vec<Input> = answers.into_iter().filter_map(|input| machine.accept(input, now)).collect();
                let step = pace.run_here(&mut machine, now, backends.settings.record);
                let effects = machine.take_effects();
                let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
                let append = Append { execution: id, record, outcome: machine.outcome().cloned() };
                Ok::<_, EngineError>(((machine, now, effects, step, pace), Some(append)))
            })
        });
        let (machine, now, effects, step, pace) = match ran.await {
            Err(EngineError::Journal(error @ JournalError::TooLarge { .. })) => {
                self.fail(error).await?;
                return Ok(self);
            }
            ran => ran?,
        };
        self.inner.ring();
        (self.machine, self.pace) = (machine, pace);
        self.linger_ms = LINGER_MS;
        self.act(now, effects, step);
        self.settle(None);
        Ok(self)
    }
}

/// What a record takes in, and who wants to hear of it.
struct Taken {
    inputs: Vec<Input>,
    callers: Vec<(oneshot::Sender<bool>, bool)>,
    mail: Vec<Verdict>,
}

/// The first run of an execution, to be written.
fn begin(
    now: Timestamp,
    machine: &mut Machine,
    execution: Execution,
    definition: Stored,
    run: impl FnOnce(&mut Machine) -> Step,
) -> Result<(NewExecution, Effects, Step), EngineError> {
    let start = Input::Start(Box::new(execution.clone()));
    let inputs = vec![start.clone()];
    let name = || execution.name.to_string();
    machine.handle(start, now).map_err(|_| EngineError::AlreadyExists { name: name() })?;
    let step = run(machine);
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
