//! Reading: lists, headers, records, definitions. Readers have connections of their own and never wait for the writer.

use crate::JournalError;
use crate::quarantine::NOBODY;
use crate::sqlite::error::Place;
use crate::sqlite::open::{connect_to_read, in_the_background};
use crate::sqlite::write::service::SqliteTx;
use crate::{Definition, ExecutionId, ExecutionRow, Filter, Journal, Status, Which, WorkerId};
use asl_expr::Timestamp;
use asl_store::ServiceTx;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// Where readers read: lists and histories on a pool, the embedded services on a connection of the writer's kind.
#[derive(Clone)]
pub(crate) struct Readers {
    pub(crate) pool: SqlitePool,
    /// Made when it is first asked for.
    services: Arc<Mutex<Option<Connection>>>,
    pub(crate) memory: Option<Memory>,
}

/// A database in memory, which knows no reading beside the writer.
#[derive(Clone)]
pub(crate) struct Memory {
    /// Its name among SQLite's files in memory.
    pub(crate) name: Arc<str>,
    /// Held by the writer during a transaction, and by readers.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
}

impl Readers {
    pub(crate) fn new(pool: SqlitePool, memory: Option<Memory>) -> Readers {
        Readers { pool, services: Arc::default(), memory }
    }

    /// With a connection for the services that is there already.
    pub(crate) fn keeping(self, conn: Connection) -> Readers {
        *self.services.lock().unwrap_or_else(PoisonError::into_inner) = Some(conn);
        self
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
        *self.services.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets `look` see the services in a transaction that is undone.
    fn look<T, E: From<JournalError>>(
        &self,
        place: &Place,
        look: impl FnOnce(&mut SqliteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut kept = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = self.memory.as_ref().map(|memory| memory.gate.blocking_lock());
        if self.pool.is_closed() {
            return Err(JournalError::Closed.into());
        }
        let mut conn = match kept.take() {
            Some(conn) => conn,
            None => connect_to_read(place, self.memory.as_ref())?,
        };
        conn.execute_batch("BEGIN").map_err(|e| place.failed(e))?;
        let looked = look(&mut SqliteTx::new(&mut conn, place));
        conn.execute_batch("ROLLBACK").map_err(|e| place.failed(e))?;
        *kept = Some(conn);
        looked
    }
}

/// A connection of the pool.
pub(crate) struct Reader {
    conn: PoolConnection<Sqlite>,
    _held: Option<OwnedMutexGuard<()>>,
}

impl Deref for Reader {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.conn
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }
}

/// Numbers of executions, as a statement takes many: `[1,2]`.
pub(crate) struct Numbers(pub(crate) String);

impl Numbers {
    pub(crate) fn new(executions: &[ExecutionId]) -> Numbers {
        Numbers::of(executions.iter().map(|execution| execution.0))
    }

    pub(crate) fn of(numbers: impl Iterator<Item = i64>) -> Numbers {
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        Numbers(format!("[{}]", numbers.join(",")))
    }
}

const HEADER: &str = "SELECT x.id, x.arn, x.name, x.state_machine, x.state_machine_arn, x.definition, x.status, \
                      x.started_ms, x.stopped_ms, x.error, x.cause, (SELECT j.first_event + j.event_count - 1 \
                      FROM latest l JOIN journal j ON j.position = l.position WHERE l.execution = x.id), x.owner, \
                      x.redrive_count, x.redriven_ms, x.set_aside, x.unread_end, (SELECT l.deaths FROM latest l WHERE l.execution = x.id), x.again_ms, x.started_as \
                      FROM execution x WHERE ";

/// Those that are no child of a map run; [`asl_core::is_child`] as SQL has it.
const PARENTS: &str = " AND instr(x.state_machine_arn, '/') = 0";
/// How many executions of one name are told of.
const CANDIDATES: i64 = 4;

fn header(row: &SqliteRow) -> Result<ExecutionRow, sqlx::Error> {
    let status: &str = row.try_get(6)?;
    let stopped: Option<i64> = row.try_get(8)?;
    let redriven: Option<i64> = row.try_get(14)?;
    let started_as: Option<&str> = row.try_get(19)?;
    Ok(ExecutionRow {
        id: ExecutionId(row.try_get(0)?),
        arn: row.try_get(1)?,
        name: row.try_get(2)?,
        state_machine: row.try_get(3)?,
        state_machine_arn: row.try_get(4)?,
        definition: row.try_get(5)?,
        status: status.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        started: Timestamp::from_millis(row.try_get(7)?),
        stopped: stopped.map(Timestamp::from_millis),
        error: row.try_get(9)?,
        cause: row.try_get(10)?,
        last_event: row.try_get::<Option<i64>, _>(11)?.unwrap_or(0).unsigned_abs(),
        owner: row.try_get::<Option<i64>, _>(12)?.map(WorkerId).filter(|owner| *owner != NOBODY),
        set_aside: row.try_get(15)?,
        unread_end: row.try_get(16)?,
        deaths: row.try_get::<Option<u32>, _>(17)?.unwrap_or(0),
        tried_again: row.try_get::<Option<i64>, _>(18)?.map(Timestamp::from_millis),
        redrive_count: row.try_get::<i64, _>(13)?.unsigned_abs(),
        redriven: redriven.map(Timestamp::from_millis),
        started_as: started_as.map(serde_json::from_str).transpose().map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
    })
}

impl Journal {
    pub(crate) async fn reader(&self) -> Result<Reader, JournalError> {
        let _held = match &self.readers.memory {
            Some(memory) => Some(memory.gate.clone().lock_owned().await),
            None => None,
        };
        match self.readers.pool.acquire().await {
            Ok(conn) => Ok(Reader { conn, _held }),
            Err(sqlx::Error::PoolClosed) => Err(JournalError::Closed),
            Err(error) => Err(self.place.failed(error)),
        }
    }

    async fn headers(&self, mut query: QueryBuilder<Sqlite>) -> Result<Vec<ExecutionRow>, JournalError> {
        let mut conn = self.reader().await?;
        let rows = query.build().fetch_all(&mut *conn).await;
        rows.and_then(|rows| rows.iter().map(header).collect()).map_err(|e| self.place.failed(e))
    }

    /// Executions, newest first.
    ///
    /// # Errors
    /// When the database cannot be read; as for every call that reads.
    pub async fn executions(&self, filter: &Filter) -> Result<Vec<ExecutionRow>, JournalError> {
        let mut query = QueryBuilder::new(HEADER);
        query.push("x.id < ").push_bind(filter.before.map_or(i64::MAX, |id| id.0));
        if let Some(status) = filter.status {
            // The name in the text, and the second condition: only so SQLite sees that an index has them all.
            let ended = if status == Status::Running { "" } else { " AND x.status <> 'RUNNING'" };
            query.push(format_args!(" AND x.status = '{}'{ended}", status.name()));
        }
        if let Some(machine) = &filter.state_machine {
            let column = if machine.starts_with("arn:") { "state_machine_arn" } else { "state_machine" };
            query.push(format_args!(" AND x.{column} = ")).push_bind(machine.clone());
        }
        match &filter.which {
            Which::All => {}
            Which::Parents => drop(query.push(PARENTS)),
            Which::Children => drop(query.push(" AND instr(x.state_machine_arn, '/') > 0")),
            Which::OfFamily(arn) => drop(query.push(" AND x.state_machine_arn = ").push_bind(arn.clone())),
        }
        if let Some(prefix) = &filter.name_prefix {
            query.push(" AND substr(x.name, 1, ").push_bind(prefix.chars().count() as i64);
            query.push(") = ").push_bind(prefix.clone());
        }
        if let Some(version) = filter.version {
            query.push(" AND x.started_as ->> 'version' = ").push_bind(version);
        }
        if let Some(alias) = &filter.alias {
            query.push(" AND x.started_as ->> 'alias' = ").push_bind(alias.clone());
        }
        query.push(" ORDER BY x.id DESC LIMIT ").push_bind(filter.limit.map_or(-1, i64::from));
        self.headers(query).await
    }

    /// The execution with this ARN or this name. A child of a map run is found by its name where no other execution has it.
    ///
    /// # Errors
    /// [`JournalError::Ambiguous`] when several have the name, or when the database cannot be read.
    pub async fn execution(&self, arn_or_name: &str) -> Result<Option<ExecutionRow>, JournalError> {
        let mut query = QueryBuilder::new(HEADER);
        if arn_or_name.starts_with("arn:") {
            query.push("x.arn = ").push_bind(arn_or_name.to_owned());
            return Ok(self.headers(query).await?.pop());
        }
        query.push("x.name = ").push_bind(arn_or_name.to_owned()).push(PARENTS);
        query.push(" ORDER BY x.id DESC LIMIT ").push_bind(CANDIDATES);
        let mut named = self.headers(query).await?;
        if named.is_empty() {
            let mut query = QueryBuilder::new(HEADER);
            query.push("x.name = ").push_bind(arn_or_name.to_owned());
            query.push(" ORDER BY x.id DESC LIMIT ").push_bind(CANDIDATES);
            named = self.headers(query).await?;
        }
        if named.len() > 1 {
            let candidates = named.into_iter().map(|row| row.arn).collect();
            return Err(JournalError::Ambiguous { name: arn_or_name.to_owned(), candidates });
        }
        Ok(named.pop())
    }

    /// The execution with this number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn execution_numbered(&self, id: ExecutionId) -> Result<Option<ExecutionRow>, JournalError> {
        let mut query = QueryBuilder::new(HEADER);
        query.push("x.id = ").push_bind(id.0);
        Ok(self.headers(query).await?.pop())
    }

    /// Those of the executions with these numbers that there are.
    pub(crate) async fn headers_of(&self, executions: &Numbers) -> Result<Vec<ExecutionRow>, JournalError> {
        let mut query = QueryBuilder::new(HEADER);
        query.push("x.id IN (SELECT value FROM json_each(").push_bind(executions.0.clone()).push("))");
        self.headers(query).await
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

    /// How many executions there are of each status that occurs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn counts(&self) -> Result<BTreeMap<Status, u64>, JournalError> {
        let mut conn = self.reader().await?;
        let query = sqlx::query_as(
            "SELECT 'RUNNING', count(*) FROM execution INDEXED BY execution_open WHERE status = 'RUNNING' HAVING count(*) > 0 \
             UNION ALL \
             SELECT status, count(*) FROM execution INDEXED BY execution_ended WHERE status <> 'RUNNING' GROUP BY status",
        );
        let rows: Result<Vec<(String, i64)>, _> = query.fetch_all(&mut *conn).await;
        let rows = rows.map_err(|e| self.place.failed(e))?;
        Ok(rows.into_iter().filter_map(|(name, n)| Some((name.parse().ok()?, n.unsigned_abs()))).collect())
    }

    /// The definition with this hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn definition(&self, hash: &str) -> Result<Option<Definition>, JournalError> {
        let mut conn = self.reader().await?;
        let query = sqlx::query_as("SELECT hash, name, text FROM definition WHERE hash = ?").bind(hash);
        let row: Result<Option<(String, String, String)>, _> = query.fetch_optional(&mut *conn).await;
        let row = row.map_err(|e| self.place.failed(e))?;
        Ok(row.map(|(hash, name, text)| Definition { hash: hash.into(), name: name.into(), text: text.into() }))
    }

    /// Looks at the embedded services without waiting for the writer: whatever `look` writes is undone, or fails. It does
    /// nothing but call services, as in [`Journal::transact`].
    ///
    /// # Errors
    /// Those of `look`, or when the database cannot be read.
    pub async fn inspect<T, E, F>(&self, look: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<JournalError> + Send + 'static,
    {
        let (readers, place) = (self.readers.clone(), self.place.clone());
        let look = move |tx: &mut SqliteTx<'_>| look(tx).now_or_never().unwrap_or(Err(JournalError::Waited.into()));
        in_the_background(move || readers.look(&place, look)).await
    }
}
