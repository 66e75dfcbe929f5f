//! Records of an execution, decoded in order; damage is told with the name of the execution.

use super::codec::{Decoder, Row};
use crate::{ExecutionId, ExecutionRow, JournalError, Record, Recorded, Records, Signal};
use asl_store::{RecordReader, StoreError};
use async_trait::async_trait;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Executions whose records have more bytes than this are not read together with others.
pub(crate) const LONG_BYTES: i64 = 256 * 1024;
/// So many bytes of records are read at once of one that is read in pieces, or one record.
const PIECE_BYTES: u64 = 2 * 1024 * 1024;

/// The rows of one execution's records, in order.
pub(crate) enum Chain {
    /// All of them.
    Whole(Vec<Row>),
    /// They have more than [`LONG_BYTES`].
    Long,
}

/// What was read of some executions.
pub(crate) type ChainsOf = HashMap<ExecutionId, Result<Chain, JournalError>>;

/// Where a record is, and how many bytes it has.
pub(crate) struct Place {
    pub(crate) position: i64,
    pub(crate) bytes: u64,
}

/// The places of a chain, in order, of what is read from its last record on back: the number that the last one should have, where
/// it is, and its own number and bytes, if it is there. A gap is found when they are decoded; here, that the last one is there.
pub(crate) fn places(
    rows: Vec<(i64, i64, Option<i64>, Option<i64>)>,
    execution: ExecutionId,
) -> Result<VecDeque<Place>, JournalError> {
    if let Some((last, _, number, _)) = rows.first()
        && *number != Some(*last)
    {
        return Err(missing(execution, last.unsigned_abs()));
    }
    let there = rows
        .into_iter()
        .rev()
        .filter_map(|(_, position, _, bytes)| Some(Place { position, bytes: bytes?.unsigned_abs() }));
    Ok(there.collect())
}

/// A database that gives the rows at some positions of an execution, in order.
#[async_trait]
pub(crate) trait RowsAt: Send + Sync {
    async fn rows_at(&self, execution: ExecutionId, positions: Vec<i64>) -> Result<Vec<Row>, JournalError>;
    /// The error with the name of its execution.
    async fn named(&self, error: JournalError) -> JournalError;
}

/// Reads the records of an execution in pieces.
pub(crate) struct Pieces<D> {
    database: D,
    execution: ExecutionId,
    left: VecDeque<Place>,
    decoder: Decoder,
}

impl<D> Pieces<D> {
    /// All records at these places, in order.
    pub(crate) fn new(database: D, execution: ExecutionId, places: VecDeque<Place>) -> Pieces<D> {
        Pieces { database, execution, left: places, decoder: Decoder::forgetful(execution) }
    }
}

#[async_trait]
impl<D: RowsAt> RecordReader for Pieces<D> {
    async fn next(&mut self) -> Result<Vec<Record>, StoreError> {
        let (mut positions, mut bytes) = (Vec::new(), 0);
        while let Some(place) = self.left.pop_front_if(|place| bytes == 0 || bytes + place.bytes <= PIECE_BYTES) {
            bytes += place.bytes;
            positions.push(place.position);
        }
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.database.rows_at(self.execution, positions).await?;
        let records = rows.iter().map(|row| self.decoder.decode(row)).collect::<Result<_, _>>();
        match records {
            Err(error) => Err(self.database.named(error).await),
            Ok(records) => Ok(records),
        }
    }
}

/// Executions with what was read of each.
pub(crate) fn recorded(headers: Vec<ExecutionRow>, sent: Vec<Signal>, mut chains: ChainsOf) -> Vec<Recorded> {
    let mut signals: HashMap<ExecutionId, Vec<Signal>> = HashMap::new();
    for signal in sent {
        signals.entry(signal.execution).or_default().push(signal);
    }
    let recorded = headers.into_iter().map(|row| {
        let chain = chains.remove(&row.id).unwrap_or_else(|| Err(missing(row.id, 1)));
        let records = chain.and_then(|chain| match chain {
            Chain::Whole(rows) => decode(&rows, row.id).map(Records::Whole),
            Chain::Long => Ok(Records::Long),
        });
        let records = records.map_err(|error| by_name(error, row.arn.as_str().into()));
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
