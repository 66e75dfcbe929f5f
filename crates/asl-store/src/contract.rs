//! The contract of a store. Everything that the engine asks of a database stands in this file.
//!
//! A store is used by many processes at once. It is seen through four traits:
//!
//! - [`Store`]: reading, starts for others, signals, the embedded services. Any process has it, and nothing in it adds to a history.
//! - [`Worker`]: a process that owns executions. It alone appends, and only to what it owns. It is a type of its own:
//!   a handle that is no worker has no call that appends.
//! - [`Changes`]: waits until somebody has written.
//! - [`crate::Catalogue`]: state machines, versions, aliases, tags, activities, map runs.
//!
//! # Rules that hold for every store
//! 1. **Committed before answered.** A call that writes returns when the write survives the end of the process.
//! 2. **All or nothing.** After an error nothing of that call is written.
//! 3. **The fence.** Every transaction of a worker checks, inside that transaction, that the worker's row is in force. Another
//!    worker that takes over marks the row in a transaction of its own. So a record is either read by the successor, or refused
//!    with [`StoreError::Fenced`]. No clock is part of that.
//! 4. **One chain.** The records of an execution continue each other: event numbers have no gap, and an ended execution gets no
//!    record but one that redrives it.
//! 5. **A signal is decided once.** It leaves the inbox in the transaction that records or refuses it, and the verdict stays.
//! 6. **Exactly once.** What [`Worker::transact`] does to the services and the record that it returns are committed together.
//! 7. **A transaction may be tried again.** A database that runs several at once may undo one of them (a serialisation failure, a
//!    deadlock) and run [`Work::attempt`] again on a new transaction. What ran before is undone in the database; undoing it in
//!    memory is the work's part. [`Store::may_repeat`] says whether that can happen, so that work clones (a machine, say) only
//!    where it must.
//! 8. **A transaction may wait**, for a lock or for the network. How long, and for what else, is the store's limit: it may refuse
//!    work that waits for something other than its services ([`StoreError::Waited`]).
//! 9. **Liveness is the store's business.** [`Store::gone`] tells which workers are gone, by whatever proof the store has: a lock that
//!    the operating system frees, or a lease that ran out unseen ([`crate::Liveness`]).
//!
//! `conformance` (feature `testing`) checks these rules on any store.

use crate::catalogue::Catalogue;
use crate::error::StoreError;
use crate::history::{Description, FeedEntry, Page, Position, RecordReader, Recorded};
use crate::record::{Append, Definition, ExecutionId, ExecutionRow, Filter, NewExecution, Record, Status, WorkerId};
use crate::service::ServiceTx;
use crate::signal::{Signal, SignalId, Verdict};
use crate::worker::{Claim, Claimed, Except, WorkerRow};
use asl_core::{Event, Failure, Input, Outcome, TokenKey};
use async_trait::async_trait;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

/// A boxed future that may move between threads.
pub type Pending<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// A store, for any process.
///
/// # Errors
/// Every call fails when the database cannot be read or written; what else can go wrong stands with the call.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// What people call it: of a file its path. For messages only.
    fn name(&self) -> String;
    /// True when no other process can see it: there are no other workers then, and no changes but one's own.
    fn in_this_process_only(&self) -> bool;
    /// True when a transaction may be undone and run again (rule 7).
    fn may_repeat(&self) -> bool;

    // Executions and their histories.

    /// Executions, newest first.
    async fn executions(&self, filter: &Filter) -> Result<Vec<ExecutionRow>, StoreError>;
    /// The execution with this ARN or this name; a child of a map run by its name only where no other has it.
    /// [`StoreError::Ambiguous`] when several have the name.
    async fn execution(&self, arn_or_name: &str) -> Result<Option<ExecutionRow>, StoreError>;
    /// The execution with this number.
    async fn execution_numbered(&self, execution: ExecutionId) -> Result<Option<ExecutionRow>, StoreError>;
    /// What a description shows of an execution: its header, input and output. Reads no history.
    async fn describe(&self, execution: ExecutionId) -> Result<Option<Description>, StoreError>;
    /// How many executions there are of each status that occurs.
    async fn counts(&self) -> Result<BTreeMap<Status, u64>, StoreError>;
    /// All records of an execution, in order. Empty when there is no such execution. [`StoreError::Corrupt`] names a record that
    /// is not as it was written.
    async fn records(&self, execution: ExecutionId) -> Result<Vec<Record>, StoreError>;
    /// The records of an execution in pieces, for a reader that keeps none of them.
    async fn read_records(&self, execution: ExecutionId) -> Result<Box<dyn RecordReader>, StoreError> {
        Ok(Box::new(self.records(execution).await?))
    }
    /// A page of an execution's history, from either end. A page at an end reads the records that it shows and those that hold
    /// their payloads, not all of them. Empty when there is no such execution.
    async fn history(&self, execution: ExecutionId, page: Page) -> Result<Vec<Event>, StoreError>;
    /// Everything that it takes to go on with these executions, with at most `signals` signals for all of them together. Those
    /// that do not exist are not among the answers.
    async fn recorded(&self, executions: &[ExecutionId], signals: u32) -> Result<Vec<Recorded>, StoreError>;
    /// The feed: records behind a position, in order, at most `limit`. A store shows a record only when no record can appear
    /// before it any more, so that a reader that goes on from the last position misses none.
    async fn records_after(&self, position: Position, limit: u32) -> Result<Vec<FeedEntry>, StoreError>;
    /// The position of the last record that the feed shows; 0 where there is none.
    async fn feed_end(&self) -> Result<Position, StoreError>;
    /// Starts the history of an execution for others: no worker owns it until one claims it. [`StoreError::AlreadyExists`] when
    /// its ARN is taken.
    async fn submit(&self, new: NewExecution) -> Result<ExecutionId, StoreError>;
    /// As [`Store::submit`], in a transaction that the caller has open on this store's database: the execution is there once the caller
    /// has committed, and never if not. `transaction` is what the store's own driver has for it; a store that has none refuses.
    async fn submit_in(
        &self,
        transaction: &mut (dyn Any + Send),
        new: NewExecution,
    ) -> Result<ExecutionId, StoreError> {
        let _ = (transaction, new);
        let what = "takes nothing into a transaction of its caller: only a store on PostgreSQL does".to_owned();
        Err(StoreError::Address { place: self.name().into(), what })
    }
    /// The definition with this hash.
    async fn definition(&self, hash: &str) -> Result<Option<Definition>, StoreError>;
    /// The key of an execution's task tokens, without reading its history. None for one that began before there were keys.
    async fn token_key(&self, execution: ExecutionId) -> Result<Option<TokenKey>, StoreError>;

    // Signals.

    /// Leaves an input in the inbox of an execution. [`StoreError::Ended`] when the execution has ended or does not exist,
    /// [`StoreError::InboxFull`] when too many wait.
    async fn signal(&self, execution: ExecutionId, input: Input, now_ms: i64) -> Result<SignalId, StoreError>;
    /// What became of a signal: true when a record has it. `None` while it waits. Known of the last ten thousand signals.
    async fn verdict(&self, signal: SignalId) -> Result<Option<bool>, StoreError>;
    /// The oldest signals that wait for an execution, at most `limit`.
    async fn signals(&self, execution: ExecutionId, limit: u32) -> Result<Vec<Signal>, StoreError>;

    // Workers.

    /// Makes a worker, in one transaction with the start of its first execution, if there is one.
    async fn register(&self, worker: Registration, first: Option<NewExecution>) -> Result<Registered, StoreError>;
    /// The workers.
    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError>;
    /// How many open executions each worker has; those of nobody are not among them.
    async fn workloads(&self) -> Result<BTreeMap<WorkerId, u64>, StoreError>;
    /// The workers that are gone, as far as this handle can tell (rule 9). To be asked again and again: silence counts only while
    /// it is watched.
    async fn gone(&self) -> Result<Vec<WorkerId>, StoreError>;
    /// Whether [`Store::gone`] saw a worker last that will be known for gone, or alive, in a moment: worth another look soon.
    fn doubts_a_worker(&self) -> bool {
        false
    }
    /// Lets workers take an execution again that was set aside. False when it was not.
    async fn take_back(&self, execution: ExecutionId) -> Result<bool, StoreError>;

    // The embedded services.

    /// Looks at the services. Whatever the work writes is undone, or fails.
    async fn inspect(&self, work: Box<dyn Work<()>>) -> Result<Done, StoreError>;
    /// Changes the services in a transaction. No history is part of that.
    async fn transact(&self, work: Box<dyn Work<()>>) -> Result<Done, StoreError>;

    /// The catalogue, where this store has one.
    fn catalogue(&self) -> Option<&dyn Catalogue> {
        None
    }
    /// Watches for commits of anybody.
    async fn changes(&self) -> Result<Box<dyn Changes>, StoreError>;
    /// Writes what is queued, and closes. Other handles to the same store get [`StoreError::Closed`] from then on.
    async fn close(&self);
}

/// A worker of a store: a handle that owns executions, and the only one that can write their histories.
///
/// # Errors
/// As for [`Store`]. Besides, every call that writes fails with [`StoreError::Fenced`] once another worker has taken over.
#[async_trait]
pub trait Worker: Send + Sync + fmt::Debug {
    /// Its number: the fencing token.
    fn id(&self) -> WorkerId;
    /// The store that it works on.
    fn store(&self) -> &dyn Store;

    // Histories.

    /// Starts the history of an execution: its definition (if it is new), its header and its first record. The execution is this
    /// worker's. [`StoreError::AlreadyExists`] when its ARN is taken.
    async fn create(&self, new: NewExecution) -> Result<ExecutionId, StoreError>;
    /// Adds a record to the history of an execution that this worker owns, and with an outcome ends it. The signals of `taken`
    /// leave the inbox with it. [`StoreError::NotOwner`] when it is not this worker's; an execution that has ended is redriven by
    /// any worker, and that worker's from then on.
    async fn append(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
        taken: Vec<Verdict>,
    ) -> Result<(), StoreError>;
    /// Runs work on the embedded services, and commits what it did together with the record that it returns (rule 6).
    async fn transact(&self, work: Box<dyn Work<Option<Append>>>) -> Result<Done, StoreError>;

    // Ownership.

    /// Takes executions that nobody runs, oldest first: those of no worker, and those of workers that are gone.
    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError>;
    /// True when [`Worker::claim`] would find something at `again_ms` (as in [`Claim::again_ms`]). Cheap: it is asked often.
    async fn claimable(&self, except: &Except, again_ms: i64) -> Result<bool, StoreError>;
    /// The open executions that are this worker's already.
    async fn claimed(&self) -> Result<Vec<Claimed>, StoreError>;
    /// Gives executions back: nobody runs them, the next worker that asks takes them.
    async fn give_back(&self, executions: Vec<ExecutionId>) -> Result<(), StoreError>;
    /// Renews the lease. `beat` is a number that others have not seen before; one that is not greater is replaced by the next.
    async fn renew(&self, beat: i64) -> Result<(), StoreError>;
    /// Gives this worker up: others take its executions.
    async fn release(&self) -> Result<(), StoreError>;
    /// As [`Worker::release`], without waiting, for an engine that is dropped while its process lives on. A store that does
    /// nothing here leaves it to the lease, or to its own proof of liveness.
    fn release_soon(&self) {}

    // Signals.

    /// The oldest signals that wait for executions of this worker, at most `limit`.
    async fn inbox(&self, limit: u32) -> Result<Vec<Signal>, StoreError>;
    /// Refuses signals that came too late.
    async fn discard(&self, signals: Vec<SignalId>) -> Result<(), StoreError>;

    // Quarantine.

    /// Sets an open execution of this worker aside: nobody runs it until [`Store::take_back`], or until a worker
    /// claims at `again_ms` or later (epoch milliseconds) what may be tried again. False when it is not this
    /// worker's, or has ended. `why` is shown to people.
    async fn set_aside(&self, execution: ExecutionId, why: String, again_ms: i64) -> Result<bool, StoreError>;
    /// Ends an open execution of this worker as `ABORTED` in its header alone, for one that cannot be read. False when it is not
    /// this worker's, or has ended.
    async fn end_unread(&self, execution: ExecutionId, failure: Failure, now_ms: i64) -> Result<bool, StoreError>;
    /// Writes down which executions this worker has on trial: if it dies, those are to blame.
    async fn on_trial(&self, executions: Vec<ExecutionId>) -> Result<(), StoreError>;
}

/// Waits for commits.
#[async_trait]
pub trait Changes: Send {
    /// Returns when anybody has committed since the last call, and at once the first time. It may return for nothing. To drop the
    /// future loses no change.
    async fn changed(&mut self) -> Result<(), StoreError>;
    /// Sees to what has to be seen to while a store is at work; called every second or so. `Some` is the size in bytes of a log
    /// that grows because another program keeps it from being written back.
    async fn tend(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}

/// What a process says of itself when it becomes a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The command, for people: `asl worker`.
    pub what: String,
    /// Its process.
    pub process: u32,
    /// Its first beat; see [`Worker::renew`].
    pub beat: i64,
    /// How long it may be silent before others take over; milliseconds.
    pub lease_ms: u64,
}

/// A worker that was made.
#[derive(Debug)]
pub struct Registered {
    /// Its handle.
    pub worker: Arc<dyn Worker>,
    /// How its first execution went, if there was one. Where that was refused ([`StoreError::AlreadyExists`]) there is a worker all
    /// the same.
    pub first: Option<Result<ExecutionId, StoreError>>,
}

/// How a transaction ended that the store has no complaint about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is committed.
    Committed,
    /// The work asked for it to be undone.
    Undone,
}

/// The work asks for its transaction to be undone. It knows why, the store does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undo;

/// What runs inside a transaction. `R` is what the store commits with it: a record for a [`Worker`], nothing for a [`Store`].
pub trait Work<R>: Send {
    /// Does the work once, on a new transaction. The store may call it again (rule 7), and not after it has committed.
    fn attempt<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<R, Undo>>;
}

/// A function as [`Work`]: what it returns last is kept for the caller.
struct Function<F, T, E> {
    f: F,
    last: Last<T, E>,
}

type Last<T, E> = Arc<Mutex<Option<Result<T, E>>>>;

impl<F, T, E> Function<F, T, E> {
    fn new(f: F) -> Function<F, T, E> {
        Function { f, last: Last::default() }
    }

    fn keep<R>(last: &Last<T, E>, result: Result<(T, R), E>) -> Result<R, Undo> {
        let (kept, told) = match result {
            Ok((value, with)) => (Ok(value), Ok(with)),
            Err(error) => (Err(error), Err(Undo)),
        };
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        told
    }
}

/// What the function returned last, if the store has no complaint.
fn ended<T, E: From<StoreError>>(done: Result<Done, StoreError>, last: &Last<T, E>) -> Result<T, E> {
    done?;
    // A store that committed or undid it has run it.
    last.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(Err(StoreError::Closed.into()))
}

/// A record beside a function's own result.
struct WithRecord<F>(F);
/// A function's own result alone.
struct Alone<F>(F);

impl<F, T, E> Work<Option<Append>> for Function<WithRecord<F>, T, E>
where
    F: for<'t> FnMut(&'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<(T, Option<Append>), E>> + Send,
    T: Send,
    E: Send,
{
    fn attempt<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<Option<Append>, Undo>> {
        Box::pin(async move { Function::<F, T, E>::keep(&self.last, (self.f.0)(tx).await) })
    }
}

impl<F, T, E> Work<()> for Function<Alone<F>, T, E>
where
    F: for<'t> FnMut(&'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<T, E>> + Send,
    T: Send,
    E: Send,
{
    fn attempt<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<(), Undo>> {
        Box::pin(async move { Function::<F, T, E>::keep(&self.last, (self.f.0)(tx).await.map(|value| (value, ()))) })
    }
}

/// [`Worker::transact`] with a function; returns what it returned in the attempt that counts.
///
/// # Errors
/// Those of the function, and those of the store.
pub async fn transact_as<T, E, F>(worker: &dyn Worker, f: F) -> Result<T, E>
where
    F: for<'t> FnMut(&'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<(T, Option<Append>), E>> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let work = Function::new(WithRecord(f));
    let last = work.last.clone();
    ended(worker.transact(Box::new(work)).await, &last)
}

/// [`Store::transact`] with a function.
///
/// # Errors
/// Those of the function, and those of the store.
pub async fn transact<T, E, F>(store: &dyn Store, f: F) -> Result<T, E>
where
    F: for<'t> FnMut(&'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let work = Function::new(Alone(f));
    let last = work.last.clone();
    ended(store.transact(Box::new(work)).await, &last)
}

/// [`Store::inspect`] with a function.
///
/// # Errors
/// Those of the function, and those of the store.
pub async fn inspect<T, E, F>(store: &dyn Store, f: F) -> Result<T, E>
where
    F: for<'t> FnMut(&'t mut (dyn ServiceTx + 't)) -> Pending<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let work = Function::new(Alone(f));
    let last = work.last.clone();
    ended(store.inspect(Box::new(work)).await, &last)
}
