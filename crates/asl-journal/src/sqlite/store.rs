//! The contract of `asl-store` over one SQLite database. Each call stands where its statements are; here they meet the traits.

use crate::sqlite::locks::Lock;
use crate::sqlite::write::group::{Job, Told, Transaction};
use crate::{
    Append, Claim, Claimed, Definition, Except, ExecutionId, ExecutionRow, Filter, Journal, JournalError,
    JournalWorker, NewExecution, NewWorker, Record, Recorded, Status, Verdict, Watcher, WorkerId, WorkerRow,
};
use asl_core::{Event, Failure, Input, Outcome, TokenKey};
use asl_store::{
    Catalogue, Changes, Description, Done, FeedEntry, Page, Position, RecordReader, Registered, Registration,
    ServiceTx, Signal, SignalId, Store, Work, Worker,
};
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

type Result<T> = std::result::Result<T, JournalError>;

/// How often it is asked whether anybody has written, while somebody does; and otherwise.
const ASK: Duration = Duration::from_millis(50);
const ASK_IDLE: Duration = Duration::from_millis(100);
/// So many questions without a change make it idle.
const IDLE: u32 = 20;

#[async_trait]
impl Store for Journal {
    fn name(&self) -> String {
        self.path().display().to_string()
    }

    fn in_this_process_only(&self) -> bool {
        Journal::in_this_process_only(self)
    }

    /// SQLite has one writer: nothing that it began runs into another.
    fn may_repeat(&self) -> bool {
        false
    }

    async fn executions(&self, filter: &Filter) -> Result<Vec<ExecutionRow>> {
        Journal::executions(self, filter).await
    }

    async fn execution(&self, arn_or_name: &str) -> Result<Option<ExecutionRow>> {
        Journal::execution(self, arn_or_name).await
    }

    async fn execution_numbered(&self, execution: ExecutionId) -> Result<Option<ExecutionRow>> {
        Journal::execution_numbered(self, execution).await
    }

    async fn describe(&self, execution: ExecutionId) -> Result<Option<Description>> {
        Journal::describe(self, execution).await
    }

    async fn counts(&self) -> Result<BTreeMap<Status, u64>> {
        Journal::counts(self).await
    }

    async fn records(&self, execution: ExecutionId) -> Result<Vec<Record>> {
        Journal::records(self, execution).await
    }

    async fn read_records(&self, execution: ExecutionId) -> Result<Box<dyn RecordReader>> {
        Ok(Box::new(self.pieces(execution).await?))
    }

    async fn history(&self, execution: ExecutionId, page: Page) -> Result<Vec<Event>> {
        Journal::history(self, execution, page).await
    }

    async fn recorded(&self, executions: &[ExecutionId], signals: u32) -> Result<Vec<Recorded>> {
        Journal::recorded(self, executions, signals).await
    }

    async fn records_after(&self, position: Position, limit: u32) -> Result<Vec<FeedEntry>> {
        Journal::records_after(self, position, limit).await
    }

    async fn feed_end(&self) -> Result<Position> {
        Journal::feed_end(self).await
    }

    async fn submit(&self, new: NewExecution) -> Result<ExecutionId> {
        Journal::submit(self, new).await
    }

    async fn definition(&self, hash: &str) -> Result<Option<Definition>> {
        Journal::definition(self, hash).await
    }

    async fn token_key(&self, execution: ExecutionId) -> Result<Option<TokenKey>> {
        Journal::token_key(self, execution).await
    }

    async fn signal(&self, execution: ExecutionId, input: Input, now_ms: i64) -> Result<SignalId> {
        self.leave(execution, input, now_ms).await
    }

    async fn verdict(&self, signal: SignalId) -> Result<Option<bool>> {
        Journal::verdict(self, signal).await
    }

    async fn signals(&self, execution: ExecutionId, limit: u32) -> Result<Vec<Signal>> {
        self.signals_of(execution, limit).await
    }

    async fn register(&self, worker: Registration, first: Option<NewExecution>) -> Result<Registered> {
        let Registration { what, process, beat, lease_ms } = worker;
        let lock = self.lock()?;
        // Only a worker that lives, or died at work, has left a lock: mostly there is none, and nothing to read.
        let others = lock.as_ref().is_some_and(Lock::has_others);
        let gone = if others { Journal::gone(self).await? } else { Vec::new() };
        let name = lock.as_ref().map(Lock::name);
        let new = NewWorker { what, process, lock: name, beat, lease_ms, gone };
        let (id, first) = match first {
            None => (Journal::register(self, new).await?, None),
            Some(first) => self.register_with(new, first).await.map(|(id, first)| (id, Some(first)))?,
        };
        let worker = self.as_worker(id).holding(lock);
        if others {
            worker.sweep_locks().await?;
        }
        Ok(Registered { worker: Arc::new(worker), first })
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>> {
        Journal::workers(self).await
    }

    async fn workloads(&self) -> Result<BTreeMap<WorkerId, u64>> {
        Journal::workloads(self).await
    }

    async fn gone(&self) -> Result<Vec<WorkerId>> {
        Journal::gone(self).await
    }

    async fn take_back(&self, execution: ExecutionId) -> Result<bool> {
        Journal::take_back(self, execution).await
    }

    async fn inspect(&self, mut work: Box<dyn Work<()>>) -> Result<Done> {
        let looked = Journal::inspect(self, move |tx| {
            Box::pin(
                async move { Ok::<_, JournalError>(work.attempt(tx).await.map_or(Done::Undone, |()| Done::Committed)) },
            )
        });
        looked.await
    }

    async fn transact(&self, work: Box<dyn Work<()>>) -> Result<Done> {
        self.attempt(Alone(work), None).await
    }

    fn catalogue(&self) -> Option<&dyn Catalogue> {
        Some(self)
    }

    async fn changes(&self) -> Result<Box<dyn Changes>> {
        Ok(Box::new(Polled { watcher: self.watcher().await?, quiet: 0 }))
    }

    async fn close(&self) {
        self.clone().close().await;
    }
}

#[async_trait]
impl Worker for JournalWorker {
    fn id(&self) -> WorkerId {
        self.id
    }

    fn store(&self) -> &dyn Store {
        &**self
    }

    async fn create(&self, new: NewExecution) -> Result<ExecutionId> {
        JournalWorker::create(self, new).await
    }

    async fn append(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
        taken: Vec<Verdict>,
    ) -> Result<()> {
        self.append_taking(execution, record, outcome, taken).await
    }

    async fn transact(&self, work: Box<dyn Work<Option<Append>>>) -> Result<Done> {
        self.attempt(WithRecord(work), Some(self.id)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>> {
        let found_gone = !claim.gone.is_empty();
        let claimed = JournalWorker::claim(self, claim).await?;
        if found_gone {
            self.sweep_locks().await?;
        }
        Ok(claimed)
    }

    async fn claimable(&self, except: &Except, again_ms: i64) -> Result<bool> {
        JournalWorker::claimable(self, except, again_ms).await
    }

    async fn claimed(&self) -> Result<Vec<Claimed>> {
        JournalWorker::claimed(self).await
    }

    async fn give_back(&self, executions: Vec<ExecutionId>) -> Result<()> {
        JournalWorker::give_back(self, executions).await
    }

    async fn renew(&self, beat: i64) -> Result<()> {
        JournalWorker::renew(self, beat).await
    }

    async fn release(&self) -> Result<()> {
        JournalWorker::release(self).await
    }

    fn release_soon(&self) {
        // The end of a lock tells others.
        if self.lock.is_none() {
            JournalWorker::release_soon(self);
        }
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<Signal>> {
        self.signals(None, limit).await
    }

    async fn discard(&self, signals: Vec<SignalId>) -> Result<()> {
        JournalWorker::discard(self, signals).await
    }

    async fn set_aside(&self, execution: ExecutionId, why: String, again_ms: i64) -> Result<bool> {
        JournalWorker::set_aside(self, execution, why, again_ms).await
    }

    async fn end_unread(&self, execution: ExecutionId, failure: Failure, now_ms: i64) -> Result<bool> {
        JournalWorker::end_unread(self, execution, failure, now_ms).await
    }

    async fn on_trial(&self, executions: Vec<ExecutionId>) -> Result<()> {
        JournalWorker::on_trial(self, executions).await
    }
}

/// Asks SQLite's `data_version`.
struct Polled {
    watcher: Watcher,
    /// How many questions in a row found no change.
    quiet: u32,
}

#[async_trait]
impl Changes for Polled {
    async fn changed(&mut self) -> Result<()> {
        // What was seen is remembered only when this returns: a future that is dropped while it sleeps loses nothing.
        while !self.watcher.changed().await? {
            self.quiet = self.quiet.saturating_add(1);
            tokio::time::sleep(if self.quiet < IDLE { ASK } else { ASK_IDLE }).await;
        }
        self.quiet = 0;
        Ok(())
    }

    async fn tend(&mut self) -> Result<Option<u64>> {
        self.watcher.tend_log().await
    }
}

impl From<Journal> for Arc<dyn Store> {
    fn from(journal: Journal) -> Arc<dyn Store> {
        Arc::new(journal)
    }
}

struct Alone(Box<dyn Work<()>>);
struct WithRecord(Box<dyn Work<Option<Append>>>);

/// Work of either kind, as the writer runs it.
trait Attempt: Send + 'static {
    fn attempt<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Option<Option<Append>>>;
}

impl Attempt for Alone {
    fn attempt<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Option<Option<Append>>> {
        self.0.attempt(tx).map(|done| done.ok().map(|()| None)).boxed()
    }
}

impl Attempt for WithRecord {
    fn attempt<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Option<Option<Append>>> {
        self.0.attempt(tx).map(|done| done.ok()).boxed()
    }
}

/// Work on its way through the writer.
struct Once<W> {
    work: W,
    reply: Option<oneshot::Sender<Result<Done>>>,
}

impl<W: Attempt> Transaction for Once<W> {
    fn run<'t>(
        &'t mut self,
        tx: &'t mut (dyn ServiceTx + 't),
    ) -> BoxFuture<'t, std::result::Result<Option<Append>, Told>> {
        Box::pin(async move {
            let done = self.work.attempt(tx).await;
            done.ok_or_else(|| {
                self.tell(Ok(Done::Undone));
                Told
            })
        })
    }

    fn finish(mut self: Box<Self>, result: Result<()>) {
        self.tell(result.map(|()| Done::Committed));
    }
}

impl<W> Once<W> {
    fn tell(&mut self, result: Result<Done>) {
        if let Some(reply) = self.reply.take() {
            // A caller that has gone away wants no answer.
            let _ = reply.send(result);
        }
    }
}

impl Journal {
    async fn attempt(&self, work: impl Attempt, owner: Option<WorkerId>) -> Result<Done> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Transact(Box::new(Once { work, reply: Some(reply) }), owner)).await?;
        answer.await.unwrap_or(Err(JournalError::Closed))
    }
}
