//! The records of a journal through the machine again. The same code continues an execution after a crash.

use super::same::exactly;
use super::trail::{Places, Trail};
use super::{Divergence, ReplayError, Replayed};
use crate::load_stored;
use asl_core::{Event, Input, Machine, Pending, event::to_aws};
use asl_store::{ExecutionRow, KeptHistory, Record, Store};
use asl_syntax::Definition;
use std::sync::Arc;

/// Runs an execution's records through the machine again and compares every event.
///
/// # Errors
/// [`ReplayError::Divergence`] at the first difference; or when it cannot be replayed at all.
pub async fn replay(store: &dyn Store, row: &ExecutionRow) -> Result<Replayed, ReplayError> {
    let (machine, replayed) = rebuild(store, row).await?;
    Ok(Replayed { outcome: machine.outcome().cloned(), ..replayed })
}

/// The machine of an execution, from its records, a piece at a time: memory goes with the machine and not with its history.
async fn rebuild(store: &dyn Store, row: &ExecutionRow) -> Result<(Machine, Replayed), ReplayError> {
    let mut redo = Redo::new(Machine::new(definition(store, row).await?), row.arn.as_str().into());
    let mut records = store.read_records(row.id).await?;
    loop {
        let piece = records.next().await?;
        if piece.is_empty() {
            return Ok(redo.done());
        }
        if let Err(ends) = redo.take(&piece, || true) {
            return Err(ends.told(store, row).await);
        }
    }
}

/// What an execution does or waits for now, as its records tell.
///
/// # Errors
/// When it cannot be replayed, or the journal cannot be read.
pub async fn pending(store: &dyn Store, row: &ExecutionRow) -> Result<Vec<Pending>, ReplayError> {
    Ok(rebuild(store, row).await?.0.pending())
}

/// The definition of an execution.
pub(crate) async fn definition(store: &dyn Store, row: &ExecutionRow) -> Result<Arc<Definition>, ReplayError> {
    let bad = |why: String| ReplayError::Definition { execution: row.arn.as_str().into(), why };
    let stored = store.definition(&row.definition).await?;
    let stored = stored.ok_or_else(|| bad("is not in the database".to_owned()))?;
    load_stored(&stored.text).map_err(|e| bad(format!("does not load: {e}")))
}

/// Runs the records of a kept history through a machine again and compares every event.
///
/// # Errors
/// As [`replay`]: every later version must replay them, so any is a mistake of this program.
pub fn replay_kept<'k>(kept: impl Into<KeptHistory<'k>>) -> Result<Replayed, ReplayError> {
    let kept = kept.into();
    let (definition, arn) = self::kept(kept)?;
    let (machine, replayed) = redo_all(Machine::new(definition), kept.records, &arn)?;
    Ok(Replayed { outcome: machine.outcome().cloned(), ..replayed })
}

/// The definition of a kept history, and whose it is.
pub(super) fn kept(kept: KeptHistory<'_>) -> Result<(Arc<Definition>, Arc<str>), ReplayError> {
    let start = kept.records.iter().flat_map(|record| &record.inputs).find_map(|input| match input {
        Input::Start(execution) => Some(execution.arn.clone()),
        _ => None,
    });
    let arn = start.unwrap_or_else(|| kept.name.into());
    let definition = load_stored(kept.definition)
        .map_err(|e| ReplayError::Definition { execution: arn.clone(), why: format!("does not load: {e}") })?;
    Ok((definition, arn))
}

/// Records through a machine.
pub(crate) fn redo_all(
    machine: Machine,
    records: &[Record],
    arn: &Arc<str>,
) -> Result<(Machine, Replayed), ReplayError> {
    let mut redo = Redo::new(machine, arn.clone());
    redo.take(records, || true).map_err(|ends| ends.told_of(records, arn))?;
    Ok(redo.done())
}

/// A machine that takes records, and how far it is.
pub(crate) struct Redo {
    machine: Machine,
    arn: Arc<str>,
    records: usize,
    events: usize,
}

impl Redo {
    pub(crate) fn new(machine: Machine, arn: Arc<str>) -> Redo {
        Redo { machine, arn, records: 0, events: 0 }
    }

    /// Takes the next records; before each it asks whether to go on.
    pub(crate) fn take(&mut self, records: &[Record], goes_on: impl Fn() -> bool) -> Result<(), Ends> {
        for record in records {
            if !goes_on() {
                let (execution, records) = (self.arn.clone(), self.records);
                return Err(Ends::With(ReplayError::TooLong { execution, records }));
            }
            redo(&mut self.machine, record, &self.arn, self.records + 1).map_err(|failed| match failed {
                Failed::Rejected(error) => Ends::With(error),
                Failed::Differs(replayed) => Ends::Differs { at: self.records, replayed },
            })?;
            self.records += 1;
            self.events += record.events.len();
        }
        Ok(())
    }

    /// The machine, and what was replayed.
    pub(crate) fn done(self) -> (Machine, Replayed) {
        (self.machine, Replayed { records: self.records, events: self.events, outcome: None })
    }
}

/// Why a replay goes no further.
pub(crate) enum Ends {
    With(ReplayError),
    /// The events that the machine makes of the record with this index are others.
    Differs {
        at: usize,
        replayed: Vec<Event>,
    },
}

impl Ends {
    /// The error. Where it differs is told with all that came before, which is read again.
    pub(crate) async fn told(self, store: &dyn Store, row: &ExecutionRow) -> ReplayError {
        match store.records(row.id).await {
            Ok(records) => self.told_of(&records, &row.arn.as_str().into()),
            Err(error) => error.into(),
        }
    }

    fn told_of(self, records: &[Record], arn: &Arc<str>) -> ReplayError {
        match self {
            Ends::With(error) => error,
            Ends::Differs { at, replayed } => {
                let records = records.get(..=at).unwrap_or(records);
                ReplayError::Divergence(Box::new(divergence(records, &replayed, arn)))
            }
        }
    }
}

enum Failed {
    Rejected(ReplayError),
    /// The events that the machine makes of the record.
    Differs(Vec<Event>),
}

/// One record through the machine.
fn redo(machine: &mut Machine, record: &Record, arn: &Arc<str>, number: usize) -> Result<(), Failed> {
    for input in &record.inputs {
        machine.handle(input.clone(), record.now).map_err(|rejected| {
            Failed::Rejected(ReplayError::Rejected { execution: arn.clone(), record: number, rejected })
        })?;
    }
    machine.run(record.now, record.steps);
    let replayed = machine.take_effects().events;
    if replayed == record.events { Ok(()) } else { Err(Failed::Differs(replayed)) }
}

/// Where the last of these records differs.
pub(super) fn divergence(records: &[Record], replayed: &[Event], arn: &Arc<str>) -> Divergence {
    let recorded: &[Event] = records.last().map_or(&[], |record| &record.events);
    let same = recorded.iter().zip(replayed).take_while(|(a, b)| a == b).count();
    let (ours, theirs) = (recorded.get(same), replayed.get(same));
    let event = ours.or(theirs).map_or(0, |event| event.id);
    let (mut places, mut trail) = (Places::default(), Trail::default());
    let before = records.iter().flat_map(|record| &record.events).take_while(|e| e.id < event);
    before.chain(theirs.or(ours)).for_each(|event| {
        trail.add(&mut places, event);
    });
    let (recorded, replayed) = (ours.map(to_aws), theirs.map(to_aws));
    let differences = match (&recorded, &replayed) {
        (Some(recorded), Some(replayed)) => exactly(recorded, replayed),
        _ => Vec::new(),
    };
    Divergence { execution: arn.clone(), event, state: trail.state(&places, event), recorded, replayed, differences }
}
