//! A start in a transaction of the caller's: its rows and the execution are there both, or neither.

use super::group::{self, Entry, Goes, Within};
use crate::encoding::codec::encode;
use crate::encoding::payloads::Numbering;
use crate::encoding::standing::Standing;
use crate::postgres::PgStore;
use crate::{ExecutionId, JournalError, NewExecution};
use asl_store::Catalogue;
use sqlx::{PgConnection, Postgres, Transaction};
use std::any::Any;

impl PgStore {
    /// Starts the history of an execution for the worker that claims it first, in the caller's transaction.
    pub(crate) async fn submit_within(
        &self,
        transaction: &mut (dyn Any + Send),
        new: NewExecution,
    ) -> Result<ExecutionId, JournalError> {
        self.may_write()?;
        let conn = self.connection_of(transaction)?;
        let NewExecution { definition, execution, record, outcome, started_as } = new;
        let now = record.events.first().map_or(record.now, |event| event.timestamp);
        // In a transaction of its own: everybody who starts the same state machine for the first time waits for this row.
        self.put_definition(&definition, now).await?;
        let row = self.small_enough(ExecutionId(0), encode(&record, ExecutionId(0), &mut Numbering::start())?)?;
        let standing = Standing::new(outcome.as_ref(), &record, None);
        let started_as = started_as.map(|named| serde_json::to_string(&named).expect("texts have no way to fail"));
        let arn = execution.arn.clone();
        let goes = Goes::First { execution, definition, started_ms: now.millis(), started_as };
        let entry = Entry { row, owner: None, goes, standing, mail: Vec::new() };
        let (schema, is_direct) = (&self.address.schema, self.address.is_direct);
        let written = group::write(conn, schema, is_direct, Within::Another, &[&entry]).await;
        let places = written.map_err(|error| self.place.failed(error))?;
        places.first().copied().flatten().map(|place| place.execution).ok_or(JournalError::AlreadyExists { arn })
    }

    fn connection_of<'t>(&self, transaction: &'t mut (dyn Any + Send)) -> Result<&'t mut PgConnection, JournalError> {
        if transaction.is::<PgConnection>() {
            return Ok(transaction.downcast_mut().expect("it is one"));
        }
        match transaction.downcast_mut::<Transaction<'static, Postgres>>() {
            Some(transaction) => Ok(transaction),
            None => {
                let what = "takes a start into a sqlx::Transaction<'static, Postgres> or a sqlx::PgConnection of the sqlx that asl \
                            re-exports, and was given something else";
                Err(JournalError::Address { place: self.place.0.clone(), what: what.to_owned() })
            }
        }
    }
}
