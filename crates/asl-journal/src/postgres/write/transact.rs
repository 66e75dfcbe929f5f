//! Work on the embedded services in a transaction of its own, with the record that it returns. Several run beside each other, on
//! connections of the pool; one that ran into another is tried again.

use super::append::Found;
use super::group;
use super::service::PgTx;
use crate::postgres::PgStore;
use crate::postgres::conn::{ATTEMPTS, Backoff, transaction_id};
use crate::postgres::ends::End;
use crate::postgres::error::{Class, class};
use crate::{Append, JournalError, WorkerId};
use asl_store::{Done, Undo, Work};
use futures_util::FutureExt;
use sqlx::{Connection, PgConnection};
use std::panic::AssertUnwindSafe;

/// What the store commits with work: nothing, or a record.
pub(crate) trait With: Send {
    fn append(self) -> Option<Append>;
}

impl With for () {
    fn append(self) -> Option<Append> {
        None
    }
}

impl With for Option<Append> {
    fn append(self) -> Option<Append> {
        self
    }
}

/// How work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What it did is committed.
    Commit,
    /// Whatever it wrote is undone.
    Look,
}

/// How one attempt ended that is not an error.
enum Attempt {
    Done(Done),
    /// The connection was lost at the commit, and nothing of it is there.
    Nothing,
    /// The end of the history was not where it was believed to be.
    Moved,
    Refused(JournalError),
}

impl PgStore {
    /// Runs work, as often as it takes.
    pub(crate) async fn attempt<R: With>(
        &self,
        mut work: Box<dyn Work<R>>,
        owner: Option<WorkerId>,
        ending: Ending,
    ) -> Result<Done, JournalError> {
        if ending == Ending::Commit {
            self.may_write()?;
        }
        let (mut backoff, mut attempts) = (Backoff::new(), 0);
        loop {
            attempts += 1;
            let failed = match self.attempt_once(&mut *work, owner, ending).await {
                Ok(Attempt::Done(done)) => return Ok(done),
                Ok(Attempt::Refused(error)) => return Err(error),
                Ok(Attempt::Nothing) => None,
                Ok(Attempt::Moved) => {
                    (attempts >= ATTEMPTS).then(|| JournalError::Conflict { place: self.place.0.clone(), attempts })
                }
                Err(error) => match class(&error) {
                    Class::Conflict if attempts >= ATTEMPTS => {
                        Some(JournalError::Conflict { place: self.place.0.clone(), attempts })
                    }
                    Class::Lost if backoff.is_over() => Some(self.place.failed(error)),
                    Class::Final => Some(self.place.failed(error)),
                    Class::Conflict => {
                        self.counts.conflicts.add(1);
                        None
                    }
                    Class::Lost => {
                        self.counts.lost.add(1);
                        None
                    }
                },
            };
            if let Some(error) = failed {
                return Err(error);
            }
            backoff.pause().await;
        }
    }

    async fn attempt_once<R: With>(
        &self,
        work: &mut dyn Work<R>,
        owner: Option<WorkerId>,
        ending: Ending,
    ) -> Result<Attempt, sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        if let Some(worker) = owner
            && !self.is_fenced_in(&mut tx, worker).await?
        {
            return Ok(Attempt::Refused(JournalError::Fenced { worker }));
        }
        let mut services = PgTx::new(&mut tx, self);
        let ran = AssertUnwindSafe(work.attempt(&mut services)).catch_unwind().await;
        let failed = services.failed.take();
        // After a failure of the database the transaction is lost, whatever the work made of it.
        if let Some(error) = failed {
            return Err(error);
        }
        let append = match ran {
            Err(_) => return Ok(Attempt::Refused(JournalError::Panicked)),
            Ok(Err(Undo)) => {
                tx.rollback().await?;
                return Ok(Attempt::Done(Done::Undone));
            }
            Ok(Ok(with)) => with.append(),
        };
        if ending == Ending::Look {
            tx.rollback().await?;
            return Ok(Attempt::Done(Done::Committed));
        }
        let mut moved_on = None;
        if let Some(append) = append {
            let Some(owner) = owner else {
                return Ok(Attempt::Refused(JournalError::NotOwner { execution: append.execution }));
            };
            match self.record_in(&mut tx, owner, &append).await? {
                Ok(Some(end)) => moved_on = Some((append, end)),
                Ok(None) => return Ok(Attempt::Moved),
                Err(refused) => return Ok(Attempt::Refused(refused)),
            }
        }
        let xact = transaction_id(&mut tx).await?;
        match tx.commit().await {
            Err(error) if class(&error) == Class::Lost => match self.was_committed(xact).await {
                Ok(true) => {}
                Ok(false) => return Ok(Attempt::Nothing),
                Err(error) => return Ok(Attempt::Refused(error)),
            },
            committed => committed?,
        }
        if let Some((append, end)) = moved_on {
            self.go_on(append.execution, end, &append);
        }
        self.counts.transactions.add(1);
        self.committed();
        Ok(Attempt::Done(Done::Committed))
    }

    /// Writes a record in the open transaction. None when the history does not end where it was believed to.
    async fn record_in(
        &self,
        tx: &mut PgConnection,
        owner: WorkerId,
        append: &Append,
    ) -> Result<Result<Option<End>, JournalError>, sqlx::Error> {
        let execution = append.execution;
        let (end, found): (End, Option<Found>) = match self.ends.take(execution, owner) {
            Some(end) => (end, None),
            None => match self.look_up(execution, owner).await {
                Ok(found) => found.split(),
                Err(refused) => return Ok(Err(refused)),
            },
        };
        let (entry, end) = match self.next_entry(owner, append, end, found.as_ref()) {
            Ok(next) => next,
            Err(refused) => return Ok(Err(refused)),
        };
        let places =
            group::write(tx, &self.address.schema, self.address.is_direct, group::Within::Own, &[&entry]).await?;
        Ok(Ok(places.first().copied().flatten().map(|place| End { position: place.position, ..end })))
    }
}
