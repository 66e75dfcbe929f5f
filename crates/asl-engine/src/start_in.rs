//! A start in a transaction of the embedder's.

use crate::client::start::{StartAs, StartExecution, Started, begin};
use crate::engine::Engine;
use crate::error::EngineError;
use asl_core::{Budget, Machine};
use std::any::Any;

impl Engine {
    /// Writes the start of an execution in a transaction of yours, on the database that the engine's store is in: what you wrote in it
    /// and the execution are there both, or neither. Once it is committed a worker runs the execution ([`Engine::serve`]), this one or
    /// another; there is nothing to wait for before.
    ///
    /// Of a store on PostgreSQL `transaction` is a `sqlx::Transaction<'static, Postgres>`, as a pool gives it, or the
    /// `sqlx::PgConnection` that any transaction leads to (`&mut *transaction`). Several starts may share one. Nobody else sees the
    /// execution while it is open, and live views wait for it: commit soon. A refused name leaves the transaction as it was; after a
    /// failure of the database it can only be rolled back.
    ///
    /// # Errors
    /// As for [`Engine::start`]; and when the store has no such transactions, as SQLite's.
    pub async fn start_in<T: Any + Send>(
        &self,
        transaction: &mut T,
        start: StartExecution<'_>,
    ) -> Result<Started, EngineError> {
        let (execution, definition, mut machine) = self.prepare(start, &StartAs::default())?;
        let started = Started::known(&execution.arn, &execution.name);
        let now = self.clock().now();
        let run = |machine: &mut Machine| machine.run(now, Budget::steps(0));
        let (new, _) = begin(now, &mut machine, execution, definition, None, run)?;
        let submitted = self.store().submit_in(transaction, new).await;
        submitted.map_err(|error| EngineError::from(error).of_name(&started.name))?;
        Ok(started)
    }
}
