//! Distributed Maps: items are read from folders, children run as executions of their own, results are written.

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use asl_core::{ChildCall, Execution, Failure, Input, Machine, MapCommand, MapRunId, Outcome, items};
use asl_journal::{Definition as Stored, Status};
use asl_syntax::Definition;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// What a driver's map runs are waiting for. When it is dropped, nobody waits for them any more; children go on.
#[derive(Default)]
pub(crate) struct MapWork {
    /// Children by their map run and number, with their ARNs.
    children: HashMap<(MapRunId, u64), Arc<str>>,
    waiting: Vec<AbortHandle>,
}

impl MapWork {
    /// Does what a map run asks for, and tells its driver.
    pub(crate) fn work(
        &mut self,
        inner: Arc<Inner>,
        definition: Arc<Definition>,
        command: MapCommand,
        driver: mpsc::Sender<Input>,
    ) {
        let task = match command {
            MapCommand::Stop { run, child } => {
                if let Some(arn) = self.children.remove(&(run, child)) {
                    tokio::spawn(async move { Engine { inner }.stop(&arn, Failure::default()).await });
                }
                return;
            }
            MapCommand::Start(call) => {
                self.children.insert((call.run, call.child), call.execution.arn.clone());
                tokio::spawn(async move { tell(&driver, child(inner, definition, *call).await).await })
            }
            MapCommand::Read(read) => tokio::spawn(async move {
                let run = read.run;
                let items = blocking(move || items::load(&read, &inner.backends.buckets)).await;
                let input = items
                    .map_or_else(|failure| Input::MapFailed { run, failure }, |items| Input::MapItems { run, items });
                tell(&driver, Some(input)).await;
            }),
            MapCommand::Write(write) => tokio::spawn(async move {
                let run = write.run;
                let written = blocking(move || inner.backends.buckets.write(&write)).await;
                let input =
                    written.map_or_else(|failure| Input::MapFailed { run, failure }, |()| Input::MapWritten { run });
                tell(&driver, Some(input)).await;
            }),
        };
        self.waiting.retain(|handle| !handle.is_finished());
        self.waiting.push(task.abort_handle());
    }

    /// True while something is under way.
    pub(crate) fn at_work(&self) -> bool {
        self.waiting.iter().any(|handle| !handle.is_finished())
    }
}

impl Drop for MapWork {
    fn drop(&mut self) {
        self.waiting.iter().for_each(AbortHandle::abort);
    }
}

async fn tell(driver: &mpsc::Sender<Input>, input: Option<Input>) {
    if let Some(input) = input {
        // A driver that is gone wants no answer.
        let _ = driver.send(input).await;
    }
}

/// File work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let stopped = |e: tokio::task::JoinError| Failure::new("States.Runtime", e.to_string());
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

/// Runs a child to its end, or goes on with one that was started before a crash. `None` when this engine stops first.
async fn child(inner: Arc<Inner>, definition: Arc<Definition>, call: ChildCall) -> Option<Input> {
    let (run, child) = (call.run, call.child);
    match follow(Engine { inner }, definition, call.execution).await {
        Ok(outcome) => Some(Input::ChildDone { run, child, outcome }),
        Err(EngineError::ShutDown) => None,
        Err(error) => {
            tracing::error!(%error, "a child of a map run could not be followed");
            None
        }
    }
}

async fn follow(engine: Engine, definition: Arc<Definition>, execution: Execution) -> Result<Outcome, EngineError> {
    let arn = execution.arn.clone();
    match engine.inner.journal.execution(&arn).await? {
        None => {
            let stored: Stored = crate::engine::stored(&definition, &execution.state_machine_name);
            let machine = Machine::new(definition);
            // Its parent's MaxConcurrency bounds how many there are.
            engine.inner.create(machine, execution, stored, None).await?;
        }
        Some(row) if row.status == Status::Running => engine.resume_one(row.id).await?,
        Some(_) => {}
    }
    engine.wait(&arn).await
}
