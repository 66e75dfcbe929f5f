//! Distributed Maps: items are read from folders, children run as executions of their own, results are written.

use super::protocol::{News, Work};
use super::redrive;
use crate::clock::Hold;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::residency::admission::Admission;
use asl_core::{ChildCall, Failure, Input, Machine, MapCommand, MapRunId, Outcome, ReadItems, items};
use asl_store::{Definition as Stored, Status};
use asl_syntax::Definition;
use asl_task::mock::Reply;
use asl_value::{Measure, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// What a driver's map runs are waiting for. When its handles are dropped, nobody waits for them any more; children go on.
pub(super) struct MapWork {
    /// Children that are in flight, by their map run and number.
    children: HashMap<(MapRunId, u64), Child>,
    /// The first child that could not go on, say because it could not be written: no answer will come from it.
    failed: mpsc::Receiver<EngineError>,
    fail: mpsc::Sender<EngineError>,
}

impl Default for MapWork {
    fn default() -> MapWork {
        let (fail, failed) = mpsc::channel(1);
        MapWork { children: HashMap::new(), failed, fail }
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
    pub(super) async fn failed(&mut self) -> EngineError {
        // A sender is kept here, so the channel is never closed.
        self.failed.recv().await.unwrap_or(EngineError::ShutDown)
    }

    /// A child is in flight no more.
    pub(super) fn is_over(&mut self, run: MapRunId, child: u64) {
        self.children.remove(&(run, child));
    }

    /// Does what a map run asks for, and tells its driver: the work that is in flight then.
    pub(super) fn work(
        &mut self,
        inner: Arc<Inner>,
        definition: Arc<Definition>,
        command: MapCommand,
        driver: mpsc::Sender<News>,
    ) -> Option<(Work, AbortHandle)> {
        let mut hold = inner.clock.hold();
        let (work, task) = match command {
            MapCommand::Stop { run, child } => {
                let child = self.children.get(&(run, child)).cloned()?;
                child.unwanted.store(true, Ordering::SeqCst);
                tokio::spawn(async move {
                    let stopped = Engine { inner }.stop(&child.arn, Failure::default()).await;
                    drop(hold);
                    stopped
                });
                return None;
            }
            MapCommand::Start(call) => {
                let of = Child { arn: call.execution.arn.clone(), unwanted: Arc::default() };
                let work = Work::Child(call.run, call.child);
                self.children.insert((call.run, call.child), of.clone());
                let fail = self.fail.clone();
                let task = tokio::spawn(async move {
                    match child(inner, definition, *call, &of, &mut hold).await {
                        Ok(input) => tell(&driver, input, work, hold).await,
                        // One is enough.
                        Err(error) => drop(fail.try_send(error)),
                    }
                });
                (work, task)
            }
            MapCommand::Read(read) => (Work::File(read.run), tokio::spawn(read_items(inner, read, driver, hold))),
            MapCommand::Write(write) => {
                let work = Work::File(write.run);
                let task = tokio::spawn(async move {
                    let run = write.run;
                    let written = blocking(move || inner.backends.buckets.write(&write)).await;
                    let input = written
                        .map_or_else(|failure| Input::MapFailed { run, failure }, |()| Input::MapWritten { run });
                    tell(&driver, Some(input), work, hold).await;
                });
                (work, task)
            }
        };
        Some((work, task.abort_handle()))
    }
}

async fn read_items(inner: Arc<Inner>, read: Box<ReadItems>, driver: mpsc::Sender<News>, mut hold: Hold) {
    let run = read.run;
    let piece_bytes = inner.settings.record.bytes / 2;
    let inputs = match inner.backends.mocks.answer(&read.state, read.invocation, &read.parameters) {
        Some(answer) => {
            let due = answer.after_ms.map(|ms| inner.clock.now().plus_ms(ms));
            // What never answers waits for whatever ends the execution.
            while answer.reply == Reply::Never || due.is_some_and(|due| inner.clock.now() < due) {
                let _: Option<()> = hold.idle(due, || false, std::future::pending()).await;
            }
            mocked(answer.reply, read.max_items).map(|items| pieces(run, items, piece_bytes))
        }
        None => {
            let read = move || Ok(pieces(run, items::load(&read, &inner.backends.buckets)?, piece_bytes));
            blocking(read).await
        }
    };
    let mut inputs = inputs.unwrap_or_else(|failure| vec![Input::MapFailed { run, failure }]);
    let last = inputs.pop();
    for input in inputs {
        // A driver that is gone wants no answer.
        let _ = driver.send(News { input: Some(input), over: None }).await;
    }
    tell(&driver, last, Work::File(run), hold).await;
}

/// What an `ItemReader` that is mocked has read: an array, of which `MaxItems` are taken, or an object.
fn mocked(reply: Reply, max_items: Option<u64>) -> Result<Value, Failure> {
    match reply {
        Reply::Return(Value::Array(items)) => {
            let most = max_items.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
            Ok(items.iter().take(most).cloned().collect())
        }
        Reply::Return(object @ Value::Object(_)) => Ok(object),
        // As of a file that holds neither.
        Reply::Return(_) => Err(Failure::new("States.ItemReaderFailed", "Attempting to map over non-iterable node.")),
        Reply::Throw(failure) => Err(failure),
        Reply::Never => Err(Failure::default()),
    }
}

/// Tells the driver. Time must not be skipped before the message is in its inbox.
async fn tell(driver: &mpsc::Sender<News>, input: Option<Input>, work: Work, hold: Hold) {
    // A driver that is gone wants no answer.
    let _ = driver.send(News { input, over: Some(work) }).await;
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

/// Runs a child to its end, or goes on with one that was started before a crash. Returns `None` if the engine shuts down, or the
/// child is stopped, first.
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
    let mut row = engine.inner.store.execution(&arn).await?;
    if row.is_none() {
        if unwanted.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let stored: Stored = crate::client::start::stored(&definition, &execution.state_machine_name);
        let machine = Machine::new(definition);
        // Its parent's MaxConcurrency bounds how many there are.
        let input_bytes = execution.input.measure().bytes;
        let share = loop {
            // Time passes while there is no room: those who are in may wait for it.
            let (memory, room) = (engine.inner.admissions.memory.clone(), engine.inner.admissions.memory.clone());
            if let Some(share) = hold.idle(None, move || room.has_room(), memory.enter(input_bytes)).await {
                break share;
            }
        };
        let admission = Admission { permit: None, share };
        match engine.inner.create(machine, execution, stored, None, None, admission).await {
            Ok(_) => {}
            // An engine that is being shut down was quicker.
            Err(EngineError::AlreadyExists { .. }) => row = engine.inner.store.execution(&arn).await?,
            Err(error) => return Err(error),
        }
        // Whoever stopped it meanwhile did not find it.
        if unwanted.load(Ordering::SeqCst) {
            engine.stop(&arn, Failure::default()).await?;
        }
    }
    match row {
        Some(row) if row.redrive_count < redrives => redrive::child(&engine, &arn, redrives).await?,
        Some(row) if row.status == Status::Running => {
            engine.resume_one(row.id).await?;
        }
        Some(_) | None => {}
    }
    loop {
        let end = engine.inner.residency().subscribe_running(&arn);
        let Some(mut end) = end else { return engine.wait(&arn).await.map(Some) };
        let watched = end.clone();
        let ended = move || watched.borrow().is_some() || watched.has_changed().is_err();
        let done = async { end.wait_for(Option::is_some).await.map(|end| end.clone()) };
        if let Some(end) = hold.idle(None, ended, done).await {
            let end = end.ok().flatten().unwrap_or(Err(EngineError::ShutDown));
            return end.map(|ended| Some(ended.outcome));
        }
    }
}
