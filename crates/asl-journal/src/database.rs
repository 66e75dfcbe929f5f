//! A database by its name: a file of SQLite's, or a URL of PostgreSQL's.

#[cfg(feature = "postgres")]
use crate::PgStore;
use crate::moving::{self, Moved};
use crate::{ExecutionRow, Filter, Journal, JournalError, Options, Purge, Status};
use asl_store::contract;
use asl_store::{ServiceTx, Store};
use futures_util::future::BoxFuture;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// A store, and what looks after it. Clones are handles to the same one. Through [`Deref`] it is used as a [`Store`].
#[derive(Clone, Debug)]
pub enum Database {
    /// One file, for the processes of one machine.
    Sqlite(Journal),
    /// A server, for as many as like.
    #[cfg(feature = "postgres")]
    Postgres(PgStore),
}

/// True for what names a server instead of a file: `postgres://...`.
pub fn is_url(name: &str) -> bool {
    name.starts_with("postgres://") || name.starts_with("postgresql://")
}

/// The name as people may see it: a URL without its password.
pub fn shown(name: &str) -> String {
    if !is_url(name) {
        return name.to_owned();
    }
    let base = name.split('?').next().unwrap_or_default();
    let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
    match rest.rsplit_once('@') {
        Some((user, host)) => format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or_default()),
        None => base.to_owned(),
    }
}

/// Opens a store by its name, and makes it where there is none: as [`Database::open`], behind the contract.
///
/// # Errors
/// Those of [`Journal::open`] and [`PgStore::open`].
pub async fn open(name: &str) -> Result<Arc<dyn Store>, JournalError> {
    Database::open(name, Options::default()).await.map(|database| database.store())
}

impl Database {
    /// Opens a database by its name, and makes it where there is none.
    ///
    /// # Errors
    /// Those of [`Journal::open`] and [`PgStore::open`].
    pub async fn open(name: impl AsRef<Path>, options: Options) -> Result<Database, JournalError> {
        if let Some(url) = name.as_ref().to_str().filter(|name| is_url(name)) {
            return Database::open_url(url, true).await;
        }
        Journal::open(name.as_ref(), options).await.map(Database::Sqlite)
    }

    /// Opens a database that exists, for reading only.
    ///
    /// # Errors
    /// Those of [`Journal::open_read_only`] and [`PgStore::open_read_only`].
    pub async fn open_read_only(name: impl AsRef<Path>, options: Options) -> Result<Database, JournalError> {
        if let Some(url) = name.as_ref().to_str().filter(|name| is_url(name)) {
            return Database::open_url(url, false).await;
        }
        Journal::open_read_only(name.as_ref(), options).await.map(Database::Sqlite)
    }

    #[cfg(feature = "postgres")]
    async fn open_url(url: &str, for_writing: bool) -> Result<Database, JournalError> {
        let opened = if for_writing { PgStore::open(url).await } else { PgStore::open_read_only(url).await };
        opened.map(Database::Postgres)
    }

    #[cfg(not(feature = "postgres"))]
    async fn open_url(url: &str, _: bool) -> Result<Database, JournalError> {
        let scheme = url.split("://").next().unwrap_or_default();
        let what = "cannot be used: this program was built without PostgreSQL".to_owned();
        Err(JournalError::Address { place: format!("{scheme}://...").into(), what })
    }

    /// The store behind the contract.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Database::Sqlite(journal) => Arc::new(journal.clone()),
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// The journal, where it is a file.
    pub fn file(&self) -> Option<&Journal> {
        match self {
            Database::Sqlite(journal) => Some(journal),
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => None,
        }
    }

    /// How many transactions with records this handle has written since it was opened.
    pub fn commits(&self) -> u64 {
        match self {
            Database::Sqlite(journal) => journal.commits(),
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => store.commits(),
        }
    }

    /// How many records this handle has written since it was opened.
    pub fn records_written(&self) -> u64 {
        match self {
            Database::Sqlite(journal) => journal.records_written(),
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => store.records_written(),
        }
    }

    /// The executions that have not ended, oldest first: what to go on with after a restart.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open_executions(&self) -> Result<Vec<ExecutionRow>, JournalError> {
        let filter = Filter { status: Some(Status::Running), ..Filter::default() };
        let mut open = self.executions(&filter).await?;
        open.reverse();
        Ok(open)
    }

    /// Changes the services in a transaction, which may be tried again: [`asl_store::contract::transact`].
    ///
    /// # Errors
    /// Those of `f`, and those of the store.
    pub async fn transact<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: for<'t> FnMut(&'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<JournalError> + Send + 'static,
    {
        contract::transact(&**self, f).await
    }

    /// Looks at the services; whatever `f` writes is undone.
    ///
    /// # Errors
    /// Those of `f`, and those of the store.
    pub async fn inspect<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: for<'t> FnMut(&'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<JournalError> + Send + 'static,
    {
        contract::inspect(&**self, f).await
    }

    /// How many executions [`Database::purge`] would delete.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn purgeable(&self, purge: &Purge) -> Result<u64, JournalError> {
        match self {
            Database::Sqlite(journal) => journal.purgeable(purge).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => store.purgeable(purge).await,
        }
    }

    /// The names of the executions that this means and [`Database::purge`] keeps, because the database counts on from them. PostgreSQL
    /// needs none for that.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn purge_keeps(&self, purge: &Purge) -> Result<Vec<String>, JournalError> {
        match self {
            Database::Sqlite(journal) => journal.purge_keeps(purge).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// Deletes executions that have ended, with their histories. Returns how many were deleted.
    ///
    /// # Errors
    /// When the database cannot be written; what was deleted before stays deleted.
    pub async fn purge(&self, purge: &Purge) -> Result<u64, JournalError> {
        match self {
            Database::Sqlite(journal) => journal.purge(purge).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => store.purge(purge).await,
        }
    }

    /// What the database finds wrong with its own storage, at most a hundred sentences. PostgreSQL has tools of its own for that
    /// (`pg_amcheck`); here its chains are compared with their headers.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub async fn integrity(&self) -> Result<Vec<String>, JournalError> {
        match self {
            Database::Sqlite(journal) => journal.integrity().await,
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => store.integrity().await,
        }
    }

    /// The records of an execution as text; see [`crate::Kept`].
    ///
    /// # Errors
    /// When the database cannot be read, or a record is not as it was written.
    pub async fn keep(&self, execution: &ExecutionRow) -> Result<String, JournalError> {
        match self {
            Database::Sqlite(journal) => journal.keep(execution).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => store.keep(execution).await,
        }
    }

    /// Copies everything to an empty database, row by row: histories to the byte, executions that wait, the rows of the embedded
    /// services, the catalogue. All of it, or nothing. Nobody may be at work on either; what ran is nobody's afterwards, until a worker
    /// of the other database claims it.
    ///
    /// # Errors
    /// [`JournalError::Address`] when somebody is at work here, or the other is not empty; and when one cannot be read or written.
    pub async fn move_to(&self, other: &Database) -> Result<Moved, JournalError> {
        moving::copy(self, other).await
    }
}

impl Deref for Database {
    type Target = dyn Store;

    fn deref(&self) -> &(dyn Store + 'static) {
        match self {
            Database::Sqlite(journal) => journal,
            #[cfg(feature = "postgres")]
            Database::Postgres(store) => store,
        }
    }
}

impl From<Database> for Arc<dyn Store> {
    fn from(database: Database) -> Arc<dyn Store> {
        database.store()
    }
}
