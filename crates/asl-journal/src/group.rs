//! What one transaction of the writer holds: jobs, their rows, and who waits for the commit.

use crate::codec::{Row, encode};
use crate::error::JournalError;
use crate::inbox::{MailId, MailJob};
use crate::lease::{Claimed, LeaseJob, WorkerId};
use crate::payloads::Numbering;
use crate::{Append, ExecutionId, NewExecution, Record};
use asl_core::Outcome;
use asl_task::embedded::ServiceTx;
use futures_util::future::BoxFuture;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// For how many executions the numbering is remembered; for others it is looked up.
const REMEMBERED: usize = 4096;
/// How many bytes of payloads are remembered with the numbering, of all executions.
const REMEMBERED_BYTES: usize = 32 * 1024 * 1024;
/// How many definitions are remembered to be stored.
const DEFINITIONS: usize = 1024;
/// The most rows in a statement.
const CHUNK: usize = 128;

/// Tells a caller how its group went.
pub(crate) type Tell = Box<dyn FnOnce(&Result<(), JournalError>) + Send>;
pub(crate) type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// On whose behalf something is written, and which inputs of the inbox it takes in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket {
    pub(crate) owner: Option<WorkerId>,
    pub(crate) mail: Vec<MailId>,
}

/// What the writer is asked for.
pub(crate) enum Job {
    Create(Box<NewExecution>, Option<WorkerId>, Reply<ExecutionId>),
    Append(Append, Ticket, Reply<()>),
    Transact(Box<dyn Transaction>, Option<WorkerId>),
    Lease(LeaseJob),
    Mail(MailJob),
    Close(oneshot::Sender<()>),
}

impl Job {
    /// Tells the caller that it failed; a `Close` cannot, and gives back who waits for it.
    pub(crate) fn fail(self, error: &JournalError) -> Option<oneshot::Sender<()>> {
        match self {
            Job::Create(_, _, reply) => drop(reply.send(Err(error.clone()))),
            Job::Append(_, _, reply) => drop(reply.send(Err(error.clone()))),
            Job::Transact(transaction, _) => transaction.finish(Err(error.clone())),
            Job::Lease(job) => job.fail(error),
            Job::Mail(job) => job.fail(error),
            Job::Close(done) => return Some(done),
        }
        None
    }
}

/// A function to run within the writer's transaction; the types of its result are its own affair.
pub(crate) trait Transaction: Send {
    /// Runs it. When it fails it has told its caller.
    fn run<'t>(&'t mut self, tx: &'t mut (dyn ServiceTx + 't)) -> BoxFuture<'t, Result<Option<Append>, Told>>;
    /// Tells the caller how the commit went.
    fn finish(self: Box<Self>, result: Result<(), JournalError>);
}

/// The caller of a transaction has got its error.
pub(crate) struct Told;

/// What the writer remembers of what is committed, or will be with the open transaction.
#[derive(Default)]
pub(crate) struct Known {
    executions: HashMap<ExecutionId, (Remembered, u64)>,
    definitions: HashSet<Arc<str>>,
    /// Workers that may write, looked up in the open transaction.
    in_force: HashSet<WorkerId>,
    /// SQLite's `data_version`: another one means that another process wrote.
    data_version: i64,
    /// The number of the group: a clock for forgetting.
    group: u64,
}

/// Where an execution's history ends.
pub(crate) struct Remembered {
    pub(crate) numbering: Numbering,
    pub(crate) ended: bool,
    pub(crate) owner: Option<WorkerId>,
}

impl Known {
    pub(crate) fn begin_group(&mut self, data_version: i64) {
        if data_version != self.data_version {
            self.clear();
        }
        self.data_version = data_version;
        self.group += 1;
        self.in_force.clear();
    }

    pub(crate) fn in_force(&self, worker: WorkerId) -> bool {
        self.in_force.contains(&worker)
    }

    pub(crate) fn found_in_force(&mut self, worker: WorkerId) {
        self.in_force.insert(worker);
    }

    /// Some worker is gone: all have to be looked up again.
    pub(crate) fn forget_force(&mut self) {
        self.in_force.clear();
    }

    /// Executions change hands.
    pub(crate) fn own(&mut self, worker: WorkerId, executions: &[Claimed]) {
        for claimed in executions {
            if let Some((remembered, _)) = self.executions.get_mut(&claimed.id) {
                remembered.owner = Some(worker);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.in_force.clear();
        self.executions.clear();
        self.definitions.clear();
    }

    pub(crate) fn recall(&mut self, execution: ExecutionId) -> Option<Remembered> {
        self.executions.remove(&execution).map(|(remembered, _)| remembered)
    }

    pub(crate) fn remember(&mut self, execution: ExecutionId, remembered: Remembered) {
        self.executions.insert(execution, (remembered, self.group));
    }

    /// After a commit: forgets what has ended, and of too many executions those that were idle longest.
    pub(crate) fn forget(&mut self) {
        let mut bytes = 0;
        self.executions.retain(|_, (remembered, _)| {
            bytes += remembered.numbering.recent_bytes();
            !remembered.ended
        });
        if self.executions.len() > REMEMBERED || bytes > REMEMBERED_BYTES {
            let mut groups: Vec<u64> = self.executions.values().map(|(_, group)| *group).collect();
            let middle = groups.len() / 2;
            let oldest = *groups.select_nth_unstable(middle).1;
            self.executions.retain(|_, (_, group)| *group > oldest);
        }
        if self.definitions.len() > DEFINITIONS {
            self.definitions.clear();
        }
    }
}

#[derive(Default)]
pub(crate) struct Group {
    creates: Vec<Create>,
    rows: Vec<(ExecutionId, Row)>,
    changed: Vec<(ExecutionId, Standing)>,
    /// Inputs of the inbox that records took in.
    pub(crate) mail: Vec<MailId>,
    pub(crate) appended: Vec<Reply<()>>,
    pub(crate) transactions: Vec<Box<dyn Transaction>>,
    /// Callers with other answers.
    pub(crate) others: Vec<Tell>,
    /// How much there is to write.
    pub(crate) bytes: usize,
}

struct Create {
    new: NewExecution,
    owner: Option<WorkerId>,
    end: Option<Standing>,
    started_ms: i64,
    row: Option<Row>,
    numbering: Numbering,
    reply: Reply<ExecutionId>,
    id: Option<ExecutionId>,
}

/// Where an execution stands, as its row shows it.
struct Standing {
    status: &'static str,
    stopped_ms: Option<i64>,
    error: Option<Arc<str>>,
    cause: Option<Arc<str>>,
    /// When it was redriven, if this record did that.
    redriven_ms: Option<i64>,
    /// Whose it is then.
    redriver: Option<i64>,
}

impl Standing {
    /// What a record changes about that; `None` for nothing.
    fn new(outcome: Option<&Outcome>, record: &Record, owner: Option<WorkerId>) -> Option<Standing> {
        let redriven_ms = record.redrives().then(|| record.now.millis());
        let redriver = owner.map(|worker| worker.0);
        let Some(outcome) = outcome else {
            redriven_ms?;
            let (status, stopped_ms) = ("RUNNING", None);
            return Some(Standing { status, stopped_ms, error: None, cause: None, redriven_ms, redriver });
        };
        let (error, cause) = match outcome {
            Outcome::Succeeded(_) => (None, None),
            Outcome::Failed(f) | Outcome::TimedOut(f) | Outcome::Aborted(f) => (f.error.clone(), f.cause.clone()),
        };
        let stopped = record.events.last().map_or(record.now, |event| event.timestamp);
        let stopped_ms = Some(stopped.millis());
        Some(Standing { status: outcome.status(), stopped_ms, error, cause, redriven_ms, redriver })
    }
}

impl Group {
    /// Adds a new execution.
    pub(crate) fn create(&mut self, new: NewExecution, owner: Option<WorkerId>, reply: Reply<ExecutionId>) {
        let mut numbering = Numbering::start();
        // It has no number yet.
        match encode(&new.record, ExecutionId(0), &mut numbering) {
            Ok(row) => {
                self.bytes += row.body.len();
                let end = Standing::new(new.outcome.as_ref(), &new.record, owner);
                let started = new.record.events.first().map_or(new.record.now, |event| event.timestamp);
                let started_ms = started.millis();
                self.creates.push(Create { new, owner, end, started_ms, row: Some(row), numbering, reply, id: None });
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Adds the row of a record, written on behalf of `owner`.
    pub(crate) fn append(&mut self, append: &Append, row: Row, owner: Option<WorkerId>) {
        self.bytes += row.body.len();
        self.rows.push((append.execution, row));
        let standing = Standing::new(append.outcome.as_ref(), &append.record, owner);
        self.changed.extend(standing.map(|standing| (append.execution, standing)));
    }

    /// Writes it all, with a statement for many rows; returns how many records that were.
    pub(crate) async fn write(&mut self, conn: &mut SqliteConnection, known: &mut Known) -> Result<u64, sqlx::Error> {
        if !self.creates.is_empty() {
            self.write_definitions(conn, known).await?;
            self.write_executions(conn, known).await?;
        }
        let written = self.rows.len() as u64;
        let mut rows = std::mem::take(&mut self.rows).into_iter();
        while let Some(size) = chunk(rows.len()) {
            let head = "INSERT INTO journal (execution, number, first_event, event_count, body, checksum) ";
            let mut query = QueryBuilder::<Sqlite>::new(head);
            query.push_values(rows.by_ref().take(size), |mut tuple, (execution, row)| {
                tuple.push_bind(execution.0).push_bind(row.number as i64).push_bind(row.first_event as i64);
                tuple.push_bind(row.event_count as i64).push_bind(row.body).push_bind(i64::from(row.checksum));
            });
            query.build().execute(&mut *conn).await?;
        }
        self.write_standings(conn).await?;
        self.delete_mail(conn).await?;
        Ok(written)
    }

    async fn write_standings(&mut self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let mut changed = std::mem::take(&mut self.changed).into_iter();
        while let Some(size) = chunk(changed.len()) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "WITH done (id, status, stopped_ms, error, cause, redriven_ms, owner) AS (",
            );
            let chunk: Vec<(ExecutionId, Standing)> = changed.by_ref().take(size).collect();
            let ids: Vec<i64> = chunk.iter().map(|(execution, _)| execution.0).collect();
            query.push_values(chunk, |mut tuple, (execution, end)| {
                tuple.push_bind(execution.0).push_bind(end.status).push_bind(end.stopped_ms);
                tuple.push_bind(end.error).push_bind(end.cause).push_bind(end.redriven_ms).push_bind(end.redriver);
            });
            query.push(
                ") UPDATE execution SET status = done.status, stopped_ms = done.stopped_ms, error = done.error, \
                 cause = done.cause, redrive_count = redrive_count + (done.redriven_ms IS NOT NULL), \
                 redriven_ms = coalesce(done.redriven_ms, execution.redriven_ms), \
                 owner = CASE WHEN done.redriven_ms IS NULL THEN execution.owner ELSE done.owner END \
                 FROM done WHERE execution.id = done.id",
            );
            query.build().execute(&mut *conn).await?;
            // Nobody takes in any more what is left for it.
            delete(conn, "execution", &ids).await?;
        }
        Ok(())
    }

    async fn delete_mail(&mut self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        for chunk in std::mem::take(&mut self.mail).chunks(CHUNK) {
            let ids: Vec<i64> = chunk.iter().map(|mail| mail.0).collect();
            delete(conn, "id", &ids).await?;
        }
        Ok(())
    }

    async fn write_definitions(&mut self, conn: &mut SqliteConnection, known: &mut Known) -> Result<(), sqlx::Error> {
        // There are few of them.
        for create in &self.creates {
            let definition = &create.new.definition;
            if !known.definitions.insert(definition.hash.clone()) {
                continue;
            }
            let sql =
                "INSERT INTO definition (hash, name, text, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
            let query = sqlx::query(sql).bind(&*definition.hash).bind(&*definition.name).bind(&*definition.text);
            query.bind(create.started_ms).execute(&mut *conn).await?;
        }
        Ok(())
    }

    async fn write_executions(&mut self, conn: &mut SqliteConnection, known: &mut Known) -> Result<(), sqlx::Error> {
        let mut ids: HashMap<String, i64> = HashMap::new();
        let mut creates = self.creates.iter();
        while let Some(size) = chunk(creates.len()) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO execution (arn, name, state_machine, state_machine_arn, definition, status, started_ms, \
                 stopped_ms, error, cause, owner) ",
            );
            query.push_values(creates.by_ref().take(size), |mut tuple, create| {
                let execution = &create.new.execution;
                let end = create.end.as_ref();
                tuple.push_bind(execution.arn.clone()).push_bind(execution.name.clone());
                tuple.push_bind(execution.state_machine_name.clone()).push_bind(execution.state_machine_arn.clone());
                tuple.push_bind(create.new.definition.hash.clone());
                tuple.push_bind(end.map_or("RUNNING", |end| end.status)).push_bind(create.started_ms);
                tuple.push_bind(end.and_then(|end| end.stopped_ms)).push_bind(end.and_then(|end| end.error.clone()));
                tuple.push_bind(end.and_then(|end| end.cause.clone())).push_bind(create.owner.map(|worker| worker.0));
            });
            // An ARN that is taken gives no row: only that execution is refused.
            query.push(" ON CONFLICT (arn) DO NOTHING RETURNING arn, id");
            ids.extend(query.build_query_as::<(String, i64)>().fetch_all(&mut *conn).await?);
        }
        for create in &mut self.creates {
            let Some(id) = ids.remove(&*create.new.execution.arn).map(ExecutionId) else { continue };
            create.id = Some(id);
            let numbering = std::mem::replace(&mut create.numbering, Numbering::start());
            known.remember(id, Remembered { numbering, ended: create.end.is_some(), owner: create.owner });
            self.rows.extend(create.row.take().map(|row| (id, row)));
        }
        Ok(())
    }

    /// After the commit, or when it failed: tells everybody.
    pub(crate) fn answer(self, result: &Result<(), JournalError>) {
        for create in self.creates {
            let arn = create.new.execution.arn.clone();
            let own = result.clone().and_then(|()| create.id.ok_or(JournalError::AlreadyExists { arn }));
            let _ = create.reply.send(own);
        }
        for reply in self.appended {
            let _ = reply.send(result.clone());
        }
        for transaction in self.transactions {
            transaction.finish(result.clone());
        }
        for other in self.others {
            other(result);
        }
    }
}

/// Deletes inputs from the inbox.
async fn delete(conn: &mut SqliteConnection, column: &str, ids: &[i64]) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new(format!("DELETE FROM inbox WHERE {column} IN ("));
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
    query.build().execute(conn).await.map(|_| ())
}

/// The size of the next statement: a power of two, so that there are few different statements to prepare.
fn chunk(left: usize) -> Option<usize> {
    left.checked_ilog2().map(|log| CHUNK.min(1 << log))
}
