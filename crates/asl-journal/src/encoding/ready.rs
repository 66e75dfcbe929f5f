//! Records that are encoded where they are made, beside the writer.

use super::codec::{Row, encode};
use super::payloads::{Mark, Numbering};
use crate::{ExecutionId, JournalError, Record};

/// A record that whoever brings it has encoded: right if its execution's history still ends where it goes on.
pub(crate) struct Ready {
    pub(crate) row: Row,
    pub(crate) goes_on: Mark,
    pub(crate) numbering: Numbering,
}

impl Ready {
    /// Encodes the first record of an execution, which has no number yet.
    ///
    /// # Errors
    /// When its events do not begin with 1.
    pub(crate) fn first(record: &Record) -> Result<Ready, JournalError> {
        Ready::new(record, ExecutionId(0), Numbering::start())
    }

    /// Encodes a record with a numbering that was taken for it.
    ///
    /// # Errors
    /// When it does not go on there.
    pub(crate) fn new(
        record: &Record,
        execution: ExecutionId,
        mut numbering: Numbering,
    ) -> Result<Ready, JournalError> {
        let goes_on = numbering.mark();
        let row = encode(record, execution, &mut numbering)?;
        Ok(Ready { row, goes_on, numbering })
    }
}
