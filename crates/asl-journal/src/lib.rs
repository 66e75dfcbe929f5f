//! The durable history of executions, and the rows of the embedded services, in one SQLite database.
//!
//! What a run of an execution took in and what came of it is one [`Record`]. The driver writes it first
//! ([`JournalWorker::create`], [`JournalWorker::append`]) and acts when the call returns, for then it is on disk. A task of an
//! embedded service writes its effect in the same transaction as the record of it ([`JournalWorker::transact`]).
//!
//! - One writer takes whatever is queued into one transaction: many executions share a commit, a lone one does not wait.
//! - Several processes may write: each as a worker that owns its executions and is fenced when it has lost them
//!   ([`Journal::register`]). For executions of others there is an inbox ([`Journal::post`]).
//! - Readers have connections of their own and never wait for the writer.
//! - The file is readable with any SQL client: the view `history` has one row an event, `execution` one an execution,
//!   `item` and `message` are the tables and queues.
//!
//! ```
//! use asl_journal::{Filter, Journal, JournalError, NewWorker};
//! # use asl_core::{Event, EventKind, Execution, ExecutionType, Input};
//! # use asl_journal::{Definition, NewExecution, Record};
//! # use asl_expr::Timestamp;
//! # use std::sync::Arc;
//! # fn first_run() -> NewExecution {
//! #     let execution = Execution {
//! #         arn: "arn:aws:states:us-east-1:123456789012:execution:fare:one".into(), name: "one".into(),
//! #         state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:fare".into(),
//! #         state_machine_name: "fare".into(), role_arn: "".into(), region: "us-east-1".into(),
//! #         execution_type: ExecutionType::Standard, seed: 1, token_key: None, input_text: "{}".into(), input: "{}".parse().unwrap(),
//! #     };
//! #     let (now, input) = (Timestamp::from_millis(0), execution.input_text.clone());
//! #     let kind = EventKind::ExecutionStarted { input, role_arn: "".into() };
//! #     let inputs = vec![Input::Start(Box::new(execution.clone()))];
//! #     let record = Record { now, inputs, steps: 1, events: vec![Event { id: 1, previous: 0, timestamp: now, kind }] };
//! #     let definition = Definition { hash: "h".into(), name: "fare".into(), text: "{}".into() };
//! #     NewExecution { definition: Arc::new(definition), execution: Arc::new(execution), record, outcome: None }
//! # }
//! # fn next_run() -> Record {
//! #     Record { now: Timestamp::from_millis(5), inputs: vec![], steps: 1, events: vec![] }
//! # }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let journal = Journal::in_memory().await?;
//! # let new = NewWorker { what: "doc".into(), process: 1, lock: None, beat: 1, lease_ms: 30_000, gone: vec![] };
//! let worker = journal.as_worker(journal.register(new).await?); // only a worker writes histories
//! let id = worker.create(first_run()).await?; // it is written: now commands may go out
//! worker.append(id, next_run(), None).await?;
//! assert_eq!(journal.records(id).await?.len(), 2);
//! assert_eq!(journal.executions(&Filter::default()).await?[0].name, "one");
//! journal.close().await;
//! # Ok::<(), JournalError>(())
//! # }).unwrap();
//! ```
//!
//! Architecture invariants: nobody is answered before the commit; a row is never changed once it is in `journal`; this
//! crate knows nothing about how a machine works, only that records continue each other.
//!
//! # Another database
//! The calls of [`Journal`] are all that the engine sees, and they suppose nothing of SQLite. A PostgreSQL store is a
//! second set of the parts below them: `schema.sql` with `BIGINT GENERATED ALWAYS AS IDENTITY` and `COLLATE "C"` keys, a writer
//! that is a task instead of a thread (its statements wait) and inserts with `UNNEST`, the service rows with `$n`. The
//! encoding of rows, their numbering and checksums, and who may encode stay as they are. Several workers over one database
//! need no more than is here: leases and the fence are rows and one look-up in each transaction.
#![forbid(unsafe_code)]

mod catalogue;
mod chains;
mod codec;
mod error;
mod group;
mod inbox;
mod kept;
mod known;
mod lease;
mod locks;
mod maintain;
mod open;
mod pages;
mod payloads;
mod place;
pub mod quarantine;
mod read;
mod schema;
mod service;
mod store;
mod watch;
mod wire;
mod worker;
mod writer;

pub use asl_store::StoreError as JournalError;
pub use asl_store::{
    Append, Claim, Claimed, Definition, Except, ExecutionId, ExecutionRow, Filter, Liveness, NewExecution, NewWorker,
    Record, Recorded, Signal as Mail, SignalId as MailId, Status, UnknownStatus, Verdict, Which, WorkerId, WorkerRow,
};
pub use kept::{Kept, KeptError};
pub use locks::{Lock, LockState};
pub use maintain::Purge;
pub use open::{Durability, Options};
pub use watch::Watcher;
pub use worker::JournalWorker;

use asl_store::ServiceTx;
use error::Place;
use futures_util::future::BoxFuture;
use group::{Job, Reply};
use known::Ready;
use payloads::Tails;
use place::DatabaseFile;
use read::Readers;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};
use worker::Call;
use writer::Counts;

/// The journal. Clones are handles to the same one.
#[derive(Clone)]
pub struct Journal {
    place: Place,
    /// None when it is in memory.
    file: Option<DatabaseFile>,
    /// None when it was opened for reading only.
    jobs: Option<mpsc::Sender<Job>>,
    readers: Readers,
    counts: Arc<Counts>,
    tails: Tails,
    /// As which worker it was made; only a [`JournalWorker`] writes as one.
    owner: Option<WorkerId>,
    observer: locks::Observer,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("path", &self.place.path).finish_non_exhaustive()
    }
}

impl Journal {
    /// The file; `:memory:` for none.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// The file by the name that every process finds it under: absolute, and without symbolic links. What workers put beside it
    /// they put there. `:memory:` for none.
    pub fn file(&self) -> &Path {
        self.file.as_ref().map_or(&self.place.path, |file| &file.path)
    }

    /// How many transactions this journal has committed since it was opened.
    pub fn commits(&self) -> u64 {
        self.counts.commits.load(Ordering::Relaxed)
    }

    /// How many records this journal has written since it was opened.
    pub fn records_written(&self) -> u64 {
        self.counts.records.load(Ordering::Relaxed)
    }

    /// Starts the history of an execution for others: nobody owns it until a worker claims it.
    ///
    /// # Errors
    /// As for [`JournalWorker::create`].
    pub async fn submit(&self, new: NewExecution) -> Result<ExecutionId, JournalError> {
        let ready = Ready::first(&new.record)?;
        let new = Box::new((new, Some(ready)));
        self.ask(|reply| Job::Create(new, None, reply)).await.map(|(id, _)| id)
    }

    /// Runs `f` with the embedded services inside the writer's transaction, and commits what it did. No history is part of that:
    /// [`JournalWorker::transact`] commits a record with it.
    ///
    /// `f` holds up every other writer, so it does nothing but call services; above all it does not call the journal, which would
    /// wait for itself.
    ///
    /// # Errors
    /// Those of `f`, or when the database cannot be written. What `f` did is undone then.
    pub async fn transact<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<JournalError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call { f: Some(alone(f)), value: None, reply: Some(reply) };
        self.send(Job::Transact(Box::new(call), None)).await?;
        answer.await.unwrap_or_else(|_| Err(JournalError::Closed.into()))
    }

    /// Writes what is queued, and closes the database. Other handles get [`JournalError::Closed`] from then on.
    pub async fn close(self) {
        self.readers.close().await;
        let Some(jobs) = self.jobs else { return };
        let (reply, done) = oneshot::channel();
        if jobs.send(Job::Close(reply)).await.is_ok() {
            // An error means that another handle closes it too, and was first.
            let _ = done.await;
        }
    }

    /// Refuses records of more than so many bytes ([`JournalError::TooLarge`]) instead of 256 MiB, whoever brings them.
    pub fn limit_records(&self, bytes: usize) {
        self.counts.record_bytes.store(bytes, Ordering::Relaxed);
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply)).await?;
        answer.await.unwrap_or(Err(JournalError::Closed))
    }

    async fn send(&self, job: Job) -> Result<(), JournalError> {
        let read_only = || JournalError::ReadOnly { place: self.place.name() };
        let jobs = self.jobs.as_ref().ok_or_else(read_only)?;
        jobs.send(job).await.map_err(|_| JournalError::Closed)
    }
}

/// What a function of a worker's transaction returns: its own result, and the record that is committed with it.
type Returned<'t, T, E> = BoxFuture<'t, Result<(T, Option<Append>), E>>;

/// A function that writes no record.
fn alone<T, E, F>(f: F) -> impl for<'t> FnOnce(&'t mut (dyn ServiceTx + 't)) -> Returned<'t, T, E> + Send + 'static
where
    F: for<'t> FnOnce(&'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    move |tx| {
        let done = f(tx);
        Box::pin(async move { Ok((done.await?, None)) })
    }
}
