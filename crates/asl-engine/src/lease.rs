//! This engine as a worker of its database: its lease, its heartbeat, and how it learns that another is gone.
//!
//! A worker writes under a fence (see `asl_journal`), so two of them can never write the history of one execution. The lease
//! is about *when* another may take over: when its end has passed, or at once when the process is provably gone. Every
//! worker holds a file beside the database locked while it lives, and the operating system takes the lock away with the
//! process, however it dies. SQLite's write-ahead log needs all processes on one machine anyway, so every process can see
//! these locks.
//!
//! A worker that cannot renew its lease stops before the end of it, so that its functions are not at work beside those of
//! its successor.

use crate::engine::{Inner, Phase};
use crate::error::EngineError;
use asl_expr::Timestamp;
use asl_journal::{ExecutionId, Journal, JournalError, NewExecution, NewWorker, WorkerId, WorkerRow};
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
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
}

impl Lock {
    /// True when no other worker's lock is there, free or held.
    fn is_alone(&self, database: &Path) -> bool {
        let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(entries) = std::fs::read_dir(folder) else { return false };
        let (prefix, own) = (lock_prefix(database), self.path.file_name());
        let is_other =
            |name: &OsStr| name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) && Some(name) != own;
        !entries.flatten().any(|entry| is_other(&entry.file_name()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever finds it later removes it.
        let _ = std::fs::remove_file(&self.path);
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
async fn register(
    journal: &Journal,
    what: &str,
    lease: Duration,
    first: Option<NewExecution>,
) -> Result<(Lease, First), EngineError> {
    let lock = if journal.in_this_process_only() { None } else { Some(make_lock(journal.path())?) };
    // Only a worker that lives, or died at work, has left a lock: mostly there is none, and nothing to read.
    let alone = lock.as_ref().is_some_and(|lock| lock.is_alone(journal.path()));
    let gone = if alone { Vec::new() } else { gone(journal).await? };
    let now_ms = wall_ms();
    let name = lock.as_ref().and_then(|lock| lock.path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let worker = NewWorker {
        what: what.to_owned(),
        process: std::process::id(),
        lock: name,
        lease_until_ms: end_of(lease, now_ms),
        now_ms,
        gone,
    };
    let (id, first) = match first {
        None => (journal.register(worker).await?, None),
        Some(first) => journal.register_with(worker, first).await.map(|(id, first)| (id, Some(first)))?,
    };
    Ok((Lease { journal: journal.as_worker(id), lock }, first))
}

fn end_of(lease: Duration, now_ms: i64) -> i64 {
    now_ms.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// With what the names of the locks of a database's workers begin.
fn lock_prefix(database: &Path) -> OsString {
    let mut name = database.file_name().unwrap_or_default().to_os_string();
    name.push("-worker-");
    name
}

fn make_lock(database: &Path) -> Result<Lock, JournalError> {
    let mut name = lock_prefix(database);
    name.push(uuid::Uuid::new_v4().simple().to_string());
    let path = database.with_file_name(name);
    let made = File::create_new(&path).and_then(|file| file.try_lock().map(|()| file).map_err(Into::into));
    match made {
        Ok(locked) => Ok(Lock { path, _locked: locked }),
        Err(error) => Err(JournalError::Io { path: path.into(), message: error.to_string() }),
    }
}

/// The workers whose processes are gone: their locks are free. Their files are removed.
pub(crate) async fn gone(journal: &Journal) -> Result<Vec<WorkerId>, EngineError> {
    if journal.in_this_process_only() {
        return Ok(Vec::new());
    }
    let workers = journal.workers().await?;
    let alive = |worker: &&WorkerRow| !worker.gone && Some(worker.id) != journal.writes_as();
    Ok(workers.iter().filter(alive).filter(|worker| is_gone(journal.path(), worker)).map(|worker| worker.id).collect())
}

/// True when the worker's process is gone for certain. While it is not certain its lease counts.
pub(crate) fn is_gone(database: &Path, worker: &WorkerRow) -> bool {
    let Some(name) = &worker.lock else { return false };
    let path = database.with_file_name(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        // It ended in order, or somebody has found it gone already.
        Err(error) => return error.kind() == ErrorKind::NotFound,
    };
    match file.try_lock() {
        Ok(()) => {
            // Its owner's death is known to the caller now; a file that stays behind does no harm.
            let _ = std::fs::remove_file(path);
            true
        }
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
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
            // The process was held (Ctrl-Z, a debugger), and acted as little as it renewed. If nobody has taken over, it goes on.
            until = until.max(asked + lease / 6);
        }
        match tokio::time::timeout_at(until, journal.renew(end_of(lease, wall_ms()))).await {
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
        let (what, length) = (&self.settings.what, self.settings.lease);
        // In one transaction, where the writer is quick enough to take both and not so quick that it takes one.
        let (registered, next) =
            tokio::join!(register(&self.journal, what, length, first), crate::deliveries::first(self));
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
        if let Some(bell) = bell {
            tokio::spawn(crate::deliveries::run(weak.clone(), self.clock.hold(), bell, phase(), next_delivery));
        }
        tokio::spawn(crate::parked::run(weak.clone(), self.due.clone(), phase()));
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

/// The wall clock; epoch milliseconds. Leases are kept in it, whatever time the executions are told.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
