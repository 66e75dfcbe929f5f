//! The contract of `asl-store` on one SQLite database: one writer on a thread of its own, many readers.

mod catalogue;
mod error;
pub(crate) mod locks;
pub(crate) mod maintain;
mod moving;
pub(crate) mod open;
mod place;
mod read;
mod schema;
mod store;
pub(crate) mod watch;
mod worker;
mod write;

pub use worker::JournalWorker;

use crate::encoding::payloads::Tails;
use crate::encoding::ready::Ready;
use crate::{Append, ExecutionId, JournalError, NewExecution, WorkerId};
use asl_store::ServiceTx;
use error::Place;
use futures_util::future::BoxFuture;

use place::DatabaseFile;
use read::Readers;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};
use worker::Call;
use write::group::{Job, Reply};
use write::writer::Counts;

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
