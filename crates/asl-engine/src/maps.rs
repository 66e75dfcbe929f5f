//! Distributed Maps: items are read from folders, children run as executions of their own, results are written.

use crate::clock::Hold;
use crate::engine::{Engine, Inner, Place};
use crate::error::EngineError;
use crate::redrive;
use asl_core::{ChildCall, Failure, Input, Machine, MapCommand, MapRunId, Outcome, items};
use asl_journal::{Definition as Stored, Status};
use asl_syntax::Definition;
use asl_value::{Measure, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// What a driver's map runs are waiting for. When it is dropped, nobody waits for them any more; children go on.
pub(crate) struct MapWork {
    /// Children by their map run and number.
    children: HashMap<(MapRunId, u64), Child>,
    waiting: Vec<AbortHandle>,
    /// The first child that could not go on, say because it could not be written: no answer will come from it.
    failed: mpsc::Receiver<EngineError>,
    fail: mpsc::Sender<EngineError>,
    /// Shared by who reads items or writes results.
    at_files: Arc<()>,
}

impl Default for MapWork {
    fn default() -> MapWork {
        let (fail, failed) = mpsc::channel(1);
        MapWork { children: HashMap::new(), waiting: Vec::new(), failed, fail, at_files: Arc::default() }
    }
}

/// A child that was asked for.
#[derive(Clone)]
struct Child {
    arn: Arc<str>,
    /// It was stopped, perhaps before it was there.
    unwanted: Arc<AtomicBool>,
}

impl MapWork {
    /// Waits for a child that cannot go on; then its parent cannot either.
    pub(crate) async fn failed(&mut self) -> EngineError {
        // A sender is kept here, so the channel is never closed.
        self.failed.recv().await.unwrap_or(EngineError::ShutDown)
    }

    /// Does what a map run asks for, and tells its driver.
    pub(crate) fn work(
        &mut self,
        inner: Arc<Inner>,
        definition: Arc<Definition>,
        command: MapCommand,
        driver: mpsc::Sender<Input>,
    ) {
        let mut hold = inner.clock.hold();
        let at_files = self.at_files.clone();
        let task = match command {
            MapCommand::Stop { run, child } => {
                if let Some(child) = self.children.remove(&(run, child)) {
                    child.unwanted.store(true, Ordering::SeqCst);
                    tokio::spawn(async move {
                        let stopped = Engine { inner }.stop(&child.arn, Failure::default()).await;
                        drop(hold);
                        stopped
                    });
                }
                return;
            }
            MapCommand::Start(call) => {
                let of = Child { arn: call.execution.arn.clone(), unwanted: Arc::default() };
                self.children.insert((call.run, call.child), of.clone());
                let fail = self.fail.clone();
                tokio::spawn(async move {
                    match child(inner, definition, *call, &of, &mut hold).await {
                        Ok(input) => tell(&driver, input, hold).await,
                        // One is enough.
                        Err(error) => drop(fail.try_send(error)),
                    }
                })
            }
            MapCommand::Read(read) => tokio::spawn(async move {
                let run = read.run;
                let _at_files = at_files;
                let piece_bytes = inner.settings.record.bytes / 2;
                let inputs = blocking(move || {
                    let items = items::load(&read, &inner.backends.buckets)?;
                    Ok(pieces(run, items, piece_bytes))
                });
                let mut inputs = inputs.await.unwrap_or_else(|failure| vec![Input::MapFailed { run, failure }]);
                let last = inputs.pop();
                for input in inputs {
                    // A driver that is gone wants no answer.
                    let _ = driver.send(input).await;
                }
                tell(&driver, last, hold).await;
            }),
            MapCommand::Write(write) => tokio::spawn(async move {
                let run = write.run;
                let _at_files = at_files;
                let written = blocking(move || inner.backends.buckets.write(&write)).await;
                let input =
                    written.map_or_else(|failure| Input::MapFailed { run, failure }, |()| Input::MapWritten { run });
                tell(&driver, Some(input), hold).await;
            }),
        };
        self.waiting.retain(|handle| !handle.is_finished());
        self.waiting.push(task.abort_handle());
    }

    /// True while items are read or results written.
    pub(crate) fn at_files(&self) -> bool {
        Arc::strong_count(&self.at_files) > 1
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

/// Tells the driver. Time must not be skipped before the message is in its inbox.
async fn tell(driver: &mpsc::Sender<Input>, input: Option<Input>, hold: Hold) {
    if let Some(input) = input {
        // A driver that is gone wants no answer.
        let _ = driver.send(input).await;
    }
    drop(hold);
}

/// Items as inputs that fit into records: pieces of about so many bytes, and the last of them.
fn pieces(run: MapRunId, items: Value, piece_bytes: usize) -> Vec<Input> {
    let fits = items.measure().bytes <= piece_bytes;
    let parts = match &items {
        Value::Array(list) if !fits => parts(list.iter().cloned(), piece_bytes, Value::measure),
        Value::Object(members) if !fits => {
            let members = members.iter().map(|(key, value)| (key.clone(), value.clone()));
            parts(members, piece_bytes, |(_, value)| value.measure())
        }
        _ => vec![(0, items)],
    };
    let count = parts.len();
    let input = |(at, (from, items))| match at + 1 == count {
        true => Input::MapItems { run, items },
        false => Input::MapPiece { run, from, items },
    };
    parts.into_iter().enumerate().map(input).collect()
}

/// Parts of about so many bytes, each with the number of those before it.
fn parts<T>(all: impl Iterator<Item = T>, bytes: usize, measure: impl Fn(&T) -> Measure) -> Vec<(u64, Value)>
where
    Value: FromIterator<T>,
{
    let (mut parts, mut part, mut held, mut from) = (Vec::new(), Vec::new(), 0, 0);
    for item in all {
        held += measure(&item).bytes + 1;
        part.push(item);
        if held >= bytes {
            let count = part.len() as u64;
            parts.push((from, part.drain(..).collect()));
            (from, held) = (from + count, 0);
        }
    }
    if !part.is_empty() {
        parts.push((from, part.into_iter().collect()));
    }
    parts
}

/// File work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let stopped = |e: tokio::task::JoinError| Failure::new("States.Runtime", e.to_string());
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

/// Runs a child to its end, or goes on with one that was started before a crash. `None` when this engine, or somebody the
/// child, stops first.
async fn child(
    inner: Arc<Inner>,
    definition: Arc<Definition>,
    call: ChildCall,
    of: &Child,
    hold: &mut Hold,
) -> Result<Option<Input>, EngineError> {
    let (run, child) = (call.run, call.child);
    match follow(Engine { inner }, definition, call, &of.unwanted, hold).await {
        Ok(outcome) => Ok(outcome.map(|outcome| Input::ChildDone { run, child, outcome })),
        Err(EngineError::ShutDown) => Ok(None),
        Err(error) => {
            tracing::error!(%error, "a child of a map run could not be followed");
            Err(error)
        }
    }
}

/// `None` when it was stopped before it was started.
async fn follow(
    engine: Engine,
    definition: Arc<Definition>,
    call: ChildCall,
    unwanted: &AtomicBool,
    hold: &mut Hold,
) -> Result<Option<Outcome>, EngineError> {
    let ChildCall { execution, redrives, .. } = call;
    let arn = execution.arn.clone();
    let mut row = engine.inner.journal.execution(&arn).await?;
    if row.is_none() {
        if unwanted.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let stored: Stored = crate::engine::stored(&definition, &execution.state_machine_name);
        let machine = Machine::new(definition);
        // Its parent's MaxConcurrency bounds how many there are.
        let input_bytes = execution.input.measure().bytes;
        let share = loop {
            // Time passes while there is no room: those who are in may wait for it.
            let (memory, room) = (engine.inner.memory.clone(), engine.inner.memory.clone());
            if let Some(share) = hold.idle(None, move || room.has_room(), memory.enter(input_bytes)).await {
                break share;
            }
        };
        let place = Place { permit: None, share };
        match engine.inner.create(machine, execution, stored, place).await {
            Ok(()) => {}
            // An engine that is being shut down was quicker.
            Err(EngineError::AlreadyExists { .. }) => row = engine.inner.journal.execution(&arn).await?,
            Err(error) => return Err(error),
        }
        // Whoever stopped it meanwhile did not find it.
        if unwanted.load(Ordering::SeqCst) {
            engine.stop(&arn, Failure::default()).await?;
        }
    }
    match row {
        Some(row) if row.redrive_count < redrives => redrive::child(&engine, &arn, redrives).await?,
        Some(row) if row.status == Status::Running => engine.resume_one(row.id).await?,
        Some(_) | None => {}
    }
    loop {
        let end = engine.inner.registry().subscribe_running(&arn);
        let Some(mut end) = end else { return engine.wait(&arn).await.map(Some) };
        let watched = end.clone();
        let ended = move || watched.borrow().is_some() || watched.has_changed().is_err();
        let done = async { end.wait_for(Option::is_some).await.map(|end| end.clone()) };
        if let Some(end) = hold.idle(None, ended, done).await {
            return end.ok().flatten().unwrap_or(Err(EngineError::ShutDown)).map(Some);
        }
    }
}
