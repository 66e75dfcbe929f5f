//! Whether a worker lives. Where its connection is a session of the server's, its process holds an advisory lock, which the server frees
//! with the session; others take a lock for a proof of death only when it stays free for a moment, for a server that restarts frees
//! all of them at once. Otherwise, and always in the end, silence decides ([`asl_store::Liveness`]).

use super::conn::Backoff;
use super::{PgStore, Shared, connect};
use crate::{JournalError, Liveness, WorkerId, WorkerRow};
use sqlx::{Connection, PgConnection, Row as _};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// What stands in a worker's row that holds a lock.
pub(crate) const SESSION: &str = "session";
/// How often a worker looks whether its session is there still.
const LOOK: Duration = Duration::from_millis(300);
/// How long a lock must be seen free. A worker that lost its session has it again sooner.
const FREE: Duration = Duration::from_millis(1_000);
/// Between two looks at most this long counts as watched.
const PIECE: Duration = Duration::from_millis(500);

/// The lock of a worker of this process; free when it is dropped.
#[derive(Debug)]
pub(crate) struct SessionLock(AbortHandle);

impl Drop for SessionLock {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The upper half of the locks' keys: one for each schema.
fn class(schema: &str) -> u32 {
    // FNV-1a: it must be the same in every process and version.
    schema.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn key(schema: &str, worker: WorkerId) -> i64 {
    (i64::from(class(schema)) << 32) | (worker.0 & 0xffff_ffff)
}

async fn take(shared: &Shared, worker: WorkerId) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut conn = connect(&shared.address).await?;
    let query = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(key(&shared.address.schema, worker));
    let is_held: bool = query.fetch_one(&mut conn).await?.try_get(0)?;
    Ok(is_held.then_some(conn))
}

/// Holds the lock of a worker until it is dropped.
pub(crate) async fn hold(shared: Arc<Shared>, worker: WorkerId) -> Result<SessionLock, JournalError> {
    let mut conn = take(&shared, worker).await.map_err(|e| shared.place.failed(e))?;
    let task = tokio::spawn(async move {
        loop {
            if let Some(mut session) = conn.take() {
                while session.ping().await.is_ok() {
                    tokio::time::sleep(LOOK).await;
                }
            }
            // The session before this one may still have it for a while, if it ended without the server's seeing it.
            let mut backoff = Backoff::new();
            while conn.is_none() {
                conn = take(&shared, worker).await.ok().flatten();
                if conn.is_none() {
                    backoff.pause().await;
                }
            }
        }
    });
    Ok(SessionLock(task.abort_handle()))
}

/// What a handle has seen of the workers, by the clock since it was opened.
#[derive(Debug)]
pub(crate) struct Observer {
    seen: Mutex<Seen>,
    opened: Instant,
}

#[derive(Debug, Default)]
struct Seen {
    liveness: Liveness,
    /// For how long locks were watched to be free.
    free: HashMap<WorkerId, Duration>,
    looked: Option<Duration>,
}

impl Default for Observer {
    fn default() -> Observer {
        Observer { seen: Mutex::default(), opened: Instant::now() }
    }
}

impl Seen {
    /// Which workers are gone, from their rows and the locks that are held.
    fn look(&mut self, now: Duration, workers: &[WorkerRow], held: &HashSet<i64>) -> HashSet<WorkerId> {
        let mut gone: HashSet<WorkerId> = self.liveness.look(now, workers).into_iter().collect();
        let piece = self.looked.map_or(Duration::ZERO, |looked| now.saturating_sub(looked)).min(PIECE);
        self.looked = Some(now);
        let is_free = |row: &&WorkerRow| {
            !row.gone && row.lock.as_deref() == Some(SESSION) && !held.contains(&(row.id.0 & 0xffff_ffff))
        };
        let before = std::mem::take(&mut self.free);
        for row in workers.iter().filter(is_free) {
            let free = before.get(&row.id).map_or(Duration::ZERO, |free| *free + piece);
            self.free.insert(row.id, free);
            if free >= FREE {
                gone.insert(row.id);
            }
        }
        gone
    }
}

impl PgStore {
    /// The workers that are gone, as far as this handle has seen. The worker that it belongs to is not among them.
    pub(crate) async fn gone_workers(&self) -> Result<Vec<WorkerId>, JournalError> {
        let looked = self.look_at_workers().await;
        let mut seen = self.observer.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, workers, held) = looked.inspect_err(|_| {
            // What this process could not see, it has not watched: a server that was away has freed all locks.
            seen.free.clear();
        })?;
        let gone = seen.look(now, &workers, &held);
        let others = workers.iter().filter(|worker| !worker.gone && Some(worker.id) != self.owner);
        Ok(others.map(|worker| worker.id).filter(|id| gone.contains(id)).collect())
    }

    /// Whether there was a free lock at the last look, of a worker that is not known for gone yet.
    pub(crate) fn sees_a_free_lock(&self) -> bool {
        !self.observer.seen.lock().unwrap_or_else(PoisonError::into_inner).free.is_empty()
    }

    async fn look_at_workers(&self) -> Result<(Duration, Vec<WorkerRow>, HashSet<i64>), JournalError> {
        let now = self.observer.opened.elapsed();
        let workers = self.worker_rows().await?;
        let mut held = HashSet::new();
        if workers.iter().any(|row| !row.gone && row.lock.is_some()) {
            let sql = "SELECT objid::int8 FROM pg_locks WHERE locktype = 'advisory' AND classid::int8 = $1 AND objsubid = 1 \
                       AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            let class = i64::from(class(&self.address.schema));
            for row in self.fetch(sql, |query| query.bind(class)).await? {
                held.insert(row.try_get(0).map_err(|e| self.place.failed(e))?);
            }
        }
        Ok((now, workers, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(id: i64) -> WorkerRow {
        let lock = Some(SESSION.to_owned());
        WorkerRow { id: WorkerId(id), what: String::new(), process: 1, lock, beat: 1, lease_ms: 30_000, gone: false }
    }

    #[test]
    fn a_lock_that_stays_free_proves_a_death_and_a_moment_does_not() {
        let (mut seen, workers) = (Seen::default(), [worker(1), worker(2)]);
        let at = Duration::from_millis;
        let one = HashSet::from([1]);
        assert!(seen.look(at(0), &workers, &one).is_empty());
        assert!(seen.look(at(400), &workers, &one).is_empty());
        assert!(seen.look(at(900), &workers, &HashSet::from([1, 2])).is_empty(), "it was had again");
        assert!(seen.look(at(1_000), &workers, &one).is_empty());
        assert!(seen.look(at(1_400), &workers, &one).is_empty());
        assert_eq!(seen.look(at(2_100), &workers, &one), HashSet::new(), "not watched for a whole second yet");
        assert_eq!(seen.look(at(2_200), &workers, &one), HashSet::from([WorkerId(2)]));
        // An observer that was held itself has watched a piece of it.
        let mut seen = Seen::default();
        assert!(seen.look(Duration::ZERO, &workers, &one).is_empty());
        seen.look(Duration::from_secs(86_400), &workers, &one);
        assert_eq!(seen.free[&WorkerId(2)], PIECE);
    }
}
