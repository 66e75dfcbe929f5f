//! Where histories are written: a start, and the hottest call of all, a further record.

use super::commit::{Answer, Job};
use super::group::{Entry, Goes};
use crate::encoding::codec::{Row, after, encode};
use crate::encoding::payloads::Numbering;
use crate::encoding::standing::Standing;
use crate::postgres::PgStore;
use crate::postgres::conn::ATTEMPTS;
use crate::postgres::ends::End;
use crate::postgres::read::stored;
use crate::{Append, ExecutionId, JournalError, NewExecution, Verdict, WorkerId};
use sqlx::Row as _;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

/// An execution as the database has it.
pub(crate) struct Found {
    pub(crate) end: End,
    ended: bool,
    owner: Option<WorkerId>,
    /// The last record, and the position of the one before it.
    last: Row,
    previous: Option<i64>,
    in_force: bool,
}

impl PgStore {
    /// Starts the history of an execution, for a worker or for the one that claims it first.
    pub(crate) async fn create_for(
        &self,
        new: NewExecution,
        owner: Option<WorkerId>,
    ) -> Result<ExecutionId, JournalError> {
        let NewExecution { definition, execution, record, outcome, started_as } = new;
        let mut numbering = Numbering::start();
        let row = self.small_enough(ExecutionId(0), encode(&record, ExecutionId(0), &mut numbering)?)?;
        let standing = Standing::new(outcome.as_ref(), &record, owner);
        let started_ms = record.events.first().map_or(record.now, |event| event.timestamp).millis();
        let started_as = started_as.map(|named| serde_json::to_string(&named).expect("texts have no way to fail"));
        let goes = Goes::First { execution: execution.clone(), definition, started_ms, started_as };
        let Answer { entry, place, again } = self.put(Entry { row, owner, goes, standing, mail: Vec::new() }).await?;
        let (id, position) = match place? {
            Some(place) => (place.execution, place.position),
            None => self.begun_before(&entry, &execution.arn, again).await?,
        };
        if let (Some(owner), None) = (owner, outcome) {
            self.ends.put(id, End { position, numbering, owner });
        }
        Ok(id)
    }

    /// A start that was not written: because its worker is gone or its ARN is taken, unless it is taken by this very start, which was
    /// sent before on a connection that was lost.
    async fn begun_before(&self, entry: &Entry, arn: &str, again: bool) -> Result<(ExecutionId, i64), JournalError> {
        self.in_force(entry.owner).await?;
        if again {
            let sql = "SELECT x.id, j.position, j.body FROM @execution x JOIN @latest l ON l.execution = x.id \
                       JOIN @journal j ON j.position = l.first WHERE x.arn = $1";
            let found = self.fetch(sql, |query| query.bind(arn.to_owned())).await?;
            if let Some(row) = found.first() {
                let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get::<String, _>(2)?));
                let (id, position, body): (i64, i64, String) = read().map_err(|e| self.place.failed(e))?;
                // The text has the execution's own random key: nobody else's is the same.
                if body == entry.row.body {
                    return Ok((ExecutionId(id), position));
                }
            }
        }
        Err(JournalError::AlreadyExists { arn: arn.into() })
    }

    /// Adds a record to the history of an execution of this worker; see [`asl_store::Worker::append`].
    pub(crate) async fn append_for(
        &self,
        owner: WorkerId,
        append: &Append,
        mail: Vec<Verdict>,
    ) -> Result<(), JournalError> {
        let execution = append.execution;
        let mut known = self.ends.take(execution, owner);
        let mut unsure: Option<Entry> = None;
        let mut mail = Some(mail);
        for _ in 0..ATTEMPTS {
            let (end, found) = match known.take() {
                Some(end) => (end, None),
                None => self.look_up(execution, owner).await?.split(),
            };
            if let (Some(entry), Some(found)) = (&unsure, &found)
                && found.is(entry)
            {
                self.go_on(execution, end, append);
                return Ok(());
            }
            let (mut entry, end) = self.next_entry(owner, append, end, found.as_ref())?;
            entry.mail = mail.take().or_else(|| unsure.take().map(|entry| entry.mail)).unwrap_or_default();
            let Answer { mut entry, place, again } = self.put(entry).await?;
            match place? {
                Some(place) => {
                    self.go_on(execution, End { position: place.position, ..end }, append);
                    return Ok(());
                }
                None if again => unsure = Some(entry),
                None => mail = Some(std::mem::take(&mut entry.mail)),
            }
        }
        Err(JournalError::Conflict { place: self.place.0.clone(), attempts: ATTEMPTS })
    }

    /// The next record of an execution as an entry, and the end behind it but for its position.
    pub(crate) fn next_entry(
        &self,
        owner: WorkerId,
        append: &Append,
        mut end: End,
        found: Option<&Found>,
    ) -> Result<(Entry, End), JournalError> {
        let execution = append.execution;
        let redrives = append.record.redrives();
        if let Some(found) = found {
            found.allows(execution, owner, redrives)?;
        }
        let position = end.position;
        let row = match encode(&append.record, execution, &mut end.numbering) {
            Ok(row) => self.small_enough(execution, row)?,
            Err(error) => {
                if found.is_none() {
                    // Nothing has moved.
                    self.ends.put(execution, end);
                }
                return Err(error);
            }
        };
        let standing = Standing::new(append.outcome.as_ref(), &append.record, Some(owner));
        let goes = Goes::After { execution, position };
        end.owner = owner;
        Ok((Entry { row, owner: Some(owner), goes, standing, mail: Vec::new() }, end))
    }

    /// A record is written: the next one goes on from there.
    pub(crate) fn go_on(&self, execution: ExecutionId, end: End, append: &Append) {
        if append.outcome.is_none() {
            self.ends.put(execution, end);
        }
    }

    /// Queues a record and waits until it is known what became of it.
    async fn put(&self, entry: Entry) -> Result<Answer, JournalError> {
        self.may_write()?;
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs()?;
        jobs.send(Job { entry, reply }).await.map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)
    }

    pub(crate) fn small_enough(&self, execution: ExecutionId, row: Row) -> Result<Row, JournalError> {
        let (bytes, limit) = (row.body.len(), self.record_bytes.load(Ordering::Relaxed));
        if bytes > limit { Err(JournalError::TooLarge { execution, bytes, limit }) } else { Ok(row) }
    }

    /// [`JournalError::Fenced`] when the worker is gone.
    pub(crate) async fn in_force(&self, owner: Option<WorkerId>) -> Result<(), JournalError> {
        let Some(worker) = owner else { return Ok(()) };
        let found =
            self.fetch("SELECT 1 FROM @worker WHERE id = $1 AND gone = 0", |query| query.bind(worker.0)).await?;
        if found.is_empty() { Err(JournalError::Fenced { worker }) } else { Ok(()) }
    }

    /// Where the history of an execution ends, in the database.
    pub(crate) async fn look_up(&self, execution: ExecutionId, owner: WorkerId) -> Result<Found, JournalError> {
        let sql = "SELECT j.number, j.first_event, j.event_count, j.body, j.checksum, j.position, j.previous, \
                   x.status <> 'RUNNING', x.owner, EXISTS (SELECT 1 FROM @worker w WHERE w.id = $2 AND w.gone = 0) \
                   FROM @execution x JOIN @latest l ON l.execution = x.id JOIN @journal j ON j.position = l.position \
                   WHERE x.id = $1";
        let found = self.fetch(sql, |query| query.bind(execution.0).bind(owner.0)).await?;
        let Some(row) = found.first() else {
            self.in_force(Some(owner)).await?;
            return Err(JournalError::NoSuchExecution { execution });
        };
        let last = stored(row, execution)?;
        let numbering = after(&last, execution)?;
        let read = || -> Result<_, sqlx::Error> {
            let end = End { position: row.try_get(5)?, numbering, owner };
            let (previous, ended, found) = (row.try_get(6)?, row.try_get(7)?, row.try_get::<Option<i64>, _>(8)?);
            Ok(Found { end, ended, owner: found.map(WorkerId), last, previous, in_force: row.try_get(9)? })
        };
        read().map_err(|e| self.place.failed(e))
    }
}

impl Found {
    pub(crate) fn split(self) -> (End, Option<Found>) {
        let Found { end, .. } = &self;
        let copy = End { position: end.position, numbering: end.numbering.mark().renumber(), owner: end.owner };
        (copy, Some(self))
    }

    /// True when the last record is this one.
    fn is(&self, entry: &Entry) -> bool {
        matches!(entry.goes, Goes::After { position, .. } if self.previous == Some(position))
            && self.last.body == entry.row.body
    }

    fn allows(&self, execution: ExecutionId, worker: WorkerId, redrives: bool) -> Result<(), JournalError> {
        if !self.in_force {
            return Err(JournalError::Fenced { worker });
        }
        match (self.ended, redrives) {
            (true, false) => Err(JournalError::Ended { execution }),
            (false, _) if self.owner != Some(worker) => Err(JournalError::NotOwner { execution }),
            _ => Ok(()),
        }
    }
}
