//! Whether the process of a worker lives: a file beside the database that the worker holds locked.
//!
//! The operating system takes the lock away with the process, however it dies. SQLite's write-ahead log needs all processes on one
//! machine anyway, so every process can see these locks. Only a lock that is there and free proves a death; one that is not found
//! proves nothing, and then silence decides ([`crate::Liveness`]).

use crate::sqlite::error;
use crate::{Journal, JournalError, Liveness, WorkerId, WorkerRow};
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The lock of a worker of this process. Dropped, it is free: others see that the worker is gone.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    database: PathBuf,
    _locked: File,
    /// The worker's row is given back, so nobody asks for the lock any more.
    given_back: AtomicBool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Else it stays, free, and tells others that this worker is gone; the worker that begins next removes it.
        if *self.given_back.get_mut() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Lock {
    /// Its name, for the worker's row.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The worker's row was released: the file goes with the lock.
    pub fn is_given_back(&self) {
        self.given_back.store(true, Ordering::Relaxed);
    }

    /// True when there are locks of other workers, free or held.
    pub fn has_others(&self) -> bool {
        !locks(&self.database, Some(&self.path)).is_empty()
    }
}

/// What the lock of a worker tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState {
    /// Its process lives.
    Held,
    /// Its process is gone for certain.
    Free,
    /// Nothing: only an observer of its renewals can tell.
    Unknown,
}

/// What a handle has seen of the workers, by the clock since it was opened.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    seen: Arc<Mutex<Liveness>>,
    opened: Instant,
}

impl Default for Observer {
    fn default() -> Observer {
        Observer { seen: Arc::default(), opened: Instant::now() }
    }
}

impl Journal {
    /// A lock for a worker that begins; none for a database that only this process sees.
    ///
    /// # Errors
    /// When the file beside the database cannot be made or locked.
    pub fn lock(&self) -> Result<Option<Lock>, JournalError> {
        if self.in_this_process_only() { Ok(None) } else { make(self.file()).map(Some) }
    }

    /// What the lock of a worker tells of its process.
    pub fn lock_of(&self, worker: &WorkerRow) -> LockState {
        let Some(name) = &worker.lock else { return LockState::Unknown };
        let Ok(file) = File::open(self.file().with_file_name(name)) else { return LockState::Unknown };
        match file.try_lock() {
            Ok(()) => LockState::Free,
            Err(TryLockError::WouldBlock) => LockState::Held,
            Err(TryLockError::Error(_)) => LockState::Unknown,
        }
    }

    /// The workers that are gone: their locks are free, or this handle has watched them be silent for longer than their lease. The
    /// worker that this handle belongs to is not among them. All clones of a handle watch together.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn gone(&self) -> Result<Vec<WorkerId>, JournalError> {
        if self.in_this_process_only() {
            return Ok(Vec::new());
        }
        let now = self.observer.opened.elapsed();
        let workers = self.workers().await?;
        let silent = self.observer.seen.lock().unwrap_or_else(PoisonError::into_inner).look(now, &workers);
        let others = workers.iter().filter(|worker| !worker.gone && Some(worker.id) != self.writes_as());
        let is_gone = |worker: &&WorkerRow| match self.lock_of(worker) {
            LockState::Free => true,
            LockState::Held | LockState::Unknown => silent.contains(&worker.id),
        };
        Ok(others.filter(is_gone).map(|worker| worker.id).collect())
    }

    /// Removes the locks that workers left behind which are gone and known to be: no row that is in force names them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sweep_locks(&self) -> Result<(), JournalError> {
        let left = if self.in_this_process_only() { Vec::new() } else { locks(self.file(), None) };
        if left.is_empty() {
            return Ok(());
        }
        let workers = self.workers().await?;
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
}

/// With what the names of the locks of a database's workers begin.
fn prefix(database: &Path) -> OsString {
    let mut name = database.file_name().unwrap_or_default().to_os_string();
    name.push("-worker-");
    name
}

/// The locks of a database's workers, free or held; all but this one.
fn locks(database: &Path, own: Option<&Path>) -> Vec<PathBuf> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (prefix, own) = (prefix(database), own.and_then(Path::file_name));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_other = |name: &OsStr| name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) && Some(name) != own;
    entries.filter(|entry| is_other(&entry.file_name())).map(|entry| entry.path()).collect()
}

fn make(database: &Path) -> Result<Lock, JournalError> {
    let failed = |path: &Path, message: String| JournalError::Io { place: error::name(path), message };
    loop {
        let mut name = prefix(database);
        // The standard library's own randomness: two processes do not hash alike.
        let draw = || RandomState::new().build_hasher().finish();
        name.push(format!("{:016x}{:016x}", draw(), draw() ^ u64::from(std::process::id())));
        let path = database.with_file_name(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let made = made.map_err(|error| failed(&path, error.to_string()))?;
        match made.try_lock() {
            // A process that sweeps may have found it free in between, and removed it.
            Ok(()) if made.metadata().is_ok_and(|found| found.nlink() > 0) => {
                return Ok(Lock { path, database: database.into(), _locked: made, given_back: AtomicBool::new(false) });
            }
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                let _ = std::fs::remove_file(&path);
                return Err(failed(&path, error.to_string()));
            }
        }
    }
}
