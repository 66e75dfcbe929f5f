//! The version of a database file: made, checked, brought up to date.

use crate::JournalError;
use crate::sqlite::error::Place;
use rusqlite::Connection;

/// SQLite's `application_id` of our files: `ASLJ`.
const APPLICATION_ID: i64 = 0x4153_4c4a;

/// What brings a database from version `n` to `n + 1`, from the empty file on. Only ever added to.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
];

/// What the file is.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Empty,
    Ours(i64),
    Foreign(i64),
}

fn look(conn: &Connection) -> Result<Found, rusqlite::Error> {
    let sql = "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), \
               (SELECT count(*) FROM sqlite_master)";
    let row = conn.query_row(sql, (), |row| <(i64, i64, i64)>::try_from(row));
    let (application_id, version, tables) = row?;
    Ok(match application_id {
        APPLICATION_ID => Found::Ours(version),
        0 if tables == 0 => Found::Empty,
        other => Found::Foreign(other),
    })
}

/// Refuses a file that is not ours or newer than `known`; otherwise tells its version, 0 for an empty one.
pub(crate) fn version(conn: &Connection, place: &Place, known: usize) -> Result<usize, JournalError> {
    let name = place.name();
    let known = known as i64;
    match look(conn).map_err(|e| place.failed(e))? {
        Found::Empty => Ok(0),
        Found::Foreign(application_id) => Err(JournalError::Foreign { place: name, application_id }),
        Found::Ours(found) if found > known => Err(JournalError::Newer { place: name, found, known }),
        Found::Ours(found) => Ok(usize::try_from(found).unwrap_or(0)),
    }
}

/// Brings the database to the version that `migrations` end with: all of it, or nothing.
pub(crate) fn migrate(conn: &Connection, place: &Place, migrations: &[&'static str]) -> Result<(), JournalError> {
    if version(conn, place, migrations.len())? == migrations.len() {
        return Ok(());
    }
    let failed = |e| place.failed(e);
    conn.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    // Under the lock, for another process may just have done it.
    let result = version(conn, place, migrations.len()).and_then(|from| apply(conn, migrations, from).map_err(failed));
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = conn.execute_batch(end).map_err(failed);
    result.and(ended)
}

fn apply(conn: &Connection, migrations: &[&'static str], from: usize) -> Result<(), rusqlite::Error> {
    for migration in &migrations[from.min(migrations.len())..] {
        conn.execute_batch(migration)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", migrations.len() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn place() -> Place {
        Place { path: Path::new("test.db").into(), busy_timeout_ms: 0 }
    }

    fn tables(conn: &Connection) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('a', 'b') ORDER BY name";
        texts(conn, sql)
    }

    fn texts(conn: &Connection, sql: &str) -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn an_older_database_is_brought_up_to_date_keeping_its_rows() {
        let conn = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x); INSERT INTO a VALUES (7);";
        migrate(&conn, &place(), &[first]).unwrap();
        migrate(&conn, &place(), &[first, "CREATE TABLE b AS SELECT x FROM a;"]).unwrap();
        assert_eq!(look(&conn).unwrap(), Found::Ours(2));
        let kept: i64 = conn.query_row("SELECT x FROM b", (), |row| row.get(0)).unwrap();
        assert_eq!(kept, 7);
    }

    #[test]
    fn a_database_of_version_1_is_brought_up_to_date() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, &place(), &MIGRATIONS[..1]).unwrap();
        let old = "INSERT INTO definition VALUES ('h', 'm', '{}', 0); \
                   INSERT INTO execution (arn, name, state_machine, state_machine_arn, definition, status, started_ms) \
                   VALUES ('a', 'a', 'm', 'm', 'h', 'RUNNING', 7), ('b', 'b', 'm', 'm', 'h', 'FAILED', 8);";
        conn.execute_batch(old).unwrap();
        migrate(&conn, &place(), MIGRATIONS).unwrap();
        assert_eq!(look(&conn).unwrap(), Found::Ours(MIGRATIONS.len() as i64));
        // What was open belongs to nobody, so anybody can take it.
        let sql = "SELECT arn FROM execution INDEXED BY execution_open WHERE status = 'RUNNING' AND owner IS NULL";
        assert_eq!(texts(&conn, sql), ["a"]);
    }

    #[test]
    fn the_records_of_a_database_of_version_3_become_chains() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, &place(), &MIGRATIONS[..3]).unwrap();
        let old = "INSERT INTO definition VALUES ('h', 'm', '{}', 0); \
                   INSERT INTO execution (arn, name, state_machine, state_machine_arn, definition, status, started_ms) \
                   VALUES ('a', 'a', 'm', 'm', 'h', 'RUNNING', 7), ('b', 'b', 'm', 'm', 'h', 'FAILED', 8); \
                   INSERT INTO journal (position, execution, number, first_event, event_count, body, checksum) \
                   VALUES (3, 1, 1, 1, 1, 'a1', 31), (4, 2, 1, 1, 1, 'b1', 32), (7, 1, 3, 2, 4, 'a3', 33), \
                          (8, 2, 2, 2, 1, 'b2', 34), (9, 1, 10, 6, 0, 'a10', 35);";
        conn.execute_batch(old).unwrap();
        migrate(&conn, &place(), MIGRATIONS).unwrap();
        let rows = "SELECT concat_ws(' ', position, execution, coalesce(previous, '-'), number, first_event, event_count, \
                    body, checksum) FROM journal ORDER BY position";
        let expected =
            ["3 1 - 1 1 1 a1 31", "4 2 - 1 1 1 b1 32", "7 1 3 3 2 4 a3 33", "8 2 4 2 2 1 b2 34", "9 1 7 10 6 0 a10 35"];
        assert_eq!(texts(&conn, rows), expected);
        let latest = "SELECT concat_ws(' ', execution, position, number) FROM latest ORDER BY execution";
        assert_eq!(texts(&conn, latest), ["1 9 10", "2 8 2"]);
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, &place(), &["CREATE TABLE a (x);"]).unwrap();
        let second = "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);";
        let error = migrate(&conn, &place(), &["CREATE TABLE a (x);", second]).unwrap_err();
        assert!(matches!(error, JournalError::Database { .. }), "{error}");
        assert_eq!(look(&conn).unwrap(), Found::Ours(1));
        assert_eq!(tables(&conn), ["a"]);
    }

    #[test]
    fn newer_and_foreign_are_refused() {
        let conn = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x);", "CREATE TABLE b (x);"];
        migrate(&conn, &place(), &steps).unwrap();
        let error = migrate(&conn, &place(), &steps[..1]).unwrap_err();
        assert!(matches!(error, JournalError::Newer { found: 2, known: 1, .. }), "{error}");

        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
        let error = migrate(&conn, &place(), &steps).unwrap_err();
        assert!(matches!(error, JournalError::Foreign { application_id: 0, .. }), "{error}");
    }
}
