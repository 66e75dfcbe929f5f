//! The contract of `asl-store` over PostgreSQL. Each call stands where its statements are; here they meet the traits.

use super::PgStore;
use super::liveness::{self, SESSION, SessionLock};
use super::write::Ending;
use crate::{
    Append, Claim, Claimed, Definition, Except, ExecutionId, ExecutionRow, Filter, JournalError, NewExecution,
    NewWorker, Record, Recorded, Status, Verdict, WorkerId, WorkerRow,
};
use asl_core::{Event, Failure, Input, Outcome, TokenKey};
use asl_store::{
    Catalogue, Changes, Description, Done, FeedEntry, Page, Position, RecordReader, Registered, Registration, Signal,
    SignalId, Store, Work, Worker,
};
use async_trait::async_trait;
use sqlx::Row as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

type Result<T> = std::result::Result<T, JournalError>;

#[async_trait]
impl Store for PgStore {
    fn name(&self) -> String {
        self.place.0.to_string()
    }

    fn in_this_process_only(&self) -> bool {
        false
    }

    fn may_repeat(&self) -> bool {
        true
    }

    async fn executions(&self, filter: &Filter) -> Result<Vec<ExecutionRow>> {
        self.list(filter).await
    }

    async fn execution(&self, arn_or_name: &str) -> Result<Option<ExecutionRow>> {
        self.named_or_arn(arn_or_name).await
    }

    async fn execution_numbered(&self, execution: ExecutionId) -> Result<Option<ExecutionRow>> {
        Ok(self.headers_of(&[execution]).await?.pop())
    }

    async fn describe(&self, execution: ExecutionId) -> Result<Option<Description>> {
        self.description(execution).await
    }

    async fn counts(&self) -> Result<BTreeMap<Status, u64>> {
        self.count().await
    }

    async fn records(&self, execution: ExecutionId) -> Result<Vec<Record>> {
        self.records_of(execution).await
    }

    async fn read_records(&self, execution: ExecutionId) -> Result<Box<dyn RecordReader>> {
        Ok(Box::new(self.pieces(execution).await?))
    }

    async fn history(&self, execution: ExecutionId, page: Page) -> Result<Vec<Event>> {
        self.page(execution, page).await
    }

    async fn recorded(&self, executions: &[ExecutionId], signals: u32) -> Result<Vec<Recorded>> {
        self.recorded_of(executions, signals).await
    }

    async fn records_after(&self, position: Position, limit: u32) -> Result<Vec<FeedEntry>> {
        self.feed(position, limit).await
    }

    async fn feed_end(&self) -> Result<Position> {
        self.end_of_feed().await
    }

    async fn submit(&self, new: NewExecution) -> Result<ExecutionId> {
        self.create_for(new, None).await
    }

    async fn submit_in(&self, transaction: &mut (dyn std::any::Any + Send), new: NewExecution) -> Result<ExecutionId> {
        self.submit_within(transaction, new).await
    }

    async fn definition(&self, hash: &str) -> Result<Option<Definition>> {
        self.definition_of(hash).await
    }

    async fn token_key(&self, execution: ExecutionId) -> Result<Option<TokenKey>> {
        self.key_of(execution).await
    }

    async fn signal(&self, execution: ExecutionId, input: Input, now_ms: i64) -> Result<SignalId> {
        self.leave(execution, input, now_ms).await
    }

    async fn verdict(&self, signal: SignalId) -> Result<Option<bool>> {
        self.verdict_of(signal).await
    }

    async fn signals(&self, execution: ExecutionId, limit: u32) -> Result<Vec<Signal>> {
        self.signals_for(&[execution], limit).await
    }

    async fn register(&self, worker: Registration, first: Option<NewExecution>) -> Result<Registered> {
        self.may_write()?;
        let Registration { what, process, beat, lease_ms } = worker;
        let gone = self.gone_workers().await?;
        let sql = "SELECT nextval(pg_get_serial_sequence('@worker', 'id'))";
        let rows = self.fetch(sql, |query| query).await?;
        let id = rows.first().map_or(Err(sqlx::Error::RowNotFound), |row| row.try_get(0));
        let id = WorkerId(id.map_err(|e| self.place.failed(e))?);
        // The lock comes before the row: nobody sees a worker without it.
        let lock = match self.address.is_direct {
            true => Some(liveness::hold(self.inner.shared.clone(), id).await?),
            false => None,
        };
        let name = lock.is_some().then(|| SESSION.to_owned());
        self.insert_worker(id, NewWorker { what, process, lock: name, beat, lease_ms, gone }).await?;
        let store = PgStore { owner: Some(id), ..self.clone() };
        let first = match first {
            Some(first) => Some(store.create_for(first, Some(id)).await),
            None => None,
        };
        Ok(Registered { worker: Arc::new(PgWorker { store, id, lock: Mutex::new(lock) }), first })
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>> {
        self.worker_rows().await
    }

    async fn workloads(&self) -> Result<BTreeMap<WorkerId, u64>> {
        self.loads().await
    }

    async fn gone(&self) -> Result<Vec<WorkerId>> {
        self.gone_workers().await
    }

    fn doubts_a_worker(&self) -> bool {
        self.sees_a_free_lock()
    }

    async fn take_back(&self, execution: ExecutionId) -> Result<bool> {
        self.take_back_any(execution).await
    }

    async fn inspect(&self, work: Box<dyn Work<()>>) -> Result<Done> {
        self.attempt(work, None, Ending::Look).await
    }

    async fn transact(&self, work: Box<dyn Work<()>>) -> Result<Done> {
        self.attempt(work, None, Ending::Commit).await
    }

    fn catalogue(&self) -> Option<&dyn Catalogue> {
        Some(self)
    }

    async fn changes(&self) -> Result<Box<dyn Changes>> {
        Ok(self.watch())
    }

    async fn close(&self) {
        self.shut().await;
    }
}

/// A worker of a store on PostgreSQL: the only handle that writes histories.
#[derive(Debug)]
pub struct PgWorker {
    store: PgStore,
    id: WorkerId,
    lock: Mutex<Option<SessionLock>>,
}

#[async_trait]
impl Worker for PgWorker {
    fn id(&self) -> WorkerId {
        self.id
    }

    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn create(&self, new: NewExecution) -> Result<ExecutionId> {
        self.store.create_for(new, Some(self.id)).await
    }

    async fn append(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
        taken: Vec<Verdict>,
    ) -> Result<()> {
        let append = Append { execution, record, outcome: outcome.cloned() };
        self.store.append_for(self.id, &append, taken).await
    }

    async fn transact(&self, work: Box<dyn Work<Option<Append>>>) -> Result<Done> {
        self.store.attempt(work, Some(self.id), Ending::Commit).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>> {
        self.store.claim_for(self.id, claim).await
    }

    async fn claimable(&self, except: &Except, again_ms: i64) -> Result<bool> {
        self.store.claimable_by(self.id, except, again_ms).await
    }

    async fn claimed(&self) -> Result<Vec<Claimed>> {
        self.store.claimed_by(self.id).await
    }

    async fn give_back(&self, executions: Vec<ExecutionId>) -> Result<()> {
        self.store.give_back_for(self.id, &executions).await
    }

    async fn renew(&self, beat: i64) -> Result<()> {
        self.store.renew_for(self.id, beat).await
    }

    async fn release(&self) -> Result<()> {
        self.store.release_for(self.id).await?;
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }

    /// Without waiting; where the runtime has ended, the lock tells.
    fn release_soon(&self) {
        let (store, id) = (self.store.clone(), self.id);
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // One that fails is seen to be gone by its lock, or by its silence.
                let _ = store.release_for(id).await;
                drop(lock);
            });
        }
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<Signal>> {
        self.store.inbox_of(self.id, limit).await
    }

    async fn discard(&self, signals: Vec<SignalId>) -> Result<()> {
        self.store.discard_for(self.id, signals).await
    }

    async fn set_aside(&self, execution: ExecutionId, why: String, again_ms: i64) -> Result<bool> {
        self.store.set_aside_for(self.id, execution, &why, again_ms).await
    }

    async fn end_unread(&self, execution: ExecutionId, failure: Failure, now_ms: i64) -> Result<bool> {
        self.store.end_unread_for(self.id, execution, &failure, now_ms).await
    }

    async fn on_trial(&self, executions: Vec<ExecutionId>) -> Result<()> {
        self.store.on_trial_for(self.id, &executions).await
    }
}
