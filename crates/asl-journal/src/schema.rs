//! The version of a database file: made, checked, brought up to date.

use crate::error::{JournalError, Place};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

/// SQLite's `application_id` of our files: `ASLJ`.
const APPLICATION_ID: i64 = 0x4153_4c4a;

/// What brings a database from version `n` to `n + 1`, from the empty file on. Only ever added to.
pub(crate) const MIGRATIONS: &[&str] =
    &[include_str!("schema.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];

/// What the file is.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Empty,
    Ours(i64),
    Foreign(i64),
}

async fn look(conn: &mut SqliteConnection) -> Result<Found, sqlx::Error> {
    let sql = "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), \
               (SELECT count(*) FROM sqlite_master)";
    let row = sqlx::query(sql).fetch_one(conn).await?;
    let (application_id, version, tables): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(match application_id {
        APPLICATION_ID => Found::Ours(version),
        0 if tables == 0 => Found::Empty,
        other => Found::Foreign(other),
    })
}

/// Refuses a file that is not ours or newer than `known`; otherwise tells its version, 0 for an empty one.
pub(crate) async fn version(conn: &mut SqliteConnection, place: &Place, known: usize) -> Result<usize, JournalError> {
    let path = place.path.clone();
    let known = known as i64;
    match look(conn).await.map_err(|e| place.failed(e))? {
        Found::Empty => Ok(0),
        Found::Foreign(application_id) => Err(JournalError::Foreign { path, application_id }),
        Found::Ours(found) if found > known => Err(JournalError::Newer { path, found, known }),
        Found::Ours(found) => Ok(usize::try_from(found).unwrap_or(0)),
    }
}

/// Brings the database to the version that `migrations` end with: all of it, or nothing.
pub(crate) async fn migrate(
    conn: &mut SqliteConnection,
    place: &Place,
    migrations: &[&'static str],
) -> Result<(), JournalError> {
    if version(conn, place, migrations.len()).await? == migrations.len() {
        return Ok(());
    }
    let failed = |e| place.failed(e);
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *conn).await.map_err(failed)?;
    // Under the lock, for another process may just have done it.
    let result = match version(conn, place, migrations.len()).await {
        Ok(from) => apply(conn, migrations, from).await.map_err(failed),
        Err(error) => Err(error),
    };
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = sqlx::raw_sql(end).execute(&mut *conn).await.map_err(failed);
    result.and(ended.map(|_| ()))
}

async fn apply(conn: &mut SqliteConnection, migrations: &[&'static str], from: usize) -> Result<(), sqlx::Error> {
    for migration in &migrations[from.min(migrations.len())..] {
        sqlx::raw_sql(*migration).execute(&mut *conn).await?;
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", migrations.len());
    sqlx::raw_sql(AssertSqlSafe(stamp)).execute(&mut *conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Connection;
    use std::path::Path;

    fn place() -> Place {
        Place { path: Path::new("test.db").into(), busy_timeout_ms: 0 }
    }

    async fn tables(conn: &mut SqliteConnection) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('a', 'b') ORDER BY name";
        sqlx::query_scalar(sql).fetch_all(conn).await.unwrap()
    }

    #[tokio::test]
    async fn an_older_database_is_brought_up_to_date_keeping_its_rows() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let first = "CREATE TABLE a (x); INSERT INTO a VALUES (7);";
        migrate(&mut conn, &place(), &[first]).await.unwrap();
        migrate(&mut conn, &place(), &[first, "CREATE TABLE b AS SELECT x FROM a;"]).await.unwrap();
        assert_eq!(look(&mut conn).await.unwrap(), Found::Ours(2));
        let kept: i64 = sqlx::query_scalar("SELECT x FROM b").fetch_one(&mut conn).await.unwrap();
        assert_eq!(kept, 7);
    }

    #[tokio::test]
    async fn a_database_of_version_1_is_brought_up_to_date() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut conn, &place(), &MIGRATIONS[..1]).await.unwrap();
        let old = "INSERT INTO definition VALUES ('h', 'm', '{}', 0); \
                   INSERT INTO execution (arn, name, state_machine, state_machine_arn, definition, status, started_ms) \
                   VALUES ('a', 'a', 'm', 'm', 'h', 'RUNNING', 7), ('b', 'b', 'm', 'm', 'h', 'FAILED', 8);";
        sqlx::raw_sql(old).execute(&mut conn).await.unwrap();
        migrate(&mut conn, &place(), MIGRATIONS).await.unwrap();
        assert_eq!(look(&mut conn).await.unwrap(), Found::Ours(MIGRATIONS.len() as i64));
        // What was open belongs to nobody, so anybody can take it.
        let sql = "SELECT arn FROM execution INDEXED BY execution_open WHERE status = 'RUNNING' AND owner IS NULL";
        let open: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
        assert_eq!(open, ["a"]);
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_nothing() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut conn, &place(), &["CREATE TABLE a (x);"]).await.unwrap();
        let second = "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);";
        let error = migrate(&mut conn, &place(), &["CREATE TABLE a (x);", second]).await.unwrap_err();
        assert!(matches!(error, JournalError::Database { .. }), "{error}");
        assert_eq!(look(&mut conn).await.unwrap(), Found::Ours(1));
        assert_eq!(tables(&mut conn).await, ["a"]);
    }

    #[tokio::test]
    async fn newer_and_foreign_are_refused() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let steps = ["CREATE TABLE a (x);", "CREATE TABLE b (x);"];
        migrate(&mut conn, &place(), &steps).await.unwrap();
        let error = migrate(&mut conn, &place(), &steps[..1]).await.unwrap_err();
        assert!(matches!(error, JournalError::Newer { found: 2, known: 1, .. }), "{error}");

        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql("CREATE TABLE theirs (x)").execute(&mut conn).await.unwrap();
        let error = migrate(&mut conn, &place(), &steps).await.unwrap_err();
        assert!(matches!(error, JournalError::Foreign { application_id: 0, .. }), "{error}");
    }
}
