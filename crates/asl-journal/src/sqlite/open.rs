//! Opening a database: which file, how durable, whether it is ours.
//!
//! Two drivers use it. The writer, the services and whatever makes or checks the file are on rusqlite, where a statement is
//! a function call; lists and histories are read with sqlx, from any task at once.

use crate::Journal;
use crate::JournalError;
use crate::encoding::payloads::Tails;
use crate::sqlite::error::{self, Place};
use crate::sqlite::locks::Observer;
use crate::sqlite::place::{self, DatabaseFile};
use crate::sqlite::read::{Memory, Readers};
use crate::sqlite::schema::{self, MIGRATIONS};
use crate::sqlite::write::QUEUE;
use crate::sqlite::write::writer::{Counts, Writer};
use rusqlite::{Connection, OpenFlags};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, SqlitePool};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How many connections read at the same time.
const READERS: u32 = 4;
/// How long to wait before asking for a lock again; milliseconds.
const ASK_AGAIN_MS: u64 = 5;
/// How many statements a connection keeps ready: more than there are.
const STATEMENTS: usize = 64;
/// Twice what SQLite takes by itself: records of some hundred bytes fill a page better, and where many are written at once
/// it is the number of pages that costs. Where few are, it is the sync.
const PAGE_BYTES: i64 = 8192;
/// How long the log gets before its pages go to the file, as SQLite has it; a longer one is written to new places of the
/// disk for longer, and that costs more than to write back.
const LOG_BYTES: i64 = 4096 * 1000;
/// How long the log's file stays when it is begun anew after it grew: what SQLite keeps of it is not given back before.
const LOG_KEPT_BYTES: i64 = 4 * LOG_BYTES;
/// Opens a file, or makes it.
const CREATE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_CREATE);
/// SQLite's name for files that are in memory, and seen by all connections of the process.
const IN_MEMORY: &str = "memdb";

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
    /// Opens a database, and makes it (and its folder) where there is none. The writer runs on a thread of its own.
    ///
    /// # Errors
    /// When the file is not a database, another application's, from a newer version, locked, or not to be used at all.
    pub async fn open(path: &Path, options: Options) -> Result<Journal, JournalError> {
        place::check(path)?;
        let place = Place { path: path.into(), busy_timeout_ms: options.busy_timeout_ms };
        let readers = Readers::new(pool(connect_options(path, &options)), None);
        let made = place.clone();
        Journal::start(place, readers, move || {
            place::make(&made.path)?;
            let conn = connect(&made, CREATE, None)?;
            prepare(&conn, &made, options.durability)?;
            let file = DatabaseFile::of(&made.path)?;
            Ok((conn, Some(file)))
        })
        .await
    }

    /// Opens a database that exists, for reading only: it can be used while others write, and changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Missing`] when there is none, [`JournalError::Older`] when it would have to be changed first,
    /// and those of [`Journal::open`].
    pub async fn open_read_only(path: &Path, options: Options) -> Result<Journal, JournalError> {
        place::check(path)?;
        let place = Place { path: path.into(), busy_timeout_ms: options.busy_timeout_ms };
        if !tokio::fs::try_exists(path).await.unwrap_or(true) {
            return Err(JournalError::Missing { place: error::name(path) });
        }
        let looked = place.clone();
        let (conn, file) = in_the_background(move || {
            let conn = connect_to_read(&looked, None)?;
            let (found, known) = (schema::version(&conn, &looked, MIGRATIONS.len())?, MIGRATIONS.len());
            let (path, is_older) = (looked.path, found < known);
            if is_older {
                return Err(JournalError::Older {
                    place: error::name(&path),
                    found: found as i64,
                    known: known as i64,
                });
            }
            Ok((conn, DatabaseFile::of(&path)?))
        })
        .await?;
        // It stays open: the last connection that closes takes the log away, and the next makes it again.
        let readers = Readers::new(pool(connect_options(path, &options)), None).keeping(conn);
        let (counts, tails) = (Arc::default(), Tails::default());
        Ok(Journal {
            place,
            file: Some(file),
            jobs: None,
            readers,
            counts,
            tails,
            owner: None,
            observer: Observer::default(),
        })
    }

    /// A database in memory, gone with its last handle. Readers wait for the writer here, and 1 GiB is all it takes.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub async fn in_memory() -> Result<Journal, JournalError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = Arc::from(format!("/asl-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let place = Place { path: Path::new(":memory:").into(), busy_timeout_ms: Options::default().busy_timeout_ms };
        let options = SqliteConnectOptions::new().filename(&*name).vfs(IN_MEMORY).disable_statement_logging();
        let memory = Memory { name, gate: Arc::default() };
        let readers = Readers::new(pool(options), Some(memory.clone()));
        let made = place.clone();
        Journal::start(place, readers, move || {
            let conn = connect(&made, CREATE, Some(&memory))?;
            schema::migrate(&conn, &made, MIGRATIONS)?;
            Ok((conn, None))
        })
        .await
    }

    /// Starts the writer with the connection that `open` makes, on the writer's thread.
    async fn start(
        place: Place,
        readers: Readers,
        open: impl FnOnce() -> Result<(Connection, Option<DatabaseFile>), JournalError> + Send + 'static,
    ) -> Result<Journal, JournalError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let counts = Arc::<Counts>::default();
        let (opened, is_open) = oneshot::channel();
        let failed = |e: std::io::Error| JournalError::Io { place: place.name(), message: e.to_string() };
        let gate = readers.memory.as_ref().map(|memory| memory.gate.clone());
        let tails = Tails::default();
        let writer = Writer::new(queue, place.clone(), gate, counts.clone(), tails.clone());
        let thread = std::thread::Builder::new().name("asl-journal".to_owned());
        thread
            .spawn(move || match open() {
                Ok((conn, file)) => {
                    let _ = opened.send(Ok(file));
                    writer.run(conn);
                }
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(failed)?;
        let file = is_open.await.unwrap_or(Err(JournalError::Closed))?;
        Ok(Journal {
            place,
            file,
            jobs: Some(jobs),
            readers,
            counts,
            tails,
            owner: None,
            observer: Observer::default(),
        })
    }
}

/// Runs what may take a while where it holds up no task.
pub(crate) async fn in_the_background<T, E>(f: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JournalError> + Send + 'static,
{
    tokio::task::spawn_blocking(f).await.unwrap_or_else(|_| Err(JournalError::Panicked.into()))
}

fn connect_options(path: &Path, options: &Options) -> SqliteConnectOptions {
    let patience = Duration::from_millis(options.busy_timeout_ms);
    SqliteConnectOptions::new().filename(path).busy_timeout(patience).disable_statement_logging()
}

fn pool(options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options.pragma("query_only", "ON"))
}

/// A connection that changes nothing; `memory` as for [`connect`].
pub(crate) fn connect_to_read(place: &Place, memory: Option<&Memory>) -> Result<Connection, JournalError> {
    let conn = connect(place, OpenFlags::SQLITE_OPEN_READ_WRITE, memory)?;
    conn.pragma_update(None, "query_only", true).map_err(|e| place.failed(e))?;
    Ok(conn)
}

/// A connection for maintenance, to a file of this program's version.
pub(crate) fn connect_to_change(place: &Place) -> Result<Connection, JournalError> {
    let conn = connect(place, OpenFlags::SQLITE_OPEN_READ_WRITE, None)?;
    prepare(&conn, place, Durability::Full)?;
    Ok(conn)
}

/// A connection to the file, or to the one in memory of this name.
fn connect(place: &Place, flags: OpenFlags, memory: Option<&Memory>) -> Result<Connection, JournalError> {
    let failed = |e| place.failed(e);
    // Only one thread has it at a time.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match memory {
        Some(memory) => Connection::open_with_flags_and_vfs(&*memory.name, flags, IN_MEMORY),
        None => Connection::open_with_flags(&place.path, flags),
    };
    let conn = conn.map_err(failed)?;
    conn.busy_timeout(Duration::from_millis(place.busy_timeout_ms)).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // What a row refers to was written just before it, or looked up; SQLite need not look again.
    conn.pragma_update(None, "foreign_keys", false).map_err(failed)?;
    Ok(conn)
}

/// Makes the writer's connection ready. SQLite does not wait by itself for the lock that a new file needs to get its
/// write-ahead log: when two processes make it at once, one of them asks again.
fn prepare(conn: &Connection, place: &Place, durability: Durability) -> Result<(), JournalError> {
    let deadline = Instant::now() + Duration::from_millis(place.busy_timeout_ms);
    loop {
        match try_prepare(conn, place, durability) {
            Err(JournalError::Locked { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(ASK_AGAIN_MS));
            }
            result => return result,
        }
    }
}

/// Nothing of a file that is not ours is changed.
fn try_prepare(conn: &Connection, place: &Place, durability: Durability) -> Result<(), JournalError> {
    schema::version(conn, place, MIGRATIONS.len())?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    let failed = |e| place.failed(e);
    // A file that is there already keeps the size of its pages.
    let pragmas =
        format!("PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};");
    conn.execute_batch(&pragmas).map_err(failed)?;
    let page_bytes: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
    conn.pragma_update(None, "wal_autocheckpoint", LOG_BYTES / page_bytes).map_err(failed)?;
    conn.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES).map_err(failed)?;
    schema::migrate(conn, place, MIGRATIONS)
}

/// A connection that moves the log's pages to the file, and waits for nobody.
pub(crate) fn connect_to_tend(place: &Place) -> Result<Connection, JournalError> {
    connect(&Place { busy_timeout_ms: 0, ..place.clone() }, OpenFlags::SQLITE_OPEN_READ_WRITE, None)
}
