//! The contract of `asl-store` on PostgreSQL 13 and later: many processes on many machines over one database.
//!
//! Nothing of ours coordinates them. Isolation is READ COMMITTED with explicit locks; every transaction is ready to be tried again.
//! `LISTEN` is a hint and polling the truth; behind a pooler that gives each transaction another session nothing is kept in one.

mod address;
mod catalogue;
mod changes;
mod conn;
mod ends;
mod error;
mod liveness;
mod maintain;
mod metrics;
mod moving;
mod read;
mod schema;
mod store;
mod write;
mod zeros;

pub use store::PgWorker;

use crate::{JournalError, WorkerId};
use address::Address;
use changes::News;
use conn::PATIENCE;
use ends::Ends;
use error::Place;
use liveness::Observer;
use metrics::Counts;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use write::{Job, QUEUE};

/// How many connections read, claim and run transactions of services at most.
const CONNECTIONS: u32 = 12;
/// How many groups are under way at once, each on a connection of its own.
const WRITERS: usize = 2;
/// The most bytes of a record, as in SQLite.
const RECORD_BYTES: usize = 256 * 1024 * 1024;

/// A store on PostgreSQL. Clones are handles to the same one.
#[derive(Clone)]
pub struct PgStore {
    inner: Arc<Inner>,
    /// As which worker it was made; only a [`PgWorker`] writes as one.
    owner: Option<WorkerId>,
}

/// What the writers know; they end when no handle is left.
#[doc(hidden)]
pub struct Shared {
    address: Address,
    place: Place,
    counts: Counts,
    record_bytes: AtomicUsize,
    news: News,
}

/// What the handles to a store share.
#[doc(hidden)]
pub struct Inner {
    shared: Arc<Shared>,
    pool: PgPool,
    ends: Ends,
    /// None when it was opened for reading only, or is closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    writers: Mutex<Vec<JoinHandle<()>>>,
    observer: Observer,
    is_read_only: bool,
}

impl Deref for PgStore {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl Deref for Inner {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore").field("place", &self.place.0).finish_non_exhaustive()
    }
}

/// A connection for groups of records. Their statements are long, and planned once. What is right for them is known here better than
/// there: rows of headers are found by their keys, one after the other, however small a table looked when the plan was made.
pub(crate) async fn connect(address: &Address) -> Result<PgConnection, sqlx::Error> {
    let mut conn = address.options.connect().await?;
    if address.is_direct {
        conn.execute(
            "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
             SET enable_mergejoin = off; SET jit = off",
        )
        .await?;
    }
    Ok(conn)
}

impl PgStore {
    /// Opens the store at a URL (`postgres://user:password@host:port/database?schema=asl&pooler=transaction`), and makes its schema and
    /// tables where there are none.
    ///
    /// # Errors
    /// [`JournalError::Address`] when the URL is wrong, [`JournalError::Unreachable`] when the server does not answer or lets nobody in,
    /// and when the schema is another application's or from a newer version. None of them shows the password.
    pub async fn open(url: &str) -> Result<PgStore, JournalError> {
        let address = Address::parse(url)?;
        let place = Place(address.name.clone());
        let mut conn = address.options.connect().await.map_err(|e| place.failed(e))?;
        schema::migrate(&mut conn, &place, &address.schema).await?;
        let _ = conn.close().await;
        Ok(PgStore::start(address, place, false))
    }

    /// Opens a store that exists, for reading only; changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Missing`] when there is none, [`JournalError::Older`] when it would have to be changed first, and those of
    /// [`PgStore::open`].
    pub async fn open_read_only(url: &str) -> Result<PgStore, JournalError> {
        let address = Address::parse(url)?;
        let place = Place(address.name.clone());
        let mut conn = address.options.connect().await.map_err(|e| place.failed(e))?;
        schema::check(&mut conn, &place, &address.schema).await?;
        let _ = conn.close().await;
        Ok(PgStore::start(address, place, true))
    }

    fn start(address: Address, place: Place, is_read_only: bool) -> PgStore {
        // A connection that is dead is found out by the call that uses it, and had again: to ask first is a round trip for each.
        let pool =
            PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE).test_before_acquire(false);
        let pool = pool.connect_lazy_with(address.options.clone());
        let counts = Counts::default();
        let record_bytes = AtomicUsize::new(RECORD_BYTES);
        let shared = Arc::new(Shared { address, place, counts, record_bytes, news: News::default() });
        let (mut jobs, mut writers) = (None, Vec::new());
        if !is_read_only {
            let (sender, queue) = mpsc::channel(QUEUE);
            let queue = Arc::new(tokio::sync::Mutex::new(queue));
            writers.extend((0..WRITERS).map(|_| tokio::spawn(write::run(shared.clone(), queue.clone()))));
            jobs = Some(sender);
        }
        let inner = Inner {
            shared,
            pool,
            ends: Ends::default(),
            jobs: Mutex::new(jobs),
            writers: Mutex::new(writers),
            observer: Observer::default(),
            is_read_only,
        };
        PgStore { inner: Arc::new(inner), owner: None }
    }

    /// How many groups of records this handle has written since it was opened.
    pub fn commits(&self) -> u64 {
        self.counts.groups.now()
    }

    /// How many records this handle has written since it was opened.
    pub fn records_written(&self) -> u64 {
        self.counts.records.now()
    }

    fn may_write(&self) -> Result<(), JournalError> {
        if self.is_read_only { Err(JournalError::ReadOnly { place: self.place.0.clone() }) } else { Ok(()) }
    }

    fn jobs(&self) -> Result<mpsc::Sender<Job>, JournalError> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(JournalError::Closed)
    }

    /// Something was committed in this process: those who wait for changes need not wait for the next look.
    fn committed(&self) {
        self.news.tell();
    }

    /// Writes what is queued, and closes.
    async fn shut(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            // One that panicked has told nobody, and its callers hear that the store is closed.
            let _ = writer.await;
        }
        self.pool.close().await;
        self.news.tell();
    }
}
