//! Headers of executions, counts, definitions.

use crate::postgres::PgStore;
use crate::postgres::conn::Query;
use crate::quarantine::NOBODY;
use crate::{Definition, ExecutionId, ExecutionRow, Filter, JournalError, Status, Which, WorkerId};
use asl_expr::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

const HEADER: &str = "SELECT x.id, x.arn, x.name, x.state_machine, x.state_machine_arn, x.definition, x.status, \
                      x.started_ms, x.stopped_ms, x.error, x.cause, (SELECT j.first_event + j.event_count - 1 \
                      FROM @latest l JOIN @journal j ON j.position = l.position WHERE l.execution = x.id), x.owner, \
                      x.redrive_count, x.redriven_ms, x.set_aside, x.unread_end <> 0, \
                      (SELECT l.deaths FROM @latest l WHERE l.execution = x.id), x.again_ms, x.started_as \
                      FROM @execution x WHERE ";
/// Those that are no child of a map run; [`asl_core::is_child`] as SQL has it.
const PARENTS: &str = "strpos(x.state_machine_arn, '/') = 0";
/// How many executions of one name are told of.
const CANDIDATES: u32 = 4;

fn header(row: &PgRow) -> Result<ExecutionRow, sqlx::Error> {
    let status: &str = row.try_get(6)?;
    let started_as: Option<&str> = row.try_get(19)?;
    let time = |column: usize| row.try_get::<Option<i64>, _>(column).map(|ms| ms.map(Timestamp::from_millis));
    Ok(ExecutionRow {
        id: ExecutionId(row.try_get(0)?),
        arn: row.try_get(1)?,
        name: row.try_get(2)?,
        state_machine: row.try_get(3)?,
        state_machine_arn: row.try_get(4)?,
        definition: row.try_get(5)?,
        status: status.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        started: Timestamp::from_millis(row.try_get(7)?),
        stopped: time(8)?,
        error: row.try_get(9)?,
        cause: row.try_get(10)?,
        last_event: row.try_get::<Option<i64>, _>(11)?.unwrap_or(0).unsigned_abs(),
        owner: row.try_get::<Option<i64>, _>(12)?.map(WorkerId).filter(|owner| *owner != NOBODY),
        set_aside: row.try_get(15)?,
        unread_end: row.try_get(16)?,
        deaths: u32::try_from(row.try_get::<Option<i64>, _>(17)?.unwrap_or(0)).unwrap_or(u32::MAX),
        tried_again: time(18)?,
        redrive_count: row.try_get::<i64, _>(13)?.unsigned_abs(),
        redriven: time(14)?,
        started_as: started_as.map(serde_json::from_str).transpose().map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
    })
}

impl PgStore {
    async fn headers<'q>(
        &self,
        condition: &str,
        bind: impl Fn(Query<'q>) -> Query<'q> + Send + Sync,
    ) -> Result<Vec<ExecutionRow>, JournalError> {
        let rows = self.fetch(&format!("{HEADER}{condition}"), bind).await?;
        rows.iter().map(header).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }

    pub(crate) async fn list(&self, filter: &Filter) -> Result<Vec<ExecutionRow>, JournalError> {
        let mut condition = "x.id < $1 AND ($2::text IS NULL OR x.name COLLATE \"C\" LIKE $2)".to_owned();
        if let Some(status) = filter.status {
            // The name in the text, and the second condition: only so an index is seen to have them all.
            let ended = if status == Status::Running { "" } else { " AND x.status <> 'RUNNING'" };
            condition += &format!(" AND x.status = '{}'{ended}", status.name());
        }
        let machine = filter.state_machine.clone();
        let column = if machine.as_ref().is_some_and(|name| name.starts_with("arn:")) {
            "state_machine_arn"
        } else {
            "state_machine"
        };
        condition += &format!(" AND ($3::text IS NULL OR x.{column} = $3)");
        let mut family = None;
        match &filter.which {
            Which::All => {}
            Which::Parents => condition += &format!(" AND {PARENTS}"),
            Which::Children => condition += " AND strpos(x.state_machine_arn, '/') > 0",
            Which::OfFamily(arn) => family = Some(arn.clone()),
        }
        condition += " AND ($4::text IS NULL OR x.state_machine_arn = $4) \
                      AND ($6::text IS NULL OR x.started_as::json ->> 'version' = $6) \
                      AND ($7::text IS NULL OR x.started_as::json ->> 'alias' = $7) ORDER BY x.id DESC LIMIT $5";
        let (version, alias) = (filter.version.map(|version| version.to_string()), filter.alias.clone());
        let before = filter.before.map_or(i64::MAX, |id| id.0);
        let prefix = filter.name_prefix.as_ref().map(|prefix| format!("{}%", escaped(prefix)));
        let limit = filter.limit.map(i64::from);
        let bind = |query: Query<'static>| {
            let query = query.bind(before).bind(prefix.clone()).bind(machine.clone()).bind(family.clone()).bind(limit);
            query.bind(version.clone()).bind(alias.clone())
        };
        self.headers(&condition, bind).await
    }

    pub(crate) async fn named_or_arn(&self, arn_or_name: &str) -> Result<Option<ExecutionRow>, JournalError> {
        let given = arn_or_name.to_owned();
        if arn_or_name.starts_with("arn:") {
            return Ok(self.headers("x.arn = $1", |query| query.bind(given.clone())).await?.pop());
        }
        let parents = format!("x.name = $1 AND {PARENTS} ORDER BY x.id DESC LIMIT {CANDIDATES}");
        let mut named = self.headers(&parents, |query| query.bind(given.clone())).await?;
        if named.is_empty() {
            let any = format!("x.name = $1 ORDER BY x.id DESC LIMIT {CANDIDATES}");
            named = self.headers(&any, |query| query.bind(given.clone())).await?;
        }
        if named.len() > 1 {
            let candidates = named.into_iter().map(|row| row.arn).collect();
            return Err(JournalError::Ambiguous { name: given, candidates });
        }
        Ok(named.pop())
    }

    pub(crate) async fn headers_of(&self, executions: &[ExecutionId]) -> Result<Vec<ExecutionRow>, JournalError> {
        let numbers: Vec<i64> = executions.iter().map(|execution| execution.0).collect();
        self.headers("x.id = ANY($1) ORDER BY x.id", |query| query.bind(numbers.clone())).await
    }

    pub(crate) async fn count(&self) -> Result<BTreeMap<Status, u64>, JournalError> {
        let sql = "SELECT 'RUNNING', count(*) FROM @execution WHERE status = 'RUNNING' HAVING count(*) > 0 UNION ALL \
                   SELECT status, count(*) FROM @execution WHERE status <> 'RUNNING' GROUP BY status";
        let rows = self.fetch(sql, |query| query).await?;
        let count = |row: &PgRow| Ok((row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)?));
        let counts: Vec<(String, i64)> =
            rows.iter().map(count).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))?;
        Ok(counts.into_iter().filter_map(|(name, n)| Some((name.parse().ok()?, n.unsigned_abs()))).collect())
    }

    pub(crate) async fn definition_of(&self, hash: &str) -> Result<Option<Definition>, JournalError> {
        let sql = "SELECT hash, name, text FROM @definition WHERE hash = $1";
        let rows = self.fetch(sql, |query| query.bind(hash.to_owned())).await?;
        let read = |row: &PgRow| {
            let (hash, name, text): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            Ok(Definition { hash: hash.into(), name: name.into(), text: text.into() })
        };
        rows.first().map(read).transpose().map_err(|e| self.place.failed(e))
    }
}

/// A text for `LIKE` that stands for itself.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
