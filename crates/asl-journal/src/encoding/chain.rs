//! Records of an execution, decoded in order; damage is told with the name of the execution.

use super::codec::{Decoder, Row};
use crate::{ExecutionId, ExecutionRow, JournalError, Record, Recorded, Signal};
use std::collections::HashMap;
use std::sync::Arc;

/// The rows of some executions' records, in order.
pub(crate) type RowsOf = HashMap<ExecutionId, Result<Vec<Row>, JournalError>>;

/// Executions with what was read of each.
pub(crate) fn recorded(headers: Vec<ExecutionRow>, sent: Vec<Signal>, mut chains: RowsOf) -> Vec<Recorded> {
    let mut signals: HashMap<ExecutionId, Vec<Signal>> = HashMap::new();
    for signal in sent {
        signals.entry(signal.execution).or_default().push(signal);
    }
    let recorded = headers.into_iter().map(|row| {
        let rows = chains.remove(&row.id).unwrap_or_else(|| Err(missing(row.id, 1)));
        let records =
            rows.and_then(|rows| decode(&rows, row.id)).map_err(|error| by_name(error, row.arn.as_str().into()));
        Recorded { signals: signals.remove(&row.id).unwrap_or_default(), records, row }
    });
    recorded.collect()
}

pub(crate) fn by_name(error: JournalError, name: Arc<str>) -> JournalError {
    match error {
        JournalError::Corrupt { execution, record, what, .. } => {
            JournalError::Corrupt { execution, arn: Some(name), record, what }
        }
        other => other,
    }
}

pub(crate) fn missing(execution: ExecutionId, record: u64) -> JournalError {
    JournalError::Corrupt { execution, arn: None, record, what: "the last record is missing".to_owned() }
}

pub(crate) fn decode(rows: &[Row], execution: ExecutionId) -> Result<Vec<Record>, JournalError> {
    let mut decoder = Decoder::new(execution);
    rows.iter().map(|row| decoder.decode(row)).collect()
}
