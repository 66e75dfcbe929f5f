//! The driver of one execution: carries out what its protocol asks for, with tokio and a store. It decides nothing.

use super::children::MapWork;
use super::jobs::Stop;
use super::protocol::{Around, Arrived, News, Protocol, Shown, Todo, Work};
use crate::client::start::{Ended, begin};
use crate::clock::{Hold, whole_ms};
use crate::engine::{Inner, Update};
use crate::error::EngineError;
use crate::memory::Share;
use crate::pace::{self, Pace};
use crate::phase::Phase;
use crate::residency::admission::Admission;
use crate::residency::{Active, Due};
use asl_core::{Budget, Execution, Machine, Progress, Rerun, Step, TaskId};
use asl_expr::Timestamp;
use asl_store::{Definition as Stored, ExecutionId, StartedAs, Worker};
use asl_syntax::Definition;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

/// How much may wait for a driver; what has more to say waits.
const QUEUE: usize = 64;

/// How a caller of this process is told what became of a signal.
pub(crate) type Caller = oneshot::Sender<bool>;

pub(crate) struct Driver {
    pub(super) inner: Arc<Inner>,
    pub(super) worker: Arc<dyn Worker>,
    pub(super) id: ExecutionId,
    pub(super) definition: Arc<Definition>,
    pub(super) protocol: Protocol<Caller>,
    news: mpsc::Receiver<News>,
    pub(super) news_sender: mpsc::Sender<News>,
    signals: mpsc::Receiver<Arrived<Caller>>,
    signal_sender: mpsc::Sender<Arrived<Caller>>,
    pub(super) in_flight: InFlight,
    /// How the jobs among it are stopped.
    pub(super) jobs: HashMap<TaskId, Stop>,
    pub(super) maps: MapWork,
    phase: watch::Receiver<Phase>,
    /// What it takes in memory.
    permit: Option<OwnedSemaphorePermit>,
    share: Share,
    pub(super) pace: Pace,
}

/// What is in flight, to be given up with the driver.
#[derive(Default)]
pub(super) struct InFlight(pub(super) HashMap<Work, AbortHandle>);

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

impl Driver {
    /// Starts an execution: definition, header and first record are written together. Also says when it started.
    pub(crate) async fn create(
        inner: Arc<Inner>,
        mut machine: Machine,
        execution: Execution,
        definition: Stored,
        started_as: Option<StartedAs>,
        rerun: Option<Rerun>,
        admission: Admission,
    ) -> Result<(Driver, Timestamp), EngineError> {
        let now = inner.clock.now();
        let mut pace = Pace::Light;
        let run = |machine: &mut Machine| pace.run_here(machine, now, inner.settings.record);
        let (mut new, first) = begin(now, &mut machine, execution, definition, rerun, run)?;
        new.started_as = started_as;
        let name = new.execution.name.clone();
        let (worker, id) = inner.write_start(new).await.map_err(|error| error.of_name(&name))?;
        let driver = Driver::new(inner, worker, Protocol::created(machine, first), id, admission);
        Ok((Driver { pace, ..driver }, now))
    }

    /// Continues an execution whose machine was rebuilt from its records.
    pub(crate) fn resume(
        inner: Arc<Inner>,
        worker: Arc<dyn Worker>,
        protocol: Protocol<Caller>,
        id: ExecutionId,
        admission: Admission,
    ) -> Driver {
        Driver::new(inner, worker, protocol, id, admission)
    }

    /// Redrives an execution whose machine was rebuilt from its records and can be redriven. It becomes this worker's; when this
    /// returns that is on disk.
    pub(crate) async fn redrive(
        inner: Arc<Inner>,
        worker: Arc<dyn Worker>,
        machine: Machine,
        id: ExecutionId,
        admission: Admission,
    ) -> Result<Driver, EngineError> {
        let mut driver = Driver::new(inner, worker, Protocol::redriven(machine), id, admission);
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
        Admission { permit, share }: Admission,
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
    pub(crate) async fn drive(mut self, hold: &mut Hold) -> Result<Option<Ended>, EngineError> {
        loop {
            self.gather();
            // The result of each thing to do is told before the next one is asked for.
            let Some(todo) = self.next() else { unreachable!("the protocol waits for a result that it has") };
            match todo {
                Todo::Finish(outcome) => return Ok(Some(Ended { outcome, at: self.protocol.machine().now() })),
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

    pub(super) fn next(&mut self) -> Option<Todo<Caller>> {
        let around = Around {
            now: self.inner.clock.now(),
            draining: !self.phase.borrow_and_update().takes_on(),
            pressed: self.inner.admissions.free() == 0,
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
            // Its children may need the permit.
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
        let run = pace::heavy(&self.inner.client.heavy, self.phase.clone(), machine, now, left);
        let (machine, step, pace) = run.await?;
        (*self.protocol.machine_mut(), self.pace) = (machine, pace);
        Ok(Step { steps: steps + step.steps, ..step })
    }

    /// The machine, to be brought back.
    pub(super) fn lend(&mut self) -> Machine {
        std::mem::replace(self.protocol.machine_mut(), Machine::new(self.definition.clone()))
    }

    fn show(&self, Shown { now, events, notes }: &Shown) {
        let machine = self.protocol.machine();
        if let (Some(observer), Some(execution)) = (&self.inner.notices.observer, machine.execution()) {
            observer.observe(&Update { execution, definition: machine.definition(), now: *now, events, notes });
        }
    }
}
