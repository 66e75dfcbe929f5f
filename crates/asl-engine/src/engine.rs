//! The engine: a handle to everything that runs over one journal.

use crate::builder::EngineBuilder;
use crate::clock::Clock;
use crate::driver::Driver;
use crate::error::EngineError;
use crate::{deliveries, replay};
use asl_core::{Event, Execution, ExecutionType, Failure, Input, Machine, Note, Outcome, TaskId};
use asl_expr::Timestamp;
use asl_journal::{Definition as Stored, ExecutionRow, Journal, Status};
use asl_syntax::Definition;
use asl_task::embedded::Identity;
use asl_task::{Backends, Unsupported};
use asl_value::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};

/// Told what happens in executions, after it was written to the journal.
pub trait Observer: Send + Sync {
    /// One record of one execution. Called from the driver: return quickly.
    fn observe(&self, update: &Update<'_>);
}

/// What came of one run of an execution.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// Whose.
    pub execution: &'a Execution,
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

/// An execution that was started: it is in the journal and will end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its ARN.
    pub arn: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// How an execution at work can be reached.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) done: watch::Receiver<Option<Result<Outcome, EngineError>>>,
}

pub(crate) struct Inner {
    pub(crate) journal: Journal,
    pub(crate) identity: Identity,
    pub(crate) backends: Backends,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) clock: Clock,
    /// From which the seeds of executions are drawn; `None` draws each anew.
    pub(crate) seed: Option<u64>,
    /// Rings when there may be deliveries to make.
    pub(crate) deliveries: mpsc::Sender<()>,
    active: Mutex<HashMap<Arc<str>, Active>>,
    resuming: tokio::sync::Mutex<()>,
    stop: watch::Sender<bool>,
}

/// Runs executions over one journal. Clones are handles to the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl Engine {
    /// Begins to put an engine together over a journal.
    pub fn builder(journal: Journal) -> EngineBuilder {
        EngineBuilder::new(journal)
    }

    pub(crate) fn new(
        journal: Journal,
        identity: Identity,
        backends: Backends,
        observer: Option<Arc<dyn Observer>>,
        clock: Clock,
        seed: Option<u64>,
    ) -> Engine {
        let (deliveries, bell) = mpsc::channel(1);
        let inner = Inner {
            journal,
            identity,
            backends,
            observer,
            clock: clock.clone(),
            seed,
            deliveries,
            active: Mutex::default(),
            resuming: tokio::sync::Mutex::default(),
            stop: watch::Sender::new(false),
        };
        let engine = Engine { inner: Arc::new(inner) };
        tokio::spawn(deliveries::run(Arc::downgrade(&engine.inner), clock.hold(), bell, engine.inner.stop.subscribe()));
        engine
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The journal it writes to.
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// The Task states of a definition that nothing here can run.
    pub fn unsupported(&self, definition: &Definition) -> Vec<Unsupported> {
        self.inner.backends.unsupported(definition)
    }

    /// Starts an execution. When this returns it is on disk, and it goes on whether or not anybody waits for it.
    ///
    /// # Errors
    /// When the name or the input is not acceptable, when a task of the definition has no backend here, or when the
    /// journal cannot be written. Then nothing has started.
    pub async fn start(&self, start: StartExecution<'_>) -> Result<Started, EngineError> {
        let _hold = self.inner.clock.hold();
        let unsupported = self.unsupported(&start.definition);
        if !unsupported.is_empty() {
            return Err(EngineError::Unsupported(unsupported));
        }
        check_name("a state machine", start.state_machine)?;
        let id = uuid::Uuid::new_v4();
        let name = start.name.map_or_else(|| id.to_string(), str::to_owned);
        check_name("an execution", &name)?;
        let seed = self.inner.seed.map_or(id.as_u64_pair().0, |seed| seeded(seed, &name));
        let execution = self.identify(&start, &name, seed)?;
        let started = Started { arn: execution.arn.clone(), name: execution.name.clone() };
        let definition = stored(&start.definition, start.state_machine);
        let machine = Machine::new(start.definition);
        let driver = Driver::create(self.inner.clone(), machine, execution, definition).await?;
        self.launch(&started.arn, driver);
        Ok(started)
    }

    fn identify(&self, start: &StartExecution<'_>, name: &str, seed: u64) -> Result<Execution, EngineError> {
        if start.input.len() > asl_core::PAYLOAD_LIMIT {
            return Err(EngineError::InputTooLarge { bytes: start.input.len() });
        }
        let input: Value = start.input.parse().map_err(EngineError::InvalidInput)?;
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
            seed,
            input_text: start.input.into(),
            input,
        })
    }

    pub(crate) fn launch(&self, arn: &Arc<str>, driver: Driver) {
        let (done, watcher) = watch::channel(None);
        let active = Active { inbox: driver.inbox(), done: watcher };
        self.inner.active().insert(arn.clone(), active);
        let (inner, arn, mut stop) = (self.inner.clone(), arn.clone(), self.inner.stop.subscribe());
        let mut hold = self.inner.clock.hold();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = driver.drive(&mut hold) => ended,
                _ = stop.wait_for(|stop| *stop) => Err(EngineError::ShutDown),
            };
            if let Err(error) = &ended {
                tracing::debug!(execution = %arn, %error, "the driver stopped");
            }
            inner.active().remove(&arn);
            done.send_replace(Some(ended));
            // Whoever waits for the end has it now, so time may be skipped.
            drop(hold);
        });
    }

    /// Continues every execution in the journal that has not ended: from its records, with its tasks handed out again.
    /// Returns their ARNs.
    ///
    /// # Errors
    /// When the journal cannot be read, or an execution's records do not replay.
    pub async fn resume(&self) -> Result<Vec<Arc<str>>, EngineError> {
        let _hold = self.inner.clock.hold();
        let mut resumed = Vec::new();
        for row in self.inner.journal.open_executions().await? {
            self.resume_one(&row).await?;
            resumed.push(row.arn.as_str().into());
        }
        Ok(resumed)
    }

    /// Continues one execution, unless this engine is at it already.
    pub(crate) async fn resume_one(&self, row: &ExecutionRow) -> Result<(), EngineError> {
        // Two may ask for a child at once: its parent, and the loop over all that are open.
        let _one_at_a_time = self.inner.resuming.lock().await;
        let arn: Arc<str> = row.arn.as_str().into();
        if self.inner.active().contains_key(&arn) {
            return Ok(());
        }
        let (machine, _) = replay::rebuild(&self.inner.journal, row).await.map_err(Arc::new)?;
        if machine.outcome().is_none() {
            self.launch(&arn, Driver::resume(self.inner.clone(), machine, row.id));
        }
        Ok(())
    }

    /// Waits until an execution has ended.
    ///
    /// # Errors
    /// When there is no such execution, its journal fails, or the engine is shut down.
    pub async fn wait(&self, arn: &str) -> Result<Outcome, EngineError> {
        if let Some(mut active) = self.active(arn) {
            let ended = active.done.wait_for(Option::is_some).await;
            return ended.map_err(|_| EngineError::ShutDown)?.clone().unwrap_or(Err(EngineError::ShutDown));
        }
        self.recorded_outcome(arn).await
    }

    /// How an execution at work can be reached.
    pub(crate) fn active(&self, arn: &str) -> Option<Active> {
        self.inner.active().get(arn).cloned()
    }

    /// The outcome of an execution that nobody here is at, from its records.
    pub(crate) async fn recorded_outcome(&self, arn: &str) -> Result<Outcome, EngineError> {
        let row = self.row(arn).await?;
        if row.status == Status::Running {
            return Err(EngineError::ShutDown);
        }
        let (machine, _) = replay::rebuild(&self.inner.journal, &row).await.map_err(Arc::new)?;
        machine.outcome().cloned().ok_or(EngineError::ShutDown)
    }

    async fn row(&self, arn: &str) -> Result<ExecutionRow, EngineError> {
        let row = self.inner.journal.execution(arn).await?;
        row.ok_or_else(|| EngineError::NoSuchExecution(arn.to_owned()))
    }

    /// Stops an execution: it ends as `ABORTED`. One that has ended already is left as it is.
    ///
    /// # Errors
    /// When there is no such execution.
    pub async fn stop(&self, arn: &str, failure: Failure) -> Result<(), EngineError> {
        let active = self.inner.active().get(arn).cloned();
        match active {
            Some(active) => {
                // A closed inbox means that it ended this moment.
                let _ = active.inbox.send(Input::Stop(failure)).await;
                Ok(())
            }
            None => self.row(arn).await.map(|_| ()),
        }
    }

    /// The history of an execution: all its events.
    ///
    /// # Errors
    /// When there is no such execution or its records cannot be read.
    pub async fn history(&self, arn: &str) -> Result<Vec<Event>, EngineError> {
        let row = self.row(arn).await?;
        let records = self.inner.journal.records(row.id).await?;
        Ok(records.into_iter().flat_map(|r| r.events).collect())
    }

    /// Answers a `.waitForTaskToken` task: it succeeded (AWS: SendTaskSuccess).
    ///
    /// # Errors
    /// When the token names no task that waits here.
    pub async fn send_task_success(&self, token: &str, output: Value) -> Result<(), EngineError> {
        self.answer(token, |task| Input::TaskSucceeded { task, output }).await
    }

    /// Answers a `.waitForTaskToken` task: it failed (AWS: SendTaskFailure).
    ///
    /// # Errors
    /// As [`Engine::send_task_success`].
    pub async fn send_task_failure(&self, token: &str, failure: Failure) -> Result<(), EngineError> {
        self.answer(token, |task| Input::TaskFailed { task, failure }).await
    }

    /// Tells a waiting task that its worker is alive (AWS: SendTaskHeartbeat).
    ///
    /// # Errors
    /// As [`Engine::send_task_success`].
    pub async fn send_task_heartbeat(&self, token: &str) -> Result<(), EngineError> {
        self.answer(token, |task| Input::TaskHeartbeat { task }).await
    }

    async fn answer(&self, token: &str, input: impl FnOnce(TaskId) -> Input) -> Result<(), EngineError> {
        let (arn, task) = asl_core::read_task_token(token).ok_or(EngineError::InvalidToken)?;
        let active = self.inner.active().get(arn.as_str()).cloned().ok_or(EngineError::InvalidToken)?;
        let row = self.row(&arn).await?;
        let (machine, _) = replay::rebuild(&self.inner.journal, &row).await.map_err(Arc::new)?;
        // The token holds a secret part that only the execution's own seed makes.
        let genuine = machine.execution().is_some_and(|e| *asl_core::task_token(e, task) == *token);
        let waits = machine.open_tasks().iter().any(|call| call.id == task);
        if !genuine || !waits {
            return Err(EngineError::InvalidToken);
        }
        active.inbox.send(input(task)).await.map_err(|_| EngineError::InvalidToken)
    }

    /// Ends the drivers and the functions' processes. Executions that have not ended stay in the journal. Deliveries from
    /// topics to functions that are due are made first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn shutdown(&self) -> Result<(), EngineError> {
        deliveries::drain(&self.inner).await?;
        self.inner.stop.send_replace(true);
        self.inner.backends.functions.shutdown().await;
        Ok(())
    }
}

impl Inner {
    fn active(&self) -> MutexGuard<'_, HashMap<Arc<str>, Active>> {
        // The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There may be deliveries to make.
    pub(crate) fn ring(&self) {
        // It rings already, or nobody listens any more.
        let _ = self.deliveries.try_send(());
    }
}

/// The seed of an execution of that name.
fn seeded(seed: u64, name: &str) -> u64 {
    let hash = Sha256::digest(name.as_bytes());
    let place = hash.iter().take(8).fold(0, |place, byte| place << 8 | u64::from(*byte));
    asl_core::draw(seed, place, 0)
}

pub(crate) fn stored(definition: &Definition, name: &str) -> Stored {
    let hash = Sha256::digest(definition.source.as_bytes());
    let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    Stored { hash: hash.into(), name: name.into(), text: definition.source.clone() }
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
