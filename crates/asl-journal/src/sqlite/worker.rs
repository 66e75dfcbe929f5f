//! A worker of a journal: the only handle that writes histories.

use crate::sqlite::locks::Lock;
use crate::sqlite::write::group::{Job, Told, Transaction};
use crate::{Append, Journal, JournalError, WorkerId};
use asl_store::ServiceTx;
use futures_util::future::BoxFuture;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A handle that writes as a worker: what it creates is the worker's own, it appends to nothing else, and once the worker is gone
/// it writes nothing ([`JournalError::Fenced`]). It reads as the journal does. Clones are handles to the same worker.
///
/// A journal that is no worker has no call that appends:
/// ```compile_fail
/// # async fn f(journal: asl_journal::Journal, id: asl_journal::ExecutionId, record: asl_journal::Record) {
/// journal.append(id, record, None).await; // no method named `append` found
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct JournalWorker {
    journal: Journal,
    pub(crate) id: WorkerId,
    /// Where the store holds it for the worker.
    pub(crate) lock: Option<Arc<Lock>>,
}

impl Deref for JournalWorker {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        &self.journal
    }
}

impl JournalWorker {
    pub(crate) fn new(journal: &Journal, id: WorkerId) -> JournalWorker {
        JournalWorker { journal: Journal { owner: Some(id), ..journal.clone() }, id, lock: None }
    }

    /// With its lock, which is freed with the last handle.
    pub(crate) fn holding(self, lock: Option<Lock>) -> JournalWorker {
        JournalWorker { lock: lock.map(Arc::new), ..self }
    }

    /// Its number.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// As [`Journal::close`]. The worker's row stays: [`JournalWorker::release`] gives it up.
    pub async fn close(self) {
        self.journal.close().await;
    }

    /// Runs `f` with the embedded services inside the writer's transaction, and commits what it did together with the
    /// record it returns: how a task's effect and the event that records it happen both or neither.
    ///
    /// `f` holds up every other writer, so it does nothing but call services and feed a machine; above all it does not
    /// call the journal, which would wait for itself.
    ///
    /// # Errors
    /// Those of `f`, and those of [`JournalWorker::append`]. What `f` did is undone then, in the database; a machine that it
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
        self.send(Job::Transact(Box::new(call), Some(self.id))).await?;
        answer.await.unwrap_or_else(|_| Err(JournalError::Closed.into()))
    }
}

/// A call of [`JournalWorker::transact`] on its way through the writer.
pub(crate) struct Call<T, E, F> {
    pub(crate) f: Option<F>,
    pub(crate) value: Option<T>,
    pub(crate) reply: Option<oneshot::Sender<Result<T, E>>>,
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
