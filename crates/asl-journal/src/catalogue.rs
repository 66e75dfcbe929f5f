//! The catalogue in SQLite: one statement or one small transaction for each call. The writer's thread writes, readers read.

use crate::error::Place;
use crate::group::{Group, Job, Reply};
use crate::{ExecutionId, Journal, JournalError};
use asl_expr::Timestamp;
use asl_store::{ActivityRow, After, AliasRow, Catalogue, MapRunRow, StateMachineRow, VersionRow};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite};

type Result<T> = std::result::Result<T, JournalError>;
type Read<T> = std::result::Result<T, sqlx::Error>;
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

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn state_machine(row: &SqliteRow) -> Read<StateMachineRow> {
    Ok(StateMachineRow {
        arn: row.try_get(0)?,
        name: row.try_get(1)?,
        kind: row.try_get(2)?,
        definition: row.try_get(3)?,
        role_arn: row.try_get(4)?,
        status: row.try_get(5)?,
        revision_id: row.try_get(6)?,
        configuration: row.try_get(7)?,
        last_version: row.try_get(8)?,
        created: time(row.try_get(9)?),
        updated: row.try_get::<Option<i64>, _>(10)?.map(time),
    })
}

fn version(row: &SqliteRow) -> Read<VersionRow> {
    Ok(VersionRow {
        state_machine: row.try_get(0)?,
        number: row.try_get(1)?,
        description: row.try_get(2)?,
        revision_id: row.try_get(3)?,
        definition: row.try_get(4)?,
        role_arn: row.try_get(5)?,
        configuration: row.try_get(6)?,
        created: time(row.try_get(7)?),
    })
}

fn alias(row: &SqliteRow) -> Read<AliasRow> {
    let routing: &str = row.try_get(3)?;
    Ok(AliasRow {
        state_machine: row.try_get(0)?,
        name: row.try_get(1)?,
        description: row.try_get(2)?,
        routing: serde_json::from_str(routing).map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        created: time(row.try_get(4)?),
        updated: time(row.try_get(5)?),
    })
}

fn activity(row: &SqliteRow) -> Read<ActivityRow> {
    Ok(ActivityRow {
        arn: row.try_get(0)?,
        name: row.try_get(1)?,
        encryption: row.try_get(2)?,
        created: time(row.try_get(3)?),
    })
}

fn map_run(row: &SqliteRow) -> Read<MapRunRow> {
    Ok(MapRunRow {
        arn: row.try_get(0)?,
        execution: ExecutionId(row.try_get(1)?),
        state_machine: row.try_get(2)?,
        status: row.try_get(3)?,
        max_concurrency: row.try_get(4)?,
        tolerated_failure_percentage: row.try_get(5)?,
        tolerated_failure_count: row.try_get(6)?,
        redrive_count: row.try_get(7)?,
        redriven: row.try_get::<Option<i64>, _>(8)?.map(time),
        started: time(row.try_get(9)?),
        stopped: row.try_get::<Option<i64>, _>(10)?.map(time),
    })
}

/// The key that a page begins behind; the empty text comes before all keys.
fn behind(after: &After) -> String {
    after.key.clone().unwrap_or_default()
}

#[async_trait]
impl Catalogue for Journal {
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
        self.catalogued(query.bind(resource.to_owned()), |row| Ok((row.try_get(0)?, row.try_get(1)?))).await
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
