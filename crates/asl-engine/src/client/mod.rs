//! What any process does to executions over a store alone: it starts them for others, stops them, answers task tokens, and reads
//! what became of them.
//!
//! A signal goes into the inbox of the execution, and its owner decides about it. Only an execution that nobody runs is owned by the
//! client, as a worker of its own and for as long as the signal takes ([`unowned`]).
//!
//! Architecture invariant: nothing here reaches what an engine has in memory or its lease. An [`Engine`](crate::Engine) has a
//! client, and looks first at what it has in memory itself.

pub(crate) mod answer;
pub(crate) mod children;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod unowned;

use crate::client::start::{StartAs, StartExecution, Started, begin};
use crate::clock::Clock;
use crate::error::EngineError;
use crate::replay::Redo;
use crate::{pace, replay};
use asl_core::{Budget, Event, Failure, Machine, Outcome};
use asl_store::{Description, ExecutionRow, Status, Store};
use asl_syntax::Definition;
use asl_task::embedded::Identity;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How often a caller of `wait` looks at an execution that another process runs.
pub(crate) const LOOK: Duration = Duration::from_millis(200);
/// How long others wait before they take over from a worker that is silent, but seems to live.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// A process that gives work to engines and runs none itself: it has a store, no functions and no lease. Cheap to clone.
///
/// ```
/// use asl_engine::Client;
/// # use std::sync::Arc;
/// # async fn stop(store: Arc<dyn asl_store::Store>) -> Result<(), asl_engine::EngineError> {
/// let client = Client::new(store);
/// client.stop("order-17", asl_core::Failure::new("Cancelled", "the customer changed her mind")).await?;
/// let outcome = client.wait("order-17").await?;
/// # drop(outcome);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    /// From which the seeds of executions are drawn; `None` draws each anew.
    seed: Option<u64>,
    /// What other processes are told of the one that owns an execution for a moment.
    what: String,
    lease: Duration,
    /// Permits for machines that run off the threads that answer.
    pub(crate) heavy: Arc<Semaphore>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("store", &self.store.name()).field("what", &self.what).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of a store.
    pub fn new(store: impl Into<Arc<dyn Store>>) -> Client {
        Client {
            store: store.into(),
            clock: Clock::real(),
            identity: Identity::new("us-east-1", "000000000000"),
            seed: None,
            what: "a client".to_owned(),
            lease: LEASE,
            heavy: pace::permits(),
        }
    }

    /// The region and account that ARNs show; `us-east-1` and `000000000000` unless set.
    pub fn identity(self, identity: Identity) -> Client {
        Client { identity, ..self }
    }

    /// What other processes are told of this one, `asl stop` say, while it owns an execution that nobody runs.
    pub fn called(self, what: impl Into<String>) -> Client {
        Client { what: what.into(), ..self }
    }

    /// Where the time comes from; [`Clock::real`] unless set.
    pub fn clock(self, clock: Clock) -> Client {
        Client { clock, ..self }
    }

    pub(crate) fn seed(self, seed: Option<u64>) -> Client {
        Client { seed, ..self }
    }

    pub(crate) fn lease(self, lease: Duration) -> Client {
        Client { lease, ..self }
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Writes the start of an execution, for a worker to run. When this returns it is on disk. Whether there is a worker that can
    /// run it, nobody knows here.
    ///
    /// # Errors
    /// When the name or the input is not acceptable, or the store cannot be written. Then nothing has started.
    pub async fn submit(&self, start: StartExecution<'_>) -> Result<Started, EngineError> {
        self.submit_as(start, StartAs::default()).await
    }

    /// As [`Client::submit`], with what is known of the state machine, and what the caller named.
    ///
    /// # Errors
    /// As for [`Client::submit`].
    pub async fn submit_as(&self, start: StartExecution<'_>, about: StartAs) -> Result<Started, EngineError> {
        let (execution, definition, mut machine) = self.prepare(start, &about)?;
        let started = Started::known(&execution.arn, &execution.name);
        let now = self.clock.now();
        let run = |machine: &mut Machine| machine.run(now, Budget::steps(0));
        let (mut new, _) = begin(now, &mut machine, execution, definition, None, run)?;
        new.started_as = about.started_as;
        let submitted = self.store.submit(new).await;
        submitted.map_err(|error| EngineError::from(error).of_name(&started.name))?;
        Ok(started)
    }

    /// The header of an execution, by its ARN or its name.
    ///
    /// # Errors
    /// When there is no such execution, or the store cannot be read.
    pub async fn execution(&self, arn_or_name: &str) -> Result<ExecutionRow, EngineError> {
        let row = self.store.execution(arn_or_name).await?;
        row.ok_or_else(|| EngineError::NoSuchExecution(arn_or_name.to_owned()))
    }

    /// An execution with its input and output (AWS: DescribeExecution). Reads no history.
    ///
    /// # Errors
    /// As [`Client::execution`].
    pub async fn describe(&self, arn_or_name: &str) -> Result<Description, EngineError> {
        let row = self.execution(arn_or_name).await?;
        let described = self.store.describe(row.id).await?;
        described.ok_or_else(|| EngineError::NoSuchExecution(arn_or_name.to_owned()))
    }

    /// The history of an execution: all its events.
    ///
    /// # Errors
    /// When there is no such execution or its records cannot be read.
    pub async fn history(&self, arn: &str) -> Result<Vec<Event>, EngineError> {
        let row = self.execution(arn).await?;
        let records = self.store.records(row.id).await?;
        Ok(records.into_iter().flat_map(|r| r.events).collect())
    }

    /// Waits until an execution has ended, in this or another process. It waits also while no worker runs the execution.
    ///
    /// # Errors
    /// When there is no such execution, or the store fails.
    pub async fn wait(&self, arn: &str) -> Result<Outcome, EngineError> {
        loop {
            let row = self.execution(arn).await?;
            if let Some(outcome) = self.outcome(&row).await? {
                return Ok(outcome);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How an execution ended; `None` while it has not.
    pub(crate) async fn outcome(&self, row: &ExecutionRow) -> Result<Option<Outcome>, EngineError> {
        if row.unread_end {
            let failure =
                Failure { error: row.error.clone().map(Into::into), cause: row.cause.clone().map(Into::into) };
            return Ok(Some(Outcome::Aborted(failure)));
        }
        if row.status == Status::Running {
            return Ok(None);
        }
        let machine = self.rebuild(row, None).await?;
        machine.outcome().cloned().ok_or(EngineError::ShutDown).map(Some)
    }

    /// Lets an execution be run again that was set aside, as if nothing had happened, by the first worker that takes it. False when it was
    /// not set aside.
    ///
    /// # Errors
    /// When there is no such execution, or the store cannot be written.
    pub async fn take_back(&self, arn: &str) -> Result<bool, EngineError> {
        let row = self.execution(arn).await?;
        Ok(self.store.take_back(row.id).await?)
    }

    /// The machine of an execution, from its records; off the threads that answer.
    pub(crate) async fn rebuild(&self, row: &ExecutionRow, patience: Option<Duration>) -> Result<Machine, EngineError> {
        let definition = replay::definition(&*self.store, row).await.map_err(Arc::new)?;
        self.rebuild_with(definition, row, patience).await
    }

    /// The same with a definition that is there already.
    pub(crate) async fn rebuild_with(
        &self,
        definition: Arc<Definition>,
        row: &ExecutionRow,
        patience: Option<Duration>,
    ) -> Result<Machine, EngineError> {
        let began = Instant::now();
        let mut redo = Redo::new(Machine::new(definition), row.arn.as_str().into());
        let mut records = self.store.read_records(row.id).await?;
        loop {
            let piece = records.next().await?;
            if piece.is_empty() {
                return Ok(redo.done().0);
            }
            let in_time = move || patience.is_none_or(|patience| began.elapsed() < patience);
            let taken = pace::aside(&self.heavy, move || redo.take(&piece, in_time).map(|()| redo));
            redo = match taken.await? {
                Ok(redo) => redo,
                Err(ends) => return Err(Arc::new(ends.told(&*self.store, row).await).into()),
            };
        }
    }
}
