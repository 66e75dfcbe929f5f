//! What one transaction of the writer holds: jobs, their rows, and who waits for the commit.

use crate::JournalError;
use crate::encoding::codec::Row;
use crate::encoding::ready::Ready;
use crate::encoding::standing::Standing;
use crate::sqlite::catalogue::Change;
use crate::sqlite::write::inbox::InboxJob;
use crate::sqlite::write::known::{Known, Last, Remembered};
use crate::sqlite::write::lease::LeaseJob;
use crate::sqlite::write::quarantine::QuarantineJob;
use crate::{Append, Definition, ExecutionId, NewExecution, NewWorker, Verdict, WorkerId};
use asl_store::ServiceTx;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

/// Tells a caller how its group went.
type Tell = Box<dyn FnOnce(&Result<(), JournalError>) + Send>;
pub(crate) type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// A new execution with its first record encoded, and a further record, encoded if it could be. Whoever brought it gets it
/// back with the answer: to take all its parts down costs as much as to write it, and that can be done beside the writer.
pub(crate) type Created = Box<(NewExecution, Option<Ready>)>;
pub(crate) type Appended = Box<(Append, Option<Ready>)>;

/// On whose behalf something is written, and which inputs of the inbox it takes in.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) owner: WorkerId,
    pub(crate) verdicts: Vec<Verdict>,
}

/// What the writer is asked for.
pub(crate) enum Job {
    /// Of a worker, or for the one that claims it first.
    Create(Created, Option<WorkerId>, Reply<(ExecutionId, Created)>),
    /// A worker and its first execution.
    Begin(NewWorker, Created, Reply<WorkerId>, Reply<(ExecutionId, Created)>),
    Append(Appended, Ticket, Reply<Appended>),
    Transact(Box<dyn Transaction>, Option<WorkerId>),
    Lease(LeaseJob),
    Inbox(InboxJob),
    Quarantine(QuarantineJob),
    /// Of the catalogue.
    Change(Box<dyn Change>),
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
            Job::Inbox(job) => job.fail(error),
            Job::Quarantine(job) => job.fail(error),
            Job::Change(change) => change.fail(error),
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

#[derive(Default)]
pub(crate) struct Group {
    creates: Vec<Create>,
    rows: Vec<(ExecutionId, Row)>,
    changed: Vec<(ExecutionId, Standing)>,
    /// Inputs of the inbox that records took in, or refused.
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) appended: Vec<(Reply<Appended>, Appended)>,
    pub(crate) transactions: Vec<Box<dyn Transaction>>,
    /// Callers with other answers.
    others: Vec<Tell>,
    /// How many bytes it has to write, and how many records of them are written.
    pub(crate) bytes: usize,
    pub(crate) records: u64,
    /// How many of the new executions are written.
    created: usize,
}

struct Create {
    new: Created,
    owner: Option<WorkerId>,
    end: Option<Standing>,
    started_ms: i64,
    reply: Reply<(ExecutionId, Created)>,
    id: Option<ExecutionId>,
}

impl Group {
    /// Adds a new execution.
    pub(crate) fn create(&mut self, new: Created, owner: Option<WorkerId>, reply: Reply<(ExecutionId, Created)>) {
        let (NewExecution { record, outcome, .. }, ready) = &*new;
        self.bytes += ready.as_ref().map_or(0, |ready| ready.row.body.len());
        let end = Standing::new(outcome.as_ref(), record, owner);
        let started = record.events.first().map_or(record.now, |event| event.timestamp);
        self.creates.push(Create { owner, end, started_ms: started.millis(), reply, id: None, new });
    }

    /// Adds the row of a record, written on behalf of `owner`.
    pub(crate) fn append(&mut self, append: &Append, row: Row, owner: Option<WorkerId>) {
        self.bytes += row.body.len();
        self.rows.push((append.execution, row));
        let standing = Standing::new(append.outcome.as_ref(), &append.record, owner);
        self.changed.extend(standing.map(|standing| (append.execution, standing)));
    }

    /// Keeps an answer until it is known how the group went. The inner result is the caller's own, the outer one the group's,
    /// which is told at once and given back.
    pub(crate) fn tell<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        done: Result<Result<T, JournalError>, JournalError>,
    ) -> Result<(), JournalError> {
        match done {
            Ok(own) => self.others.push(Box::new(move |group| drop(reply.send(group.clone().and(own))))),
            Err(error) => {
                // Who has gone away wants no answer.
                let _ = reply.send(Err(error.clone()));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes what is not written yet.
    pub(crate) fn write(&mut self, conn: &Connection, known: &mut Known) -> Result<(), rusqlite::Error> {
        if self.created < self.creates.len() {
            self.write_definitions(conn, known)?;
            self.write_executions(conn, known)?;
            self.created = self.creates.len();
        }
        self.write_rows(conn, known)?;
        // Before the inboxes of those that end are emptied, which refuses what is left.
        self.write_verdicts(conn)?;
        self.write_standings(conn)
    }

    fn write_verdicts(&mut self, conn: &Connection) -> Result<(), rusqlite::Error> {
        for Verdict { signal, taken } in self.verdicts.drain(..) {
            if taken {
                conn.prepare_cached("INSERT OR IGNORE INTO verdict (mail, taken) VALUES (?, 1)")?
                    .execute([signal.0])?;
            }
            conn.prepare_cached("DELETE FROM inbox WHERE id = ?")?.execute([signal.0])?;
        }
        Ok(())
    }

    /// Each row after the last of its execution.
    fn write_rows(&mut self, conn: &Connection, known: &mut Known) -> Result<(), rusqlite::Error> {
        let mut insert = conn.prepare_cached(
            "INSERT INTO journal (execution, previous, number, first_event, event_count, checksum, body) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?;
        for (execution, row) in self.rows.drain(..) {
            let (number, first_event, event_count) =
                (row.number as i64, row.first_event as i64, row.event_count as i64);
            let previous = known.last(execution).map(|last| last.position);
            insert.execute((execution.0, previous, number, first_event, event_count, row.checksum, &row.body))?;
            known.wrote(execution, Last { position: conn.last_insert_rowid(), number });
            self.records += 1;
        }
        Ok(())
    }

    fn write_standings(&mut self, conn: &Connection) -> Result<(), rusqlite::Error> {
        let mut update = conn.prepare_cached(
            "UPDATE execution SET status = ?2, stopped_ms = ?3, error = ?4, cause = ?5, \
             redrive_count = redrive_count + (?6 IS NOT NULL), redriven_ms = coalesce(?6, redriven_ms), \
             owner = CASE WHEN ?6 IS NULL THEN owner ELSE ?7 END WHERE id = ?1",
        )?;
        // Nobody takes in any more what is left for it.
        let mut delete = conn.prepare_cached("DELETE FROM inbox WHERE execution = ?")?;
        for (execution, end) in self.changed.drain(..) {
            let Standing { status, stopped_ms, error, cause, redriven_ms, redriver } = end;
            update.execute(params![execution.0, status, stopped_ms, error, cause, redriven_ms, redriver])?;
            delete.execute([execution.0])?;
        }
        Ok(())
    }

    fn write_definitions(&mut self, conn: &Connection, known: &mut Known) -> Result<(), rusqlite::Error> {
        for create in &self.creates[self.created..] {
            let Definition { hash, name, text } = &*create.new.0.definition;
            if known.is_new(hash) {
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
             stopped_ms, error, cause, owner, token_key, started_as) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (arn) DO NOTHING",
        )?;
        for create in &mut self.creates[self.created..] {
            let (new, ready) = &mut *create.new;
            let execution = &new.execution;
            let end = create.end.as_ref();
            let inserted = insert.execute(params![
                execution.arn,
                execution.name,
                execution.state_machine_name,
                execution.state_machine_arn,
                new.definition.hash,
                end.map_or("RUNNING", |end| end.status),
                create.started_ms,
                end.and_then(|end| end.stopped_ms),
                end.and_then(|end| end.error.as_deref()),
                end.and_then(|end| end.cause.as_deref()),
                create.owner.map(|worker| worker.0),
                execution.token_key.as_ref().map(|key| key.bytes().as_slice()),
                new.started_as.as_ref().map(|named| serde_json::to_string(named).expect("texts have no way to fail")),
            ])?;
            if inserted == 0 {
                continue;
            }
            let id = ExecutionId(conn.last_insert_rowid());
            create.id = Some(id);
            if let Some(Ready { row, numbering, .. }) = ready.take() {
                known.remember(id, Remembered::new(numbering, None, create.end.is_some(), create.owner));
                self.rows.push((id, row));
            }
        }
        Ok(())
    }

    /// How many wait to be told.
    pub(crate) fn callers(&self) -> usize {
        self.creates.len() + self.appended.len() + self.transactions.len() + self.others.len()
    }

    /// After the commit, or when it failed: tells everybody.
    pub(crate) fn answer(self, result: &Result<(), JournalError>) {
        for Create { new, reply, id, .. } in self.creates {
            let own = result.clone().and_then(|()| match id {
                Some(id) => Ok((id, new)),
                None => Err(JournalError::AlreadyExists { arn: new.0.execution.arn.clone() }),
            });
            let _ = reply.send(own);
        }
        for (reply, append) in self.appended {
            let _ = reply.send(result.clone().map(|()| append));
        }
        for transaction in self.transactions {
            transaction.finish(result.clone());
        }
        for other in self.others {
            other(result);
        }
    }
}
