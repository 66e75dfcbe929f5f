//! The catalogue in SQLite: one statement or one small transaction for each call. The writer's thread writes, readers read.

use crate::encoding::catalogue::{Read, activity, alias, behind, columns, map_run, state_machine, tag, version};
use crate::sqlite::error::Place;
use crate::sqlite::write::group::{Group, Job, Reply};
use crate::{Definition, ExecutionId, Journal, JournalError};
use asl_expr::Timestamp;
use asl_store::{ActivityRow, After, AliasRow, Catalogue, MapRunRow, StateMachineRow, VersionRow};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sqlx::Sqlite;
use sqlx::sqlite::SqliteRow;

type Result<T> = std::result::Result<T, JournalError>;
type Written<T> = std::result::Result<T, rusqlite::Error>;

/// A change of the catalogue on its way to the writer.
pub(crate) trait Change: Send {
    /// Makes it in the open transaction; its caller is told with the group.
    fn make(self: Box<Self>, conn: &Connection, place: &Place, group: &mut Group) -> Result<()>;
    /// Tells its caller that it failed.
    fn fail(self: Box<Self>, error: &JournalError);
}

struct Statement<F, T> {
    f: F,
    reply: Reply<T>,
}

impl<F, T> Change for Statement<F, T>
where
    F: FnOnce(&Connection) -> Written<T> + Send,
    T: Send + 'static,
{
    fn make(self: Box<Self>, conn: &Connection, place: &Place, group: &mut Group) -> Result<()> {
        let done = (self.f)(conn).map(Ok).map_err(|e| place.failed(e));
        group.tell(self.reply, done)
    }

    fn fail(self: Box<Self>, error: &JournalError) {
        // A caller that has gone away wants no answer.
        let _ = self.reply.send(Err(error.clone()));
    }
}

impl Journal {
    async fn change<T, F>(&self, f: F) -> Result<T>
    where
        F: FnOnce(&Connection) -> Written<T> + Send + 'static,
        T: Send + 'static,
    {
        self.ask(|reply| Job::Change(Box::new(Statement { f, reply }))).await
    }

    async fn catalogued<T>(
        &self,
        query: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>,
        read: fn(&SqliteRow) -> Read<T>,
    ) -> Result<Vec<T>> {
        let mut conn = self.reader().await?;
        let rows = query.fetch_all(&mut *conn).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).map_err(|e| self.place.failed(e))
    }
}

columns!(SqliteRow);

#[async_trait]
impl Catalogue for Journal {
    async fn put_definition(&self, definition: &Definition, now: Timestamp) -> Result<()> {
        let Definition { hash, name, text } = definition.clone();
        let sql = "INSERT INTO definition (hash, name, text, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        self.change(move |conn| conn.execute(sql, (hash, name, text, now.millis()))).await.map(drop)
    }

    async fn create_state_machine(&self, row: &StateMachineRow) -> Result<bool> {
        let r = row.clone();
        let sql = "INSERT INTO state_machine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let made = self.change(move |conn| {
            conn.execute(
                sql,
                params![
                    r.arn,
                    r.name,
                    r.kind,
                    r.definition,
                    r.role_arn,
                    r.status,
                    r.revision_id,
                    r.configuration,
                    r.last_version,
                    r.created.millis(),
                    r.updated.map(|at| at.millis()),
                ],
            )
        });
        Ok(made.await? == 1)
    }

    async fn update_state_machine(&self, row: &StateMachineRow, revision_id: Option<&str>) -> Result<bool> {
        let (r, revision_id) = (row.clone(), revision_id.map(str::to_owned));
        let sql = "UPDATE state_machine SET definition = ?2, role_arn = ?3, status = ?4, revision_id = ?5, \
                   configuration = ?6, updated_ms = ?7 WHERE arn = ?1 AND revision_id IS ?8";
        let updated = r.updated.map(|at| at.millis());
        let changed = self.change(move |conn| {
            conn.execute(
                sql,
                params![
                    r.arn,
                    r.definition,
                    r.role_arn,
                    r.status,
                    r.revision_id,
                    r.configuration,
                    updated,
                    revision_id
                ],
            )
        });
        Ok(changed.await? == 1)
    }

    async fn state_machine(&self, arn: &str) -> Result<Option<StateMachineRow>> {
        let query = sqlx::query("SELECT * FROM state_machine WHERE arn = ?").bind(arn.to_owned());
        Ok(self.catalogued(query, state_machine).await?.pop())
    }

    async fn state_machines(&self, after: After) -> Result<Vec<StateMachineRow>> {
        let query = sqlx::query("SELECT * FROM state_machine WHERE arn > ? ORDER BY arn LIMIT ?");
        self.catalogued(query.bind(behind(&after)).bind(after.limit), state_machine).await
    }

    async fn delete_state_machine(&self, arn: &str) -> Result<bool> {
        let arn = arn.to_owned();
        let deleted = self.change(move |conn| {
            conn.execute("DELETE FROM version WHERE state_machine = ?", [&arn])?;
            conn.execute("DELETE FROM alias WHERE state_machine = ?", [&arn])?;
            conn.execute("DELETE FROM tag WHERE resource = ?", [&arn])?;
            conn.execute("DELETE FROM state_machine WHERE arn = ?", [&arn])
        });
        Ok(deleted.await? == 1)
    }

    async fn publish_version(&self, row: &VersionRow) -> Result<Option<i64>> {
        let r = row.clone();
        let published = self.change(move |conn| {
            let sql = "UPDATE state_machine SET last_version = last_version + 1 WHERE arn = ? RETURNING last_version";
            let number: Option<i64> = conn.query_row(sql, [&r.state_machine], |row| row.get(0)).optional()?;
            let Some(number) = number else { return Ok(None) };
            conn.execute(
                "INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    r.state_machine,
                    number,
                    r.description,
                    r.revision_id,
                    r.definition,
                    r.role_arn,
                    r.configuration,
                    r.created.millis(),
                ],
            )?;
            Ok(Some(number))
        });
        published.await
    }

    async fn versions(&self, state_machine: &str, before: Option<i64>, limit: u32) -> Result<Vec<VersionRow>> {
        let sql = "SELECT * FROM version WHERE state_machine = ? AND number < ? ORDER BY number DESC LIMIT ?";
        let query = sqlx::query(sql).bind(state_machine.to_owned()).bind(before.unwrap_or(i64::MAX)).bind(limit);
        self.catalogued(query, version).await
    }

    async fn delete_version(&self, state_machine: &str, number: i64) -> Result<bool> {
        let machine = state_machine.to_owned();
        let sql = "DELETE FROM version WHERE state_machine = ?1 AND number = ?2 AND NOT EXISTS (\
                   SELECT 1 FROM alias a, json_each(a.routing) r WHERE a.state_machine = ?1 AND r.value ->> 0 = ?2)";
        Ok(self.change(move |conn| conn.execute(sql, (machine, number))).await? == 1)
    }

    async fn put_alias(&self, row: &AliasRow) -> Result<bool> {
        let r = row.clone();
        let routing = serde_json::to_string(&r.routing).expect("numbers have no way to fail");
        let sql = "INSERT OR REPLACE INTO alias SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (\
                   SELECT 1 FROM json_each(?4) r WHERE NOT EXISTS (\
                   SELECT 1 FROM version v WHERE v.state_machine = ?1 AND v.number = r.value ->> 0))";
        let put = self.change(move |conn| {
            let (created, updated) = (r.created.millis(), r.updated.millis());
            conn.execute(sql, params![r.state_machine, r.name, r.description, routing, created, updated])
        });
        Ok(put.await? == 1)
    }

    async fn aliases(&self, state_machine: &str, after: After) -> Result<Vec<AliasRow>> {
        let query = sqlx::query("SELECT * FROM alias WHERE state_machine = ? AND name > ? ORDER BY name LIMIT ?");
        self.catalogued(query.bind(state_machine.to_owned()).bind(behind(&after)).bind(after.limit), alias).await
    }

    async fn delete_alias(&self, state_machine: &str, name: &str) -> Result<bool> {
        let key = (state_machine.to_owned(), name.to_owned());
        let sql = "DELETE FROM alias WHERE state_machine = ? AND name = ?";
        Ok(self.change(move |conn| conn.execute(sql, key)).await? == 1)
    }

    async fn create_activity(&self, row: &ActivityRow) -> Result<bool> {
        let ActivityRow { arn, name, encryption, created } = row.clone();
        let sql = "INSERT INTO activity VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let made = self.change(move |conn| conn.execute(sql, params![arn, name, encryption, created.millis()]));
        Ok(made.await? == 1)
    }

    async fn activity(&self, arn: &str) -> Result<Option<ActivityRow>> {
        let query = sqlx::query("SELECT * FROM activity WHERE arn = ?").bind(arn.to_owned());
        Ok(self.catalogued(query, activity).await?.pop())
    }

    async fn activities(&self, after: After) -> Result<Vec<ActivityRow>> {
        let query = sqlx::query("SELECT * FROM activity WHERE arn > ? ORDER BY arn LIMIT ?");
        self.catalogued(query.bind(behind(&after)).bind(after.limit), activity).await
    }

    async fn delete_activity(&self, arn: &str) -> Result<bool> {
        let arn = arn.to_owned();
        let deleted = self.change(move |conn| {
            conn.execute("DELETE FROM tag WHERE resource = ?", [&arn])?;
            conn.execute("DELETE FROM activity WHERE arn = ?", [&arn])
        });
        Ok(deleted.await? == 1)
    }

    async fn tags(&self, resource: &str) -> Result<Vec<(String, String)>> {
        let query = sqlx::query("SELECT key, value FROM tag WHERE resource = ? ORDER BY key");
        self.catalogued(query.bind(resource.to_owned()), tag).await
    }

    async fn tag(&self, resource: &str, set: &[(String, String)], remove: &[String]) -> Result<()> {
        let (resource, set, remove) = (resource.to_owned(), set.to_vec(), remove.to_vec());
        let changed = self.change(move |conn| {
            for key in remove {
                conn.execute("DELETE FROM tag WHERE resource = ? AND key = ?", (&resource, key))?;
            }
            for (key, value) in set {
                conn.execute("INSERT OR REPLACE INTO tag VALUES (?, ?, ?)", (&resource, key, value))?;
            }
            Ok(())
        });
        changed.await
    }

    async fn put_map_run(&self, row: &MapRunRow) -> Result<()> {
        let r = row.clone();
        let put = self.change(move |conn| {
            conn.execute(
                "INSERT OR REPLACE INTO map_run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    r.arn,
                    r.execution.0,
                    r.state_machine,
                    r.status,
                    r.max_concurrency,
                    r.tolerated_failure_percentage,
                    r.tolerated_failure_count,
                    r.redrive_count,
                    r.redriven.map(|at| at.millis()),
                    r.started.millis(),
                    r.stopped.map(|at| at.millis()),
                ],
            )
        });
        put.await.map(drop)
    }

    async fn map_run(&self, arn: &str) -> Result<Option<MapRunRow>> {
        let query = sqlx::query("SELECT * FROM map_run WHERE arn = ?").bind(arn.to_owned());
        Ok(self.catalogued(query, map_run).await?.pop())
    }

    async fn map_runs(&self, execution: ExecutionId, after: After) -> Result<Vec<MapRunRow>> {
        let query = sqlx::query("SELECT * FROM map_run WHERE execution = ? AND arn > ? ORDER BY arn LIMIT ?");
        self.catalogued(query.bind(execution.0).bind(behind(&after)).bind(after.limit), map_run).await
    }
}
