//! The driver of one execution: carries out what its protocol asks for, with tokio and a store. It decides nothing.

use super::calls;
use super::children::MapWork;
use super::jobs::{Job, Stop};
use super::protocol::{
    self, Around, Arrived, Integrations, Mode, News, Protocol, Recording, Shown, Todo, Work, Write, time_for,
};
use crate::activity;
use crate::clock::{Hold, whole_ms};
use crate::engine::{Inner, Phase, Place, Update};
use crate::error::EngineError;
use crate::memory::Share;
use crate::notice::Notice;
use crate::pace::{self, Pace};
use crate::residency::{Active, Due};
use asl_core::{Budget, Execution, Failure, Input, Machine, MapCommand, Outcome, Progress, Step, TaskCall, TaskId};
use asl_expr::Timestamp;
use asl_store::{Append, Definition as Stored, ExecutionId, NewExecution, StartedAs, StoreError, Worker, contract};
use asl_syntax::{Definition, ResourceKind};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

/// How much may wait for a driver; what has more to say waits.
const QUEUE: usize = 64;

/// How a caller of this process is told what became of a signal.
pub(crate) type Caller = oneshot::Sender<bool>;

pub(crate) struct Driver {
    inner: Arc<Inner>,
    worker: Arc<dyn Worker>,
    id: ExecutionId,
    definition: Arc<Definition>,
    protocol: Protocol<Caller>,
    news: mpsc::Receiver<News>,
    news_sender: mpsc::Sender<News>,
    signals: mpsc::Receiver<Arrived<Caller>>,
    signal_sender: mpsc::Sender<Arrived<Caller>>,
    in_flight: InFlight,
    /// How the jobs among it are stopped.
    jobs: HashMap<TaskId, Stop>,
    maps: MapWork,
    phase: watch::Receiver<Phase>,
    /// Its place in memory, and its bytes.
    permit: Option<OwnedSemaphorePermit>,
    share: Share,
    pace: Pace,
}

/// What is in flight, to be given up with the driver.
#[derive(Default)]
struct InFlight(HashMap<Work, AbortHandle>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.values().for_each(AbortHandle::abort);
    }
}

/// What a driver waits for.
enum Came {
    News(Option<News>),
    Signal(Option<Arrived<Caller>>),
    Phase,
    /// A child of a map run cannot go on, and no answer will come from it.
    Broken(EngineError),
}

impl Integrations for Inner {
    fn mode(&self, call: &TaskCall) -> Mode {
        let is_mocked = self.backends.mocks.answer(&call.state, call.invocation, &call.parameters).is_some();
        match self.backends.resolve(&call.resource) {
            Ok(backend) if !is_mocked => match backend.mode() {
                asl_task::Mode::Transactional => Mode::Transactional,
                asl_task::Mode::Remote => Mode::Remote,
                asl_task::Mode::Job | asl_task::Mode::Nested => Mode::Job,
            },
            _ => Mode::Remote,
        }
    }

    fn again(&self, call: &TaskCall) -> bool {
        // A mock answers twice, its call and its end: only the first may have been written. A job is followed to its end.
        self.backends.mocks.contains(&call.state) || call.submitted.is_some()
    }

    fn run_here(&self) -> bool {
        self.backends.functions.run_here()
    }
}

impl Driver {
    /// Starts an execution: definition, header and first record are written together.
    pub(crate) async fn create(
        inner: Arc<Inner>,
        mut machine: Machine,
        execution: Execution,
        definition: Stored,
        started_as: Option<StartedAs>,
        place: Place,
    ) -> Result<Driver, EngineError> {
        let now = inner.clock.now();
        let mut pace = Pace::Light;
        let run = |machine: &mut Machine| pace.run_here(machine, now, inner.settings.record);
        let (mut new, first) = begin(now, &mut machine, execution, definition, run)?;
        new.started_as = started_as;
        let name = new.execution.name.clone();
        let (worker, id) = inner.write_start(new).await.map_err(|error| error.of_name(&name))?;
        Ok(Driver { pace, ..Driver::new(inner, worker, Protocol::created(machine, first), id, place) })
    }

    /// Continues an execution whose machine was rebuilt from its records.
    pub(crate) fn resume(
        inner: Arc<Inner>,
        worker: Arc<dyn Worker>,
        protocol: Protocol<Caller>,
        id: ExecutionId,
        place: Place,
    ) -> Driver {
        Driver::new(inner, worker, protocol, id, place)
    }

    /// Redrives an execution whose machine was rebuilt from its records and can be redriven. It becomes this worker's; when this
    /// returns that is on disk.
    pub(crate) async fn redrive(
        inner: Arc<Inner>,
        worker: Arc<dyn Worker>,
        machine: Machine,
        id: ExecutionId,
        place: Place,
    ) -> Result<Driver, EngineError> {
        let mut driver = Driver::new(inner, worker, Protocol::redriven(machine), id, place);
        while let Some(todo) = driver.next() {
            let is_written = matches!(todo, Todo::Write(_));
            driver.carry_out(todo).await?;
            if is_written {
                return Ok(driver);
            }
        }
        Err(EngineError::ShutDown)
    }

    fn new(
        inner: Arc<Inner>,
        worker: Arc<dyn Worker>,
        protocol: Protocol<Caller>,
        id: ExecutionId,
        Place { permit, share }: Place,
    ) -> Driver {
        let (news_sender, news) = mpsc::channel(QUEUE);
        let (signal_sender, signals) = mpsc::channel(QUEUE);
        let phase = inner.phase.subscribe();
        let definition = protocol.machine().definition().clone();
        Driver {
            inner,
            worker,
            id,
            definition,
            protocol,
            news,
            news_sender,
            signals,
            signal_sender,
            in_flight: InFlight::default(),
            jobs: HashMap::new(),
            maps: MapWork::default(),
            phase,
            permit,
            share,
            pace: Pace::Light,
        }
    }

    pub(crate) fn id(&self) -> ExecutionId {
        self.id
    }

    /// Where its signals go.
    pub(crate) fn signals(&self) -> mpsc::Sender<Arrived<Caller>> {
        self.signal_sender.clone()
    }

    /// Runs the execution to its end; `None` when it has left memory until its time comes. Time is skipped only while it waits.
    pub(crate) async fn drive(mut self, hold: &mut Hold) -> Result<Option<Outcome>, EngineError> {
        loop {
            self.gather();
            // The result of each thing to do is told before the next one is asked for.
            let Some(todo) = self.next() else { unreachable!("the protocol waits for a result that it has") };
            match todo {
                Todo::Finish(outcome) => return Ok(Some(outcome)),
                Todo::HandOver => return Err(EngineError::ShutDown),
                Todo::Wait { until } => self.wait(hold, until).await?,
                Todo::Evict { due } => match self.evict(due) {
                    None => return Ok(None),
                    Some(driver) => self = driver,
                },
                todo => self.carry_out(todo).await?,
            }
        }
    }

    fn next(&mut self) -> Option<Todo<Caller>> {
        let around = Around {
            now: self.inner.clock.now(),
            draining: !self.phase.borrow_and_update().takes_on(),
            pressed: self.inner.slots.available_permits() == 0,
            evicts: self.inner.clock.is_real(),
            record: self.inner.settings.record,
            integrations: &*self.inner,
        };
        self.protocol.next(&around)
    }

    async fn carry_out(&mut self, todo: Todo<Caller>) -> Result<(), EngineError> {
        match todo {
            Todo::StandTrial => {
                let marked = self.inner.trials().again(self.id);
                self.worker.on_trial(marked).await?;
            }
            Todo::Cleared => self.inner.settled(self.id),
            Todo::Run { now, budget } => {
                let step = self.run(now, budget).await?;
                self.protocol.ran(step);
            }
            Todo::Write(write) => self.write(*write).await?,
            Todo::Discard(signals) => self.worker.discard(signals).await?,
            Todo::Transact(call) => self.transact(*call).await?,
            Todo::Rebuild => unreachable!("an unwritable record is rebuilt where it is found to be one"),
            Todo::Show(shown) => self.show(&shown),
            Todo::Call(call) => self.call(*call),
            Todo::Cancel(task) => self.cancel(task),
            Todo::Map(command) => self.map_work(*command),
            // A caller that has gone away wants no answer.
            Todo::Tell(caller, has_place) => drop(caller.send(has_place)),
            Todo::Wait { .. } | Todo::Evict { .. } | Todo::Finish(_) | Todo::HandOver => {
                unreachable!("an execution that is redriven has something to write first")
            }
        }
        Ok(())
    }

    /// Takes in what has come.
    fn gather(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            self.tell(news);
        }
        while let Ok(arrived) = self.signals.try_recv() {
            self.protocol.signal(arrived);
        }
    }

    fn tell(&mut self, news: News) {
        if let Some(work) = news.over {
            self.in_flight.0.remove(&work);
            if let Work::Call(task) = work {
                self.jobs.remove(&task);
            }
            if let Work::Child(run, child) = work {
                self.maps.is_over(run, child);
            }
        }
        self.protocol.tell(news);
    }

    /// Waits until something comes, or a time; or until the clock should be looked at.
    async fn wait(&mut self, hold: &mut Hold, until: Option<Timestamp>) -> Result<(), EngineError> {
        let waits_for_maps = self.protocol.waits_for_maps();
        if waits_for_maps {
            // Its children may need the place.
            self.permit = None;
        }
        self.share.set(self.protocol.machine().held_bytes(), waits_for_maps);
        match self.come(hold, until).await {
            Some(Came::News(news)) => news.into_iter().for_each(|news| self.tell(news)),
            Some(Came::Signal(arrived)) => arrived.into_iter().for_each(|arrived| self.protocol.signal(arrived)),
            Some(Came::Broken(error)) => return Err(error),
            Some(Came::Phase) | None => {}
        }
        Ok(())
    }

    async fn come(&mut self, hold: &mut Hold, until: Option<Timestamp>) -> Option<Came> {
        let (news, signals) = (self.news_sender.clone(), self.signal_sender.clone());
        let ready = move || news.capacity() < news.max_capacity() || signals.capacity() < signals.max_capacity();
        let (news, signals, phase, maps) = (&mut self.news, &mut self.signals, &mut self.phase, &mut self.maps);
        let first = async move {
            tokio::select! {
                biased;
                // The driver holds a sender itself, so the channels are never closed.
                first = news.recv() => Came::News(first),
                first = signals.recv() => Came::Signal(first),
                error = maps.failed() => Came::Broken(error),
                _ = phase.changed() => Came::Phase,
            }
        };
        hold.idle(until, ready, first).await
    }

    /// Leaves memory, but for a number and a time. Not when something came at the last moment.
    fn evict(mut self, due: Option<Timestamp>) -> Option<Driver> {
        let inner = self.inner.clone();
        let mut residency = inner.residency();
        // From here on nobody new gets a sender, and those who have one find the channel closed.
        let active = residency.forget(self.id)?;
        self.signals.close();
        let mut stays = !self.news.is_empty();
        while let Ok(arrived) = self.signals.try_recv() {
            self.protocol.signal(arrived);
            stays = true;
        }
        if !stays {
            residency.evict(self.id, due.map_or(Due::Never, |at| Due::At(whole_ms(at))));
            drop(residency);
            inner.due.notify_one();
            return None;
        }
        self.protocol.stays();
        (self.signal_sender, self.signals) = mpsc::channel(QUEUE);
        residency.run(self.id, Active { signals: self.signal_sender.clone(), ..active });
        drop(residency);
        Some(self)
    }

    /// Lets the machine work, here while it is quick, elsewhere when it is not.
    async fn run(&mut self, now: Timestamp, record: Budget) -> Result<Step, EngineError> {
        let mut steps = 0;
        if self.pace == Pace::Light {
            let step = self.pace.run_here(self.protocol.machine_mut(), now, record);
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
        let machine = self.lend();
        let run = pace::heavy(&self.inner.heavy, self.phase.clone(), machine, now, left);
        let (machine, step, pace) = run.await?;
        (*self.protocol.machine_mut(), self.pace) = (machine, pace);
        Ok(Step { steps: steps + step.steps, ..step })
    }

    /// The machine, to be brought back.
    fn lend(&mut self) -> Machine {
        std::mem::replace(self.protocol.machine_mut(), Machine::new(self.definition.clone()))
    }

    async fn write(&mut self, write: Write) -> Result<(), EngineError> {
        let Write { record, outcome, taken } = write;
        match self.worker.append(self.id, record, outcome.as_ref(), taken).await {
            Err(error @ StoreError::TooLarge { .. }) => self.fail(error).await,
            written => {
                written?;
                self.protocol.written();
                Ok(())
            }
        }
    }

    /// The record cannot be written, now or ever: the execution fails by name, from where the records have it.
    async fn fail(&mut self, error: StoreError) -> Result<(), EngineError> {
        self.protocol.unwritable();
        let row = self.inner.store.execution_numbered(self.id).await?;
        let row = row.ok_or(StoreError::NoSuchExecution { execution: self.id })?;
        self.inner.notify(&Notice::Failed { execution: row.name.clone(), error: error.clone().into() });
        let failure = Failure::new("States.DataLimitExceeded", error.to_string());
        while let Some(todo) = self.next() {
            match todo {
                Todo::Rebuild => {
                    let machine = self.inner.rebuild(&row, None).await?;
                    self.protocol.rebuilt(machine, failure, self.inner.clock.now());
                    break;
                }
                Todo::Discard(signals) => self.worker.discard(signals).await?,
                Todo::Tell(caller, has_place) => drop(caller.send(has_place)),
                _ => unreachable!("nothing else is done about a record that was not written"),
            }
        }
        Ok(())
    }

    /// Makes a call inside the store's transaction. The machine goes into it and comes back out of it; if the transaction fails,
    /// the driver ends and the records have the truth.
    async fn transact(&mut self, call: TaskCall) -> Result<(), EngineError> {
        // What is asked outside of the transaction.
        let rejected = activity::rejected(&self.inner, &call).await?;
        let scheduled = matches!(call.resource.kind, ResourceKind::Activity { .. }).then(|| call.resource.arn.clone());
        let (id, machine) = (self.id, self.lend());
        let (inner, pace, repeats) = (self.inner.clone(), self.pace, self.inner.store.may_repeat());
        let mut lent = Some(machine);
        let ran = contract::transact_as(&*self.worker, move |tx| {
            // A store that may undo the transaction and run it again gets a copy each time.
            let machine = if repeats { lent.clone() } else { lent.take() };
            let (inner, call, mut pace, rejected) = (inner.clone(), call.clone(), pace, rejected.clone());
            Box::pin(async move {
                let mut machine = machine.ok_or(StoreError::Closed)?;
                let now = time_for(inner.clock.now(), &machine);
                let answer = match rejected {
                    Some(rejected) => Some(rejected),
                    None => calls::within(&inner, tx, &machine, &call, now).await?,
                };
                let run = |machine: &mut Machine| pace.run_here(machine, now, inner.settings.record);
                let recording = Recording::answer(&mut machine, now, answer, run);
                let (record, outcome) = (recording.record.clone(), machine.outcome().cloned());
                let append = Append { execution: id, record, outcome };
                Ok::<_, EngineError>(((machine, recording, pace), Some(append)))
            })
        });
        let (machine, recording, pace) = match ran.await {
            Err(EngineError::Store(error @ StoreError::TooLarge { .. })) => return self.fail(error).await,
            ran => ran?,
        };
        match scheduled {
            Some(arn) => self.inner.activities.ring(&arn),
            None => self.inner.ring(),
        }
        (*self.protocol.machine_mut(), self.pace) = (machine, pace);
        self.protocol.transacted(recording);
        Ok(())
    }

    fn show(&self, Shown { now, events, notes }: &Shown) {
        let machine = self.protocol.machine();
        if let (Some(observer), Some(execution)) = (&self.inner.observer, machine.execution()) {
            observer.observe(&Update { execution, definition: machine.definition(), now: *now, events, notes });
        }
    }

    fn call(&mut self, call: TaskCall) {
        let (work, sender) = (Work::Call(call.id), self.news_sender.clone());
        let clock = &self.inner.clock;
        let handle = match self.inner.backends.mocks.answer(&call.state, call.invocation, &call.parameters) {
            Some(answer) => {
                let due = answer.after_ms.map(|ms| clock.now().plus_ms(ms));
                calls::say(clock, call.id, calls::mocked(&call, answer), due, sender)
            }
            None => match (self.inner.backends.resolve(&call.resource), self.protocol.machine().execution().cloned()) {
                (Ok(backend), Some(execution)) if self.inner.mode(&call) == Mode::Job => {
                    let (clock, key, task) = (clock.clone(), calls::request_id(&execution, call.id), call.id);
                    let (handle, stop) = Job { inner: self.inner.clone(), clock, backend, call, key }.spawn(sender);
                    self.jobs.insert(task, stop);
                    handle
                }
                (Ok(backend), Some(execution)) => calls::spawn(self.inner.clone(), execution, backend, call, sender),
                // The definition was stored by an engine with more backends.
                (Err(missing), _) => {
                    calls::say(clock, call.id, vec![lacks(call.id, &missing.to_string())], None, sender)
                }
                (Ok(_), None) => unreachable!("an execution that calls has started"),
            },
        };
        self.in_flight.0.insert(work, handle);
    }

    fn map_work(&mut self, command: MapCommand) {
        let (inner, definition) = (self.inner.clone(), self.definition.clone());
        if let Some((work, handle)) = self.maps.work(inner, definition, command, self.news_sender.clone()) {
            self.in_flight.0.insert(work, handle);
        }
    }

    /// Gives a call up; a job is stopped, by its follower, which then ends by itself.
    fn cancel(&mut self, task: TaskId) {
        let Some(handle) = self.in_flight.0.remove(&Work::Call(task)) else { return };
        match (self.jobs.remove(&task), self.inner.stops.clone().try_read_owned()) {
            (Some(stop), Ok(guard)) => drop(stop.send((guard, self.inner.clock.hold()))),
            _ => handle.abort(),
        }
    }
}

fn lacks(task: TaskId, what: &str) -> Input {
    Input::TaskFailed { task, failure: Failure::new("States.Runtime", what) }
}

/// The first run of an execution, to be written.
pub(crate) fn begin(
    now: Timestamp,
    machine: &mut Machine,
    execution: Execution,
    definition: Stored,
    run: impl FnOnce(&mut Machine) -> Step,
) -> Result<(NewExecution, Recording), EngineError> {
    let start = Input::Start(Box::new(execution.clone()));
    let taken = |_| EngineError::AlreadyExists { name: execution.name.to_string() };
    machine.handle(start.clone(), now).map_err(taken)?;
    let step = run(machine);
    let first = protocol::Recording::of(machine, now, vec![start], step);
    let (record, outcome) = (first.record.clone(), machine.outcome().cloned());
    let new = NewExecution {
        definition: Arc::new(definition),
        execution: Arc::new(execution),
        record,
        outcome,
        started_as: None,
    };
    Ok((new, first))
}
