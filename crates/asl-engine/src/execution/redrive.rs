//! Redrive: an execution that ended without success goes on from there (AWS: RedriveExecution).

use crate::engine::Engine;
use crate::error::EngineError;
use crate::execution::Driver;
use crate::residency::admission::Admission;
use asl_store::{ExecutionRow, Status};
use std::collections::HashSet;

/// Redrives an execution that somebody asked for. A child of a map run goes on with its parent only.
pub(crate) async fn asked(engine: &Engine, row: &ExecutionRow) -> Result<(), EngineError> {
    if row.is_child() {
        let why = "it is a child of a map run, which is redriven with the execution it belongs to".to_owned();
        return Err(EngineError::NotRedrivable { execution: row.name.clone(), why });
    }
    let _hold = engine.inner.clock.hold();
    engine.inner.still_works()?;
    let admission = engine.inner.admissions.enter(0).await?;
    again(engine, row, admission).await
}

/// Redrives an execution: when this returns the redrive is on disk, and the execution is at work.
async fn again(engine: &Engine, row: &ExecutionRow, admission: Admission) -> Result<(), EngineError> {
    let inner = &engine.inner;
    // Two may ask for it at once.
    if !inner.residency().begin_load(row.id) {
        let why = asl_core::NotRedrivable::Running.to_string();
        return Err(EngineError::NotRedrivable { execution: row.name.clone(), why });
    }
    let driver = redriven(engine, row, admission).await.inspect_err(|_| {
        inner.residency().forget(row.id);
    })?;
    inner.launch(&row.arn.as_str().into(), driver, HashSet::new());
    inner.status_changed();
    Ok(())
}

async fn redriven(engine: &Engine, row: &ExecutionRow, admission: Admission) -> Result<Driver, EngineError> {
    let worker = engine.inner.leased().await?.worker.clone();
    let machine = engine.inner.client.rebuild(row, None).await?;
    let missing = engine.unsupported(machine.definition());
    if !missing.is_empty() {
        return Err(EngineError::Unsupported(missing));
    }
    let refused =
        |why: asl_core::NotRedrivable| EngineError::NotRedrivable { execution: row.name.clone(), why: why.to_string() };
    machine.redrivable(engine.inner.clock.now()).map_err(refused)?;
    Driver::redrive(engine.inner.clone(), worker, machine, row.id, admission).await
}

/// Sees to it that a child of a map run was redriven as often as its map run wants. One that succeeded meanwhile, or that
/// cannot be redriven, stays as it is.
pub(crate) async fn child(engine: &Engine, arn: &str, redrives: u64) -> Result<(), EngineError> {
    let Some(row) = engine.inner.store.execution(arn).await? else { return Ok(()) };
    if row.redrive_count >= redrives {
        return Ok(());
    }
    if row.status == Status::Running {
        // It is still being stopped, or a crash came before that.
        engine.resume_one(row.id).await?;
        engine.wait(arn).await?;
    }
    let Some(row) = engine.inner.store.execution(arn).await? else { return Ok(()) };
    let admission = engine.inner.admissions.enter_within();
    match again(engine, &row, admission).await {
        Err(EngineError::NotRedrivable { .. }) => Ok(()),
        other => other,
    }
}
