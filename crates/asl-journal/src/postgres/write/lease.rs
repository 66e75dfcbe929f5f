//! Who runs which execution: workers and their claims. The fence is in [`super::group`].

use crate::postgres::PgStore;
use crate::postgres::conn::Query;
use crate::postgres::zeros::shown;
use crate::quarantine::{NOBODY, deaths_after};
use crate::{Claim, Claimed, Except, ExecutionId, JournalError, NewWorker, WorkerId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

/// Why a worker is gone: it died, or was silent for too long.
const DIED: i64 = 1;
/// It ended in order, and gave its executions up.
const GAVE_UP: i64 = 2;
/// The most executions that one claim takes: the others are left to the other workers.
const AT_ONCE: u32 = 100;

// The statements below ask for an owner by `BETWEEN` and order by owner and number: that order the index `execution_open` has alone,
// so that the server walks it from the place of that owner and stops at the limit. With `=` it may take the primary key's order for as
// good, walk all executions from the first, and pass over all that were claimed before; a takeover of many is quadratic then.

/// Removes workers that are gone and have nothing left to take.
const SWEEP: &str = "DELETE FROM @worker w WHERE w.gone <> 0 AND (\
                     SELECT x.id FROM @execution x WHERE x.status = 'RUNNING' AND x.owner BETWEEN w.id AND w.id \
                     ORDER BY x.owner, x.id LIMIT 1) IS NULL";

impl PgStore {
    /// Makes a worker with a number that is held already; see [`crate::postgres::liveness`].
    pub(crate) async fn insert_worker(&self, id: WorkerId, new: NewWorker) -> Result<(), JournalError> {
        let lease_ms = i64::try_from(new.lease_ms).unwrap_or(i64::MAX);
        let sql = "INSERT INTO @worker (id, what, process, lock, lease_until_ms, lease_ms) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (id) DO NOTHING";
        let gone: Vec<i64> = new.gone.iter().map(|worker| worker.0).collect();
        self.write(|tx| {
            let (store, gone) = (self.clone(), gone.clone());
            let insert = self.query(sql).bind(id.0).bind(shown(&new.what)).bind(i64::from(new.process));
            let insert = insert.bind(new.lock.clone()).bind(new.beat).bind(lease_ms);
            Box::pin(async move {
                store.mark_gone(tx, id, &gone).await?;
                store.query(SWEEP).execute(&mut *tx).await?;
                insert.execute(tx).await.map(|_| Ok(()))
            })
        })
        .await
    }

    pub(crate) async fn renew_for(&self, worker: WorkerId, beat: i64) -> Result<(), JournalError> {
        let sql = "UPDATE @worker SET lease_until_ms = greatest($1, lease_until_ms + 1) WHERE id = $2 AND gone = 0";
        self.write(|tx| {
            let query = self.query(sql).bind(beat).bind(worker.0);
            Box::pin(async move {
                let done = query.execute(tx).await?;
                Ok(if done.rows_affected() == 1 { Ok(()) } else { Err(JournalError::Fenced { worker }) })
            })
        })
        .await
    }

    pub(crate) async fn release_for(&self, worker: WorkerId) -> Result<(), JournalError> {
        let sql = "WITH hint AS MATERIALIZED (SELECT pg_notify('asl', '')) \
                   UPDATE @worker SET gone = $1 FROM hint WHERE id = $2";
        self.write(|tx| {
            let store = self.clone();
            Box::pin(async move {
                // For update: what the worker has under way comes before.
                store.query("SELECT 1 FROM @worker WHERE id = $1 FOR UPDATE").bind(worker.0).execute(&mut *tx).await?;
                store.query(sql).bind(GAVE_UP).bind(worker.0).execute(&mut *tx).await?;
                store.query(SWEEP).execute(tx).await.map(|_| Ok(()))
            })
        })
        .await
    }

    pub(crate) async fn give_back_for(&self, worker: WorkerId, executions: &[ExecutionId]) -> Result<(), JournalError> {
        self.ends.forget(executions.iter().copied());
        let numbers: Vec<i64> = executions.iter().map(|execution| execution.0).collect();
        let sql = "WITH hint AS MATERIALIZED (SELECT pg_notify('asl', '')) \
                   UPDATE @execution SET owner = NULL FROM hint WHERE id = ANY($1) AND owner = $2";
        self.write_by(Some(worker), |tx| {
            let query = self.query(sql).bind(numbers.clone()).bind(worker.0);
            Box::pin(async move { query.execute(tx).await.map(|_| Ok(())) })
        })
        .await
    }

    /// Takes executions that nobody runs, oldest first.
    pub(crate) async fn claim_for(&self, worker: WorkerId, claim: Claim) -> Result<Vec<Claimed>, JournalError> {
        let taken = self.write_by(Some(worker), |tx| {
            let (store, claim) = (self.clone(), claim.clone());
            Box::pin(async move { store.take_over(tx, worker, &claim).await.map(Ok) })
        });
        let taken = taken.await?;
        self.counts.claims.add(1);
        self.counts.claimed.add(taken.len());
        self.ends.forget(taken.iter().map(|claimed| claimed.id));
        Ok(taken)
    }

    /// Marks workers that are known to be gone; all but `own`. Each is locked for update, which waits for what it has under way.
    async fn mark_gone(&self, tx: &mut PgConnection, own: WorkerId, gone: &[i64]) -> Result<(), sqlx::Error> {
        if gone.is_empty() {
            return Ok(());
        }
        let sql = "SELECT id FROM @worker WHERE id = ANY($1) AND id <> $2 AND gone = 0 ORDER BY id FOR UPDATE";
        let rows = self.query(sql).bind(gone.to_vec()).bind(own.0).fetch_all(&mut *tx).await?;
        let found: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let sql = "UPDATE @worker SET gone = $1 WHERE id = ANY($2) AND gone = 0";
        let marked = self.query(sql).bind(DIED).bind(found).execute(tx).await?;
        self.counts.takeovers.add(marked.rows_affected() as usize);
        Ok(())
    }

    async fn take_over(
        &self,
        tx: &mut PgConnection,
        worker: WorkerId,
        claim: &Claim,
    ) -> Result<Vec<Claimed>, sqlx::Error> {
        let gone: Vec<i64> = claim.gone.iter().map(|worker| worker.0).collect();
        self.mark_gone(tx, worker, &gone).await?;
        let mut taken = self.take_free(tx, worker, claim, "x.owner IS NULL", claim.limit, None).await?;
        let room = |taken: &[Claimed]| claim.limit.min(AT_ONCE).saturating_sub(taken.len() as u32);
        if room(&taken) > 0 {
            taken.extend(self.take_left(tx, worker, claim, room(&taken)).await?);
        }
        if let (Some(again_ms), 1..) = (claim.again_ms, room(&taken)) {
            let aside = format!("x.owner BETWEEN {0} AND {0} AND x.again_ms <= $6", NOBODY.0);
            let again = self.take_free(tx, worker, claim, &aside, room(&taken), Some(again_ms)).await?;
            taken.extend(again.into_iter().map(|claimed| Claimed { again: true, ..claimed }));
        }
        if room(&taken) > 0 {
            // Nothing was left by those that are gone.
            self.query(SWEEP).execute(tx).await?;
        }
        taken.sort_unstable_by_key(|claimed| claimed.id);
        Ok(taken)
    }

    /// Takes executions that have no owner who could be blamed.
    async fn take_free(
        &self,
        tx: &mut PgConnection,
        worker: WorkerId,
        claim: &Claim,
        whose: &str,
        limit: u32,
        again_ms: Option<i64>,
    ) -> Result<Vec<Claimed>, sqlx::Error> {
        let sql = format!(
            "WITH free AS MATERIALIZED (SELECT x.id FROM @execution x WHERE {} AND {whose} ORDER BY x.owner, x.id \
             LIMIT $4 FOR NO KEY UPDATE{}) \
             UPDATE @execution x SET owner = $5, set_aside = NULL, again_ms = NULL FROM free f WHERE x.id = f.id \
             RETURNING x.id, x.arn, x.definition, (SELECT l.deaths FROM @latest l WHERE l.execution = x.id)",
            wants(claim),
            skips(claim)
        );
        let query = wanted(self.query(&sql), claim).bind(i64::from(limit.min(AT_ONCE))).bind(worker.0);
        let query = match again_ms {
            Some(again_ms) => query.bind(again_ms),
            None => query,
        };
        query.fetch_all(tx).await?.iter().map(claimed).collect()
    }

    /// Takes executions of workers that are gone, and counts their deaths.
    async fn take_left(
        &self,
        tx: &mut PgConnection,
        worker: WorkerId,
        claim: &Claim,
        limit: u32,
    ) -> Result<Vec<Claimed>, sqlx::Error> {
        let sql = format!(
            "WITH gone AS MATERIALIZED (SELECT id, gone, trial FROM @worker WHERE gone <> 0 AND id <> $5 ORDER BY id) \
             SELECT x.id, x.arn, x.definition, (SELECT l.deaths FROM @latest l WHERE l.execution = x.id), w.gone, w.trial \
             FROM gone w CROSS JOIN LATERAL (SELECT x.id, x.arn, x.definition FROM @execution x \
             WHERE {} AND x.owner BETWEEN w.id AND w.id ORDER BY x.owner, x.id LIMIT $4 FOR NO KEY UPDATE{}) x LIMIT $4",
            wants(claim),
            skips(claim)
        );
        let query = wanted(self.query(&sql), claim).bind(i64::from(limit.min(AT_ONCE))).bind(worker.0);
        let (mut taken, mut blamed, mut deaths) = (Vec::new(), Vec::new(), Vec::new());
        for row in query.fetch_all(&mut *tx).await? {
            let mut suspect = claimed(&row)?;
            let trial: Option<String> = row.try_get(5)?;
            let trial: Vec<i64> = trial.and_then(|list| serde_json::from_str(&list).ok()).unwrap_or_default();
            let accused = if trial.contains(&suspect.id.0) { trial.len() } else { 0 };
            let after = match row.try_get::<i64, _>(4)? {
                DIED => deaths_after(suspect.deaths, accused),
                _ => suspect.deaths,
            };
            if after != suspect.deaths {
                blamed.push(suspect.id.0);
                deaths.push(i64::from(after));
                suspect.deaths = after;
            }
            taken.push(suspect);
        }
        if !blamed.is_empty() {
            let sql = "UPDATE @latest l SET deaths = b.deaths FROM unnest($1::int8[], $2::int8[]) AS b(execution, deaths) \
                       WHERE l.execution = b.execution";
            self.query(sql).bind(blamed).bind(deaths).execute(&mut *tx).await?;
        }
        let ids: Vec<i64> = taken.iter().map(|claimed| claimed.id.0).collect();
        let sql = "UPDATE @execution SET owner = $1, set_aside = NULL, again_ms = NULL WHERE id = ANY($2)";
        self.query(sql).bind(worker.0).bind(ids).execute(tx).await?;
        Ok(taken)
    }
}

/// Others who claim at once get other executions; one that is asked for by its number is waited for.
fn skips(claim: &Claim) -> &'static str {
    if claim.only.is_some() { "" } else { " SKIP LOCKED" }
}

/// What a claim wants: `$1` is the one execution, or -1; `$2` and `$3` are left to others.
fn wants(claim: &Claim) -> String {
    let which = if claim.only.is_some() { "x.id = $1" } else { "$1 = -1" };
    format!("x.status = 'RUNNING' AND {which} AND x.definition <> ALL($2) AND x.id <> ALL($3)")
}

/// The values of [`wants`].
fn wanted<'q>(query: Query<'q>, claim: &Claim) -> Query<'q> {
    let (definitions, executions) = left_to_others(&claim.except);
    query.bind(claim.only.map_or(-1, |only| only.0)).bind(definitions).bind(executions)
}

pub(crate) fn left_to_others(except: &Except) -> (Vec<String>, Vec<i64>) {
    let definitions = except.definitions.iter().map(|hash| hash.to_string()).collect();
    (definitions, except.executions.iter().map(|execution| execution.0).collect())
}

/// Number, ARN, definition and deaths of an execution.
pub(crate) fn claimed(row: &PgRow) -> Result<Claimed, sqlx::Error> {
    let (arn, definition): (String, String) = (row.try_get(1)?, row.try_get(2)?);
    let deaths = u32::try_from(row.try_get::<Option<i64>, _>(3)?.unwrap_or(0)).unwrap_or(u32::MAX);
    Ok(Claimed {
        id: ExecutionId(row.try_get(0)?),
        arn: arn.into(),
        definition: definition.into(),
        deaths,
        again: false,
    })
}
