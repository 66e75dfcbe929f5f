//! Connections: had again with back-off when they are lost, statements that are tried again, and transactions whose commit was cut off
//! and is looked up.

use super::PgStore;
use super::error::{Class, class};
use crate::{JournalError, WorkerId};
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Postgres, Row as _};
use std::time::{Duration, Instant};

/// A statement with its values.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// How long a call tries to reach the server before it fails. What was sent and may be done is followed up for as long as it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How often a transaction is tried that runs into others.
pub(crate) const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A statement of ours: `@` stands for the schema, whose name is letters, digits and `_`.
pub(crate) fn text(schema: &str, sql: &str) -> AssertSqlSafe<String> {
    let mut out = String::with_capacity(sql.len() + 64);
    let mut parts = sql.split('@');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(schema);
        out.push('.');
        out.push_str(part);
    }
    AssertSqlSafe(out)
}

/// The pauses between attempts: they double, with a third of chance in them, so that those who ran into each other come apart.
pub(crate) struct Backoff {
    pause: Duration,
    begun: Instant,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff { pause: PAUSE, begun: Instant::now() }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.begun.elapsed() > PATIENCE
    }

    pub(crate) async fn pause(&mut self) {
        let chance = u64::from(self.begun.elapsed().subsec_nanos()) % 100;
        tokio::time::sleep(self.pause.mul_f64(0.7 + chance as f64 / 300.0)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl PgStore {
    /// A statement, prepared where that is kept from one to the next.
    pub(crate) fn query<'q>(&self, sql: &str) -> Query<'q> {
        sqlx::query(text(&self.address.schema, sql)).persistent(self.address.is_direct)
    }

    /// Reads rows with one statement.
    pub(crate) async fn fetch<'q>(
        &self,
        sql: &str,
        bind: impl Fn(Query<'q>) -> Query<'q> + Send + Sync,
    ) -> Result<Vec<PgRow>, JournalError> {
        let mut backoff = Backoff::new();
        loop {
            let read = async {
                let mut conn = self.pool.acquire().await?;
                if self.address.is_direct {
                    return bind(self.query(sql)).fetch_all(&mut *conn).await;
                }
                // Behind a pooler a statement is prepared and run on one server only inside a transaction.
                let mut tx = conn.begin().await?;
                let rows = bind(self.query(sql)).fetch_all(&mut *tx).await?;
                tx.commit().await?;
                Ok(rows)
            };
            match read.await {
                Ok(rows) => return Ok(rows),
                Err(error) if class(&error) == Class::Final || backoff.is_over() => {
                    return Err(self.place.failed(error));
                }
                Err(_) => backoff.pause().await,
            }
        }
    }

    /// Runs statements in one transaction. `f` may be run again; what it refuses (`Ok(Err(..))`) is undone. It makes its first statement
    /// before it waits, so that what it is given need not outlive the transaction.
    pub(crate) async fn write<T, F>(&self, f: F) -> Result<T, JournalError>
    where
        F: for<'t> FnMut(&'t mut PgConnection) -> BoxFuture<'t, Result<Result<T, JournalError>, sqlx::Error>> + Send,
        T: Send,
    {
        self.write_by(None, f).await
    }

    /// As [`PgStore::write`], on behalf of a worker: its row is held first, and nothing is written once it is gone.
    pub(crate) async fn write_by<T, F>(&self, worker: Option<WorkerId>, mut f: F) -> Result<T, JournalError>
    where
        F: for<'t> FnMut(&'t mut PgConnection) -> BoxFuture<'t, Result<Result<T, JournalError>, sqlx::Error>> + Send,
        T: Send,
    {
        self.may_write()?;
        let (mut backoff, mut attempts) = (Backoff::new(), 0);
        loop {
            attempts += 1;
            let done = async {
                let mut conn = self.pool.acquire().await?;
                let mut tx = conn.begin().await?;
                if let Some(worker) = worker
                    && !self.is_fenced_in(&mut tx, worker).await?
                {
                    return Ok(Err(JournalError::Fenced { worker }));
                }
                let value = match f(&mut tx).await? {
                    Ok(value) => value,
                    Err(refused) => {
                        tx.rollback().await?;
                        return Ok(Err(refused));
                    }
                };
                let xact = transaction_id(&mut tx).await?;
                match tx.commit().await {
                    Err(error) if class(&error) == Class::Lost => {
                        Ok(self.was_committed(xact).await.map(|was| was.then_some(value)))
                    }
                    committed => committed.map(|()| Ok(Some(value))),
                }
            };
            match done.await {
                Ok(Ok(Some(value))) => {
                    self.counts.transactions.add(1);
                    self.committed();
                    return Ok(value);
                }
                Ok(Ok(None)) => {}
                Ok(Err(refused)) => return Err(refused),
                Err(error) => match class(&error) {
                    Class::Conflict if attempts >= ATTEMPTS => {
                        return Err(JournalError::Conflict { place: self.place.0.clone(), attempts });
                    }
                    Class::Lost if backoff.is_over() => return Err(self.place.failed(error)),
                    Class::Final => return Err(self.place.failed(error)),
                    Class::Conflict => self.counts.conflicts.add(1),
                    Class::Lost => self.counts.lost.add(1),
                },
            }
            backoff.pause().await;
        }
    }

    /// Holds the row of a worker until the transaction ends. False when it is gone.
    pub(crate) async fn is_fenced_in(&self, tx: &mut PgConnection, worker: WorkerId) -> Result<bool, sqlx::Error> {
        let sql = "SELECT 1 FROM @worker WHERE id = $1 AND gone = 0 FOR KEY SHARE";
        Ok(self.query(sql).bind(worker.0).fetch_optional(tx).await?.is_some())
    }

    /// What became of a transaction whose commit got no answer. Asked until it is known.
    pub(crate) async fn was_committed(&self, xact: Option<i64>) -> Result<bool, JournalError> {
        // One that changed nothing has no number; it makes no difference.
        let Some(xact) = xact else { return Ok(true) };
        let mut backoff = Backoff::new();
        loop {
            let asked = async {
                let mut conn = self.pool.acquire().await?;
                let mut tx = conn.begin().await?;
                let sql = "SELECT pg_xact_status($1::text::xid8)";
                let row = sqlx::query(sql)
                    .persistent(self.address.is_direct)
                    .bind(xact.to_string())
                    .fetch_one(&mut *tx)
                    .await?;
                row.try_get::<Option<String>, _>(0)
            };
            match asked.await {
                Ok(status) => match status.as_deref() {
                    Some("committed") => return Ok(true),
                    Some("in progress") => {}
                    _ => return Ok(false),
                },
                Err(sqlx::Error::PoolClosed) => return Err(JournalError::Closed),
                // A number that the server has not given yet: it was promoted, and the transaction never reached it.
                Err(sqlx::Error::Database(told)) if told.code().as_deref() == Some("22023") => return Ok(false),
                Err(error) => {
                    tracing::warn!(%error, "a commit on {} was cut off, and what became of it is not known yet", self.place.0)
                }
            }
            backoff.pause().await;
        }
    }
}

/// The number of the open transaction, if it has changed anything.
pub(crate) async fn transaction_id(tx: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    // The simple protocol: one trip, and nothing to prepare.
    let row = tx.fetch_one("SELECT pg_current_xact_id_if_assigned()::text").await?;
    Ok(row.try_get::<Option<String>, _>(0)?.and_then(|number| number.parse().ok()))
}
