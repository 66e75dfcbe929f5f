//! What is read of histories without reading them whole: pages, the feed, and what a description shows.

use crate::error::StoreError;
use crate::record::{ExecutionId, ExecutionRow, Record};
use crate::signal::Signal;
use asl_core::EventId;
use asl_value::Value;
use async_trait::async_trait;
use std::sync::Arc;

/// An execution as its owner needs it to go on.
#[derive(Debug)]
pub struct Recorded {
    /// Its header.
    pub row: ExecutionRow,
    /// Its records; or what is wrong with them.
    pub records: Result<Records, StoreError>,
    /// Signals that wait for it, oldest first.
    pub signals: Vec<Signal>,
}

/// The records of an execution that is read together with others.
#[derive(Debug)]
pub enum Records {
    /// All of them, in order.
    Whole(Vec<Record>),
    /// They are too many bytes to be read together with others: [`crate::Store::read_records`] reads them in pieces.
    Long,
}

/// Reads the records of an execution in pieces, oldest first. Memory goes with a piece and with what later records refer to, not
/// with the history.
#[async_trait]
pub trait RecordReader: Send {
    /// The next records, in order; empty behind the last one. [`StoreError::Corrupt`] names a record that is not as it was
    /// written.
    async fn next(&mut self) -> Result<Vec<Record>, StoreError>;
}

/// All records as one piece, for a store that has no other way.
#[async_trait]
impl RecordReader for Vec<Record> {
    async fn next(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(std::mem::take(self))
    }
}

/// What a description of an execution shows. No history is read for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its header, with error and cause.
    pub row: ExecutionRow,
    /// The text of its input, to the letter.
    pub input: Arc<str>,
    /// Its output, where it succeeded.
    pub output: Option<Value>,
}

/// Which events of a history to read. The default is all of them, from the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// From the last event on back, instead of from the first one on.
    pub reverse: bool,
    /// Only events behind this one, in the direction of reading.
    pub after: Option<EventId>,
    /// At most so many events.
    pub limit: Option<u32>,
}

/// The place of a record in its store: in the order in which they became visible, from 1. 0 comes before all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub i64);

/// A record that was written, as the feed tells of it. The events themselves are a [`Page`] of the execution's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its place: where to go on from.
    pub position: Position,
    /// Whose it is.
    pub execution: ExecutionId,
    /// The number of its first event; of the event after it, if it has none.
    pub first_event: EventId,
    /// How many events it has.
    pub event_count: u64,
}

/// A whole history that was kept outside a store, with what it ran.
#[derive(Clone, Copy, Debug)]
pub struct KeptHistory<'k> {
    /// The name of its state machine.
    pub name: &'k str,
    /// The definition it ran: JSON or YAML.
    pub definition: &'k str,
    /// Its records.
    pub records: &'k [crate::Record],
}
