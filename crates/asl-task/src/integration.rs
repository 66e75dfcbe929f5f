//! What runs a `Resource`: one trait, so that a new kind of task is a new file.

use crate::backend::Missing;
use crate::runner::Runner;
use asl_core::Failure;
use asl_store::{ServiceTx, StoreError};
use asl_syntax::model::Payload;
use asl_value::Value;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// When the effect of an integration is committed, and when its task is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Inside the store's transaction, together with the event that records it: exactly once.
    Transactional,
    /// Outside of it, with an idempotency key that is the same when the call is repeated after a crash: at least once.
    Remote,
    /// The call starts a job; the answer of the start is recorded, and the job is followed ([`Integration::poll`]) until it has
    /// ended. After a crash a job whose start is recorded is followed again, not started.
    Job,
    /// The same, where the job is an execution of this engine: it has the engine's time.
    Nested,
}

/// One call of a task.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The task's parameters.
    pub parameters: &'a Value,
    /// The idempotency key: a UUID made of the execution and the task, the same when the call is repeated after a crash.
    pub key: &'a str,
    /// The role of the state's `Credentials`.
    pub role_arn: Option<&'a str>,
}

/// When a call in the store's transaction happens, and its chance.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time, in epoch milliseconds.
    pub now_ms: i64,
    /// What ids are made of: the same for the same call in every replay, another for every other call.
    pub seed: u64,
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// It is at work.
    Running,
    /// It has ended: the task's result, or its error.
    Ended(Result<Value, Failure>),
}

/// What runs a resource.
#[async_trait]
pub trait Integration: fmt::Debug + Send + Sync {
    /// What runs it, for people: `the function Charge`, `AWS, sqs:sendMessage`.
    fn title(&self) -> String;

    /// What runs a task with these parameters, for people who ask before anything runs.
    fn runner(&self, parameters: Option<&Payload>) -> Runner {
        let _ = parameters;
        Runner::Embedded
    }

    /// When its effect is committed. [`Mode::Transactional`] implements [`Integration::call_within`], the others
    /// [`Integration::call`]; [`Mode::Job`] also [`Integration::poll`] and [`Integration::stop`].
    fn mode(&self) -> Mode;

    /// Refuses what can be refused before anything runs: names in the parameters that are written down.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing>;

    /// Runs a task outside of the store's transaction; a job is started.
    ///
    /// # Errors
    /// The error the state machine sees.
    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let _ = call;
        Err(Failure::new("States.Runtime", format!("{} runs inside the store's transaction", self.title())))
    }

    /// Runs a task inside the store's transaction. After a failure nothing was written.
    ///
    /// # Errors
    /// The outer error: the transaction is lost. The inner one is what the state machine sees.
    async fn call_within(
        &self,
        tx: &mut (dyn ServiceTx + '_),
        call: &Call<'_>,
        moment: Moment,
    ) -> Result<Result<Value, Failure>, StoreError> {
        let _ = (tx, call, moment);
        Ok(Err(Failure::new("States.Runtime", format!("{} runs outside of the store's transaction", self.title()))))
    }

    /// Asks how a job stands. `started` is what [`Integration::call`] gave when it was started.
    ///
    /// # Errors
    /// The question had no answer: it is asked again later, so this is for what passes. An error for good is
    /// [`Progress::Ended`].
    async fn poll(&self, call: &Call<'_>, started: &Value) -> Result<Progress, Failure> {
        let _ = (call, started);
        Ok(Progress::Ended(Err(Failure::new("States.Runtime", format!("{} starts no job", self.title())))))
    }

    /// Stops a job as well as can be: its task was cancelled or timed out. Nobody waits for the outcome.
    async fn stop(&self, call: &Call<'_>, started: &Value) {
        let _ = (call, started);
    }
}

/// What runs a resource; cheap to clone. Two are equal when they are one.
#[derive(Clone)]
pub struct Backend(Arc<dyn Integration>);

impl Backend {
    /// Wraps an integration.
    pub fn new(integration: impl Integration + 'static) -> Backend {
        Backend(Arc::new(integration))
    }
}

impl std::ops::Deref for Backend {
    type Target = dyn Integration;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Backend {
    fn eq(&self, other: &Backend) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Backend {}
