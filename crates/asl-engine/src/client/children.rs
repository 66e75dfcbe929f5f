//! Which executions are the children of a map run. Their rows say of which Distributed Map they are; of which of its runs, the
//! records of their parent say.

use crate::replay::{self, ReplayError};
use asl_core::{Command, EventKind, Machine, MapCommand, MapRunId};
use asl_store::{ExecutionRow, Filter, Store, Which};
use std::collections::HashSet;
use std::sync::Arc;

/// The ARNs of the children that a map run has asked for so far; `None` when no execution in the database has that map run.
///
/// # Errors
/// When the database cannot be read, or the execution that has the map run does not replay.
pub async fn map_run_children(store: &dyn Store, map_run: &str) -> Result<Option<HashSet<Arc<str>>>, ReplayError> {
    // `arn:aws:states:REGION:ACCOUNT:mapRun:sm/label:UUID`
    let Some((prefix, family)) = map_run.split_once(":mapRun:") else { return Ok(None) };
    let Some((machine, _)) = family.split_once('/') else { return Ok(None) };
    let state_machine = Some(format!("{prefix}:stateMachine:{machine}"));
    let filter = Filter { state_machine, which: Which::Parents, ..Filter::default() };
    for row in store.executions(&filter).await? {
        let records = store.records(row.id).await?;
        let started = records.iter().flat_map(|record| &record.events).filter_map(|event| match &event.kind {
            EventKind::MapRunStarted { arn } => Some(arn),
            _ => None,
        });
        // They are numbered as they start.
        if let Some((run, _)) = (1..).zip(started).find(|(_, arn)| ***arn == *map_run) {
            return asked_for(store, &row, MapRunId(run)).await.map(Some);
        }
    }
    Ok(None)
}

async fn asked_for(store: &dyn Store, row: &ExecutionRow, run: MapRunId) -> Result<HashSet<Arc<str>>, ReplayError> {
    let (definition, records) = (replay::definition(store, row).await?, store.records(row.id).await?);
    let (mut machine, mut children) = (Machine::new(definition), HashSet::new());
    for (number, record) in (1..).zip(records) {
        for input in record.inputs {
            machine.handle(input, record.now).map_err(|rejected| ReplayError::Rejected {
                execution: row.arn.as_str().into(),
                record: number,
                rejected,
            })?;
        }
        machine.run(record.now, record.steps);
        for command in machine.take_effects().commands {
            if let Command::Map(MapCommand::Start(call)) = command
                && call.run == run
            {
                children.insert(call.execution.arn.clone());
            }
        }
    }
    Ok(children)
}
