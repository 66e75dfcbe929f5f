//! The engine: a handle to everything that runs over one journal.
//!
//! `parts` is what its parts share, `run` gives executions their drivers, `signals` and `wait` reach those in memory; whatever else is
//! asked of an engine its client does ([`Engine::client`]).

mod hurry;
mod parts;
pub(crate) mod rerun;
mod run;
mod signals;
mod wait;

pub(crate) use parts::{Inner, Settings};

use crate::builder::EngineBuilder;
use crate::client::Client;
use crate::client::start::{StartAs, StartExecution, Started};
use crate::clock::Clock;
use crate::error::EngineError;
use crate::execution::redrive;
use crate::notice::Notice;
use crate::residency::Residence;
use asl_core::{Event, Execution, Machine, Note};
use asl_expr::Timestamp;
use asl_store::{Definition as Stored, ExecutionRow, Store};
use asl_syntax::Definition;
use asl_task::{Backends, Unsupported};
use std::sync::Arc;
use std::time::Duration;

/// The longest sleep of a call that waits for an execution.
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
        client: Client,
        backends: Backends,
        observer: Option<Arc<dyn Observer>>,
        settings: Settings,
    ) -> Engine {
        Engine { inner: Inner::new(client, backends, observer, settings) }
    }

    /// What any process can do over the same store, without what this engine has in memory: its stops and answers go through the
    /// database. It works on when the engine has stopped.
    pub fn client(&self) -> &Client {
        &self.inner.client
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
        let (execution, definition, machine) = self.prepare(start, &about)?;
        let end = Some(self.inner.residency().subscribe(&execution.arn));
        let mut started = Started { end, ..Started::known(&execution.arn, &execution.name) };
        let admission = self.inner.admissions.enter(start_bytes).await?;
        self.inner.still_works()?;
        started.at = Some(self.inner.create(machine, execution, definition, about.started_as, None, admission).await?);
        Ok(started)
    }

    /// Starts an execution for a task. It takes no permit of its own: the one whose task it is may have the last.
    pub(crate) async fn start_nested(&self, start: StartExecution<'_>, about: StartAs) -> Result<Started, EngineError> {
        let (execution, definition, machine) = self.prepare(start, &about)?;
        let started = Started::known(&execution.arn, &execution.name);
        self.inner.still_works()?;
        let admission = self.inner.admissions.enter_within();
        self.inner.create(machine, execution, definition, about.started_as, None, admission).await?;
        Ok(started)
    }

    /// Writes the start of an execution, for a worker to run: see [`Engine::serve`]. When this returns it is on disk.
    ///
    /// # Errors
    /// As for [`Engine::start`].
    pub async fn submit(&self, start: StartExecution<'_>) -> Result<Started, EngineError> {
        self.submit_as(start, StartAs::default()).await
    }

    /// As [`Engine::submit`], with what is known of the state machine, and what the caller named.
    ///
    /// # Errors
    /// As for [`Engine::start`].
    pub async fn submit_as(&self, start: StartExecution<'_>, about: StartAs) -> Result<Started, EngineError> {
        self.check(&start.definition)?;
        let started = self.client().submit_as(start, about).await?;
        self.inner.ownership.wake.notify_one();
        Ok(started)
    }

    pub(crate) fn prepare(
        &self,
        start: StartExecution<'_>,
        about: &StartAs,
    ) -> Result<(Execution, Stored, Machine), EngineError> {
        self.check(&start.definition)?;
        self.client().prepare(start, about)
    }

    fn check(&self, definition: &Definition) -> Result<(), EngineError> {
        match self.unsupported(definition) {
            unsupported if unsupported.is_empty() => Ok(()),
            unsupported => Err(EngineError::Unsupported(unsupported)),
        }
    }

    pub(crate) async fn row(&self, arn: &str) -> Result<ExecutionRow, EngineError> {
        self.client().execution(arn).await
    }

    /// Lets an execution be run again that was set aside, as if nothing had happened: by the first worker that takes it, this engine
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
        self.inner.ownership.wake.notify_one();
        Ok(taken)
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
        self.client().history(arn).await
    }
}
