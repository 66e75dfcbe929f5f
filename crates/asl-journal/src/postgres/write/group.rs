//! All that a process writes at once, as one statement: each table gets its rows from one `UNNEST`, and the fence is a part of it.
//!
//! - `fence` holds the rows of the workers that write (`FOR KEY SHARE`): a takeover, which locks such a row for update, comes before the
//!   statement, which then writes nothing for that worker, or after it.
//! - `born` are new executions; an ARN that is taken gives no row.
//! - `moved` moves the ends of chains, and only from where the writer believes that they are; each row carries its record along.
//! - `written` inserts the records of what was born or moved, and of nothing else.
//!
//! What is not among the rows that come back was not written. Rows are only inserted but for the two headers of an execution.
//!
//! No part joins another part row by row: the server believes that an array has ten elements, and would compare each row of a group
//! with each other one. What has to be among the rows of another part is asked with `(x IN (SELECT ..)) IS TRUE`, which is a look into
//! a hash table: a bare `IN` is made a join.

use super::super::conn::text;
use super::super::schema::PLACE_BITS;
use super::super::zeros::shown;
use crate::encoding::codec::Row;
use crate::encoding::standing::Standing;
use crate::{Definition, ExecutionId, Verdict, WorkerId};
use asl_core::Execution;
use sqlx::postgres::{PgArguments, PgHasArrayType};
use sqlx::{Arguments, Encode, PgConnection, Postgres, Row as _, Type};
use std::fmt::Write as _;
use std::sync::Arc;

/// A record to be written.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: Row,
    /// On whose behalf; nobody's is what is submitted.
    pub(crate) owner: Option<WorkerId>,
    pub(crate) goes: Goes,
    pub(crate) standing: Option<Standing>,
    /// The inputs of the inbox that it takes in, or refuses.
    pub(crate) mail: Vec<Verdict>,
}

/// Where a record goes.
#[derive(Debug)]
pub(crate) enum Goes {
    /// It begins an execution.
    First { execution: Arc<Execution>, definition: Arc<Definition>, started_ms: i64, started_as: Option<String> },
    /// Behind the record at this position.
    After { execution: ExecutionId, position: i64 },
}

/// Whose the transaction is that a group is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// The group's: nothing else of it is in the journal.
    Own,
    /// Another's: it may have written records before.
    Another,
}

/// Where a record was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) execution: ExecutionId,
    pub(crate) position: i64,
}

/// The statement while it is made, with its values.
struct Statement {
    sql: String,
    values: PgArguments,
    count: usize,
}

impl Statement {
    /// Adds text in which each `?` is the next value.
    fn part(&mut self, sql: &str) {
        for (n, piece) in sql.split('?').enumerate() {
            if n > 0 {
                self.count += 1;
                let _ = write!(self.sql, "${}", self.count);
            }
            self.sql.push_str(piece);
        }
    }

    fn value<V>(&mut self, value: Vec<V>) -> Result<(), sqlx::Error>
    where
        V: for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        self.values.add(value).map_err(sqlx::Error::Encode)
    }

    fn column<V>(&mut self, rows: impl Iterator<Item = V>) -> Result<(), sqlx::Error>
    where
        V: for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        self.value(rows.collect::<Vec<V>>())
    }
}

macro_rules! columns {
    ($statement:expr, $rows:expr, $($column:expr),+ $(,)?) => {
        $($statement.column($rows.map($column))?;)+
    };
}

/// Writes records, in one transaction of its own or in the one that is open. What comes back for each says where it is; none, that it was
/// not written. At most one record of each execution, and one execution of each ARN.
pub(crate) async fn write(
    conn: &mut PgConnection,
    schema: &str,
    is_prepared: bool,
    within: Within,
    entries: &[&Entry],
) -> Result<Vec<Option<Place>>, sqlx::Error> {
    let numbered = || entries.iter().zip(0i32..);
    let firsts: Vec<First<'_>> = numbered()
        .filter_map(|(entry, n)| match &entry.goes {
            Goes::First { execution, definition, started_ms, started_as } => {
                Some((n, *entry, &**execution, &**definition, *started_ms, started_as.as_deref()))
            }
            Goes::After { .. } => None,
        })
        .collect();
    let nexts: Vec<(i32, &Entry, ExecutionId, i64)> = numbered()
        .filter_map(|(entry, n)| match &entry.goes {
            Goes::After { execution, position } => Some((n, *entry, *execution, *position)),
            Goes::First { .. } => None,
        })
        .collect();
    let mut s = Statement { sql: String::with_capacity(4096), values: PgArguments::default(), count: 0 };
    let mut owners: Vec<i64> = entries.iter().filter_map(|entry| entry.owner.map(|worker| worker.0)).collect();
    owners.sort_unstable();
    owners.dedup();
    s.part("WITH fence AS (SELECT w.id FROM @worker w WHERE w.id = ANY(?::int8[]) AND w.gone = 0 FOR KEY SHARE)");
    s.value(owners)?;
    let place = format!("SELECT (pg_current_xact_id()::text::int8 + s.base) << {PLACE_BITS} AS base FROM @store s");
    let _ = match within {
        Within::Own => write!(s.sql, ", place AS MATERIALIZED ({place})"),
        Within::Another => write!(
            s.sql,
            ", place AS MATERIALIZED (SELECT coalesce((SELECT max(j.position) + 1 FROM @journal j WHERE j.position >= f.base \
             AND j.position < f.base + (1 << {PLACE_BITS})), f.base) AS base FROM ({place}) f)"
        ),
    };
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    if !firsts.is_empty() {
        beginnings(&mut s, &firsts)?;
        written.push("SELECT n, execution, NULL::int8, number, first_event, event_count, checksum, body FROM begun");
        kept.push("SELECT n, execution FROM begun");
    }
    if !nexts.is_empty() {
        ends(&mut s, &nexts)?;
        written.push("SELECT n, execution, previous, number, first_event, event_count, checksum, body FROM moved");
        kept.push("SELECT n, execution FROM moved");
    }
    let _ = write!(
        s.sql,
        ", written AS (INSERT INTO @journal \
         (position, execution, previous, number, first_event, event_count, checksum, body) \
         SELECT p.base + r.n, r.execution, r.previous, r.number, r.first_event, r.event_count, r.checksum, r.body \
         FROM ({}) AS r(n, execution, previous, number, first_event, event_count, checksum, body) CROSS JOIN place p)",
        written.join(" UNION ALL ")
    );
    let tells = nexts.iter().any(|(_, entry, ..)| !entry.mail.is_empty());
    headers(&mut s, &nexts)?;
    let _ = write!(
        s.sql,
        " SELECT k.n, k.execution, p.base + k.n FROM ({}) k CROSS JOIN place p",
        kept.join(" UNION ALL ")
    );
    if tells {
        // A hint for those who wait for verdicts, once for the group.
        s.sql.push_str(" CROSS JOIN (SELECT pg_notify('asl', '')) hint");
    }
    let query = sqlx::query_with(text(schema, &s.sql), s.values).persistent(is_prepared);
    let mut places = vec![None; entries.len()];
    for row in query.fetch_all(conn).await? {
        let (n, execution, position): (i32, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if let Some(place) = usize::try_from(n).ok().and_then(|n| places.get_mut(n)) {
            *place = Some(Place { execution: ExecutionId(execution), position });
        }
    }
    Ok(places)
}

fn signed(n: u64) -> i64 {
    n.cast_signed()
}

/// A new execution: its place in the group, what it is and runs, when it started, and what its caller named.
type First<'e> = (i32, &'e Entry, &'e Execution, &'e Definition, i64, Option<&'e str>);

/// New executions, with their definitions and the first entry of `latest`.
fn beginnings(s: &mut Statement, firsts: &[First<'_>]) -> Result<(), sqlx::Error> {
    let mut definitions: Vec<(&Definition, i64)> = firsts.iter().map(|(_, _, _, found, at, _)| (*found, *at)).collect();
    definitions.sort_by(|a, b| a.0.hash.cmp(&b.0.hash));
    definitions.dedup_by(|a, b| a.0.hash == b.0.hash);
    s.part(
        ", defined AS (INSERT INTO @definition (hash, name, text, created_ms) \
         SELECT d.* FROM unnest(?::text[], ?::text[], ?::text[], ?::int8[]) AS d(hash, name, text, created_ms) \
         WHERE NOT EXISTS (SELECT 1 FROM @definition o WHERE o.hash = d.hash) ON CONFLICT DO NOTHING)",
    );
    columns!(s, definitions.iter(), |d| &*d.0.hash, |d| &*d.0.name, |d| &*d.0.text, |d| d.1);
    s.part(
        ", c AS MATERIALIZED (SELECT nextval('@execution_id') AS id, u.* FROM unnest(?::int4[], ?::text[], ?::text[], ?::text[], \
         ?::text[], ?::text[], ?::text[], ?::int8[], ?::int8[], ?::text[], ?::text[], ?::int8[], ?::bytea[], ?::text[], \
         ?::int8[], ?::int8[], ?::int8[], ?::int8[], ?::text[]) AS u(n, arn, name, state_machine, \
         state_machine_arn, definition, status, started_ms, stopped_ms, error, cause, owner, token_key, started_as, \
         number, first_event, event_count, checksum, body) WHERE owner IS NULL OR owner IN (SELECT id FROM fence)), \
         born AS (INSERT INTO @execution (id, arn, name, state_machine, state_machine_arn, definition, status, started_ms, \
         stopped_ms, error, cause, owner, token_key, started_as) SELECT id, arn, name, state_machine, \
         state_machine_arn, definition, status, started_ms, stopped_ms, error, cause, owner, token_key, started_as FROM c \
         ON CONFLICT (arn) DO NOTHING RETURNING id), \
         begun AS MATERIALIZED (SELECT c.id AS execution, c.n, c.number, c.first_event, c.event_count, c.checksum, c.body \
         FROM c WHERE (c.id IN (SELECT id FROM born)) IS TRUE), \
         listed AS (INSERT INTO @latest (execution, position, number, first) \
         SELECT g.execution, p.base + g.n, g.number, p.base + g.n FROM begun g CROSS JOIN place p)",
    );
    let standing = |first: &First<'_>| first.1.standing.clone();
    columns!(
        s,
        firsts.iter(),
        |first| first.0,
        |first| &*first.2.arn,
        |first| &*first.2.name,
        |first| &*first.2.state_machine_name,
        |first| &*first.2.state_machine_arn,
        |first| &*first.3.hash,
        |first| standing(first).map_or("RUNNING", |end| end.status),
        |first| first.4,
        |first| standing(first).and_then(|end| end.stopped_ms),
        |first| standing(first).and_then(|end| end.error).map(|text| shown(&text)),
        |first| standing(first).and_then(|end| end.cause).map(|text| shown(&text)),
        |first| first.1.owner.map(|worker| worker.0),
        |first| first.2.token_key.as_ref().map(|key| key.bytes().to_vec()),
        |first| first.5.map(str::to_owned),
    );
    rows(s, firsts.iter().map(|first| &first.1.row))
}

/// The columns of records: their numbers, checksums and texts.
fn rows<'e>(s: &mut Statement, rows: impl Iterator<Item = &'e Row> + Clone) -> Result<(), sqlx::Error> {
    columns!(
        s,
        rows.clone(),
        |row| signed(row.number),
        |row| signed(row.first_event),
        |row| signed(row.event_count),
        |row| i64::from(row.checksum),
        |row| row.body.as_str(),
    );
    Ok(())
}

/// The ends of the chains that get a further record.
fn ends(s: &mut Statement, nexts: &[(i32, &Entry, ExecutionId, i64)]) -> Result<(), sqlx::Error> {
    s.part(
        ", moved AS (UPDATE @latest l SET position = p.base + a.n, number = a.number, deaths = 0 \
         FROM unnest(?::int4[], ?::int8[], ?::int8[], ?::int8[], ?::int8[], ?::int8[], ?::int8[], ?::int8[], ?::text[]) \
         AS a(n, execution, expected, owner, number, first_event, event_count, checksum, body) CROSS JOIN place p \
         WHERE l.execution = a.execution AND l.position = a.expected AND (a.owner IN (SELECT id FROM fence)) IS TRUE \
         RETURNING l.execution, a.n, a.expected AS previous, a.number, a.first_event, a.event_count, a.checksum, a.body)",
    );
    columns!(s, nexts.iter(), |next| next.0, |next| next.2.0, |next| next.3, |next| next
        .1
        .owner
        .map(|worker| worker.0));
    rows(s, nexts.iter().map(|next| &next.1.row))
}

/// The headers that further records change, and the inputs of the inbox that are decided with them.
fn headers(s: &mut Statement, nexts: &[(i32, &Entry, ExecutionId, i64)]) -> Result<(), sqlx::Error> {
    let stands: Vec<(i64, &Standing)> =
        nexts.iter().filter_map(|(_, entry, id, _)| Some((id.0, entry.standing.as_ref()?))).collect();
    let mail: Vec<(i64, &Verdict)> =
        nexts.iter().flat_map(|(_, entry, id, _)| entry.mail.iter().map(|verdict| (id.0, verdict))).collect();
    let mut decided = Vec::new();
    if !stands.is_empty() {
        s.part(
            ", stood AS (UPDATE @execution x SET status = s.status, stopped_ms = s.stopped_ms, error = s.error, cause = s.cause, \
             redrive_count = x.redrive_count + (s.redriven_ms IS NOT NULL)::int, \
             redriven_ms = coalesce(s.redriven_ms, x.redriven_ms), \
             owner = CASE WHEN s.redriven_ms IS NULL THEN x.owner ELSE s.owner END \
             FROM unnest(?::int8[], ?::text[], ?::int8[], ?::text[], ?::text[], ?::int8[], ?::int8[]) \
             AS s(execution, status, stopped_ms, error, cause, redriven_ms, owner) \
             WHERE x.id = s.execution AND (s.execution IN (SELECT execution FROM moved)) IS TRUE RETURNING x.id)",
        );
        columns!(
            s,
            stands.iter(),
            |stand| stand.0,
            |stand| stand.1.status,
            |stand| stand.1.stopped_ms,
            |stand| stand.1.error.as_deref().map(shown),
            |stand| stand.1.cause.as_deref().map(shown),
            |stand| stand.1.redriven_ms,
            |stand| stand.1.redriver,
        );
        // Nobody takes in any more what is left for an execution that ends.
        decided.push("SELECT o.id, 0::int8 AS taken FROM stood e JOIN @inbox o ON o.execution = e.id");
    }
    if !mail.is_empty() {
        s.part(
            ", letters AS (SELECT t.mail, t.taken FROM unnest(?::int8[], ?::int8[], ?::int8[]) AS t(mail, execution, taken) \
             WHERE (t.execution IN (SELECT execution FROM moved)) IS TRUE)",
        );
        columns!(s, mail.iter(), |(_, verdict)| verdict.signal.0, |(id, _)| *id, |(_, verdict)| i64::from(
            verdict.taken
        ));
        decided.push("SELECT mail AS id, taken FROM letters");
    }
    if !decided.is_empty() {
        let _ = write!(
            s.sql,
            ", decided AS MATERIALIZED (SELECT d.id, max(d.taken) AS taken FROM ({}) d GROUP BY d.id), \
             cleared AS (DELETE FROM @inbox i WHERE i.id IN (SELECT id FROM decided)), \
             told AS (INSERT INTO @verdict (mail, taken) SELECT id, taken FROM decided ON CONFLICT DO NOTHING)",
            decided.join(" UNION ALL ")
        );
    }
    Ok(())
}
