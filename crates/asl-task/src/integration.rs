//! What runs a `Resource` outside of the program's own services: one trait, so that a new kind of task is a new file.

use crate::backend::Missing;
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::Value;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// When the effect of an integration is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Inside the store's transaction, together with the event that records it: exactly once.
    Transactional,
    /// Outside of it, with an idempotency key that is the same when the call is repeated after a crash: at least once.
    Remote,
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

/// What runs a resource.
#[async_trait]
pub trait Integration: fmt::Debug + Send + Sync {
    /// When its effect is committed.
    fn mode(&self) -> Mode;

    /// Refuses what can be refused before anything runs: names in the parameters that are written down.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing>;

    /// Runs a task.
    ///
    /// # Errors
    /// The error the state machine sees.
    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure>;
}

/// An integration in [`Mode::Remote`]; cheap to clone. Two are equal when they are one.
#[derive(Clone)]
pub struct Remote(Arc<dyn Integration>);

impl Remote {
    /// Wraps an integration.
    pub fn new(integration: impl Integration + 'static) -> Remote {
        Remote(Arc::new(integration))
    }
}

impl std::ops::Deref for Remote {
    type Target = dyn Integration;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Remote {
    fn eq(&self, other: &Remote) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Remote {}
