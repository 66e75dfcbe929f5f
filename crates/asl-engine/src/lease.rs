//! This engine as a worker of its database: its lease, its heartbeat, and how it learns that another is gone.
//!
//! A worker writes under a fence (see `asl_journal`), so two of them can never write the history of one execution. The lease
//! is about *when* another may take over: when it has watched the worker's row for as long as the lease without seeing it
//! renewed ([`asl_journal::Liveness`]), or at once when the process is provably gone. Every worker holds a file beside the
//! database locked while it lives, and the operating system takes the lock away with the process, however it dies. SQLite's
//! write-ahead log needs all processes on one machine anyway, so every process can see these locks. Only a lock that is there
//! and free proves a death; one that is not found proves nothing.
//!
//! A worker that cannot renew its lease stops before the end of it, so that its functions are not at work beside those of
//! its successor.

use crate::engine::{Inner, Phase};
use crate::error::EngineError;
use asl_expr::Timestamp;
use asl_journal::{ExecutionId, Journal, JournalError, NewExecution, NewWorker, WorkerId, WorkerRow};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// How long others wait before they take over from a worker that is silent, but seems to live.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// What this engine holds while it runs executions.
pub(crate) struct Lease {
    /// Writes as this worker.
    pub(crate) journal: Journal,
    lock: Option<Lock>,
}

struct Lock {
    path: PathBuf,
    _locked: File,
    /// The worker's row is given back, so nobody asks for the lock any more.
    given_back: AtomicBool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Else it stays, free, and tells others that this worker is gone; whoever begins next removes it.
        if *self.given_back.get_mut() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Lease {
    /// Its row was released.
    pub(crate) fn is_given_back(&self) {
        if let Some(lock) = &self.lock {
            lock.given_back.store(true, Ordering::Relaxed);
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
    let lock = if journal.in_this_process_only() { None } else { Some(make_lock(journal.file())?) };
    // Only a worker that lives, or died at work, has left a lock: mostly there is none, and nothing to read.
    let others = lock.as_ref().is_some_and(|lock| !locks(journal.file(), Some(&lock.path)).is_empty());
    let gone = if others { inner.gone(journal).await? } else { Vec::new() };
    let name = lock.as_ref().and_then(|lock| lock.path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let worker = NewWorker {
        what: settings.what.clone(),
        process: std::process::id(),
        lock: name,
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
        sweep_locks(&journal).await?;
    }
    Ok((Lease { journal, lock }, first))
}

/// What a renewal writes: a number that was not there before. It is the time at which programs of before version 5 would take
/// over, for they may still be at work beside this one.
fn beat(lease: Duration) -> i64 {
    wall_ms().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// With what the names of the locks of a database's workers begin.
fn lock_prefix(database: &Path) -> OsString {
    let mut name = database.file_name().unwrap_or_default().to_os_string();
    name.push("-worker-");
    name
}

/// The locks of a database's workers, free or held; all but this one.
fn locks(database: &Path, own: Option<&Path>) -> Vec<PathBuf> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (prefix, own) = (lock_prefix(database), own.and_then(Path::file_name));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_other = |name: &OsStr| name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) && Some(name) != own;
    entries.filter(|entry| is_other(&entry.file_name())).map(|entry| entry.path()).collect()
}

fn make_lock(database: &Path) -> Result<Lock, JournalError> {
    let failed = |path: &Path, message: String| JournalError::Io { path: path.into(), message };
    loop {
        let mut name = lock_prefix(database);
        name.push(uuid::Uuid::new_v4().simple().to_string());
        let path = database.with_file_name(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let made = made.map_err(|error| failed(&path, error.to_string()))?;
        match made.try_lock() {
            // Somebody who sweeps may have found it free in between, and removed it.
            Ok(()) if made.metadata().is_ok_and(|found| found.nlink() > 0) => {
                return Ok(Lock { path, _locked: made, given_back: AtomicBool::new(false) });
            }
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                let _ = std::fs::remove_file(&path);
                return Err(failed(&path, error.to_string()));
            }
        }
    }
}

/// What the lock of a worker tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockState {
    /// Its process lives.
    Held,
    /// Its process is gone for certain.
    Free,
    /// Nothing: only whoever watches its renewals can tell.
    Unknown,
}

pub(crate) fn lock_of(database: &Path, worker: &WorkerRow) -> LockState {
    let Some(name) = &worker.lock else { return LockState::Unknown };
    let Ok(file) = File::open(database.with_file_name(name)) else { return LockState::Unknown };
    match file.try_lock() {
        Ok(()) => LockState::Free,
        Err(TryLockError::WouldBlock) => LockState::Held,
        Err(TryLockError::Error(_)) => LockState::Unknown,
    }
}

/// Removes the locks that workers left behind which are gone and known to be: no row that is in force names them.
pub(crate) async fn sweep_locks(journal: &Journal) -> Result<(), EngineError> {
    let left = if journal.in_this_process_only() { Vec::new() } else { locks(journal.file(), None) };
    if left.is_empty() {
        return Ok(());
    }
    let workers = journal.workers().await?;
    let in_force: HashSet<&str> = workers.iter().filter(|w| !w.gone).filter_map(|w| w.lock.as_deref()).collect();
    for path in left {
        let is_named = path.file_name().and_then(OsStr::to_str).is_some_and(|name| in_force.contains(name));
        // It is removed while it is held, so that nobody holds it who believes that others see it.
        if !is_named
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Renews the lease while the engine lives. When it cannot do so in time, or another has taken over, the engine stops.
pub(crate) async fn keep(inner: Weak<Inner>, journal: Journal, lease: Duration) {
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
                let worker = journal.writes_as().unwrap_or(WorkerId(0));
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
    /// The workers that are gone: their locks are free, or this engine has watched them be silent for longer than their lease.
    pub(crate) async fn gone(&self, journal: &Journal) -> Result<Vec<WorkerId>, EngineError> {
        if journal.in_this_process_only() {
            return Ok(Vec::new());
        }
        let now = self.made.elapsed();
        let workers = journal.workers().await?;
        let silent = self.liveness.lock().unwrap_or_else(PoisonError::into_inner).look(now, &workers);
        let others = workers.iter().filter(|worker| !worker.gone && Some(worker.id) != journal.writes_as());
        let is_gone = |worker: &&WorkerRow| match lock_of(journal.file(), worker) {
            LockState::Free => true,
            LockState::Held | LockState::Unknown => silent.contains(&worker.id),
        };
        Ok(others.filter(is_gone).map(|worker| worker.id).collect())
    }

    /// This engine's lease: taken when it is first needed, together with the tasks that an engine at work has.
    pub(crate) async fn own(self: &Arc<Inner>) -> Result<&Lease, EngineError> {
        self.lease.get_or_try_init(|| async { self.take_lease(None).await.map(|(lease, _)| lease) }).await
    }

    /// Writes the start of an execution. The one that an engine starts first is written with its lease.
    pub(crate) async fn write_start(
        self: &Arc<Inner>,
        new: NewExecution,
    ) -> Result<(Journal, ExecutionId), EngineError> {
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

    fn spawn_tasks(self: &Arc<Inner>, journal: &Journal, next_delivery: Option<Timestamp>) {
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
