//! The catalogue in PostgreSQL: one statement or one small transaction for each call.

use super::PgStore;
use super::conn::Query;
use crate::encoding::catalogue::{Read, activity, alias, behind, columns, map_run, state_machine, tag, version};
use crate::{Definition, ExecutionId, JournalError};
use asl_expr::Timestamp;
use asl_store::{ActivityRow, After, AliasRow, Catalogue, MapRunRow, StateMachineRow, VersionRow};
use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

type Result<T> = std::result::Result<T, JournalError>;

impl PgStore {
    /// Runs one statement; returns how many rows it changed.
    async fn change(&self, sql: &str, bind: impl Fn(Query<'static>) -> Query<'static> + Send + Sync) -> Result<u64> {
        self.write(|tx| {
            let query = bind(self.query(sql));
            Box::pin(async move { query.execute(tx).await.map(|done| Ok(done.rows_affected())) })
        })
        .await
    }

    async fn catalogued<T>(
        &self,
        sql: &str,
        bind: impl Fn(Query<'static>) -> Query<'static> + Send + Sync,
        read: fn(&PgRow) -> Read<T>,
    ) -> Result<Vec<T>> {
        let rows = self.fetch(sql, bind).await?;
        rows.iter().map(read).collect::<Read<_>>().map_err(|e| self.place.failed(e))
    }

    /// Holds a state machine's versions and aliases until the transaction ends.
    fn hold(&self, state_machine: &str) -> Query<'static> {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 4))";
        self.query(sql).bind(state_machine.to_owned())
    }
}

columns!(PgRow);

#[async_trait]
impl Catalogue for PgStore {
    async fn put_definition(&self, definition: &Definition, now: Timestamp) -> Result<()> {
        let sql =
            "INSERT INTO @definition (hash, name, text, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let put = self.change(sql, |query| {
            let Definition { hash, name, text } = definition;
            query.bind(hash.to_string()).bind(name.to_string()).bind(text.to_string()).bind(now.millis())
        });
        put.await.map(drop)
    }

    async fn create_state_machine(&self, row: &StateMachineRow) -> Result<bool> {
        let sql =
            "INSERT INTO @state_machine VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
        let made = self.change(sql, |query| {
            let r = row.clone();
            let query = query.bind(r.arn).bind(r.name).bind(r.kind).bind(r.definition).bind(r.role_arn).bind(r.status);
            let query = query.bind(r.revision_id).bind(r.configuration).bind(r.last_version);
            query.bind(r.created.millis()).bind(r.updated.map(|at| at.millis()))
        });
        Ok(made.await? == 1)
    }

    async fn update_state_machine(&self, row: &StateMachineRow, revision_id: Option<&str>) -> Result<bool> {
        let sql = "UPDATE @state_machine SET definition = $2, role_arn = $3, status = $4, revision_id = $5, \
                   configuration = $6, updated_ms = $7 WHERE arn = $1 AND revision_id IS NOT DISTINCT FROM $8::text";
        let revision_id = revision_id.map(str::to_owned);
        let changed = self.change(sql, |query| {
            let r = row.clone();
            let query = query.bind(r.arn).bind(r.definition).bind(r.role_arn).bind(r.status).bind(r.revision_id);
            query.bind(r.configuration).bind(r.updated.map(|at| at.millis())).bind(revision_id.clone())
        });
        Ok(changed.await? == 1)
    }

    async fn state_machine(&self, arn: &str) -> Result<Option<StateMachineRow>> {
        let sql = "SELECT * FROM @state_machine WHERE arn = $1";
        Ok(self.catalogued(sql, |query| query.bind(arn.to_owned()), state_machine).await?.pop())
    }

    async fn state_machines(&self, after: After) -> Result<Vec<StateMachineRow>> {
        let sql = "SELECT * FROM @state_machine WHERE arn > $1 ORDER BY arn LIMIT $2";
        self.catalogued(sql, |query| query.bind(behind(&after)).bind(i64::from(after.limit)), state_machine).await
    }

    async fn delete_state_machine(&self, arn: &str) -> Result<bool> {
        let sql = "WITH v AS (DELETE FROM @version WHERE state_machine = $1), a AS (DELETE FROM @alias WHERE state_machine = $1), \
                   t AS (DELETE FROM @tag WHERE resource = $1) DELETE FROM @state_machine WHERE arn = $1";
        let deleted = self.write(|tx| {
            let (hold, delete) = (self.hold(arn), self.query(sql).bind(arn.to_owned()));
            Box::pin(async move {
                hold.execute(&mut *tx).await?;
                delete.execute(tx).await.map(|done| Ok(done.rows_affected()))
            })
        });
        Ok(deleted.await? == 1)
    }

    async fn publish_version(&self, row: &VersionRow) -> Result<Option<i64>> {
        let sql = "WITH next AS (UPDATE @state_machine SET last_version = last_version + 1 WHERE arn = $1 RETURNING last_version) \
                   INSERT INTO @version SELECT $1, last_version, $2, $3, $4, $5, $6, $7 FROM next RETURNING number";
        self.write(|tx| {
            let r = row.clone();
            let query =
                self.query(sql).bind(r.state_machine).bind(r.description).bind(r.revision_id).bind(r.definition);
            let query = query.bind(r.role_arn).bind(r.configuration).bind(r.created.millis());
            Box::pin(async move { query.fetch_optional(tx).await?.map(|row| row.try_get(0)).transpose().map(Ok) })
        })
        .await
    }

    async fn versions(&self, state_machine: &str, before: Option<i64>, limit: u32) -> Result<Vec<VersionRow>> {
        let sql = "SELECT * FROM @version WHERE state_machine = $1 AND number < $2 ORDER BY number DESC LIMIT $3";
        let bind = |query: Query<'static>| {
            query.bind(state_machine.to_owned()).bind(before.unwrap_or(i64::MAX)).bind(i64::from(limit))
        };
        self.catalogued(sql, bind, version).await
    }

    async fn delete_version(&self, state_machine: &str, number: i64) -> Result<bool> {
        let sql = "DELETE FROM @version WHERE state_machine = $1 AND number = $2 AND NOT EXISTS (\
                   SELECT 1 FROM @alias a, json_array_elements(a.routing::json) r \
                   WHERE a.state_machine = $1 AND (r ->> 0)::int8 = $2)";
        let deleted = self.write(|tx| {
            let (hold, delete) =
                (self.hold(state_machine), self.query(sql).bind(state_machine.to_owned()).bind(number));
            Box::pin(async move {
                hold.execute(&mut *tx).await?;
                delete.execute(tx).await.map(|done| Ok(done.rows_affected()))
            })
        });
        Ok(deleted.await? == 1)
    }

    async fn put_alias(&self, row: &AliasRow) -> Result<bool> {
        let routing = serde_json::to_string(&row.routing).expect("numbers have no way to fail");
        let numbers: Vec<i64> = row.routing.iter().map(|(number, _)| *number).collect();
        let sql = "INSERT INTO @alias SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (\
                   SELECT 1 FROM unnest($7::int8[]) AS r(number) WHERE NOT EXISTS (\
                   SELECT 1 FROM @version v WHERE v.state_machine = $1 AND v.number = r.number)) \
                   ON CONFLICT (state_machine, name) DO UPDATE SET description = excluded.description, \
                   routing = excluded.routing, created_ms = excluded.created_ms, updated_ms = excluded.updated_ms";
        let put = self.write(|tx| {
            let r = row.clone();
            let hold = self.hold(&r.state_machine);
            let query = self.query(sql).bind(r.state_machine).bind(r.name).bind(r.description).bind(routing.clone());
            let query = query.bind(r.created.millis()).bind(r.updated.millis()).bind(numbers.clone());
            Box::pin(async move {
                hold.execute(&mut *tx).await?;
                query.execute(tx).await.map(|done| Ok(done.rows_affected()))
            })
        });
        Ok(put.await? == 1)
    }

    async fn aliases(&self, state_machine: &str, after: After) -> Result<Vec<AliasRow>> {
        let sql = "SELECT * FROM @alias WHERE state_machine = $1 AND name > $2 ORDER BY name LIMIT $3";
        let bind = |query: Query<'static>| {
            query.bind(state_machine.to_owned()).bind(behind(&after)).bind(i64::from(after.limit))
        };
        self.catalogued(sql, bind, alias).await
    }

    async fn delete_alias(&self, state_machine: &str, name: &str) -> Result<bool> {
        let sql = "DELETE FROM @alias WHERE state_machine = $1 AND name = $2";
        Ok(self.change(sql, |query| query.bind(state_machine.to_owned()).bind(name.to_owned())).await? == 1)
    }

    async fn create_activity(&self, row: &ActivityRow) -> Result<bool> {
        let sql = "INSERT INTO @activity VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let made = self.change(sql, |query| {
            let ActivityRow { arn, name, encryption, created } = row.clone();
            query.bind(arn).bind(name).bind(encryption).bind(created.millis())
        });
        Ok(made.await? == 1)
    }

    async fn activity(&self, arn: &str) -> Result<Option<ActivityRow>> {
        let sql = "SELECT * FROM @activity WHERE arn = $1";
        Ok(self.catalogued(sql, |query| query.bind(arn.to_owned()), activity).await?.pop())
    }

    async fn activities(&self, after: After) -> Result<Vec<ActivityRow>> {
        let sql = "SELECT * FROM @activity WHERE arn > $1 ORDER BY arn LIMIT $2";
        self.catalogued(sql, |query| query.bind(behind(&after)).bind(i64::from(after.limit)), activity).await
    }

    async fn delete_activity(&self, arn: &str) -> Result<bool> {
        let sql = "WITH t AS (DELETE FROM @tag WHERE resource = $1) DELETE FROM @activity WHERE arn = $1";
        Ok(self.change(sql, |query| query.bind(arn.to_owned())).await? == 1)
    }

    async fn tags(&self, resource: &str) -> Result<Vec<(String, String)>> {
        let sql = "SELECT key, value FROM @tag WHERE resource = $1 ORDER BY key";
        self.catalogued(sql, |query| query.bind(resource.to_owned()), tag).await
    }

    async fn tag(&self, resource: &str, set: &[(String, String)], remove: &[String]) -> Result<()> {
        // Of a key that is set twice the last one counts.
        let set: std::collections::BTreeMap<&String, &String> = set.iter().map(|(key, value)| (key, value)).collect();
        let (keys, values): (Vec<String>, Vec<String>) =
            set.into_iter().map(|(key, value)| (key.clone(), value.clone())).unzip();
        let delete = "DELETE FROM @tag WHERE resource = $1 AND key = ANY($2)";
        let insert = "INSERT INTO @tag SELECT $1, t.key, t.value FROM unnest($2::text[], $3::text[]) AS t(key, value) \
                      ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value";
        self.write(|tx| {
            let delete = self.query(delete).bind(resource.to_owned()).bind(remove.to_vec());
            let insert = self.query(insert).bind(resource.to_owned()).bind(keys.clone()).bind(values.clone());
            Box::pin(async move {
                delete.execute(&mut *tx).await?;
                insert.execute(tx).await.map(|_| Ok(()))
            })
        })
        .await
    }

    async fn put_map_run(&self, row: &MapRunRow) -> Result<()> {
        let sql = "INSERT INTO @map_run VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (arn) DO UPDATE SET \
                   execution = excluded.execution, state_machine = excluded.state_machine, status = excluded.status, \
                   max_concurrency = excluded.max_concurrency, \
                   tolerated_failure_percentage = excluded.tolerated_failure_percentage, \
                   tolerated_failure_count = excluded.tolerated_failure_count, redrive_count = excluded.redrive_count, \
                   redriven_ms = excluded.redriven_ms, started_ms = excluded.started_ms, stopped_ms = excluded.stopped_ms";
        let put = self.change(sql, |query| {
            let r = row.clone();
            let query =
                query.bind(r.arn).bind(r.execution.0).bind(r.state_machine).bind(r.status).bind(r.max_concurrency);
            let query =
                query.bind(r.tolerated_failure_percentage).bind(r.tolerated_failure_count).bind(r.redrive_count);
            let query = query.bind(r.redriven.map(|at| at.millis())).bind(r.started.millis());
            query.bind(r.stopped.map(|at| at.millis()))
        });
        put.await.map(drop)
    }

    async fn map_run(&self, arn: &str) -> Result<Option<MapRunRow>> {
        let sql = "SELECT * FROM @map_run WHERE arn = $1";
        Ok(self.catalogued(sql, |query| query.bind(arn.to_owned()), map_run).await?.pop())
    }

    async fn map_runs(&self, execution: ExecutionId, after: After) -> Result<Vec<MapRunRow>> {
        let sql = "SELECT * FROM @map_run WHERE execution = $1 AND arn > $2 ORDER BY arn LIMIT $3";
        let bind = |query: Query<'static>| query.bind(execution.0).bind(behind(&after)).bind(i64::from(after.limit));
        self.catalogued(sql, bind, map_run).await
    }
}
