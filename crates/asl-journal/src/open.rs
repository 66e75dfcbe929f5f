//! Opening a database: which file, how durable, whether it is ours.

use crate::Journal;
use crate::error::{JournalError, Place};
use crate::group::Known;
use crate::read::Readers;
use crate::schema::{self, MIGRATIONS};
use crate::writer::{Counts, QUEUE, Writer};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

/// How many connections read at the same time.
const READERS: u32 = 4;
/// How long to wait before asking for a lock again; milliseconds.
const ASK_AGAIN_MS: u64 = 5;

/// When a commit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk: it survives a power failure.
    #[default]
    Full,
    /// When the operating system has it: it survives the death of the process, but perhaps not a power failure.
    Normal,
}

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// When a commit counts.
    pub durability: Durability,
    /// How long to wait while another process writes; milliseconds.
    pub busy_timeout_ms: u64,
}

impl Default for Options {
    /// Full durability; 5 seconds of patience.
    fn default() -> Options {
        Options { durability: Durability::Full, busy_timeout_ms: 5_000 }
    }
}

impl Journal {
    /// Opens a database, and makes it (and its folder) where there is none. Call it within a tokio runtime, which the
    /// writer then runs on.
    ///
    /// # Errors
    /// When the file is not a database, another application's, from a newer version, locked, or not to be used at all.
    pub async fn open(path: &Path, options: Options) -> Result<Journal, JournalError> {
        let place = Place { path: path.into(), busy_timeout_ms: options.busy_timeout_ms };
        if let Some(folder) = path.parent() {
            let failed = |e: std::io::Error| JournalError::Io { path: path.into(), message: e.to_string() };
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        let connect = connect_options(path, &options).create_if_missing(true);
        let mut conn = connect.connect().await.map_err(|e| place.failed(e))?;
        prepare(&mut conn, &place, options.durability).await?;
        let connect = connect_options(path, &options).pragma("query_only", "ON");
        let pool = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(connect);
        Ok(Journal::start(place, Arc::new(Mutex::new(conn)), Some(Readers::Pool(pool))))
    }

    /// Opens a database that exists, for reading only: it can be used while others write, and changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Missing`] when there is none, [`JournalError::Older`] when it would have to be changed first,
    /// and those of [`Journal::open`].
    pub async fn open_read_only(path: &Path, options: Options) -> Result<Journal, JournalError> {
        let place = Place { path: path.into(), busy_timeout_ms: options.busy_timeout_ms };
        if !tokio::fs::try_exists(path).await.unwrap_or(true) {
            return Err(JournalError::Missing { path: path.into() });
        }
        let connect = connect_options(path, &options).pragma("query_only", "ON");
        let mut conn = connect.clone().connect().await.map_err(|e| place.failed(e))?;
        let found = schema::version(&mut conn, &place, MIGRATIONS.len()).await?;
        if found < MIGRATIONS.len() {
            let (found, known) = (found as i64, MIGRATIONS.len() as i64);
            return Err(JournalError::Older { path: path.into(), found, known });
        }
        let closed = conn.close().await;
        closed.map_err(|e| place.failed(e))?;
        let pool = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(connect);
        Ok(Journal { place, jobs: None, readers: Readers::Pool(pool), counts: Arc::default(), owner: None })
    }

    /// A database in memory, gone with its last handle. Readers wait for the writer here.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub async fn in_memory() -> Result<Journal, JournalError> {
        let place = Place { path: Path::new(":memory:").into(), busy_timeout_ms: 0 };
        let connect = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
        let mut conn = connect.connect().await.map_err(|e| place.failed(e))?;
        schema::migrate(&mut conn, &place, MIGRATIONS).await?;
        Ok(Journal::start(place, Arc::new(Mutex::new(conn)), None))
    }

    fn start(place: Place, conn: Arc<Mutex<SqliteConnection>>, readers: Option<Readers>) -> Journal {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let counts = Arc::<Counts>::default();
        let readers = readers.unwrap_or_else(|| Readers::Shared(conn.clone()));
        let writer = Writer {
            conn,
            jobs: queue,
            place: place.clone(),
            counts: counts.clone(),
            known: Known::default(),
            closing: None,
        };
        tokio::spawn(writer.run());
        Journal { place, jobs: Some(jobs), readers, counts, owner: None }
    }
}

fn connect_options(path: &Path, options: &Options) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_millis(options.busy_timeout_ms));
    options.disable_statement_logging()
}

/// Makes the writer's connection ready. SQLite does not wait by itself for the lock that a new file needs to get its
/// write-ahead log: when two processes make it at once, one of them asks again.
async fn prepare(conn: &mut SqliteConnection, place: &Place, durability: Durability) -> Result<(), JournalError> {
    let deadline = Instant::now() + Duration::from_millis(place.busy_timeout_ms);
    loop {
        match try_prepare(conn, place, durability).await {
            Err(JournalError::Locked { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(ASK_AGAIN_MS)).await;
            }
            result => return result,
        }
    }
}

/// Nothing of a file that is not ours is changed.
async fn try_prepare(conn: &mut SqliteConnection, place: &Place, durability: Durability) -> Result<(), JournalError> {
    schema::version(conn, place, MIGRATIONS.len()).await?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    let pragmas = format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};");
    sqlx::raw_sql(AssertSqlSafe(pragmas)).execute(&mut *conn).await.map_err(|e| place.failed(e))?;
    schema::migrate(conn, place, MIGRATIONS).await
}
