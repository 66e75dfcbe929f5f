//! What one transaction of the writer holds: jobs, their rows, and who waits for the commit.

use crate::codec::{Row, encode};
use crate::error::JournalError;
use crate::inbox::{MailId, MailJob};
use crate::lease::{Claimed, LeaseJob, NewWorker, WorkerId};
use crate::payloads::Numbering;
use crate::{Append, Definition, ExecutionId, NewExecution, Record};
use asl_core::Outcome;
use asl_task::embedded::ServiceTx;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// For how many executions the numbering is remembered; for others it is looked up.
const REMEMBERED: usize = 4096;
/// How many bytes of payloads are remembered with the numbering, of all executions.
const REMEMBERED_BYTES: usize = 32 * 1024 * 1024;
/// How many definitions are remembered to be stored.
const DEFINITIONS: usize = 1024;

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
    /// A worker and its first execution.
    Begin(NewWorker, Box<NewExecution>, Reply<WorkerId>, Reply<ExecutionId>),
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
            Job::Begin(_, _, reply, _) => drop(reply.send(Err(error.clone()))),
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

    /// Writes it all; returns how many records that were.
    pub(crate) fn write(&mut self, conn: &Connection, known: &mut Known) -> Result<u64, rusqlite::Error> {
        if !self.creates.is_empty() {
            self.write_definitions(conn, known)?;
            self.write_executions(conn, known)?;
        }
        let mut insert = conn.prepare_cached(
            "INSERT INTO journal (execution, number, first_event, event_count, body, checksum) VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        for (execution, row) in &self.rows {
            let (number, first_event, event_count) =
                (row.number as i64, row.first_event as i64, row.event_count as i64);
            insert.execute((execution.0, number, first_event, event_count, &row.body, row.checksum))?;
        }
        self.write_standings(conn)?;
        let mut delete = conn.prepare_cached("DELETE FROM inbox WHERE id = ?")?;
        for mail in &self.mail {
            delete.execute([mail.0])?;
        }
        Ok(self.rows.len() as u64)
    }

    fn write_standings(&mut self, conn: &Connection) -> Result<(), rusqlite::Error> {
        let mut update = conn.prepare_cached(
            "UPDATE execution SET status = ?2, stopped_ms = ?3, error = ?4, cause = ?5, \
             redrive_count = redrive_count + (?6 IS NOT NULL), redriven_ms = coalesce(?6, redriven_ms), \
             owner = CASE WHEN ?6 IS NULL THEN owner ELSE ?7 END WHERE id = ?1",
        )?;
        // Nobody takes in any more what is left for it.
        let mut delete = conn.prepare_cached("DELETE FROM inbox WHERE execution = ?")?;
        for (execution, end) in &self.changed {
            let Standing { status, stopped_ms, error, cause, redriven_ms, redriver } = end;
            update.execute(params![execution.0, status, stopped_ms, error, cause, redriven_ms, redriver])?;
            delete.execute([execution.0])?;
        }
        Ok(())
    }

    fn write_definitions(&mut self, conn: &Connection, known: &mut Known) -> Result<(), rusqlite::Error> {
        for create in &self.creates {
            let Definition { hash, name, text } = &*create.new.definition;
            if known.definitions.insert(hash.clone()) {
                let sql =
                    "INSERT INTO definition (hash, name, text, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
                conn.prepare_cached(sql)?.execute((hash, name, text, create.started_ms))?;
            }
        }
        Ok(())
    }

    fn write_executions(&mut self, conn: &Connection, known: &mut Known) -> Result<(), rusqlite::Error> {
        // An ARN that is taken gives no row: only that execution is refused.
        let mut insert = conn.prepare_cached(
            "INSERT INTO execution (arn, name, state_machine, state_machine_arn, definition, status, started_ms, \
             stopped_ms, error, cause, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (arn) DO NOTHING",
        )?;
        for create in &mut self.creates {
            let execution = &create.new.execution;
            let end = create.end.as_ref();
            let inserted = insert.execute(params![
                execution.arn,
                execution.name,
                execution.state_machine_name,
                execution.state_machine_arn,
                create.new.definition.hash,
                end.map_or("RUNNING", |end| end.status),
                create.started_ms,
                end.and_then(|end| end.stopped_ms),
                end.and_then(|end| end.error.as_deref()),
                end.and_then(|end| end.cause.as_deref()),
                create.owner.map(|worker| worker.0),
            ])?;
            if inserted == 0 {
                continue;
            }
            let id = ExecutionId(conn.last_insert_rowid());
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
