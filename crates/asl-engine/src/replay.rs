//! Replay: the records' inputs through the machine again. The same code continues an execution after a crash.

use crate::load_stored;
use asl_core::{Event, Machine, Outcome, Rejected, event::to_aws};
use asl_journal::{ExecutionRow, Journal, JournalError, Record};
use std::sync::Arc;

/// What a replay found to be the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// How many records went through the machine.
    pub records: usize,
    /// How many events they made, all as recorded.
    pub events: usize,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
}

/// The first event that differs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the replay of {execution} differs at event {event}:\n  recorded  {}\n  replayed  {}",
    shown(.recorded), shown(.replayed)
)]
pub struct Divergence {
    /// The execution's ARN.
    pub execution: Arc<str>,
    /// The number of the event.
    pub event: u64,
    /// The recorded event, if there is one.
    pub recorded: Option<Box<Event>>,
    /// The event the machine makes, if it makes one.
    pub replayed: Option<Box<Event>>,
}

fn shown(event: &Option<Box<Event>>) -> String {
    event.as_ref().map_or_else(|| "(nothing)".to_owned(), |e| to_aws(e).to_string())
}

/// Why an execution could not be replayed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The machine makes other events than were recorded.
    #[error(transparent)]
    Divergence(Box<Divergence>),
    /// The machine does not take a recorded input.
    #[error("record {record} of {execution} holds an input that its machine does not take: {rejected}")]
    Rejected {
        /// The execution's ARN.
        execution: Arc<str>,
        /// The record, from 1.
        record: usize,
        /// Why.
        rejected: Rejected,
    },
    /// The definition it ran is not in the database, or no longer loads.
    #[error("the definition of {execution} {why}")]
    Definition {
        /// The execution's ARN.
        execution: Arc<str>,
        /// What is wrong.
        why: String,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Runs an execution's records through the machine again and compares every event.
///
/// # Errors
/// [`ReplayError::Divergence`] at the first difference; or when it cannot be replayed at all.
pub async fn replay(journal: &Journal, row: &ExecutionRow) -> Result<Replayed, ReplayError> {
    let (machine, replayed) = rebuild(journal, row).await?;
    Ok(Replayed { outcome: machine.outcome().cloned(), ..replayed })
}

/// The machine of an execution, from its records.
pub(crate) async fn rebuild(journal: &Journal, row: &ExecutionRow) -> Result<(Machine, Replayed), ReplayError> {
    let arn: Arc<str> = row.arn.as_str().into();
    let bad = |why: String| ReplayError::Definition { execution: arn.clone(), why };
    let stored = journal.definition(&row.definition).await?;
    let stored = stored.ok_or_else(|| bad("is not in the database".to_owned()))?;
    let definition = load_stored(&stored.text).map_err(|e| bad(format!("does not load: {e}")))?;
    let mut machine = Machine::new(definition);
    let mut done = Replayed { records: 0, events: 0, outcome: None };
    for record in journal.records(row.id).await? {
        done.records += 1;
        done.events += record.events.len();
        redo(&mut machine, record, &arn, done.records)?;
    }
    Ok((machine, done))
}

/// One record through the machine.
fn redo(machine: &mut Machine, record: Record, arn: &Arc<str>, number: usize) -> Result<(), ReplayError> {
    for input in record.inputs {
        machine.handle(input, record.now).map_err(|rejected| ReplayError::Rejected {
            execution: arn.clone(),
            record: number,
            rejected,
        })?;
    }
    machine.run(record.now, record.steps);
    let replayed = machine.take_effects().events;
    let mut pairs = record.events.iter().zip(&replayed);
    let same = pairs.by_ref().take_while(|(a, b)| a == b).count();
    if same == record.events.len() && same == replayed.len() {
        return Ok(());
    }
    let recorded = record.events.get(same).cloned().map(Box::new);
    let replayed = replayed.get(same).cloned().map(Box::new);
    let event = recorded.as_ref().or(replayed.as_ref()).map_or(0, |e| e.id);
    Err(ReplayError::Divergence(Box::new(Divergence { execution: arn.clone(), event, recorded, replayed })))
}
