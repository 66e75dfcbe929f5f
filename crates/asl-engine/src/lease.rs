//! This engine as a worker of its database: its lease, its heartbeat, and how it learns that another is gone.
//!
//! A worker writes under a fence (see `asl_journal`), so two of them can never write the history of one execution. The lease
//! is about *when* another may take over: when it has watched the worker's row for as long as the lease without seeing it
//! renewed ([`asl_journal::Liveness`]), or at once when the process is provably gone. Which workers are gone is the store's to tell
//! ([`asl_journal::Journal::gone`]); this engine keeps the store's lock while it lives.
//!
//! A worker that cannot renew its lease stops before the end of it, so that its functions are not at work beside those of
//! its successor.

use crate::engine::{Inner, Phase};
use crate::error::EngineError;
use asl_expr::Timestamp;
use asl_journal::{ExecutionId, Journal, JournalError, JournalWorker, Lock, NewExecution, NewWorker, WorkerId};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// How long others wait before they take over from a worker that is silent, but seems to live.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// What this engine holds while it runs executions.
pub(crate) struct Lease {
    /// Writes as this worker.
    pub(crate) journal: JournalWorker,
    lock: Option<Lock>,
}

impl Lease {
    /// Its row was released.
    pub(crate) fn is_given_back(&self) {
        if let Some(lock) = &self.lock {
            lock.is_given_back();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.lock.is_none() {
            // Nobody sees that this engine is gone.
            self.journal.release_soon();
        }
    }
}

/// How the execution went that was to be written with the worker that runs it.
type First = Option<Result<ExecutionId, JournalError>>;

/// Makes this engine a worker, and writes the start of its first execution with that, if there is one.
async fn register(inner: &Inner, first: Option<NewExecution>) -> Result<(Lease, First), EngineError> {
    let (journal, settings) = (&inner.journal, &inner.settings);
    let lock = journal.lock()?;
    // Only a worker that lives, or died at work, has left a lock: mostly there is none, and nothing to read.
    let others = lock.as_ref().is_some_and(Lock::has_others);
    let gone = if others { inner.gone(journal).await? } else { Vec::new() };
    let worker = NewWorker {
        what: settings.what.clone(),
        process: std::process::id(),
        lock: lock.as_ref().map(Lock::name),
        beat: beat(settings.lease),
        lease_ms: u64::try_from(settings.lease.as_millis()).unwrap_or(u64::MAX),
        gone,
    };
    let (id, first) = match first {
        None => (journal.register(worker).await?, None),
        Some(first) => journal.register_with(worker, first).await.map(|(id, first)| (id, Some(first)))?,
    };
    let journal = journal.as_worker(id);
    if others {
        journal.sweep_locks().await?;
    }
    Ok((Lease { journal, lock }, first))
}

/// What a renewal writes: a number that was not there before. It is the time at which programs of before version 5 would take
/// over, for they may still be at work beside this one.
fn beat(lease: Duration) -> i64 {
    wall_ms().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// Renews the lease while the engine lives. When it cannot do so in time, or another has taken over, the engine stops.
pub(crate) async fn keep(inner: Weak<Inner>, journal: JournalWorker, lease: Duration) {
    // What is safe: a sixth of the lease before its end, counted from before it was asked for.
    let safe = lease - lease / 6;
    let mut until = Instant::now() + safe;
    let mut pause = lease / 3;
    loop {
        let awake = Instant::now() + pause;
        tokio::time::sleep(pause).await;
        if inner.strong_count() == 0 {
            return;
        }
        let asked = Instant::now();
        if asked > awake + lease / 6 {
            // The process was held (Ctrl-Z, a debugger, a pause of its machine), and acted as little as it renewed. If nobody has
            // taken over, it goes on; that time does not count.
            until += asked - awake;
        }
        match tokio::time::timeout_at(until, journal.renew(beat(lease))).await {
            Ok(Ok(())) => {
                until = asked + safe;
                pause = lease / 3;
            }
            // A locked database or a full disk may be better soon.
            Ok(Err(error)) if Instant::now() < until && passes(&error) => pause = lease / 30,
            late_or_fenced => {
                let worker = journal.id();
                let error = late_or_fenced.ok().and_then(Result::err).unwrap_or(JournalError::Fenced { worker });
                if let Some(inner) = inner.upgrade() {
                    inner.lose(error.into());
                }
                return;
            }
        }
    }
}

/// True for failures that may be over in a while: the execution is tried again then.
pub(crate) fn passes(error: &JournalError) -> bool {
    matches!(
        error,
        JournalError::Locked { .. }
            | JournalError::Full { .. }
            | JournalError::Io { .. }
            | JournalError::Database { .. }
    )
}

impl Inner {
    /// The workers that are gone, as the store tells.
    pub(crate) async fn gone(&self, journal: &Journal) -> Result<Vec<WorkerId>, EngineError> {
        Ok(journal.gone().await?)
    }

    /// This engine's lease: taken when it is first needed, together with the tasks that an engine at work has.
    pub(crate) async fn own(self: &Arc<Inner>) -> Result<&Lease, EngineError> {
        self.lease.get_or_try_init(|| async { self.take_lease(None).await.map(|(lease, _)| lease) }).await
    }

    /// Writes the start of an execution. The one that an engine starts first is written with its lease.
    pub(crate) async fn write_start(
        self: &Arc<Inner>,
        new: NewExecution,
    ) -> Result<(JournalWorker, ExecutionId), EngineError> {
        let (mut new, mut first) = (Some(new), None);
        let taken = self.lease.get_or_try_init(|| async {
            let (lease, written) = self.take_lease(new.take()).await?;
            first = written;
            Ok::<_, EngineError>(lease)
        });
        let journal = taken.await?.journal.clone();
        let written = match (first, new) {
            (Some(written), _) => written,
            (None, Some(new)) => journal.create(new).await,
            (None, None) => Err(JournalError::Closed),
        };
        Ok((journal, written?))
    }

    async fn take_lease(self: &Arc<Inner>, first: Option<NewExecution>) -> Result<(Lease, First), EngineError> {
        // In one transaction, where the writer is quick enough to take both and not so quick that it takes one.
        let next = async { if self.settings.client { None } else { crate::deliveries::first(self).await } };
        let (registered, next) = tokio::join!(register(self, first), next);
        let (lease, written) = registered?;
        self.outbox.fetch_or(next.is_some(), Ordering::Relaxed);
        self.spawn_tasks(&lease.journal, next);
        Ok((lease, written))
    }

    fn spawn_tasks(self: &Arc<Inner>, journal: &JournalWorker, next_delivery: Option<Timestamp>) {
        let weak = Arc::downgrade(self);
        if !journal.in_this_process_only() {
            tokio::spawn(keep(weak.clone(), journal.clone(), self.settings.lease));
        }
        let phase = || self.phase.subscribe();
        // Taken once: the lease is made once.
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bell) = bell.filter(|_| !self.settings.client) {
            tokio::spawn(crate::deliveries::run(weak.clone(), self.clock.hold(), bell, phase(), next_delivery));
        }
        tokio::spawn(crate::parked::run(weak.clone(), self.due.clone(), phase()));
        tokio::spawn(crate::trial::run(weak.clone(), self.trial_bell.clone(), phase()));
        tokio::spawn(crate::post::run(weak, journal.clone(), self.post.clone(), phase()));
    }

    /// The lease is lost: nothing here may act any more.
    pub(crate) fn lose(&self, error: EngineError) {
        tracing::error!(%error, "this process stops running executions");
        self.phase.send_if_modified(|phase| {
            let lost = !matches!(phase, Phase::Stopped(_));
            if lost {
                *phase = Phase::Stopped(error);
            }
            lost
        });
    }
}

/// The wall clock; epoch milliseconds. Deadlines of executions are times in it; leases are not.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
