//! The engine: a handle to everything that runs over one journal.

use crate::activity::Rooms;
use crate::builder::EngineBuilder;
use crate::client::redrive;
use crate::clock::Clock;
use crate::error::EngineError;
use crate::execution::nested::Nursery;
use crate::execution::{self, Driver};
use crate::machines::StateMachines;
use crate::memory::{Memory, Share};
use crate::notice::{Limit, Notice};
use crate::pace;
use crate::residency::{Active, End, Residence, Residency};
use crate::worker::fit::Left;
use crate::worker::lease::Lease;
use crate::worker::outbox;
use asl_core::{Budget, Event, Execution, ExecutionType, Failure, Machine, Note, Outcome, TokenKey};
use asl_expr::Timestamp;
use asl_store::quarantine::Trials;
use asl_store::{
    Claimed, Definition as Stored, ExecutionId, ExecutionRow, SignalId, StartedAs, Status, Store, StoreError,
};
use asl_syntax::Definition;
use asl_task::embedded::Identity;
use asl_task::{Backends, Unsupported};
use asl_value::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, RwLock, Semaphore, mpsc, watch};

/// How often an execution that another process runs is looked at by those who wait for it.
pub(crate) const LOOK: Duration = Duration::from_millis(200);
/// How long a shutdown waits for jobs to be stopped.
const STOPS: Duration = Duration::from_secs(10);
/// The longest sleep of those who wait for an execution.
pub(crate) const NAP: Duration = Duration::from_secs(60);

/// Told what happens in executions, after it was written to the journal.
pub trait Observer: Send + Sync {
    /// One record of one execution. Called from the driver: return quickly.
    fn observe(&self, update: &Update<'_>);

    /// Something that people have to be told: what cannot be run, loaded or written here, what is set aside or given back.
    fn notify(&self, notice: &Notice) {
        let _ = notice;
    }
}

/// What came of one run of an execution.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// Whose.
    pub execution: &'a Execution,
    /// What it runs: of a child of a Distributed Map, the definition around the Map.
    pub definition: &'a Arc<Definition>,
    /// When.
    pub now: Timestamp,
    /// The new events.
    pub events: &'a [Event],
    /// What the events do not say: retries with their delays, catchers that took an error.
    pub notes: &'a [Note],
}

/// What to start.
#[derive(Clone, Debug)]
pub struct StartExecution<'a> {
    /// The state machine's definition.
    pub definition: Arc<Definition>,
    /// The state machine's name.
    pub state_machine: &'a str,
    /// The execution's name; a new UUID when left out.
    pub name: Option<&'a str>,
    /// The input, JSON text.
    pub input: &'a str,
}

/// What a catalogue knows of an execution that begins, beside what to start.
#[derive(Clone, Debug, Default)]
pub struct StartAs {
    /// The role of the state machine; one named after it when left out.
    pub role_arn: Option<Arc<str>>,
    /// Its state machine is an Express one: five minutes, and an ARN of that kind.
    pub express: bool,
    /// What the caller named.
    pub started_as: Option<StartedAs>,
}

impl StartAs {
    fn apply(&self, execution: &mut Execution) {
        if let Some(role) = &self.role_arn {
            execution.role_arn = role.clone();
        }
        if self.express {
            execution.execution_type = ExecutionType::Express;
            let arn = execution.arn.replacen(":execution:", ":express:", 1);
            execution.arn = format!("{arn}:{}", uuid::Uuid::new_v4()).into();
        }
    }
}

/// An execution that was started: it is in the journal and will end.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its ARN.
    pub arn: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Where its end is told, when it was started here.
    end: Option<watch::Receiver<End>>,
}

impl Started {
    /// An execution that exists already. `wait_for` finds where its end is told.
    pub fn known(arn: &str, name: &str) -> Started {
        Started { arn: arn.into(), name: name.into(), end: None }
    }
}

/// What an engine is told when it is made.
pub(crate) struct Settings {
    /// What other processes are told of it.
    pub(crate) what: String,
    /// How long others wait before they take over when it is silent.
    pub(crate) lease: Duration,
    /// The most executions in memory.
    pub(crate) max_active: usize,
    /// Where executions have the time from.
    pub(crate) clock: Clock,
    /// From which the seeds of executions are drawn; `None` draws each anew.
    pub(crate) seed: Option<u64>,
    /// It runs nothing, and makes no deliveries.
    pub(crate) client: bool,
    /// What a record may cost.
    pub(crate) record: Budget,
    /// How many bytes executions in memory may take before no other is let in.
    pub(crate) max_memory: usize,
    /// After how many deaths of its owners an execution is set aside.
    pub(crate) deaths: u32,
    /// State machines that tasks may start, by name.
    pub(crate) state_machines: Option<StateMachines>,
}

/// Whether an engine takes on work.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It does.
    Running,
    /// It ends what is in flight, and begins nothing.
    Draining,
    /// It does nothing any more: it was shut down, or has lost its lease.
    Stopped(EngineError),
}

impl Phase {
    pub(crate) fn takes_on(&self) -> bool {
        matches!(self, Phase::Running)
    }
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity: Identity,
    pub(crate) backends: Backends,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) lease: OnceCell<Lease>,
    /// Places in memory.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) memory: Arc<Memory>,
    /// Places for machines that run off the threads that answer.
    pub(crate) heavy: Arc<Semaphore>,
    /// One place for an execution whose records are too many to be read together with others.
    pub(crate) long_loads: Semaphore,
    /// Executions that may have ended the processes that had them.
    pub(crate) trials: Mutex<Trials<ExecutionId>>,
    pub(crate) trial_bell: Arc<Notify>,
    /// What people are told again and again is held back.
    pub(crate) told_again: Limit,
    pub(crate) told_unread: Limit,
    /// True when it takes on whatever nobody runs.
    pub(crate) serving: AtomicBool,
    pub(crate) phase: watch::Sender<Phase>,
    /// Rings when there may be deliveries to make.
    pub(crate) deliveries: mpsc::Sender<()>,
    /// Where it is heard, until somebody listens.
    pub(crate) bell: Mutex<Option<mpsc::Receiver<()>>>,
    /// True when there may be something in the outbox: there was when the engine began, or something was published here.
    pub(crate) outbox: AtomicBool,
    /// Held while deliveries are made: an engine that ends waits for those.
    pub(crate) delivering: tokio::sync::Mutex<()>,
    /// Something was parked, or is wanted back.
    pub(crate) due: Arc<Notify>,
    /// Read by each job that is being stopped; a shutdown waits for them.
    pub(crate) stops: Arc<RwLock<()>>,
    /// Wakes the poller: the store should be looked at.
    pub(crate) wake: Arc<Notify>,
    /// What is left to others.
    pub(crate) left: Mutex<Left>,
    /// Where workers wait that ask for tasks of activities.
    pub(crate) activities: Rooms,
    residency: Mutex<Residency>,
}

/// A place in memory: one of so many, and its bytes.
pub(crate) struct Place {
    /// None where its parent has room, and waits for it.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    pub(crate) share: Share,
}

/// Runs executions over one journal. Clones are handles to the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl Engine {
    /// Begins to put an engine together over a store.
    pub fn builder(store: impl Into<Arc<dyn Store>>) -> EngineBuilder {
        EngineBuilder::new(store.into())
    }

    pub(crate) fn new(
        store: Arc<dyn Store>,
        identity: Identity,
        backends: Backends,
        observer: Option<Arc<dyn Observer>>,
        settings: Settings,
    ) -> Engine {
        let (deliveries, bell) = mpsc::channel(1);
        let inner = Inner {
            store,
            identity,
            backends,
            observer,
            clock: settings.clock.clone(),
            lease: OnceCell::new(),
            slots: Arc::new(Semaphore::new(settings.max_active.min(Semaphore::MAX_PERMITS))),
            memory: Memory::new(settings.max_memory),
            heavy: pace::places(),
            long_loads: Semaphore::new(1),
            trials: Mutex::default(),
            trial_bell: Arc::default(),
            told_again: Limit::default(),
            told_unread: Limit::default(),
            settings,
            serving: AtomicBool::new(false),
            phase: watch::Sender::new(Phase::Running),
            deliveries,
            bell: Mutex::new(Some(bell)),
            outbox: AtomicBool::new(false),
            delivering: tokio::sync::Mutex::new(()),
            due: Arc::default(),
            stops: Arc::default(),
            wake: Arc::default(),
            left: Mutex::default(),
            activities: Rooms::default(),
            residency: Mutex::default(),
        };
        let inner = Arc::new(inner);
        inner.backends.nest.run_by(Nursery(Arc::downgrade(&inner)));
        Engine { inner }
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The store it writes to.
    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// The Task states of a definition that nothing here can run.
    pub fn unsupported(&self, definition: &Definition) -> Vec<Unsupported> {
        self.inner.backends.unsupported(definition)
    }

    /// Starts an execution. When this returns it is on disk, and it goes on whether or not anybody waits for it. Waits
    /// while as many executions are in memory as may be.
    ///
    /// # Errors
    /// When the name or the input is not acceptable, when a task of the definition has no backend here, when the engine
    /// was shut down, or when the journal cannot be written. Then nothing has started.
    pub async fn start(&self, start: StartExecution<'_>) -> Result<Started, EngineError> {
        self.start_as(start, StartAs::default()).await
    }

    /// As [`Engine::start`], for a server: with what the catalogue says of the state machine, and what the caller named.
    ///
    /// # Errors
    /// As for [`Engine::start`].
    pub async fn start_as(&self, start: StartExecution<'_>, about: StartAs) -> Result<Started, EngineError> {
        let _hold = self.inner.clock.hold();
        let start_bytes = start.input.len();
        let (mut execution, definition, machine) = self.prepare(start)?;
        about.apply(&mut execution);
        let end = Some(self.inner.residency().subscribe(&execution.arn));
        let started = Started { arn: execution.arn.clone(), name: execution.name.clone(), end };
        let permit = self.inner.slots.clone().acquire_owned().await.map_err(|_| EngineError::ShutDown)?;
        let share = self.inner.memory.enter(start_bytes).await;
        self.inner.still_works()?;
        self.inner
            .create(machine, execution, definition, about.started_as, Place { permit: Some(permit), share })
            .await?;
        Ok(started)
    }

    /// Starts an execution for a task. It takes no place of its own: the one whose task it is may have the last.
    pub(crate) async fn start_nested(&self, start: StartExecution<'_>, about: StartAs) -> Result<Started, EngineError> {
        let (mut execution, definition, machine) = self.prepare(start)?;
        about.apply(&mut execution);
        let started = Started { arn: execution.arn.clone(), name: execution.name.clone(), end: None };
        self.inner.still_works()?;
        let share = self.inner.memory.enter_now();
        self.inner.create(machine, execution, definition, about.started_as, Place { permit: None, share }).await?;
        Ok(started)
    }

    /// Writes the start of an execution, for a worker to run: see [`Engine::serve`]. When this returns it is on disk.
    ///
    /// # Errors
    /// As for [`Engine::start`].
    pub async fn submit(&self, start: StartExecution<'_>) -> Result<Started, EngineError> {
        let (execution, definition, machine) = self.prepare(start)?;
        let started = Started { arn: execution.arn.clone(), name: execution.name.clone(), end: None };
        let (now, mut machine) = (self.inner.clock.now(), machine);
        let run = |machine: &mut Machine| machine.run(now, Budget::steps(0));
        let (new, _) = execution::begin(now, &mut machine, execution, definition, run)?;
        let submitted = self.inner.store.submit(new).await;
        submitted.map_err(|error| EngineError::from(error).of_name(&started.name))?;
        self.inner.wake.notify_one();
        Ok(started)
    }

    fn prepare(&self, start: StartExecution<'_>) -> Result<(Execution, Stored, Machine), EngineError> {
        let unsupported = self.unsupported(&start.definition);
        if !unsupported.is_empty() {
            return Err(EngineError::Unsupported(unsupported));
        }
        check_name("a state machine", start.state_machine)?;
        let name = start.name.map_or_else(|| new_name(self.inner.clock.now()), str::to_owned);
        check_name("an execution", &name)?;
        let chance = self.inner.settings.seed.map_or_else(Chance::drawn, |seed| Chance::seeded(seed, &name));
        let execution = self.identify(&start, &name, chance)?;
        let definition = stored(&start.definition, start.state_machine);
        Ok((execution, definition, Machine::new(start.definition)))
    }

    fn identify(&self, start: &StartExecution<'_>, name: &str, chance: Chance) -> Result<Execution, EngineError> {
        if start.input.len() > asl_core::PAYLOAD_LIMIT {
            return Err(EngineError::InputTooLarge { bytes: start.input.len() });
        }
        let input: Value = start.input.parse().map_err(EngineError::InvalidInput)?;
        if input.measure().depth > asl_core::DEPTH_LIMIT {
            return Err(EngineError::InputTooDeep);
        }
        let machine = start.state_machine;
        let identity = &self.inner.identity;
        Ok(Execution {
            arn: identity.arn("states", &format!("execution:{machine}:{name}")).into(),
            name: name.into(),
            state_machine_arn: identity.arn("states", &format!("stateMachine:{machine}")).into(),
            state_machine_name: machine.into(),
            role_arn: format!("arn:aws:iam::{}:role/{machine}", identity.account).into(),
            region: identity.region.as_str().into(),
            execution_type: ExecutionType::Standard,
            seed: chance.seed,
            token_key: Some(chance.token_key),
            input_text: start.input.into(),
            input,
        })
    }

    /// Goes on with every execution in the journal that has not ended and that no living process runs: from its records,
    /// with its tasks handed out again. Those of this engine that a failure of the journal ended are among them. Returns
    /// their ARNs. One that cannot go on says why to those who wait for it; those that cannot run here are left to others, and
    /// one whose owners died too often without a record is set aside, and not among them ([`Engine::take_back`]).
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn resume(&self) -> Result<Vec<Arc<str>>, EngineError> {
        self.inner.still_works()?;
        let _hold = self.inner.clock.hold();
        let worker = &self.inner.leased().await?.worker;
        let own = worker.claimed().await?;
        let left: Vec<_> = own.into_iter().filter(|own| self.inner.residency().can_be_adopted(own.id)).collect();
        let claimed = self.inner.claim_fitting(worker, self.inner.claim(u32::MAX).await?).await?;
        let resumed = || left.iter().chain(&claimed);
        let condemned: Vec<Claimed> = [&left, &claimed].into_iter().flat_map(|list| self.inner.adopt(list)).collect();
        let aside: HashSet<ExecutionId> = condemned.iter().map(|claimed| claimed.id).collect();
        self.inner.clone().set_all_aside(condemned).await;
        let goes_on = |claimed: &&Claimed| !aside.contains(&claimed.id);
        Ok(resumed().filter(goes_on).map(|claimed| claimed.arn.clone()).collect())
    }

    /// Lets an execution be run again that was set aside, as if nothing had happened: by whoever takes it first, this engine
    /// with [`Engine::resume`] or [`Engine::serve`]. False when it was not set aside.
    ///
    /// # Errors
    /// When there is no such execution, or the journal cannot be written.
    pub async fn take_back(&self, arn: &str) -> Result<bool, EngineError> {
        let row = self.row(arn).await?;
        let taken = self.inner.store.take_back(row.id).await?;
        let mut residency = self.inner.residency();
        if let Some(Residence::Broken(_)) = residency.get(row.id) {
            residency.forget(row.id);
        }
        drop(residency);
        self.inner.wake.notify_one();
        Ok(taken)
    }

    /// Waits until an execution has ended, whoever runs it.
    ///
    /// # Errors
    /// When there is no such execution, it cannot go on, its journal fails, or the engine is shut down.
    pub async fn wait(&self, arn: &str) -> Result<Outcome, EngineError> {
        let mut phase = self.inner.phase.subscribe();
        loop {
            let (mut end, mut here) = {
                let mut residency = self.inner.residency();
                (residency.subscribe(arn), residency.running(arn).is_some())
            };
            if !here {
                let row = self.row(arn).await?;
                if row.arn != arn {
                    // It was named otherwise.
                    return Box::pin(self.wait(&row.arn)).await;
                }
                if row.unread_end {
                    let failure = Failure { error: row.error.map(Into::into), cause: row.cause.map(Into::into) };
                    return Ok(Outcome::Aborted(failure));
                }
                if row.status != Status::Running {
                    let machine = self.inner.rebuild(&row, None).await?;
                    return machine.outcome().cloned().ok_or(EngineError::ShutDown);
                }
                self.inner.still_works()?;
                here = match self.inner.residency().get(row.id) {
                    Some(Residence::Broken(error)) => return Err((**error).clone()),
                    held => held.is_some(),
                };
            }
            let ended = async { end.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone()) };
            let stopped = async { drop(phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))).await) };
            tokio::select! {
                biased;
                Some(ended) = ended => return ended,
                () = stopped => {
                    // A driver at work is about to say how it ends.
                    if self.inner.residency().running(arn).is_none() {
                        self.inner.still_works()?;
                    }
                    tokio::task::yield_now().await;
                }
                // Of those that others run, and of those that break while they are loaded, nobody tells us.
                () = tokio::time::sleep(if here { NAP } else { LOOK }) => {}
            }
        }
    }

    /// As [`Engine::wait`], for an execution that was started here: one that has ended meanwhile need not be looked up.
    ///
    /// # Errors
    /// As for [`Engine::wait`].
    pub async fn wait_for(&self, started: &Started) -> Result<Outcome, EngineError> {
        let ended = started.end.as_ref().and_then(|end| end.borrow().clone());
        match ended {
            Some(ended) => ended,
            None => self.wait(&started.arn).await,
        }
    }

    pub(crate) async fn row(&self, arn: &str) -> Result<ExecutionRow, EngineError> {
        let row = self.inner.store.execution(arn).await?;
        row.ok_or_else(|| EngineError::NoSuchExecution(arn.to_owned()))
    }

    /// Redrives an execution that failed, timed out or was stopped: it goes on from there, with its event numbers going
    /// on, and what succeeded is kept (AWS: RedriveExecution). When this returns, the redrive is on disk.
    ///
    /// # Errors
    /// [`EngineError::NotRedrivable`] says why it cannot be redriven. Or when there is no such execution, or the journal
    /// cannot be written.
    pub async fn redrive(&self, arn: &str) -> Result<(), EngineError> {
        redrive::asked(self, &self.row(arn).await?).await
    }

    /// The history of an execution: all its events.
    ///
    /// # Errors
    /// When there is no such execution or its records cannot be read.
    pub async fn history(&self, arn: &str) -> Result<Vec<Event>, EngineError> {
        let row = self.row(arn).await?;
        let records = self.inner.store.records(row.id).await?;
        Ok(records.into_iter().flat_map(|r| r.events).collect())
    }

    /// Ends the drivers and the functions' processes. Executions that have not ended stay in the journal, for others to
    /// go on with. Deliveries from topics to functions that are due are made first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn shutdown(&self) -> Result<(), EngineError> {
        let drained = if self.inner.still_works().is_ok() { outbox::last(&self.inner).await } else { Ok(()) };
        self.inner.stop().await;
        let _ = tokio::time::timeout(STOPS, self.inner.stops.write()).await;
        drained
    }
}

impl Inner {
    /// Tells whoever watches over this engine.
    pub(crate) fn notify(&self, notice: &Notice) {
        if matches!(notice, Notice::NotRead { error: EngineError::Store(StoreError::Closed) }) {
            // The engine ends, and its journal was quicker.
            return;
        }
        match &self.observer {
            Some(observer) => observer.notify(notice),
            None => tracing::warn!("{notice}"),
        }
    }

    /// There may be deliveries to make.
    pub(crate) fn ring(&self) {
        self.outbox.store(true, Ordering::Relaxed);
        // It rings already, or nobody listens any more.
        let _ = self.deliveries.try_send(());
    }

    pub(crate) fn residency(&self) -> MutexGuard<'_, Residency> {
        // The residency is whole between any two of its operations, so a panic elsewhere does not spoil it.
        self.residency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error when the engine was shut down or has lost its lease.
    pub(crate) fn still_works(&self) -> Result<(), EngineError> {
        match &*self.phase.borrow() {
            Phase::Running => Ok(()),
            Phase::Draining => Err(EngineError::ShutDown),
            Phase::Stopped(error) => Err(error.clone()),
        }
    }

    /// Stops at once, and leaves the executions to others.
    pub(crate) async fn stop(&self) {
        self.phase.send_if_modified(|phase| {
            let works = !matches!(phase, Phase::Stopped(_));
            if works {
                *phase = Phase::Stopped(EngineError::ShutDown);
            }
            works
        });
        let left = self.residency().held();
        if left > 0 && self.serving.load(Ordering::Relaxed) {
            self.notify(&Notice::GaveBack { executions: left });
        }
        if let Some(lease) = self.lease.get()
            && let Err(error) = lease.worker.release().await
        {
            tracing::debug!(%error, "the lease was not given back; others find that this process is gone");
        }
        self.backends.functions.shutdown().await;
    }

    /// Creates an execution and lets it go, also when whoever asked for it does not wait for that.
    pub(crate) async fn create(
        self: &Arc<Inner>,
        machine: Machine,
        execution: Execution,
        definition: Stored,
        started_as: Option<StartedAs>,
        place: Place,
    ) -> Result<(), EngineError> {
        let inner = self.clone();
        let creating = tokio::spawn(async move {
            let arn = execution.arn.clone();
            inner.residency().announce(&arn);
            let created = Driver::create(inner.clone(), machine, execution, definition, started_as, place).await;
            let created = created.map(|driver| inner.launch(&arn, driver, HashSet::new()));
            inner.residency().announced(&arn);
            created
        });
        creating.await.unwrap_or(Err(EngineError::ShutDown))
    }

    /// Lets a driver go.
    pub(crate) fn launch(self: &Arc<Inner>, arn: &Arc<str>, driver: Driver, handed: HashSet<SignalId>) {
        let id = driver.id();
        self.residency().run(id, Active { arn: arn.clone(), signals: driver.signals(), handed });
        let (inner, arn, mut phase) = (self.clone(), arn.clone(), self.phase.subscribe());
        let mut hold = self.clock.hold();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = driver.drive(&mut hold) => ended,
                _ = phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))) => Err(EngineError::ShutDown),
            };
            let outcome = match ended {
                Ok(None) => return inner.settled(id),
                Ok(Some(outcome)) => Ok(outcome),
                Err(EngineError::ShutDown) => Err(inner.still_works().err().unwrap_or(EngineError::ShutDown)),
                Err(error) => Err(error),
            };
            inner.ended(id, &arn, outcome);
            // Whoever waits for the end has it now, so time may be skipped.
            drop(hold);
        });
    }

    fn ended(self: &Arc<Inner>, id: ExecutionId, arn: &str, outcome: Result<Outcome, EngineError>) {
        self.settled(id);
        let works = self.still_works().is_ok();
        if let Err(error) = &outcome {
            tracing::debug!(execution = %arn, %error, "the driver stopped");
            if matches!(error, EngineError::Store(StoreError::Fenced { .. })) {
                self.lose(error.clone());
            } else if works && error.passes() && self.serving.load(Ordering::Relaxed) {
                self.residency().forget(id);
                return self.not_loaded(id, arn, error.clone());
            }
        }
        if let (true, Err(error @ EngineError::Panicked)) = (works, &outcome) {
            self.leave_to_others(id, error);
        }
        let mut residency = self.residency();
        match &outcome {
            // Whoever asks later is told the same.
            Err(error) if works => residency.fail(id, error.clone()),
            _ => drop(residency.forget(id)),
        }
        residency.publish(arn, outcome);
    }
}

/// What an execution draws from: what others may see of it, and its secret.
struct Chance {
    seed: u64,
    token_key: TokenKey,
}

impl Chance {
    /// Of the operating system: one does not follow from the other.
    fn drawn() -> Chance {
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        // Six bits of a UUID are not drawn; three of them have more than the key's 256.
        let drawn = (0..3).fold(Sha256::new(), |hash, _| hash.chain_update(uuid::Uuid::new_v4().as_bytes()));
        Chance { seed: high ^ low.rotate_left(32), token_key: TokenKey::new(drawn.finalize().into()) }
    }

    /// Of an execution of that name, where chance is to be the same in every run: no secret then.
    fn seeded(seed: u64, name: &str) -> Chance {
        let hash = Sha256::digest(name.as_bytes());
        let place = hash.iter().take(8).fold(0, |place, byte| place << 8 | u64::from(*byte));
        let key = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(name);
        Chance { seed: asl_core::draw(seed, place, 0), token_key: TokenKey::new(key.finalize().into()) }
    }
}

pub(crate) fn stored(definition: &Definition, name: &str) -> Stored {
    let hash = Sha256::digest(definition.source.as_bytes());
    let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    Stored { hash: hash.into(), name: name.into(), text: definition.source.clone() }
}

/// A name for an execution that was given none: a UUID that begins with the time (version 7), so that names that are made one
/// after the other are neighbours in the database's indexes. Random ones would each change pages of their own.
fn new_name(now: Timestamp) -> String {
    let random = uuid::Uuid::new_v4().into_bytes();
    let bytes = std::array::from_fn(|n| random[n]);
    uuid::Builder::from_unix_timestamp_millis(now.millis().unsigned_abs(), &bytes).into_uuid().to_string()
}

/// AWS's rule for names (spec: Limits).
fn check_name(what: &'static str, name: &str) -> Result<(), EngineError> {
    let invalid = |why| Err(EngineError::InvalidName { what, name: name.to_owned(), why });
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    match name.chars().count() {
        0 => invalid("it is empty"),
        81.. => invalid("it has more than 80 characters"),
        _ if name.chars().any(forbidden) => {
            invalid("blanks, control characters and < > { } [ ] ? * \" # % \\ ^ | ~ ` $ & , ; : / cannot be part of it")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_made_are_in_the_order_of_time() {
        let names: Vec<String> = (0..5).map(|n| new_name(Timestamp::from_millis(1_767_225_600_000 + n))).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_ne!(new_name(Timestamp::default()), new_name(Timestamp::default()));
        assert!(names.iter().all(|name| name.len() == 36 && name.as_bytes()[14] == b'7'), "{names:?}");
    }
}
