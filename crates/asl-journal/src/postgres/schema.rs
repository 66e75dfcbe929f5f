//! The version of a store: made, checked, brought up to date, under an advisory lock.

use super::conn::text;
use super::error::Place;
use crate::JournalError;
use sqlx::{Connection, Executor, PgConnection, Row as _};

/// What brings a store from version `n` to `n + 1`, from the empty schema on. Only ever added to.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];
/// The oldest server: 13 has 64-bit transaction ids as a type.
const SERVER: u32 = 130_000;
/// How many bits of a position are the place in its transaction.
pub(crate) const PLACE_BITS: u32 = 20;

/// What the schema is.
enum Found {
    Missing,
    Foreign,
    Ours(i64),
}

async fn look(conn: &mut PgConnection, schema: &str) -> Result<Found, sqlx::Error> {
    let sql = "SELECT (SELECT count(*) FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = $1), \
               (SELECT count(*) FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
                JOIN pg_attribute a ON a.attrelid = c.oid \
                WHERE n.nspname = $1 AND c.relname = 'store' AND a.attname IN ('only_row', 'version', 'base'))";
    let row = sqlx::query(sql).persistent(false).bind(schema).fetch_one(&mut *conn).await?;
    let (tables, ours): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if tables == 0 {
        return Ok(Found::Missing);
    }
    if ours != 3 {
        return Ok(Found::Foreign);
    }
    let sql = text(schema, "SELECT version FROM @store");
    let row = sqlx::query(sql).persistent(false).fetch_optional(&mut *conn).await?;
    row.map_or(Ok(Found::Foreign), |row| row.try_get(0).map(Found::Ours))
}

/// The version of the store; 0 where there is none.
async fn version(conn: &mut PgConnection, place: &Place, schema: &str) -> Result<i64, JournalError> {
    if conn.server_version_num().is_some_and(|found| found < SERVER) {
        let what = "is older than PostgreSQL 13, which this program needs".to_owned();
        return Err(JournalError::Address { place: place.0.clone(), what });
    }
    let known = MIGRATIONS.len() as i64;
    match look(conn, schema).await.map_err(|e| place.failed(e))? {
        Found::Missing => Ok(0),
        Found::Foreign => Err(JournalError::Foreign { place: place.0.clone(), application_id: 0 }),
        Found::Ours(found) if found > known => Err(JournalError::Newer { place: place.0.clone(), found, known }),
        Found::Ours(found) => Ok(found),
    }
}

/// The version of the store, looked at in a transaction: behind a pooler a statement is prepared and run on one server only there.
async fn look_at(conn: &mut PgConnection, place: &Place, schema: &str) -> Result<i64, JournalError> {
    let mut tx = conn.begin().await.map_err(|e| place.failed(e))?;
    let found = version(&mut tx, place, schema).await?;
    tx.commit().await.map_err(|e| place.failed(e))?;
    Ok(found)
}

/// Refuses a store that is not there, not ours, or of another version.
pub(crate) async fn check(conn: &mut PgConnection, place: &Place, schema: &str) -> Result<(), JournalError> {
    let known = MIGRATIONS.len() as i64;
    match look_at(conn, place, schema).await? {
        0 => Err(JournalError::Missing { place: place.0.clone() }),
        found if found < known => Err(JournalError::Older { place: place.0.clone(), found, known }),
        _ => Ok(()),
    }
}

/// Makes the store, or brings it up to date: all of it, or nothing.
pub(crate) async fn migrate(conn: &mut PgConnection, place: &Place, schema: &str) -> Result<(), JournalError> {
    let known = MIGRATIONS.len() as i64;
    if look_at(conn, place, schema).await? < known {
        let failed = |e| place.failed(e);
        let mut tx = conn.begin().await.map_err(failed)?;
        // Under the lock, for another process may just have done it.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('asl migration ' || $1, 0))";
        sqlx::query(lock).persistent(false).bind(schema).execute(&mut *tx).await.map_err(failed)?;
        let from = version(&mut tx, place, schema).await?;
        if from < known {
            apply(&mut tx, schema, from).await.map_err(failed)?;
        }
        tx.commit().await.map_err(failed)?;
    }
    rebase(conn, schema).await.map_err(|e| place.failed(e))
}

async fn apply(tx: &mut PgConnection, schema: &str, from: i64) -> Result<(), sqlx::Error> {
    let is_there = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    let found = sqlx::query(is_there).persistent(false).bind(schema).fetch_one(&mut *tx).await?;
    // Somebody who may not make schemas gets an empty one made.
    if found.try_get::<i64, _>(0)? == 0 {
        tx.execute(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await?;
    }
    for migration in &MIGRATIONS[usize::try_from(from).unwrap_or(0)..] {
        tx.execute(sqlx::raw_sql(text(schema, migration))).await?;
    }
    let known = MIGRATIONS.len();
    let sql =
        format!("INSERT INTO @store (version) VALUES ({known}) ON CONFLICT (only_row) DO UPDATE SET version = {known}");
    tx.execute(text(schema, &sql)).await.map(drop)
}

/// Positions only ever grow. On a server with lower transaction ids (a store that was restored or moved there) `base` makes up for it.
pub(crate) async fn rebase(conn: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let sql = format!(
        "UPDATE @store SET base = last.xact + 1 - pg_current_xact_id()::text::bigint FROM \
         (SELECT coalesce(max(position), 0) >> {PLACE_BITS} AS xact FROM @journal) last \
         WHERE last.xact >= base + pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    );
    let late = format!(
        "SELECT 1 FROM @store WHERE (SELECT coalesce(max(position), 0) >> {PLACE_BITS} FROM @journal) \
         >= base + pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    );
    if conn.fetch_optional(text(schema, &late)).await?.is_some() {
        conn.execute(text(schema, &sql)).await?;
    }
    Ok(())
}
