//! The durable history of executions, and the rows of the embedded services, in one SQLite database.
//!
//! What a run of an execution took in and what came of it is one [`Record`]. The driver writes it first
//! ([`Journal::create`], [`Journal::append`]) and acts when the call returns, for then it is on disk. A task of an
//! embedded service writes its effect in the same transaction as the record of it ([`Journal::transact`]).
//!
//! - One writer takes whatever is queued into one transaction: many executions share a commit, a lone one does not wait.
//! - Several processes may write: each as a worker that owns its executions and is fenced when it has lost them
//!   ([`Journal::register`]). For executions of others there is an inbox ([`Journal::post`]).
//! - Readers have connections of their own and never wait for the writer.
//! - The file is readable with any SQL client: the view `history` has one row an event, `execution` one an execution,
//!   `item` and `message` are the tables and queues.
//!
//! ```
//! use asl_journal::{Filter, Journal, JournalError};
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
//! let id = journal.create(first_run()).await?; // it is written: now commands may go out
//! journal.append(id, next_run(), None).await?;
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

mod chains;
mod codec;
mod error;
mod group;
mod inbox;
mod kept;
mod known;
mod lease;
mod liveness;
mod maintain;
mod open;
mod payloads;
mod place;
pub mod quarantine;
mod read;
mod schema;
mod service;
mod watch;
mod wire;
mod writer;

pub use asl_store::{
    Append, Definition, ExecutionId, ExecutionRow, Filter, NewExecution, Record, Status, UnknownStatus, Which, WorkerId,
};
pub use chains::Recorded;
pub use error::JournalError;
pub use inbox::{Mail, MailId, Verdict};
pub use kept::{Kept, KeptError};
pub use lease::{Claim, Claimed, Except, NewWorker, WorkerRow};
pub use liveness::Liveness;
pub use maintain::Purge;
pub use open::{Durability, Options};
pub use watch::Watcher;

use asl_core::Outcome;
use asl_store::ServiceTx;
use error::Place;
use futures_util::future::BoxFuture;
use group::{Job, Reply, Told, Transaction};
use known::Ready;
use payloads::Tails;
use place::DatabaseFile;
use read::Readers;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};
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
    /// As which worker it writes.
    owner: Option<WorkerId>,
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

    /// Starts the history of an execution: its definition (if it is new), its header and its first record, together.
    ///
    /// # Errors
    /// [`JournalError::AlreadyExists`] when its ARN is taken. After any error nothing is written.
    pub async fn create(&self, new: NewExecution) -> Result<ExecutionId, JournalError> {
        let ready = Ready::first(&new.record)?;
        let new = Box::new((new, Some(ready)));
        let owner = self.owner;
        self.ask(|reply| Job::Create(new, owner, reply)).await.map(|(id, _)| id)
    }

    /// Adds a record to the history of an execution, and with an `outcome` ends it. Returns when it is committed. Whoever
    /// does not wait for that (drops the future) does not know whether it is written.
    ///
    /// # Errors
    /// When the record does not continue the history, the execution has ended or does not exist, or the database
    /// cannot be written. Nothing is written then.
    pub async fn append(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
    ) -> Result<(), JournalError> {
        self.append_mail(execution, record, outcome, Vec::new()).await
    }

    /// Runs `f` with the embedded services inside the writer's transaction, and commits what it did together with the
    /// record it returns: how a task's effect and the event that records it happen both or neither.
    ///
    /// `f` holds up every other writer, so it does nothing but call services and feed a machine; above all it does not
    /// call the journal, which would wait for itself.
    ///
    /// # Errors
    /// Those of `f`, and those of [`Journal::append`]. What `f` did is undone then, in the database; a machine that it
    /// fed is the caller's to throw away.
    pub async fn transact<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<(T, Option<Append>), E>>
            + Send
            + 'static,
        T: Send + 'static,
        E: From<JournalError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call { f: Some(f), value: None, reply: Some(reply) };
        self.send(Job::Transact(Box::new(call), self.owner)).await?;
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
        let read_only = || JournalError::ReadOnly { path: self.place.path.clone() };
        let jobs = self.jobs.as_ref().ok_or_else(read_only)?;
        jobs.send(job).await.map_err(|_| JournalError::Closed)
    }
}

/// A call of [`Journal::transact`] on its way through the writer.
struct Call<T, E, F> {
    f: Option<F>,
    value: Option<T>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

impl<T, E, F> Transaction for Call<T, E, F>
where
    F: for<'t> FnOnce(&'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<(T, Option<Append>), E>> + Send,
    T: Send,
    E: From<JournalError> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<Option<Append>, Told>> {
        Box::pin(async move {
            let Some(f) = self.f.take() else { return Err(Told) };
            match f(tx).await {
                Ok((value, append)) => {
                    self.value = Some(value);
                    Ok(append)
                }
                Err(error) => {
                    self.tell(Err(error));
                    Err(Told)
                }
            }
        })
    }

    fn finish(mut self: Box<Self>, result: Result<(), JournalError>) {
        let result = result.map_err(E::from).and_then(|()| self.value.take().ok_or(JournalError::Closed.into()));
        self.tell(result);
    }
}

impl<T, E, F> Call<T, E, F> {
    fn tell(&mut self, result: Result<T, E>) {
        if let Some(reply) = self.reply.take() {
            // A caller that has gone away wants no answer.
            let _ = reply.send(result);
        }
    }
}
